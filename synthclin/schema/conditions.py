"""Checks of a condition against a schema: names of columns, declared levels, quotes."""

from __future__ import annotations

import ast
import difflib
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from synthclin.errors import ConfigError
from synthclin.expressions import quote_level, quote_name
from synthclin.expressions.grammar import VISIT_FUNCTIONS
from synthclin.schema.columns import parsing
from synthclin.schema.visit_times import of_patients

if TYPE_CHECKING:
    from synthclin.expressions import Expression
    from synthclin.schema.schema import Schema

__all__ = ["check_levels", "check_visits", "column_remedy"]

_SHOWN = 20


def column_remedy(name: str, schema: Schema, known: Iterable[str]) -> str:
    """Return the remedy for a name in a condition that is no column.

    Arguments:
        name: as it was read.
        schema: what the columns mean.
        known: the columns that may be named.

    Example:
        >>> from synthclin.schema import Schema
        >>> columns = {"NT-proBNP": {"type": "number"}, "sex": {"type": "category", "categories": ["F", "M"]}}
        >>> schema = Schema.model_validate({"columns": columns})
        >>> column_remedy("NT", schema, columns), column_remedy("F", schema, columns)
        ('Write a name with signs or blanks in backquotes: `NT-proBNP`.', "Write a text in quotes: 'F'.")
    """
    names = list(known)
    if name in VISIT_FUNCTIONS and schema.visit_time is not None:
        call = {"count": "count() >= 4", "any": "any(age > 60)", "all": "all(age > 60)"}.get(name, f"{name}(age)")
        return f"Write the function of visits {name!r} with its brackets, such as {call}."
    odd = [one for one in names if quote_name(one) != one and name in re.split(r"[^\w.]+", one)]
    if odd:
        return f"Write a name with signs or blanks in backquotes: {quote_name(odd[0])}."
    if any(name in (column.levels or ()) for column in schema.columns.values()):
        return f"Write a text in quotes: {quote_level(name)}."
    close = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean '{close[0]}'?" if close else f"Choose from {', '.join(names[:_SHOWN])}."


def check_levels(condition: Expression, schema: Schema, where: str) -> None:
    """Raise ConfigError where a condition compares a column with a text or number that is none of its declared levels.

    The message lists the levels that the schema declares, never those of a table.

    Example:
        >>> from synthclin.expressions import parse
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"sex": {"type": "category", "categories": ["F", "M"]}}})
        >>> check_levels(parse("sex == 'female'"), schema, "where")
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: where: 'female' is no level of column 'sex'. There are: 'F', 'M'.
    """
    for name, level in _compared(condition.tree):
        levels = schema.columns[name].levels if name in schema.columns else None
        if levels is None or parsing.identity(level) in map(parsing.identity, levels):
            continue
        folded = {str(one).casefold(): one for one in levels}
        close = difflib.get_close_matches(str(level).casefold(), folded, n=1)
        listed = ", ".join(map(quote_level, levels[:_SHOWN])) + (", ..." if len(levels) > _SHOWN else "")
        first = f"Did you mean {quote_level(folded[close[0]])}? " if close and isinstance(level, str) else ""
        raise ConfigError(where, f"{quote_level(level)} is no level of column {name!r}", f"{first}There are: {listed}.")


def check_visits(condition: Expression, schema: Schema, where: str) -> None:
    """Raise ConfigError where a condition on patients names what differs between visits, or visits that are none.

    Example:
        >>> from synthclin.expressions import parse
        >>> from synthclin.schema import Schema
        >>> columns = {"who": {"type": "id", "role": "entity"}, "day": {"type": "integer", "role": "visit"},
        ...            "crp": {"type": "number"}}
        >>> check_visits(parse("crp > 9"), Schema.model_validate({"columns": columns}), "where")
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: where: names 'crp', which differs between the visits of a patient. Write ...
    """
    if schema.visit_time is None:
        if condition.visit_functions:
            what = f"`{min(condition.visit_functions)}` refers to several visits of a patient, and rows are no visits"
            raise ConfigError(where, what, "Name columns of the row; visits need a column with `role: visit`.")
        return
    static = of_patients(schema)
    for part in condition.conjuncts():
        for name in sorted(part.varying(static) & set(schema.columns)):
            word, used = quote_name(name), part.visit_functions
            ways = [] if used & {"any", "all"} else [f"any({part.text})", f"all({part.text})"]
            ways += [] if "previous" in used else [f"first({word}) or last({word}) in its place"]
            remedy = f"Write {', or '.join(ways) or 'a condition on visits inside any or all'}."
            raise ConfigError(where, f"names {name!r}, which differs between the visits of a patient", remedy)


def _compared(tree: ast.expr) -> Iterator[tuple[str, str | float | bool]]:
    """Yield each column that is tested for equality with a constant, and the constant."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Compare):
            continue
        left = _column_of(node.left)
        for op, right in zip(node.ops, map(_column_of, node.comparators), strict=True):
            match left, op, right:
                case (
                    ast.Name(id=name),
                    ast.Eq() | ast.NotEq(),
                    ast.Constant(value=str() | bool() | int() | float() as x),
                ):
                    yield name, x
                case (
                    ast.Constant(value=str() | bool() | int() | float() as x),
                    ast.Eq() | ast.NotEq(),
                    ast.Name(id=name),
                ):
                    yield name, x
                case (ast.Name(id=name), ast.In() | ast.NotIn(), ast.List(elts=items)):
                    for item in items:
                        if isinstance(item, ast.Constant) and isinstance(item.value, str | float | int):
                            yield name, item.value
                case (ast.Name(id=name), _, ast.Constant(value=str() as x)):  # an order of levels
                    yield name, x
            left = right


def _column_of(node: ast.expr) -> ast.expr:
    """Return the column whose cell at another visit a node is, or the node itself."""
    match node:
        case ast.Call(func=ast.Name(id="previous" | "first" | "last"), args=[argument]):
            return _column_of(argument)
    return node
