"""Seconds of each score and memory of `sc.evaluate`, each size in a process of its own.

python benchmarks/scoring.py > benchmarks/results/scoring.jsonl
python benchmarks/scoring.py --one 10000 50
python benchmarks/scoring.py --attacks 10000 30 --leak 0.05

The table is `scale.ward` split 80/20, and the synthetic table is another sample of the same distribution.
With `--attacks` only the attacks are run, including canaries; `--leak` inserts training rows into the synthetic table.
One column of three levels is the outcome, so that utility is scored as well.
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

import pandas as pd
from scale import ward
from threadpoolctl import threadpool_limits

import synthclin as sc
from synthclin.evaluation import privacy, scoring
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.attack_data import AttackData
from synthclin.progress import quiet

SIZES = [(1_000, 20), (10_000, 50), (250_000, 20)]


def made(rows: int, columns: int) -> tuple[sc.Schema, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return schema, training rows, holdout rows and as many synthetic rows as the first."""
    table = ward(2 * rows, columns)
    schema = sc.Schema.infer(table).with_column("column1", role="outcome")
    train, holdout = sc.split(table[:rows], schema, holdout=0.2, random_state=0)
    return schema, train, holdout, table[rows : rows + len(train)].reset_index(drop=True)


def attacks(rows: int, columns: int, leak: float) -> dict:
    """Attack once and return a line."""
    schema, train, holdout, synthetic = made(rows, columns)
    leaked = train.head(round(leak * len(train)))
    synthetic = pd.concat([leaked, synthetic[len(leaked) :]], ignore_index=True)
    seconds, wall = {}, time.perf_counter()
    with quiet(), threadpool_limits(limits=1):
        c = Comparison.of(synthetic, train=train, holdout=holdout, schema=schema, random_state=0)
        data = AttackData.of(c)
        for attack in privacy.ATTACKS:
            start = time.process_time()
            score = attack(c, data=data)
            seconds[score.name] = round(time.process_time() - start, 2)
    return {
        "rows": rows,
        "columns": columns,
        "leak": leak,
        "wall_seconds": round(time.perf_counter() - wall, 1),
        "cpu_seconds": round(sum(seconds.values()), 1),
        "attacks": seconds,
    }


def one(rows: int, columns: int) -> dict:
    """Score once and return a line."""
    schema, train, holdout, synthetic = made(rows, columns)
    seconds: defaultdict[str, float] = defaultdict(float)

    @contextmanager
    def timed(*_: object, **__: object) -> Iterator:
        last = time.process_time()

        def step(_: int, note: str) -> None:
            nonlocal last
            now = time.process_time()
            seconds[note] += now - last
            last = now

        yield step

    scoring.track = timed
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
    parser.add_argument("--attacks", nargs=2, type=int, metavar=("ROWS", "COLUMNS"))
    parser.add_argument("--leak", type=float, default=0.0)
    options = parser.parse_args()
    if options.attacks:
        print(json.dumps(attacks(*options.attacks, options.leak)), flush=True)
        return
    if options.one:
        print(json.dumps(one(*options.one)), flush=True)
        return
    for size in SIZES:
        subprocess.run([sys.executable, __file__, "--one", *map(str, size)], check=True)


if __name__ == "__main__":
    main()
