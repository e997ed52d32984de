"""Sets of values: what a cell may hold while it is not yet known, and what a comparison may then come out as.

Interval arithmetic (Moore 1966, Interval Analysis) with one thing more: a cell may also be missing. Every answer
holds at least what is possible and may hold more, so "never" is always true and "perhaps" may be too careful.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthclin.expressions.operands import of_column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Choice", "Outcomes", "Span", "Test", "Values", "compare", "spans_of"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Test = Callable[[Any, Any], Any]

_SECONDS = 1e6
"""Microseconds in a second: moments count in seconds."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a predicate may come out as; arrays of one shape, or that broadcast to one.

    Arguments:
        true: whether it may be true.
        false: whether it may be false.
        unknown: whether it may be unknown, because a value is missing.
    """

    true: Bools
    false: Bools
    unknown: Bools

    @classmethod
    def certain(cls, *, value: bool) -> Outcomes:
        """Return the outcomes of what is always true, or always false."""
        return cls(np.array(value), np.array(not value), np.array(False))

    @classmethod
    def open(cls) -> Outcomes:
        """Return the outcomes of what nothing is known of."""
        return cls(np.array(True), np.array(True), np.array(True))

    def __and__(self, other: Outcomes) -> Outcomes:
        mine, theirs = self.true | self.unknown, other.true | other.unknown
        unknown = (self.unknown & theirs) | (other.unknown & mine)
        return Outcomes(self.true & other.true, self.false | other.false, unknown)

    def __or__(self, other: Outcomes) -> Outcomes:
        return ~(~self & ~other)

    def __invert__(self) -> Outcomes:
        return Outcomes(self.false, self.true, self.unknown)


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from `low` to `high`, or moments in seconds; arrays that broadcast to one shape.

    Arguments:
        low: the lowest value, -inf for no limit; of no meaning where there is no value.
        high: the highest value.
        present: whether there may be a value.
        missing: whether the cell may be missing.
        dated: whether the values are moments.
    """

    low: Floats
    high: Floats
    present: Bools
    missing: Bools
    dated: bool = False

    @classmethod
    def point(cls, value: float, *, dated: bool = False) -> Span:
        """Return the span of one value."""
        return cls(np.array(value), np.array(value), np.array(True), np.array(False), dated)

    @classmethod
    def anything(cls) -> Span:
        """Return the span of all numbers, and missing."""
        return cls(np.array(-np.inf), np.array(np.inf), np.array(True), np.array(True))

    def __len__(self) -> int:
        return len(self.low)

    def take(self, index: NDArray[np.int64]) -> Span:
        """Return the spans at places of (cells,) ones, in the shape of `index`."""
        return Span(self.low[index], self.high[index], self.present[index], self.missing[index], self.dated)

    def hull(self, kept: Bools) -> Span:
        """Return the (1, 1) span that holds all those of (cells,) that are `kept`."""
        some = kept & self.present
        low, high = self.low[some].min(initial=np.inf), self.high[some].max(initial=-np.inf)
        missing = np.array([[bool((kept & self.missing).any())]])
        if not some.any():
            low = high = 0.0
        return Span(np.array([[low]]), np.array([[high]]), np.array([[bool(some.any())]]), missing, self.dated)

    def with_hull(self, kept: Bools) -> Span:
        """Return (cells + 1,) spans: these, and one that holds all those that are `kept`."""
        whole = self.hull(kept)
        low, high = np.append(self.low, whole.low), np.append(self.high, whole.high)
        return Span(
            low, high, np.append(self.present, whole.present), np.append(self.missing, whole.missing), self.dated
        )

    def outcomes(self, test: Test, other: Span) -> Outcomes:
        """Return what comparing a value of this with one of `other` may come out as."""
        both = self.present & other.present
        if test in (operator.eq, operator.ne):
            may = both & (self.low <= other.high) & (other.low <= self.high)
            single = (self.low == self.high) & (other.low == other.high)
            equal = Outcomes(may, both & ~(single & may), self.missing | other.missing)
            return equal if test is operator.eq else ~equal
        if test in (operator.gt, operator.ge):
            return other.outcomes(operator.lt if test is operator.gt else operator.le, self)
        least, most = test(self.low, other.high), test(self.high, other.low)
        return Outcomes(both & least, both & ~most, self.missing | other.missing)


@dataclass(frozen=True, slots=True)
class Choice:
    """Sets of levels, and for every place which of the sets it holds.

    Arguments:
        levels: of the column.
        possible: (sets, levels) whether a set holds a level.
        missing: (sets,) whether it holds an empty cell.
        at: the number of the set at every place, of any shape.
        ordered: whether the levels stand in rising order.
    """

    levels: tuple[object, ...]
    possible: Bools
    missing: Bools
    at: NDArray[np.int64]
    ordered: bool = False

    def __len__(self) -> int:
        return len(self.at)

    @property
    def present(self) -> Bools:
        """Whether there may be a level, in the shape of `at`."""
        some = np.asarray(self.possible.any(axis=1))
        return np.asarray(some[self.at])

    def take(self, index: NDArray[np.int64]) -> Choice:
        """Return the sets at places of (cells,) ones, in the shape of `index`."""
        return replace(self, at=self.at[index])

    def hull(self, kept: Bools) -> Choice:
        """Return the (1, 1) set that holds all those of (cells,) that are `kept`."""
        sets = self.at[kept]
        possible, missing = np.atleast_2d(self.possible[sets].any(axis=0)), np.array([bool(self.missing[sets].any())])
        return replace(self, possible=possible, missing=missing, at=np.zeros((1, 1), dtype=np.int64))

    def with_hull(self, kept: Bools) -> Choice:
        """Return (cells + 1,) sets: these, and one that holds all those that are `kept`."""
        whole, last = self.hull(kept), len(self.possible)
        possible, missing = np.vstack([self.possible, whole.possible]), np.append(self.missing, whole.missing)
        return replace(self, possible=possible, missing=missing, at=np.append(self.at, last))

    def outcomes(self, holds: Bools) -> Outcomes:
        """Return what a predicate may come out as that `holds` for (levels,) some levels."""
        true = np.asarray((self.possible & holds).any(axis=1))
        false = np.asarray((self.possible & ~holds).any(axis=1))
        unknown: Bools = self.missing
        return Outcomes(true[self.at], false[self.at], unknown[self.at])

    def outcomes_with(self, test: Test, other: Choice) -> Outcomes:
        """Return what comparing a level of this with one of `other` may come out as."""
        mine, theirs = self.levels, other.levels
        if test not in (operator.eq, operator.ne):
            if not self.ordered or mine != theirs:
                return Outcomes.open()
            mine = theirs = tuple(range(len(mine)))
        holds = np.array([[bool(test(one, two)) for two in theirs] for one in mine]).reshape(len(mine), len(theirs))
        true, false = (
            (self.possible.astype(np.int64) @ right.astype(np.int64) @ other.possible.T.astype(np.int64)) > 0
            for right in (holds, ~holds)
        )
        at = np.broadcast_arrays(self.at, other.at)
        unknown = self.missing[at[0]] | other.missing[at[1]]
        return Outcomes(true[at[0], at[1]], false[at[0], at[1]], unknown)

    def tested(self, test: Test, value: object) -> Bools | None:
        """Return for which (levels,) a comparison with a constant holds; None where the two do not compare."""
        if test in (operator.eq, operator.ne):
            return np.array([bool(test(level, value)) for level in self.levels], dtype=np.bool_)
        if not self.ordered or value not in self.levels:
            return None
        return np.asarray(test(np.arange(len(self.levels)), self.levels.index(value)), dtype=np.bool_)


Values = Span | Choice


def compare(test: Test, left: Values, right: Values) -> Outcomes:
    """Return what comparing any value of one side with any of the other may come out as."""
    match left, right:
        case Span(), Span() if left.dated == right.dated:
            return left.outcomes(test, right)
        case Choice(), Choice():
            return left.outcomes_with(test, right)
    return Outcomes.open()


def spans_of(low: pd.Series[Any], high: pd.Series[Any], missing: Bools) -> Span:
    """Return (cells,) spans from columns of their lowest and highest values; both are missing where there is no value.

    Example:
        >>> import pandas as pd
        >>> spans_of(pd.Series([1, None]), pd.Series([5, None]), np.array([False, True])).high.tolist()
        [5.0, 0.0]
    """
    sides = [of_column("", column) for column in (low, high)]
    dated = sides[0].families == {"date"}
    ends = [
        side.values.astype("datetime64[us]").astype(np.int64) / _SECONDS if dated else side.values.astype(np.float64)
        for side in sides
    ]
    none = sides[0].missing
    return Span(np.where(none, 0.0, ends[0]), np.where(none, 0.0, ends[1]), ~none, missing, dated)
