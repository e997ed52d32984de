"""What a small table's model keeps and what its file remembers: tables x rows x seeds -> a JSON line each, resumable.

python benchmarks/memory.py FOLDER --tables heart_disease actg175 --rows 100 200 400 --seeds 3 --tag default
python benchmarks/memory.py FOLDER --tables actg175 --rows 200 --columns 100
python benchmarks/memory.py FOLDER --tables actg175 --rows 800 --refit 1 --tag "refit 1"
python benchmarks/memory.py --summary

FOLDER and the subsamples are those of `small.py`; another state of the code is measured likewise, with PYTHONPATH and
`--tag`. Figures are of two samples of 2,000 rows, so that no small sample hides a difference. With `--columns` the
table is widened by made columns. With `--refit K` the model is that of K times as many synthetic rows as training rows
of a first model: what is computed from a synthetic table tells no more of patients than the table. Needs xgboost-cpu.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import measures
import numpy as np
import pandas as pd
import small
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import synthclin as sc
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.epsilon import epsilon_lower_bound
from synthclin.evaluation.privacy.model_membership import model_membership
from synthclin.progress import quiet
from synthclin.rules.validation import conform

SMALL = 90
"""Rows of each side of a C2ST as small as the holdout of a clinic's table; the mean of `DRAWS` of them is given."""

DRAWS = 8

LINES = Path(__file__).parent / "results" / "memory.jsonl"

STRONG = 0.3
"""Cramér's V from which an association of the holdout is strong."""

KEYS = ("table", "columns", "rows", "seed", "tag")
FIGURES = {
    "holdout_nll": "holdout nll",
    "gap": "nll, holdout less training rows",
    "tstr": "TSTR",
    "trtr": "TRTR",
    "c2st": "C2ST AUC, holdout",
    "c2st_90": "C2ST AUC, 90 holdout rows",
    "strong": "strong associations kept",
    "attack": "MIA, model file",
    "epsilon": "epsilon proven",
    "seconds": "CPU s of fit",
}


def widened(table: pd.DataFrame, schema: sc.Schema, columns: int) -> tuple[pd.DataFrame, sc.Schema]:
    """Add made columns up to so many: noisy sums of two numbers of the table, flags of such sums, and noise alone."""
    rng = np.random.default_rng(0)
    names = [name for name in schema.modelled if pd.api.types.is_numeric_dtype(table[name])]
    ranks = table[names].astype("float64").rank(pct=True).fillna(0.5).to_numpy()
    factors = (ranks - ranks.mean(0)) / (ranks.std(0) + 1e-9)
    made, declared = {}, schema.model_dump(exclude_unset=True)["columns"]
    for k in range(columns - len(schema.modelled)):
        weights = rng.normal(size=2)
        pair = factors[:, rng.choice(len(names), 2, replace=False)] @ (weights / np.linalg.norm(weights))
        noise = rng.normal(size=len(table))
        signal = noise if k % 4 == 3 else pair + rng.choice([0.4, 1.0, 2.0]) * noise
        flag = k % 4 == 2
        made[f"made{k}"] = np.where(signal > 0.7 * rng.normal(), "yes", "no") if flag else (50 + 10 * signal).round(1)
        declared[f"made{k}"] = {"type": "category"} if flag else {"type": "number", "decimals": 1}
    wide = sc.Schema.model_validate({"columns": declared})
    return conform(pd.concat([table, pd.DataFrame(made, index=table.index)], axis=1), wide), wide


def strong_kept(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Return the mean Cramér's V of synthetic rows over that of real rows, over the pairs that are strong in these."""
    found = [small.cramers_v(real, part) for part in (real, synthetic)]
    strong = found[0] >= STRONG
    return float(found[1][strong].mean() / found[0][strong].mean()) if strong.any() else float("nan")


def small_c2st(holdout: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Return the mean C2ST AUC of a random forest between small parts of both tables, 5-fold cross-validation."""
    found = []
    for k in range(min(DRAWS, len(holdout) // SMALL)):
        pair = [part.iloc[k * SMALL : (k + 1) * SMALL].reset_index(drop=True) for part in (holdout, synthetic)]
        rows = np.nan_to_num(np.vstack(measures.numbers(pair)).astype(float), nan=-1)
        forest = RandomForestClassifier(300, min_samples_leaf=2, random_state=k)
        folds = StratifiedKFold(5, shuffle=True, random_state=k)
        label = np.repeat([0, 1], SMALL)
        chance = cross_val_predict(forest, rows, label, cv=folds, method="predict_proba")[:, 1]
        found.append(float(roc_auc_score(label, chance)))
    return _mean(found)


def measure(folder: Path, columns: int | None, rows: int, seed: int, tag: str, refit: int = 0) -> dict:
    """Return one line."""
    table, schema = small.read(folder)
    if columns is not None:
        table, schema = widened(table, schema, columns)
    target, names = small.TARGETS[folder.name], list(schema.modelled)
    order = np.random.default_rng(1_000 + seed).permutation(len(table))
    parts = (order[:rows], order[rows : rows + small.MOST_HOLDOUT])
    train, holdout = (table.iloc[part].reset_index(drop=True) for part in parts)
    start = time.process_time()
    with quiet():
        model = sc.ConditionalGAN(schema, random_state=seed, device="cpu").fit(train)
        if refit:
            sampled = model.sample(refit * len(train), random_state=11)
            model = sc.ConditionalGAN(schema, random_state=seed + 50, device="cpu").fit(sampled)
    seconds = time.process_time() - start
    known, unseen = (model.log_likelihood(part) for part in (train, holdout))
    samples = [model.sample(2_000, random_state=replicate)[names] for replicate in (2, 3)]
    real = {"train": train[names], "holdout": holdout[names]}
    # As many non-members as members.
    others = holdout.iloc[: len(train)].reset_index(drop=True)
    with quiet():
        compared = Comparison.of(samples[0], train=train, holdout=others, schema=schema, random_state=seed)
        attack, epsilon = (
            score(compared, known, unseen[: len(others)]).value for score in (model_membership, epsilon_lower_bound)
        )
    return {
        **dict(zip(KEYS, (folder.name, len(names), len(train), seed, tag), strict=True)),
        "holdout_nll": round(-float(unseen.mean()), 3),
        "gap": round(float(known.mean() - unseen.mean()), 3),
        "tstr": round(_mean(small.forest_auc({**real, "synthetic": each}, "synthetic", target) for each in samples), 4),
        "trtr": round(small.forest_auc(real, "train", target), 4),
        "c2st": round(_mean(measures.c2st(*measures.numbers([holdout[names], each])) for each in samples), 4),
        "c2st_90": round(small_c2st(holdout[names], samples[0]), 4),
        "strong": round(_mean(strong_kept(holdout[names], each) for each in samples), 4),
        "attack": round(float(attack), 4),
        "epsilon": round(float(epsilon), 4),
        "seconds": round(seconds, 1),
    }


def _mean(values: object) -> float:
    return float(np.mean(list(values)))  # type: ignore[call-overload]


def summary(lines: list[dict]) -> str:
    """Return a Markdown table: the median over seeds of each tag, in the order of the lines."""
    tags = list(dict.fromkeys(line["tag"] for line in lines))
    groups: dict[tuple, list[dict]] = {}
    for line in lines:
        groups.setdefault((line["table"], line["columns"], line["rows"]), []).append(line)
    out = [" | ".join(["table, columns, rows", *FIGURES.values()]), "|".join(["---"] * (1 + len(FIGURES)))]
    for (table, columns, rows), found in sorted(groups.items()):
        cells = []
        for name in FIGURES:
            each = [[line[name] for line in found if line["tag"] == tag and name in line] for tag in tags]
            digits = 1 if name == "seconds" else 2 if name in ("holdout_nll", "gap", "epsilon") else 3
            medians = [f"{statistics.median(values):.{digits}f}" if values else "-" for values in each]
            cells.append(medians[0] if name == "trtr" else " / ".join(medians))
        out.append(" | ".join([f"{table}, {columns}, {rows}", *cells]))
    return "\n".join(f"| {line} |" for line in out)


def main() -> None:
    """Measure what is asked for and not measured yet, or print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--tables", nargs="+", choices=small.TARGETS, default=list(small.TARGETS))
    parser.add_argument("--rows", nargs="+", type=int, default=[100, 200, 400])
    parser.add_argument("--columns", type=int)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--tag", default="regression")
    parser.add_argument("--refit", type=int, default=0)
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args()
    lines = [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.exists() else []
    if options.summary or options.folder is None:
        print(summary(lines))
        return
    done = {(line["table"], line["rows"], line["seed"], line["tag"], line["columns"]) for line in lines}
    for seed in range(options.seeds):
        for rows in options.rows:
            for name in options.tables:
                columns = options.columns or len(small.read(options.folder / name)[1].modelled)
                if (name, rows, seed, options.tag, columns) not in done:
                    line = measure(options.folder / name, options.columns, rows, seed, options.tag, options.refit)
                    with LINES.open("a") as file:
                        file.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main()
