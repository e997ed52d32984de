"""One number that can be trusted: with its interval, its independence baseline and real-data reference from real data, and its direction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import isnan, nan
from statistics import stdev
from typing import Any, Literal, NamedTuple

import numpy as np

__all__ = ["NO_BASELINE", "Definition", "Direction", "Interval", "Score", "Z", "plain"]

NO_BASELINE = "Shuffling columns changes none of them, so there is no independence baseline."
"""The note of a score that looks at columns one by one."""

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
        question: the reader's question that it answers, in plain words.
        value: the number; NaN when it could not be computed (then `note` says why).
        low: lower end of the 95 % interval.
        high: upper end of the 95 % interval.
        better: whether ``higher`` or ``lower`` is better.
        baseline: the same score for real rows whose columns were shuffled independently; None where it has no meaning.
        reference: the same score for held-out real rows posing as synthetic; None without a holdout.
        n: how many rows the score rests on.
        method: how it was computed, in one line, with its source.
        note: what the reader must know: subsampling, a reason for NaN.
        details: plain numbers, texts, lists and dicts behind the score, for the report's tables and plots.
        tables: the score of each synthetic table on its own, where several of one model were judged.
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
    tables: tuple[float, ...] = ()

    @property
    def floor(self) -> float | None:
        """The short name of `baseline` in scripts."""
        return self.baseline

    @property
    def ceiling(self) -> float | None:
        """The short name of `reference` in scripts."""
        return self.reference

    @property
    def spread(self) -> float | None:
        """Standard deviation of the score across synthetic tables of one model; None of a single table."""
        return stdev(self.tables) if len(self.tables) > 1 else None

    @property
    def unfavourable(self) -> float:
        """The worse end of the interval: what a gate is held against."""
        return self.low if self.better == "higher" else self.high


@dataclass(frozen=True, slots=True)
class Definition:
    """What a score is, whatever table it judges: its name, question, direction and method.

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
        tables: Sequence[float] = (),
    ) -> Score:
        """Return the score of a table, or of several of one model.

        A independence baseline or real-data reference that is NaN becomes None; empty notes, and tables that cannot all be scored, are left out.
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
            tables=tuple(map(float, tables)) if len(tables) > 1 and np.isfinite(tables).all() else (),
        )

    def unassessable(self, note: str, *, n: int = 0, details: dict[str, Any] | None = None) -> Score:
        """Return a score without a value; `note` says why."""
        return self.score(nan, Interval(nan, nan), n=n, notes=[note], details=details)


def plain(value: object) -> Any:  # noqa: ANN401 (as many types as JSON has)
    """Return `value` in the words of JSON: numpy's types become Python's, NaN becomes None, a tuple becomes a list.

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
