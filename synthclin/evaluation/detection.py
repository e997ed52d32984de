"""Can a classifier tell synthetic rows from real rows that the model never saw, and what gives them away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.intervals import deal
from synthclin.evaluation.learners import detector, learnable
from synthclin.evaluation.roc import auc, auc_interval, roc_points
from synthclin.evaluation.score import Definition, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Features
    from synthclin.evaluation.learners import Classifier

__all__ = ["detection"]

MIN_ROWS = 20
_MOST_ROWS = 5_000
_FOLDS = 5
_DRAWS = 3

DETECTION = Definition(
    "fidelity.detection",
    "Can a classifier tell synthetic rows from real ones?",
    "lower",
    "AUC of boosted trees, 5-fold cross-validated with all rows of a patient in one fold, synthetic rows against as "
    "many held-out real rows at schema precision, mean over folds and 3 random sets of synthetic rows; 0.5 is a coin "
    "toss; Newcombe interval of one set (classifier two-sample test: Lopez-Paz and Oquab, ICLR 2017)",
)


@dataclass(frozen=True, slots=True)
class _Run:
    """One cross-validation: the area, what each row scored, and what each column adds to the area."""

    area: float
    scores: NDArray[np.float64]
    synthetic: NDArray[np.bool_]
    drops: NDArray[np.float64]


def detection(c: Comparison) -> Score:
    """Score how well synthetic rows pass for held-out real ones."""
    if len(c.synthetic) < MIN_ROWS or len(c.train) < MIN_ROWS:
        return DETECTION.unassessable(f"A classifier needs {MIN_ROWS} rows of each kind.")
    by_memory = _mean_area(_runs(c, c.train, c.train_patients, c.synthetic, 1, "train"))
    if c.holdout is None or c.holdout_patients is None or c.holdout_patients.max() + 1 < MIN_ROWS:
        known = "no holdout" if c.holdout is None else "a holdout of too few patients"
        return DETECTION.unassessable(
            f"With {known} there is no fair comparison; it takes {MIN_ROWS} patients that the model never saw.",
            details={"auc_against_train": by_memory},
        )
    holdout, patients = c.holdout, c.holdout_patients
    runs = _runs(c, holdout, patients, c.synthetic, _DRAWS, "synthetic", explain=True)
    value, rows = _mean_area(runs), int(runs[0].synthetic.sum())
    order = np.argsort(-runs[0].drops, kind="stable")
    return DETECTION.score(
        value,
        # Several rows of one patient tell little more than one.
        auc_interval(value, rows, min(rows, int(patients.max()) + 1)),
        n=rows,
        floor=_mean_area(_runs(c, holdout, patients, c.shuffled, 1, "shuffled")),
        ceiling=_mean_area(_runs(c, holdout, patients, c.train, _DRAWS, "real")),
        notes=[
            "The ceiling is that of real training rows against the holdout.",
            f"A random {rows} of {len(holdout)} holdout rows were used." if rows < len(holdout) else "",
        ],
        details={
            "auc_against_train": by_memory,
            "draws": [run.area for run in runs],
            "columns": [
                {"column": c.features.names[j], "auc_drop": round(float(runs[0].drops[j]), 4)} for j in order[:10]
            ],
            "roc": roc_points(runs[0].scores, runs[0].synthetic),
        },
    )


def _runs(
    c: Comparison,
    real: NDArray[np.float64],
    patients: NDArray[np.int64],
    other: NDArray[np.float64],
    draws: int,
    stream: str,
    *,
    explain: bool = False,
) -> list[_Run]:
    """Cross-validate `draws` random sets of equally many real and other rows; only the first is explained."""
    n = min(len(real), len(other), _MOST_ROWS)
    runs = []
    for draw in range(draws):
        rng = c.rng("detection", stream, draw)
        chosen = np.sort(rng.choice(len(real), n, replace=False)) if len(real) > n else np.arange(n)
        posing = subsample(other, n, rng)
        runs.append(_cross_validate(c.features, real[chosen], patients[chosen], posing, rng, explain and draw == 0))
    return runs


def _cross_validate(
    features: Features,
    real: NDArray[np.float64],
    patients: NDArray[np.int64],
    other: NDArray[np.float64],
    rng: np.random.Generator,
    explain: bool,
) -> _Run:
    values = np.vstack([real, other])
    synthetic = np.arange(len(values)) >= len(real)
    folds = np.concatenate([_folds(patients, rng), _folds(np.arange(len(other)), rng)])
    scores = np.zeros(len(values))
    areas, drops = [], []
    for fold in range(_FOLDS):
        held = folds == fold
        model = detector(features, len(values))
        model.fit(learnable(values[~held]), synthetic[~held])
        scores[held] = model.predict_proba(values[held])[:, 1]
        areas.append(float(auc(scores[held], synthetic[held])[0]))
        if explain:
            drops.append(areas[-1] - _areas_without(model, values[held], synthetic[held], rng))
    drop = np.nanmean(drops, axis=0) if explain else np.zeros(len(features))
    return _Run(_mean(areas), scores, synthetic, drop)


def _folds(patients: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(rows,) the fold of each row; rows of one patient share it."""
    numbers = np.unique(patients, return_inverse=True)[1]
    fold_of = np.empty(int(numbers.max()) + 1, dtype=np.int64)
    for fold, hand in enumerate(deal(len(fold_of), _FOLDS, rng)):
        fold_of[hand] = fold
    return fold_of[numbers]


def _areas_without(
    model: Classifier, values: NDArray[np.float64], synthetic: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """(columns,) the area once a column is shuffled among the held-out rows, for each column in turn."""
    rows, columns = values.shape
    copies = np.repeat(values[None], columns, axis=0)
    for j in range(columns):
        copies[j, :, j] = values[rng.permutation(rows), j]
    scores = model.predict_proba(copies.reshape(-1, columns))[:, 1].reshape(columns, rows)
    return np.array([auc(row, synthetic)[0] for row in scores])


def _mean_area(runs: list[_Run]) -> float:
    return _mean([run.area for run in runs])


def _mean(areas: list[float]) -> float:
    known = [area for area in areas if not np.isnan(area)]
    return sum(known) / len(known) if known else float("nan")
