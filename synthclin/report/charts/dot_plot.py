"""One row of a dot plot or forest plot: marks with intervals on a shared axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from markupsafe import Markup

from synthclin.report.charts import svg
from synthclin.report.charts.axes import ChartAxis

__all__ = ["Mark", "dot_row"]

Form = Literal["real", "synthetic", "non_member", "reference"]
_WHISKER = {"real": "wreal", "synthetic": "wsyn", "non_member": "wctl", "reference": "wreal"}


@dataclass(frozen=True, slots=True)
class Mark:
    """One estimate of a row.

    Arguments:
        form: ``real`` is a square, ``synthetic`` a disc, ``non_member`` a grey disc, ``reference`` a ring.
        value: the estimate; None where unknown, and then it is not drawn.
        low: lower end of its interval, or None.
        high: upper end.
        label: text above the mark.
    """

    form: Form
    value: float | None
    low: float | None = None
    high: float | None = None
    label: str = ""


def dot_row(
    title: str,
    desc: str,
    axis: ChartAxis,
    marks: Sequence[Mark],
    *,
    lines: Sequence[float] = (),
    joined: bool = False,
) -> Markup:
    """Draw the marks of one row with their intervals: below each other, or `joined` by a line at one height.

    Arguments:
        title: what is shown.
        desc: the values that matter, in words.
        axis: shared with the other rows.
        marks: from top to bottom.
        lines: values with a dotted reference line, such as no effect.
        joined: whether all marks have one height, with a line between them.
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
        case "non_member":
            parts.append(svg.circle(x, y, 4.5, "dctl"))
        case "reference":
            parts.append(svg.circle(x, y, 4, "hollow"))
    if mark.label:
        class_ = {"real": "treal", "synthetic": "tsyn"}.get(mark.form, "sm")
        anchor = "start" if x < 0.12 else "end" if x > 0.88 else "middle"
        parts.append(svg.text(x, y - 9, mark.label, anchor=anchor, class_=class_))
    return parts
