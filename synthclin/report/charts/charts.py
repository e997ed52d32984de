"""Gate bars, histogram and category panels, heat maps and reference dots; each chart has a text alternative."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from synthclin.language import tr
from synthclin.report.charts import svg
from synthclin.wording import interval, number

__all__ = [
    "GateScale",
    "category_panel",
    "gate_bar",
    "heat_map",
    "numeric_panel",
    "reference_dots",
    "small_bar",
]

PANEL = 108  # pixels a small multiple is high
_WIDE = 7  # characters of a tick label that can reach the label of the bars for missing values
_PLOT, _MISSING = 0.76, 0.86  # where a panel's plot ends and its pair of bars for missing values begins
_NAMED = 0.4  # share of a plot that the names of the two tables need
_LEVEL = 27  # pixels per category of a panel
_CELL, _LABEL, _LETTER = 28, 126, 6.8  # of a heat map, in its own units


@dataclass(frozen=True, slots=True)
class GateScale:
    """Piecewise linear scale of a gate bar: the ideal at 8 %, the limits at 44 % and 80 %, worse to the right.

    Arguments:
        ideal: the best value the score can have.
        limit: the limit for PASS.
        review: the limit for REVIEW; None where the gate has no REVIEW range.
        higher: whether higher values are better.
        judges_better: whether the better end of the interval is compared with the limit.
    """

    ideal: float
    limit: float
    review: float | None
    higher: bool
    judges_better: bool = False

    def place(self, value: float) -> float:
        """Return the position as a share of the width; outside 0 to 1 where the value runs off the scale.

        Example:
            >>> scale = GateScale(ideal=0.0, limit=0.03, review=0.05, higher=False)
            >>> [round(scale.place(x), 2) for x in (0.0, 0.03, 0.05)]
            [0.08, 0.44, 0.8]
        """
        sign = -1.0 if self.higher else 1.0
        bad, limit = sign * (value - self.ideal), sign * (self.limit - self.ideal)
        beyond = sign * (self.review - self.limit) if self.review is not None else 0.0
        unit = beyond if beyond > 0 else abs(limit) or max(abs(self.ideal), 1.0) / 10
        if bad <= limit and limit > 0:
            return 0.08 + 0.36 * bad / limit
        return 0.44 + 0.36 * (bad - limit) / unit


def gate_bar(scale: GateScale, value: float, low: float, high: float, write: Callable[[float], str]) -> Markup:
    """Draw an estimate with its interval against the limits of its gate; the heavy cap is the bound that decides."""
    ends = [scale.place(low), scale.place(high)]
    cap = scale.place(low if scale.higher != scale.judges_better else high)
    left, right = (min(max(x, 0.0), 1.0) for x in sorted(ends))
    fail = 0.44 if scale.review is None else 0.80
    parts = [svg.rect(fail, 0, 1 - fail, 22, "zone2"), svg.rect(0.44, 0, fail - 0.44, 22, "zone1")]
    parts += [svg.line(0, 11, 1, 11, "track"), svg.line(0.44, 0, 0.44, 22, "lim")]
    parts += [svg.text(0.44, 35, write(scale.limit))]
    if scale.review is not None:
        parts += [svg.line(0.80, 0, 0.80, 22, "lim"), svg.text(0.80, 35, write(scale.review))]
    parts += [svg.line(left, 11, right, 11, "ci"), svg.line(min(max(cap, 0), 1), 5, min(max(cap, 0), 1), 17, "cap")]
    middle = scale.place(value)
    parts += [svg.circle(min(max(middle, 0.0), 1.0), 11, 4, "pt")]
    if max(*ends, middle) > 1:
        parts += [svg.text(1, 35, "\u203a", anchor="end")]
    if min(*ends, middle) < 0:
        parts += [svg.text(0, 35, "\u2039", anchor="start")]
    review = "" if scale.review is None else tr(", REVIEW limit {limit}", limit=write(scale.review))
    title = tr("Estimate {value} against its limits", value=write(value))
    desc = tr(
        "95 % interval {low} to {high}; PASS limit {limit}{review}. Right is worse.",
        low=write(low),
        high=write(high),
        limit=write(scale.limit),
        review=review,
    )
    return svg.picture(title, desc, 38, *parts, class_="c gate")


def numeric_panel(
    name: str,
    edges: Sequence[float],
    real: Sequence[float | None],
    synthetic: Sequence[float],
    missing: tuple[float | None, float],
    ticks: Sequence[tuple[float, str]],
    *,
    desc: str,
    labelled: bool = False,
) -> Markup:
    """Draw two histograms, real as outline and synthetic as area, and a pair of bars for the missing shares.

    Arguments:
        name: the column, as plain text.
        edges: bin edges as shares of the plot's width, rising from 0 to 1.
        real: density of each bin; None where suppressed: the outline has a gap.
        synthetic: the same for synthetic rows.
        missing: share of missing real and synthetic values; None where suppressed.
        ticks: places on the axis, as shares of the plot's width, and their texts.
        desc: text alternative with the main values.
        labelled: whether the panel labels the two forms.
    """
    known = [height or 0.0 for height in real]
    top = max((*known, *synthetic, 1e-12))
    base = float(PANEL)

    def outline(start: int, heights: Sequence[float]) -> list[tuple[float, float]]:
        places = [_PLOT * edge for edge in edges[start : start + len(heights) + 1]]
        return svg.steps(places, [(base - 10) * h / top for h in heights], base)

    drawn = svg.curves(
        base,
        svg.path(outline(0, synthetic), "fillsyn", closed=True),
        svg.path(outline(0, synthetic), "lsyn"),
        *(svg.path(outline(start, heights), "lreal") for start, heights in _runs(real)),
    )
    parts = [drawn, svg.line(0, base, _PLOT, base, "ax")]
    for place, label in ticks:
        parts += [
            svg.line(_PLOT * place, base, _PLOT * place, base + 3, "ax"),
            svg.text(_PLOT * place, base + 15, label, anchor=_inward(place) if len(label) > _WIDE else "middle"),
        ]
    if labelled:
        x, anchor = (0.02, "start") if _lower_at_left(edges, known, synthetic) else (_PLOT - 0.02, "end")
        parts += [svg.text(x, 9, tr("real"), anchor=anchor, class_="treal")]
        parts += [svg.text(x, 24, tr("synthetic"), anchor=anchor, class_="tsyn")]
    return svg.picture(
        tr("{name}: real and synthetic distribution", name=name), desc, base, *parts, *_missing_pair(*missing, base)
    )


def _inward(place: float) -> str:
    """Return the anchor of a wide label, such as a date, that stays inside the plot near its ends."""
    return "start" if place < 0.2 else "end" if place > 0.8 else "middle"


def category_panel(
    name: str,
    levels: Sequence[str],
    real: Sequence[float | None],
    synthetic: Sequence[float],
    missing: tuple[float | None, float],
    *,
    desc: str,
    labelled: bool = False,
) -> Markup:
    """Draw a pair of bars per category, real above synthetic, and a pair of bars for the missing shares.

    A real share of None is labelled "suppressed".
    """
    height = max(PANEL, _LEVEL * len(levels))
    known = [share_ or 0.0 for share_ in real]
    top = max((*known, *synthetic, 1e-12))
    start, room = 0.30, _PLOT - 0.30
    pitch = height / max(len(levels), 1)
    parts: list[Markup] = []
    for row, (level, r, s) in enumerate(zip(levels, real, synthetic, strict=True)):
        y = row * pitch + (pitch - 19) / 2
        parts += [svg.text(start, y + 13.5, _brief(level), anchor="end", dx=-6)]
        parts += [svg.rect(start, y + 10, room * s / top, 9, "bsyn")]
        if r is None:
            parts += [svg.text(start, y + 8, tr("suppressed"), anchor="start", dx=4)]
            continue
        parts += [svg.rect(start, y, room * r / top, 9, "breal")]
        if labelled and row == _roomiest(known, synthetic):
            parts += [svg.text(start + room * r / top, y + 9, tr("real"), anchor="start", dx=5, class_="treal")]
            parts += [svg.text(start + room * s / top, y + 20, tr("synthetic"), anchor="start", dx=5, class_="tsyn")]
    parts += [svg.line(start, 0, start, height, "ax")]
    return svg.picture(
        tr("{name}: real and synthetic shares", name=name), desc, height, *parts, *_missing_pair(*missing, height)
    )


def heat_map(
    title: str, labels: Sequence[str], cells: Sequence[Sequence[float | None]], kind: str, desc: str
) -> Markup:
    """Draw the lower triangle of a matrix of associations as a heat map, with column names on the diagonal.

    Arguments:
        title: what is shown.
        labels: the k columns, as plain text.
        cells: row i holds i values for the columns before it; None where undefined.
        kind: ``real`` and ``synthetic`` hold strengths from 0 to 1; in a ``difference`` negative is weaker in
            synthetic rows.
        desc: text alternative with the main values.
    """
    strongest = max((abs(v) for row in cells for v in row if v is not None), default=0.0)
    top = max(strongest, 0.5 if kind != "difference" else 0.15)
    parts: list[Markup] = [svg.element("title", title), svg.element("desc", desc)]
    for i, label in enumerate(labels):
        y = i * _CELL
        parts += [_unscaled_text(_LABEL - 6, y + 18, _brief(label), "end")]
        if i < len(labels) - 1:
            at = f"translate({_LABEL + i * _CELL + 10} {y + 23}) rotate(-45)"
            parts += [svg.element("text", _brief(label), class_="sm", transform=at)]
        for j, value in enumerate(cells[i][:i]):
            x = _LABEL + j * _CELL
            parts += [_square(x, y, "hb")]
            if value is None:
                parts += [_unscaled_text(x + _CELL / 2, y + 17, "\u2013", "middle")]
                continue
            form = "hs" if kind == "synthetic" or (kind == "difference" and value > 0) else "hr"
            parts += [_square(x, y, f"{form} o{min(round(20 * abs(value) / top), 20)}")]
            if abs(value) >= 0.095:
                parts += [_unscaled_text(x + _CELL / 2 - 1, y + 17, _short(value, kind), "middle", f"hl {kind}")]
    above, beside = _room(labels)
    width, height = _LABEL + (len(labels) - 1) * _CELL + beside, len(labels) * _CELL
    box = f"0 {-above} {width} {height + above}"
    return svg.element("svg", svg.joined(parts), class_="c hm", width=width, viewBox=box, role="img")


def reference_dots(name: str, value: float, low: float, high: float, baseline: float, reference: float) -> Markup:
    """Draw a score between its independence baseline (left) and its real-data reference (right)."""
    span = reference - baseline

    def place(x: float) -> float:
        return min(max((x - baseline) / span, -0.03), 1.03)

    ends = sorted((place(low), place(high)))
    y = 22.0
    parts = [svg.line(0, y, 1, y, "db"), svg.circle(0, y, 5, "hollow"), svg.circle(1, y, 5, "dreal")]
    parts += [svg.line(ends[0], y, ends[1], y, "cisyn"), svg.circle(place(value), y, 6, "dsyn")]
    parts += [svg.text(0, 41, number(baseline, 2)), svg.text(1, 41, number(reference, 2))]
    parts += [svg.text(place(value), 10, number(value, 2), class_="sm tsyn")]
    desc = tr(
        "Independence baseline {baseline}, synthetic {value} ({interval}), real-data reference {reference}.",
        baseline=number(baseline),
        value=number(value),
        interval=interval(low, high),
        reference=number(reference),
    )
    return svg.picture(f"{name}: {number(value)}", desc, 43, *parts)


def small_bar(value: float, top: float, mark: float | None = None) -> Markup:
    """Draw a bar for a table cell, with a dotted mark; hidden from screen readers, as the cell holds the number."""
    parts = [svg.rect(0, 3, min(abs(value) / top, 1.0), 8, "breal")]
    if mark is not None:
        parts += [svg.line(mark / top, 0, mark / top, 14, "lim")]
    return svg.element("svg", svg.joined(parts), class_="c", width="64", height="14", aria_hidden="true")


def _missing_pair(real: float | None, synthetic: float, base: float) -> list[Markup]:
    """Draw the two shares of missing values as bars; full height is 100 %."""
    heights = [(PANEL - 16) * min(max(x or 0.0, 0.0), 1.0) for x in (real, synthetic)]
    real_text = "?" if real is None else number(100 * real, 0)
    label = f"{real_text} \u00b7 {number(100 * synthetic, 0)}\u00a0%"
    return [
        svg.line(_MISSING, base, 1, base, "ax"),
        svg.rect(_MISSING + 0.01, base - heights[0], 0.05, heights[0], "breal"),
        svg.rect(_MISSING + 0.07, base - heights[1], 0.05, heights[1], "bsyn"),
        svg.text(1, base - max(heights) - 4, label, anchor="end"),
        svg.text(1, base + 15, tr("missing"), anchor="end"),
    ]


def _roomiest(real: Sequence[float], synthetic: Sequence[float]) -> int:
    """Return the row with the shortest bars, where labels fit."""
    lengths = [max(pair) for pair in zip(real, synthetic, strict=True)]
    return lengths.index(min(lengths))


def _lower_at_left(edges: Sequence[float], real: Sequence[float], synthetic: Sequence[float]) -> bool:
    """Return whether the left upper corner of a panel is emptier than the right one."""
    cells = list(zip(edges, edges[1:], real, synthetic, strict=False))
    left = max((max(r, s) for start, _, r, s in cells if start < _NAMED), default=0.0)
    right = max((max(r, s) for _, end, r, s in cells if end > 1 - _NAMED), default=0.0)
    return left <= right


def _runs(heights: Sequence[float | None]) -> list[tuple[int, list[float]]]:
    """Return the runs of bins that are not suppressed, each with the index of its first bin."""
    runs: list[tuple[int, list[float]]] = []
    for place, height in enumerate(heights):
        if height is None:
            continue
        if place and heights[place - 1] is not None and runs:
            runs[-1][1].append(height)
        else:
            runs.append((place, [height]))
    return runs


def _square(x: float, y: float, class_: str) -> Markup:
    return svg.element("rect", class_=class_, x=x, y=y, width=_CELL - 2, height=_CELL - 2)


def _unscaled_text(x: float, y: float, content: str, anchor: str, class_: str = "sm") -> Markup:
    return svg.element("text", content, class_=class_, x=x, y=y, text_anchor=anchor)


def _room(labels: Sequence[str]) -> tuple[int, int]:
    """Return how far the labels on the diagonal extend above the first row and beyond the last column."""
    reach = [_LETTER * len(_brief(label)) / math.sqrt(2) for label in labels[:-1]]
    above = max((length - place * _CELL for place, length in enumerate(reach)), default=0.0)
    columns = len(reach)
    beside = max((length - (columns - place - 1) * _CELL for place, length in enumerate(reach)), default=0.0)
    return max(round(above) - 12, 0), max(round(beside), 4)


def _brief(label: str, limit: int = 15) -> str:
    """Shorten a label in its middle, since names of related columns often differ at their end."""
    if len(label) <= limit:
        return label
    tail = (limit - 1) // 2
    return f"{label[: limit - 1 - tail]}\u2026{label[-tail:]}"


def _short(value: float, kind: str) -> str:
    """Return a strength as ``.42`` and a signed difference as ``+.11``."""
    text = number(abs(value), 2)
    text = text.removeprefix("0") if text.startswith("0.") else text
    sign = "\u2212" if value < 0 else "+" if kind == "difference" else ""
    return sign + text
