"""A score: a number with its 95 % interval, independence baseline, real-data reference and direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from statistics import stdev
from typing import Any, Literal, NamedTuple

import numpy as np

__all__ = ["NO_BASELINE", "Definition", "Direction", "Interval", "Score", "Z", "plain"]

NO_BASELINE = "Shuffling leaves each column as it is, so there is no independence baseline."
"""The note of a score of marginal distributions."""

Direction = Literal["higher", "lower"]


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
        details: plain numbers, texts, lists and dicts behind the score, for the report's tables and plots.
        replicates: the score of each synthetic replicate, where there are several.
        reference_error: standard error of the real-data reference; None where it is not known. Of an attack it is the
            upper half of the 95 % interval divided by 1.96, because the reference is subtracted from the score.
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
    details: dict[str, Any] = field(default_factory=dict)
    replicates: tuple[float, ...] = ()
    reference_error: float | None = None

    @property
    def floor(self) -> float | None:
        """Alias of `baseline`."""
        return self.baseline

    @property
    def ceiling(self) -> float | None:
        """Alias of `reference`."""
        return self.reference

    @property
    def spread(self) -> float | None:
        """Standard deviation of the score across synthetic replicates; None for one replicate."""
        return stdev(self.replicates) if len(self.replicates) > 1 else None

    @property
    def unfavourable(self) -> float:
        """The worse end of the interval, which a gate compares with its limit."""
        return self.low if self.better == "higher" else self.high


@dataclass(frozen=True, slots=True)
class Definition:
    """The definition of a score, without any table: name, question, direction and method.

    Example:
        >>> size = Definition("fidelity.size", "Are there as many rows?", "higher", "rows / rows")
        >>> size.score(0.9, Interval(0.8, 1.0), n=10).unfavourable
        0.8
        >>> size.unassessable("The holdout is missing.").value
        nan
    """

    name: str
    question: str
    better: Direction
    method: str

    def score(
        self,
        value: float,
        interval: Interval,
        *,
        n: int,
        baseline: float | None = None,
        reference: float | None = None,
        notes: tuple[str, ...] | list[str] = (),
        details: dict[str, Any] | None = None,
        replicates: Sequence[float] = (),
        reference_error: float | None = None,
    ) -> Score:
        """Return the score of a synthetic table, or of several replicates.

        A baseline, reference or error of NaN becomes None. Empty notes are left out, and `replicates` unless all are
        finite.
        """
        return Score(
            name=self.name,
            question=self.question,
            value=float(value),
            low=float(interval.low),
            high=float(interval.high),
            better=self.better,
            baseline=_number_or_none(baseline),
            reference=_number_or_none(reference),
            n=int(n),
            method=self.method,
            note=" ".join(note for note in notes if note),
            details=plain(details or {}),
            replicates=tuple(map(float, replicates)) if len(replicates) > 1 and np.isfinite(replicates).all() else (),
            reference_error=_number_or_none(reference_error),
        )

    def unassessable(self, note: str, *, n: int = 0, details: dict[str, Any] | None = None) -> Score:
        """Return a score without a value; `note` gives the reason."""
        return self.score(nan, Interval(nan, nan), n=n, notes=[note], details=details)


def plain(value: object) -> Any:  # noqa: ANN401 (as many types as JSON has)
    """Return `value` as JSON types: numpy types become Python's, NaN becomes None, a tuple becomes a list.

    Example:
        >>> plain({"a": np.array([1.0, np.nan]), "b": (np.int64(2), "x")})
        {'a': [1.0, None], 'b': [2, 'x']}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return None if isnan(value) else value
    return value


def _number_or_none(value: float | None) -> float | None:
    return None if value is None or isnan(value) else float(value)
