"""Constraint propagation: the values that rules forbid while other cells are not yet known (domain filtering)."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.expressions import Expression, parse, quote_name
from synthclin.expressions.set_evaluation import Domains
from synthclin.expressions.value_sets import LevelSets, ValueInterval, Values
from synthclin.schema import Schema
from synthclin.schema.columns import Column, Level
from synthclin.schema.combinations import Combinations
from synthclin.schema.constraints import Rule

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]

__all__ = [
    "Constraint",
    "constraint_of",
    "constraint_of_rule",
    "constraints_of",
    "filtered_domains",
    "forbidden_codes",
    "orders",
    "source_columns",
]

_SWEEPS = 100
"""The largest number of sweeps over all rules; an order rule over integers moves a bound by one cell per sweep."""

_MOST_ORDERS = 1_000
"""The largest number of orders between two columns, those implied by several rules among them."""

_PIECES = 32
"""The number of intervals of a declared range, which is also cut at the numbers in rules."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A rule as a constraint over domains.

    Arguments:
        text: the rule as one line.
        columns: the modelled columns that determine its outcome.
        broken: from the domains of the columns to where the rule is certainly violated.
        names: the columns that the rule names, derived ones among them.
    """

    text: str
    columns: tuple[str, ...]
    broken: Callable[[Domains], Bools]
    names: frozenset[str]


def constraints_of(schema: Schema) -> list[Constraint]:
    """Return a constraint for every imposed rule, and for orders implied by several rules.

    Rules between visits are left out: they are checked on the visits of a patient, never propagated inside a row.
    """
    constraints = [constraint_of_rule(rule, schema) for rule in schema.imposed if not rule.visit_functions]
    for name, column in schema.columns.items():
        bounds = column.bounds
        if column.derive is not None and bounds is not None and column.is_numeric:
            within = f"{bounds[0]!r} <= {quote_name(name)} <= {bounds[1]!r}"
            constraints.append(constraint_of_rule(Rule(then=within), schema))
    constraints += [
        replace(constraint_of_rule(Rule(then=text), schema), text=rules) for text, rules in _chained(schema).items()
    ]
    return [constraint for constraint in constraints if constraint.columns]


def constraint_of(expression: Expression, schema: Schema) -> Constraint:
    """Return the constraint of a condition, which also counts as violated where its outcome is unknown."""
    return Constraint(
        expression.text,
        source_columns(expression.columns, schema),
        lambda domains: ~expression.outcomes(domains).true,
        frozenset(expression.columns),
    )


def forbidden_codes(
    constraint: Constraint,
    schema: Schema,
    cells: Mapping[str, Values],
    derived: Mapping[str, tuple[Values, Bools]] | None = None,
) -> Bools:
    """Return where a rule is certainly violated, in the broadcast shape of the domains of its columns.

    Arguments:
        constraint: the rule.
        schema: has the formulas of derived columns.
        cells: domains of modelled columns.
        derived: by name of a derived column, given (rows, 1) values and where there is one; computed elsewhere.
    """
    return constraint.broken(_domains(schema, cells, derived or {}))


def filtered_domains(
    schema: Schema,
    constraints: Sequence[Constraint],
    domains: Mapping[str, Values],
    kept: Mapping[str, Bools],
    derived: Mapping[str, tuple[Values, Bools]] | None = None,
) -> tuple[dict[str, Bools], dict[str, set[str]]]:
    """Return the filtered domain of each column, and the rules that removed values from it.

    Bounds consistency (Mackworth 1977, doi:10.1016/0004-3702(77)90007-8): a value is removed if a rule is certainly
    violated for all remaining values of the other columns. Filtering stops when a domain is empty.

    Arguments:
        schema: has the formulas of derived columns.
        constraints: rules over columns that all have a domain.
        domains: by name of a column, its (cells,) sets of values.
        kept: by name, the (cells,) allowed at the start.
        derived: given cells of derived columns; see `forbidden_codes`.
    """
    left = {name: mask.copy() for name, mask in kept.items()}
    blamed: dict[str, set[str]] = {name: set() for name in left}
    for _ in range(_SWEEPS):
        before = {name: mask.sum() for name, mask in left.items()}
        for constraint in constraints:
            hulls = {name: domains[name].hull(left[name]) for name in constraint.columns}
            for name in constraint.columns:
                cells = hulls | {name: domains[name].take(np.arange(len(domains[name]))[None])}
                broken = (
                    np.broadcast_to(forbidden_codes(constraint, schema, cells, derived), (1, len(left[name])))[0]
                    & left[name]
                )
                if broken.any():
                    left[name] &= ~broken
                    blamed[name] |= {constraint.text}.union(*(blamed[other] for other in constraint.columns))
                    hulls[name] = domains[name].hull(left[name])
                    if not left[name].any():
                        return left, blamed
        if all(before[name] == mask.sum() for name, mask in left.items()):
            break
    return left, blamed


def constraint_of_rule(rule: Rule | Combinations, schema: Schema) -> Constraint:
    """Return the constraint of a rule, which counts as satisfied where its outcome is unknown."""
    if isinstance(rule, Combinations):
        return Constraint(
            rule.text,
            rule.columns,
            lambda domains: _forbidden_combinations(rule, [domains(name) for name in rule.columns]),
            frozenset(rule.columns),
        )
    then, when = parse(rule.then), None if rule.when is None else parse(rule.when)

    def broken(domains: Domains) -> Bools:
        satisfied = then.outcomes(domains, rule.tolerances)
        if when is not None:
            satisfied |= ~when.outcomes(domains, rule.tolerances)
        return ~satisfied.true & ~satisfied.unknown

    return Constraint(rule.text, source_columns(rule.columns, schema), broken, frozenset(rule.columns))


def _forbidden_combinations(rule: Combinations, cells: Sequence[Values]) -> Bools:
    """Return (rows, codes) where no allowed combination is possible; `cells` are of shape (rows, 1) or (1, codes)."""
    if rule.combinations == "observed":
        return np.array([[False]])
    rows = codes = np.ones((1, len(rule.combinations)), dtype=np.float32)
    for place, values in enumerate(cells):
        may = _is_possible(values, [one[place] for one in rule.combinations], any_if_missing=not rule.missing_is_level)
        if np.shape(values.at if isinstance(values, LevelSets) else values.low)[1] > 1:
            codes = codes * may
        else:
            rows = rows * may
    return np.asarray(rows @ codes.T == 0)


def _is_possible(values: Values, wanted: Sequence[object], *, any_if_missing: bool) -> Bools:
    """Return (places, wanted) which values are possible; None where the cell may be missing.

    Arguments:
        values: sets of values.
        wanted: values, or None for a missing cell.
        any_if_missing: whether a cell that may be missing may be any of them.
    """
    absent = np.array([one is None for one in wanted], dtype=np.bool_) | any_if_missing
    if isinstance(values, LevelSets):
        place = {level: i for i, level in enumerate(values.levels)}
        at = [place.get(value, -1) for value in wanted]
        none = np.zeros((len(values.possible), 1), dtype=np.bool_)
        may: Bools = np.hstack([values.possible, none])[:, at] | (values.missing[:, None] & absent)
        return np.asarray(may[values.at.ravel()])
    value = np.array([float(one) if isinstance(one, int | float) else np.nan for one in wanted])
    low, high = values.low.ravel()[:, None], values.high.ravel()[:, None]
    within = (low <= value) & (value <= high) & values.present.ravel()[:, None]
    return within | (values.missing.ravel()[:, None] & absent)


def source_columns(names: Iterable[str], schema: Schema) -> tuple[str, ...]:
    """Return the modelled source columns: the columns themselves, or those that they are derived from."""
    found: set[str] = set()
    for name in names:
        formula = schema.columns[name].derive
        found |= {name} if formula is None else set(source_columns(parse(formula).columns, schema))
    return tuple(name for name in schema.columns if name in found)


def _domains(schema: Schema, cells: Mapping[str, Values], derived: Mapping[str, tuple[Values, Bools]]) -> Domains:
    """Return the domains of all columns; those of derived columns are computed where they are not given."""

    def domains(name: str) -> Values:
        if name in cells:
            return cells[name]
        if name not in derived:
            return computed(name)
        values, given = derived[name]
        if given.all():
            return values
        match values, computed(name):
            case ValueInterval(), ValueInterval() as others:
                return values.chosen(given, others)
            case LevelSets(), LevelSets() as others:
                return values.chosen(given, others)
        return computed(name)

    def computed(name: str) -> Values:
        column = schema.columns[name]
        if column.derive is None:
            return ValueInterval.anything()
        formula = parse(column.derive)
        if column.truth_values is not None:
            return _derived_boolean(column, column.truth_values, formula, domains)
        interval, decimals = formula.interval(domains), column.decimal_places
        low, high = (
            (interval.low, interval.high)
            if decimals is None
            else (interval.low.round(decimals), interval.high.round(decimals))
        )
        emptied = column.missing_when is not None
        return ValueInterval(low, high, interval.present, interval.missing | emptied)

    return domains


def _derived_boolean(
    column: Column, truth_values: tuple[Level, Level], formula: Expression, domains: Domains
) -> Values:
    found = formula.outcomes(domains)
    missing = found.unknown | (column.missing_when is not None)
    if not isinstance(column.dtype, pd.CategoricalDtype):
        no, yes = (float(value) for value in truth_values)
        low, high = np.where(found.false, no, yes), np.where(found.true, yes, no)
        return ValueInterval(np.minimum(low, high), np.maximum(low, high), found.true | found.false, missing)
    # The eight sets of no, yes and missing, by the bits of their number.
    sets = np.arange(8)
    possible = np.stack([sets & 1, sets & 2], axis=1) > 0
    at = np.asarray(found.false * 1 + found.true * 2 + missing * 4, dtype=np.int64)
    return LevelSets(tuple(column.dtype.categories), possible, sets & 4 > 0, at)


# -- implied orders --------------------------------------------------------------------------------------------------


def orders(schema: Schema) -> dict[tuple[str, str], tuple[bool, frozenset[str]]]:
    """Return the transitive closure of order rules: whether each order is strict, and the rules behind it.

    Orders are chained through columns that are never missing: a missing cell breaks the chain. At most `_MOST_ORDERS`
    are kept: more only sharpen the propagation, and every rule is checked on whole rows.
    """
    found: dict[tuple[str, str], tuple[bool, frozenset[str]]] = {}

    def add(pair: tuple[str, str], strict: bool, rules: frozenset[str]) -> None:
        if pair not in found or (strict and not found[pair][0]):
            found[pair] = (strict, rules)

    for rule in schema.constraints:
        for pair, strict in _stated(rule, schema):
            add(pair, strict, frozenset({rule.text}))
    names = sorted({name for pair in found for name in pair})
    below: dict[str, dict[str, None]] = {name: {} for name in names}
    above: dict[str, dict[str, None]] = {name: {} for name in names}
    for first, last in found:
        above[first][last] = below[last][first] = None
    for middle in (name for name in names if not schema.columns[name].may_be_missing):
        for first, last in product(sorted(below[middle]), sorted(above[middle])):
            if len(found) >= _MOST_ORDERS:
                return found
            if middle not in (first, last):
                one, two = found[first, middle], found[middle, last]
                add((first, last), one[0] or two[0], one[1] | two[1])
                above[first][last] = below[last][first] = None
    return found


def _stated(rule: Rule | Combinations, schema: Schema) -> Iterator[tuple[tuple[str, str], bool]]:
    """Yield the pairs of columns, lesser first, that a rule orders unconditionally, and whether strictly.

    Equal columns with different decimals may differ by a rounding error, and are in no order.
    """
    if isinstance(rule, Combinations) or rule.when is not None or rule.visit_functions:
        return
    for part in parse(rule.then).conjuncts():
        match part.tree:
            case ast.Compare(left=ast.Name(id=first), ops=[op], comparators=[ast.Name(id=second)]):
                one, two = (schema.columns[name].decimal_places for name in (first, second))
                if isinstance(op, ast.Eq) and one != two:
                    continue
                if isinstance(op, ast.Lt | ast.LtE | ast.Eq):
                    yield (first, second), isinstance(op, ast.Lt)
                if isinstance(op, ast.Gt | ast.GtE | ast.Eq):
                    yield (second, first), isinstance(op, ast.Gt)


def _chained(schema: Schema) -> dict[str, str]:
    """Return the orders implied by several rules together, and these rules."""
    return {
        f"{quote_name(first)} {'<' if strict else '<='} {quote_name(last)}": "; ".join(sorted(rules))
        for (first, last), (strict, rules) in orders(schema).items()
        if len(rules) > 1 and first != last
    }
