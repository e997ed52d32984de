"""HTML fragments for notebooks: a table or a list of facts, escaped, without scripts, readable in light and dark."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Sequence

__all__ = ["MOST_BYTES", "card", "cell"]

MOST_BYTES = 250_000
"""Bytes of table rows that one fragment shows; a notebook keeps every fragment."""

# No colour is set: text and lines take the notebook's own, whatever its theme.
_STYLE = (
    "<style>.synthclin-card{font:13px/1.45 system-ui,sans-serif;max-width:62rem}"
    ".synthclin-card table{border-collapse:collapse;font:inherit;color:inherit;background:transparent;margin:.4rem 0}"
    ".synthclin-card th,.synthclin-card td{text-align:left;vertical-align:top;padding:.2rem .8rem .2rem 0;"
    "border:0;border-bottom:1px solid rgba(128,128,128,.4);color:inherit;background:transparent}"
    ".synthclin-card p{margin:.3rem 0}</style>"
)


def cell(value: object, longest: int = 120) -> str:
    """Return one value as escaped text of at most `longest` characters, on one line.

    Example:
        >>> cell("<b>age</b>"), cell(None)
        ('&lt;b&gt;age&lt;/b&gt;', '')
    """
    text = "" if value is None else "".join(map(_visible, str(value)))
    return html.escape(text if len(text) <= longest else f"{text[: longest - 1]}\u2026")


def card(
    title: str,
    *,
    lines: Sequence[str] = (),
    head: Sequence[str] = (),
    rows: Iterable[Sequence[object]] = (),
    longest: int = 120,
) -> str:
    """Return a notebook fragment: a title, lines of text, and a table; all text is escaped.

    Arguments:
        title: the heading.
        lines: sentences below it.
        head: names of the table's columns; none for a table of facts, whose first cell names each row.
        rows: the table's rows; those beyond `MOST_BYTES` are counted, not shown.
        longest: characters of a cell that are shown.

    Example:
        >>> "<td><bdi>18</bdi></td>" in card("Ages", head=["least"], rows=[[18]])
        True
    """
    shown, room, left = [], MOST_BYTES, 0
    for row in rows:
        text = _row(row, longest, named=not head)
        room -= len(text.encode())
        left += room < 0
        shown += [text] if room >= 0 else []
    said = [*lines, *([f"{left:,} more rows are not shown."] if left else [])]
    names = "".join(f'<th scope="col">{cell(name)}</th>' for name in head)
    table = f"<table>{f'<thead><tr>{names}</tr></thead>' if head else ''}<tbody>{''.join(shown)}</tbody></table>"
    paragraphs = "".join(f"<p>{cell(line, 2_000)}</p>" for line in said)
    return (
        f'<div class="synthclin-card">{_STYLE}<p><strong>{cell(title)}</strong></p>'
        f"{paragraphs}{table if shown else ''}</div>"
    )


def _row(values: Sequence[object], longest: int, *, named: bool) -> str:
    cells = [f"<td><bdi>{cell(value, longest)}</bdi></td>" for value in values]
    if named:
        cells[0] = f'<th scope="row">{cell(values[0], longest)}</th>'
    return f"<tr>{''.join(cells)}</tr>"


def _visible(character: str) -> str:
    """Return a character, or U+FFFD for one that hides or reorders text."""
    return character if character.isprintable() or unicodedata.category(character) == "Zs" else "\ufffd"
