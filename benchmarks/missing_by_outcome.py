"""Do synthetic rows keep how missing cells depend on the outcome? A JSON line per table, seed and model.

python benchmarks/missing_by_outcome.py FOLDER/support2 --outcome hospdead --environments ENVIRONMENTS

For each column with missing cells: the log odds ratio, with its standard error, of a missing cell by the outcome's most
common level against the others, in the training rows and in synthetic rows. Models are those of `peers.py`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pandas as pd
import peer_processes
import peers
import tables

import synthclin as sc


def measure(source: str, model: str, seed: int, options: argparse.Namespace) -> dict:
    """Return one line; raises `peer_processes.PeerError`."""
    table, schema = tables.read(source)
    train, _ = sc.split(table, schema, holdout=0.2, random_state=seed)
    columns, about = list(schema.modelled), {"environments": options.environments, "limit": options.limit}
    sampled, facts = peer_processes.sample(model, peers.given_to(model, train, schema), schema, seed, **about)
    return {
        "table": Path(source).name,
        "rows": len(train),
        "seed": seed,
        "model": model,
        "version": peers.version_of(model, options.tag),
        **facts,
        "missing_by": options.outcome,
        "log_odds": by_outcome(train[columns], peers.typed(sampled, schema), options.outcome),
    }


def by_outcome(train: pd.DataFrame, synthetic: pd.DataFrame, outcome: str) -> dict[str, list[list[float]]]:
    """Return log odds ratio and standard error, real and synthetic, per column with at least 2 % missing cells."""
    usual = str(train[outcome].mode()[0])
    found = {}
    for name in train.columns.drop(outcome):
        if 0.02 <= train[name].isna().mean() <= 0.98:
            found[name] = [_odds(part[name].isna(), part[outcome].astype(str) != usual) for part in (train, synthetic)]
    return found


def _odds(missing: pd.Series, event: pd.Series) -> list[float]:
    counts = (
        np.array([[(missing == m).to_numpy() & (event == e).to_numpy() for e in (0, 1)] for m in (0, 1)]).sum(2) + 0.5
    )
    ratio = np.log(counts[1, 1] * counts[0, 0] / counts[1, 0] / counts[0, 1])
    return [round(float(ratio), 3), round(float(np.sqrt((1 / counts).sum())), 3)]


def main() -> None:
    """Print a line for each table, model and seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="+")
    parser.add_argument("--outcome", required=True)
    parser.add_argument("--models", nargs="*", default=["gan", "GaussianCopula"])
    parser.add_argument("--environments", type=Path, help="folder of the peers' environments")
    parser.add_argument("--seeds", nargs="*", type=int, default=[0])
    parser.add_argument("--limit", type=int, default=3_600, help="processor seconds of a model")
    parser.add_argument("--tag", default="", help="added to the version of synthclin")
    options = parser.parse_args()
    for source in options.sources:
        for model in options.models:
            for seed in options.seeds:
                print(json.dumps(measure(source, model, seed, options)), flush=True)


if __name__ == "__main__":
    main()
