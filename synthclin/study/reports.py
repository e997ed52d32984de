"""Discovery of report files in run folders, single files, and folders of many runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from synthclin.errors import ConfigError
from synthclin.io.files import path_of, write_atomic
from synthclin.report import Report
from synthclin.report.compare import MOST_SIDE_BY_SIDE, NamedReport, index
from synthclin.report.compare import compare as side_by_side

__all__ = ["REPORTS", "compare", "find_reports"]

REPORTS = ("report.json", "report-shareable.json")
"""File names of a run's report, in order of precedence."""


def compare(*runs: str | Path | Report, output: str | Path | None = None, overwrite: bool = False) -> str:
    """Return a page that compares runs: two to six side by side, more of them or a folder of runs as an index.

    Arguments:
        runs: run folders, files of reports, folders of runs, or reports.
        output: also write the page to this HTML file.
        overwrite: whether that file may be replaced.

    Raises:
        ConfigError: a place holds no report or is given twice, or a report is damaged.
        OutputError: the file cannot be written.

    Example:
        >>> page = compare("runs/ward-1", "runs/ward-2", output="compare.html")  # doctest: +SKIP
    """
    given = list(runs[0]) if len(runs) == 1 and isinstance(runs[0], list | tuple) else list(runs)
    reports = [run for run in given if isinstance(run, Report)]
    named = [NamedReport(str(one.provenance.get("name", "report")), one) for one in reports]
    places = [path_of(run).resolve() for run in given if not isinstance(run, Report)]
    twice = next((place for place in places if places.count(place) > 1), None)
    if twice is not None:
        raise ConfigError("compare", f"the run '{twice.name}' is given twice", "Name each run once.")
    found = [*find_reports(path_of(run) for run in given if not isinstance(run, Report)), *named]
    if not found:
        raise ConfigError("compare", "no run is given", "Name two run folders, or a folder of runs.")
    page = index(found) if len(found) > MOST_SIDE_BY_SIDE or len(found) == 1 or len(given) == 1 else side_by_side(found)
    if output is not None:
        write_atomic(output, page, overwrite=overwrite)
    return page


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
