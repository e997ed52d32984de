"""Equality rules as formulas: the cell of a column that a rule equates with other cells is computed from them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.expressions import Expression, parse, quote_name
from synthclin.schema.constraints import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from synthclin.encoding import TableEncoder
    from synthclin.schema import Schema

    Bools = NDArray[np.bool_]

__all__ = ["Equalities", "Equality"]

_SWEEPS = 4
"""Sweeps over the equality rules: each cell that one fills in may decide the next."""


@dataclass(frozen=True, slots=True)
class Equality:
    """Equality rule solved for one column, wherever `when` is true.

    Arguments:
        column: the column that is computed.
        source: what it equals; None where the rule is solved by a secant step.
        sides: both sides of the rule.
        when: the condition of the rule.
    """

    column: str
    source: Expression | None
    sides: tuple[Expression, Expression]
    when: Expression | None

    @property
    def needs(self) -> tuple[str, ...]:
        """The other columns of the two sides."""
        return tuple(sorted(frozenset().union(*(side.columns for side in self.sides)) - {self.column}))

    def value(self, table: pd.DataFrame) -> pd.Series:
        """Return the (rows,) values that satisfy the rule; NaN where another cell is missing.

        A column inside a formula is found by one secant step, which is exact where the formula is linear in it.
        """
        if self.source is not None:
            return table[self.source.name] if self.source.name is not None else self.source.compute(table)
        start = table[self.column].astype("Float64").astype(float).fillna(1.0)
        gap = [
            self.sides[0].compute(moved) - self.sides[1].compute(moved)
            for moved in (table.assign(**{self.column: start + step}) for step in (0.0, 1.0))
        ]
        slope = gap[1] - gap[0]
        return start - gap[0] / slope.mask(slope == 0)


class Equalities:
    """The equality rules of a schema, solved for the columns that a model samples.

    Arguments:
        encoder: of two equated columns the one with more codes is computed, unless its cell is given.
        schema: has the rules.
    """

    def __init__(self, encoder: TableEncoder, schema: Schema) -> None:
        self._schema = schema
        codes = {column.name: (column.cardinality, j) for j, column in enumerate(encoder.layout.columns)}
        conjuncts = [
            (part, None if rule.when is None else parse(rule.when))
            for rule in schema.imposed
            if isinstance(rule, Rule) and not rule.visit_functions
            for part in parse(rule.then).conjuncts()
        ]
        usual, others = list[Equality](), list[Equality]()
        for part, when in conjuncts:
            sides = part.equated()
            if not sides or not all(side.columns for side in sides):
                continue
            named = [side for side in sides if side.name is not None and self._computable(side.name)]
            named.sort(key=lambda side: codes[str(side.name)], reverse=True)
            for i, target in enumerate(named):
                source = sides[1] if target is sides[0] else sides[0]
                (others if i else usual).append(Equality(str(target.name), source, (sides[0], sides[1]), when))
            others += self._inside((sides[0], sides[1]), when)
        for name, column in schema.columns.items():
            if column.derive is not None and column.is_numeric:
                others += self._inside((parse(quote_name(name)), parse(column.derive)), None)
        self.usual = sorted(usual, key=lambda equality: codes[equality.column])
        """One of each rule, each after those that it depends on."""
        self.every = (*self.usual, *others)
        """Each rule solved for each of its columns."""
        self.borders = tuple(
            border for part, when in conjuncts for border in self._solved_for_each(part.ordered(), when)
        )
        """Each rule that compares by order, solved for each of its columns as if both sides were equal."""

    def _solved_for_each(self, sides: tuple[Expression, ...], when: Expression | None) -> Iterator[Equality]:
        if len(sides) == 2:
            for target, source in (sides, sides[::-1]):
                if target.name is not None and source.columns and self._computable(target.name):
                    yield Equality(target.name, source, (sides[0], sides[1]), when)
            yield from self._inside((sides[0], sides[1]), when)

    def _inside(self, sides: tuple[Expression, Expression], when: Expression | None) -> Iterator[Equality]:
        """Yield an equality solved for each number inside a formula."""
        numeric = all(self._schema.columns[name].is_numeric for side in sides for name in side.columns)
        for side in sides if numeric else ():
            if side.name is None:
                yield from (Equality(name, None, sides, when) for name in side.columns if self._computable(name))

    def _computable(self, name: str) -> bool:
        column = self._schema.columns[name]
        return column.modelled and (column.is_numeric or column.is_temporal)

    def solved(self, table: pd.DataFrame, free: Mapping[str, Bools] | None = None) -> tuple[pd.DataFrame, bool]:
        """Return rows in which the equality rules are solved, and whether any cell was changed.

        Arguments:
            table: whole rows.
            free: by column the (rows,) cells that may change; None for all, each rule being solved for one column.
        """
        changed = False
        for equality in self.usual if free is None else self.every:
            if free is not None and not free[equality.column].any():
                continue
            value = self.rounded(equality, table)
            cells = table[equality.column]
            differs = cells.notna() & value.notna() & ~cells.eq(value).fillna(value=False).astype(bool)
            if free is not None:
                differs &= free[equality.column]
            if not differs.any():
                continue
            if equality.source is None:
                # Only where the rule does not hold already: a computed side is known up to its rounding.
                differs &= ~self._holds(equality, table)
            rows = self._applied(equality, table, differs)
            if len(rows):
                table = table if changed else table.copy()
                changed = True
                table.loc[rows, equality.column] = self._schema.columns[equality.column].coerce(value[rows])[0]
        return table, changed

    def deduced(self, table: pd.DataFrame, free: Mapping[str, Bools]) -> pd.DataFrame:
        """Return the table with those missing cells filled that equality rules determine from given cells.

        Arguments:
            table: partially observed rows.
            free: by column the (rows,) cells that may be filled.
        """
        table = table.copy()
        for _ in range(_SWEEPS):
            changed = False
            for equality in self.every:
                empty = table[equality.column].isna() & free[equality.column]
                # A formula with decimals leaves a range, from which a value is sampled.
                if equality.source is None or not empty.any() or not set(equality.needs) <= set(table):
                    continue
                value = self.rounded(equality, table)
                rows = self._applied(equality, table, empty & value.notna())
                if len(rows):
                    typed = self._schema.columns[equality.column].coerce(value[rows])[0]
                    table.loc[rows, equality.column] = typed.astype(table[equality.column].dtype)
                    changed = True
            if not changed:
                break
        return table

    def rounded(self, equality: Equality, table: pd.DataFrame) -> pd.Series:
        """Return the (rows,) values of an equality with the decimals of its column."""
        column, value = self._schema.columns[equality.column], equality.value(table)
        if column.is_temporal or column.decimal_places is None:
            return value
        return value.astype("Float64").astype(float).round(column.decimal_places) + 0.0  # no -0.0

    def _applied(self, equality: Equality, table: pd.DataFrame, rows: pd.Series[bool]) -> pd.Index:
        """Return the labels of those rows in which the rule applies and its value is valid."""
        column = self._schema.columns[equality.column]
        if equality.when is not None and rows.any():
            rows = rows & equality.when.evaluate(table).fillna(value=False).astype(bool)
        if not rows.any():
            return table.index[:0]
        value = self.rounded(equality, table)[rows]
        typed, unread = column.coerce(value)
        good = typed.notna() & ~unread
        for problem in column.problems(typed):
            if problem.severity == "error":
                good &= ~problem.mask
        if not column.is_temporal and equality.source is not None and equality.source.name is not None:
            # Two columns are equal only if the value has the decimals of both.
            given = table[equality.source.name][rows].astype("Float64").astype(float)
            good &= (value - given).abs() <= 1e-9 * given.abs().clip(lower=1)
        return typed.index[good]

    def _holds(self, equality: Equality, table: pd.DataFrame) -> pd.Series[bool]:
        left, right = equality.sides
        decimals = [
            places
            for side in equality.sides
            if side.name is not None
            if (places := self._schema.columns[side.name].decimal_places) is not None
        ]
        bound = 0.5 * 10.0 ** -max(decimals) if decimals else 0.0
        return (left.compute(table) - right.compute(table)).abs() <= bound + 1e-9
