"""Contradictory rules of a schema: an empty domain of a column, or a declared level that no row can hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.expressions import Expression, parse
from synthclin.expressions.value_sets import LevelSets, ValueInterval, Values, intervals_of
from synthclin.rules.propagation import Constraint, constraints_of, filtered_domains, orders
from synthclin.schema import Schema
from synthclin.schema.columns import Column, Level

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]

__all__ = ["Contradiction", "contradiction", "emptied_levels"]

_PIECES = 32
"""The number of intervals of a declared range, which is also cut at the numbers in rules."""

_MOST_WORK = 20_000
"""The largest number of levels times rules for which each level is checked."""


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Contradictory rules: they leave a column with an empty domain, or without one of its declared levels.

    Arguments:
        column: the column.
        rules: the rules, as text.
        level: the level that no row can hold; None where the whole domain is empty.
    """

    column: str
    rules: tuple[str, ...]
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class _Problem:
    """Domains of the columns of a schema, and the rules over them as constraints."""

    schema: Schema
    domains: dict[str, Values]
    constraints: list[Constraint]

    @classmethod
    def of(cls, schema: Schema) -> _Problem:
        named: dict[str, set[float]] = {name: set() for name in schema.columns}
        for rule in schema.imposed:
            for text in rule.expressions:
                for name in parse(text).columns:
                    named[name] |= _numbers(parse(text))
        domains = {
            name: values
            for name, column in schema.columns.items()
            if column.modelled and (values := _declared(column, named[name])) is not None
        }
        return cls(schema, domains, [one for one in constraints_of(schema) if set(one.columns) <= set(domains)])

    @property
    def full(self) -> dict[str, Bools]:
        """The whole domain of each column."""
        return {name: np.ones(len(values), dtype=np.bool_) for name, values in self.domains.items()}

    def emptied(self, kept: Mapping[str, Bools]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Yield each column without a value after propagation from the domains `kept`, and the rules behind it."""
        left, blamed = filtered_domains(self.schema, self.constraints, self.domains, kept)
        for name, values in self.domains.items():
            if blamed[name] and not (left[name] & values.present).any():
                yield name, tuple(sorted(blamed[name]))


def contradiction(schema: Schema) -> Contradiction | None:
    """Return contradictory rules of a schema, if propagation finds an empty domain.

    Example:
        >>> columns = {"a": {"type": "integer", "range": [0, 9]}, "b": {"type": "integer", "range": [20, 30]}}
        >>> contradiction(Schema.model_validate({"columns": columns, "constraints": ["b < a"]}))
        Contradiction(column='a', rules=('b < a',), level=None)
    """
    cycle = _strict_cycle(schema)
    if cycle is not None:
        return cycle
    problem = _Problem.of(schema)
    for name, rules in problem.emptied(problem.full):
        return Contradiction(name, rules)
    return None


def emptied_levels(schema: Schema) -> Iterator[Contradiction]:
    """Yield the declared levels that no row can hold under the rules; none where there are too many to check.

    Example:
        >>> columns = {"sex": {"type": "category", "categories": ["F", "M"]}, "age": {"type": "integer"}}
        >>> rules = [{"when": "sex == 'F'", "then": then} for then in ("age > 50", "age < 40")]
        >>> [found] = emptied_levels(Schema.model_validate({"columns": columns, "constraints": rules}))
        >>> found.level, found.rules
        ('F', ("if sex == 'F' then age < 40", "if sex == 'F' then age > 50"))
    """
    problem = _Problem.of(schema)
    ruled = {name for constraint in problem.constraints for name in constraint.columns}
    levels = {name: schema.columns[name].levels or () for name in problem.domains if name in ruled}
    if sum(map(len, levels.values())) * len(problem.constraints) > _MOST_WORK:
        return
    for name, each in levels.items():
        for place, level in enumerate(each):
            only = problem.full
            only[name] = np.arange(len(problem.domains[name])) == place
            rules = next((rules for other, rules in problem.emptied(only) if _empties(schema, other, rules)), None)
            if rules is not None:
                yield Contradiction(name, rules, level)


def _empties(schema: Schema, name: str, rules: tuple[str, ...]) -> bool:
    """Return whether rules leave no row, where they leave a column without a value.

    A column may be left empty on purpose: by its `missing_when`, or by a rule that it is missing.
    """
    return not (schema.columns[name].may_be_missing and (len(rules) == 1 or any("is missing" in one for one in rules)))


def _strict_cycle(schema: Schema) -> Contradiction | None:
    """Return order rules in a strict cycle: a column that is never missing lies below itself."""
    for (first, last), (strict, rules) in orders(schema).items():
        if first == last and strict and not schema.columns[first].may_be_missing:
            return Contradiction(first, tuple(sorted(rules)))
    return None


def _numbers(expression: Expression) -> set[float]:
    """Return the numbers in an expression, with either sign."""
    values = {
        float(node.value)
        for node in ast.walk(expression.tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool)
    }
    return values | {-value for value in values}


def _declared(column: Column, named: set[float]) -> Values | None:
    """Return the declared domain of a column, missing last; None for an unbounded one."""
    empty = column.may_be_missing
    if column.is_categorical:
        levels = column.levels
        if levels is None:
            return None
        if isinstance(column.dtype, pd.CategoricalDtype):
            possible = np.eye(len(levels) + empty, len(levels), dtype=np.bool_)
            missing = np.arange(len(possible)) == len(levels)
            ordered = bool(column.dtype.ordered)
            return LevelSets(tuple(column.dtype.categories), possible, missing, np.arange(len(possible)), ordered)
        ends, yes = np.array(levels, dtype=np.float64), np.ones(len(levels), dtype=np.bool_)
        return _with_missing(ValueInterval(ends, ends, yes, ~yes), empty=empty)
    bounds = column.bounds
    if not (column.is_numeric or column.is_temporal):
        return None
    whole = ValueInterval(np.array([-np.inf]), np.array([np.inf]), np.array([True]), np.array([False]))
    if bounds is not None:
        low, high = (column.coerce(pd.Series([end], dtype=object))[0] for end in bounds)
        whole = intervals_of(low, high, np.array([False]))
    elif column.is_temporal:
        return None
    low_end, high_end = float(whole.low[0]), float(whole.high[0])
    even = np.linspace(low_end, high_end, _PIECES + 1) if bounds is not None else np.array([-np.inf, np.inf])
    cuts = np.unique([*even, *(value for value in named if low_end < value < high_end and not whole.dated)])
    # Each cut is a cell of its own, and the cells between are open, so that `age >= 60` and `age < 60` share none.
    if column.is_integer:
        low_ends, high_ends = (
            np.r_[np.ceil(cuts), np.floor(cuts[:-1]) + 1],
            np.r_[np.floor(cuts), np.ceil(cuts[1:]) - 1],
        )
    else:
        inner = [np.where(np.isfinite(cuts), np.nextafter(cuts, end), cuts) for end in (np.inf, -np.inf)]
        low_ends, high_ends = np.r_[cuts, inner[0][:-1]], np.r_[cuts, inner[1][1:]]
    reachable = (low_ends <= high_ends) & ((low_ends < high_ends) | np.isfinite(low_ends))
    low_ends, high_ends = low_ends[reachable], high_ends[reachable]
    yes = np.ones(len(low_ends), dtype=np.bool_)
    return _with_missing(ValueInterval(low_ends, high_ends, yes, ~yes, whole.dated), empty=empty)


def _with_missing(interval: ValueInterval, *, empty: bool) -> ValueInterval:
    """Return (cells,) intervals, with one more for a missing cell if it is allowed."""
    if not empty:
        return interval
    return ValueInterval(
        np.r_[interval.low, 0.0],
        np.r_[interval.high, 0.0],
        np.r_[interval.present, False],
        np.r_[interval.missing, True],
        interval.dated,
    )
