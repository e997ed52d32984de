"""Evaluation of a checked syntax tree in every row of a table."""

from __future__ import annotations

import ast
import difflib
import operator
from dataclasses import dataclass, field
from functools import reduce
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.arrays import BooleanArray

from synthclin.errors import ConfigError
from synthclin.expressions.operands import (
    ROUNDING,
    Operand,
    column_operand,
    compare,
    constant_operand,
    equality_tolerance,
    finite,
    number_operand,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from synthclin.expressions.visit_order import VisitOrder

__all__ = ["number", "truth"]

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: np.add,
    ast.Sub: np.subtract,
    ast.Mult: np.multiply,
    ast.Div: np.divide,
    ast.Pow: np.power,
}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": np.abs,
    "exp": np.exp,
    "floor": np.floor,
    "log": np.log,
    "max": lambda *values: reduce(np.maximum, values),
    "min": lambda *values: reduce(np.minimum, values),
    "round": lambda value, decimals=0: np.round(value, int(decimals)),
    "sqrt": np.sqrt,
}
_EMPTY_WORDS = {"NA", "NULL", "NaN", "missing", "nan", "null"}


def truth(
    tree: ast.expr,
    table: pd.DataFrame,
    where: str,
    tolerances: Mapping[str, float] | None = None,
    visits: VisitOrder | None = None,
) -> pd.Series[bool]:
    """Return the truth value in every row, as a pandas "boolean" Series; NA where it is unknown.

    An equality with a computed number ignores the rounding of floating-point arithmetic, and a difference up to the
    tolerance of its column.
    """
    with np.errstate(all="ignore"):
        return pd.Series(_Rows(table, where, tolerances or {}, visits).truth(tree), index=table.index)


def number(tree: ast.expr, table: pd.DataFrame, where: str) -> pd.Series[float]:
    """Return the number in every row, as a float64 Series; NaN where it is missing or undefined."""
    with np.errstate(all="ignore"):
        values = _Rows(table, where).number(tree)
    return pd.Series(np.broadcast_to(values, len(table)).copy(), index=table.index)


@dataclass(frozen=True, slots=True)
class _Rows:
    """Vectorised evaluation over all rows of a table."""

    table: pd.DataFrame
    where: str
    tolerances: Mapping[str, float] = field(default_factory=dict)
    visits: VisitOrder | None = None

    def series(self, name: str) -> pd.Series[Any]:
        names = list(self.table.columns)
        if names.count(name) == 1:
            return self.table[name]
        if name in names:
            raise ConfigError(self.where, f"there are {names.count(name)} columns {name!r}", "Rename all but one.")
        close = difflib.get_close_matches(name, map(str, names), n=1)
        remedy = "Put names with spaces or signs in `backquotes`."
        if name in _EMPTY_WORDS:
            remedy = "Write `is missing` after the column's name."
        elif close:
            remedy = f"Did you mean {close[0]!r}?"
        raise ConfigError(self.where, f"there is no column {name!r}", remedy)

    def side(self, node: ast.expr) -> Operand:
        match node:
            case ast.Name(id=name):
                return column_operand(name, self.series(name))
            case ast.Constant(value=bool() | int() | float() | str() as value):
                return constant_operand(value)
            case ast.Call(func=ast.Name(id="previous" | "first" | "last" as name), args=[argument]):
                order = self.order(name)
                rows = {"previous": order.previous, "first": order.first, "last": order.last}[name]
                return self.side(argument).taken(rows)
            case ast.Call(func=ast.Name(id="count")):
                return number_operand(self.order("count").count.astype(np.float64))
        return number_operand(self.number(node))

    def order(self, name: str) -> VisitOrder:
        if self.visits is None:
            what = f"`{name}` refers to several visits of a patient, and here are none"
            raise ConfigError(self.where, what, f"Use `{name}` in rules and conditions of a table with `role: visit`.")
        return self.visits

    def truth(self, node: ast.expr) -> BooleanArray:
        match node:
            case ast.BoolOp(op=op, values=parts):
                join = operator.and_ if isinstance(op, ast.And) else operator.or_
                return reduce(join, (self.truth(part) for part in parts))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return ~self.truth(operand)
            case ast.Compare(left=left, ops=ops, comparators=comparators):
                steps = zip(ops, pairwise([left, *comparators]), strict=True)
                return reduce(operator.and_, (self.comparison(op, *sides) for op, sides in steps))
            case ast.Constant(value=bool() as value):
                return self.boolean(np.array(value), np.array(False))
            case ast.Call(func=ast.Name(id="any" | "all" as name), args=[argument]):
                return self.over_visits(self.truth(argument), name)
            case ast.Name() | ast.Call(func=ast.Name(id="previous" | "first" | "last")):
                return self.flag(self.side(node))
            case _:
                raise ConfigError(self.where, "a number is used where a truth value is needed", "Compare it.")

    def over_visits(self, each: BooleanArray, name: str) -> BooleanArray:
        """Return whether any or all visits of the patient satisfy a condition.

        Visits in which it is unknown are left out, as in the SQL aggregates bool_or and bool_and: else
        ``all(x >= previous(x))`` would be true for nobody, because the first visit has no previous one.
        """
        patient = self.order(name).patient
        values, known = each.to_numpy(dtype=bool, na_value=False), ~each.isna()
        # All satisfy it where none fails: De Morgan's rule.
        decisive = values if name == "any" else ~values & known
        patients = int(patient.max(initial=-1)) + 1
        found, judged = (np.bincount(patient[mask], minlength=patients)[patient] > 0 for mask in (decisive, known))
        return self.boolean(found if name == "any" else ~found, ~judged)

    def comparison(self, op: ast.cmpop, left: ast.expr, right: ast.expr) -> BooleanArray:
        match op, left, right:
            case (ast.Is() | ast.IsNot(), ast.Name() | ast.Call(), _):
                missing = self.missing(left)
                return self.boolean(missing if isinstance(op, ast.Is) else ~missing, np.array(False))
            case (ast.In() | ast.NotIn(), _, ast.List(elts=items)):
                side = self.side(left)
                tests = (compare(operator.eq, side, self.side(item), self.where) for item in items)
                found = reduce(operator.or_, (self.boolean(*test) for test in tests))
                return found if isinstance(op, ast.In) else ~found
        sides = self.side(left), self.side(right)
        values, missing = compare(_COMPARISONS[type(op)], *sides, self.where)
        tolerance = equality_tolerance(left, right, self.tolerances)
        if (
            isinstance(op, ast.Eq | ast.NotEq)
            and tolerance is not None
            and all(x.values.dtype.kind == "f" for x in sides)
        ):
            first, second = (side.values for side in sides)
            largest = np.maximum(np.abs(first), np.abs(second))
            close = np.abs(first - second) <= np.maximum(tolerance, ROUNDING * largest)
            values = close if isinstance(op, ast.Eq) else ~close
        return self.boolean(values, missing)

    def missing(self, node: ast.expr) -> NDArray[np.bool_]:
        """Return where a cell of this visit or of another one is missing."""
        match node:
            case ast.Name(id=name):
                return self.series(name).isna().to_numpy(dtype=bool)
        side = self.side(node)
        return np.broadcast_to(side.missing, (len(self.table),)) if side.families else np.ones(len(self.table), bool)

    def flag(self, side: Operand) -> BooleanArray:
        """Return a column of truth values, or of 0 and 1, as a predicate."""
        if not np.isin(side.values[~side.missing].astype(object), [0, 1]).all():
            raise ConfigError(self.where, f"{side.label} is not true or false", "Compare it with a value.")
        return self.boolean(np.where(side.missing, 0, side.values), side.missing)

    def boolean(self, values: NDArray[Any], missing: NDArray[np.bool_]) -> BooleanArray:
        shape = (len(self.table),)
        unknown = np.broadcast_to(missing, shape).copy()
        return BooleanArray(np.broadcast_to(values, shape).astype(bool) & ~unknown, unknown)

    def number(self, node: ast.expr) -> NDArray[np.float64]:
        # A long sum nests to the left; a loop avoids deep recursion.
        rest: list[tuple[ast.operator, ast.expr]] = []
        while isinstance(node, ast.BinOp):
            rest.append((node.op, node.right))
            node = node.left
        match node:
            case ast.Constant(value=int() | float() as value):
                values = np.array(float(value))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                values = -self.number(operand)
            case ast.Call(func=ast.Name(id=name), args=arguments) if name in _FUNCTIONS:
                values = finite(_FUNCTIONS[name](*map(self.number, arguments)))
            case ast.Name() | ast.Call():
                values = self.numeric(self.side(node), rest)
            case _:
                raise ConfigError(self.where, "a truth value is used where a number is needed", "Use a number.")
        for op, right in reversed(rest):
            values = finite(_ARITHMETIC[type(op)](values, self.number(right)))
        return values

    def numeric(self, side: Operand, rest: list[tuple[ast.operator, ast.expr]]) -> NDArray[np.float64]:
        """Return a column of numbers, or days when the last of `rest` subtracts a date from a date and so is done."""
        if not side.families:
            return np.full(len(self.table), np.nan)
        if side.families == {"number"} and side.is_numeric_or_date:
            return side.values
        match rest:
            case [*_, (ast.Sub(), (ast.Name() | ast.Call()) as node)] if side.families == {"date"}:
                other = self.side(node)
                if other.families == {"date"}:
                    rest.pop()
                    days = (side.values - other.values) / np.timedelta64(1, "D")
                    return np.where(side.missing | other.missing, np.nan, days)
        raise ConfigError(self.where, f"{side.label} is used as a number", "Use a column of numbers.")
