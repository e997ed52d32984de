"""Fit, draw and score shipped or given tables over several seeds; one JSON line per model.

python benchmarks/fidelity.py heart_disease actg175 --seeds 5 --effort standard > benchmarks/results/fidelity.jsonl
python benchmarks/fidelity.py data/ward.csv:data/ward.yaml --seeds 3
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time

import synthclin as sc
from synthclin.evaluation import score_table

DRAWS = 3


def read(source: str) -> tuple:
    if ":" not in source:
        return sc.datasets.load(source)
    data, schema = source.split(":")
    schema = sc.Schema.read(schema)
    return sc.read_table(data, schema), schema


def measure(source: str, seed: int, effort: str) -> dict:
    table, schema = read(source)
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=seed)
    start = time.perf_counter()
    model = sc.ConditionalGAN(schema, effort=effort, random_state=seed).fit(train)
    seconds = time.perf_counter() - start
    # Two draws of one model differ as much as two models do: a mean over draws is what is compared.
    scores: dict[str, list] = {}
    for draw in range(DRAWS):
        rows = model.sample(len(train), random_state=draw)
        for score in score_table(rows, train=train, holdout=holdout, schema=schema, random_state=seed).scores:
            scores.setdefault(score.name, []).append(score)
    return {
        "table": source,
        "seed": seed,
        "effort": effort,
        "version": sc.__version__,
        "rows": len(train),
        "fit_seconds": round(seconds, 1),
        "kept": model.training_["kept"],
        "scores": {
            name: {
                "value": round(statistics.mean(score.value for score in found), 4),
                "floor": found[0].floor,
                "ceiling": found[0].ceiling,
            }
            for name, found in scores.items()
        },
        "detection_against_train": round(
            statistics.mean(score.details["auc_against_train"] for score in scores["fidelity.detection"]), 4
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+", help="names of shipped tables, or DATA:SCHEMA")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--effort", default="standard")
    options = parser.parse_args()
    for source in options.sources:
        for seed in range(options.seeds):
            print(json.dumps(measure(source, seed, options.effort)), flush=True)
            print(source, seed, file=sys.stderr)


if __name__ == "__main__":
    main()
