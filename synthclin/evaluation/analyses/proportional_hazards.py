"""Cox regression: hazard ratios, proportional hazards test, and prediction trained on synthetic rows."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.analyses.analysis_fits import endpoint, fit_notes, why_not_run
from synthclin.evaluation.analyses.hazard_kinds import (
    BOOTSTRAP,
    MOST_ROWS,
    AccuracyDetails,
    ConstancyDetails,
    RatioDetails,
    TermTest,
    brier_kind,
    concordance_kind,
    constancy_kind,
    ratio_kind,
)
from synthclin.evaluation.analyses.survival_estimators import breslow, brier, concordance
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.details import TermValue
from synthclin.evaluation.fidelity.estimate import COX_EFFORT, estimate_fidelity
from synthclin.evaluation.intervals import learners_gap, resamples
from synthclin.evaluation.score import Score, Z
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.analyses.analysis_fits import Endpoint, Study
    from synthclin.evaluation.analyses.model_fits import RegressionFit
    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.kind import Kind
    from synthclin.evaluation.tasks import CoxTask

__all__ = ["hazards", "predictive_accuracy"]

_MIN_EVENTS = 10
_SPLITS = 2
_GRID = 30
_STEEPEST = 50.0


def hazards(c: Comparison, task: CoxTask, found: Study) -> tuple[Score, Score]:
    """Score the differences of the log hazard ratios and of the proportional hazards test statistics."""
    ratios, constancy = ratio_kind(task.event), constancy_kind(task.event)
    if problem := why_not_run(c, found):
        return ratios.unassessable(problem), constancy.unassessable(problem)
    notes = fit_notes(c, found)

    def drift(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return _fit(found, rows).drift

    def log_ratios(real: NDArray[np.float64]) -> Against:
        of_real = found.run(real)[0]
        return lambda other: np.abs(found.run(other)[0] - of_real)

    def drifts(real: NDArray[np.float64]) -> Against:
        of_real = drift(real) / sqrt(len(real))
        return lambda other: np.abs(drift(other) / sqrt(len(other)) - of_real)

    # One random stream, so that both scores use the same fits.
    estimate = estimate_fidelity(c, log_ratios, task.name, most=MOST_ROWS, high=np.inf, **COX_EFFORT)
    parts = zip(found.terms, estimate.parts, estimate.reference_parts, strict=True)
    terms = [TermValue(term=term, value=value, reference=reference) for term, value, reference in parts]
    drift_estimate = estimate_fidelity(c, drifts, task.name, most=MOST_ROWS, high=np.inf, **COX_EFFORT)
    whole = [drift(subsample(rows, MOST_ROWS, c.rng(constancy.name))) for rows in (c.train, c.synthetic)]
    tested = [
        TermTest(term=term, real=real, synthetic=synthetic, verdict_agrees=(abs(real) > Z) == (abs(synthetic) > Z))
        for term, real, synthetic in zip(found.terms, *whole, strict=True)
        if not np.isnan([real, synthetic]).any()
    ]
    agree = [row.verdict_agrees for row in tested]
    tests = ConstancyDetails(terms=tested, verdicts_agree=float(np.mean(agree)) if agree else None)
    problem = " ".join(notes)
    return (
        estimate.score(ratios, notes=notes, details=RatioDetails(terms=terms), problem=problem),
        drift_estimate.score(constancy, notes=notes, details=tests, problem=problem),
    )


def predictive_accuracy(c: Comparison, task: CoxTask, found: Study) -> tuple[Score, Score]:
    """Score a Cox regression trained on synthetic and tested on holdout rows: concordance and integrated Brier score.

    Raises:
        ConfigError: the task names a column that it cannot use.
    """
    first, when = concordance_kind(task.event), brier_kind(task.event)
    end = endpoint(c, task)

    def unknown(note: str) -> tuple[Score, Score]:
        return first.unassessable(note), when.unassessable(note)

    if (problem := _why_not_tested(c, found, end)) or c.holdout is None or c.holdout_patients is None:
        return unknown(problem)
    usable = np.flatnonzero(_usable(found, end, c.holdout))
    places = subsample(usable[:, None].astype(float), MOST_ROWS, c.rng(first.name, "test"))[:, 0].astype(int)
    test = c.holdout[places]
    times, events, x = test[:, end.time], end.event(test) == 1, _matrix(found, test)
    if events.sum() < _MIN_EVENTS:
        return unknown(tr("The holdout has fewer than {events} events with known covariates.", events=_MIN_EVENTS))
    clusters = np.unique(c.holdout_patients[places], return_inverse=True)[1]
    samples = resamples(len(test), BOOTSTRAP, c.rng(first.name, "bootstrap"), clusters)
    weights = np.vstack([np.ones((1, len(test))), samples])
    size = min(MOST_ROWS, len(c.train), *map(len, c.replicates))
    grid = np.linspace(0.0, end.horizon, _GRID + 1)[1:]

    def tested(rows: NDArray[np.float64], stream: str) -> NDArray[np.float64]:
        """(2, samples) concordance and integrated Brier score, trained on at most `size` of the rows."""
        return of(subsample(rows, size, c.rng(first.name, stream)), weights)

    def of(some: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
        slopes = _fit(found, some).slopes
        if slopes is None:
            return np.full((2, len(weights)), np.nan)
        some = some[_usable(found, end, some)]
        base_hazard = breslow(_risk(_matrix(found, some), slopes), some[:, end.time], end.event(some) == 1)
        risk = _risk(x, slopes)
        alive = np.exp(-np.exp(risk)[:, None] * base_hazard(grid)[None, :])
        return np.stack(
            [
                concordance(risk, times, events, weights, end.horizon),
                brier(alive, times, events, weights, grid),
            ]
        )

    real = tested(c.train, "real")
    gaps = np.array([tested(rows, f"synthetic {i}") for i, rows in enumerate(c.replicates)]) - real
    if np.isnan(gaps[:, :, 0]).any():
        return unknown(tr("A Cox regression of {rows} rows cannot be fitted or tested.", rows=f"{size:,}"))
    baseline = (tested(c.shuffled, "shuffled") - real)[:, 0]

    def halves(rows: NDArray[np.float64], stream: str) -> NDArray[np.float64]:
        """(2 figures, splits, 2 halves, samples)."""
        splits = []
        for split in range(_SPLITS):
            rng = c.rng(first.name, stream, split)
            order = rng.permutation(len(rows))[:size]
            splits.append(np.stack([of(rows[order[i::2]], weights) for i in range(2)], axis=1))
        return np.stack(splits, axis=1)

    real_halves = halves(c.train, "halves")
    synthetic_halves = halves(c.synthetic, "drawn halves") if len(gaps) == 1 else np.empty((2, 0))
    first_score, when_score = (
        _minus_real(
            kind,
            gaps[:, k],
            float(real[k, 0]),
            float(baseline[k]),
            len(test),
            size,
            real_halves[k],
            synthetic_halves[k],
        )
        for k, kind in enumerate((first, when))
    )
    return first_score, when_score


def _why_not_tested(c: Comparison, found: Study, end: Endpoint) -> str:
    """Return why regressions cannot be tested on the holdout, as a sentence; empty where they may be."""
    if c.holdout is None:
        return tr("There is no holdout to test on.")
    if problem := why_not_run(c, found):
        return problem
    if np.isnan(end.horizon):
        return tr("Fewer than 10 training patients are followed up.")
    failed = next((fit.problem for fit in (_fit(found, rows) for rows in c.replicates) if fit.problem), "")
    return f"{tr('The analysis cannot be run on the synthetic rows.')} {failed}" if failed else ""


def _risk(x: NDArray[np.float64], slopes: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows,) log hazard ratios, limited so that no hazard overflows."""
    risk: NDArray[np.float64] = (x @ slopes).clip(-_STEEPEST, _STEEPEST)
    return risk


def _fit(found: Study, rows: NDArray[np.float64]) -> RegressionFit:
    assert found.fit is not None
    return found.fit(rows)


def _matrix(found: Study, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    assert found.matrix is not None
    return found.matrix(rows)


def _usable(found: Study, end: Endpoint, rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(rows,) mask of rows with known covariates, time and event."""
    needed = np.column_stack([_matrix(found, rows), rows[:, end.time], end.event(rows)])
    known: NDArray[np.bool_] = np.logical_not(np.isnan(needed).any(axis=1))
    return known


def _minus_real(
    kind: Kind[AccuracyDetails],
    gaps: NDArray[np.float64],
    real: float,
    baseline: float,
    n: int,
    size: int,
    halves: NDArray[np.float64],
    synthetic_halves: NDArray[np.float64],
) -> Score:
    """Score (replicates, samples) differences; the first sample is the holdout itself."""
    value = float(gaps[:, 0].mean())
    return kind.score(
        value,
        learners_gap(gaps, list(halves), list(synthetic_halves), most=1.0),
        n=n,
        baseline=baseline,
        reference=0.0,
        notes=[tr("The real-data reference is 0 by definition: the result of training on real rows is subtracted.")],
        details=AccuracyDetails(real=real, synthetic=real + value, rows=size),
        replicates=gaps[:, 0].tolist(),
    )
