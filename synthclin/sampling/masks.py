"""Codes that no rule allows any more, asked for before each column of a row is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from synthclin.encoding.line_codec import LineCodec
from synthclin.expressions.value_sets import Interval, LevelSets, Values, intervals_of
from synthclin.rules.propagation import Constraint, Contradiction, filtered_domains, forbidden_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from synthclin.encoding import TableEncoder
    from synthclin.encoding.layout import ColumnLayout

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

__all__ = ["ConstraintMask", "values_of"]

_REMEMBERED = 1 << 18
"""Cells of a table of what is ruled out, for all codes of some columns, up to which it is made once and kept."""


class ConstraintMask:
    """Rules the codes of the next column out, given those drawn so far.

    A code goes where some rule is certainly broken, whatever the cell holds inside its bin and whatever the columns
    to come hold, within what the rules leave them all. That is one rule at a time: what two rules forbid together is
    found when the row is whole.

    Arguments:
        encoder: gives what the codes of each column stand for.
        constraints: rules, and conditions between columns.
        allowed: by index of a column, the (codes,) that a condition on that column alone allows.

    Attributes:
        impossible: rules and conditions that leave some column no code, or None; then no row can be drawn.

    Example:
        >>> import pandas as pd
        >>> from synthclin.encoding import TableEncoder
        >>> from synthclin.rules.propagation import constraints_of
        >>> from synthclin.schema import Schema
        >>> whole = {"type": "integer", "range": [0, 9]}
        >>> schema = Schema.model_validate({"columns": {"low": whole, "high": whole}, "constraints": ["low < high"]})
        >>> table = pd.DataFrame({"low": [1, 2, 5] * 20, "high": [2, 5, 9] * 20}, dtype="Int64")
        >>> guide = ConstraintMask(TableEncoder.fit(table, schema), constraints_of(schema))
        >>> guide(1, {0: torch.tensor([0, 2])}).tolist()  # above 1 stand 2, 5 and 9, above 5 only 9
        [[False, False, False], [True, True, False]]
    """

    def __init__(
        self, encoder: TableEncoder, constraints: Sequence[Constraint], allowed: Mapping[int, Bools] | None = None
    ) -> None:
        columns = encoder.layout.columns[: len(encoder.codecs)]
        self.schema, self.place = encoder.schema, {column.name: j for j, column in enumerate(columns)}
        self.domains = {column.name: values_of(encoder, column) for column in columns}
        kept = {c.name: ~c.never & (allowed or {}).get(j, ~c.never) for j, c in enumerate(columns)}
        self.kept, blamed = filtered_domains(self.schema, constraints, self.domains, kept)
        empty = next((name for name, mask in self.kept.items() if not mask.any()), None)
        self.impossible = None if empty is None else Contradiction(empty, tuple(sorted(blamed[empty])))
        self.masked = {self.place[name]: kept[name] & ~self.kept[name] for name in kept}
        self.asked, self.constraints = constraints, dict[int, list[Constraint]]()
        for constraint in constraints:
            for name in constraint.columns if len(constraint.columns) > 1 else ():
                self.constraints.setdefault(self.place[name], []).append(constraint)
        self._hulls = {name: values.hull(self.kept[name]) for name, values in self.domains.items()}
        # The last of these stands for a cell that is not known yet.
        self._given = {name: values.with_hull(self.kept[name]) for name, values in self.domains.items()}
        self._known: dict[tuple[Constraint, int, tuple[int, ...]], Bools | None] = {}

    def __call__(self, column: int, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return (rows, codes) which codes of a column are ruled out, or None where none is in any row.

        Arguments:
            column: its index in the layout.
            sampled: by index of a column, the (rows,) codes that are known of it, -1 where none is.
        """
        masked = self.masked.get(column)
        found: Bools | None = None if masked is None or not masked.any() else masked[None]
        for constraint in self.constraints.get(column, ()):
            given = tuple(j for name in constraint.columns if (j := self.place[name]) in sampled and j != column)
            broken = self._broken(constraint, column, given, sampled)
            if broken is not None:
                found = broken if found is None else found | broken
        return None if found is None or not found.any() else torch.from_numpy(np.array(found))

    def broken(self, codes: Tensor) -> dict[str, Bools]:
        """Return which rows of (rows, columns) codes break each rule for certain, by the rule's text.

        What depends on where in its bin a cell lies counts as held: the codes do not say it.
        """
        given = {name: self.domains[name].take(codes[:, [j]].numpy()) for name, j in self.place.items()}
        return {
            constraint.text: np.broadcast_to(forbidden_codes(constraint, self.schema, given), (len(codes), 1))[:, 0]
            for constraint in self.asked
        }

    def _broken(
        self, constraint: Constraint, column: int, given: tuple[int, ...], sampled: Mapping[int, Tensor]
    ) -> Bools | None:
        """Return (rows or 1, codes) where one rule is certainly broken; None for nowhere."""
        names = list(self.place)
        sizes = tuple(len(self._given[names[j]]) for j in given)
        key = (constraint, column, given)
        if float(np.prod(sizes, dtype=np.float64)) * len(self.domains[names[column]]) <= _REMEMBERED:
            if key not in self._known:
                every = np.indices(sizes).reshape(len(sizes), -1) if sizes else np.empty((0, 1), dtype=np.int64)
                table = self._asked(constraint, column, dict(zip(given, every, strict=True)))
                self._known[key] = table if table.any() else None
            table_or_none = self._known[key]
            if table_or_none is None or not given:
                return table_or_none
            places = [sampled[j].cpu().numpy() % size for j, size in zip(given, sizes, strict=True)]
            rows = np.ravel_multi_index(places, sizes)
            return table_or_none[rows]
        codes = np.stack([sampled[j].cpu().numpy() for j in given])
        distinct, which = np.unique(codes, axis=1, return_inverse=True)
        return self._asked(constraint, column, dict(zip(given, distinct, strict=True)))[which.ravel()]

    def _asked(self, constraint: Constraint, column: int, given: Mapping[int, Ints]) -> Bools:
        """Return (combinations, codes) where a rule is certainly broken for (combinations,) codes of given columns."""
        names = list(self.place)
        cells: dict[str, Values] = {name: self._hulls[name] for name in constraint.columns}
        cells |= {names[j]: self._given[names[j]].take(codes[:, None]) for j, codes in given.items()}
        mine = self.domains[names[column]]
        cells[names[column]] = mine.take(np.arange(len(mine))[None])
        rows = max((len(codes) for codes in given.values()), default=1)
        return np.broadcast_to(forbidden_codes(constraint, self.schema, cells), (rows, len(mine)))


def values_of(encoder: TableEncoder, column: ColumnLayout) -> Values:
    """Return what the (codes,) of a column stand for, as sets of values.

    The code of a date that is told from another one is a distance: without that other one it may be any date.
    """
    codec = encoder.codecs[column.name]
    missing = np.arange(column.cardinality) == (-1 if column.missing is None else column.missing)
    if column.name in encoder.anchors:
        far = np.full(column.cardinality, np.inf)
        # Where the anchor is missing, so is the date.
        return Interval(-far, far, ~missing, np.ones_like(missing), dated=True)
    if isinstance(codec, LineCodec):
        low, high = codec.ends()
        return intervals_of(low, high, missing)
    drawn = ~column.never[codec.cells.code]
    code = codec.cells.code[drawn]
    cells = codec.decode(code, codec.cells.centre[drawn])
    if not isinstance(cells.dtype, pd.CategoricalDtype):
        by_code = pd.DataFrame({"code": code, "value": cells.astype("Float64").astype(float)}).groupby("code")["value"]
        every = pd.RangeIndex(column.cardinality)
        return intervals_of(by_code.min().reindex(every), by_code.max().reindex(every), missing)
    level = np.array(cells.cat.codes, dtype=np.int64)
    possible = np.zeros((column.cardinality, len(cells.dtype.categories)), dtype=np.bool_)
    possible[code[level >= 0], level[level >= 0]] = True
    levels = tuple(cells.dtype.categories)
    return LevelSets(levels, possible, missing, np.arange(column.cardinality), bool(cells.dtype.ordered))
