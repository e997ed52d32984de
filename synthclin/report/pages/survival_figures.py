"""Kaplan-Meier curves: one panel per arm, real and synthetic, with numbers at risk."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from synthclin.report.charts import svg
from synthclin.report.charts.axes import ChartAxis, ticks
from synthclin.report.pages.figures import DataTable, Figure, Panel, Row
from synthclin.wording import NOT_ASSESSABLE, count, interval, listed, number, plain, share, significant

if TYPE_CHECKING:
    from synthclin.evaluation.analyses.details import AnalysisDetails, Arm, SurvivalCurve, Term

__all__ = ["kaplan_meier", "survival_figure"]

_HIGH = 176.0  # pixels of the plot, without axis and rows of numbers
_MEAN = "mean survival time, "


def survival_figure(target: str, details: AnalysisDetails) -> Figure | None:
    """Return the Kaplan-Meier curves of each arm, or None without curves.

    Arguments:
        target: the event, as text.
        details: of the analysis.
    """
    arms = [arm for arm in details.curves or [] if arm.synthetic.survival]
    if not arms:
        return None
    absent = [plain(arm.group, 40) for arm in details.curves or [] if not arm.synthetic.survival]
    few = f"Fewer than 11 synthetic patients are at risk in {listed(absent)}." if absent else ""
    horizon = (
        ""
        if details.horizon is None
        else f"RMST: restricted mean survival time up to {significant(details.horizon)}, the area under the curve. "
        "Curves are evaluated on a grid of times, so no time of a single patient is shown."
    )
    least = min(min(*arm.real.low, *arm.synthetic.survival) for arm in arms)
    lowest = max(0.0, math.floor(10 * least - 1e-9) / 10)
    means = {term.term.removeprefix(_MEAN): term for term in details.terms if term.term.startswith(_MEAN)}
    gap, where = max((_widest_gap(arm), plain(arm.group, 40)) for arm in arms)
    within = ", ".join(where.split(": ")) if where != "all" else "all patients"
    title = (
        f"Survival differs by up to {share(gap)} ({within})"
        if gap >= 0.05
        else "Synthetic survival follows the real curves closely"
    )
    axis = "" if lowest == 0 else f" The axis starts at {share(lowest)}."
    return Figure(
        title=title,
        how=f"Share of patients without the event ({target}). Vertical ticks: 11 or more were censored since the tick "
        f"before. Shaded: 95 % interval of the real curve. Curves stop where fewer than 11 are at risk.{axis}",
        panels=tuple(
            Panel(
                heading=plain(arm.group, 40) if arm.group != "all" else "All patients",
                label="RMST",
                value=_mean(means.get(arm.group)),
                picture=kaplan_meier(arm, lowest, labelled=place == 0),
                room="curve",
            )
            for place, arm in enumerate(arms)
        ),
        wide=True,
        note=" ".join(note for note in (few, horizon) if note),
        data=tuple(_table(arm) for arm in arms),
    )


def kaplan_meier(arm: Arm, lowest: float, *, labelled: bool = True) -> Markup:
    """Draw one arm: the real curve with its 95 % band, the synthetic curve, censoring ticks and numbers at risk.

    Arguments:
        arm: both curves on one grid of times.
        lowest: the share at which the vertical axis starts.
        labelled: whether the curves are named in the picture.
    """
    across = ChartAxis(arm.times[0], arm.times[-1])

    def y(survival: float) -> float:
        return _HIGH * (1 - (survival - lowest) / (1 - lowest))

    def outline(curve: SurvivalCurve, heights: Sequence[float]) -> list[tuple[float, float]]:
        places = [across.place(time) for time in arm.times[: len(curve.survival)]]
        drawn = [(places[0], y(heights[0]))]
        for place, before, now in zip(places[1:], heights, heights[1:], strict=False):
            drawn += [(place, y(before)), (place, y(now))]
        return drawn

    parts: list[Markup] = []
    for level in _levels(lowest):
        parts += [
            svg.line(0, y(level), 1, y(level), "gr"),
            svg.text(0, y(level) + 4, share(level), anchor="end", dx=-8),
        ]
    band = [*outline(arm.real, arm.real.high), *reversed(outline(arm.real, arm.real.low))]
    paths = [svg.path(band, "band", closed=True)]
    paths += [svg.path(outline(arm.synthetic, arm.synthetic.survival), "lsyn2")]
    paths += [svg.path(outline(arm.real, arm.real.survival), "lreal2")]
    parts.append(svg.curves(_HIGH, *paths))
    for curve, class_ in ((arm.synthetic, "censor s"), (arm.real, "censor")):
        for time, survival, many in zip(arm.times, curve.survival, curve.censored, strict=False):
            if many:
                x = across.place(time)
                parts.append(svg.line(x, y(survival) - 4, x, y(survival) + 4, class_))
    parts.append(svg.line(0, _HIGH, 1, _HIGH, "ax"))
    parts += _at_risk(arm, across)
    if labelled:
        parts += _names(arm, across, y)
    ends = [(curve.survival[-1], arm.times[len(curve.survival) - 1]) for curve in (arm.real, arm.synthetic)]
    real, synthetic = (f"{share(s)} at {significant(t)}" for s, t in ends)
    desc = f"Real curve ends with {real}, synthetic with {synthetic}."
    return svg.picture(f"Survival, {plain(arm.group, 40)}", desc, _HIGH + 66, *parts)


def _at_risk(arm: Arm, across: ChartAxis) -> list[Markup]:
    parts = [svg.text(0, _HIGH + 34, "at risk", anchor="end", dx=-8)]
    for name, curve, row in (("real", arm.real, 0), ("synthetic", arm.synthetic, 1)):
        class_ = "treal" if name == "real" else "tsyn"
        y = _HIGH + 47 + 15 * row
        parts.append(svg.text(0, y, "syn." if row else "real", anchor="end", dx=-8, class_=class_))
        for time in across.ticks:
            place = min((abs(at - time), k) for k, at in enumerate(arm.times))[1]
            left = count(curve.at_risk[place]) if place < len(curve.at_risk) else count(1)
            parts.append(svg.text(across.place(time), y, left, anchor=_anchor(across.place(time)), class_=class_))
    parts += [
        svg.text(across.place(time), _HIGH + 16, significant(time), anchor=_anchor(across.place(time)))
        for time in across.ticks
    ]
    return parts


def _anchor(x: float) -> str:
    return "start" if x < 0.03 else "end" if x > 0.94 else "middle"


def _names(arm: Arm, across: ChartAxis, y: object) -> list[Markup]:
    """Return the labels of the curves, above the higher and below the lower one."""
    assert callable(y)
    place = (2 * min(len(arm.real.survival), len(arm.synthetic.survival))) // 3
    x = across.place(arm.times[place])
    real, synthetic = arm.real.survival[place], arm.synthetic.survival[place]
    above, below = y(max(real, synthetic)) - 14, y(min(real, synthetic)) + 24
    return [
        svg.text(x, below if real <= synthetic else above, "real", class_="treal"),
        svg.text(x, above if real <= synthetic else below, "synthetic", class_="tsyn"),
    ]


def _levels(lowest: float) -> list[float]:
    return ticks(lowest, 1.0)


def _widest_gap(arm: Arm) -> float:
    return max(abs(a - b) for a, b in zip(arm.real.survival, arm.synthetic.survival, strict=False))


def _mean(term: Term | None) -> str:
    if term is None or term.real[0] is None or term.synthetic[0] is None:
        return NOT_ASSESSABLE
    digits = 0 if abs(term.real[0]) >= 100 else 1
    between = interval(term.synthetic[1], term.synthetic[2], digits)
    return f"{number(term.real[0], digits)} real, {number(term.synthetic[0], digits)} synthetic ({between})"


def _table(arm: Arm) -> DataTable:
    def cells(curve: SurvivalCurve, place: int) -> tuple[str, str]:
        if place >= len(curve.survival):
            return "\u2013", count(1)
        return share(curve.survival[place], 1), count(curve.at_risk[place])

    rows = [
        Row(significant(time), (*cells(arm.real, place), *cells(arm.synthetic, place)))
        for place, time in enumerate(arm.times)
        if place % 4 == 0
    ]
    head = ("Time", "Real", "Real at risk", "Synthetic", "Synthetic at risk")
    return DataTable(f"{plain(arm.group, 40)}: share without the event", head, tuple(rows))
