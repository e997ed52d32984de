"""Peers beside synthclin's families on the same rows: a JSON line per table, rows, seed and model; resumable.

python benchmarks/peers.py heart_disease actg175 --environments FOLDER
python benchmarks/peers.py FOLDER/adult FOLDER/support2 --rows 200 --limit 300 --environments FOLDER
python benchmarks/peers.py --summary benchmarks/results/peers.jsonl

A table is the name of a shipped one, DATA:SCHEMA, or a folder with `data.csv` and `meta.json`. Each model is fitted by
a process of its own (`peer_programs.py`), peers in pinned environments that are made below `--environments` if absent.
Of the table 80 % are training rows (`--rows` of them) and at most 3,000 others the holdout; each model gives as many
synthetic rows as there are training rows, which are read by the schema. Lines are appended whole. What a file holds
already is not measured again (by table, rows, seed, model and version), `--retry` repeats failures. A failure is a line
too, with its reason. `real rows` is a bootstrap sample of the training rows in the place of synthetic rows.
Needs xgboost-cpu.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

import measures
import numpy as np
import pandas as pd
import peer_processes
import peer_summary
import tables
from peer_programs import PEERS

import synthclin as sc
from synthclin.evaluation import PredictTask, validity
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity import associations, detection, marginals, missingness, pairs
from synthclin.evaluation.privacy.membership import membership
from synthclin.evaluation.utility.predictions import predict
from synthclin.models import MODELS
from synthclin.progress import quiet

MOST_HOLDOUT = 3_000
REAL = "real rows"
LINES = Path(__file__).parent / "results" / "peers.jsonl"
KEYS = ("table", "rows", "seed", "model", "version")
TARGETS = {"heart_disease": "num", "actg175": "cens", "adult": "income", "support2": "hospdead"} | {
    "diabetes130": "readmitted"
}
SCORES = (
    validity.rules,
    marginals.marginals,
    pairs.pairs,
    associations.association_changes,
    missingness.missingness,
    detection.detection,
    membership,
)


def split(table: pd.DataFrame, schema: sc.Schema, rows: int | None, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return training rows, all or `rows` of them, and at most 3,000 other rows."""
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=seed)
    if rows and rows < len(train):
        train = train.sample(rows, random_state=seed).reset_index(drop=True)
    if len(holdout) > MOST_HOLDOUT:
        holdout = holdout.sample(MOST_HOLDOUT, random_state=seed).reset_index(drop=True)
    return train, holdout


def typed(table: pd.DataFrame, schema: sc.Schema) -> pd.DataFrame:
    """Return the cells in canonical types and at the schema's decimals; cells that are not valid are missing."""
    found = {}
    for name in schema.modelled:
        column, cells = schema.columns[name], table[name]
        if column.is_integer:
            cells = cells.round()
        found[name] = column.coerce(cells)[0]
    return pd.DataFrame(found)


def given_to(model: str, train: pd.DataFrame, schema: sc.Schema) -> pd.DataFrame:
    """Return the training rows in the columns that a model gets: peers those that are modelled, without identifiers."""
    columns = [name for name in (schema.modelled if model in PEERS else schema.columns) if name in train]
    return peer_processes.plain(train[columns], schema)


def measure(
    model: str,
    train: pd.DataFrame,
    holdout: pd.DataFrame,
    schema: sc.Schema,
    target: str | None,
    seed: int,
    about: dict,
) -> dict:
    """Return facts and scores of one model; raises `peer_processes.PeerError`."""
    columns = list(schema.modelled)
    if model == REAL:
        synthetic, facts = train.sample(len(train), replace=True, random_state=seed).reset_index(drop=True), {}
    else:
        sampled, facts = peer_processes.sample(model, given_to(model, train, schema), schema, seed, **about)
        synthetic = typed(sampled, schema)
    with quiet():
        c = Comparison.of(synthetic, train=train, holdout=holdout, schema=schema, random_state=seed)
        found = [score(c) for score in SCORES]
        if target:
            utility = predict(c, PredictTask(target=target))
            found += [utility] if not isinstance(utility, tuple) else list(utility[:1])
    scores = {score.name: [score.value, score.low, score.high] for score in found}
    references = {score.name: score.reference for score in found if score.reference is not None}
    return facts | {
        "scores": {name: [_round(value) for value in values] for name, values in scores.items()},
        "reference": {name: _round(value) for name, value in references.items()},
        "independent": independent(*(part[columns] for part in (train, holdout, synthetic)), target),
    }


def independent(train: pd.DataFrame, holdout: pd.DataFrame, synthetic: pd.DataFrame, target: str | None) -> dict:
    """Return the measures that share no code with the library's scores."""
    parts = {"train": train, "holdout": holdout, "synthetic": synthetic}
    parts = {name: peer_processes.plain(part) for name, part in parts.items()}
    real, unseen, fake = measures.numbers(list(parts.values()))
    found = {
        "c2st_holdout": measures.c2st(unseen, fake),
        "c2st_train": measures.c2st(real, fake),
        "c2st_reference": measures.c2st(unseen, real),
        "mia": measures.neighbour_attack(real, unseen, fake),
        "unseen_pairs": measures.unseen_pairs(parts["train"], parts["synthetic"]),
        "unseen_pairs_holdout": measures.unseen_pairs(parts["train"], parts["holdout"]),
    }
    if target:
        found |= (auc := measures.utility(parts, target))
        found["tstr_less_trtr"] = auc["tstr"] - auc["trtr"]
    return {name: _round(value) for name, value in found.items()}


def _round(value: float) -> float | None:
    """Return 4 decimals; None for what could not be computed."""
    return round(float(value), 4) if np.isfinite(value) else None


def done(path: Path, *, retry: bool) -> set[tuple]:
    """Return the keys of the lines that a file holds, without failures if they are tried again."""
    lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {tuple(line[key] for key in KEYS) for line in lines if not (retry and line["status"] == "failed")}


def append(path: Path, line: dict) -> None:
    """Append a line by one write, so that several processes may share a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        os.write(file, (json.dumps(line) + "\n").encode())
    finally:
        os.close(file)


def version_of(model: str, tag: str) -> str:
    """Return the version that a line names."""
    if model in PEERS:
        return PEERS[model].version
    return f"synthclin {sc.__version__}{'+' + tag if tag else ''}" if model != REAL else "bootstrap"


def cells(options: argparse.Namespace) -> None:
    """Measure every cell that is not in the file."""
    for source in options.sources:
        table, schema = tables.read(source)
        name = Path(source.split(":")[0]).stem
        target = options.target or TARGETS.get(name)
        for seed in options.seeds:
            train, holdout = split(table, schema, options.rows, seed)
            for model in options.models:
                key = dict(zip(KEYS, (name, len(train), seed, model, version_of(model, options.tag)), strict=True))
                if tuple(key.values()) in done(options.lines, retry=options.retry):
                    continue
                line = {**key, "columns": len(schema.modelled), "holdout": len(holdout), "target": target}
                about = {"environments": options.environments, "limit": options.limit}
                try:
                    line |= {"status": "ok", **measure(model, train, holdout, schema, target, seed, about)}
                except peer_processes.PeerError as failure:
                    line |= {"status": "failed", "reason": str(failure), "limit": options.limit}
                append(options.lines, line)
                print(*key.values(), line["status"], line.get("reason", ""), file=sys.stderr, flush=True)


def main() -> None:
    """Measure, or summarise what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = [REAL, *MODELS, *PEERS]
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--environments", type=Path, help="folder of the peers' environments")
    parser.add_argument("--models", nargs="*", default=known, choices=known, metavar="MODEL", help=", ".join(known))
    parser.add_argument("--seeds", nargs="*", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", type=int, help="training rows, drawn at random from those of the split")
    parser.add_argument("--target", help="column to predict; known for the tables of the benchmarks")
    parser.add_argument("--limit", type=int, default=600, help="processor seconds of a cell's fit and sampling")
    parser.add_argument("--retry", action="store_true", help="measure cells again that failed")
    parser.add_argument("--tag", default="", help="added to the version of synthclin, such as a commit")
    parser.add_argument("--lines", type=Path, default=LINES, help="the file of lines")
    parser.add_argument("--summary", type=Path, metavar="LINES", help="print tables of the lines in this file")
    parser.add_argument(
        "--figures", nargs="*", default=[], choices=peer_summary.FIGURES, metavar="FIGURE", help="of the tables"
    )
    options = parser.parse_args()
    if options.summary:
        lines = [json.loads(line) for line in options.summary.read_text().splitlines()]
        print(peer_summary.markdown(lines, options.figures))
    elif options.environments is None and set(options.models) & set(PEERS):
        parser.error("peers need --environments FOLDER; or leave them out with --models")
    cells(options)


if __name__ == "__main__":
    main()
