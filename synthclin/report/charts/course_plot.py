"""Courses over time: mean and quartiles of real and synthetic patients, and single synthetic patients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from synthclin.report.charts import svg
from synthclin.report.charts.axes import ChartAxis, ticks
from synthclin.wording import significant

if TYPE_CHECKING:
    from collections.abc import Callable

    from markupsafe import Markup

__all__ = ["course_plot", "mean_plot", "remaining_plot"]

_HIGH = 150.0
Points = Sequence[tuple[float, float]]


def mean_plot(
    title: str,
    desc: str,
    time: ChartAxis,
    height: ChartAxis,
    real: Sequence[Points],
    synthetic: Sequence[Points],
    band: Sequence[tuple[Points, Points]],
    quartiles: Sequence[Points],
) -> Markup:
    """Draw mean curves, real and synthetic, with the band of real quartiles and the lines of synthetic ones.

    Arguments:
        title: what the chart shows.
        desc: text alternative with the main values.
        time: horizontal axis.
        height: vertical axis.
        real: runs of points (time, mean) without a gap.
        synthetic: the same of synthetic patients.
        band: runs of lower and upper points of real quartiles.
        quartiles: runs of points of synthetic quartiles.
    """

    def place(points: Points) -> list[tuple[float, float]]:
        return [(time.place(x), _HIGH * (1 - height.place(y))) for x, y in points]

    paths = [svg.path([*place(low), *reversed(place(high))], "band", closed=True) for low, high in band if len(low) > 1]
    paths += [svg.path(place(points), "lsyn dash2") for points in quartiles if len(points) > 1]
    paths += [svg.path(place(points), "lsyn2") for points in synthetic if len(points) > 1]
    paths += [svg.path(place(points), "lreal2") for points in real if len(points) > 1]
    dots = [svg.circle(x, y, 2.5, "bsyn") for points in synthetic for x, y in place(points)]
    dots += [svg.square(x, y, 2.5, "breal") for points in real for x, y in place(points)]
    return svg.picture(title, desc, _HIGH + 20, *_frame(time, height), svg.curves(_HIGH, *paths), *dots)


def course_plot(
    title: str,
    desc: str,
    time: ChartAxis,
    height: ChartAxis,
    courses: Sequence[Points],
    levels: Sequence[str] = (),
) -> Markup:
    """Draw the courses of single synthetic patients as thin lines (spaghetti plot).

    Arguments:
        title: what the chart shows.
        desc: text alternative.
        time: horizontal axis.
        height: vertical axis.
        courses: points (time, value) of each patient.
        levels: names of the values 0, 1, ...; none for a number.
    """
    paths = [
        svg.path([(time.place(x), _HIGH * (1 - height.place(y))) for x, y in points], f"lsyn dash{k % 3}")
        for k, points in enumerate(courses)
        if len(points) > 1
    ]
    return svg.picture(title, desc, _HIGH + 20, *_frame(time, height, levels), svg.curves(_HIGH, *paths))


def remaining_plot(
    title: str, desc: str, most: int, real: Points, synthetic: Points, write: Callable[[float], str]
) -> Markup:
    """Draw the share of patients with at least so many visits: real as steps, synthetic as area.

    Arguments:
        title: what the chart shows.
        desc: text alternative with the main values.
        most: the largest number of visits.
        real: points (number of visits, share of patients), rising in the number.
        synthetic: the same of synthetic patients.
        write: a share as text.
    """
    axis = ChartAxis(0.5, most + 0.5)

    def outline(points: Points) -> tuple[list[float], list[float]]:
        starts = [axis.place(number - 0.5) for number, _ in points]
        return [*starts, 1.0], [_HIGH * share for _, share in points]

    areas = svg.steps(*outline(synthetic), base=_HIGH)
    paths = [svg.path(areas, "fillsyn", closed=True), svg.path(areas, "lsyn")]
    if real:
        paths.append(svg.path(svg.steps(*outline(real), base=_HIGH), "lreal2"))
    parts = []
    for level in ticks(0.0, 1.0):
        y = _HIGH * (1 - level)
        parts += [svg.line(0, y, 1, y, "gr"), svg.text(0, y + 4, write(level), anchor="end", dx=-8)]
    for number in ticks(1, most):
        if float(number).is_integer():
            parts.append(svg.text(axis.place(number), _HIGH + 16, significant(number)))
    parts.append(svg.line(0, _HIGH, 1, _HIGH, "ax"))
    return svg.picture(title, desc, _HIGH + 20, *parts, svg.curves(_HIGH, *paths))


def _frame(time: ChartAxis, height: ChartAxis, levels: Sequence[str] = ()) -> list[Markup]:
    parts = [svg.line(0, _HIGH, 1, _HIGH, "ax")]
    marks = [(tick, significant(tick)) for tick in ticks(height.low, height.high)]
    for at, label in [(float(place), level) for place, level in enumerate(levels)] or marks:
        y = _HIGH * (1 - height.place(at))
        parts += [svg.line(0, y, 1, y, "gr"), svg.text(0, y + 4, label, anchor="end", dx=-8)]
    for moment in time.ticks:
        x = time.place(moment)
        anchor = "start" if x < 0.03 else "end" if x > 0.94 else "middle"
        parts.append(svg.text(x, _HIGH + 16, significant(moment), anchor=anchor))
    return parts
