"""Seconds and memory of fitting and sampling against rows and columns, each in a process of its own.

python benchmarks/scale.py rows columns > benchmarks/results/scale.jsonl
python benchmarks/scale.py --one 250000 20 quick
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np
import pandas as pd

import synthclin as sc

ROWS = [(rows, 20) for rows in (500, 2_000, 8_000, 32_000, 128_000, 250_000)]
COLUMNS = [(2_000, columns) for columns in (10, 35, 70, 140, 280)]


def ward(rows: int, columns: int) -> pd.DataFrame:
    """Return a table of numbers, levels and numbers with holes, tied together by six hidden traits of each row."""
    rng = np.random.default_rng(0)
    traits = rng.normal(size=(rows, 6))
    table = {}
    for j in range(columns):
        trait = traits[:, j % 6] + rng.normal(size=rows)
        number = np.round(trait * 10 + 50, 1)
        holes = np.where(rng.random(rows) < 0.3, np.nan, number)
        level = np.select([trait > 1, trait > 0], ["high", "middle"], "low")
        table[f"column{j}"] = (number, level, holes)[j % 3]
    return pd.DataFrame(table)


def one(rows: int, columns: int, effort: str) -> dict:
    """Fit and sample once and return a line."""
    table = ward(rows, columns)
    schema = sc.Schema.infer(table)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    model = sc.ConditionalGAN(schema, effort=effort, random_state=0).fit(table)
    fitted = time.process_time()
    model.sample(rows)
    sampled = time.process_time()
    return {
        "rows": rows,
        "columns": columns,
        "effort": effort,
        "fit_cpu_seconds": round(fitted - start, 1),
        "phases": model.training_["seconds"],
        "epochs": sum("epoch" in line for line in model.training_["history"]),
        "sample_cpu_seconds": round(sampled - fitted, 2),
        "rows_per_second": round(rows / (sampled - fitted)),
        "gigabytes_before": round(before / 1e6, 2),
        "gigabytes_peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
    }


def main() -> None:
    """Measure one size here, or each of a curve in a new process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("curves", nargs="*", help="rows, columns")
    parser.add_argument("--one", nargs=3, metavar=("ROWS", "COLUMNS", "EFFORT"))
    parser.add_argument("--effort", default="standard")
    options = parser.parse_args()
    if options.one:
        print(json.dumps(one(int(options.one[0]), int(options.one[1]), options.one[2])), flush=True)
    for curve in options.curves:
        for rows, columns in ROWS if curve == "rows" else COLUMNS:
            size = [str(rows), str(columns), options.effort]
            subprocess.run([sys.executable, __file__, "--one", *size], check=True)


if __name__ == "__main__":
    main()
