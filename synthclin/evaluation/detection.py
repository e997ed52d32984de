"""Can a classifier tell synthetic rows from real rows that the model never saw, and what gives them away."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, hypot, sqrt
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.intervals import partition
from synthclin.evaluation.learners import detector, learnable, separator
from synthclin.evaluation.roc import auc, auc_interval, roc_points
from synthclin.evaluation.score import Definition, Interval, Score, Z

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Features
    from synthclin.evaluation.learners import Classifier

__all__ = ["detection", "logistic_detection"]

Learner = Callable[["Features", "NDArray[np.float64]"], "Classifier"]

MIN_ROWS = 20
_MOST_ROWS = 5_000
_FOLDS = 5
_STEADY = 1_000  # rows of each kind, from which one set is steady enough
_DRAWS = 3
_LEARNT = 8  # standard errors from 0.5, where half of the variance is that of a classifier that knows what to look for

LOGISTIC = Definition(
    "fidelity.logistic_detection",
    "What does the familiar linear detector say?",
    "higher",
    "1 - (2 max(0.5, AUC) - 1) of a logistic regression on single columns, cross-validated as detection by trees; a "
    "familiar figure only (LogisticDetection: sdmetrics.dev)",
)
DETECTION = Definition(
    "fidelity.detection",
    "Can a classifier tell synthetic rows from real ones?",
    "lower",
    "AUC of boosted trees, 5-fold cross-validated with all rows of a patient in one fold, synthetic rows against as "
    "many held-out real rows at schema precision, mean over folds and a random set of rows of each synthetic table, "
    "or 3 sets at least where there are less than 1,000; 0.5 is a coin toss; Newcombe interval, wider near 0.5 "
    "(classifier two-sample test: Lopez-Paz and Oquab, ICLR 2017)",
)


@dataclass(frozen=True, slots=True)
class _Run:
    """One cross-validation: the area, what each row scored, and what each column adds to the area."""

    area: float
    scores: NDArray[np.float64]
    synthetic: NDArray[np.bool_]
    drops: NDArray[np.float64]


def detection(c: Comparison, *, brief: bool = False) -> Score:
    """Score how well synthetic rows pass for held-out real ones.

    Arguments:
        c: the tables.
        brief: leave out the area against training rows and what each column adds, which cost a quarter of the time.
    """
    if len(c.synthetic) < MIN_ROWS or len(c.train) < MIN_ROWS:
        return DETECTION.unassessable(f"A classifier needs {MIN_ROWS} rows of each kind.")
    # As many rows as are held out, so that both areas compare.
    most = _MOST_ROWS if c.holdout is None else max(MIN_ROWS, len(c.holdout))
    by_memory = None if brief else _mean_area(_runs(c, c.train, c.train_patients, [c.synthetic], "train", most=most))
    if c.holdout is None or c.holdout_patients is None or c.holdout_patients.max() + 1 < MIN_ROWS:
        known = "no holdout" if c.holdout is None else "a holdout of too few patients"
        return DETECTION.unassessable(
            f"With {known} there is no fair comparison; it takes {MIN_ROWS} patients that the model never saw.",
            details={"auc_against_train": by_memory},
        )
    holdout, patients = c.holdout, c.holdout_patients
    runs = _runs(c, holdout, patients, c.replicates, "synthetic", draws=_DRAWS, explain=not brief)
    rows = int(runs[0].synthetic.sum())
    value, interval = _averaged(runs, c.replicates, int(patients.max()) + 1)
    order = np.argsort(-runs[0].drops, kind="stable")
    return DETECTION.score(
        value,
        interval,
        n=rows,
        baseline=_mean_area(_runs(c, holdout, patients, [c.shuffled], "shuffled")),
        reference=_mean_area(_runs(c, holdout, patients, [c.train], "real", draws=_DRAWS)),
        notes=[
            "The real-data reference is that of real training rows against the holdout.",
            f"A random {rows} of {len(holdout)} holdout rows were used." if rows < len(holdout) else "",
        ],
        details={
            "auc_against_train": by_memory,
            "columns": [
                {"column": c.features.names[j], "auc_drop": round(float(runs[0].drops[j]), 4)}
                for j in order[: 0 if brief else 10]
            ],
            "roc": roc_points(runs[0].scores, runs[0].synthetic),
        },
        tables=_by_table(runs, len(c.replicates)),
    )


def logistic_detection(c: Comparison) -> Score:
    """Score what the familiar linear detector sees: differences of single columns, nothing between them."""
    if c.holdout is None or c.holdout_patients is None or min(len(c.holdout), len(c.synthetic)) < MIN_ROWS:
        return LOGISTIC.unassessable(f"It takes a holdout and {MIN_ROWS} rows of each kind.")
    real, patients = c.holdout, c.holdout_patients

    def areas(tables: Sequence[NDArray[np.float64]], stream: str) -> list[_Run]:
        return _runs(c, real, patients, tables, stream, draws=_DRAWS, learner=separator)

    runs = areas(c.replicates, "logistic")
    value, interval = _averaged(runs, c.replicates, int(patients.max()) + 1)

    def familiar(area: float) -> float:
        return 2 * (1 - max(0.5, area))

    return LOGISTIC.score(
        familiar(value),
        Interval(familiar(interval.high), familiar(interval.low)),
        n=int(runs[0].synthetic.sum()),
        baseline=familiar(_mean_area(areas([c.shuffled], "logistic shuffled"))),
        reference=familiar(_mean_area(areas([c.train], "logistic real"))),
        notes=[
            "Shuffled columns score well on it, so it says nothing of how columns go together: no verdict rests on it."
        ],
        details={"auc": value},
        tables=[familiar(area) for area in _by_table(runs, len(c.replicates))],
    )


def _runs(
    c: Comparison,
    real: NDArray[np.float64],
    patients: NDArray[np.int64],
    tables: Sequence[NDArray[np.float64]],
    stream: str,
    *,
    draws: int = 1,
    most: int = _MOST_ROWS,
    explain: bool = False,
    learner: Learner = detector,
) -> list[_Run]:
    """Cross-validate `draws` random sets of as many real and other rows, from the tables in turn; explain the first."""
    n = min(len(real), most, _MOST_ROWS, *map(len, tables))
    runs = []
    # Each table counts as often.
    turns = ceil(draws / len(tables)) if n < _STEADY else 1
    for draw in range(turns * len(tables)):
        rng = c.rng("detection", stream, draw)
        chosen = np.sort(rng.choice(len(real), n, replace=False)) if len(real) > n else np.arange(n)
        posing = subsample(tables[draw % len(tables)], n, rng)
        values = np.vstack([real[chosen], posing])
        synthetic = np.arange(len(values)) >= n
        folds = np.concatenate([_folds(patients[chosen], rng), _folds(np.arange(n), rng)])
        runs.append(
            _cross_validate(c.features, values, synthetic, folds, learner, rng if explain and not draw else None)
        )
    return runs


def _cross_validate(
    features: Features,
    values: NDArray[np.float64],
    synthetic: NDArray[np.bool_],
    folds: NDArray[np.int64],
    learner: Learner,
    explain: np.random.Generator | None,
) -> _Run:
    scores = np.zeros(len(values))
    areas, drops = [], []
    for fold in range(_FOLDS):
        held = folds == fold
        model = learner(features, values[~held])
        model.fit(learnable(values[~held]), synthetic[~held])
        scores[held] = model.predict_proba(values[held])[:, 1]
        areas.append(float(auc(scores[held], synthetic[held])[0]))
        if explain is not None:
            drops.append(areas[-1] - _areas_without(model, values[held], synthetic[held], explain))
    drop = np.nanmean(drops, axis=0) if drops else np.zeros(len(features))
    return _Run(_mean(areas), scores, synthetic, drop)


def _folds(patients: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(rows,) the fold of each row; rows of one patient share it."""
    numbers = np.unique(patients, return_inverse=True)[1]
    fold_of = np.empty(int(numbers.max()) + 1, dtype=np.int64)
    for fold, split in enumerate(partition(len(fold_of), _FOLDS, rng)):
        fold_of[split] = fold
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


def _averaged(runs: list[_Run], tables: Sequence[NDArray[np.float64]], patients: int) -> tuple[float, Interval]:
    """Return the mean area and its interval.

    Half the variance of an area is that of the real rows, which all sets share; the other half, that of synthetic rows,
    shrinks with sets that do not share them. Where tables differ by more than that, the excess counts as well.

    Near 0.5 there is nothing to learn but chance, and the chance that a fold is learnt from is what the other folds are
    tried on: each pair of rows counts twice, which doubles the variance. A quarter of it is then that of pairs of real
    rows, a quarter that of pairs of synthetic ones. How fast this fades with the distance from 0.5 is a project
    convention, that simulations bear out.
    """
    value = _mean_area(runs)
    rows = int(runs[0].synthetic.sum())
    # Several rows of one patient tell little more than one.
    low, high = auc_interval(value, rows, min(rows, patients))
    one = ((high - low) / (2 * Z)) ** 2
    blind = 1 / (1 + (value - 0.5) ** 2 / one / _LEARNT**2)
    if len(tables) > 1:
        shared = squared = 1 / len(tables)
    else:
        again, overlap = 1 - 1 / len(runs), rows / len(tables[0])
        shared, squared = 1 - again * (1 - overlap), 1 - again * (1 - overlap**2)
    lines, pairs = (1 + shared) / 2, (1 + squared + 2 * shared) / 4
    between = float(np.var([run.area for run in runs], ddof=1)) if len(tables) > 1 else 0.0
    excess = Z * sqrt(max(0.0, between - one * ((1 - blind) / 2 + blind * 3 / 2)) / len(tables))
    ends = [hypot((end - value) * sqrt((1 - blind) * lines + 2 * blind * pairs), excess) for end in (low, high)]
    return value, Interval(max(0.0, value - ends[0]), min(1.0, value + ends[1]))


def _by_table(runs: list[_Run], tables: int) -> list[float]:
    """Return the mean area of each synthetic table; they took turns."""
    return [_mean_area(runs[table::tables]) for table in range(tables)]


def _mean_area(runs: list[_Run]) -> float:
    return _mean([run.area for run in runs])


def _mean(areas: list[float]) -> float:
    known = [area for area in areas if not np.isnan(area)]
    return sum(known) / len(known) if known else float("nan")
