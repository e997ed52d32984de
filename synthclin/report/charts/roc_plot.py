"""ROC curves: of a classifier on linear axes, and of a membership attack on log axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

from markupsafe import Markup

from synthclin.language import tr
from synthclin.report.charts import svg
from synthclin.wording import share

__all__ = ["attack_roc_plot", "roc_plot"]


def roc_plot(title: str, curves: Sequence[tuple[str, str, Sequence[tuple[float, float]]]], desc: str) -> Markup:
    """Draw ROC curves: true positive rate (vertical) against false positive rate, with chance dashed.

    Arguments:
        title: what the chart shows.
        curves: name, class (``lsyn2``, ``lreal2``, ``lmut``) and points (FPR, TPR), each from 0 to 1.
        desc: text alternative with the main values.
    """
    height = 260.0
    parts: list[Markup] = []
    for tick in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = height * (1 - tick)
        parts += [svg.line(0, y, 1, y, "gr"), svg.line(tick, 0, tick, height, "gr")]
        parts += [svg.text(0, y + 4, share(tick), anchor="end", dx=-8)]
        parts += [svg.text(tick, height + 17, share(tick), anchor="end" if tick == 1 else "middle")]
    paths = [svg.path([(0, height), (1, 0)], "lch")]
    paths += [svg.path([(x, height * (1 - y)) for x, y in points], kind) for _, kind, points in curves]
    parts += [svg.curves(height, *paths)]
    parts += [svg.text(0.5, height + 34, tr("false positive rate"))]
    for row, (name, kind, _) in enumerate(curves):
        text = {"lsyn2": "tsyn", "lreal2": "treal"}.get(kind, "sm")
        y = height - 16 * (len(curves) - row) - 4
        parts += [svg.curves(10, svg.path([(0, 5), (1, 5)], kind), x=0.50, width=0.06, y=y - 9)]
        parts += [svg.text(0.57, y, name, anchor="start", class_=text)]
    y = height - 4
    parts += [svg.curves(10, svg.path([(0, 5), (1, 5)], "lch"), x=0.50, width=0.06, y=y - 9)]
    parts += [svg.text(0.57, y, tr("chance"), anchor="start")]
    return svg.picture(title, desc, height, *parts)


def attack_roc_plot(
    title: str,
    points: Sequence[tuple[float, float]],
    others: Sequence[Sequence[tuple[float, float]]],
    few: float | None,
    desc: str,
) -> Markup:
    """Draw the ROC curve of an attack on log axes, hatched where too few non-members determine it.

    Arguments:
        title: what the chart shows.
        points: (FPR, TPR) of the strongest attack, each from 0 to 1, increasing.
        others: the same of each attack, drawn faintly.
        few: the FPR below which the curve is not shown; None where unknown.
        desc: text alternative with the main values.
    """
    height = 280.0
    decades = 3 if few is not None and few <= 0.006 else 2
    least = 10.0**-decades

    def place(share_: float) -> float:
        return 1 + math.log10(max(share_, least)) / decades

    parts: list[Markup] = []
    for k in range(decades + 1):
        tick = 10.0 ** (k - decades)
        x, y = place(tick), height * (1 - place(tick))
        parts += [svg.line(0, y, 1, y, "gr"), svg.line(x, 0, x, height, "gr")]
        label = share(tick, 1 if tick < 0.01 else 0)
        parts += [svg.text(0, y + 4, label, anchor="end", dx=-8)]
        parts += [svg.text(x, height + 17, label, anchor="end" if k == decades else "middle")]
    if few is not None and few > least:
        parts += [svg.rect(0, 0, place(few), height, "nazone")]
        parts += [
            svg.text(0, 16, tr("too few non-members"), anchor="start", dx=8),
            svg.text(0, 31, tr("to judge"), anchor="start", dx=8),
        ]

    def path(curve: Sequence[tuple[float, float]], kind: str) -> Markup:
        return svg.path([(place(x), height * (1 - place(y))) for x, y in curve if x > 0 or y > 0], kind)

    lines = [path(other, "lfaint") for other in others]
    parts += [svg.curves(height, svg.path([(0, height), (1, 0)], "lch"), *lines, path(points, "lreal2"))]
    parts += [svg.text(0.5, height + 34, tr("false positive rate (log)"))]
    corner = [("lreal2", "tl", tr("strongest attack")), *([("lfaint", "sm", tr("each attack"))] if others else [])]
    corner += [("lch", "sm", tr("chance"))]
    for row, (kind, class_, label) in enumerate(corner):
        y = height - 12 + 18 * (row + 1 - len(corner))
        parts += [svg.curves(10, svg.path([(0, 5), (1, 5)], kind), x=0.52, y=y - 9, width=0.07)]
        parts += [svg.text(0.61, y, label, anchor="start", class_=class_)]
    return svg.picture(title, desc, height, *parts)
