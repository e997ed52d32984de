"""Kaplan-Meier curves of all groups in one picture, real and synthetic, with numbers at risk."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from synthclin.evaluation.labels import group_name, term_name
from synthclin.language import tr
from synthclin.report.charts import svg
from synthclin.report.charts.axes import ChartAxis, ticks
from synthclin.report.pages.figures import DataTable, Figure, Panel, Row
from synthclin.wording import (
    count,
    interval,
    listed,
    not_assessable,
    number,
    share,
    significant,
    unit_name,
)

if TYPE_CHECKING:
    from synthclin.evaluation.analyses.details import AnalysisDetails, Arm, SurvivalCurve, Term

__all__ = ["kaplan_meier", "survival_figure"]

_MOST_ARMS = 4
_HIGH = 176.0  # pixels of the plot, without axis and rows of numbers
_MEAN = "mean survival time, "


def survival_figure(
    target: str, details: AnalysisDetails, hazard_ratios: tuple[tuple[str, str], ...] = ()
) -> Figure | None:
    """Return the Kaplan-Meier curves of all groups in one picture, or None without curves.

    Arguments:
        target: the event, as text.
        details: of the analysis.
        hazard_ratios: of the treatment: term, and the real and the synthetic estimate.
    """
    arms = [arm for arm in details.curves or [] if arm.synthetic.survival]
    if not arms:
        return None
    absent = [term_name(arm.group, 40) for arm in details.curves or [] if not arm.synthetic.survival]
    few = tr("Fewer than 11 synthetic patients are at risk in {groups}.", groups=listed(absent)) if absent else ""
    unit = f" {unit_name(details.time_unit)}" if details.time_unit else ""
    horizon = (
        ""
        if details.horizon is None
        else tr(
            "RMST: restricted mean survival time up to {horizon}{unit}, the area under the curve. "
            "Curves are evaluated on a grid of times, so no time of a single patient is shown.",
            horizon=significant(details.horizon),
            unit=unit,
        )
    )
    means = {term.term.removeprefix(_MEAN): term for term in details.terms if term.term.startswith(_MEAN)}
    gap, where = max((_widest_gap(arm), term_name(arm.group, 40)) for arm in arms)
    within = ", ".join(where.split(": ")) if where != "all" else tr("all patients")
    title = (
        tr("Survival differs by up to {gap} ({within})", gap=share(gap), within=within)
        if gap >= 0.05
        else tr("Synthetic survival follows the real curves closely")
    )
    shown = sorted(arms, key=_widest_gap, reverse=True)[:_MOST_ARMS]
    listing = tuple((_group(arm), _mean(means.get(arm.group))) for arm in arms)
    return Figure(
        title=title,
        how=tr(
            "Share of patients without the event ({target}) by time{unit}. Each group has its own dash. "
            "Vertical ticks: 11 or more were censored since the tick before. Shaded: 95 % interval of "
            "the real curve. Curves stop where fewer than 11 are at risk.",
            target=target,
            unit=tr(" in {unit}", unit=unit.strip()) if unit else "",
        ),
        panels=(
            Panel(
                heading=tr("All groups") if len(arms) > 1 else _group(arms[0]),
                picture=kaplan_meier(shown, unit.strip()),
                room="survival",
                keys=(("hr", tr("real")), ("hs", tr("synthetic"))),
            ),
        ),
        aside=(
            (tr("RMST{unit}: real, synthetic", unit="," + unit if unit else ""), listing),
            *([(tr("Hazard ratio: real \u2192 synthetic"), hazard_ratios)] if hazard_ratios else []),
        ),
        wide=True,
        note=" ".join(note for note in (few, horizon) if note),
        data=tuple(_table(arm) for arm in arms),
    )


def _group(arm: Arm) -> str:
    return term_name(arm.group, 40) if arm.group != "all" else tr("All patients")


def _short_group(arm: Arm, most: int) -> str:
    return group_name(arm.group, most) if arm.group != "all" else _group(arm)


def kaplan_meier(arms: Sequence[Arm], unit: str = "") -> Markup:
    """Draw all arms: real curves with 95 % bands, synthetic curves, censoring ticks and numbers at risk.

    Arguments:
        arms: real and synthetic curves of at most four groups.
        unit: of the times.
    """
    across = ChartAxis(arms[0].times[0], max(arm.times[-1] for arm in arms))

    def y(survival: float) -> float:
        return _HIGH * (1 - survival)

    def outline(arm: Arm, heights: Sequence[float]) -> list[tuple[float, float]]:
        places = [across.place(time) for time in arm.times[: len(heights)]]
        drawn = [(places[0], y(heights[0]))]
        for place, before, now in zip(places[1:], heights, heights[1:], strict=False):
            drawn += [(place, y(before)), (place, y(now))]
        return drawn

    parts: list[Markup] = []
    for level in ticks(0.0, 1.0):
        parts += [
            svg.line(0, y(level), 1, y(level), "gr"),
            svg.text(0, y(level) + 4, share(level), anchor="end", dx=-8),
        ]
    paths: list[Markup] = []
    for place, arm in enumerate(arms):
        band = [*outline(arm, arm.real.high), *reversed(outline(arm, arm.real.low))]
        paths.append(svg.path(band, "band", closed=True))
        paths.append(svg.path(outline(arm, arm.synthetic.survival), f"lsyn2 dash{place}"))
        paths.append(svg.path(outline(arm, arm.real.survival), f"lreal2 dash{place}"))
    parts.append(svg.curves(_HIGH, *paths))
    parts += [
        svg.line(across.place(time), y(survival) - 4, across.place(time), y(survival) + 4, class_)
        for arm in arms
        for curve, class_ in ((arm.synthetic, "censor s"), (arm.real, "censor"))
        for time, survival, many in zip(arm.times, curve.survival, curve.censored, strict=False)
        if many
    ]
    parts.append(svg.line(0, _HIGH, 1, _HIGH, "ax"))
    parts += _time_axis(across, unit)
    for place, arm in enumerate(arms):
        parts += _at_risk(arm, across, 2 * place)
        parts.append(_name(arm, across, y))
    desc = " ".join(_ends(arm) for arm in arms)
    return svg.picture(tr("Survival of all groups"), desc, _HIGH + 44 + 30 * len(arms), *parts)


def _ends(arm: Arm) -> str:
    ends = [(curve.survival[-1], arm.times[len(curve.survival) - 1]) for curve in (arm.real, arm.synthetic)]
    real, synthetic = (tr("{share} at {time}", share=share(s), time=significant(t)) for s, t in ends)
    return tr(
        "{group}: the real curve ends with {real}, the synthetic one with {synthetic}.",
        group=_group(arm),
        real=real,
        synthetic=synthetic,
    )


def _time_axis(across: ChartAxis, unit: str) -> list[Markup]:
    labels = [
        svg.text(across.place(time), _HIGH + 16, significant(time), anchor=_anchor(across.place(time)))
        for time in across.ticks
    ]
    return [*labels, svg.text(0, _HIGH + 16, unit or tr("time"), anchor="end", dx=-8)]


def _at_risk(arm: Arm, across: ChartAxis, first: int) -> list[Markup]:
    """Return the numbers at risk of one arm, real above synthetic, from row `first` on."""
    parts = []
    for name, curve, row in (("real", arm.real, 0), ("synthetic", arm.synthetic, 1)):
        class_ = "treal" if name == "real" else "tsyn"
        at = _HIGH + 36 + 15 * (first + row)
        label = _short_group(arm, 16) if not row else tr("at risk, syn.")
        parts.append(svg.text(0, at, label, anchor="end", dx=-8, class_=class_))
        for time in across.ticks:
            place = min((abs(when - time), k) for k, when in enumerate(arm.times))[1]
            left = count(curve.at_risk[place]) if place < len(curve.at_risk) else count(1)
            parts.append(svg.text(across.place(time), at, left, anchor=_anchor(across.place(time)), class_=class_))
    return parts


def _anchor(x: float) -> str:
    return "start" if x < 0.03 else "end" if x > 0.94 else "middle"


def _name(arm: Arm, across: ChartAxis, y: Callable[[float], float]) -> Markup:
    """Return the name of a group at the end of its real curve."""
    last = len(arm.real.survival) - 1
    return svg.text(
        across.place(arm.times[last]),
        y(arm.real.survival[last]) - 6,
        _short_group(arm, 18),
        anchor="end",
        class_="treal",
    )


def _widest_gap(arm: Arm) -> float:
    return max(abs(a - b) for a, b in zip(arm.real.survival, arm.synthetic.survival, strict=False))


def _mean(term: Term | None) -> str:
    if term is None or term.real[0] is None or term.synthetic[0] is None:
        return not_assessable()
    digits = 0 if abs(term.real[0]) >= 100 else 1
    between = interval(term.synthetic[1], term.synthetic[2], digits)
    return tr(
        "{real} real, {synthetic} synthetic ({between})",
        real=number(term.real[0], digits),
        synthetic=number(term.synthetic[0], digits),
        between=between,
    )


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
    head = (tr("Time"), tr("Real"), tr("Real at risk"), tr("Synthetic"), tr("Synthetic at risk"))
    return DataTable(tr("{group}: share without the event", group=term_name(arm.group, 40)), head, tuple(rows))
