"""Behaviour that commands share: progress, warnings, written tables, and the part of a process under torchrun."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from synthclin.cli.terminal import warn
from synthclin.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.rules.validation import Finding
    from synthclin.schema import Schema
    from synthclin.study.config import Config

# Imported inside functions: `synthclin --help` does not load pandas.
# ruff: noqa: PLC0415

__all__ = ["assists", "manners", "warn_of", "warn_of_formulas", "write_sample"]


@contextmanager
def manners(quiet: bool) -> Iterator[None]:
    """Suppress progress on stderr where `quiet` is set."""
    from synthclin import progress

    with progress.quiet() if quiet else ExitStack():
        yield


def warn_of(quiet: bool) -> Callable[[Finding], None]:
    """Return a function that prints a finding on stderr, or drops it where `quiet` is set."""

    def show(finding: Finding) -> None:
        if not quiet:
            warn(str(finding))

    return show


def warn_of_formulas(table: pd.DataFrame, schema: Schema, remedy: str = "outputs.csv_safe: escape") -> None:
    """Warn of each column whose text a spreadsheet would run as a formula; `remedy` is the setting that escapes it."""
    from synthclin.tables import spreadsheet_warnings

    for finding in spreadsheet_warnings(table, schema, remedy):
        warn(str(finding))


def write_sample(table: pd.DataFrame, output: Path, schema: Schema, *, escape: bool, quiet: bool) -> None:
    """Write sampled rows; escape text that a spreadsheet may run as a formula, or warn of it."""
    from synthclin.tables import write_table

    write_table(table, output, schema, csv_safe="escape" if escape else "warn")
    if not (escape or quiet) and output.suffix.lower() == ".csv":
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
    with manners(quiet=True):
        run.assist(study)
    return True
