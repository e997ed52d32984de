"""What a page of the report is made of: sections of figures, each with finding, reading help, picture and table."""

from __future__ import annotations

from dataclasses import dataclass, field

from markupsafe import Markup

__all__ = ["DataTable", "Figure", "Panel", "Row", "Section", "StripRow"]

_SHORT = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table: its name and its cells as plain text; `bar` stands before the last cell."""

    name: str
    cells: tuple[str, ...]
    bar: Markup | None = None
    level: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class DataTable:
    """A table. `head` names the rows and then each column; all columns but the first `words` hold numbers.

    `form` is how it is set: ``wordy`` for sentences, ``t1`` for blocks of levels, ``beside`` for many short columns.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    words: int = 0
    form: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture of several: its heading, the unit or kind behind it, and one number below.

    `room` is what the frame leaves free for: ``panel`` for one axis, ``curve`` for two, ``map`` for a wide picture.
    """

    heading: str
    picture: Markup
    room: str = "panel"
    unit: str = ""
    label: str = ""
    value: str = ""
    keys: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class StripRow:
    """One row of a chart whose rows share an axis; `real` and `synthetic` say below its name what the marks are."""

    label: str
    under: str
    picture: Markup | None
    value: str
    unit: str
    real: str = ""
    synthetic: str = ""
    worst: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """Finding, how to read it, the picture (one of the kinds below), a note and the numbers.

    Arguments:
        title: the finding as a sentence, or a neutral noun.
        how: how to read the picture.
        plot: one wide picture.
        flow: boxes that follow each other: heading, lines, and whether the box is the synthetic table.
        panels: small multiples; `wide` asks for two in a row rather than three, `more` are folded away.
        aside: short lists beside the panels, each with its heading.
        strip: rows that share an axis; `ends` names the two ends of the axis, or `axis` draws it.
        table: a table that is the picture.
        note: what the reader must know.
        data: the numbers behind the picture, folded away.
    """

    title: str
    how: str = ""
    plot: Markup | None = None
    flow: tuple[tuple[str, str, bool], ...] = ()
    panels: tuple[Panel, ...] = ()
    more: tuple[Panel, ...] = ()
    aside: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    wide: bool = False
    strip: tuple[StripRow, ...] = ()
    ends: tuple[str, str] = ("", "")
    axis: Markup | None = None
    table: DataTable | None = None
    note: str = ""
    data: tuple[DataTable, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether the figure is short enough to stand on one page of paper."""
        if self.table is not None and (self.table.form == "wordy" or len(self.table.rows) > 2 * _SHORT):
            return False
        return len(self.panels) <= _SHORT and len(self.strip) <= _SHORT


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the report: a question, its status where a gate judges it, a plain answer and figures."""

    key: str
    title: str
    contents: str
    status: str | None = None
    lead: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = field(default_factory=tuple)
