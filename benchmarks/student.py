"""Distillation: a one-pass student, which samples whole rows, beside its teacher, which samples column by column.

python benchmarks/student.py heart_disease actg175 --seeds 3 >> benchmarks/results/student.jsonl

`ConditionalGAN(one_pass=True)` fits both. XGBoost, which no part of the library trains on, gives the C2ST AUC of
each against the other, holdout rows and training rows; seconds are of processor time. Needs xgboost-cpu.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import measures
import pandas as pd
import quality
import tables
import torch

import synthclin as sc
from synthclin.sampling.sequential import Imposed

LEAST = 3_000
"""Rows of each in a C2ST, at least: fewer would leave a standard error above 0.02."""


def rate(model: sc.ConditionalGAN, rows: int = 20_000) -> dict[str, int]:
    """Return rows per processor second: of sampling with rules and decoding, and of the networks alone."""
    generator = torch.Generator().manual_seed(0)
    replicates: dict[str, Callable[[], object]] = {
        "sampled_per_second": lambda: model.sample(rows, random_state=0),
        "network_per_second": lambda: model._sample(rows, generator, Imposed()),  # noqa: SLF001
    }
    found = {}
    for name, sampling in replicates.items():
        start = time.process_time()
        sampling()
        found[name] = round(rows / (time.process_time() - start))
    return found


def judge(model: sc.ConditionalGAN, train: pd.DataFrame, holdout: pd.DataFrame, target: str, seed: int) -> dict:
    """Return the figures of one sample of the student and two of its teacher."""
    rows, names = max(len(train), LEAST), list(model.schema.modelled)
    sampled = {}
    for name, at_once in (("teacher", False), ("again", False), ("student", True)):
        model.one_pass = at_once
        sampled[name] = model.sample(rows, random_state=seed + (name == "again"))[names]
    real, unseen, *parts = measures.numbers([train[names], holdout[names], *sampled.values()])
    part = dict(zip(sampled, parts, strict=True))
    figures = {f"{name}_from_teacher": measures.c2st(part["teacher"], part[name]) for name in ("again", "student")}
    for name in ("teacher", "student"):
        some = {"synthetic": sampled[name].iloc[: len(train)], "train": train[names], "holdout": holdout[names]}
        figures |= {
            f"{name}_from_holdout": statistics.fmean(measures.c2st(unseen, part[name], seed=fold) for fold in range(3)),
            f"{name}_from_train": measures.c2st(real, part[name]),
            f"{name}_tstr": measures.utility(some, target)["tstr"],
        }
    return figures


def measure(source: str, seed: int, options: argparse.Namespace) -> dict[str, object]:
    """Fit on 80 % of the rows and return the mean figures of two replicates, as a line."""
    table, schema = tables.read(source)
    if options.rows and options.rows < len(table):
        table = table.sample(options.rows, random_state=0).reset_index(drop=True)
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=seed)
    start = time.process_time()
    model = sc.ConditionalGAN(schema, random_state=seed, device="cpu", one_pass=True).fit(train)
    seconds = time.process_time() - start
    phases = model.training_["seconds"]
    target = options.target or quality.TARGETS[source]
    replicates = [judge(model, train, holdout, target, 10 * k) for k in (1, 2)]
    rates = {}
    for name, at_once in (("teacher", False), ("student", True)):
        model.one_pass = at_once
        rates |= {f"{name}_{key}": value for key, value in rate(model).items()}
    return {
        "table": Path(source).name,
        "rows": len(train),
        "seed": seed,
        "version": sc.__version__,
        "device": f"cpu, torch {torch.__version__}",
        "kl_divergence": model.training_["history"][-1]["kl_divergence"],
        "fit_cpu_seconds": round(seconds, 1),
        "share_of_distillation": round(phases["distillation"] / sum(phases.values()), 2),
        **rates,
        **{name: round(statistics.fmean(each[name] for each in replicates), 4) for name in replicates[0]},
    }


def main() -> None:
    """Print a line for each table and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--target", help="column to predict")
    options = parser.parse_args()
    for source in options.sources:
        for seed in range(options.seeds):
            print(json.dumps(measure(source, seed, options)), flush=True)


if __name__ == "__main__":
    main()
