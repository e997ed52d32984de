"""Steps that several commands share: checks of paths, progress, warnings, output, and training under torchrun."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from synthclin import log
from synthclin.cli.terminal import STDOUT, warn, write_out
from synthclin.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.schema import Schema
    from synthclin.study.config import Config
    from synthclin.tables import CsvSafe

# Imported inside functions: `synthclin --help` does not load pandas.
# ruff: noqa: PLC0415

__all__ = [
    "assists",
    "first_checks",
    "place_for",
    "silenced",
    "table_place_for",
    "warn_of_formulas",
    "write_page",
    "write_sample",
]

_YAML = {".yaml", ".yml"}
_ADDRESS = re.compile(r"\w{3,}:")  # of a database, which is opened later; no drive


def first_checks(
    config: Path | None = None,
    *,
    schema: Path | None = None,
    tables: Iterable[str | Path | None] = (),
    folders: Iterable[Path] = (),
) -> None:
    """Refuse absent or unreadable files before heavy packages are loaded."""
    from synthclin.io.documents import read_yaml, refuse_schema, refuse_study
    from synthclin.io.files import refuse_absent
    from synthclin.io.source_date import source_date

    source_date()  # numpy fails on a wrong one
    for path in tables:
        if path is not None and not _ADDRESS.match(str(path)):
            refuse_absent(path)
    for path in folders:
        refuse_absent(path, "folder")
    for path, kind in ((config, "study"), (schema, "schema")):
        if path is not None and path.suffix.lower() not in _YAML:
            from synthclin.tables import refuse_table

            refuse_table(path, kind)
    if config is not None:
        refuse_schema(read_yaml(config), str(config))
    if schema is not None:
        refuse_study(read_yaml(schema), str(schema))


def place_for(output: Path | None, overwrite: bool, *, folder: bool = False) -> None:
    """Refuse an output path that cannot be written, before any work is done."""
    from synthclin.io.files import refuse_taken

    if output is None:
        return
    if str(output) != STDOUT:
        if not folder:
            refuse_taken(output, overwrite)
    elif folder:
        raise ConfigError("--output", "a folder cannot be written to stdout", "Name a folder.")


def table_place_for(output: str, overwrite: bool) -> None:
    """Refuse a file or a table of a database that cannot be written, before any work is done."""
    from synthclin.tables import refuse_taken_table

    if output != STDOUT:
        refuse_taken_table(output, overwrite=overwrite)


def write_page(text: str, output: Path, overwrite: bool) -> bool:
    """Write a text to a file, or to stdout for ``-``; return whether it was a file."""
    from synthclin.io.files import write_atomic

    if str(output) == STDOUT:
        write_out(text)
        return False
    write_atomic(output, text, overwrite=overwrite)
    return True


def silenced(quiet: bool) -> AbstractContextManager[None]:
    """Suppress progress and warnings on stderr where `quiet` is set."""
    return log.quiet() if quiet else nullcontext()


def warn_of_formulas(table: pd.DataFrame, schema: Schema, remedy: str = "outputs.csv_safe: escape") -> None:
    """Warn of each column whose text a spreadsheet would run as a formula; `remedy` is the setting that escapes it."""
    from synthclin.tables import spreadsheet_warnings

    for finding in spreadsheet_warnings(table, schema, remedy):
        warn(finding)


def write_sample(table: pd.DataFrame, output: str, schema: Schema, *, escape: bool, quiet: bool) -> None:
    """Write sampled rows, as CSV to stdout for ``-``; escape text that is a formula to a spreadsheet, or warn of it."""
    from synthclin.schema.dtypes import retyped
    from synthclin.tables import write_table
    from synthclin.tables.csv_format import to_csv

    safety: CsvSafe = "escape" if escape else "warn"
    if output == STDOUT:
        write_out(to_csv(retyped(table, schema), schema, safety))
    else:
        write_table(table, output, schema, csv_safe=safety)
    if not (escape or quiet) and (output == STDOUT or output.lower().endswith((".csv", ".csv.gz"))):
        warn_of_formulas(table, schema, "--csv-safe")


def assists(study: Config, resume: bool) -> bool:
    """Take part in the training of another process, and return whether this process did so."""
    from synthclin.models import distributed
    from synthclin.study import run

    if distributed.processes() > 1 and resume:
        raise ConfigError("--resume", "several processes cannot resume together", "Resume with one process.")
    if distributed.processes() > 1 and study.privacy.audit != "quick":
        what, remedy = "several processes do not train shadow models", "Set `privacy.audit: quick`, or use one process."
        raise ConfigError("privacy.audit", what, remedy)
    if distributed.first():
        return False
    with silenced(quiet=True):
        run.assist(study)
    return True
