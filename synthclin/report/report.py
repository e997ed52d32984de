"""The report: findings that are written as a page, as JSON or in short, and handed on as a shareable edition."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from synthclin.errors import ConfigError
from synthclin.io.documents import read_json
from synthclin.io.files import write_atomic
from synthclin.report.editions.shareable import shareable
from synthclin.report.findings import Findings, checksum
from synthclin.report.html import render
from synthclin.report.pages.notebook import one_line, page_one_html
from synthclin.report.summary import summary

__all__ = ["Report"]


@dataclass(frozen=True, slots=True)
class Report(Findings):
    """The report on one synthetic table. Frozen; a run writes it, anybody can render it again.

    What it holds is told by `synthclin.report.findings.Findings`.

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
        """Return the report that a ``report.json`` holds; raises ConfigError where it is damaged or was changed."""
        data = read_json(path, error=ConfigError)
        if not isinstance(data, dict):
            raise ConfigError(str(path), "not a report", "Give the report.json of a run.")
        report = cls.from_dict(data, str(path))
        stamp = data.pop("sha256", None)
        if stamp is not None and stamp != checksum(data):
            raise ConfigError(str(path), "it was changed after it was written", "Use the file that the run wrote.")
        return report

    def shareable(self) -> Report:
        """Return the edition that may leave the custodian: see `synthclin.report.editions.shareable`.

        Example:
            >>> Report((), (), {}, {"name": "toy"}).shareable().edition
            'shareable'
        """
        return shareable(self)

    def save(self, path: str | Path) -> None:
        """Write the report as a page (``.html``), for machines (``.json``) or in short (``.md``), for its owner alone.

        Raises:
            ConfigError: the name ends otherwise.
            OutputError: the file cannot be written; nothing is left behind.
        """
        suffix = Path(path).suffix.lower()
        if suffix == ".json":
            write_atomic(path, self.to_json())
        elif suffix == ".md":
            write_atomic(path, summary(self))
        elif suffix in {".html", ".htm"}:
            write_atomic(path, self.to_html())
        else:
            raise ConfigError(str(path), "a report is written as .html, .json or .md", "Choose a name that ends so.")

    def to_html(self) -> str:
        """Return the report as one page that needs no script, network or other file."""
        return render(self)
