"""Calibration plot: observed event rate against predicted probability."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from synthclin.language import tr
from synthclin.report.charts import svg
from synthclin.wording import share

__all__ = ["calibration_plot"]


def calibration_plot(
    name: str,
    real: Sequence[tuple[float, float]],
    synthetic: Sequence[tuple[float, float]],
    *,
    labelled: bool = False,
) -> Markup:
    """Draw observed event rates (vertical) against predicted probabilities (horizontal); perfect calibration is dashed.

    Arguments:
        name: of the model, as plain text.
        real: points of the model trained on real rows, each from 0 to 1; empty where unknown.
        synthetic: the same of the model trained on synthetic rows.
        labelled: whether the chart labels the two lines.
    """
    height = 190.0
    parts: list[Markup] = []
    for tick in (0.0, 0.5, 1.0):
        y = height * (1 - tick)
        parts += [svg.line(0, y, 1, y, "gr"), svg.text(0, y + 4, share(tick), anchor="end", dx=-8)]
        parts.append(svg.text(tick, height + 16, share(tick), anchor=("start", "middle", "end")[round(2 * tick)]))
    paths = [svg.path([(0, height), (1, 0)], "lch")]
    paths += [
        svg.path([(x, height * (1 - y)) for x, y in points], kind)
        for kind, points in (("lsyn2", synthetic), ("lreal2", real))
        if points
    ]
    parts.append(svg.curves(height, *paths))
    if labelled:
        parts += [svg.text(0.03, 14, tr("real"), anchor="start", class_="treal")]
        parts += [svg.text(0.03, 30, tr("synthetic"), anchor="start", class_="tsyn")]
        parts += [svg.curves(10, svg.path([(0, 5), (1, 5)], "lreal2"), x=0.42, y=5, width=0.1)]
        parts += [svg.curves(10, svg.path([(0, 5), (1, 5)], "lsyn2"), x=0.42, y=21, width=0.1)]
    parts.append(svg.text(0.5, height + 32, tr("predicted probability")))
    at = [
        f"{word} {share(points[12][1])}"
        for word, points in ((tr("real"), real), (tr("synthetic"), synthetic))
        if points
    ]
    desc = tr("Observed event rate at a predicted probability of 50 %: {rates}.", rates=", ".join(at) or tr("unknown"))
    return svg.picture(tr("{name}: calibration", name=name), desc, height + 36, *parts)
