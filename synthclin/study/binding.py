"""The check that a report is about a table file: the SHA-256 of the file is the one in the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from synthclin.errors import ChangedReportError, ConfigError, DataError
from synthclin.io.documents import read_json
from synthclin.io.files import path_of, refuse_absent, sha256
from synthclin.report import Report
from synthclin.report.record.seal import Seal, open_seal
from synthclin.tables.shard_index import INDEX, is_sharded, read_shards

__all__ = ["Binding", "verify_binding"]

_PAGES = (".html", ".htm", ".md")
_FORM = "Write `synthclin verify TABLE REPORT`, such as `synthclin verify synthetic.csv report.json`."


@dataclass(frozen=True, slots=True)
class Binding:
    """Result of the check of a table against its report.

    Arguments:
        table: name of the table file.
        report: name of the report file.
        problems: a line each; empty where the report is about this file.
        passed: whether the report says that no gate was missed.
    """

    table: str
    report: str
    problems: tuple[str, ...]
    passed: bool
    changed: bool = False

    @property
    def verdict(self) -> str:
        """The outcome as one line."""
        if self.problems:
            wrong = "was changed" if self.changed else f"is not about {self.table}"
            return f"VERIFY FAILED: {self.report} {wrong}"
        gates = "" if self.passed else "; the gates are NOT PASSED"
        return f"verified: {self.report} is about {self.table}, and neither was changed{gates}"


def verify_binding(table: str | Path, report: str | Path) -> Binding:
    """Check that a report is about a table file and that neither was changed.

    The checksum of a report detects accidental changes; against forgery, compare the SHA-256 with one from elsewhere.

    Arguments:
        table: the file of the synthetic table, or the folder of one in shards.
        report: its ``report.json``, ``report.html`` or ``report.md``, of either edition.

    Raises:
        ConfigError: the arguments are in the wrong order, the report is none, or names no file.
        DataError: there is no such file.

    Example:
        >>> verify_binding("synthetic.csv", "report.json").verdict  # doctest: +SKIP
        'verified: report.json is about synthetic.csv, and neither was changed'
    """
    places = path_of(table), path_of(report)
    for place in places:
        refuse_absent(place)
    sharded = is_sharded(places[0])
    if places[1].is_dir() or (places[0].is_dir() and not sharded):
        raise ConfigError("verify", "one of two arguments is a folder", f"{_FORM} A run folder is verified alone.")
    kinds = [place.suffix.lower() in {".json", *_PAGES} for place in places]
    if kinds == [True, False]:
        raise ConfigError("verify", "the arguments are in the wrong order: the table comes first", _FORM)
    if kinds[0]:
        raise ConfigError(str(table), "this is a report, not a table", _FORM)
    if not kinds[1]:
        raise ConfigError(str(report), "this is no report.json, report.html or report.md", _FORM)
    try:
        seal = _seal_of(places[1], str(report))
    except ChangedReportError as error:
        return Binding(places[0].name, places[1].name, (f"{error.where}: {error.what}",), passed=False, changed=True)
    if seal.table is None:
        remedy = (
            "Score the file with `synthclin evaluate TABLE ... -o report.json`; in Python, add `file=` to evaluate."
        )
        raise ConfigError(str(report), "the report names no table file, so it is about no file", remedy)
    digest = sha256(places[0] / INDEX if sharded else places[0])
    problems: tuple[str, ...] = () if digest == seal.table else (f"{table}: its SHA-256 is not the one in {report}",)
    if sharded:
        try:
            read_shards(places[0])
        except DataError as error:
            problems += (f"{error.where}: {error.what}",)
    return Binding(places[0].name, places[1].name, problems, seal.passed)


def _seal_of(path: Path, where: str) -> Seal:
    """Return what a report says of its table, after the check of its checksum."""
    if path.suffix.lower() not in _PAGES:
        document = read_json(path, error=ConfigError)
        if isinstance(document, dict) and "scores" in document and "sha256" not in document:
            raise ConfigError(where, "the report has no checksum", "Use the report.json that synthclin wrote.")
        read = Report.read(path)
        return Seal(None if read.table is None else read.table.sha256, read.passed, intact=True)
    seal = open_seal(path.read_bytes().decode("utf-8", errors="replace"))
    if seal is None:
        raise ConfigError(where, "this is no report of synthclin", "Give the report.html or report.md that it wrote.")
    if not seal.intact:
        raise ChangedReportError(
            where, "the file was changed after it was written", "Use the file that synthclin wrote."
        )
    return seal
