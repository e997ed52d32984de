"""Dates encoded as distances from another date of the same row, which preserves their order and spacing."""

from __future__ import annotations

import datetime as dt
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.encoding.axis import CALENDAR, Axis
from synthclin.encoding.bins import fit_line
from synthclin.encoding.fit_support import clock_step
from synthclin.encoding.line_codec import LineCodec
from synthclin.schema.columns import Column, Date, Integer
from synthclin.schema.patients import patients

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.protection import Limits
    from synthclin.schema import Schema

__all__ = ["anchored", "distance_column", "distances", "fit_distances", "placed", "shifted"]


def anchored(schema: Schema) -> dict[str, str]:
    """Return the anchor of each column that has one, every column after its own anchor."""
    anchors = {name: column.anchor_name for name, column in schema.columns.items() if column.anchor_name is not None}
    order = TopologicalSorter({name: [anchor] for name, anchor in anchors.items()}).static_order()
    return {name: anchors[name] for name in order if name in anchors}


def distance_column(column: Column) -> Integer:
    """Return the column type of distances: an integer, in days or in clock steps."""
    return Integer(missing="allowed" if column.may_be_missing else "never")


def distances(cells: pd.Series, anchor: pd.Series, column: Column, step: int) -> pd.Series:
    """Return the (rows,) days of a date, or steps of `step` seconds of a datetime, from the anchor's cells.

    A distance is missing where the cell or its anchor is missing.

    Example:
        >>> days = [pd.Series(pd.to_datetime(text)) for text in (["2026-03-01", "2026-03-05"], ["2026-02-27", None])]
        >>> distances(*days, Date(), 1).tolist()
        [2, <NA>]
    """
    unit = f"datetime64[{column.resolution}]"
    here, there = (series.to_numpy(dtype="datetime64[s]").astype(unit) for series in (cells, anchor))
    missing = np.isnat(here) | np.isnat(there)
    apart = np.where(missing, 0, (here - there).astype(np.int64))
    return pd.Series(pd.arrays.IntegerArray(np.rint(apart / step).astype(np.int64), missing))


def placed(distance: pd.Series, anchor: pd.Series, column: Column, step: int) -> pd.Series:
    """Return the (rows,) dates at these distances from the anchor's cells, clipped to the range of timestamps."""
    missing = (distance.isna() | anchor.isna().to_numpy()).to_numpy()
    start = anchor.to_numpy(dtype="datetime64[s]")
    if column.resolution == "D":
        start, step = start.astype("datetime64[D]").astype("datetime64[s]"), 86_400
    apart = distance.to_numpy(dtype=np.float64, na_value=0.0) * step
    # Both ends of the calendar are midnights.
    seconds = np.clip(np.where(missing, 0, start.astype(np.int64)) + apart, *CALENDAR)
    stamps = seconds.astype(np.int64).astype("datetime64[s]").astype("datetime64[ns]")
    stamps[missing] = np.datetime64("NaT")
    return pd.Series(stamps)


def fit_distances(
    name: str, column: Column, cells: pd.Series, anchor: pd.Series, patient: NDArray[np.int64], limits: Limits
) -> LineCodec:
    """Fit the codec of a column's distances from its anchor; see `fit_line`."""
    step = 1
    if column.resolution != "D":
        seconds = distances(cells, anchor, column, 1)
        known = seconds.notna().to_numpy()
        step = clock_step(seconds[known].to_numpy(np.int64), patient[known], limits.statistic)
    apart = distances(cells, anchor, column, step)
    codec = fit_line(name, distance_column(column), apart, patient, limits)
    return LineCodec(codec.column, codec.state.model_copy(update={"step": step}))


def shifted(table: pd.DataFrame, schema: Schema, generator: np.random.Generator) -> pd.DataFrame:
    """Return a typed table with the dates of each patient shifted by one random number of days, at most `shift`.

    A column with `shift` moves inside its `range`, together with all columns anchored to it: intervals are preserved.

    Example:
        >>> from synthclin.schema import Schema
        >>> columns = {"came": {"type": "date", "shift": {"days": 90}}, "left": {"type": "date", "anchor": "came"}}
        >>> days = pd.to_datetime(["2026-03-01", "2026-05-01"])
        >>> table = pd.DataFrame({"came": days, "left": days + pd.Timedelta(days=3)})
        >>> moved = shifted(table, Schema.model_validate({"columns": columns}), np.random.default_rng(1))
        >>> (moved["left"] - moved["came"]).dt.days.tolist(), bool((moved["came"] == days).any())
        ([3, 3], False)
    """
    table, anchors = table.copy(deep=False), anchored(schema)
    uniform = generator.random(len(table))
    patient = patients(table, schema)
    for name, column in schema.columns.items():
        if column.shift_days is None:
            continue
        together = {name}
        for follower, anchor in anchors.items():
            if anchor in together:
                together.add(follower)
        axis = Axis.of(_whole_days(column))
        day = pd.Series(axis.positions(table[name])).groupby(patient)
        least = np.maximum(axis.low - day.transform("min"), -column.shift_days)
        most = np.minimum(axis.high - day.transform("max"), column.shift_days)
        # All rows of a patient share one uniform number.
        share = pd.Series(uniform).groupby(patient).transform("first")
        days = pd.to_timedelta(np.floor(least + share * (most - least + 1)), unit="D").set_axis(table.index)
        for one in together:
            table[one] = table[one] + days
    return table


def _whole_days(column: Column) -> Date:
    """Return a date column with the range of a date or datetime column."""
    if column.bounds is None:
        return Date()
    low, high = (bound.date() if isinstance(bound, dt.datetime) else bound for bound in column.bounds)
    return Date(range=(low, high))
