"""What all attacks share: run on the synthetic table, on shuffled rows, and on fresh real rows posing as synthetic."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isnan, nan
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.privacy.attack_data import AttackData, why_not
from synthclin.evaluation.privacy.risk import by_group, decisive
from synthclin.evaluation.score import Interval

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.privacy.risk import AttackOutcome, RiskMeasure
    from synthclin.evaluation.score import Definition, Score

__all__ = ["Attack", "Found", "judged"]

_SHUFFLES = 3
_FLOOR = "The independence baseline is the mean of the attack on 3 tables of shuffled training columns, which know no patient."
_NO_BASELINE = "There is no independence baseline: shuffled columns keep values that may point to one patient."
_CEILING = (
    "The real-data reference is the attack on {} held-out real rows posing as synthetic, the other half of the holdout as control: "
    "fewer rows tell an attacker less, so it shows false alarms and not power."
)


@dataclass(frozen=True, slots=True)
class Found:
    """What an attack found in one table; NaN with a note where it could not be run.

    Arguments:
        value: the risk.
        interval: its interval.
        n: how many patients or rows it rests on.
        notes: what the reader must know.
        details: the figures behind it.
        unused: what unused patients would suffer, where the value does not leave that out; else NaN.
    """

    value: float
    interval: Interval
    n: int
    notes: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)
    unused: float = nan

    @classmethod
    def nothing(cls, note: str) -> Found:
        """Return that the attack could not be run, and why."""
        return cls(nan, Interval(nan, nan), 0, (note,))


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack: call it with a comparison to get its score.

    Arguments:
        definition: name, question, direction and method of the score.
        run: attacks one table of rows.
        null: what a table that leaks nothing reaches.
        above_chance: whether shuffled columns leak nothing; where a single column can give a patient away they do.
        more: further details of the synthetic table, which no verdict rests on.
    """

    definition: Definition
    run: Callable[[AttackData, NDArray[np.float64]], Found]
    null: float = 0.0
    above_chance: bool = True
    more: Callable[[AttackData, NDArray[np.float64]], dict[str, Any]] = lambda *_: {}

    def __call__(self, c: Comparison, *, by: Sequence[str] = (), data: AttackData | None = None) -> Score:
        """Score the synthetic table, overall, for the most vulnerable tenth and for the subgroups of columns `by`.

        A scene of the same comparison and `by` that other attacks have used saves what they found out.
        """
        reason = why_not(c)
        if reason:
            return self.definition.unassessable(reason, n=0 if c.holdout is None else len(c.holdout))
        data = AttackData.of(c, by) if data is None else data
        found = self.find(data, c.synthetic)
        if isnan(found.value):
            return self.definition.unassessable(" ".join(found.notes), n=found.n, details=found.details)
        negative = self.negative_control(data)
        return self.definition.score(
            found.value,
            found.interval,
            n=found.n,
            baseline=max((value for value in (self.baseline(data, c), found.unused) if not isnan(value)), default=nan),
            reference=negative["value"],
            notes=[
                *found.notes,
                data.drawn(c.synthetic),
                _FLOOR if self.above_chance else _NO_BASELINE,
                _CEILING.format(negative["rows"]),
            ],
            details=found.details | self.more(data, c.synthetic) | {"null": self.null, "negative_control": negative},
        )

    def find(self, data: AttackData, rows: NDArray[np.float64]) -> Found:
        """Return what `run` finds in a table; what was found before is known."""
        return data.once(self.definition.name, lambda: self.run(data, rows), rows)

    def negative_control(self, data: AttackData) -> dict[str, Any]:
        """Return what the attack makes of fresh real rows posing as synthetic: mean of both halves of the control."""
        halves = [(self.find(left, posing), len(posing)) for posing, left in data.negative()]
        known = [found for found, _ in halves if not isnan(found.value)]
        return {
            "value": _mean([found.value for found in known]),
            "low": _mean([found.interval.low for found in known]),
            "high": _mean([found.interval.high for found in known]),
            "rows": halves[0][1],
        }

    def baseline(self, data: AttackData, c: Comparison) -> float:
        """Return what the attack makes of training rows whose columns were shuffled; NaN where these may leak."""
        tables = _shuffled(c) if self.above_chance else ()
        return _mean([value for rows in tables if not isnan(value := self.find(data, rows).value)])


def judged(data: AttackData, outcomes: Sequence[AttackOutcome], measure: RiskMeasure, note: str) -> Found:
    """Return the risk of the most harmful of several attacks, with naive, control and train success of each."""
    usable = [outcome for outcome in outcomes if not isnan(measure(outcome.train, outcome.control)[0])]
    if not usable:
        return Found.nothing(note)
    worst = decisive(usable, measure)
    value, interval = measure(worst.train, worst.control)
    if isnan(value):
        return Found.nothing(note)
    weak = worst.train.rate <= worst.naive
    return Found(
        value,
        interval,
        min(len(worst.train), len(worst.control)),
        ("The attack does no better than a guess without the table, so a low risk says little." if weak else "",),
        {
            "attack": worst.name,
            "naive": round(worst.naive, 4),
            "control": worst.control.told(),
            "train": worst.train.told(),
            **by_group(worst, data.groups, measure),
            "attacks": [
                {
                    "name": outcome.name,
                    "naive": round(outcome.naive, 4),
                    "control": outcome.control.told(),
                    "train": outcome.train.told(),
                    "value": round(measure(outcome.train, outcome.control)[0], 4),
                }
                for outcome in usable
            ],
        },
    )


def _shuffled(c: Comparison) -> Iterator[NDArray[np.float64]]:
    """Yield training rows whose columns were shuffled: several times, because one table may have luck."""
    yield c.shuffled
    for i in range(1, _SHUFFLES):
        yield c.rng("privacy", "shuffle", i).permuted(c.train, axis=0)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else nan
