"""Expressions of a schema, checked against its columns: rules, `missing_when`, `derive` and combinations."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from difflib import get_close_matches
from typing import Literal

import numpy as np
import pandas as pd

from synthclin.errors import ConfigError
from synthclin.expressions import Expression, parse
from synthclin.expressions.visit_order import VisitOrder
from synthclin.schema.columns import Column
from synthclin.schema.combinations import Combinations

__all__ = ["NO_VISITS", "check_combinations", "check_derive", "check_missing_when", "checked_expression", "suggest"]


NO_VISITS = VisitOrder.of(np.zeros(0, dtype=np.int64), np.zeros(0))
"""The visits of an empty table, on which the types of operands are checked."""


def checked_expression(
    columns: Mapping[str, Column],
    text: str,
    place: str,
    *,
    predicate: bool = True,
    visits: Literal["of rows", "of patients", "refused"] = "refused",
) -> Expression:
    """Return the parsed text; ValueError if it does not parse or does not fit the columns.

    Arguments:
        columns: of the schema.
        text: the expression.
        place: in error messages.
        predicate: whether it is evaluated as a condition; else as a number.
        visits: whether functions of visits, such as `previous`, are allowed: only where patients have visits, and not
            where a cell is computed from its own row.
    """
    try:
        expression = parse(text, place)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    for name in sorted(expression.columns):
        if name not in columns:
            raise ValueError(f"{place}: names {name!r}, which is no column. {suggest(name, columns)}")
        if columns[name].is_identifier or columns[name].is_free_text:
            what = f"names {name!r}, which is never modelled"
            raise ValueError(f"{place}: {what}. Use another column.")
    if expression.visit_functions and visits != "of patients":
        name = min(expression.visit_functions)
        what = f"`{name}` refers to several visits of a patient"
        if visits == "refused":
            what, remedy = f"{what}, and this key to a single row", "Use it in `constraints` or in a condition."
        else:
            what = f"{what}, and no column has the time of a visit"
            remedy = "Give that column `role: visit` and the patient's `role: entity`."
        raise ValueError(f"{place}: {what}. {remedy}")
    # Evaluation on an empty table checks the types of the operands.
    rows = pd.DataFrame({name: pd.Series(dtype=columns[name].dtype) for name in expression.columns})
    try:
        expression.evaluate(rows, visits=NO_VISITS) if predicate else expression.compute(rows)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return expression


def check_combinations(
    columns: Mapping[str, Column], modelled: Collection[str], rule: Combinations, place: str
) -> None:
    """Raise ValueError where combinations name no column, or one without levels."""
    for name in rule.columns:
        if name not in columns:
            raise ValueError(f"{place}: names {name!r}, which is no column. {suggest(name, columns)}")
        if not (name in modelled and columns[name].is_discrete):
            raise ValueError(f"{place}: {name!r} has no levels to combine. Use columns of levels or whole numbers.")


def check_missing_when(columns: Mapping[str, Column], name: str, text: str) -> None:
    """Raise ValueError where the predicate of an always missing cell does not fit the columns."""
    place = f"columns.{name}.missing_when"
    if columns[name].is_identifier:
        raise ValueError(f"{place}: an identifier is never missing. Remove it.")
    checked_expression(columns, text, place)


def check_derive(columns: Mapping[str, Column], name: str, text: str) -> None:
    """Raise ValueError where a column cannot be computed by an expression."""
    column, place = columns[name], f"columns.{name}.derive"
    if not (column.is_numeric or column.truth_values is not None):
        remedy = "Derive a number, an integer or a duration, or a boolean from a comparison."
        raise ValueError(f"{place}: cannot be computed for `type: {column.type}`. {remedy}")
    sources = checked_expression(columns, text, place, predicate=not column.is_numeric).columns
    for source in sorted(sources) if column.is_numeric else ():
        operand = columns[source]
        if not (operand.is_numeric or operand.is_temporal or operand.truth_values is not None):
            what = f"computes with {source!r}, which is no number"
            raise ValueError(f"{place}: {what}. Use another column.")


def suggest(name: str, known: Iterable[str]) -> str:
    """Return the remedy for an unknown column: the nearest known name, if one is near."""
    close = get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]!r}?" if close else "Name a column of the schema."
