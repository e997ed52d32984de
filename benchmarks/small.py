"""Small tables: subsamples with large holdouts, tables x rows x seeds x efforts -> a JSON line each, resumable.

python benchmarks/small.py FOLDER --tables heart_disease actg175 --rows 100 200 --seeds 3 --effort standard quick
python benchmarks/small.py FOLDER --tag landed ...
python benchmarks/small.py FOLDER --rival ARF --environment ENVIRONMENTS
python benchmarks/small.py --summary

FOLDER holds a folder per table, each with `data.csv` and `meta.json`. Lines go to results/small.jsonl, and a line that
is there already is not run again. To measure another state of the code, run the script with PYTHONPATH at it and
`--tag`. Training rows of two seeds are independent subsamples of the table; all other rows, at most `MOST_HOLDOUT`, are
the holdout. TSTR and TRTR are of a random forest. MIA: AUC of a nearest-neighbour membership attack on the table; white
box: by the log-likelihood under the model, with at most as many holdout rows as training rows. `breast_cancer` and
`diabetes` are tables of scikit-learn. A rival runs in an environment of its own (`peers.py`). Needs xgboost-cpu.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

import measures
import numpy as np
import pandas as pd
import peer_processes
import tables
from peer_programs import PEERS
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

import synthclin as sc
from synthclin.progress import quiet
from synthclin.rules.validation import conform

LINES = Path(__file__).parent / "results" / "small.jsonl"

TARGETS = {
    "heart_disease": "num",
    "actg175": "cens",
    "support2": "death",
    "adult": "income",
    "diabetes130": "readmitted",
    "pbcseq": "status",
    "breast_cancer": "target",
    "diabetes": "target",
}

OF_SKLEARN = {"breast_cancer": datasets.load_breast_cancer, "diabetes": datasets.load_diabetes}

MOST_HOLDOUT = 3_000
LEAST_HOLDOUT = 100
"""Rows outside the training rows without which a size is left out."""

CLASSES = 5
"""Classes of a column, at quantiles of real rows or of its most frequent levels, in the error of associations."""

KEYS = ("table", "rows", "seed", "effort", "tag")
FIGURES = {
    "tstr": "TSTR",
    "tstr_many": "TSTR, 2,000 rows",
    "trtr": "TRTR",
    "c2st": "C2ST AUC, holdout",
    "association_error": "association error",
    "mia": "MIA",
    "white_box": "white box",
    "seconds": "CPU s of fit",
}


def read(folder: Path) -> tuple[pd.DataFrame, sc.Schema]:
    """Return a table with one row per patient, and its schema."""
    if folder.name in OF_SKLEARN:
        return _of_sklearn(folder.name)
    table, schema = tables.read(str(folder))
    entity = json.loads((folder / "meta.json").read_text()).get("entity")
    if entity is None:
        return table, schema
    patient = pd.read_csv(next(folder.glob("data.csv*")), usecols=[entity], dtype=str)[entity]
    return table[~patient.duplicated().to_numpy()].reset_index(drop=True), schema


def _of_sklearn(name: str) -> tuple[pd.DataFrame, sc.Schema]:
    """Return a table of scikit-learn; of diabetes, the progression is above its median or not."""
    table = OF_SKLEARN[name](as_frame=True, **({"scaled": False} if name == "diabetes" else {})).frame
    if name == "diabetes":
        table["target"] = (table["target"] > table["target"].median()).astype(int)
    columns = {
        column: {"type": "category", "categories": sorted(table[column].unique().tolist())}
        if table[column].nunique() == 2
        else {"type": "number", "decimals": 6}
        for column in table
    }
    schema = sc.Schema(columns=columns)
    return conform(table, schema), schema


def forest_auc(parts: dict[str, pd.DataFrame], source: str, target: str) -> float:
    """Return the AUC on holdout rows of a random forest trained on `source`; the mean of one class against the rest."""
    known = {name: part[part[target].notna()] for name, part in parts.items()}
    matrices = measures.numbers([part.drop(columns=target) for part in known.values()])
    x = {name: np.nan_to_num(each, nan=-999) for name, each in zip(known, matrices, strict=True)}
    y = {name: part[target].astype(str).to_numpy() for name, part in known.items()}
    if len(set(y[source])) < 2:
        return 0.5
    forest = RandomForestClassifier(200, min_samples_leaf=2, random_state=0).fit(x[source], y[source])
    chance, truth = forest.predict_proba(x["holdout"]), y["holdout"]
    areas = [
        roc_auc_score(truth == level, chance[:, list(forest.classes_).index(level)])
        if level in forest.classes_
        else 0.5
        for level in sorted(set(truth))
        if 0 < (truth == level).sum() < len(truth)
    ]
    return float(np.mean(areas))


def association_error(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Return the mean absolute difference of Cramér's V over all pairs of columns, synthetic rows against real ones."""
    return float(np.abs(cramers_v(real, real) - cramers_v(real, synthetic)).mean())


def cramers_v(real: pd.DataFrame, part: pd.DataFrame) -> np.ndarray:
    """Return Cramér's V of each pair of columns of a part, with classes of the real rows."""
    flags = [_flags(real[name], part[name]) for name in real.columns]
    v = np.zeros((len(flags), len(flags)))
    for a in range(len(flags)):
        for b in range(a):
            joint = flags[a].T @ flags[b] / len(part)
            apart = np.outer(joint.sum(1), joint.sum(0))
            phi = (joint[apart > 0] ** 2 / apart[apart > 0]).sum() - 1
            v[a, b] = np.sqrt(max(0.0, phi) / max(1, min((apart.sum(1) > 0).sum(), (apart.sum(0) > 0).sum()) - 1))
    return v[np.tril_indices(len(flags), -1)]


def _flags(real: pd.Series, column: pd.Series) -> np.ndarray:
    if pd.api.types.is_numeric_dtype(real) and not isinstance(real.dtype, pd.CategoricalDtype):
        edges = np.unique(real.astype("float64").quantile(np.arange(1, CLASSES) / CLASSES).dropna())
        classes = np.searchsorted(edges, column.astype("float64").to_numpy(na_value=np.nan), side="right")
    else:
        order = real.astype("string").value_counts().index[: CLASSES - 1]
        place = pd.Index(order).get_indexer(column.astype("string"))
        classes = np.where(place < 0, CLASSES - 1, place)
    classes = np.where(column.isna(), CLASSES, classes)
    return np.eye(CLASSES + 1)[classes]


def measure(folder: Path, rows: int, seed: int, effort: str, tag: str, environments: Path | None) -> dict:
    """Return one line; `tag` is the rival where `environments` is given."""
    table, schema = read(folder)
    target = TARGETS[folder.name]
    order = np.random.default_rng(1_000 + seed).permutation(len(table))
    train, holdout = (
        table.iloc[part].reset_index(drop=True) for part in (order[:rows], order[rows : rows + MOST_HOLDOUT])
    )
    columns = list(schema.modelled)
    parts = {"train": train[columns], "holdout": holdout[columns]}
    if environments is None:
        sampled, many, facts = _ours(train, holdout, schema, effort, seed)
    else:
        parts = {name: peer_processes.plain(part) for name, part in parts.items()}
        sampled, many, facts = _theirs(tag, parts["train"], seed, environments)
    return {
        **dict(zip(KEYS, (folder.name, len(train), seed, effort, tag), strict=True)),
        "columns": len(columns),
        "holdout": len(holdout),
        "tstr": _mean(forest_auc({**parts, "synthetic": each}, "synthetic", target) for each in sampled),
        "c2st": _mean(measures.c2st(*measures.numbers([parts["holdout"], each])) for each in sampled),
        # More synthetic rows than training rows: what the model knows, without the noise of a small sample of it.
        "tstr_many": round(forest_auc({**parts, "synthetic": many}, "synthetic", target), 4),
        "trtr": round(forest_auc(parts, "train", target), 4),
        "association_error": round(association_error(parts["holdout"], many), 4),
        "association_error_train": round(association_error(parts["holdout"], parts["train"]), 4),
        "mia": _mean(
            measures.neighbour_attack(*measures.numbers([parts["train"], parts["holdout"], each])) for each in sampled
        ),
        **facts,
    }


def _mean(values: Iterable[float]) -> float:
    return round(float(np.mean(list(values))), 4)


def _ours(
    train: pd.DataFrame, holdout: pd.DataFrame, schema: sc.Schema, effort: str, seed: int
) -> tuple[list[pd.DataFrame], pd.DataFrame, dict]:
    """Return two tables of as many rows as for training, one of 2,000 rows, and likelihoods and seconds."""
    start, wall = time.process_time(), time.perf_counter()
    with quiet():
        model = sc.ConditionalGAN(schema, effort=effort, random_state=seed, device="cpu").fit(train)
    seconds = time.process_time() - start, time.perf_counter() - wall
    columns = list(schema.modelled)
    likelihood = [model.log_likelihood(part) for part in (train, holdout)]
    fewest = min(map(len, likelihood))
    return (
        [model.sample(len(train), random_state=replicate)[columns] for replicate in range(2)],
        model.sample(2_000, random_state=2)[columns],
        {
            "holdout_nll": round(-float(likelihood[1].mean()), 3),
            "white_box": round(measures.white_box(*(each[:fewest] for each in likelihood)), 4),
            "seconds": round(seconds[0], 1),
            "wall_seconds": round(seconds[1], 1),
        },
    )


def _theirs(
    name: str, train: pd.DataFrame, seed: int, environments: Path
) -> tuple[list[pd.DataFrame], pd.DataFrame, dict]:
    """Return the same of a rival, without likelihoods."""
    rows = len(train)
    about = {"environments": environments, "limit": 3_600, "rows": 2 * rows + 2_000}
    sampled, facts = peer_processes.sample(name, train, None, seed, **about)
    cut = [sampled.iloc[start:end].reset_index(drop=True) for start, end in ((0, rows), (rows, 2 * rows))]
    return cut, sampled.iloc[2 * rows :].reset_index(drop=True), {"seconds": facts["fit_seconds"]}


def summary(lines: list[dict]) -> str:
    """Return a Markdown table: medians over seeds, and the worst seed of TSTR - TRTR."""
    heads = ["table", "rows", "effort", "tag", "seeds", *FIGURES.values(), "TSTR - TRTR, worst seed", "of 2,000 rows"]
    out = [" | ".join(heads), "|".join(["---"] * len(heads))]
    groups: dict[tuple, list[dict]] = {}
    for line in lines:
        groups.setdefault(tuple(line[key] for key in ("table", "rows", "effort", "tag")), []).append(line)
    for group, found in sorted(groups.items()):
        values = {name: [line[name] for line in found if name in line] for name in FIGURES}
        medians = [f"{statistics.median(each):.3f}" if each else "" for each in values.values()]
        worst = [
            min((line[name] - line["trtr"] for line in found if name in line), default=None)
            for name in ("tstr", "tstr_many")
        ]
        ends = ["" if each is None else f"{each:+.3f}" for each in worst]
        out.append(" | ".join([*map(str, group), str(len(found)), *medians, *ends]))
    return "\n".join(f"| {line} |" for line in out)


def main() -> None:
    """Measure what is asked for and not measured yet, or print the summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--tables", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--rows", nargs="+", type=int, default=[100, 200, 400, 800])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--effort", nargs="+", default=["standard"])
    parser.add_argument("--tag", default="cross-validated")
    parser.add_argument("--rival", choices=PEERS, help="measure a peer in the place of synthclin")
    parser.add_argument("--environment", type=Path, help="folder of the peers' virtual environments")
    parser.add_argument("--summary", action="store_true")
    options = parser.parse_args()
    lines = [json.loads(line) for line in LINES.read_text().splitlines()] if LINES.exists() else []
    if options.summary or options.folder is None:
        print(summary(lines))
        return
    done = {tuple(line[key] for key in KEYS) for line in lines}
    wanted = [
        (name, rows, seed, effort, options.rival or options.tag)
        for seed in range(options.seeds)
        for rows in options.rows
        for name in options.tables
        for effort in options.effort
    ]
    sizes = {name: len(read(options.folder / name)[0]) - LEAST_HOLDOUT for name in options.tables}
    for key in wanted:
        if key not in done and key[1] <= sizes[key[0]]:
            with LINES.open("a") as file:
                environments = options.environment if options.rival else None
                file.write(json.dumps(measure(options.folder / key[0], *key[1:], environments)) + "\n")


if __name__ == "__main__":
    main()
