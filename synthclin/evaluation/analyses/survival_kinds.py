"""The kinds of score of a time to an event: survival, restricted mean, censoring, competing causes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import StrictStr

from synthclin.evaluation.details import Details, Finite, NoDetails
from synthclin.evaluation.fidelity.estimate import AGAINST
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score_names import survival_name
from synthclin.language import tr

__all__ = [
    "SURVIVAL_KINDS",
    "CauseValue",
    "CensoringDetails",
    "CurveDetails",
    "GroupMean",
    "GroupValue",
    "IncidenceDetails",
    "OptimismDetails",
    "RmstDetails",
]

_PAPER = "after SurvivalGAN: Norcliffe et al., AISTATS 2023"
_HORIZON = "the horizon of the task, or else the last time at which 10 training patients of each group are at risk"


class GroupValue(Details):
    """Distance of the survival curve of one group."""

    group: StrictStr
    """Name of the group."""
    value: Finite | None
    """The distance of synthetic rows."""
    reference: Finite | None
    """The distance of holdout rows."""


class CurveDetails(Details):
    """Details of the distance of survival curves."""

    horizon: Finite
    """Last time of the curves."""
    groups: list[GroupValue]
    """The groups."""


class OptimismDetails(Details):
    """Details of the survival optimism."""

    optimism: Finite | None
    """Mean height of the synthetic curve above the real one; above 0, synthetic patients live longer."""


class GroupMean(Details):
    """Restricted mean survival time of one group."""

    group: StrictStr
    """Name of the group."""
    real: Finite | None
    """RMST of the training rows."""
    synthetic: Finite | None
    """RMST of the synthetic rows."""
    difference: Finite | None
    """Synthetic minus real."""
    low: Finite | None
    """Lower end of the 95 % interval of the difference."""
    high: Finite | None
    """Upper end of it."""


class RmstDetails(Details):
    """Details of the restricted mean survival times."""

    horizon: Finite
    """Last time of the means."""
    groups: list[GroupMean]
    """The groups."""


class CensoringDetails(Details):
    """Details of the censoring."""

    events_real: Finite | None
    """Share of training patients with the event."""
    events_synthetic: Finite | None
    """Share of synthetic patients with the event."""


class CauseValue(Details):
    """Distance of the cumulative incidence of one cause."""

    cause: StrictStr
    """Name of the cause."""
    value: Finite | None
    """The distance of synthetic rows."""
    reference: Finite | None
    """The distance of holdout rows."""


class IncidenceDetails(Details):
    """Details of the cumulative incidence of competing causes."""

    causes: list[CauseValue]
    """The causes that 11 training patients have."""


def _kind(measure: str, event: str, question: str, method: str, label: str, unit: str, details: type[Any]) -> Kind[Any]:
    return Kind(
        name=survival_name(measure, event),
        question=question,
        better="lower",
        method=method,
        section="utility",
        label=label,
        unit=unit,
        ideal=0.0,
        details=details,
        needs=frozenset({"task"}),
    )


def _curve(event: str) -> Kind[CurveDetails]:
    return _kind(
        "curve",
        event,
        tr("Do synthetic patients reach '{column}' as real ones do?", column=column_name(event, 200)),
        f"mean over groups of the area between the Kaplan-Meier curves up to a time, over that time ({_HORIZON}), "
        f"{AGAINST} ({_PAPER})",
        tr("Survival to {column}", column=column_name(event, 30)),
        "area between the curves",
        CurveDetails,
    )


def _optimism(event: str) -> Kind[OptimismDetails]:
    return _kind(
        "optimism",
        event,
        tr("Do synthetic patients reach '{column}' later, or earlier, than real ones?", column=column_name(event, 200)),
        "survival optimism: absolute mean height of the Kaplan-Meier curve of all patients above the real one, up to "
        f"the time of survival.curve; the sign is among the details; {AGAINST} ({_PAPER})",
        tr("Survival optimism, {column}", column=column_name(event, 30)),
        "mean signed difference of the curves",
        OptimismDetails,
    )


def _premature_end(event: str) -> Kind[NoDetails]:
    return _kind(
        "premature_end",
        event,
        tr("Does the follow-up for '{column}' end too early?", column=column_name(event, 200)),
        "premature follow-up end (short-sightedness): 1 - the ratio of the 95th percentiles of follow-up time, "
        "synthetic to real, in place of the maximum, which discloses one patient; below 0 it is later; "
        f"{AGAINST} ({_PAPER})",
        tr("Premature follow-up end, {column}", column=column_name(event, 30)),
        "share of follow-up lost",
        NoDetails,
    )


def _rmst(event: str) -> Kind[RmstDetails]:
    return _kind(
        "rmst",
        event,
        tr("How far off is the mean time to '{column}' in each group?", column=column_name(event, 200)),
        "mean over groups of the absolute difference of the restricted mean survival times (RMST), in units of time, "
        f"up to the time of survival.curve, {AGAINST} (Royston and Parmar, BMC Med Res Methodol 13:152, 2013)",
        tr("RMST of {column}", column=column_name(event, 30)),
        "mean difference, in units of time",
        RmstDetails,
    )


def _censoring(event: str) -> Kind[CensoringDetails]:
    return _kind(
        "censoring",
        event,
        tr("Are patients without '{column}' followed up as long?", column=column_name(event, 200)),
        "area between the Kaplan-Meier curves of censoring up to the time of survival.curve, over that time, "
        f"{AGAINST} (reverse Kaplan-Meier: Schemper and Smith, Control Clin Trials 17:343-346, 1996)",
        tr("Censoring before {column}", column=column_name(event, 30)),
        "area between the curves",
        CensoringDetails,
    )


def _incidence(event: str) -> Kind[IncidenceDetails]:
    return _kind(
        "incidence",
        event,
        tr("Is each cause in '{column}' as frequent over time?", column=column_name(event, 200)),
        "mean over causes that 11 training patients have of the area between the Aalen-Johansen curves up to the time "
        f"of survival.curve, over that time, {AGAINST} (Aalen and Johansen, Scand J Stat 5:141-150, 1978)",
        tr("Cumulative incidence, {column}", column=column_name(event, 30)),
        "mean area between the curves",
        IncidenceDetails,
    )


SURVIVAL_KINDS: dict[str, Callable[[str], Kind[Any]]] = {
    "curve": _curve,
    "optimism": _optimism,
    "premature_end": _premature_end,
    "rmst": _rmst,
    "censoring": _censoring,
    "incidence": _incidence,
}
"""What the scores of a survival task measure, and the kind of each, by the name of the event."""
