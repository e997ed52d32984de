"""A score: a number with its 95 % interval, independence baseline, real-data reference and direction."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from math import isfinite
from statistics import stdev
from typing import Any, Literal, NamedTuple, TypeVar

from synthclin.evaluation.details import Details, plain
from synthclin.language import tr

__all__ = ["Direction", "Interval", "Score", "Z", "details_of", "no_baseline"]

Direction = Literal["higher", "lower"]

D = TypeVar("D", bound=Details)


Z = 1.959963984540054
"""The normal quantile of a two-sided 95 % interval."""


class Interval(NamedTuple):
    """The two ends of a 95 % interval."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Score:
    """A score of a synthetic table.

    Arguments:
        name: ``group.name``, such as ``fidelity.marginals``; gates and the report use it.
        question: the reader's question that the score answers, in plain words.
        value: the number; NaN where it could not be computed; `note` gives the reason.
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
        better: whether ``higher`` or ``lower`` is better.
        baseline: independence baseline, the score of real rows with each column shuffled; None where it has no meaning.
        reference: real-data reference, the score of holdout rows in the place of synthetic ones; None without them.
        n: the number of rows behind the score.
        method: how it was computed, in one line, with its source.
        note: caveats: subsampling, the reason for NaN.
        details: the typed numbers and names behind the score; None where there are none.
        replicates: the score of each synthetic replicate, where there are several.
        reference_error: standard error of the real-data reference; None where it is not known.
        beyond_reference: whether the score is better than its reference beyond sampling error, a sign of overfitting.
        tables: the number of synthetic replicates that the value is a mean of, also where `replicates` are not shared.
    """

    name: str
    question: str
    value: float
    low: float
    high: float
    better: Direction
    baseline: float | None
    reference: float | None
    n: int
    method: str
    note: str = ""
    details: Details | None = None
    replicates: tuple[float, ...] = ()
    reference_error: float | None = None
    beyond_reference: bool = False
    tables: int = 1

    @property
    def floor(self) -> float | None:
        """Alias of `baseline`."""
        return self.baseline

    @property
    def ceiling(self) -> float | None:
        """Alias of `reference`."""
        return self.reference

    def to_dict(self) -> dict[str, Any]:
        """Return the score as JSON types, NaN as None.

        Example:
            >>> Score("a.b", "?", 0.5, 0.4, 0.6, "higher", None, None, 10, "toy").to_dict()["value"]
            0.5
        """
        details = None if self.details is None else self.details.model_dump(mode="json")
        written: dict[str, Any] = plain(asdict(replace(self, details=None)) | {"details": details})
        return written

    @property
    def is_assessable(self) -> bool:
        """Whether there are a value and an interval."""
        return all(map(isfinite, (self.value, self.low, self.high)))

    @property
    def spread(self) -> float | None:
        """Standard deviation of the score across synthetic replicates; None for one replicate."""
        return stdev(self.replicates) if len(self.replicates) > 1 else None

    @property
    def unfavourable(self) -> float:
        """The worse end of the interval, which a gate compares with its limit."""
        return self.low if self.better == "higher" else self.high


def no_baseline() -> str:
    """Return the note of a score of marginal distributions."""
    return tr("Shuffling leaves each column as it is, so there is no independence baseline.")


def details_of(score: Score | None, kind: type[D]) -> D | None:
    """Return the details of a score where they are of this type; None where it has none, and without a score."""
    return score.details if score is not None and isinstance(score.details, kind) else None
