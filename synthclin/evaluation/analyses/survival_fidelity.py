"""Fidelity of time-to-event data: survival curves, RMST, censoring, competing causes, and the SurvivalGAN measures."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.analyses.analysis_fits import endpoint
from synthclin.evaluation.analyses.restricted_mean import rmst
from synthclin.evaluation.analyses.survival_estimators import gap, incidence, survival
from synthclin.evaluation.analyses.survival_kinds import (
    SURVIVAL_KINDS,
    CensoringDetails,
    CurveDetails,
    IncidenceDetails,
    OptimismDetails,
    RmstDetails,
)
from synthclin.evaluation.fidelity.estimate import estimate_fidelity
from synthclin.evaluation.score import Score, Z
from synthclin.evaluation.score_names import SURVIVAL_MEASURES
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.analyses.analysis_fits import Endpoint
    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against, Measure
    from synthclin.evaluation.kind import Kind
    from synthclin.evaluation.tasks import SurvivalTask

__all__ = ["followed", "measured"]

_LATE = 0.95


def followed(c: Comparison, task: SurvivalTask) -> tuple[Score, ...]:
    """Score every one of `SURVIVAL_MEASURES`.

    Raises:
        ConfigError: the schema and the task do not define the event, its time or the groups.
    """
    return tuple(measured(c, task, measure) for measure in SURVIVAL_MEASURES)


def measured(c: Comparison, task: SurvivalTask, measure: str) -> Score:
    """Score one of `SURVIVAL_MEASURES`.

    Raises:
        ConfigError: the schema and the task do not define the event, its time or the groups.
    """
    found, kind = endpoint(c, task), SURVIVAL_KINDS[measure](task.event)
    if np.isnan(found.horizon) or found.horizon <= 0:
        return kind.unassessable(tr("Fewer than 10 training patients are followed up."))
    if measure == "incidence":
        return _incidence(c, task, found, kind)
    return _COMPUTED[measure](c, found, kind)


def _per_part(curves: Callable[[NDArray[np.float64]], Sequence[Any]], far: Callable[[Any, Any], float]) -> Measure:
    """Return the measure that compares each part of other rows with the same part of the real rows."""

    def measure(real: NDArray[np.float64]) -> Against:
        of_real = curves(real)
        return lambda other: np.array([far(a, b) for a, b in zip(of_real, curves(other), strict=True)])

    return measure


def _curve(c: Comparison, found: Endpoint, kind: Kind[Any]) -> Score:
    def curves(rows: NDArray[np.float64]) -> list[Any]:
        return [survival(*part) if len(part[0]) else None for part in found.split(rows)]

    def far(a: Any, b: Any) -> float:  # noqa: ANN401
        # An absent group has the largest possible distance.
        return np.nan if a is None else 1.0 if b is None else gap(a, b, found.horizon)

    estimate = estimate_fidelity(c, _per_part(curves, far), kind.name)
    parts = zip(found.labels, estimate.parts, estimate.reference_parts, strict=True)
    groups = [{"group": label, "value": value, "reference": reference} for label, value, reference in parts]
    return estimate.score(kind, details=CurveDetails(horizon=found.horizon, groups=groups))


def _pooled(found: Endpoint, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    known = found.known(rows)
    return known[:, found.time], found.event(known) == 1


def _optimism(c: Comparison, found: Endpoint, kind: Kind[Any]) -> Score:
    def above(a: Any, b: Any) -> float:  # noqa: ANN401
        return abs(gap(a, b, found.horizon, signed=True))

    estimate = estimate_fidelity(c, _per_part(lambda rows: [survival(*_pooled(found, rows))], above), kind.name)
    real = survival(*_pooled(found, c.train))
    signed = [gap(real, survival(*_pooled(found, rows)), found.horizon, signed=True) for rows in c.replicates]
    return estimate.score(kind, details=OptimismDetails(optimism=float(np.mean(signed))))


def _premature_end(c: Comparison, found: Endpoint, kind: Kind[Any]) -> Score:
    def lasts(rows: NDArray[np.float64]) -> list[float]:
        times = _pooled(found, rows)[0]
        return [float(np.quantile(times, _LATE)) if len(times) else np.nan]

    measure = _per_part(lasts, lambda a, b: 1 - b / a if a > 0 else np.nan)
    return estimate_fidelity(c, measure, kind.name, low=-np.inf, high=1.0).score(kind)


def _rmsts(c: Comparison, found: Endpoint, kind: Kind[Any]) -> Score:
    def means(rows: NDArray[np.float64]) -> list[float]:
        return [rmst(part, found.horizon)[0] for part in found.split(rows)]

    estimate = estimate_fidelity(c, _per_part(means, lambda a, b: abs(b - a)), kind.name, high=found.horizon)
    real = [rmst(part, found.horizon) for part in found.split(c.train)]
    synthetic = np.array([[rmst(part, found.horizon) for part in found.split(rows)] for rows in c.replicates])
    groups = []
    for label, (mean, error), tables in zip(found.labels, real, np.moveaxis(synthetic, 1, 0), strict=True):
        # The standard error is of one replicate; replicates do not reduce that of the training rows.
        difference, spread = tables[:, 0].mean() - mean, np.hypot(error, np.sqrt((tables[:, 1] ** 2).mean()))
        ends = {"low": difference - Z * spread, "high": difference + Z * spread}
        groups.append({"group": label, "real": mean, "synthetic": mean + difference, "difference": difference} | ends)
    return estimate.score(kind, details=RmstDetails(horizon=found.horizon, groups=groups))


def _censoring(c: Comparison, found: Endpoint, kind: Kind[Any]) -> Score:
    def curves(rows: NDArray[np.float64]) -> list[Any]:
        times, events = _pooled(found, rows)
        return [survival(times, ~events)]

    estimate = estimate_fidelity(c, _per_part(curves, lambda a, b: gap(a, b, found.horizon)), kind.name)
    events = [_pooled(found, rows)[1] for rows in (c.train, c.synthetic)]
    shares = [float(happened.mean()) if len(happened) else np.nan for happened in events]
    return estimate.score(kind, details=CensoringDetails(events_real=shares[0], events_synthetic=shares[1]))


def _incidence(c: Comparison, task: SurvivalTask, found: Endpoint, kind: Kind[Any]) -> Score:
    place = c.features.names.index(task.event)
    levels = c.features.columns[place].levels
    censored = c.schema.columns[task.event].censored_level
    if censored is None or len(levels) < 3:
        return kind.unassessable(tr("There is one cause only, which survival.curve shows."))
    nothing = float(levels.index(censored))
    real = c.train[:, place]
    causes = [k for k in range(len(levels)) if k != nothing and (real == k).sum() >= MIN_PATIENTS]
    if not causes:
        return kind.unassessable(tr("No cause has 11 training rows."))

    def curves(rows: NDArray[np.float64]) -> list[Any]:
        known = found.known(rows)
        happened = np.where(known[:, place] == nothing, np.nan, known[:, place])
        return [incidence(known[:, found.time], happened, float(cause)) for cause in causes]

    estimate = estimate_fidelity(c, _per_part(curves, lambda a, b: gap(a, b, found.horizon)), kind.name)
    parts = zip(causes, estimate.parts, estimate.reference_parts, strict=True)
    by_cause = [{"cause": str(levels[k]), "value": value, "reference": reference} for k, value, reference in parts]
    return estimate.score(kind, details=IncidenceDetails(causes=by_cause))


_COMPUTED: dict[str, Callable[[Comparison, Endpoint, Kind[Any]], Score]] = {
    "curve": _curve,
    "optimism": _optimism,
    "premature_end": _premature_end,
    "rmst": _rmsts,
    "censoring": _censoring,
}
