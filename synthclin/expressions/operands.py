"""Operands of a comparison: columns and constants of any type, and their comparison."""

from __future__ import annotations

import ast
import datetime as dt
import operator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pandas.api import types

from synthclin.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from numpy.typing import NDArray

__all__ = [
    "ROUNDING",
    "Operand",
    "column_operand",
    "compare",
    "constant_operand",
    "equality_tolerance",
    "finite",
    "number_operand",
]

ROUNDING = 1e-9
"""Relative error of floating-point arithmetic that an equality ignores."""


@dataclass(frozen=True, slots=True)
class Operand:
    """One operand of a comparison.

    Arguments:
        label: its name in an error.
        families: the types of its values: number, text, date; several for mixed levels, none if every cell is missing.
        values: (rows,) or () float64 for numbers, datetime64[us] for dates, objects otherwise.
        missing: (rows,) or () bool.
        levels: the levels of a categorical column.
        ordered: whether the levels have an order.
    """

    label: str
    families: frozenset[str]
    values: NDArray[Any]
    missing: NDArray[np.bool_]
    levels: tuple[object, ...] | None = None
    ordered: bool = False

    @property
    def is_constant(self) -> bool:
        """Whether it is the same in every row."""
        return self.values.ndim == 0

    def taken(self, rows: NDArray[np.int64]) -> Operand:
        """Return the operand at other rows; missing where a row is below 0."""
        if self.is_constant or not len(rows):
            return self
        values, missing = self.values[rows], self.missing[rows] | (rows < 0)
        nothing = {"f": np.nan, "M": np.datetime64("NaT")}.get(values.dtype.kind)
        values[rows < 0] = nothing
        return replace(self, values=values, missing=missing)

    @property
    def is_numeric_or_date(self) -> bool:
        """Whether the values are plain numbers or dates."""
        return self.values.dtype != np.dtype(object)


def equality_tolerance(left: ast.expr, right: ast.expr, tolerances: Mapping[str, float]) -> float | None:
    """Return the absolute difference that an equality ignores; None where values are compared exactly.

    A column and a constant are compared exactly. Of two columns, the finer one has the tolerance.

    Example:
        >>> sides = ast.parse("bmi == weight / 3").body[0].value
        >>> equality_tolerance(sides.left, sides.comparators[0], {"bmi": 0.05, "weight": 0.5})
        0.05
    """
    names = [side.id for side in (left, right) if isinstance(side, ast.Name)]
    computed = not all(isinstance(side, ast.Name | ast.Constant) for side in (left, right))
    if not computed and not (len(names) == 2 and set(names) & set(tolerances)):
        return None
    return min((tolerances.get(name, 0.0) for name in names), default=0.0)


def finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return `values` with NaN for whatever is not finite."""
    return np.where(np.isfinite(values), values, np.nan)


def number_operand(values: NDArray[np.float64], label: str = "a number") -> Operand:
    """Return the operand of computed numbers; an infinite value counts as missing."""
    return Operand(label, frozenset({"number"}), finite(values), ~np.isfinite(values))


def constant_operand(value: bool | float | str) -> Operand:
    """Return the operand of a constant; true and false are 1 and 0."""
    if isinstance(value, str):
        return Operand("a text", frozenset({"text"}), np.array(value, dtype=object), np.array(False))
    return number_operand(np.array(float(value)), "true or false" if isinstance(value, bool) else "a number")


def column_operand(name: str, column: pd.Series[Any]) -> Operand:
    """Return the operand of a column of a table."""
    dtype = column.dtype
    if types.is_bool_dtype(dtype) or types.is_numeric_dtype(dtype):
        kind = "boolean" if types.is_bool_dtype(dtype) else "number"
        return number_operand(column.to_numpy(dtype=np.float64, na_value=np.nan), f"column {name!r} ({kind})")
    missing = column.isna().to_numpy(dtype=bool)
    if types.is_datetime64_dtype(dtype):
        return Operand(f"column {name!r} (date)", frozenset({"date"}), column.to_numpy(dtype="datetime64[us]"), missing)
    values = column.astype(object).to_numpy(copy=True)
    values[missing] = None
    if isinstance(dtype, pd.CategoricalDtype):
        levels = tuple(dtype.categories)
        label = f"column {name!r} ({'ordinal' if dtype.ordered else 'category'})"
        return Operand(label, _families(levels), values, missing, levels, bool(dtype.ordered))
    families = _families(values[~missing])
    if families == {"number"}:
        return number_operand(np.where(missing, np.nan, values).astype(np.float64), f"column {name!r} (number)")
    kind = (
        " and ".join(sorted(families)) if types.is_object_dtype(dtype) or types.is_string_dtype(dtype) else str(dtype)
    )
    return Operand(f"column {name!r} ({kind})", families, values, missing)


def _families(values: Iterable[object]) -> frozenset[str]:
    return frozenset(
        "text"
        if isinstance(value, str)
        else "number"
        if isinstance(value, bool | int | float | np.generic)
        else "other"
        for value in values
    )


def compare(
    test: Callable[[Any, Any], Any], left: Operand, right: Operand, where: str
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return in which rows `test` is true for two operands, and in which rows it is unknown.

    Arguments:
        test: a comparison of the `operator` module.
        left: the left operand.
        right: the right operand.
        where: the place in error messages.

    Raises:
        ConfigError: the types cannot be compared, or lack the order that `test` needs.
    """
    left, right = _dated(left, right, where), _dated(right, left, where)
    if not left.families or not right.families:
        return np.array(False), np.array(True)
    if not left.families & right.families:
        remedy = "Compare like with like."
        if any(side.families == {"date"} for side in (left, right)):
            remedy = "Write a date in quotes, such as '2015-01-31'."
        elif any(side.is_constant and side.families == {"number"} for side in (left, right)):
            remedy = "Write a text in quotes, such as '1'."
        raise ConfigError(where, f"{left.label} is compared with {right.label}", remedy)
    missing = left.missing | right.missing
    if test in (operator.eq, operator.ne) or (left.is_numeric_or_date and right.is_numeric_or_date):
        return np.asarray(test(left.values, right.values), dtype=bool), missing
    levels = _common_levels(left, right, where)
    return test(_ranks(left, levels, where), _ranks(right, levels, where)), missing


def _dated(side: Operand, other: Operand, where: str) -> Operand:
    """Return a constant text as a date when the other side is a date."""
    if not (side.is_constant and side.families == {"text"} and other.families == {"date"}):
        return side
    try:
        moment = dt.datetime.fromisoformat(side.values.item())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is not None:
        remedy = "Write it as '2015-01-31' or '2015-01-31 23:59:00'."
        raise ConfigError(where, f"{other.label} is compared with a text that is no date", remedy)
    return Operand("a date", frozenset({"date"}), np.array(moment, dtype="datetime64[us]"), np.array(False))


def _common_levels(left: Operand, right: Operand, where: str) -> tuple[object, ...]:
    columns = [side for side in (left, right) if not side.is_constant]
    for side in columns:
        if not side.is_numeric_or_date and not side.ordered:
            raise ConfigError(where, f"{side.label} has no order", "Use ==, != or in, or declare it `ordinal`.")
    levels = {side.levels for side in columns}
    if len(levels) > 1:
        raise ConfigError(where, f"{left.label} and {right.label} share no order", "Use == or !=.")
    return levels.pop() or ()


def _ranks(side: Operand, levels: tuple[object, ...], where: str) -> NDArray[np.int64]:
    rank = {level: position for position, level in enumerate(levels)}
    if not side.is_constant:
        return np.array([rank.get(value, -1) for value in side.values], dtype=np.int64)
    if side.values.item() not in rank:
        raise ConfigError(where, "an ordinal column is compared with none of its levels", "Write one of them.")
    return np.array(rank[side.values.item()])
