"""Evaluation of a checked syntax tree on domains: the possible outcomes, given a set of values per column."""

from __future__ import annotations

import ast
import datetime as dt
import operator
from collections.abc import Callable, Mapping
from functools import reduce
from itertools import pairwise

import numpy as np

from synthclin.expressions.interval_arithmetic import FUNCTIONS, OPERATORS, negative
from synthclin.expressions.operands import equality_tolerance
from synthclin.expressions.value_sets import LevelSets, Outcomes, Test, ValueInterval, Values, compare

__all__ = ["Domains", "number", "truth"]

Domains = Callable[[str], Values]
"""The domain of each column, by its name."""

_TESTS: dict[type[ast.cmpop], Test] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_MIRRORED: dict[Test, Test] = {
    operator.lt: operator.gt,
    operator.le: operator.ge,
    operator.gt: operator.lt,
    operator.ge: operator.le,
}
_DAY = 86_400


def truth(tree: ast.expr, domains: Domains, tolerances: Mapping[str, float] | None = None) -> Outcomes:
    """Return the possible truth values of a predicate, in the broadcast shape of the domains.

    Equalities have the tolerances of `synthclin.expressions.row_evaluation.truth`.
    """
    with np.errstate(all="ignore"):
        return _truth(tree, domains, tolerances or {})


def number(tree: ast.expr, domains: Domains) -> ValueInterval:
    """Return the interval of possible values of an expression."""
    with np.errstate(all="ignore"):
        return _number(tree, domains)


def _truth(node: ast.expr, domains: Domains, tolerances: Mapping[str, float]) -> Outcomes:
    match node:
        case ast.BoolOp(op=op, values=parts):
            join = operator.and_ if isinstance(op, ast.And) else operator.or_
            return reduce(join, (_truth(part, domains, tolerances) for part in parts))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~_truth(operand, domains, tolerances)
        case ast.Compare(left=left, ops=ops, comparators=comparators):
            steps = zip(ops, pairwise([left, *comparators]), strict=True)
            return reduce(operator.and_, (_comparison(op, *sides, domains, tolerances) for op, sides in steps))
        case ast.Constant(value=bool() as value):
            return Outcomes.certain(value=value)
        case ast.Name(id=name):
            return _constant(operator.eq, domains(name), True)
    return Outcomes.open()


def _comparison(
    op: ast.cmpop, left: ast.expr, right: ast.expr, domains: Domains, tolerances: Mapping[str, float]
) -> Outcomes:
    match op, left, right:
        case (ast.Is() | ast.IsNot(), _, _):
            # The cell of another visit may hold anything.
            values = domains(left.id) if isinstance(left, ast.Name) else ValueInterval.anything()
            missing = values.missing if isinstance(values, ValueInterval) else values.missing[values.at]
            empty = Outcomes(missing, values.present, np.array(False))
            return empty if isinstance(op, ast.Is) else ~empty
        case (ast.In() | ast.NotIn(), _, ast.List(elts=items)):
            found = _among(left, items, domains)
            return found if isinstance(op, ast.In) else ~found
    test = _TESTS[type(op)]
    tolerance = equality_tolerance(left, right, tolerances) if isinstance(op, ast.Eq | ast.NotEq) else None
    if tolerance is not None:
        return compare(test, _values(left, domains), _values(right, domains), tolerance)
    if isinstance(left, ast.Constant):
        return _constant(_MIRRORED.get(test, test), _values(right, domains), left.value)
    if isinstance(right, ast.Constant):
        return _constant(test, _values(left, domains), right.value)
    return compare(test, _values(left, domains), _values(right, domains))


def _among(left: ast.expr, items: list[ast.expr], domains: Domains) -> Outcomes:
    values = _values(left, domains)
    if isinstance(values, LevelSets) and all(isinstance(item, ast.Constant) for item in items):
        # Jointly: a set of two levels that are both listed is certainly among them.
        listed = [item.value for item in items if isinstance(item, ast.Constant)]
        return values.outcomes(np.array([level in listed for level in values.levels], dtype=np.bool_))
    each = (_comparison(ast.Eq(), left, item, domains, {}) for item in items)
    return reduce(operator.or_, each)


def _constant(test: Test, values: Values, value: object) -> Outcomes:
    """Return the possible outcomes of comparing `values` with a constant on the right."""
    if isinstance(values, LevelSets):
        holds = values.tested(test, value)
        return Outcomes.open() if holds is None else values.outcomes(holds)
    if isinstance(value, str):
        if not values.dated:
            return Outcomes.open()
        moment = np.datetime64(dt.datetime.fromisoformat(value), "us").astype(np.int64) / 1e6
        return compare(test, values, ValueInterval.point(float(moment), dated=True))
    return compare(test, values, ValueInterval.point(float(value)))  # type: ignore[arg-type]


def _values(node: ast.expr, domains: Domains) -> Values:
    return domains(node.id) if isinstance(node, ast.Name) else _number(node, domains)


def _number(node: ast.expr, domains: Domains) -> ValueInterval:
    match node:
        case ast.Constant(value=int() | float() as value):
            return ValueInterval.point(float(value))
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return negative(_number(operand, domains))
        case ast.Call(func=ast.Name(id=name), args=arguments) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_number(argument, domains) for argument in arguments))
        case ast.Name(id=name):
            values = domains(name)
            return values if isinstance(values, ValueInterval) and not values.dated else ValueInterval.anything()
        case ast.BinOp(left=left, op=op, right=right):
            days = None
            if isinstance(op, ast.Sub) and isinstance(left, ast.Name) and isinstance(right, ast.Name):
                days = _days(domains(left.id), domains(right.id))
            return OPERATORS[type(op)](_number(left, domains), _number(right, domains)) if days is None else days
    return ValueInterval.anything()


def _days(first: Values, second: Values) -> ValueInterval | None:
    """Return the days between two datetimes; None for other types."""
    if not (isinstance(first, ValueInterval) and isinstance(second, ValueInterval) and first.dated and second.dated):
        return None
    low, high = (first.low - second.high) / _DAY, (first.high - second.low) / _DAY
    return ValueInterval(low, high, first.present & second.present, first.missing | second.missing)
