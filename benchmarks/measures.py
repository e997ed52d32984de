"""Measures that share no code with the library's own scores: XGBoost detection and utility, attacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

if TYPE_CHECKING:
    import xgboost

MOST = 10_000


def numbers(tables: list[pd.DataFrame]) -> list[np.ndarray]:
    """Return float matrices of the same columns: numbers as they are, levels numbered and, if few, one-hot."""
    whole = pd.concat(tables, ignore_index=True)
    parts = []
    for name in whole.columns:
        column = whole[name]
        if pd.api.types.is_numeric_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype):
            parts.append(column.astype("float64").to_numpy(na_value=np.nan)[:, None])
            continue
        coded, levels = pd.factorize(column.astype("object").astype("string"), sort=True)
        if len(levels) <= 12:
            parts.append((coded[:, None] == np.arange(len(levels))).astype(float))
        parts.append(np.where(coded < 0, np.nan, coded)[:, None])
    matrix = np.hstack(parts)
    ends = np.cumsum([len(table) for table in tables])
    return np.split(matrix, ends[:-1])


def _trees(seed: int = 0) -> xgboost.XGBClassifier:
    import xgboost  # noqa: PLC0415 (the attacks need no trees)

    return xgboost.XGBClassifier(
        n_estimators=200,
        max_depth=5,
        learning_rate=0.1,
        subsample=0.8,
        colsample_bytree=0.8,
        n_jobs=1,
        random_state=seed,
    )


def c2st(real: np.ndarray, synthetic: np.ndarray, seed: int = 0) -> float:
    """Return the 5-fold AUC of XGBoost, synthetic rows against as many real rows (C2ST)."""
    rng = np.random.default_rng(seed)
    rows = min(len(real), len(synthetic), MOST)
    chosen = [part[rng.permutation(len(part))[:rows]] for part in (real, synthetic)]
    labels = np.repeat([0, 1], rows)
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    chance = cross_val_predict(_trees(), np.vstack(chosen), labels, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, chance))


def utility(tables: dict[str, pd.DataFrame], target: str) -> dict[str, float]:
    """Return AUC on holdout rows of XGBoost trained on synthetic (tstr) and on real rows (trtr)."""
    kept = {name: table[table[target].notna()] for name, table in tables.items()}
    x = dict(zip(kept, numbers([table.drop(columns=target) for table in kept.values()]), strict=True))
    levels = sorted(kept["train"][target].astype(str).unique())
    y = {
        name: table[target].astype(str).map({level: i for i, level in enumerate(levels)})
        for name, table in kept.items()
    }
    out = {}
    for name, source in (("tstr", "synthetic"), ("trtr", "train")):
        seen = y[source].notna().to_numpy()
        rows, labels = x[source][seen], y[source][seen].astype(int).to_numpy()
        if len(np.unique(labels)) < len(levels):
            out[name] = float("nan")
            continue
        chance = _trees().fit(rows, labels).predict_proba(x["holdout"])
        truth = y["holdout"].to_numpy(dtype=float)
        chance, truth = chance[~np.isnan(truth)], truth[~np.isnan(truth)].astype(int)
        # One level against the rest, weighted alike; a level that the holdout lacks says nothing.
        out[name] = float(
            np.mean(
                [
                    roc_auc_score(truth == k, chance[:, k])
                    for k in range(len(levels))
                    if 0 < (truth == k).sum() < len(truth)
                ]
            )
        )
    return out


def neighbour_attack(train: np.ndarray, holdout: np.ndarray, synthetic: np.ndarray, seed: int = 0) -> float:
    """Return the AUC of a membership attack by the distance to the nearest synthetic row (Manhattan, on ranks)."""
    rng = np.random.default_rng(seed)
    member = train[rng.permutation(len(train))[: min(len(holdout), 2_000)]]
    other = holdout[rng.permutation(len(holdout))[: len(member)]]
    synthetic = synthetic[rng.permutation(len(synthetic))[:20_000]]
    placed = []
    for j in range(train.shape[1]):
        known = np.sort(train[~np.isnan(train[:, j]), j])
        placed.append([])
        for part in (member, other, synthetic):
            rank = np.searchsorted(known, part[:, j], side="right") / max(1, len(known))
            placed[-1] += [np.where(np.isnan(part[:, j]), 0.5, rank), np.isnan(part[:, j]).astype(float)]
    member, other, synthetic = _stack(placed)
    tree = cKDTree(synthetic)
    distance = [tree.query(part, p=1)[0] for part in (member, other)]
    return float(roc_auc_score(np.repeat([1, 0], [len(member), len(other)]), -np.concatenate(distance)))


def _stack(placed: list[list[np.ndarray]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return tuple(np.column_stack([column for p in placed for column in p[2 * i : 2 * i + 2]]) for i in range(3))


def unseen_pairs(train: pd.DataFrame, table: pd.DataFrame, levels: int = 30) -> float:
    """Return the share of rows with a pair of levels that `train` never holds together."""
    few = [n for n in train.columns if train[n].astype("string").nunique() <= levels]
    bad = np.zeros(len(table), dtype=bool)
    coded = {}
    for n in few:
        codes = pd.factorize(pd.concat([train[n], table[n]], ignore_index=True).astype("object"))[0]
        coded[n] = (codes[: len(train)], codes[len(train) :])
    for i, a in enumerate(few):
        for b in few[i + 1 :]:
            seen = set(zip(coded[a][0], coded[b][0], strict=True))
            pairs = pd.MultiIndex.from_arrays([coded[a][1], coded[b][1]])
            bad |= ~pairs.isin(list(seen))
    return float(bad.mean())


def white_box(member: np.ndarray, other: np.ndarray) -> float:
    """Return the AUC of a membership attack by the rows' log-likelihoods under the model."""
    return float(roc_auc_score(np.repeat([1, 0], [len(member), len(other)]), np.concatenate([member, other])))
