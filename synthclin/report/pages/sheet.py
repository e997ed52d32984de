"""The line at the foot of every printed sheet: edition, file, SHA-256 and date, and the page number."""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING

from synthclin.language import tr
from synthclin.report.pages.words import edition_name
from synthclin.wording import plain

if TYPE_CHECKING:
    from synthclin.report.findings import Findings

__all__ = ["sheet_line", "sheet_style"]

_DIGITS = 12  # of the SHA-256: two files of one release do not share them by chance


def sheet_line(report: Findings) -> str:
    """Return what identifies a printed sheet, besides the page number.

    Example:
        >>> from synthclin.report.findings import Findings
        >>> sheet_line(Findings((), (), {}, {}))
        'Internal edition, not bound to a file, not dated'
    """
    file = report.table
    bound = tr("not bound to a file") if file is None else f"{plain(file.name, 60)}, SHA-256 {file.sha256[:_DIGITS]}"
    return f"{edition_name(report.edition)}, {bound}, {report.release.declared('date') or tr('not dated')}"


def sheet_style(report: Findings) -> str:
    """Return the style of the margin boxes of a printed sheet (CSS Paged Media, in Chromium since 131)."""
    font = "font: 7pt system-ui, sans-serif; color: #4d5866;"
    return (
        f"@page {{ @bottom-left {{ content: {_css_text(sheet_line(report))}; {font} }} "
        f"@bottom-right {{ content: {_page_number()}; {font} }} }}\n"
    )


def _page_number() -> str:
    """Return the number of a page and of all pages, as CSS."""
    counters = {"page": "counter(page)", "pages": "counter(pages)"}
    parts = Formatter().parse(tr("page {page} of {pages}"))
    return " ".join(part for text, name, _, _ in parts for part in (_css_text(text), counters.get(name or "")) if part)


def _css_text(text: str) -> str:
    """Return text as a CSS string: any character that could end the string or the style element is a code point."""
    return '"' + re.sub(r"[^A-Za-z0-9 .,_-]", lambda found: f"\\{ord(found[0]):06x}", text) + '"'
