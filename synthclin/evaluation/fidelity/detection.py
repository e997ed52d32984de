"""Classifier two-sample test (C2ST): the cross-validated AUC of synthetic against holdout rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, hypot, sqrt
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import Field, StrictStr

from synthclin.evaluation import questions
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.details import Details, Finite, Share
from synthclin.evaluation.disclosure import Published, coarse_curve, round_to, rounding_step
from synthclin.evaluation.intervals import partition
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.learners import detector, learnable, separator
from synthclin.evaluation.roc import auc, auc_interval, roc_points
from synthclin.evaluation.score import Interval, Score, Z
from synthclin.evaluation.summaries import Summary
from synthclin.language import tr
from synthclin.wording import share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Feature, Features
    from synthclin.evaluation.learners import Classifier

__all__ = ["DETECTION", "LOGISTIC", "DetectionDetails", "detection", "logistic_detection"]

Learner = Callable[["Features", "NDArray[np.float64]"], "Classifier"]

MIN_ROWS = 20
_MOST_ROWS = 5_000
_FOLDS = 5
_ONE_SAMPLE = 1_000  # rows of each kind, from which one random sample is enough
_REPEATS = 3
_MOST_CELLS = 20_000_000
_SIGNAL = 8  # standard errors from 0.5, where half of the variance is that of a classifier that found a difference


class ColumnImportance(Details):
    """Permutation importance of one column for the classifier."""

    column: StrictStr
    """Name of the column; empty for the times of visits."""
    summary: Summary | None
    """The summary of the column over the visits of a patient; None for the column itself."""
    auc_drop: Annotated[float, Field(ge=-1, le=1)] | None
    """Loss of AUC when the column is permuted."""


class DetectionDetails(Details):
    """Details of the classifier two-sample test."""

    auc_against_train: Finite | None
    """AUC of synthetic against training rows, the memorisation check; None where it was not computed."""
    columns: list[ColumnImportance]
    """The columns by which the classifier separates the rows, most important first."""
    roc: list[tuple[Share, Share]]
    """ROC curve as points (FPR, TPR)."""

    def shared(self, published: Published) -> DetectionDetails:
        """Return rounded importances, and the curve where it rests on 11 holdout patients or more."""
        drops = [
            one.model_copy(update={"auc_drop": round_to(one.auc_drop, 0.01)})
            for one in self.columns
            if one.auc_drop is not None
        ]
        return DetectionDetails(
            auc_against_train=None,
            columns=[one for one in drops if one.auc_drop],
            roc=coarse_curve(self.roc, rounding_step(published.holdout), published.holdout),
        )


class LogisticDetails(Details):
    """Details of the logistic classifier two-sample test."""

    auc: Finite
    """AUC of the classifier."""


LOGISTIC = Kind(
    name="fidelity.logistic_detection",
    question="Can a linear classifier tell synthetic rows from real ones?",
    better="higher",
    method=(
        "1 - (2 max(0.5, AUC) - 1) of a logistic regression on single columns, cross-validated as fidelity.detection;"
        " for comparison with published figures only (LogisticDetection: sdmetrics.dev)"
    ),
    section="fidelity",
    label="Logistic detection",
    unit="SDMetrics score, 1 is best",
    ideal=1.0,
    details=LogisticDetails,
    needs=frozenset({"holdout"}),
)
DETECTION = Kind(
    name="fidelity.detection",
    question="Can a classifier tell synthetic rows from real ones?",
    better="lower",
    method=(
        "classifier two-sample test (C2ST) AUC: boosted trees, 5-fold cross-validated with all rows of a patient in "
        "one fold, synthetic rows against as many holdout rows at schema precision, mean over folds and one random "
        "sample of each synthetic replicate, 3 samples at least below 1,000 rows; where visits are declared, one row "
        "per patient, of static columns, the first visit and summaries of all visits; 0.5 is chance; Newcombe "
        "interval, wider near 0.5 (Lopez-Paz and Oquab, ICLR 2017)"
    ),
    section="fidelity",
    label="Detection AUC (C2ST)",
    unit="synthetic against holdout, 0.5 is chance",
    ideal=0.5,
    details=DetectionDetails,
    asked=questions.DETECTION,
    limit=Limit("<=", 0.75, 0.90, convention("a real and a synthetic row are confused in 1 pair of 4")),
    needs=frozenset({"holdout"}),
    fail_text="a classifier separates synthetic from real rows",
    review_text="a classifier may separate synthetic from real rows",
    action="The joint distribution differs in ways that marginals may not show.",
    answer=lambda score: tr(
        "Of one synthetic and one holdout row, a classifier scores the synthetic one higher in {share}; 50\u00a0% is "
        "chance.",
        share=share(score.value),
    ),
    shared=DetectionDetails.shared,
    is_headline=True,
)


@dataclass(frozen=True, slots=True)
class _Run:
    """One cross-validation: AUC, (rows,) out-of-fold scores, labels, and (columns,) permutation importance."""

    area: float
    scores: NDArray[np.float64]
    synthetic: NDArray[np.bool_]
    drops: NDArray[np.float64]


def detection(c: Comparison, *, brief: bool = False) -> Score:
    """Score the C2ST AUC of synthetic against holdout rows.

    Arguments:
        c: the tables.
        brief: leave out the AUC against training rows and the feature importance, a quarter of the time.
    """
    if len(c.synthetic) < MIN_ROWS or len(c.train) < MIN_ROWS:
        return DETECTION.unassessable(tr("A classifier needs {rows} rows of each kind.", rows=MIN_ROWS))
    # As many rows as in the holdout, so that the two AUCs are comparable.
    most = _MOST_ROWS if c.holdout is None else max(MIN_ROWS, len(c.holdout))
    against_train = (
        None if brief else _mean_area(_runs(c, c.train, c.train_patients, [c.synthetic], "train", most=most))
    )
    if c.holdout is None or c.holdout_patients is None or c.holdout_patients.max() + 1 < MIN_ROWS:
        return DETECTION.unassessable(
            tr("With no holdout there is no fair comparison; it takes {patients} holdout patients.", patients=MIN_ROWS)
            if c.holdout is None
            else tr(
                "With a holdout of too few patients there is no fair comparison; it takes {patients} holdout patients.",
                patients=MIN_ROWS,
            ),
            details=DetectionDetails(auc_against_train=against_train, columns=[], roc=[]),
        )
    holdout, patients = c.holdout, c.holdout_patients
    runs = _runs(c, holdout, patients, c.replicates, "synthetic", repeats=_REPEATS, explain=not brief)
    rows = int(runs[0].synthetic.sum())
    value, interval = _averaged(runs, c.replicates, int(patients.max()) + 1)
    order = np.argsort(-runs[0].drops, kind="stable")
    return DETECTION.score(
        value,
        interval,
        n=rows,
        baseline=_mean_area(_runs(c, holdout, patients, [c.shuffled], "shuffled")),
        reference=_mean_area(_runs(c, holdout, patients, [c.train], "real", repeats=_REPEATS)),
        notes=[
            tr("The real-data reference is the AUC of training rows against the holdout."),
            tr("A random {used} of {rows} holdout rows were used.", used=rows, rows=len(holdout))
            if rows < len(holdout)
            else "",
        ],
        details=DetectionDetails(
            auc_against_train=against_train,
            columns=[_importance(c.features.columns[j], float(runs[0].drops[j])) for j in order[: 0 if brief else 10]],
            roc=roc_points(runs[0].scores, runs[0].synthetic),
        ),
        replicates=_by_table(runs, len(c.replicates)),
    )


def _importance(feature: Feature, drop: float) -> ColumnImportance:
    column = feature.name if feature.summary is None else feature.summarised
    return ColumnImportance(column=column, summary=feature.summary, auc_drop=round(drop, 4))


def logistic_detection(c: Comparison) -> Score:
    """Score the logistic C2ST of SDMetrics, which sees differences of single columns and none between columns."""
    if c.holdout is None or c.holdout_patients is None or min(len(c.holdout), len(c.synthetic)) < MIN_ROWS:
        return LOGISTIC.unassessable(tr("It takes a holdout and {rows} rows of each kind.", rows=MIN_ROWS))
    real, patients = c.holdout, c.holdout_patients

    def areas(tables: Sequence[NDArray[np.float64]], stream: str) -> list[_Run]:
        return _runs(c, real, patients, tables, stream, repeats=_REPEATS, learner=separator)

    runs = areas(c.replicates, "logistic")
    value, interval = _averaged(runs, c.replicates, int(patients.max()) + 1)

    def detection_score(area: float) -> float:
        return 2 * (1 - max(0.5, area))

    return LOGISTIC.score(
        detection_score(value),
        Interval(detection_score(interval.high), detection_score(interval.low)),
        n=int(runs[0].synthetic.sum()),
        baseline=detection_score(_mean_area(areas([c.shuffled], "logistic shuffled"))),
        reference=detection_score(_mean_area(areas([c.train], "logistic real"))),
        notes=[tr("Shuffled columns score well on it, so it does not measure dependence, and no gate uses it.")],
        details=LogisticDetails(auc=value),
        replicates=[detection_score(area) for area in _by_table(runs, len(c.replicates))],
    )


def _runs(
    c: Comparison,
    real: NDArray[np.float64],
    patients: NDArray[np.int64],
    tables: Sequence[NDArray[np.float64]],
    stream: str,
    *,
    repeats: int = 1,
    most: int = _MOST_ROWS,
    explain: bool = False,
    learner: Learner = detector,
) -> list[_Run]:
    """Cross-validate `repeats` samples of equally many real and other rows, replicates in turn; explain the first."""
    n = min(len(real), most, _MOST_ROWS, *map(len, tables))
    runs = []
    # Each replicate is used equally often.
    turns = ceil(repeats / len(tables)) if n < _ONE_SAMPLE else 1
    for repeat in range(turns * len(tables)):
        rng = c.rng("detection", stream, repeat)
        chosen = np.sort(rng.choice(len(real), n, replace=False)) if len(real) > n else np.arange(n)
        other = subsample(tables[repeat % len(tables)], n, rng)
        values = np.vstack([real[chosen], other])
        synthetic = np.arange(len(values)) >= n
        folds = np.concatenate([_folds(patients[chosen], rng), _folds(np.arange(n), rng)])
        runs.append(
            _cross_validate(c.features, values, synthetic, folds, learner, rng if explain and not repeat else None)
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
        test = folds == fold
        model = learner(features, values[~test])
        model.fit(learnable(values[~test]), synthetic[~test])
        scores[test] = model.predict_proba(values[test])[:, 1]
        areas.append(float(auc(scores[test], synthetic[test])[0]))
        if explain is not None:
            drops.append(areas[-1] - _permuted_areas(model, values[test], synthetic[test], explain))
    drop = np.nanmean(drops, axis=0) if drops else np.zeros(len(features))
    return _Run(_mean(areas), scores, synthetic, drop)


def _folds(patients: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """(rows,) the fold of each row; all rows of a patient are in one fold."""
    numbers = np.unique(patients, return_inverse=True)[1]
    fold_of = np.empty(int(numbers.max()) + 1, dtype=np.int64)
    for fold, split in enumerate(partition(len(fold_of), _FOLDS, rng)):
        fold_of[split] = fold
    return fold_of[numbers]


def _permuted_areas(
    model: Classifier, values: NDArray[np.float64], synthetic: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.float64]:
    """(columns,) the AUC after each column in turn is permuted among the test rows (permutation importance)."""
    rows, columns = values.shape
    at_once = max(1, _MOST_CELLS // max(values.size, 1))
    areas: list[float] = []
    for start in range(0, columns, at_once):
        shuffled = range(start, min(start + at_once, columns))
        copies = np.repeat(values[None], len(shuffled), axis=0)
        for copy, j in zip(copies, shuffled, strict=True):
            copy[:, j] = values[rng.permutation(rows), j]
        scores = model.predict_proba(copies.reshape(-1, columns))[:, 1].reshape(len(shuffled), rows)
        areas += [float(auc(row, synthetic)[0]) for row in scores]
    return np.array(areas)


def _averaged(runs: list[_Run], tables: Sequence[NDArray[np.float64]], patients: int) -> tuple[float, Interval]:
    """Return the mean AUC over repeats and its 95 % interval.

    Half of the variance of an AUC is due to the real rows, which all repeats share. The other half is due to the
    synthetic rows and shrinks over repeats with different rows. Variance between replicates beyond that is added.

    Near 0.5 the classifier fits noise, and the noise of a training fold is that of the other folds' test rows: each
    pair of rows counts twice, which doubles the variance. A quarter of it is then due to pairs of real rows and a
    quarter to pairs of synthetic rows. How fast this fades with the distance from 0.5 is a project convention that
    simulations support.
    """
    value = _mean_area(runs)
    rows = int(runs[0].synthetic.sum())
    # The effective number of real rows is at most the number of patients.
    low, high = auc_interval(value, rows, min(rows, patients))
    one = ((high - low) / (2 * Z)) ** 2
    blind = 1 / (1 + (value - 0.5) ** 2 / one / _SIGNAL**2)
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
    """Return the mean AUC of each synthetic replicate."""
    return [_mean_area(runs[table::tables]) for table in range(tables)]


def _mean_area(runs: list[_Run]) -> float:
    return _mean([run.area for run in runs])


def _mean(areas: list[float]) -> float:
    known = [area for area in areas if not np.isnan(area)]
    return sum(known) / len(known) if known else float("nan")
