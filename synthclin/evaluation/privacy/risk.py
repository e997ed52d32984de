"""From successes of an attack to its risk: what patients in training suffer beyond patients who were not in it."""

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
    "ranks",
    "relative",
    "spread",
]

_MIN_WITHSTOOD = 5
_FEWEST = 10


@dataclass(frozen=True, slots=True)
class AttackTrials:
    """Attempts on patients of one side.

    Arguments:
        side: whom each attempt was about.
        hit: (attempts,) whether it succeeded; for an expected success, a number from 0 to 1.
    """

    side: PatientSample
    hit: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.hit)

    def where(self, chosen: NDArray[np.bool_]) -> AttackTrials:
        """Return some of the attempts."""
        return AttackTrials(self.side.where(chosen), self.hit[chosen])

    def and_then(self, other: AttackTrials) -> AttackTrials:
        """Return both lots of attempts."""
        return AttackTrials(self.side.and_then(other.side), np.concatenate([self.hit, other.hit]))

    @property
    def rate(self) -> float:
        """Share of attempts that succeeded."""
        return float(self.hit.mean()) if len(self) else nan

    @property
    def interval(self) -> Interval:
        """Wilson's interval of the rate; for expected successes it is too wide, never too narrow."""
        return wilson(float(self.hit.sum()), len(self))

    def told(self) -> dict[str, Any]:
        """Return the rate for a report."""
        low, high = self.interval
        return {"value": round(self.rate, 4), "low": round(low, 4), "high": round(high, 4), "n": len(self)}


RiskMeasure: TypeAlias = Callable[[AttackTrials, AttackTrials], tuple[float, Interval]]


@dataclass(frozen=True, slots=True)
class AttackOutcome:
    """One attack on both sides, and how often a guess without the synthetic table succeeds."""

    name: str
    train: AttackTrials
    control: AttackTrials
    naive: float


def relative(train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return the share of what unused patients withstand that training patients lose, R = (t - c) / (1 - c).

    Giomi et al., Anonymeter, PoPETs 2023-0055. The interval combines the two Wilson intervals (MOVER: Zou and
    Donner, Stat Med 27:1693-1702, 2008), which stays sound where a rate is 0 or 1. NaN where fewer than 5 unused
    patients withstand the attack: then there is nothing to lose.
    """
    if not len(train) or not len(control) or len(control) * (1 - control.rate) < _MIN_WITHSTOOD:
        return nan, Interval(nan, nan)
    return spread(lambda t, c: (t - c) / (1 - c), train, control)


def difference(train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return the rate in training minus the rate of unused patients (Newcombe, Stat Med 17:873-890, 1998)."""
    if not len(train) or not len(control):
        return nan, Interval(nan, nan)
    return spread(lambda t, c: t - c, train, control)


def area(train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return the AUC of scores in place of hits, with Newcombe's interval."""
    scores = np.concatenate([train.hit, control.hit])
    value = float(auc(scores, np.arange(len(scores)) < len(train))[0])
    return value, auc_interval(value, len(train), len(control))


def ranks(says: NDArray[np.float64]) -> NDArray[np.float64]:
    """(patients,) shares of all patients that lie below: scores of several attacks get one scale."""
    ladder = np.sort(says)
    below = np.searchsorted(ladder, says, "left") + np.searchsorted(ladder, says, "right")
    placed: NDArray[np.float64] = below / (2 * len(ladder))
    return placed


def spread(of: Callable[[float, float], float], train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return `of` both rates with its interval; it rises with the first and falls with the second."""
    t, c = train.rate, control.rate
    (t_low, t_high), (c_low, c_high) = train.interval, control.interval
    c_high = min(c_high, 1 - 1e-9)
    value = of(t, c)
    down = sqrt((value - of(t_low, c)) ** 2 + (value - of(t, c_high)) ** 2)
    up = sqrt((of(t_high, c) - value) ** 2 + (of(t, c_low) - value) ** 2)
    return value, Interval(value - down, min(1.0, value + up))


def decisive(outcomes: Sequence[AttackOutcome], measure: RiskMeasure) -> AttackOutcome:
    """Return the attack that does most harm, chosen on one half of the patients and judged on the other, both ways.

    The largest of several attacks on the same patients would be too large.
    """
    if len(outcomes) == 1:
        return outcomes[0]
    first, second = (_worst_elsewhere(outcomes, measure, half) for half in (False, True))
    name = first.name if first.name == second.name else f"{first.name}; {second.name}"
    train, control = first.train.and_then(second.train), first.control.and_then(second.control)
    return AttackOutcome(name, train, control, (first.naive + second.naive) / 2)


def _worst_elsewhere(outcomes: Sequence[AttackOutcome], measure: RiskMeasure, half: bool) -> AttackOutcome:
    """Return on one half of the patients the attack that does most harm to the other half.

    The first stands unless another does clearly more: to choose between equals would add nothing but chance.
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
    """Return the risk of the most vulnerable tenth and of each subgroup, with `fewest` patients on both sides.

    Returns:
        ``outliers``: the risk, or None where these are fewer. ``groups``: one for each that is large enough.
    """
    train, control = outcome.train, outcome.control
    decile = train.where(train.side.outliers), control.where(control.side.outliers)
    parts = (
        (group, train.where(group.holds(train.side.rows)), control.where(group.holds(control.side.rows)))
        for group in groups
    )
    return {
        "outliers": _told(decile[0], decile[1], measure) if min(map(len, decile)) >= fewest else None,
        "groups": [
            {"column": group.column, "level": group.level} | _told(members, others, measure)
            for group, members, others in parts
            if min(len(members), len(others)) >= fewest
        ],
    }


def _told(train: AttackTrials, control: AttackTrials, measure: RiskMeasure) -> dict[str, Any]:
    value, (low, high) = measure(train, control)
    risk = {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}
    return risk | {"train": train.told(), "control": control.told()}
