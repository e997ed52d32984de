"""How commands behave around their work: progress, warnings, and rows that leave in a file."""

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

# Imported where it is needed: `synthclin --help` does not wait for pandas.
# ruff: noqa: PLC0415

__all__ = ["assists", "manners", "warn_of", "warn_of_formulas", "write_sample"]


@contextmanager
def manners(quiet: bool) -> Iterator[None]:
    """Keep progress off stderr where it is not wanted."""
    from synthclin import progress

    with progress.quiet() if quiet else ExitStack():
        yield


def warn_of(quiet: bool) -> Callable[[Finding], None]:
    """Return what tells a finding on stderr, or nobody."""

    def tell(finding: Finding) -> None:
        if not quiet:
            warn(str(finding))

    return tell


def warn_of_formulas(table: pd.DataFrame, schema: Schema, remedy: str = "outputs.csv_safe: escape") -> None:
    """Warn of each column whose text a spreadsheet would run; `remedy` is the setting that disarms it."""
    from synthclin.tables import spreadsheet_warnings

    for finding in spreadsheet_warnings(table, schema, remedy):
        warn(str(finding))


def write_sample(table: pd.DataFrame, output: Path, schema: Schema, *, escape: bool, quiet: bool) -> None:
    """Write drawn rows; warn of text that a spreadsheet may run, or `escape` it."""
    from synthclin.tables import write_table

    write_table(table, output, schema, csv_safe="escape" if escape else "warn")
    if not (escape or quiet) and output.suffix.lower() == ".csv":
        warn_of_formulas(table, schema, "--csv-safe")


def assists(study: Config, resume: bool) -> bool:
    """Return whether this is one of several processes and another one writes; if so, it has done its share by now."""
    from synthclin.models import distributed
    from synthclin.study import run

    if distributed.processes() > 1 and resume:
        raise ConfigError("--resume", "several processes cannot go on together", "Resume with one process.")
    if distributed.processes() > 1 and study.privacy.audit != "quick":
        what, remedy = "several processes do not train shadow models", "Set `privacy.audit: quick`, or use one process."
        raise ConfigError("privacy.audit", what, remedy)
    if distributed.first():
        return False
    with manners(quiet=True):
        run.assist(study)
    return True
