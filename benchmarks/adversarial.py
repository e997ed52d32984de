"""What the adversarial training is worth: `python benchmarks/adversarial.py heart_disease --target num`.

Prints a JSON line for each seed and appends it to `benchmarks/results/adversarial.jsonl`.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from pathlib import Path

import measures
import pandas as pd
import tables
import torch

import synthclin as sc

RESULTS = Path(__file__).parent / "results" / "adversarial.jsonl"


def judge(synthetic: pd.DataFrame, train: pd.DataFrame, holdout: pd.DataFrame, target: str) -> dict[str, float]:
    """Return the figures of one draw."""
    real, held, drawn = measures.numbers([train, holdout, synthetic])
    utility = measures.utility({"synthetic": synthetic, "train": train, "holdout": holdout}, target)
    return utility | {
        "c2st_holdout": statistics.fmean(measures.c2st(held, drawn, seed=fold) for fold in range(3)),
        "c2st_train": measures.c2st(real, drawn),
        "membership": measures.neighbour_attack(real, held, drawn),
        "unseen_pairs": measures.unseen_pairs(train, synthetic),
    }


def measure(source: str, seed: int, target: str, draws: int, warmup: bool) -> dict[str, object]:
    """Fit on 80 % of the rows and return the mean figures of some draws."""
    table, schema = tables.read(source)
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=seed)
    start = time.process_time()
    model = sc.ConditionalGAN(schema, random_state=seed, warmup=warmup, device="cpu").fit(train)
    seconds = time.process_time() - start
    names = list(schema.modelled)
    drawn = [model.sample(len(train), random_state=draw)[names] for draw in range(draws)]
    figures = [judge(rows, train[names], holdout[names], target) for rows in drawn]
    return {
        "table": Path(source).name,
        "rows": len(train),
        "seed": seed,
        "generator": f"synthclin {sc.__version__}",
        "warmup": warmup,
        "device": f"cpu, torch {torch.__version__}",
        "cpu_seconds": round(seconds, 1),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "train_nats": round(model.training_["train_nats"], 3),
        "validation_nats": round(model.training_["validation_nats"], 3),
        "white_box": round(measures.white_box(model.log_likelihood(train), model.log_likelihood(holdout)), 4),
        **{name: round(statistics.fmean(each[name] for each in figures), 4) for name in figures[0]},
    }


def main() -> None:
    """Measure one table over the seeds asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("source")
    parser.add_argument("--target", required=True)
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--warmup", action="store_true", help="begin by likelihood, as the default does")
    options = parser.parse_args()
    for seed in map(int, options.seeds.split(",")):
        line = json.dumps(measure(options.source, seed, options.target, options.draws, options.warmup))
        print(line, flush=True)
        with RESULTS.open("a") as file:
            file.write(line + "\n")


if __name__ == "__main__":
    main()
