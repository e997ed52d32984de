"""Do synthetic patients live as long, are they followed as long, and is the risk of each cause the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.analyses import endpoint
from synthclin.evaluation.curves import gap, incidence, survival
from synthclin.evaluation.samples import likeness
from synthclin.evaluation.score import Definition, Score, Z
from synthclin.evaluation.score_names import SURVIVAL_MEASURES, survival_names
from synthclin.evaluation.survival import rmst
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.analyses import Endpoint
    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.spread import Against, Measure
    from synthclin.evaluation.tasks import SurvivalTask

__all__ = ["definitions", "followed", "measured"]

_AGAINST = "against as many training rows, mean of 10 random halves of the real rows"
_PAPER = "after SurvivalGAN: Norcliffe et al., AISTATS 2023"
_LATE = 0.95
_HORIZON = "the horizon of the task, or else the last time at which 10 training patients of each group are at risk"


def followed(c: Comparison, task: SurvivalTask) -> tuple[Score, ...]:
    """Score the times to an event: survival of each group, follow-up, censoring, and competing causes.

    Raises:
        ConfigError: the schema or the task does not say what the event, its time or the groups are.
    """
    return tuple(measured(c, task, measure) for measure in SURVIVAL_MEASURES)


def measured(c: Comparison, task: SurvivalTask, measure: str) -> Score:
    """Score one of `SURVIVAL_MEASURES`.

    Raises:
        ConfigError: the schema or the task does not say what the event, its time or the groups are.
    """
    found, definition = endpoint(c, task), definitions(task)[measure]
    if np.isnan(found.horizon) or found.horizon <= 0:
        return definition.unassessable("Fewer than 10 training patients are followed up.")
    if measure == "incidence":
        return _incidence(c, task, found, definition)
    return _COMPUTED[measure](c, found, definition)


def definitions(task: SurvivalTask) -> dict[str, Definition]:
    """Return what each of `SURVIVAL_MEASURES` is."""
    event = task.event
    asked = (
        (
            f"Do synthetic patients reach '{event}' as real ones do?",
            (
                "mean over groups of the area between the Kaplan-Meier curves up to a time, over that time "
                f"({_HORIZON}), {_AGAINST} ({_PAPER})"
            ),
        ),
        (
            f"Are synthetic patients too healthy, or too ill, to reach '{event}'?",
            (
                "how far the Kaplan-Meier curve of all patients lies above the real one on average, up to the time of "
                f"survival.curve; the sign stands among the details; {_AGAINST} ({_PAPER})"
            ),
        ),
        (
            f"Does the follow-up for '{event}' end too early?",
            (
                "1 - the time that 5 % of patients are followed up longer than, over that of real ones, instead of "
                f"the very last time, which is one patient's; below 0 it is later; {_AGAINST} ({_PAPER})"
            ),
        ),
        (
            f"How far off is the mean time to '{event}' in each group?",
            (
                "mean over groups of the absolute difference of the restricted mean survival times, in units of time, "
                f"up to the time of survival.curve, {_AGAINST} (Royston and Parmar, BMC Med Res Methodol 13:152, 2013)"
            ),
        ),
        (
            f"Are patients without '{event}' followed up as long?",
            (
                "area between the Kaplan-Meier curves of censoring up to the time of survival.curve, over that time, "
                f"{_AGAINST} (reverse Kaplan-Meier: Schemper and Smith, Control Clin Trials 17:343-346, 1996)"
            ),
        ),
        (
            f"Is each cause in '{event}' as frequent over time?",
            (
                "mean over causes that 11 training patients have of the area between the Aalen-Johansen curves up to "
                f"the time of survival.curve, over that time, {_AGAINST} (Aalen and Johansen, Scand J Stat 5:141-150, "
                "1978)"
            ),
        ),
    )
    return {
        measure: Definition(name, question, "lower", how)
        for measure, name, (question, how) in zip(SURVIVAL_MEASURES, survival_names(event), asked, strict=True)
    }


def _per_part(curves: Callable[[NDArray[np.float64]], Sequence[Any]], far: Callable[[Any, Any], float]) -> Measure:
    """Return the measure that holds each part of the rows against the same part of the real ones."""

    def measure(real: NDArray[np.float64]) -> Against:
        of_real = curves(real)
        return lambda other: np.array([far(a, b) for a, b in zip(of_real, curves(other), strict=True)])

    return measure


def _curve(c: Comparison, found: Endpoint, definition: Definition) -> Score:
    def curves(rows: NDArray[np.float64]) -> list[Any]:
        return [survival(*part) if len(part[0]) else None for part in found.split(rows)]

    def far(a: Any, b: Any) -> float:  # noqa: ANN401
        # A group that is gone is as far off as can be.
        return np.nan if a is None else 1.0 if b is None else gap(a, b, found.horizon)

    alike = likeness(c, _per_part(curves, far), definition.name)
    parts = zip(found.labels, alike.parts, alike.fresh, strict=True)
    groups = [{"group": label, "value": value, "reference": fresh} for label, value, fresh in parts]
    return alike.score(definition, details={"horizon": found.horizon, "groups": groups})


def _pooled(found: Endpoint, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    known = found.known(rows)
    return known[:, found.time], found.event(known) == 1


def _optimism(c: Comparison, found: Endpoint, definition: Definition) -> Score:
    def above(a: Any, b: Any) -> float:  # noqa: ANN401
        return abs(gap(a, b, found.horizon, signed=True))

    alike = likeness(c, _per_part(lambda rows: [survival(*_pooled(found, rows))], above), definition.name)
    real = survival(*_pooled(found, c.train))
    signed = [gap(real, survival(*_pooled(found, rows)), found.horizon, signed=True) for rows in c.replicates]
    return alike.score(definition, details={"optimism": np.mean(signed)})


def _premature_end(c: Comparison, found: Endpoint, definition: Definition) -> Score:
    def lasts(rows: NDArray[np.float64]) -> list[float]:
        times = _pooled(found, rows)[0]
        return [float(np.quantile(times, _LATE)) if len(times) else np.nan]

    measure = _per_part(lasts, lambda a, b: 1 - b / a if a > 0 else np.nan)
    return likeness(c, measure, definition.name, low=-np.inf, high=1.0).score(definition)


def _rmsts(c: Comparison, found: Endpoint, definition: Definition) -> Score:
    def means(rows: NDArray[np.float64]) -> list[float]:
        return [rmst(part, found.horizon)[0] for part in found.split(rows)]

    alike = likeness(c, _per_part(means, lambda a, b: abs(b - a)), definition.name, high=found.horizon)
    real = [rmst(part, found.horizon) for part in found.split(c.train)]
    drawn = np.array([[rmst(part, found.horizon) for part in found.split(rows)] for rows in c.replicates])
    groups = []
    for label, (mean, error), tables in zip(found.labels, real, np.moveaxis(drawn, 1, 0), strict=True):
        # Of several tables each has its own chance; the training rows are the same for all.
        difference, spread = tables[:, 0].mean() - mean, np.hypot(error, np.sqrt((tables[:, 1] ** 2).mean()))
        ends = {"low": difference - Z * spread, "high": difference + Z * spread}
        groups.append({"group": label, "real": mean, "synthetic": mean + difference, "difference": difference} | ends)
    return alike.score(definition, details={"horizon": found.horizon, "groups": groups})


def _censoring(c: Comparison, found: Endpoint, definition: Definition) -> Score:
    def curves(rows: NDArray[np.float64]) -> list[Any]:
        times, events = _pooled(found, rows)
        return [survival(times, ~events)]

    alike = likeness(c, _per_part(curves, lambda a, b: gap(a, b, found.horizon)), definition.name)
    shares = [float(_pooled(found, rows)[1].mean()) for rows in (c.train, c.synthetic)]
    return alike.score(definition, details={"events_real": shares[0], "events_synthetic": shares[1]})


def _incidence(c: Comparison, task: SurvivalTask, found: Endpoint, definition: Definition) -> Score:
    place = c.features.names.index(task.event)
    levels = c.features.columns[place].levels
    censored = c.schema.columns[task.event].censored_level
    if censored is None or len(levels) < 3:
        return definition.unassessable("There is one cause only, which survival.curve shows.")
    nothing = float(levels.index(censored))
    held = c.train[:, place]
    causes = [k for k in range(len(levels)) if k != nothing and (held == k).sum() >= MIN_PATIENTS]
    if not causes:
        return definition.unassessable("No cause is held by 11 training rows.")

    def curves(rows: NDArray[np.float64]) -> list[Any]:
        known = found.known(rows)
        happened = np.where(known[:, place] == nothing, np.nan, known[:, place])
        return [incidence(known[:, found.time], happened, float(cause)) for cause in causes]

    alike = likeness(c, _per_part(curves, lambda a, b: gap(a, b, found.horizon)), definition.name)
    parts = zip(causes, alike.parts, alike.fresh, strict=True)
    told = [{"cause": str(levels[k]), "value": value, "reference": fresh} for k, value, fresh in parts]
    return alike.score(definition, details={"causes": told})


_COMPUTED: dict[str, Callable[[Comparison, Endpoint, Definition], Score]] = {
    "curve": _curve,
    "optimism": _optimism,
    "short_sight": _premature_end,
    "restricted_mean": _rmsts,
    "censoring": _censoring,
}
