"""Quality of models with the defaults, by measures that are not the library's: tables x seeds -> a JSON line each.

python benchmarks/quality.py heart_disease actg175 --seeds 5 >> benchmarks/results/quality.jsonl
python benchmarks/quality.py FOLDER --rows 12500 --target income --set effort=quick
python benchmarks/quality.py --summary benchmarks/results/quality.jsonl

A table is the name of a shipped one, DATA:SCHEMA, or a folder with `data.csv` and `meta.json`. Of the rows (or of
`--rows` of them) 80 % are training rows, another split and another model for each seed. Needs xgboost-cpu.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path

import measures
import numpy as np
import tables

import synthclin as sc

TARGETS = {"heart_disease": "num", "actg175": "cens"}


def measure(source: str, seed: int, options: argparse.Namespace) -> dict:
    """Return one line."""
    table, schema = tables.read(source)
    if options.rows and options.rows < len(table):
        table = table.sample(options.rows, random_state=0).reset_index(drop=True)
    train, holdout = sc.split(table, schema, holdout=0.2, random_state=seed)
    columns = list(schema.modelled)
    settings = {name: _literal(value) for name, value in (pair.split("=", 1) for pair in options.set)}
    start = time.perf_counter()
    model = sc.ConditionalGAN(schema, random_state=seed, **settings).fit(train)
    fit_seconds = time.perf_counter() - start
    start = time.perf_counter()
    replicates = [model.sample(len(train), random_state=number)[columns] for number in range(options.replicates)]
    rate = len(train) * options.replicates / (time.perf_counter() - start)
    likelihood = [model.log_likelihood(part) for part in (train, holdout)]
    found: dict[str, list[float]] = {}
    for synthetic in replicates:
        real, unseen, fake = measures.numbers([train[columns], holdout[columns], synthetic])
        found.setdefault("c2st_holdout", []).append(_c2st(unseen, fake))
        found.setdefault("c2st_train", []).append(measures.c2st(real, fake))
        found.setdefault("neighbour_attack", []).append(measures.neighbour_attack(real, unseen, fake))
        found.setdefault("unseen_pairs", []).append(measures.unseen_pairs(train[columns], synthetic))
        found.setdefault("missing_error", []).append(_missing_error(train[columns], synthetic))
        if options.target or source in TARGETS:
            whole = {"synthetic": synthetic, "train": train[columns], "holdout": holdout[columns]}
            auc = measures.utility(whole, options.target or TARGETS[source])
            found.setdefault("tstr_less_trtr", []).append(auc["tstr"] - auc["trtr"])
    rng = np.random.default_rng(seed)
    shuffled = train[columns].apply(lambda column: column.sample(frac=1, random_state=rng).reset_index(drop=True))
    real, unseen, mixed = measures.numbers([train[columns], holdout[columns], shuffled])
    return {
        "table": Path(source).name,
        "rows": len(train),
        "columns": len(columns),
        "seed": seed,
        "tag": options.tag,
        "settings": settings,
        "version": sc.__version__,
        "fit_seconds": round(fit_seconds, 1),
        "rows_per_second": round(rate),
        "kept": model.training_["kept"],
        "train_nll": round(float(-likelihood[0].mean()), 3),
        "holdout_nll": round(float(-likelihood[1].mean()), 3),
        "white_box_attack": round(measures.white_box(*likelihood), 4),
        "neighbour_attack_shuffled": round(measures.neighbour_attack(real, unseen, mixed), 4),
        "unseen_pairs_holdout": round(measures.unseen_pairs(train[columns], holdout[columns]), 4),
        **{name: round(float(np.mean(values)), 4) for name, values in found.items()},
    }


def _c2st(unseen: np.ndarray, fake: np.ndarray) -> float:
    """Return the C2ST against the holdout, over several subsets where it is small."""
    return float(np.mean([measures.c2st(unseen, fake, seed) for seed in range(1 if len(unseen) > 1_500 else 3)]))


def _missing_error(train: object, synthetic: object) -> float:
    """Return the largest difference of a column's share of missing cells."""
    return float((train.isna().mean() - synthetic.isna().mean()).abs().max())


def _literal(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def summary(path: str) -> None:
    """Print a table: the median over seeds, with the lowest and the highest."""
    lines = [json.loads(line) for line in Path(path).read_text().splitlines()]
    shown = ("c2st_holdout", "c2st_train", "tstr_less_trtr", "neighbour_attack", "neighbour_attack_shuffled")
    shown += ("white_box_attack", "train_nll", "holdout_nll", "unseen_pairs", "unseen_pairs_holdout", "missing_error")
    shown += ("fit_seconds", "rows_per_second")
    groups: dict[tuple, list[dict]] = {}
    for line in lines:
        groups.setdefault((line["table"], line["rows"], line["tag"]), []).append(line)
    print("| table, rows, what | seeds | " + " | ".join(name.replace("_", " ") for name in shown) + " |")
    print("|" + "---|" * (len(shown) + 2))
    for (table, rows, tag), found in groups.items():
        cells = []
        for name in shown:
            values = [line[name] for line in found if name in line]
            digits = 0 if name == "rows_per_second" else 1 if name in ("fit_seconds", "train_nll", "holdout_nll") else 3
            low, mid, high = (f"{f(values):.{digits}f}" for f in (min, statistics.median, max)) if values else "---"
            cells.append(f"{mid} ({low} to {high})")
        print(f"| {table}, {rows:,}{', ' + tag if tag else ''} | {len(found)} | " + " | ".join(cells) + " |")


def main() -> None:
    """Measure, or summarise what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--replicates", type=int, default=3)
    parser.add_argument("--rows", type=int, help="take so many of them at random")
    parser.add_argument("--target", help="column to predict; without one of its own, a table has no utility")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="of ConditionalGAN")
    parser.add_argument("--tag", default="", help="what this variant is called in the summary")
    parser.add_argument("--summary", metavar="LINES")
    options = parser.parse_args()
    if options.summary:
        summary(options.summary)
    for source in options.sources:
        for seed in range(options.seeds):
            print(json.dumps(measure(source, seed, options)), flush=True)
            print(source, seed, file=sys.stderr)


if __name__ == "__main__":
    main()
