"""Linear and logarithmic chart axes, shared by the rows of a chart: range and ticks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from synthclin.language import tr
from synthclin.report.charts import svg
from synthclin.wording import significant

__all__ = ["ChartAxis", "linear_axis", "log_axis", "ticks"]

_ROUND = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 0.7, 1.0, 1.4, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
_BETWEEN = {0.7, 1.4}  # ticked where there is room for more
_LEAST = 1.45  # times 1 that a logarithmic axis shows at least on either side


@dataclass(frozen=True, slots=True)
class ChartAxis:
    """A linear or logarithmic axis from `low` to `high`.

    Example:
        >>> axis = ChartAxis(0.5, 2.0, log=True)
        >>> axis.place(1.0), axis.place(100.0)
        (0.5, 1.0)
    """

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float:
        """Return the position of a value as a share of the width, clipped to 0 and 1."""
        low, high, x = (self._scaled(each) for each in (self.low, self.high, value))
        return min(max((x - low) / (high - low), 0.0), 1.0)

    def holds(self, value: float) -> bool:
        """Return whether a value lies within the range."""
        return self.low <= value <= self.high

    def _scaled(self, value: float) -> float:
        return math.log(max(value, 1e-300)) if self.log else value

    @property
    def ticks(self) -> list[float]:
        """Two to seven round numbers within the range."""
        if not self.log:
            return ticks(self.low, self.high, fewest=3)
        found = [tick for tick in _ROUND if self.holds(tick)]
        if len(found) > 5:
            found = [tick for tick in found if tick not in _BETWEEN]
        every = math.ceil(len(found) / 6)
        return found[found.index(1.0) % every :: every]

    def picture(self, label: str) -> Markup:
        """Draw the axis with its ticks and label."""
        parts = [svg.line(0, 0.5, 1, 0.5, "ax"), svg.text(0.5, 33, label)]
        for tick in self.ticks:
            x = self.place(tick)
            anchor = "start" if x < 0.02 else "end" if x > 0.98 else "middle"
            parts += [svg.line(x, 0, x, 4, "ax"), svg.text(x, 17, significant(tick), anchor=anchor)]
        low, high = significant(self.low), significant(self.high)
        ends = (
            tr("{low} to {high}, logarithmic", low=low, high=high)
            if self.log
            else tr("{low} to {high}", low=low, high=high)
        )
        return svg.picture(tr("Axis: {label}", label=label), ends, 38, *parts)


def linear_axis(values: Iterable[float], *around: float) -> ChartAxis:
    """Return a linear axis whose range covers `values` and the reference numbers `around`, with a margin.

    Example:
        >>> linear_axis([-0.9, 2.0], 0.0).ticks
        [-1.0, 0.0, 1.0, 2.0]
    """
    known = [*(value for value in values if math.isfinite(value)), *around] or [0.0]
    low, high = min(known), max(known)
    room = 0.04 * (high - low) or max(abs(high), 1.0) * 0.1
    return ChartAxis(low - room, high + room)


def log_axis(values: Iterable[float], *, widest: float = 20.0) -> ChartAxis:
    """Return a logarithmic axis whose range covers 1 and `values`, at most from 1 / `widest` to `widest`.

    Example:
        >>> log_axis([0.5, 1.1]).ticks
        [0.5, 0.7, 1.0, 1.4]
    """
    known = [value for value in values if math.isfinite(value) and value > 0]
    low, high = min([1 / _LEAST, *known]) / 1.04, max([_LEAST, *known]) * 1.04
    return ChartAxis(max(low, 1 / widest), min(high, widest), log=True)


def ticks(low: float, high: float, *, fewest: int = 2) -> list[float]:
    """Return round tick values from `low` to `high`, at least `fewest` of them.

    Example:
        >>> ticks(3.0, 47.0)
        [20.0, 40.0]
    """
    if high <= low:
        return [low]
    found: list[float] = []
    for parts in (3, 4, 6, 8):
        step = _nice((high - low) / parts)
        found = [round(step * k, 12) for k in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]
        if len(found) >= fewest:
            break
    return found or [low]


def _nice(step: float) -> float:
    power: float = 10.0 ** math.floor(math.log10(step)) if step > 0 else 1.0
    return next(m * power for m in (1, 2, 5, 10) if m * power >= step * 0.999)
