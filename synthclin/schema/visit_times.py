"""Patients and times of visits as numbers, their order, and the times of events that can be compared with them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.expressions import parse
from synthclin.expressions.visit_order import VisitOrder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.schema.schema import Schema

__all__ = ["comparable", "numbered", "of_patients", "times_of", "visits_in", "visits_of"]

_DAY = 86_400.0  # seconds


def numbered(identifiers: pd.Series[Any]) -> NDArray[np.int64]:
    """Return (rows,) the number of each identifier's patient; a row without one is a patient of its own.

    Example:
        >>> numbered(pd.Series(["b", "a", None, "b"])).tolist()
        [0, 1, 2, 0]
    """
    codes, known = pd.factorize(identifiers)
    unknown = codes < 0
    return np.where(unknown, len(known) + np.cumsum(unknown) - 1, codes).astype(np.int64)


def times_of(cells: pd.Series[Any]) -> NDArray[np.float64]:
    """Return (rows,) times as numbers: days since 1970 for dates, else the numbers themselves; NaN where missing.

    Example:
        >>> times_of(pd.Series(pd.to_datetime(["1970-01-02", None]))).tolist()
        [1.0, nan]
    """
    if cells.dtype.kind == "M":
        seconds = cells.to_numpy(dtype="datetime64[s]")
        return np.where(np.isnat(seconds), np.nan, seconds.astype(np.int64) / _DAY)
    return cells.to_numpy(dtype=np.float64, na_value=np.nan)


def visits_of(identifiers: pd.Series[Any], times: pd.Series[Any]) -> VisitOrder:
    """Return the order of the visits of each patient, from the identifiers and the typed times of (rows,) visits."""
    return VisitOrder.of(numbered(identifiers), times_of(times))


def visits_in(table: pd.DataFrame, schema: Schema) -> VisitOrder | None:
    """Return the order of the visits in a typed table; None where its rows are no visits of patients."""
    if schema.visit_time is None or schema.entity not in table or schema.visit_time not in table:
        return None
    return visits_of(table[schema.entity], table[schema.visit_time])


def of_patients(schema: Schema) -> set[str]:
    """Return the columns that are the same at each visit, with those derived from them; all where rows are patients.

    Example:
        >>> from synthclin.schema import Schema
        >>> columns = {"who": {"type": "id", "role": "entity"}, "day": {"type": "integer", "role": "visit"},
        ...            "age": {"type": "integer", "static": True}, "old": {"type": "boolean", "derive": "age >= 65"}}
        >>> sorted(of_patients(Schema.model_validate({"columns": columns})))
        ['age', 'old']
    """
    if schema.visit_time is None:
        return set(schema.columns)
    found = set(schema.static)
    for name in schema.computed:
        formula = schema.columns[name].derive
        if formula is not None and parse(formula).columns <= found:
            found.add(name)
    return found


def comparable(schema: Schema) -> Iterator[str]:
    """Yield the static times of events in the unit of the visit time; days where visits have dates."""
    if schema.visit_time is None:
        return
    time = schema.columns[schema.visit_time]
    for name in schema.static:
        column = schema.columns[name]
        unit = "d" if time.is_temporal else time.unit
        if column.role == "time" and (column.unit is None or unit is None or column.unit == unit):
            yield name
