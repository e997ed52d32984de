"""`Report`: the findings with methods that read, render and save them, and that return the shareable edition."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthclin.errors import ChangedReportError, ConfigError
from synthclin.io.documents import read_json
from synthclin.io.files import write_atomic
from synthclin.language import speaking
from synthclin.report.findings import Findings, checksum
from synthclin.report.html import render
from synthclin.report.pages.decision import decision
from synthclin.report.pages.notebook import one_line, page_one_html
from synthclin.report.shareable_edition import shareable_edition
from synthclin.report.summary import summary

__all__ = ["Report"]


@dataclass(frozen=True, slots=True)
class Report(Findings):
    """The validation report of one synthetic table: frozen, and rendered again from its JSON at any time.

    Its fields are those of `synthclin.report.findings.Findings`.

    Example:
        >>> Report((), (), {}, {"name": "toy"}).to_html().startswith("<!doctype html>")
        True
    """

    def __repr__(self) -> str:
        return one_line(self)

    def _repr_html_(self) -> str:
        return page_one_html(self)

    @classmethod
    def read(cls, path: str | Path) -> Report:
        """Return the report in a ``report.json``; raises ConfigError where the file is damaged or was changed."""
        if Path(path).is_dir() or Path(path).suffix.lower() in {".html", ".md"}:
            what = "a folder" if Path(path).is_dir() else "a page"
            raise ConfigError(str(path), f"this is {what}, not a report.json", "Give the report.json of the run.")
        data = read_json(path, error=ConfigError)
        if not isinstance(data, dict):
            raise ConfigError(str(path), "not a report", "Give the report.json of a run.")
        report = cls.from_dict(data, str(path))
        stamp = data.pop("sha256", None)
        if stamp is not None and stamp != checksum(data):
            raise ChangedReportError(
                str(path), "the file was changed after it was written", "Use the file that the run wrote."
            )
        return report

    def to_dict(self) -> dict[str, Any]:
        """Return the report as JSON values, with page one's questions; an unknown number is None."""
        with speaking(self.language):
            rows = decision(self).rows
        questions = [{key: getattr(row, key) for key in ("question", "status", "score", "answer")} for row in rows]
        return Findings.to_dict(self) | {"questions": questions}

    def shareable(self) -> Report:
        """Return the edition for release outside the custodian: see `synthclin.report.editions.shareable`.

        Example:
            >>> Report((), (), {}, {"name": "toy"}).shareable().edition
            'shareable'
        """
        return shareable_edition(self)

    def save(self, path: str | Path) -> None:
        """Write the report as HTML, JSON or Markdown summary by the suffix of `path`, readable by its owner alone.

        Raises:
            ConfigError: the suffix is none of ``.html``, ``.json`` and ``.md``.
            OutputError: the file cannot be written; no partial file is left.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".json":
            write_atomic(path, self.to_json())
        elif suffix == ".md":
            write_atomic(path, summary(self))
        elif suffix in {".html", ".htm"}:
            write_atomic(path, self.to_html())
        else:
            raise ConfigError(
                str(path), "a report is written as .html, .json or .md", "Choose a name with one of these endings."
            )

    def to_html(self) -> str:
        """Return the report as one page that needs no script, network or other file."""
        return render(self)
