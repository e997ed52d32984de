"""Data sets ADSL and ADTTE of the Analysis Data Model (ADaM) of CDISC, made of a synthetic table."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from synthclin.errors import DataError
from synthclin.io.files import private_folder, write_atomic
from synthclin.schema.columns import parsing
from synthclin.schema.dtypes import retyped
from synthclin.study.config.adam import LABELS
from synthclin.tables.csv_format import cell_texts
from synthclin.tables.readstat_output import to_transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from synthclin.schema import Schema
    from synthclin.schema.columns import Level
    from synthclin.study.config.adam import AdamPlan, Endpoint, Variable

__all__ = ["FOLDER", "AdamTable", "adam_files", "adam_tables", "write_adam"]

FOLDER = "adam"
"""The folder of these files in a run folder."""

_DAYS = {"HOURS": 1 / 24, "DAYS": 1.0, "WEEKS": 7.0, "MONTHS": 365.25 / 12, "YEARS": 365.25}
_TITLES = {"ADSL": "Subject-Level Analysis Dataset", "ADTTE": "Time-to-Event Analysis Dataset"}


@dataclass(frozen=True, slots=True)
class AdamTable:
    """One data set.

    Arguments:
        name: ``ADSL`` or ``ADTTE``.
        frame: one row per subject, or per subject and parameter; float64 for numbers, object for texts and dates, None
            where missing.
        labels: of each variable.
    """

    name: str
    frame: pd.DataFrame
    labels: Mapping[str, str]


def adam_tables(table: pd.DataFrame, schema: Schema, plan: AdamPlan) -> list[AdamTable]:
    """Return ADSL, and ADTTE where the plan has a time to an event.

    A subject whose event or time is missing has no row of this parameter in ADTTE, as in an analysis.

    Arguments:
        table: the synthetic table; of a table with visits the first row of each patient is used.
        schema: what its columns mean.
        plan: the variables.

    Raises:
        DataError: two subjects have the same identifier.
    """
    rows = retyped(table, schema)
    if schema.visit_time is not None and schema.entity is not None:
        rows = rows.drop_duplicates(schema.entity)
    rows = rows.reset_index(drop=True)
    adsl = _subjects(rows, schema, plan)
    labels = {name: LABELS.get(name, name) for name in map(str, adsl)}
    labels |= {each.name: each.label for each in plan.variables}
    tables = [AdamTable("ADSL", adsl, labels)]
    if plan.endpoints:
        adtte = _times(rows, adsl, plan, schema)
        tables.append(AdamTable("ADTTE", adtte, {name: LABELS[name] for name in map(str, adtte)}))
    return tables


def adam_files(plan: AdamPlan) -> list[str]:
    """Return the files of the data sets, by their paths in a run folder."""
    names = ["adsl", *(["adtte"] if plan.endpoints else [])]
    return [f"{FOLDER}/{name}.{form}" for form in plan.formats for name in names]


def write_adam(table: pd.DataFrame, schema: Schema, plan: AdamPlan, folder: Path) -> None:
    """Write the data sets of a synthetic table into the folder ``adam`` of a run folder.

    Raises:
        DataError: two subjects have the same identifier, or a cell cannot be written.
        OutputError: a file cannot be written.
    """
    private_folder(folder / FOLDER)
    for made in adam_tables(table, schema, plan):
        for form in plan.formats:
            content = _transport(made) if form == "xpt" else _parquet(made)
            write_atomic(folder / FOLDER / f"{made.name.lower()}.{form}", content)


def _subjects(rows: pd.DataFrame, schema: Schema, plan: AdamPlan) -> pd.DataFrame:
    """Return ADSL: one row per subject."""
    if plan.subject is None:
        subjects = np.array([f"{number:06d}" for number in range(1, len(rows) + 1)], dtype=object)
    else:
        subjects = cell_texts(rows[plan.subject], schema.columns[plan.subject])
    if pd.isna(subjects).any() or len(set(subjects)) < len(subjects):
        what = "is missing, or is the same for two subjects, who have one row each in ADSL"
        raise DataError(f"column {plan.subject!r}", what, "Declare `role: visit`, or leave out `outputs.adam.subject`.")
    arm, actual = (_cells(rows, schema, variable) for variable in (plan.treatment, plan.actual))
    codes = arm if plan.treatment.column is None else _matched(rows[plan.treatment.column], plan.codes)
    numbers = {text: float(number) for text, number in plan.numbers.items()}
    cells = {
        "STUDYID": _same(plan.study, rows),
        "USUBJID": np.array([f"{plan.study}-{subject}" for subject in subjects], dtype=object),
        "SUBJID": subjects,
        "SITEID": _cells(rows, schema, plan.site),
        "ARM": arm,
        "ARMCD": codes,
        "TRT01P": arm,
        "TRT01PN": np.array([numbers[text] for text in arm]),
        "TRT01A": actual,
        "TRT01AN": np.array([numbers[text] for text in actual]),
    }
    return pd.DataFrame(cells | {each.name: _cells(rows, schema, each) for each in plan.variables})


def _same(text: str, rows: pd.DataFrame) -> NDArray[np.object_]:
    return np.full(len(rows), text, dtype=object)


def _cells(rows: pd.DataFrame, schema: Schema, variable: Variable) -> NDArray[np.object_] | NDArray[np.float64]:
    """Return (rows,) the cells of one variable."""
    if variable.column is None:
        return _same(variable.constant or "", rows)
    series, column = rows[variable.column], schema.columns[variable.column]
    if variable.texts is not None:
        return _matched(series, variable.texts)
    if variable.kind == "number":
        numbers = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return numbers if column.decimal_places is None else numbers.round(column.decimal_places)
    if variable.kind == "text":
        return cell_texts(series, column)
    stamps = [None if pd.isna(cell) else cell.to_pydatetime() for cell in pd.to_datetime(series)]
    found = [stamp if stamp is None or variable.kind == "datetime" else stamp.date() for stamp in stamps]
    return np.array([*found, None], dtype=object)[:-1]


def _matched(series: pd.Series, texts: Mapping[Level, str]) -> NDArray[np.object_]:
    """Return (rows,) the text of each cell's level, None where missing."""
    places = parsing.match(series, list(texts))
    return np.array([*texts.values(), None], dtype=object)[np.where(places < 0, len(texts), places)]


def _times(rows: pd.DataFrame, adsl: pd.DataFrame, plan: AdamPlan, schema: Schema) -> pd.DataFrame:
    """Return ADTTE: one row per subject and parameter."""
    parts = [_parameter(rows, adsl, plan, each, schema) for each in plan.endpoints]
    return pd.concat(parts).sort_index(kind="stable").reset_index(drop=True)


def _parameter(
    rows: pd.DataFrame, adsl: pd.DataFrame, plan: AdamPlan, endpoint: Endpoint, schema: Schema
) -> pd.DataFrame:
    """Return the rows of one parameter of ADTTE, by the number of the subject."""
    event = rows[endpoint.event]
    levels: Sequence[Level] = list(endpoint.censoring)
    places = parsing.match(event, levels)
    decimals = schema.columns[endpoint.time].decimal_places
    time = rows[endpoint.time].to_numpy(dtype=np.float64, na_value=np.nan)
    time = time if decimals is None else time.round(decimals)
    known = (places >= 0) & np.isfinite(time)
    at = np.flatnonzero(known)
    censoring = np.array([float(endpoint.censoring[level]) for level in levels])[places[known]]
    described = np.array([endpoint.descriptions[level] for level in levels], dtype=object)[places[known]]
    found = adsl.loc[known, ["STUDYID", "USUBJID", "SITEID"]].assign(
        TRTP=adsl.loc[known, "TRT01P"],
        TRTPN=adsl.loc[known, "TRT01PN"],
        PARAMCD=endpoint.paramcd,
        PARAM=endpoint.param,
        AVAL=time[known],
        AVALU=endpoint.unit,
    )
    if plan.start is not None:
        days = np.rint(time[known] * _DAYS[endpoint.unit]).astype("timedelta64[D]")
        origin = (
            np.full(len(at), np.datetime64(plan.start, "D"))
            if isinstance(plan.start, dt.date)
            else pd.to_datetime(rows.loc[known, plan.start]).to_numpy(dtype="datetime64[D]")
        )
        found["STARTDT"], found["ADT"] = origin.astype(object), (origin + days).astype(object)
    of_censoring = np.array([None, endpoint.cnsdtdsc], dtype=object)[(censoring > 0).astype(int)]
    return found.assign(CNSR=censoring, EVNTDESC=described, CNSDTDSC=of_censoring)


def _transport(made: AdamTable) -> bytes:
    return to_transport(made.frame, made.labels, name=made.name, label=_TITLES[made.name])


def _parquet(made: AdamTable) -> bytes:
    """Return a data set as a Parquet file whose fields carry the labels."""
    arrow = pa.Table.from_pandas(made.frame, preserve_index=False)
    fields = [
        pa.field(field.name, pa.string() if pa.types.is_null(field.type) else field.type, metadata={"label": label})
        for field, label in zip(arrow.schema, map(made.labels.__getitem__, arrow.column_names), strict=True)
    ]
    buffer = io.BytesIO()
    title = {"label": _TITLES[made.name]}
    pq.write_table(arrow.cast(pa.schema(fields, metadata=title)), buffer, compression="zstd")
    return buffer.getvalue()
