"""Domains of the cells of partially observed rows: exact given values, and filtered codes of the cells to impute."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from synthclin.expressions import quote_name
from synthclin.expressions.value_sets import ValueInterval, Values
from synthclin.rules.propagation import constraint_of_rule, constraints_of, filtered_domains, forbidden_codes
from synthclin.sampling.cell_values import CodecCells, as_column, distinct_values, flat, points_of, rows_of
from synthclin.sampling.masks import distinct_codes, mask_of
from synthclin.schema.constraints import Rule

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from synthclin.encoding import TableEncoder
    from synthclin.rules.propagation import Constraint
    from synthclin.sampling.masks import ConstraintMask
    from synthclin.sampling.observed import Partial
    from synthclin.schema import Schema

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

__all__ = ["RowDomains", "RowMask", "completion_constraints"]

_SWEEPS = 100
"""Sweeps over all rules at most; see `synthclin.rules.propagation.filtered_domains`."""


def completion_constraints(schema: Schema, asked: Collection[str], cells: pd.DataFrame) -> list[Constraint]:
    """Return the constraints of imputed rows: those of sampled rows, and more.

    A given cell of a derived column constrains the cells of its formula. A column that rules may empty is empty nowhere
    else.

    Arguments:
        schema: has the rules.
        asked: the columns whose missing cells are imputed.
        cells: the given ones.
    """
    imposed = {rule.text for rule in schema.imposed}
    derived = {name for name, column in schema.columns.items() if column.derive is not None and name in cells}
    given = {name for name in derived if cells[name].notna().any()}
    rules = [rule for rule in schema.rules if rule.text not in imposed and given & set(rule.columns)]
    rules += [
        Rule(when=f"not ({text})", then=f"{quote_name(name)} is not missing")
        for name in asked
        if (text := schema.empty_when(name)) is not None
    ]
    found = (constraint_of_rule(rule, schema) for rule in rules)
    return [*constraints_of(schema), *(constraint for constraint in found if constraint.columns)]


@dataclass(slots=True)
class RowDomains:
    """Domains of all cells of some partially observed rows, filtered by bounds consistency (Mackworth 1977).

    Where rules leave a cell to impute no value, it stays missing if its column allows that. The filter is that of
    `synthclin.rules.propagation.filtered_domains`, for many rows at once.

    Arguments:
        mask: of the rules; see `completion_constraints`.
        encoder: gives the values that codes represent.
        partial: the rows.
        asked: the columns whose missing cells are imputed.

    Attributes:
        values: by name of a column, its (rows,) given values or, of unknown cells, all values that they may have.
        start: by index of a column, the (rows, codes) that are allowed before filtering.
        kept: the same after filtering.
        stays_missing: (rows, columns) cells to impute that may stay missing: optional ones, and those that rules leave
            no value.
        impossible: (rows,) whether some cell has no value left, so that no completion exists.
        derived: by name of a derived column, its (rows, 1) given values and where there is one.
        lookup: by name of a column, the values of all codes, then the distinct ones of `values`.
        places: by name of a column, the (rows,) index into `lookup` of each row's values.
    """

    mask: ConstraintMask
    encoder: TableEncoder
    partial: Partial
    asked: Collection[str]
    values: dict[str, Values] = field(init=False)
    start: dict[int, Bools] = field(init=False)
    kept: dict[int, Bools] = field(init=False)
    stays_missing: Bools = field(init=False)
    impossible: Bools = field(init=False)
    derived: dict[str, tuple[Values, Bools]] = field(init=False)
    lookup: dict[str, Values] = field(init=False)
    places: dict[str, Ints] = field(init=False)
    _cells: dict[str, CodecCells] = field(init=False)
    _first: dict[str, Bools] = field(init=False)
    _left: dict[str, Bools] = field(init=False)

    def __post_init__(self) -> None:
        schema, table = self.encoder.schema, self.partial.cells
        columns = self.encoder.layout.columns[: len(self.encoder.codecs)]
        self._cells = {column.name: CodecCells.of(self.encoder, column) for column in columns}
        self.values = {name: points_of(table[name], each.values) for name, each in self._cells.items()}
        self.derived, self._first = {}, {}
        for name, declared in schema.columns.items():
            if declared.derive is not None and name in table and (given := table[name].notna().to_numpy()).any():
                self.derived[name] = (as_column(points_of(table[name])), given[:, None])
        for column in columns:
            code = self._cells[column.name].code
            self._first[column.name] = np.tile(~column.never[code], (len(table), 1))
            if column.missing is not None and column.name in self.asked:
                may = self.partial.may_be_empty[:, [list(self._cells).index(column.name)]]
                self._first[column.name] &= may | (code != column.missing)
        self._left = {name: first.copy() for name, first in self._first.items()}
        self.stays_missing = self.partial.optional.copy()
        self._filter(np.arange(len(table)))
        self._let_stay_missing()
        self.impossible = ~np.all([self._open(name) for name in self._left], axis=0)
        self.start, self.kept = {}, {}
        for j, (name, cells) in enumerate(self._cells.items()):
            self.kept[j] = cells.by_code(self._left[name])
            self.start[j] = cells.by_code(self._first[name]) & self.mask.kept[name] | self.kept[j]
            # The cell of a known code need not lie inside the range of the code.
            known = np.flatnonzero(self.partial.codes[:, j].numpy() >= 0)
            for allowed in (self.start[j], self.kept[j]):
                allowed[known, self.partial.codes[known, j].numpy()] = True
            self.values[name] = flat(self._hull(name))
        distinct = {name: distinct_values(values) for name, values in self.values.items()}
        self.places = {name: place for name, (_, place) in distinct.items()}
        self.lookup = {
            name: self.mask.domains[name].joined(values)  # type: ignore[arg-type]
            for name, (values, _) in distinct.items()
        }
        self.places = {name: len(self.mask.domains[name]) + place for name, place in self.places.items()}

    def possible_cells(self, name: str) -> Bools:
        """Return the (rows, cells) of a column's codec that filtering has left; of a number, the (rows, codes)."""
        return self._left[name]

    def emptied(self) -> dict[str, Ints]:
        """Return the rows that rules leave no value, by the column of the first such cell in each row."""
        found, before = {}, np.zeros_like(self.impossible)
        for name in self._left:
            none_left = ~self._open(name) & ~before
            before |= none_left
            if none_left.any():
                found[name] = np.flatnonzero(none_left)
        return found

    def admits(self, name: str, cells: pd.Series, rows: Ints) -> Bools:
        """Return where a value of a column may satisfy each rule; unknown numbers may be any, also untrained ones.

        Arguments:
            name: of the column.
            cells: (some,) its values.
            rows: (some,) numbers of their rows.
        """
        found = np.ones(len(rows), dtype=np.bool_)
        value = as_column(points_of(cells, self._cells[name].values))
        for constraint in self.mask.asked:
            if name in constraint.columns:
                others = {other: self._unbounded(other, rows) for other in constraint.columns if other != name}
                broken = self.broken(constraint, {**others, name: value}, rows)
                found &= ~np.broadcast_to(broken, (len(rows), 1))[:, 0]
        return found

    def distance(self, name: str, cells: pd.Series) -> NDArray[np.float64]:
        """Return how far (rows,) numbers or dates lie beyond the values of all codes of their column, 0 inside."""
        value, range_ = points_of(cells, self._cells[name].values), self.mask.hulls[name]
        if not isinstance(value, ValueInterval) or not isinstance(range_, ValueInterval):
            return np.zeros(len(cells))
        return np.asarray(np.maximum(np.maximum(range_.low[0] - value.low, value.low - range_.high[0]), 0.0))

    def blamed(self, row: int) -> tuple[str, tuple[str, ...]]:
        """Return the column of an impossible row that has no value left, and the rules that exclude all of them."""
        one = np.array([row])
        kept, domains = {}, {}
        for name, unknown in zip(self._cells, self.partial.unknown[row], strict=True):
            domains[name] = self._cells[name].values if unknown else self.values[name].take(one)
            kept[name] = self._first[name][row] if unknown else np.ones(1, dtype=np.bool_)
        derived = {name: (rows_of(values, one), given[one]) for name, (values, given) in self.derived.items()}
        left, blamed = filtered_domains(self.encoder.schema, self.mask.asked, domains, kept, derived)
        # Here a given cell is emptied as well, if it comes first in the rule.
        rules = {rule for name, mask in left.items() if not mask.any() for rule in blamed[name]}
        return next(name for name in self._left if not self._open(name)[row]), tuple(sorted(rules))

    def _open(self, name: str) -> Bools:
        """Return the (rows,) whose cell is known or has a value left."""
        return ~self._unknown(name) | self._left[name].any(axis=1)

    def _unknown(self, name: str) -> Bools:
        return self.partial.unknown[:, list(self._cells).index(name)]

    def _hull(self, name: str) -> Values:
        """Return the (rows, 1) values that the cells of a column may have."""
        hull = self._cells[name].values.hull(self._left[name])
        return as_column(self.values[name]).chosen(~self._unknown(name)[:, None], hull)  # type: ignore[arg-type]

    def _unbounded(self, name: str, rows: Ints) -> Values:
        """Return the (rows, 1) values that cells may have, where unknown numbers may also lie beyond all codes."""
        values = rows_of(as_column(self.values[name]), rows)
        if not isinstance(values, ValueInterval):
            return values
        unknown = self._unknown(name)[rows, None]
        low, high = np.where(unknown, -np.inf, values.low), np.where(unknown, np.inf, values.high)
        return replace(values, low=low, high=high, present=values.present | unknown)

    def _filter(self, rows: Ints) -> None:
        """Remove from the domains of some rows the values that certainly violate a rule."""
        changed = {name: np.isin(np.arange(len(left)), rows) for name, left in self._left.items()}
        hulls = {name: self._hull(name) for name in self._cells}
        alive = np.all([self._open(name) for name in self._cells], axis=0)
        for _ in range(_SWEEPS):
            before, changed = changed, {name: np.zeros_like(mask) for name, mask in changed.items()}
            for constraint in self.mask.asked:
                touched = np.any([before[name] | changed[name] for name in constraint.columns], axis=0)
                for name in constraint.columns:
                    some = np.flatnonzero(touched & alive & self._unknown(name))
                    if not len(some):
                        continue
                    cells = {other: rows_of(hulls[other], some) for other in constraint.columns}
                    cells[name] = self._cells[name].values.take(np.arange(len(self._cells[name].code))[None])
                    broken = self.broken(constraint, cells, some) & self._left[name][some]
                    hit = some[broken.any(axis=1)]
                    if len(hit):
                        self._left[name][some] &= ~broken
                        changed[name][hit] = True
                        alive[hit] = self._left[name][hit].any(axis=1)
                        hulls[name] = self._hull(name)
            if not any(mask.any() for mask in changed.values()):
                return

    def broken(self, constraint: Constraint, cells: Mapping[str, Values], rows: Ints) -> Bools:
        """Return where a rule is certainly violated; `cells` are (1 or rows, codes or 1) values, `rows` their rows."""
        named = constraint.names & self.derived.keys()
        derived = {name: (rows_of(self.derived[name][0], rows), self.derived[name][1][rows]) for name in named}
        return forbidden_codes(constraint, self.encoder.schema, cells, derived)

    def _let_stay_missing(self) -> None:
        """Let cells stay missing where rules leave them no value; else other cells to impute of the same rules."""
        names = list(self._cells)
        related = np.eye(len(names), dtype=np.bool_)
        for constraint in self.mask.asked:
            of = [names.index(name) for name in constraint.columns]
            related[np.ix_(of, of)] = True
        layout = self.encoder.layout.columns
        may = np.array([each.missing is not None and not each.never[each.missing] for each in layout[: len(names)]])
        for _ in range(len(names)):
            none_left = ~np.stack([self._open(name) for name in names], axis=1)
            free = self.partial.holes & may & ~self.stays_missing
            relaxed = none_left & free
            others = ~relaxed.any(axis=1) & none_left.any(axis=1)
            relaxed[others] = (none_left[others] @ related) & free[others]
            rows = np.flatnonzero(relaxed.any(axis=1))
            if not len(rows):
                return
            self.stays_missing |= relaxed
            for j, name in enumerate(names):
                missing = self._cells[name].code == layout[j].missing
                self._first[name][np.ix_(np.flatnonzero(relaxed[:, j]), np.flatnonzero(missing))] = True
                self._left[name][rows] = self._first[name][rows]
            self._filter(rows)


class RowMask:
    """Constraint mask of partially observed rows: rules see the given values themselves, not the codes near them.

    Arguments:
        domains: of all cells of the rows.
        allowed: by index of a column, the (rows, codes) that may be sampled.
        owner: (candidates,) the row that each candidate completes.
    """

    def __init__(self, domains: RowDomains, allowed: Mapping[int, Bools], owner: Ints) -> None:
        self._domains, self._owner, self._rows = domains, owner, torch.from_numpy(owner)
        self._names = list(domains.mask.place)
        self._masked = {j: mask_of(~codes.T) for j, codes in allowed.items() if not codes.all()}

    def rows(self, part: slice) -> RowMask:
        """Return the mask of some of the candidates."""
        mask = copy(self)
        mask._owner, mask._rows = self._owner[part], self._rows[part]  # noqa: SLF001 - its own class
        return mask

    def __call__(self, column: int, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return the (codes, candidates) mask of a column; see `ConstraintMask`.

        A known code is not masked: its cell need not lie inside the range of the code.
        """
        found = None
        for constraint in self._domains.mask.constraints.get(column, ()):
            violated = self._violated(constraint, column, sampled)
            if violated is not None:
                found = violated if found is None else found + violated
        if found is not None:
            known = self._domains.partial.codes[self._rows, column]
            found = found.scatter(
                0, known.clamp(min=0)[None], found.gather(0, known.clamp(min=0)[None]).where(known < 0, 0)
            )
        if column in self._masked:
            masked = self._masked[column].index_select(1, self._rows)
            found = masked if found is None else found + masked
        return found

    def _violated(self, constraint: Constraint, column: int, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return the (codes, candidates) mask of codes that certainly violate one rule; None if there are none."""
        mask = self._domains.mask
        cells: dict[str, Values] = {name: mask.hulls[name] for name in constraint.columns}
        places, values = [], {}
        for name in constraint.columns:
            j = mask.place[name]
            if j in sampled and j != column:
                values[name] = self._domains.lookup[name]
                codes, known = sampled[j].cpu().numpy(), ~self._domains.partial.unknown[self._owner, j]
                places.append(np.where((codes < 0) | known, self._domains.places[name][self._owner], codes))
        if constraint.names & self._domains.derived.keys():
            places.append(self._owner)
        if places:
            sizes = [int(place.max()) + 1 for place in places]
            distinct, which = distinct_codes([torch.from_numpy(place) for place in places], sizes)
        else:
            distinct, which = np.zeros((1, 1), dtype=np.int64), torch.zeros(len(self._owner), dtype=torch.int64)
        cells |= {
            name: each.take(index[:, None]) for (name, each), index in zip(values.items(), distinct, strict=False)
        }
        domain = mask.domains[self._names[column]]
        cells[self._names[column]] = domain.take(np.arange(len(domain))[None])
        violated = self._domains.broken(constraint, cells, distinct[-1])
        if not violated.any():
            return None
        violated = np.broadcast_to(violated, (distinct.shape[1], len(domain)))
        return mask_of(violated.T).index_select(1, which)
