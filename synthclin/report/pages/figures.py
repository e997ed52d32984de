"""Types of the HTML report: sections of figures, each with title, reading help, chart and data table."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from markupsafe import Markup

__all__ = ["DataTable", "Figure", "Panel", "Row", "Section", "StripRow", "joined"]

_SHORT = 6


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table: its name and its cells as plain text, with an optional `bar` in the last cell."""

    name: str
    cells: tuple[str, ...]
    bar: Markup | None = None
    level: bool = False
    over: bool = False


@dataclass(frozen=True, slots=True)
class DataTable:
    """A table. `head` names the rows and then each column; all columns but the first `words` hold numbers.

    `form` is its layout: ``wordy`` for sentences, ``t1`` for blocks of levels, ``beside`` for many short columns.
    """

    caption: str
    head: tuple[str, ...]
    rows: tuple[Row, ...]
    words: int = 0
    form: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel of small multiples: heading, unit, chart and one labelled number.

    `room` is the padding of the frame: ``panel`` for one axis, ``curve`` for two, ``map`` for a wide chart.
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
    """One row of a chart with a shared axis; `real` and `synthetic` are the estimates as text below its name."""

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
    """A figure: title, reading help, one kind of chart, note and data tables.

    Arguments:
        title: the finding as a sentence, or a neutral noun.
        how: how to read the chart.
        plot: one wide chart.
        flow: boxes in a row: heading, text, and whether the box is the synthetic table.
        panels: small multiples; two in a row with `wide`, otherwise three; `more` are folded.
        aside: short lists beside the panels, each with its heading.
        strip: rows with a shared axis; `ends` names the two ends of the axis, or `axis` is its chart.
        table: a table in the place of a chart.
        note: remarks below the chart.
        data: tables of the numbers of the chart, folded.
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
        """Whether the figure is short enough for one printed page."""
        if self.table is not None and (self.table.form == "wordy" or len(self.table.rows) > 2 * _SHORT):
            return False
        return len(self.panels) <= _SHORT and len(self.strip) <= _SHORT


@dataclass(frozen=True, slots=True)
class Section:
    """One section of the report: a question, its status where a gate judges it, lead sentences and figures."""

    key: str
    title: str
    contents: str
    status: str | None = None
    lead: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = field(default_factory=tuple)


def joined(first: Section, second: Section | None) -> Section:
    """Return two sections as one, under the title of the first."""
    if second is None:
        return first
    return replace(first, lead=(*first.lead, *second.lead), figures=(*first.figures, *second.figures))
