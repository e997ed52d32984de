"""Domains: sets of possible values of a cell, and the possible outcomes of comparing them.

Intervals (Moore 1966, ValueInterval Analysis) and sets of levels, in which a cell may also be missing. Results are
over-approximations: an outcome marked impossible never happens, and an outcome marked possible may not happen.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from synthclin.expressions.operands import ROUNDING, column_operand

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["LevelSets", "Outcomes", "Test", "ValueInterval", "Values", "compare", "intervals_of"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Test = Callable[[Any, Any], Any]

_SECONDS = 1e6
"""Microseconds in a second: datetimes count in seconds."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Possible truth values of a predicate; arrays that broadcast to one shape.

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
        """Return the outcomes of a constant."""
        return cls(np.array(value), np.array(not value), np.array(False))

    @classmethod
    def open(cls) -> Outcomes:
        """Return all three outcomes as possible."""
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
class ValueInterval:
    """Numbers from `low` to `high`, or datetimes in seconds; arrays that broadcast to one shape.

    Arguments:
        low: the lowest value, -inf for no limit; without meaning where there is no value.
        high: the highest value.
        present: whether there may be a value.
        missing: whether the cell may be missing.
        dated: whether the values are datetimes.
    """

    low: Floats
    high: Floats
    present: Bools
    missing: Bools
    dated: bool = False

    @classmethod
    def point(cls, value: float, *, dated: bool = False) -> ValueInterval:
        """Return the interval of one value."""
        return cls(np.array(value), np.array(value), np.array(True), np.array(False), dated)

    @classmethod
    def anything(cls) -> ValueInterval:
        """Return the interval of all numbers, and missing."""
        return cls(np.array(-np.inf), np.array(np.inf), np.array(True), np.array(True))

    def __len__(self) -> int:
        return len(self.low)

    def take(self, index: NDArray[np.int64]) -> ValueInterval:
        """Return the intervals at places of (cells,) ones, in the shape of `index`."""
        return ValueInterval(self.low[index], self.high[index], self.present[index], self.missing[index], self.dated)

    def hull(self, kept: Bools) -> ValueInterval:
        """Return the (rows, 1) intervals that cover all `kept` (rows, cells); one row of (cells,) is (1, 1)."""
        kept = np.atleast_2d(kept)
        some = kept & self.present
        present = np.asarray(some.any(axis=1, keepdims=True))
        low = np.where(some, self.low, np.inf).min(axis=1, keepdims=True, initial=np.inf)
        high = np.where(some, self.high, -np.inf).max(axis=1, keepdims=True, initial=-np.inf)
        missing = np.asarray((kept & self.missing).any(axis=1, keepdims=True))
        return ValueInterval(np.where(present, low, 0.0), np.where(present, high, 0.0), present, missing, self.dated)

    def with_hull(self, kept: Bools) -> ValueInterval:
        """Return (cells + 1,) intervals: these, and one that covers all `kept` ones."""
        return self.joined(self.hull(kept))

    def joined(self, others: ValueInterval) -> ValueInterval:
        """Return the (cells + others,) intervals of this and of others, which may have any shape."""
        low, high = np.append(self.low, others.low), np.append(self.high, others.high)
        present, missing = np.append(self.present, others.present), np.append(self.missing, others.missing)
        return ValueInterval(low, high, present, missing, self.dated)

    def chosen(self, first: Bools, others: ValueInterval) -> ValueInterval:
        """Return these intervals where `first` is true, and others elsewhere; all of one shape."""
        low, high = np.where(first, self.low, others.low), np.where(first, self.high, others.high)
        present = np.where(first, self.present, others.present)
        return ValueInterval(low, high, present, np.where(first, self.missing, others.missing), self.dated)

    def outcomes(self, test: Test, other: ValueInterval, tolerance: float | None = None) -> Outcomes:
        """Return the possible outcomes of comparing a value of this with one of `other`.

        Arguments:
            test: the comparison.
            other: the right side.
            tolerance: the absolute difference that an equality ignores, besides the rounding of floating-point
                arithmetic; None where values are compared exactly.
        """
        both = self.present & other.present
        if test in (operator.eq, operator.ne) and tolerance is not None and not self.dated:
            ends = (np.abs(end) for end in (self.low, self.high, other.low, other.high))
            slack = np.maximum(tolerance, ROUNDING * reduce(np.maximum, ends))
            may = both & (self.low <= other.high + slack) & (other.low <= self.high + slack)
            furthest = np.maximum(np.abs(self.high - other.low), np.abs(other.high - self.low))
            # Values of a computed side are known but for a rounding error: only well inside the tolerance is certain.
            equal = Outcomes(may, both & ~(furthest <= 0.99 * tolerance), self.missing | other.missing)
            return equal if test is operator.eq else ~equal
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
class LevelSets:
    """Sets of levels, and the index of a set for every place.

    Arguments:
        levels: the levels of the column.
        possible: (sets, levels) whether a set contains a level.
        missing: (sets,) whether it contains a missing cell.
        at: the index of the set at every place, of any shape.
        ordered: whether the levels are in rising order.
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

    def take(self, index: NDArray[np.int64]) -> LevelSets:
        """Return the sets at places of (cells,) ones, in the shape of `index`."""
        return replace(self, at=self.at[index])

    def hull(self, kept: Bools) -> LevelSets:
        """Return the (rows, 1) sets that cover all `kept` (rows, cells); one row of (cells,) is (1, 1)."""
        kept = np.atleast_2d(kept)
        # A product of numbers is much faster than one of truth values.
        possible = kept.astype(np.float32) @ self.possible[self.at].astype(np.float32) > 0
        missing = np.asarray((kept & self.missing[self.at]).any(axis=1))
        return replace(self, possible=possible, missing=missing, at=np.arange(len(kept))[:, None])

    def with_hull(self, kept: Bools) -> LevelSets:
        """Return (cells + 1,) sets: these, and one that covers all `kept` ones."""
        return self.joined(self.hull(kept))

    def joined(self, others: LevelSets) -> LevelSets:
        """Return the (cells + others,) sets of this and of others, which may have any shape; levels are united."""
        levels = (*self.levels, *(level for level in others.levels if level not in self.levels))
        possible = np.vstack([self._over(levels), others._over(levels)])
        at = np.append(self.at, others.at + len(self.possible))
        return replace(self, levels=levels, possible=possible, missing=np.append(self.missing, others.missing), at=at)

    def chosen(self, first: Bools, others: LevelSets) -> LevelSets:
        """Return these sets where `first` is true, and others elsewhere; all of one shape."""
        both = self.joined(others)
        return replace(both, at=np.where(first, self.at, others.at + len(self.possible)))

    def _over(self, levels: tuple[object, ...]) -> Bools:
        """Return the (sets, levels) of `possible` over other levels, which contain these."""
        possible = np.zeros((len(self.possible), len(levels)), dtype=np.bool_)
        possible[:, [levels.index(level) for level in self.levels]] = self.possible
        return possible

    def outcomes(self, holds: Bools) -> Outcomes:
        """Return the possible outcomes of a predicate that is true for the (levels,) in `holds`."""
        true = np.asarray((self.possible & holds).any(axis=1))
        false = np.asarray((self.possible & ~holds).any(axis=1))
        unknown: Bools = self.missing
        return Outcomes(true[self.at], false[self.at], unknown[self.at])

    def outcomes_with(self, test: Test, other: LevelSets) -> Outcomes:
        """Return the possible outcomes of comparing a level of this with one of `other`."""
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
        """Return for which (levels,) a comparison with a constant is true; None if the two cannot be compared."""
        if test in (operator.eq, operator.ne):
            return np.array([bool(test(level, value)) for level in self.levels], dtype=np.bool_)
        if not self.ordered or value not in self.levels:
            return None
        return np.asarray(test(np.arange(len(self.levels)), self.levels.index(value)), dtype=np.bool_)


Values = ValueInterval | LevelSets


def compare(test: Test, left: Values, right: Values, tolerance: float | None = None) -> Outcomes:
    """Return the possible outcomes of comparing any value of one side with any of the other.

    An equality of numbers ignores a difference up to `tolerance`; see `ValueInterval.outcomes`.
    """
    match left, right:
        case ValueInterval(), ValueInterval() if left.dated == right.dated:
            return left.outcomes(test, right, tolerance)
        case LevelSets(), LevelSets():
            return left.outcomes_with(test, right)
    return Outcomes.open()


def intervals_of(low: pd.Series[Any], high: pd.Series[Any], missing: Bools) -> ValueInterval:
    """Return (cells,) intervals from columns of lowest and highest values; both are missing where there is no value.

    Example:
        >>> import pandas as pd
        >>> intervals_of(pd.Series([1, None]), pd.Series([5, None]), np.array([False, True])).high.tolist()
        [5.0, 0.0]
    """
    sides = [column_operand("", column) for column in (low, high)]
    dated = sides[0].families == {"date"}
    ends = [
        side.values.astype("datetime64[us]").astype(np.int64) / _SECONDS if dated else side.values.astype(np.float64)
        for side in sides
    ]
    none = sides[0].missing
    return ValueInterval(np.where(none, 0.0, ends[0]), np.where(none, 0.0, ends[1]), ~none, missing, dated)
