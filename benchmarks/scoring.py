"""Seconds of each score and memory of `sc.evaluate`, each size in a process of its own.

python benchmarks/scoring.py > benchmarks/results/scoring.jsonl
python benchmarks/scoring.py --one 10000 50

The table is `scale.ward` split 80/20, and the synthetic one other rows of the same law, as a perfect model draws them.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from scale import ward

import synthclin as sc
from synthclin.evaluation import scoring
from synthclin.progress import quiet

SIZES = [(1_000, 20), (10_000, 50), (250_000, 20)]


def one(rows: int, columns: int) -> dict:
    """Score once and return a line."""
    table = ward(2 * rows, columns)
    schema = sc.Schema.infer(table)
    train, holdout = sc.split(table[:rows], schema, holdout=0.2, random_state=0)
    synthetic = table[rows : rows + len(train)].reset_index(drop=True)
    seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def watched(*_: object, **__: object) -> Iterator:
        last = time.process_time()

        def step(_: int, note: str) -> None:
            nonlocal last
            now = time.process_time()
            seconds[note] += now - last
            last = now

        yield step

    scoring.track = watched
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    wall, cpu = time.perf_counter(), time.process_time()
    with quiet():
        sc.evaluate(synthetic, train=train, holdout=holdout, schema=schema)
    return {
        "rows": rows,
        "columns": columns,
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "gigabytes_before": round(before / 1e6, 2),
        "gigabytes_peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "scores": {name: round(spent, 2) for name, spent in sorted(seconds.items(), key=lambda each: -each[1])},
    }


def main() -> None:
    """Measure one size here, or each in a new process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--one", nargs=2, type=int, metavar=("ROWS", "COLUMNS"))
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(*options.one)), flush=True)
        return
    for size in SIZES:
        subprocess.run([sys.executable, __file__, "--one", *map(str, size)], check=True)


if __name__ == "__main__":
    main()
