"""Constraint propagation mask: the codes of the next column that violate a rule given the codes sampled so far."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from synthclin.encoding.line_codec import LineCodec
from synthclin.expressions.value_sets import LevelSets, ValueInterval, Values, intervals_of
from synthclin.rules.contradictions import Contradiction
from synthclin.rules.propagation import Constraint, filtered_domains, forbidden_codes

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from synthclin.encoding import TableEncoder
    from synthclin.encoding.layout import ColumnLayout

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

__all__ = ["ConstraintMask", "distinct_codes", "mask_of", "values_of"]

_CACHED = 1 << 18
"""Cells of a table of masked codes, for all codes of some columns, up to which it is computed once and cached."""

_LARGEST = 2.0**62
"""Combinations of codes that one number can tell apart."""


class ConstraintMask:
    """Constraint propagator: masks codes of the next column by forward checking (Haralick & Elliott 1980).

    A code is masked if it certainly violates some rule: for every position inside its bin and every value that domain
    filtering leaves the columns that follow. Each rule is propagated on its own; what two rules forbid only together
    is found when the row is complete. Haralick & Elliott: doi:10.1016/0004-3702(80)90051-X.

    Arguments:
        encoder: gives the values that the codes of each column represent.
        constraints: rules, and conditions between columns.
        allowed: by index of a column, the (codes,) that a condition on that column alone allows.

    Attributes:
        hulls: by name of a column, the (1, 1) values of all its codes.
        impossible: rules and conditions that leave some column without a code, or None; then no row can be sampled.

    Example:
        >>> import pandas as pd
        >>> from synthclin.encoding import TableEncoder
        >>> from synthclin.rules.propagation import constraints_of
        >>> from synthclin.schema import Schema
        >>> whole = {"type": "integer", "range": [0, 9]}
        >>> schema = Schema.model_validate({"columns": {"low": whole, "high": whole}, "constraints": ["low < high"]})
        >>> table = pd.DataFrame({"low": [1, 2, 5] * 20, "high": [2, 5, 9] * 20}, dtype="Int64")
        >>> mask = ConstraintMask(TableEncoder.fit(table, schema), constraints_of(schema))
        >>> mask(1, {0: torch.tensor([0, 2])}).T.tolist()  # 2, 5 and 9 exceed 1; only 9 exceeds 5
        [[0.0, 0.0, 0.0], [-inf, -inf, 0.0]]
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
        self.hulls = {name: values.hull(self.kept[name]) for name, values in self.domains.items()}
        # The last entry represents a cell that is not known yet.
        self._given = {name: values.with_hull(self.kept[name]) for name, values in self.domains.items()}
        self._tables: dict[tuple[Constraint, int, tuple[int, ...]], Tensor | None] = {}

    def __call__(self, column: int, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return the (codes, rows or 1) mask of a column, -inf for forbidden codes, else 0; None where no rule applies.

        Arguments:
            column: its index in the layout.
            sampled: by index of a column, its (rows,) known codes, -1 where unknown.
        """
        masked = self.masked.get(column)
        found = None if masked is None or not masked.any() else mask_of(masked[:, None])
        for constraint in self.constraints.get(column, ()):
            given = tuple(j for name in constraint.columns if (j := self.place[name]) in sampled and j != column)
            mask = self._masked(constraint, column, given, sampled)
            if mask is not None:
                found = mask if found is None else found + mask
        return found

    def rows(self, part: slice) -> ConstraintMask:  # noqa: ARG002 - the contract's
        """Return the mask of some of the rows: it is the same for all."""
        return self

    def broken(self, codes: Tensor) -> dict[str, Bools]:
        """Return which rows of (rows, columns) codes certainly violate each rule, by the rule's text.

        A rule that depends on the position inside a bin counts as satisfied.
        """
        given = {name: self.domains[name].take(codes[:, [j]].numpy()) for name, j in self.place.items()}
        return {
            constraint.text: np.broadcast_to(forbidden_codes(constraint, self.schema, given), (len(codes), 1))[:, 0]
            for constraint in self.asked
        }

    def _masked(
        self, constraint: Constraint, column: int, given: tuple[int, ...], sampled: Mapping[int, Tensor]
    ) -> Tensor | None:
        """Return the (codes, rows or 1) mask of codes that certainly violate one rule; None if there are none."""
        names = list(self.place)
        sizes = tuple(len(self._given[names[j]]) for j in given)
        # An unknown code is -1, whose remainder is the last entry.
        codes = [sampled[j].cpu().remainder(size) for j, size in zip(given, sizes, strict=True)]
        if float(np.prod(sizes, dtype=np.float64)) * len(self.domains[names[column]]) > _CACHED:
            distinct, which = distinct_codes(codes, sizes)
            violated = self._violated(constraint, column, dict(zip(given, distinct, strict=True)))
            return mask_of(violated).index_select(1, which)
        key = (constraint, column, given)
        if key not in self._tables:
            every = np.indices(sizes).reshape(len(sizes), -1) if sizes else np.empty((0, 1), dtype=np.int64)
            violated = self._violated(constraint, column, dict(zip(given, every, strict=True)))
            self._tables[key] = mask_of(violated) if violated.any() else None
        table = self._tables[key]
        return table if table is None or not given else table.index_select(1, _numbered(codes, sizes))

    def _violated(self, constraint: Constraint, column: int, given: Mapping[int, Ints]) -> Bools:
        """Return the (codes, combinations) mask of one rule for (combinations,) codes of given columns."""
        names = list(self.place)
        cells: dict[str, Values] = {name: self.hulls[name] for name in constraint.columns}
        cells |= {names[j]: self._given[names[j]].take(codes[:, None]) for j, codes in given.items()}
        domain = self.domains[names[column]]
        cells[names[column]] = domain.take(np.arange(len(domain))[None])
        rows = max((len(codes) for codes in given.values()), default=1)
        return np.broadcast_to(forbidden_codes(constraint, self.schema, cells), (rows, len(domain))).T


def mask_of(forbidden: Bools) -> Tensor:
    """Return -inf for forbidden codes and 0 for the others: adding it is faster than filling."""
    return torch.from_numpy(np.where(forbidden, np.float32(-np.inf), np.float32(0)))


def _numbered(codes: Sequence[Tensor], sizes: Sequence[int]) -> Tensor:
    """Return the (rows,) number of each combination of codes, the last column counting fastest."""
    number = codes[0]
    for one, size in zip(codes[1:], sizes[1:], strict=True):
        number = number * size + one
    return number


def distinct_codes(codes: Sequence[Tensor], sizes: Sequence[int]) -> tuple[Ints, Tensor]:
    """Return the distinct (columns, combinations) of codes, and the (rows,) number of each row's combination."""
    number, count = codes[0], float(sizes[0])
    for one, size in zip(codes[1:], sizes[1:], strict=True):
        if count * size > _LARGEST:
            values, number = torch.unique(number, return_inverse=True)
            count = float(len(values))
        number, count = number * size + one, count * size
    _, first, which = np.unique(number.numpy(), return_index=True, return_inverse=True)
    return np.stack([one.numpy()[first] for one in codes]), torch.from_numpy(which)


def values_of(encoder: TableEncoder, column: ColumnLayout) -> Values:
    """Return the sets of values that the (codes,) of a column represent: the domain of constraint propagation.

    The code of an anchored date is a distance from its anchor: without the anchor it may be any date.
    """
    codec = encoder.codecs[column.name]
    missing = np.arange(column.cardinality) == (-1 if column.missing is None else column.missing)
    if column.name in encoder.anchors:
        far = np.full(column.cardinality, np.inf)
        # Where the anchor is missing, so is the date.
        return ValueInterval(-far, far, ~missing, np.ones_like(missing), dated=True)
    if isinstance(codec, LineCodec):
        low, high = codec.ends()
        return intervals_of(low, high, missing)
    possible_cells = ~column.never[codec.cells.code]
    code = codec.cells.code[possible_cells]
    cells = codec.decode(code, codec.cells.centre[possible_cells])
    if not isinstance(cells.dtype, pd.CategoricalDtype):
        by_code = pd.DataFrame({"code": code, "value": cells.astype("Float64").astype(float)}).groupby("code")["value"]
        every = pd.RangeIndex(column.cardinality)
        return intervals_of(by_code.min().reindex(every), by_code.max().reindex(every), missing)
    level = np.array(cells.cat.codes, dtype=np.int64)
    possible = np.zeros((column.cardinality, len(cells.dtype.categories)), dtype=np.bool_)
    possible[code[level >= 0], level[level >= 0]] = True
    levels = tuple(cells.dtype.categories)
    return LevelSets(levels, possible, missing, np.arange(column.cardinality), bool(cells.dtype.ordered))
