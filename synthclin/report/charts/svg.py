"""SVG elements as escaped text, fluid in width without a script.

Positions along x are shares of the width (0 to 1, written in percent), positions
along y are pixels, so that a picture follows its column and its text keeps its size.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from markupsafe import Markup, escape

__all__ = ["circle", "curves", "element", "joined", "line", "path", "picture", "rect", "square", "steps", "text"]

WIDE = 1000  # width of the view box in which curves are stretched


def element(tag: str, content: str = "", **attributes: str | float | None) -> Markup:
    """Return an element; `content` and values are escaped unless they are Markup; None leaves an attribute out.

    A trailing underscore is dropped and other underscores become hyphens: ``class_`` is ``class``, ``text_anchor`` is
    ``text-anchor``.

    Example:
        >>> str(element("text", "a < b", x=1.0, text_anchor="end"))
        '<text x="1" text-anchor="end">a &lt; b</text>'
    """
    # Every part is escaped here; `Markup.format` does the same in several times the time.
    words = [
        f' {escape(name.rstrip("_").replace("_", "-"))}="{escape(_written(value))}"'
        for name, value in attributes.items()
        if value is not None
    ]
    inside, kind = escape(content), escape(tag)
    start = f"<{kind}{''.join(words)}"
    return Markup(f"{start}>{inside}</{kind}>" if inside else f"{start}/>")  # noqa: S704


def picture(title: str, desc: str, height: float, *parts: Markup, class_: str = "c") -> Markup:
    """Return an SVG picture of full width and `height` pixels, with its text alternative."""
    head = element("title", title) + element("desc", desc)
    return element("svg", head + joined(parts), class_=class_, width="100%", height=height, role="img")


def joined(parts: Iterable[Markup]) -> Markup:
    """Return the concatenation of elements."""
    return Markup("").join(parts)


def text(
    x: float, y: float, content: str, *, anchor: str = "middle", class_: str = "sm", dx: float | None = None
) -> Markup:
    """Return a text at a share `x` of the width, moved by `dx` pixels."""
    return element("text", content, class_=class_, x=_percent(x), y=y, dx=dx, text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """Return a straight line."""
    return element("line", class_=class_, x1=_percent(x1), y1=y1, x2=_percent(x2), y2=y2)


def rect(x: float, y: float, width: float, height: float, class_: str) -> Markup:
    """Return a rectangle; a negative width or height counts as none."""
    return element("rect", class_=class_, x=_percent(x), y=y, width=_percent(max(width, 0)), height=max(height, 0))


def circle(x: float, y: float, radius: float, class_: str) -> Markup:
    """Return a circle whose radius is in pixels."""
    return element("circle", class_=class_, cx=_percent(x), cy=y, r=radius)


def square(x: float, y: float, half: float, class_: str) -> Markup:
    """Return a square around a point, `half` its side in pixels."""
    inside = element("rect", class_=class_, x=-half, y=-half, width=2 * half, height=2 * half)
    return element("svg", inside, class_="nv", x=_percent(x), y=y, overflow="visible")


def curves(height: float, *paths: Markup, x: float = 0.0, y: float = 0.0, width: float = 1.0) -> Markup:
    """Return curves drawn in 0..1000 by 0..height, stretched over a share of the width; strokes keep their weight."""
    return element(
        "svg",
        joined(paths),
        class_="nv",
        x=_percent(x),
        y=y,
        width=_percent(width),
        height=height,
        viewBox=f"0 0 {WIDE} {_written(height)}",
        preserveAspectRatio="none",
    )


def path(points: Sequence[tuple[float, float]], class_: str, *, closed: bool = False) -> Markup:
    """Return a path through points (share of the width, pixels) for `curves`."""
    drawn = "L".join(f"{_written(WIDE * x)} {_written(y)}" for x, y in points)
    return element("path", class_=class_, d=f"M{drawn}{'Z' if closed else ''}")


def steps(edges: Sequence[float], heights: Sequence[float], base: float) -> list[tuple[float, float]]:
    """Return the outline of a histogram: shares of the width `edges`, one more than pixel `heights`, up from `base`.

    Example:
        >>> steps([0.0, 0.5, 1.0], [10.0, 20.0], base=50.0)
        [(0.0, 50.0), (0.0, 40.0), (0.5, 40.0), (0.5, 30.0), (1.0, 30.0), (1.0, 50.0)]
    """
    outline = [(edges[0], base)]
    for (left, right), height in zip(pairwise(edges), heights, strict=True):
        outline += [(left, base - height), (right, base - height)]
    return [*outline, (edges[-1], base)]


def _percent(x: float) -> str:
    return f"{_written(100 * x)}%"


def _written(value: str | float) -> str:
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        raise ValueError("an SVG coordinate must be finite")
    rounded = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if rounded in {"", "-0"} else rounded
