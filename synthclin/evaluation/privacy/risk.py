"""Risk measures of attacks: the success rate on members relative to non-members, with intervals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import nan, sqrt
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.roc import auc, auc_interval
from synthclin.evaluation.score import Interval

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackedGroup, PatientSample

__all__ = [
    "AttackOutcome",
    "AttackTrials",
    "RiskMeasure",
    "area",
    "by_group",
    "decisive",
    "difference",
    "mover_interval",
    "ranks",
    "relative",
]

_MIN_FAILURES = 5
_FEWEST = 10


@dataclass(frozen=True, slots=True)
class AttackTrials:
    """Attempts of an attack on members, or on non-members.

    Arguments:
        side: the patient of each attempt.
        hit: (attempts,) 1 for success, 0 for failure; an expected success is a number between.
    """

    side: PatientSample
    hit: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.hit)

    def where(self, chosen: NDArray[np.bool_]) -> AttackTrials:
        """Return a subset of the attempts."""
        return AttackTrials(self.side.where(chosen), self.hit[chosen])

    def and_then(self, other: AttackTrials) -> AttackTrials:
        """Return the attempts of both."""
        return AttackTrials(self.side.and_then(other.side), np.concatenate([self.hit, other.hit]))

    @property
    def rate(self) -> float:
        """Success rate."""
        return float(self.hit.mean()) if len(self) else nan

    @property
    def interval(self) -> Interval:
        """Wilson's interval of the success rate; conservative for expected successes."""
        return wilson(float(self.hit.sum()), len(self))

    def summary(self) -> dict[str, Any]:
        """Return the success rate as plain numbers for the report."""
        low, high = self.interval
        return {"value": round(self.rate, 4), "low": round(low, 4), "high": round(high, 4), "n": len(self)}


RiskMeasure: TypeAlias = Callable[[AttackTrials, AttackTrials], tuple[float, Interval]]


@dataclass(frozen=True, slots=True)
class AttackOutcome:
    """One attack on members (`train`) and non-members (`control`), and the success rate of a naive guess."""

    name: str
    train: AttackTrials
    control: AttackTrials
    naive: float


def relative(train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return Anonymeter's risk R = (t - c) / (1 - c), t and c being the success rates on members and non-members.

    Giomi et al., PoPETs 2023-0055. The interval combines the two Wilson intervals (MOVER: Zou and Donner, Stat Med
    27:1693-1702, 2008), which is valid for rates of 0 and 1. NaN where the attack fails on fewer than 5 non-members.
    """
    if not len(train) or not len(control) or len(control) * (1 - control.rate) < _MIN_FAILURES:
        return nan, Interval(nan, nan)
    return mover_interval(lambda t, c: (t - c) / (1 - c), train, control)


def difference(train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return the success rate on members minus that on non-members (Newcombe, Stat Med 17:873-890, 1998)."""
    if not len(train) or not len(control):
        return nan, Interval(nan, nan)
    return mover_interval(lambda t, c: t - c, train, control)


def area(train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return the AUC of attack scores, which take the place of hits, with Newcombe's interval."""
    scores = np.concatenate([train.hit, control.hit])
    value = float(auc(scores, np.arange(len(scores)) < len(train))[0])
    return value, auc_interval(value, len(train), len(control))


def ranks(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """(patients,) mid-ranks, 0 to 1, so that scores of several attacks have one scale."""
    ordered = np.sort(scores)
    below = np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")
    mid_ranks: NDArray[np.float64] = below / (2 * len(ordered))
    return mid_ranks


def mover_interval(
    of: Callable[[float, float], float], train: AttackTrials, control: AttackTrials
) -> tuple[float, Interval]:
    """Return a function of both rates with its MOVER interval; it rises with the first and falls with the second."""
    t, c = train.rate, control.rate
    (t_low, t_high), (c_low, c_high) = train.interval, control.interval
    c_high = min(c_high, 1 - 1e-9)
    value = of(t, c)
    down = sqrt((value - of(t_low, c)) ** 2 + (value - of(t, c_high)) ** 2)
    up = sqrt((of(t_high, c) - value) ** 2 + (of(t, c_low) - value) ** 2)
    return value, Interval(value - down, min(1.0, value + up))


def decisive(
    outcomes: Sequence[AttackOutcome], measure: RiskMeasure, *, chosen_by: RiskMeasure | None = None
) -> AttackOutcome:
    """Return the strongest attack, selected on one half of the patients and evaluated on the other, both ways.

    The maximum over attacks on the same patients would be biased upwards.

    Arguments:
        outcomes: of each attack.
        measure: the risk.
        chosen_by: the measure by which the attack is selected, where the risk itself is too uncertain on one half.
    """
    measure = chosen_by or measure
    if len(outcomes) == 1:
        return outcomes[0]
    first, second = (_worst_elsewhere(outcomes, measure, half) for half in (False, True))
    name = first.name if first.name == second.name else f"{first.name}; {second.name}"
    train, control = first.train.and_then(second.train), first.control.and_then(second.control)
    return AttackOutcome(name, train, control, (first.naive + second.naive) / 2)


def _worst_elsewhere(outcomes: Sequence[AttackOutcome], measure: RiskMeasure, half: bool) -> AttackOutcome:
    """Return, on one half of the patients, the attack that is strongest on the other half.

    The first attack is preferred unless another is clearly stronger, because a choice between equals adds variance.
    """

    def part(outcome: AttackOutcome, half: bool) -> tuple[AttackTrials, AttackTrials]:
        sides = outcome.train, outcome.control
        train, control = (trials.where(trials.side.half == half) for trials in sides)
        return train, control

    found = [measure(*part(outcome, not half)) for outcome in outcomes]
    (first, (_, high)), harms = found[0], [value for value, _ in found]
    clearly = first + (high - first) / 2  # about one standard error
    most = int(np.argmax(np.nan_to_num(harms, nan=-np.inf)))
    worst = outcomes[most] if np.isnan(first) or harms[most] > clearly else outcomes[0]
    return AttackOutcome(worst.name, *part(worst, half), worst.naive)


def by_group(
    outcome: AttackOutcome, groups: Sequence[AttackedGroup], measure: RiskMeasure, *, fewest: int = _FEWEST
) -> dict[str, Any]:
    """Return the risk of top-decile outliers and of each subgroup with at least `fewest` members and non-members.

    Returns:
        ``outliers``: the risk, or None where they are too few. ``groups``: one for each that is large enough.
    """
    train, control = outcome.train, outcome.control
    outliers = train.where(train.side.outliers), control.where(control.side.outliers)
    parts = (
        (group, train.where(group.holds(train.side.rows)), control.where(group.holds(control.side.rows)))
        for group in groups
    )
    return {
        "top_decile_outliers": _risk(outliers[0], outliers[1], measure) if min(map(len, outliers)) >= fewest else None,
        "groups": [
            {"column": group.column, "level": group.level} | _risk(members, others, measure)
            for group, members, others in parts
            if min(len(members), len(others)) >= fewest
        ],
    }


def _risk(train: AttackTrials, control: AttackTrials, measure: RiskMeasure) -> dict[str, Any]:
    value, (low, high) = measure(train, control)
    risk = {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}
    return risk | {"members": train.summary(), "non_members": control.summary()}
