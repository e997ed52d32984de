"""How often the 95 % intervals of scores hold the truth, for a perfect generator and for one that shrinks numbers.

python benchmarks/coverage.py --studies 200 > benchmarks/results/coverage.jsonl

Each study takes training, held-out and synthetic rows from one law (`scale.ward`). The truth of a score is its mean
over all studies: what the same comparison gives on average.
"""

from __future__ import annotations

import argparse
import json
import time

import numpy as np
import pandas as pd
from scale import ward
from threadpoolctl import threadpool_limits

import synthclin as sc
from synthclin.evaluation import detection, marginals, missing, pairs, support
from synthclin.evaluation.comparison import Comparison
from synthclin.validation import conform

TRAIN, HOLDOUT, COLUMNS = 400, 200, 8
SCORES = {
    "marginals": marginals.marginals,
    "pairs": pairs.pairs,
    "associations": pairs.association_changes,
    "missingness": missing.missingness,
    "precision": support.precision,
    "recall": support.recall,
    "detection": detection.detection,
}


def study(number: int, rows: pd.DataFrame, schema: sc.Schema, names: list[str], shrink: float) -> dict:
    """Return value, low and high of each score of one study."""
    train, holdout, synthetic = (
        rows.iloc[start:stop].reset_index(drop=True)
        for start, stop in ((0, TRAIN), (TRAIN, TRAIN + HOLDOUT), (TRAIN + HOLDOUT, 2 * TRAIN + HOLDOUT))
    )
    numbers = synthetic.select_dtypes("number").columns
    synthetic[numbers] = (synthetic[numbers] * (1 - shrink) + 50 * shrink).round(1)
    c = Comparison.of(synthetic, train=train, holdout=holdout, schema=schema, random_state=number)
    scores = {name: SCORES[name](c) for name in names}
    return {name: (score.value, score.low, score.high) for name, score in scores.items()}


def main() -> None:
    """Print a line for each score."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--studies", type=int, default=200)
    parser.add_argument("--scores", nargs="+", choices=SCORES, default=list(SCORES))
    parser.add_argument("--seconds", type=float, default=np.inf, help="of processor time, after which no study begins")
    options = parser.parse_args()
    size = 2 * TRAIN + HOLDOUT
    table = ward(size * options.studies, COLUMNS)
    schema = sc.Schema.infer(table)
    table = conform(table, schema)
    for generator, shrink in (("perfect", 0.0), ("shrunk", 0.2)):
        found, start = [], time.process_time()
        with threadpool_limits(limits=1):
            for i in range(options.studies):
                if time.process_time() - start > options.seconds:
                    break
                found.append(study(i, table.iloc[i * size : (i + 1) * size], schema, options.scores, shrink))
        for name in options.scores:
            value, low, high = np.array([each[name] for each in found]).T
            held = (low <= value.mean()) & (value.mean() <= high)
            line = {"generator": generator, "score": name, "studies": len(found), "truth": round(value.mean(), 4)}
            line |= {"held": round(held.mean(), 4), "width": round((high - low).mean(), 4)}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
