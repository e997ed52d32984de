"""Whether tables of every shape train with the defaults: seconds, memory, and signs of a collapse.

python benchmarks/shapes.py > benchmarks/results/shapes.jsonl
python benchmarks/shapes.py --only "280 columns"

Each shape is made by `scale.ward`, bent, split 80/20 and measured in a process of its own. Needs xgboost-cpu.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import measures
import numpy as np
import pandas as pd
from scale import ward

import synthclin as sc


def _holed(table: pd.DataFrame) -> pd.DataFrame:
    """Empty 62 % of the cells, more of them where the first number is high."""
    rng = np.random.default_rng(1)
    lean = table["column0"].rank(pct=True).to_numpy()[:, None] - 0.5
    return table.mask(rng.random(table.shape) < 0.62 + 0.3 * lean)


def _with_outcome(table: pd.DataFrame) -> pd.DataFrame:
    """Add an outcome of 1 % that rises with the first number."""
    risk = table["column0"].rank(pct=True).to_numpy() ** 4 * 0.05
    return table.assign(outcome=np.where(np.random.default_rng(1).random(len(table)) < risk, "yes", "no"))


def _with_diagnoses(table: pd.DataFrame) -> pd.DataFrame:
    """Add three columns of 800 codes, few of them common and most rare, associated through the first number."""
    rng = np.random.default_rng(1)
    chance = 1 / np.arange(1, 801)
    chapter = (table["column0"].rank(pct=True).to_numpy() * 8).astype(int)
    for name in ("first", "second", "third"):
        codes = rng.choice(800, len(table), p=chance / chance.sum())
        code = np.where(rng.random(len(table)) < 0.5, (codes + 100 * chapter) % 800, codes)
        table = table.assign(**{name: np.char.add("d", code.astype(str))})
    return table


def _with_constants(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(site="here", zero=0)


SHAPES: dict[str, tuple[int, int, Callable[[pd.DataFrame], pd.DataFrame]]] = {
    "50 rows": (63, 15, lambda table: table),
    "200 rows": (250, 15, lambda table: table),
    "500 rows": (625, 15, lambda table: table),
    "280 columns": (2_500, 280, lambda table: table),
    "62 % missing": (5_000, 20, _holed),
    "outcome of 1 %": (10_000, 20, _with_outcome),
    "constant columns": (2_500, 10, _with_constants),
    "three columns of 700 codes": (17_500, 12, _with_diagnoses),
    "250,000 rows": (312_500, 20, lambda table: table),
}


def one(shape: str) -> dict:
    """Fit and sample once and return a line."""
    rows, columns, bent = SHAPES[shape]
    table = bent(ward(rows, columns))
    schema = sc.Schema.infer(table)
    for name in table.columns[(table == table.iloc[0]).all()]:
        schema = schema.with_column(name, type="category", categories=table[name].unique().tolist())
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=0)
    start = time.process_time()
    model = sc.ConditionalGAN(schema, random_state=0).fit(train)
    fitted = time.process_time()
    synthetic = model.sample(len(train), random_state=0)
    end = time.process_time()
    names = list(schema.modelled)
    real, unseen, fake = measures.numbers([train[names], holdout[names], synthetic[names]])
    likelihood = [model.log_likelihood(part) for part in (train, holdout)]
    return {
        "shape": shape,
        "rows": len(train),
        "columns": len(names),
        "fit_cpu_seconds": round(fitted - start, 1),
        "phases": model.training_["seconds"],
        "kept": model.training_["kept"],
        "rows_per_second": round(len(train) / (end - fitted)),
        "gigabytes_peak": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, 2),
        "c2st_holdout": round(measures.c2st(unseen, fake), 4),
        "c2st_train": round(measures.c2st(real, fake), 4),
        "white_box_attack": round(measures.white_box(*likelihood), 4),
        "largest_level_error": round(_level_error(train[names], synthetic[names]), 4),
        "largest_missing_error": round(
            float((train[names].isna().mean() - synthetic[names].isna().mean()).abs().max()), 4
        ),
        "outcome": [round(float((part["outcome"] == "yes").mean()), 4) for part in (train, synthetic)]
        if "outcome" in names
        else None,
    }


def _level_error(train: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Return the largest difference of a level's share, over columns that hold levels."""
    worst = 0.0
    for name in train.columns:
        if isinstance(train[name].dtype, pd.CategoricalDtype) or train[name].dtype == object:
            shares = [part[name].astype("string").value_counts(normalize=True) for part in (train, synthetic)]
            worst = max(worst, float(shares[0].sub(shares[1], fill_value=0).abs().max()))
    return worst


def main() -> None:
    """Measure one shape here, or each in a new process."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(SHAPES))
    options = parser.parse_args()
    if options.only:
        print(json.dumps(one(options.only)), flush=True)
        return
    for name in SHAPES:
        subprocess.run([sys.executable, __file__, "--only", name], check=True)


if __name__ == "__main__":
    main()
