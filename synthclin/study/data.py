"""Data preparation of a run: read the real table, validate it against its schema, and split it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from synthclin import datasets
from synthclin.errors import ConditionError, DataError
from synthclin.io.files import path_of
from synthclin.models.private_training import refuse_useless
from synthclin.rules.validation import (
    Finding,
    check,
    conform,
    readable_cells,
    refuse_contradiction,
    valid_rows,
    without_violations,
)
from synthclin.rules.visits import examine_visits, in_order, refuse_rows_as_patients
from synthclin.schema.patients import MIN_PATIENTS, patients, sampled_units
from synthclin.study import manifest
from synthclin.tables import PatientSample, is_database, read_sample, read_table, split, spreadsheet_warnings
from synthclin.tables.parquet_folder import parquet_files
from synthclin.tables.readstat_output import WRITING, refuse_unwritable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from synthclin.dp.parameters import DifferentialPrivacy
    from synthclin.sampling.cohorts import Cohort
    from synthclin.schema import Schema
    from synthclin.study.config import Config

__all__ = ["Real", "patients_in", "prepare", "read_same", "source_file", "wanted"]


LARGE = 2**30
"""Bytes of a file above which a warning proposes a sample."""


class Real(NamedTuple):
    """Training and holdout rows, typed, and the number of real rows that each rule left out.

    With differential privacy, `private` has all training rows: the model is fitted to these, and only the rows that
    satisfy the schema are compared. `source` is the record of the file or database for the manifest, `source_rows` how
    many rows it has where a sample of them is read.
    """

    train: pd.DataFrame
    holdout: pd.DataFrame
    excluded_rows: dict[str, int]
    private: pd.DataFrame | None = None
    source: manifest.SourceFile | None = None
    source_rows: int | None = None


def source_file(config: Config) -> Path | None:
    """Return the file of the real table; None for a database."""
    if is_database(config.data.source):
        return None
    name = config.data.dataset
    return path_of(config.data.source) if name is None else datasets.file_of(name)


def read_same(config: Config, record: manifest.SourceFile) -> bool:
    """Return whether a run with this record read the table that the source holds now; a database is asked again."""
    return record.is_of(source_file(config) or _read(config).table)


def _read(config: Config) -> PatientSample:
    """Return the real table, or the sample of it, not yet checked against its schema, and how many rows it has."""
    schema, reading, file = config.table_schema, config.data.reading, source_file(config)
    source = config.data.source if file is None else file
    if config.data.sample is not None:
        return read_sample(source, config.data.sample, schema, config.seed, **reading)
    name = config.data.dataset
    table = datasets.load(name)[0] if name else read_table(source, schema, partial=True, **reading)
    return PatientSample(table, len(table))


def _record(config: Config, table: pd.DataFrame) -> manifest.SourceFile:
    """Return the record of the file of the real table, or of the rows of a database."""
    file = source_file(config)
    return manifest.SourceFile.of_rows(table) if file is None else manifest.SourceFile.of(file)


def prepare(config: Config, clock: manifest.Clock, on_finding: Callable[[Finding], None]) -> Real:
    """Read, check and split the real table."""
    schema = config.table_schema
    refuse_contradiction(schema)
    if config.protect.dp is not None:
        return _prepare_private(config, config.protect.dp, clock, on_finding)
    for finding in _too_large(config):
        on_finding(finding)
    with clock.stage("read"):
        cells, source_rows = _read(config)
        source = _record(config, cells)
        try:
            table = conform(cells, schema)
        except DataError as error:
            place = config.data.source.partition("?")[0]
            remedy = error.remedy
            if config.data.sample is not None:
                # Rows are counted in the sample, not in the source.
                place += f" (sample of {len(cells):,} rows)"
                remedy += " `synthclin schema check` numbers the rows of the whole table."
            raise DataError(f"{place}: {error.where}", error.what, remedy) from None
    with clock.stage("check"):
        _refuse_constants(table, schema)
        refuse_rows_as_patients(table, schema)
        kept, excluded_rows = without_violations(table, schema)
        for finding in [*check(table, schema), *examine_visits(table, schema)]:
            on_finding(finding)
        kept = in_order(kept, schema)
        if (suffix := f".{config.outputs.table}") in WRITING:
            refuse_unwritable(schema, suffix, table)
        if config.outputs.table in {"csv", "csv.gz"} and config.outputs.csv_safe == "warn":
            for finding in spreadsheet_warnings(table, schema, "outputs.csv_safe: escape"):
                on_finding(finding)
    with clock.stage("split"):
        train, holdout = split(kept, schema, config.data.holdout, config.seed)
    for cohort in config.sampling.cohorts:
        _check_support(cohort, train, config, on_finding)
    sampled = source_rows > len(cells)
    return Real(train, holdout, excluded_rows, source=source, source_rows=source_rows if sampled else None)


def _too_large(config: Config) -> Iterator[Finding]:
    """Yield a warning about a file that is read as a whole although it hardly fits into memory."""
    path = source_file(config)
    if path is None or config.data.sample is not None or not path.exists():
        return
    size = sum(file.stat().st_size for file in (parquet_files(path) if path.is_dir() else [path]))
    if size > LARGE:
        what = f"holds {size / 2**30:.1f} GiB, and is read as a whole, which takes several times as much memory"
        remedy = "`data.sample: 200000` reads a random sample of patients in bounded memory."
        yield Finding(config.data.source, what, remedy, severity="warning")


def _prepare_private(
    config: Config, guarantee: DifferentialPrivacy, clock: manifest.Clock, on_finding: Callable[[Finding], None]
) -> Real:
    """Read and split the real table for a training with differential privacy.

    What is not declared, and noise that would hide the table, is refused before a row is read. No cell stops the run,
    because a run that stops discloses a row: rows that break the schema are left out of the scores alone.
    """
    schema = config.table_schema
    refuse_useless(schema, guarantee)
    with clock.stage("read"):
        table = _read(config).table
        source = _record(config, table)
    with clock.stage("check"):
        cells = readable_cells(table, schema)
    with clock.stage("split"):
        private, holdout = split(cells, schema, config.data.holdout, config.seed, stable=True)
        kept = [rows[valid_rows(rows, schema)].reset_index(drop=True) for rows in (private, holdout)]
        left = len(cells) - sum(map(len, kept))
        if left:
            what = f"{left:,} of {len(cells):,} rows break the schema, and are left out of the scores"
            remedy = "The model is fitted to all rows. Correct them, or the schema, for scores of all."
            on_finding(Finding("table", what, remedy, severity="warning"))
        train, holdout = (conform(rows, schema) for rows in kept)
    return Real(train, holdout, {}, private, source)


def wanted(config: Config, train: pd.DataFrame) -> int:
    """Return how many rows are asked for, or patients where these have visits: by default as many as for training."""
    if config.sampling.rows is not None:
        return config.sampling.rows
    if config.protect.dp is not None and config.protect.dp.patients is not None:
        return config.protect.dp.patients
    return sampled_units(train, config.table_schema)


def _check_support(cohort: Cohort, train: pd.DataFrame, config: Config, on_finding: Callable[[Finding], None]) -> None:
    """Refuse a cohort with too few training patients, or report a finding where the configuration allows it."""
    where, least = f"cohort {cohort.name!r}", config.sampling.least_patients
    support = patients_in(train, cohort.holds(train, config.table_schema), config.table_schema)
    if support < least:
        what = f"fewer than {least} training patients satisfy its condition, so its rows would be extrapolated"
        remedy = "Widen `where`; `sampling.least_patients: 0` samples it all the same."
        raise ConditionError(where, what, remedy)
    if support < MIN_PATIENTS:
        what = f"fewer than {MIN_PATIENTS} training patients satisfy its condition"
        on_finding(Finding(where, what, "Widen it if the model cannot sample it.", severity="warning"))


def _refuse_constants(table: pd.DataFrame, schema: Schema) -> None:
    """Refuse a column of one single value unless its levels or range are declared."""
    for name in schema.modelled:
        column = schema.columns[name]
        declared = column.levels is not None or column.bounds is not None
        if not declared and len(table[name].unique()) == 1:
            remedy = "Declare its `categories` or `range` to keep it, or `type: text` to leave it out."
            raise DataError(f"column {name!r}", "every value is the same", remedy)


def patients_in(train: pd.DataFrame, rows: pd.Series[bool], schema: Schema) -> int:
    """Return the number of patients in some rows."""
    return len(np.unique(patients(train, schema)[rows.to_numpy()]))
