"""Figures of patients over time: patients at each visit, mean curves, and courses of synthetic patients."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

from synthclin.evaluation.labels import column_name, level_name
from synthclin.language import tr
from synthclin.report.charts.axes import ChartAxis, linear_axis
from synthclin.report.charts.course_plot import course_plot, mean_plot, remaining_plot
from synthclin.report.pages.figures import DataTable, Figure, Panel, Row
from synthclin.wording import count, number, share, significant, unit_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.report.record.visit_data import CourseCurve, CoursePoint, Courses, VisitFacts

__all__ = ["courses_figure", "curves_figure", "remaining_figure"]

_FEW_PANELS = 9
_APART = 0.25  # standard deviations between mean curves that are visible
_SHARE_APART = 0.10
_VISIBLE = 0.10  # share of patients
_SHARES = 0.4  # that an axis of shares spans at least


def remaining_figure(facts: VisitFacts) -> Figure | None:
    """Return the share of patients who have at least so many visits (visit grid)."""
    counts = facts.counts
    if not counts.synthetic or None in counts.real:
        return None
    shares = [[(n or 0) / max(side[0] or 0, 1) for n in side] for side in (counts.real, counts.synthetic)]
    gap, where = max((abs(a - b), k) for k, (a, b) in enumerate(zip(*shares, strict=True)))
    real, synthetic = (list(zip(map(float, counts.least), side, strict=True)) for side in shares)
    title = tr("As many patients come to each visit as in the real table")
    if gap > _VISIBLE:
        title = tr(
            "{synthetic} of synthetic and {real} of real patients come to visit {visit}",
            synthetic=share(shares[1][where]),
            real=share(shares[0][where]),
            visit=counts.least[where],
        )
    rows = tuple(
        Row(
            str(least),
            (count(counts.real[k]), share(shares[0][k]), number(counts.synthetic[k], 0), share(shares[1][k])),
        )
        for k, least in enumerate(counts.least)
    )
    head = (tr("Visits"), tr("Real patients"), tr("Real"), tr("Synthetic patients"), tr("Synthetic"))
    desc = tr(
        "Largest difference at visit {visit}: {real} real, {synthetic} synthetic.",
        visit=counts.least[where],
        real=share(shares[0][where]),
        synthetic=share(shares[1][where]),
    )
    picture = remaining_plot(tr("Patients at each visit"), desc, counts.most[-1], real, synthetic, share)
    return Figure(
        title=title,
        how=tr(
            "Share of patients who have a visit of each number (horizontal). Outline: real. Filled area: synthetic. "
            "Numbers of visits that fewer than 11 real patients have are joined with their neighbours."
        ),
        panels=(
            Panel(
                tr("Patients at each visit"),
                picture,
                room="curve",
                keys=(("hr", tr("real")), ("hs", tr("synthetic"))),
            ),
        ),
        wide=True,
        data=(DataTable(tr("Patients with at least so many visits"), head, rows),),
    )


def curves_figure(facts: VisitFacts) -> Figure | None:
    """Return mean curves over time, a panel per column, the furthest from real first."""
    ordered = sorted(facts.curves, key=_gap, reverse=True)
    if not ordered:
        return None
    built = [_curve_panel(curve) for curve in ordered]
    far = [curve for curve in ordered if _gap(curve) > 1]
    title = tr("Mean courses over time")
    if any(map(_is_comparable, ordered)):
        title = tr("Mean courses over time follow the real ones")
    if far:
        title = tr("Over time, {column} is furthest from the real course", column=_shown(far[0]))
    return Figure(
        title=title,
        how=tr(
            "{time}, horizontal: mean of the patients who were seen in each window of time, of levels the share of "
            "patients. Squares and heavy line: real, with the band of its quartiles. Circles: synthetic, dotted lines: "
            "its quartiles. Furthest apart first.",
            time=_time(facts),
        ),
        panels=tuple(built[:_FEW_PANELS]),
        more=tuple(built[_FEW_PANELS:]),
        note=tr("Real figures that rest on too few patients are suppressed. Vertical axes do not start at zero."),
        data=tuple(_curve_table(curve) for curve in ordered),
    )


def courses_figure(facts: VisitFacts) -> Figure | None:
    """Return the courses of some synthetic patients, a panel per column; none of real patients is ever shown."""
    known = [one for one in facts.courses if any(len(points) > 1 for points in one.patients)]
    if not known:
        return None
    panels = tuple(_course_panel(one) for one in known)
    return Figure(
        title=tr("Courses of single synthetic patients"),
        how=tr(
            "{time}, horizontal. Each line is one synthetic patient, sampled at random; no real patient is shown. "
            "Lines that jump between visits, where real values persist, mean that visits do not belong to one patient.",
            time=_time(facts),
        ),
        panels=panels[:_FEW_PANELS],
        more=panels[_FEW_PANELS:],
    )


def _time(facts: VisitFacts) -> str:
    """Return the horizontal axis as text."""
    unit = f", {unit_name(facts.unit)}" if facts.unit else ""
    if facts.since_first:
        return tr("Time since the first visit{unit}", unit=unit)
    return tr("Time of the visit{unit}", unit=unit)


def _shown(curve: CourseCurve) -> str:
    name = column_name(curve.column, 30)
    return name if curve.level is None else f"{name}: {level_name(curve.column, curve.level, 20)}"


def _is_comparable(curve: CourseCurve) -> bool:
    """Return whether a window has figures of real and of synthetic patients."""
    return any(None not in points for points in zip(curve.real, curve.synthetic, strict=True))


def _gap(curve: CourseCurve) -> float:
    """Return the largest distance of the mean curves, as a multiple of one that is visible and no sampling error."""
    visible, sd = (_SHARE_APART, 0.5) if curve.level is not None else (_APART * curve.sd, curve.sd)
    apart = [
        abs(real.mean - synthetic.mean)
        / max(visible, 2 * sd * sqrt(1 / max(real.patients, 1) + 1 / max(synthetic.patients, 1)), 1e-12)
        for real, synthetic in zip(curve.real, curve.synthetic, strict=True)
        if real is not None and synthetic is not None
    ]
    return max(apart, default=0.0)


def _curve_panel(curve: CourseCurve) -> Panel:
    middle = [(a + b) / 2 for a, b in zip(curve.edges, curve.edges[1:], strict=False)]
    ends = [
        end
        for side in (curve.real, curve.synthetic)
        for point in side
        if point is not None
        for end in (point.mean, point.low, point.high)
        if end is not None
    ]
    real, synthetic = _runs(middle, curve.real), _runs(middle, curve.synthetic)
    desc = " ".join(
        tr(
            "At {time}: real {real}, synthetic {synthetic}.",
            time=significant(at),
            real=tr("suppressed") if a is None else significant(a.mean),
            synthetic=tr("none") if b is None else significant(b.mean),
        )
        for at, a, b in zip(middle, curve.real, curve.synthetic, strict=True)
    )
    picture = mean_plot(
        _shown(curve),
        desc,
        ChartAxis(curve.edges[0], curve.edges[-1]),
        linear_axis(ends, *_room(ends, curve)),
        [_means(run) for run in real],
        [_means(run) for run in synthetic],
        [_quartiles(run) for run in real],
        [line for run in synthetic for line in _quartiles(run)],
    )
    unit = unit_name(curve.unit) if curve.unit else "" if curve.level is None else tr("share of patients")
    return Panel(_shown(curve), picture, room="curve", unit=unit)


def _room(ends: Sequence[float], curve: CourseCurve) -> tuple[float, float]:
    """Return what an axis shows at least, so that sampling error does not look like a course."""
    middle = (min(ends, default=0.0) + max(ends, default=0.0)) / 2
    if curve.level is None:
        return middle - curve.sd / 2, middle + curve.sd / 2
    low = min(max(middle - _SHARES / 2, 0.0), 1.0 - _SHARES)
    return low, low + _SHARES


Run = list[tuple[float, "CoursePoint"]]


def _runs(middle: Sequence[float], points: Sequence[CoursePoint | None]) -> list[Run]:
    """Return the runs of known points."""
    runs: list[Run] = [[]]
    for at, point in zip(middle, points, strict=True):
        if point is None:
            runs.append([])
        else:
            runs[-1].append((at, point))
    return [run for run in runs if run]


def _means(run: Run) -> list[tuple[float, float]]:
    return [(at, point.mean) for at, point in run]


def _quartiles(run: Run) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    known = [(at, point.low, point.high) for at, point in run if point.low is not None and point.high is not None]
    return [(at, low) for at, low, _ in known], [(at, high) for at, _, high in known]


def _curve_table(curve: CourseCurve) -> DataTable:
    rows = []
    for k, (low, high) in enumerate(zip(curve.edges, curve.edges[1:], strict=False)):
        cells = [*_cells(curve.real[k], real=True), *_cells(curve.synthetic[k], real=False)]
        rows.append(Row(tr("{low} to {high}", low=significant(low), high=significant(high)), tuple(cells)))
    head = (
        tr("Time"),
        tr("Real patients"),
        tr("Real: mean (quartiles)"),
        tr("Synthetic patients"),
        tr("Synthetic: mean (quartiles)"),
    )
    return DataTable(_shown(curve), head, tuple(rows))


def _cells(point: CoursePoint | None, *, real: bool) -> tuple[str, str]:
    if point is None:
        return (count(None), "\u2013") if real else ("0", "\u2013")
    mean = significant(point.mean)
    if point.low is not None and point.high is not None:
        mean = f"{mean} ({tr('{low} to {high}', low=significant(point.low), high=significant(point.high))})"
    return count(point.patients), mean


def _course_panel(one: Courses) -> Panel:
    times, values = ([point[at] for points in one.patients for point in points] or [0.0] for at in (0, 1))
    time = ChartAxis(min(times), max(times)) if max(times) > min(times) else ChartAxis(min(times), min(times) + 1)
    picture = course_plot(
        column_name(one.column, 40),
        tr("{n} synthetic patients.", n=len(one.patients)),
        time,
        linear_axis(values, *([0.0, len(one.levels) - 1.0] if one.levels else [])),
        [[(point[0], point[1]) for point in points] for points in one.patients],
        [level_name(one.column, level, 7) for level in one.levels],
    )
    unit = unit_name(one.unit) if one.unit else ""
    return Panel(column_name(one.column, 40), picture, room="curve", unit=unit)
