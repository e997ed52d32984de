"""The common part of all attacks: synthetic table, non-members, and the negative control with its error."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isnan, nan
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from synthclin.evaluation.privacy.attack_data import AttackData, why_not
from synthclin.evaluation.privacy.risk import by_group, decisive
from synthclin.evaluation.score import Interval, Z
from synthclin.language import tr

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.kind import Kind
    from synthclin.evaluation.privacy.risk import AttackOutcome, RiskMeasure
    from synthclin.evaluation.score import Score

__all__ = ["Attack", "Found", "Reference", "judged", "no_baseline"]


def no_baseline() -> str:
    """Return the note of a score that compares patients with their own rows."""
    return tr("There is no independence baseline: shuffled training columns keep each patient's exact values.")


class Reference(NamedTuple):
    """What an attack reaches without leakage, with its interval."""

    value: float
    interval: Interval

    @property
    def error(self) -> float:
        """The upper half of the interval in standard errors: the reference is subtracted from a score."""
        return (self.interval.high - self.value) / Z


@dataclass(frozen=True, slots=True)
class Found:
    """The result of an attack on one table; NaN with a note where it could not be run.

    Arguments:
        value: the risk.
        interval: its 95 % interval.
        n: number of patients or rows.
        notes: caveats.
        details: the numbers behind it.
        non_members: the risk of non-members with its interval, where the value is not relative to it; else None.
    """

    value: float
    interval: Interval
    n: int
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    non_members: Reference | None = None

    @classmethod
    def nothing(cls, note: str) -> Found:
        """Return the result of an attack that could not be run; `note` gives the reason."""
        return cls(nan, Interval(nan, nan), 0, (note,))


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack; calling it with a comparison returns its score.

    Arguments:
        kind: the kind of its score.
        run: the attack on one table of rows.
        null: its value without leakage.
        more: further details of the synthetic table, which are not part of a verdict.
    """

    kind: Kind[Any]
    run: Callable[[AttackData, NDArray[np.float64]], Found]
    null: float = 0.0
    more: Callable[[AttackData, NDArray[np.float64]], dict[str, Any]] = lambda *_: {}

    def __call__(self, c: Comparison, *, by: Sequence[str] = (), data: AttackData | None = None) -> Score:
        """Score the synthetic table: overall, for top-decile outliers and for the subgroups of columns `by`.

        `data` of the same comparison and `by`, shared with other attacks, saves repeated computations.
        """
        reason = why_not(c)
        if reason:
            return self.kind.unassessable(reason, n=0 if c.holdout is None else len(c.holdout))
        data = AttackData.of(c, by) if data is None else data
        found = self.find(data, c.synthetic)
        if isnan(found.value):
            return self.kind.unassessable(" ".join(found.notes), n=found.n)
        negative = self.negative_control(data)
        reference = self.leak_free(data, found)
        return self.kind.score(
            found.value,
            found.interval,
            n=found.n,
            reference=reference.value,
            reference_error=reference.error,
            notes=[
                *found.notes,
                data.subsampling_note,
                tr("The real-data reference is the same risk of non-members, as if they had taken part.")
                if found.non_members is not None
                else tr(
                    "The real-data reference is the attack on {rows} holdout rows in the place of synthetic ones "
                    "(negative control), the other half of the holdout as non-members: an attack on fewer rows has "
                    "less power, so it only shows false alarms.",
                    rows=negative["rows"],
                ),
                no_baseline(),
            ],
            details=self.kind.details.of(
                found.details | self.more(data, c.synthetic) | {"null": self.null, "negative_control": negative}
            ),
        )

    def find(self, data: AttackData, rows: NDArray[np.float64]) -> Found:
        """Return the result of `run` on a table, computed once."""
        return data.once(self.kind.name, lambda: self.run(data, rows), rows)

    def negative_control(self, data: AttackData) -> dict[str, Any]:
        """Return the negative control: the attack on half of the holdout as synthetic rows, mean of both halves."""
        halves = [(self.find(remaining, rows), len(rows)) for rows, remaining in data.negative()]
        known = [found for found, _ in halves if not isnan(found.value)]
        return {
            "value": _mean([found.value for found in known]),
            "low": _mean([found.interval.low for found in known]),
            "high": _mean([found.interval.high for found in known]),
            "rows": halves[0][1],
        }

    def leak_free(self, data: AttackData, found: Found) -> Reference:
        """Return what non-members reach: their own risk in the same attack, or else the negative control."""
        if found.non_members is not None:
            return found.non_members
        negative = self.negative_control(data)
        return Reference(negative["value"], Interval(negative["low"], negative["high"]))


def judged(data: AttackData, outcomes: Sequence[AttackOutcome], measure: RiskMeasure, note: str) -> Found:
    """Return the risk of the strongest of several attacks, with naive, non-member and member success rates of each."""
    usable = [outcome for outcome in outcomes if not isnan(measure(outcome.train, outcome.control)[0])]
    if not usable:
        return Found.nothing(note)
    worst = decisive(usable, measure)
    value, interval = measure(worst.train, worst.control)
    if isnan(value):
        return Found.nothing(note)
    no_power = worst.train.rate <= worst.naive
    return Found(
        value,
        interval,
        min(len(worst.train), len(worst.control)),
        (
            tr("The attack is no better than a guess without the table, so a low risk is weak evidence.")
            if no_power
            else "",
        ),
        {
            "strongest_attack": worst.name,
            "naive_baseline": round(worst.naive, 4),
            "non_members": worst.control.summary(),
            "members": worst.train.summary(),
            **by_group(worst, data.groups, measure),
            "attacks": [
                {
                    "name": outcome.name,
                    "naive_baseline": round(outcome.naive, 4),
                    "non_members": outcome.control.summary(),
                    "members": outcome.train.summary(),
                    "value": round(measure(outcome.train, outcome.control)[0], 4),
                }
                for outcome in usable
            ],
        },
    )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else nan
