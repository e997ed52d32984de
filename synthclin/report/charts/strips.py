"""One row of a chart whose rows share an axis: marks with intervals, real ones square and synthetic ones round."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from markupsafe import Markup

from synthclin.report.charts import svg
from synthclin.report.charts.axes import ChartAxis

__all__ = ["Mark", "marks_row"]

Form = Literal["real", "synthetic", "unused", "fresh"]
_WHISKER = {"real": "wreal", "synthetic": "wsyn", "unused": "wctl", "fresh": "wreal"}


@dataclass(frozen=True, slots=True)
class Mark:
    """One number of a row.

    Arguments:
        form: ``real`` is a square, ``synthetic`` a disc, ``unused`` a grey disc, ``fresh`` a ring.
        value: where it stands; None for a number that is not known, which is not drawn.
        low: one end of its interval, or None.
        high: the other end.
        label: written above it.
    """

    form: Form
    value: float | None
    low: float | None = None
    high: float | None = None
    label: str = ""


def marks_row(
    title: str,
    desc: str,
    axis: ChartAxis,
    marks: Sequence[Mark],
    *,
    lines: Sequence[float] = (),
    joined: bool = False,
) -> Markup:
    """Draw the marks of one row: below each other with their intervals, or `joined` by a line at one height.

    Arguments:
        title: what is shown.
        desc: the values that matter, in words.
        axis: shared with the other rows.
        marks: from top to bottom.
        lines: numbers on the axis at which a dotted line stands, such as the one that means no effect.
        joined: whether all marks stand at one height, a line between them.
    """
    drawn = [mark for mark in marks if mark.value is not None and isfinite(mark.value)]
    named = 14.0 if any(mark.label for mark in drawn) else 0.0
    rows = 1 if joined else max(len(marks), 1)
    height = named + 8 + 14.0 * rows
    parts = [svg.line(axis.place(at), named, axis.place(at), height, "lim") for at in lines if axis.holds(at)]
    if joined and len(drawn) > 1:
        ends = [axis.place(mark.value) for mark in drawn if mark.value is not None]
        parts.append(svg.line(min(ends), named + 11, max(ends), named + 11, "db"))
    for mark in drawn:
        row = 0 if joined else marks.index(mark)
        parts += _mark(mark, named + 11 + 14.0 * row, axis)
    return svg.picture(title, desc, height, *parts)


def _mark(mark: Mark, y: float, axis: ChartAxis) -> list[Markup]:
    assert mark.value is not None
    x = axis.place(mark.value)
    parts = []
    if mark.low is not None and mark.high is not None and isfinite(mark.low) and isfinite(mark.high):
        parts.append(svg.line(axis.place(mark.low), y, axis.place(mark.high), y, _WHISKER[mark.form]))
        if mark.high > axis.high:
            parts.append(svg.text(1, y + 4, "\u203a", anchor="start", dx=2))
        if mark.low < axis.low:
            parts.append(svg.text(0, y + 4, "\u2039", anchor="end", dx=-2))
    match mark.form:
        case "real":
            parts.append(svg.square(x, y, 4, "dreal"))
        case "synthetic":
            parts.append(svg.circle(x, y, 4.5, "dsyn"))
        case "unused":
            parts.append(svg.circle(x, y, 4.5, "dctl"))
        case "fresh":
            parts.append(svg.circle(x, y, 4, "hollow"))
    if mark.label:
        class_ = {"real": "treal", "synthetic": "tsyn"}.get(mark.form, "sm")
        anchor = "start" if x < 0.12 else "end" if x > 0.88 else "middle"
        parts.append(svg.text(x, y - 9, mark.label, anchor=anchor, class_=class_))
    return parts
