"""Columns that hold the very value of another, or of a formula: a code says in which rows, since bins meet by luck."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from synthclin.encoding.layout import ColumnLayout
from synthclin.encoding.line_codec import LineCodec
from synthclin.expressions import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from synthclin.encoding.codecs import Codec
    from synthclin.encoding.protection import Limits

__all__ = ["Tie", "find_ties", "tie_from_dict"]

OFTEN = 0.1
"""Share of the rows with both values from which on equality is a fact of its own."""

ENOUGH = 1_000
"""Rows below which a further column costs more than it tells."""

_LOOK = 2_000
"""Rows that rule most pairs out before all rows are compared."""


@dataclass(frozen=True, slots=True)
class Tie:
    """A column that often repeats another of its type, or an expression.

    Arguments:
        first: gives the value: a column's name; of a declared tie, an expression.
        second: takes it over where the tie's code is 1.
        declared: whether the schema names the two: the end of follow-up, at which many times of an event lie.
    """

    first: str
    second: str
    declared: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the columns that give the value."""
        return tuple(sorted(parse(self.first).columns)) if self.declared else (self.first,)

    def value(self, table: pd.DataFrame) -> pd.Series:
        """Return the (rows,) values to be repeated."""
        return parse(self.first).compute(table) if self.declared else table[self.first]

    @property
    def layout(self) -> ColumnLayout:
        """Two codes: 1 where both cells are there and equal, 0 everywhere else."""
        no = np.zeros(2, dtype=np.bool_)
        return ColumnLayout(f"{self.first} = {self.second}", 2, "levels", None, ~no, no)

    def encode(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """Return the (rows,) codes of a typed table."""
        equal = self.value(table).eq(table[self.second])
        return equal.fillna(value=False).to_numpy(dtype=np.bool_).astype(np.int64)


def find_ties(
    table: pd.DataFrame,
    codecs: Mapping[str, Codec],
    ends: Mapping[str, str],
    patient: NDArray[np.int64],
    limits: Limits,
) -> tuple[Tie, ...]:
    """Return the ties of a typed table; each column repeats at most one other, the one it repeats most often.

    Those that the schema declares are ties as soon as enough patients have equal values; they come last, since their
    formulas may read what other ties settle.

    Arguments:
        table: (rows, columns) in canonical types.
        codecs: of the columns that may be tied.
        ends: by name of a column, the expression that the schema says it often equals; see `Schema.ends`.
        patient: (rows,) whose row it is.
        limits: how many patients must have equal values.
    """
    declared = []
    for second, first in ends.items():
        tie = Tie(first, second, declared=True)
        if second in codecs and codecs.keys() >= set(tie.sources):
            held = len(np.unique(patient[tie.encode(table) == 1]))
            declared += [tie] if held >= limits.value else []
    told = {frozenset((*tie.sources, tie.second)) for tie in declared}
    found = _frequent(table, codecs, patient, limits) if len(table) >= ENOUGH else ()
    taken = {tie.second for tie in declared}
    free = (tie for tie in found if tie.second not in taken and {tie.first, tie.second} not in told)
    return (*free, *declared)


def _frequent(
    table: pd.DataFrame, codecs: Mapping[str, Codec], patient: NDArray[np.int64], limits: Limits
) -> tuple[Tie, ...]:
    """Return the pairs of columns that are equal in many rows.

    Two values that have a code each are equal whenever the codes say so; only equality with a bin in it counts.
    """
    lines = {name: codec for name, codec in codecs.items() if isinstance(codec, LineCodec)}
    inside = {name: ~codec.layout(name).point_masses[codec.encode(table[name])[0]] for name, codec in lines.items()}
    positions = {name: codec.axis.positions(table[name]) for name, codec in lines.items()}
    step = max(1, len(table) // _LOOK)
    best: dict[str, tuple[float, str]] = {}
    for first, second in combinations(lines, 2):
        if not _alike(lines[first], lines[second]):
            continue
        few = slice(None, None, step)
        if _share(positions[first][few], positions[second][few], inside[first][few] | inside[second][few]) < OFTEN / 2:
            continue
        both = inside[first] | inside[second]
        share = _share(positions[first], positions[second], both)
        equal = both & (positions[first] == positions[second])
        if share >= OFTEN and len(np.unique(patient[equal])) >= limits.value:
            best[second] = max(best.get(second, (0.0, "")), (share, first))
    return tuple(Tie(first, second) for second, (_, first) in best.items())


def tie_from_dict(pair: object, codecs: Mapping[str, Codec], ends: Mapping[str, str]) -> Tie:
    """Return the tie that was written as its first and second; see `find_ties` for the arguments.

    Raises:
        ValueError: it is no such pair, or its columns cannot be equal.
    """
    if not isinstance(pair, list) or len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError("no pair")
    if pair[1] in ends and ends[pair[1]] == pair[0]:
        return Tie(pair[0], pair[1], declared=True)
    first, second = codecs[pair[0]], codecs[pair[1]]
    if not isinstance(first, LineCodec) or not isinstance(second, LineCodec) or not _alike(first, second):
        raise ValueError("not alike")
    return Tie(pair[0], pair[1])


def _alike(first: LineCodec, second: LineCodec) -> bool:
    """Whether a position means the same cell in both columns."""
    a, b = first.axis, second.axis
    return (a.kind, a.per_unit, a.step) == (b.kind, b.per_unit, b.step)


def _share(first: NDArray[np.float64], second: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """Return how many of the rows with both values have equal ones, and not both a code of their own."""
    known = np.isfinite(first) & np.isfinite(second)
    return float((inside & (first == second)).sum() / max(1, known.sum()))
