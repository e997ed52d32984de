"""Tied columns: exact equality of two columns, or of a column and a formula, encoded as a code of its own.

Two bins rarely decode to exactly equal values, so the codes of the columns cannot represent equality.
"""

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

__all__ = ["TiedColumns", "find_tied_columns", "tied_columns_from_dict"]

OFTEN = 0.1
"""The least share of the rows with both values that are equal."""

ENOUGH = 1_000
"""The least number of rows: in fewer, a further column costs more than it adds."""

_LOOK = 2_000
"""The number of rows compared first, which excludes most pairs."""


@dataclass(frozen=True, slots=True)
class TiedColumns:
    """A column that often repeats another of its type, or an expression.

    Arguments:
        first: the source of the value: a column's name; of a declared tie, an expression.
        second: the column that equals it where the tie's code is 1.
        declared: whether the schema states the tie: the end of follow-up, which many event times equal.
    """

    first: str
    second: str
    declared: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the source columns."""
        return tuple(sorted(parse(self.first).columns)) if self.declared else (self.first,)

    def value(self, table: pd.DataFrame) -> pd.Series:
        """Return the (rows,) values of the source."""
        return parse(self.first).compute(table) if self.declared else table[self.first]

    @property
    def layout(self) -> ColumnLayout:
        """Two codes: 1 where both cells are present and equal, 0 everywhere else."""
        no = np.zeros(2, dtype=np.bool_)
        return ColumnLayout(f"{self.first} = {self.second}", 2, "levels", None, ~no, no)

    def encode(self, table: pd.DataFrame) -> NDArray[np.int64]:
        """Return the (rows,) codes of a typed table."""
        equal = self.value(table).eq(table[self.second])
        return equal.fillna(value=False).to_numpy(dtype=np.bool_).astype(np.int64)


def find_tied_columns(
    table: pd.DataFrame,
    codecs: Mapping[str, Codec],
    ends: Mapping[str, str],
    patient: NDArray[np.int64],
    limits: Limits,
) -> tuple[TiedColumns, ...]:
    """Return the ties of a typed table; each column repeats at most one other, the one it repeats most often.

    Declared ties need only enough patients with equal values; they come last, since their formulas may read columns
    that other ties change.

    Arguments:
        table: (rows, columns) in canonical types.
        codecs: of the columns that may be tied.
        ends: by name of a column, the expression that it often equals; see `Schema.ends`.
        patient: (rows,) the number of each row's patient.
        limits: the smallest number of patients with equal values.
    """
    declared = []
    for second, first in ends.items():
        tie = TiedColumns(first, second, declared=True)
        if second in codecs and codecs.keys() >= set(tie.sources):
            equal = len(np.unique(patient[tie.encode(table) == 1]))
            declared += [tie] if equal >= limits.value else []
    pairs = {frozenset((*tie.sources, tie.second)) for tie in declared}
    found = _frequent(table, codecs, patient, limits) if len(table) >= ENOUGH else ()
    taken = {tie.second for tie in declared}
    free = (tie for tie in found if tie.second not in taken and {tie.first, tie.second} not in pairs)
    return (*free, *declared)


def _frequent(
    table: pd.DataFrame, codecs: Mapping[str, Codec], patient: NDArray[np.int64], limits: Limits
) -> tuple[TiedColumns, ...]:
    """Return the pairs of columns that are equal in many rows.

    Two point masses are equal if their codes are those of equal values; only equality that involves a bin counts.
    """
    lines = {name: codec for name, codec in codecs.items() if isinstance(codec, LineCodec)}
    inside = {name: ~codec.layout(name).point_masses[codec.encode(table[name])[0]] for name, codec in lines.items()}
    positions = {name: codec.axis.plain_positions(table[name]) for name, codec in lines.items()}
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
    return tuple(TiedColumns(first, second) for second, (_, first) in best.items())


def tied_columns_from_dict(pair: object, codecs: Mapping[str, Codec], ends: Mapping[str, str]) -> TiedColumns:
    """Return the tie that was written as its first and second; see `find_tied_columns` for the arguments.

    Raises:
        ValueError: it is no such pair, or its columns cannot be equal.
    """
    if not isinstance(pair, list) or len(pair) != 2 or pair[0] == pair[1]:
        raise ValueError("no pair")
    if pair[1] in ends and ends[pair[1]] == pair[0]:
        return TiedColumns(pair[0], pair[1], declared=True)
    first, second = codecs[pair[0]], codecs[pair[1]]
    if not isinstance(first, LineCodec) or not isinstance(second, LineCodec) or not _alike(first, second):
        raise ValueError("columns of different types")
    return TiedColumns(pair[0], pair[1])


def _alike(first: LineCodec, second: LineCodec) -> bool:
    """Whether a position means the same cell in both columns."""
    a, b = first.axis, second.axis
    return (a.kind, a.per_unit, a.step) == (b.kind, b.per_unit, b.step)


def _share(first: NDArray[np.float64], second: NDArray[np.float64], inside: NDArray[np.bool_]) -> float:
    """Return the share of rows with both values in which they are equal and at least one lies in a bin."""
    known = np.isfinite(first) & np.isfinite(second)
    return float((inside & (first == second)).sum() / max(1, known.sum()))
