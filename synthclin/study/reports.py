"""Discovery of report files in run folders, single files, and folders of many runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from synthclin.errors import ConfigError
from synthclin.report import Report
from synthclin.report.compare import NamedReport

__all__ = ["REPORTS", "find_reports"]

REPORTS = ("report.json", "report-shareable.json")
"""File names of a run's report, in order of precedence."""


def find_reports(places: Iterable[Path]) -> list[NamedReport]:
    """Return the reports of run folders, of files, and of all runs below other folders, with unique names.

    Raises:
        ConfigError: a place holds no report, or a report is damaged.
    """
    files = [file for place in places for file in _files(Path(place))]
    short = [file.parent.name if file.name in REPORTS else file.stem for file in files]
    names = [name if short.count(name) == 1 else f"{name} ({number})" for number, name in enumerate(short, start=1)]
    return [NamedReport(name, Report.read(file)) for name, file in zip(names, files, strict=True)]


def _files(place: Path) -> Iterator[Path]:
    if place.is_file():
        yield place
        return
    own = next((place / name for name in REPORTS if (place / name).is_file()), None)
    if own is not None:
        yield own
        return
    folders = sorted({file.parent for name in REPORTS for file in place.rglob(name)})
    if not folders:
        raise ConfigError(str(place), "there is no report here", "Give run folders, or a folder of run folders.")
    for folder in folders:
        yield next(folder / name for name in REPORTS if (folder / name).is_file())
