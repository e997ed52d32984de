"""Fitting the tails beyond the outermost edges, where single patients stand out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.encoding.codec_states import Tail

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.axis import Axis
    from synthclin.encoding.protection import Rows

    Floats = NDArray[np.float64]

__all__ = ["end_value", "rounded", "tails", "uniform_on_range"]

# No row counts for more than this many times the mean of the others, so that the mean does not disclose it.
_DOMINANCE = 5


def tails(
    rows: Rows,
    rest: Rows,
    edges: Floats,
    axis: Axis,
    point_masses: Floats,
    frequent: Floats,
    *,
    least: int,
    logarithmic: bool,
) -> dict[str, Any]:
    """Return the edges and tails of a `LineState`.

    Arguments:
        rows: all observed rows.
        rest: those that are in bins.
        edges: inner edges between bins.
        axis: the column's line.
        point_masses: positions with a code of their own.
        frequent: values in bins with enough patients to be stored.
        least: the smallest number of patients behind a stored statistic.
        logarithmic: whether densities are densities of the logarithm.
    """
    ends = {side: end_value(rows, least, side) for side in (-1, 1)}
    fit = _TailFit(rows, axis, point_masses, frequent, ends, logarithmic=logarithmic)
    values = rest.position
    if len(edges):
        return {
            "edges": tuple(edges.tolist()),
            "lower": fit.tail(edges[0], values[values < edges[0]], -1),
            "upper": fit.tail(edges[-1], values[values >= edges[-1]], 1),
        }
    # A single bin: next to the point masses if they all lie on one side of it, else on both sides of its mean.
    for side, anchors in ((1, point_masses[-1:]), (-1, point_masses[:1])):
        for point_mass in anchors:
            edge = float(point_mass + side * (0.5 if axis.lattice else 0.0))
            if (side * (values - point_mass) > 0).all() and (edge > 0 or not logarithmic):
                return {"edges": (edge,), ("upper" if side > 0 else "lower"): fit.tail(edge, values, side)}
    centre = float(np.exp(np.log(values).mean()) if logarithmic else (values / len(values)).sum())
    centre = float(np.floor(centre) + 0.5 if axis.lattice else rounded(np.array([centre]), values)[0])
    lower, upper = fit.tail(centre, values, -1), fit.tail(centre, values, 1)
    return {"edges": (centre,), "lower": lower, "upper": upper, "joined": True}


def uniform_on_range(axis: Axis) -> dict[str, Any]:
    """Return the edges and tails of a `LineState` that is uniform on the declared range."""
    half = 0.5 if axis.lattice else 0.0
    low, high = axis.low - half, axis.high + half
    return (
        {"edges": (low,), "upper": Tail(mean=(high - low) / 2, limit=high)} if low < high else {"point_masses": (low,)}
    )


def end_value(rows: Rows, least: int, side: int) -> float | None:
    """Return the value at which a distribution ends on one side, as a top-coded age does; None where it has a tail.

    At least twice `least` patients hold it, and twice as many as the next value inside that `least` patients hold:
    frequencies rise at such an end and fall along a tail. Fewer than `least` lie beyond, whether none or some. So the
    answer rests on values of at least `least` patients alone, and does not show a single one.

    Example:
        >>> from synthclin.encoding.protection import Rows
        >>> ages = np.repeat([80.0, 85.0, 90.0, 97.0], [30, 12, 25, 3])
        >>> end_value(Rows(ages, np.arange(70)), least=11, side=1)
        90.0
    """
    values = rows.frequent(least)[0][::-side]  # from this side inwards
    held = [rows[rows.position == value].patients for value in values[:2]]
    if not held or held[0] < 2 * least or held[0] < 2 * max(held[1:], default=0):
        return None
    end = float(values[0])
    return end if rows[side * rows.position > side * end].patients < least else None


def rounded(edges: Floats, values: Floats) -> Floats:
    """Keep six significant digits, of the edge or of the spread of `values`, whichever is finer."""
    spread = float(np.subtract(*np.quantile(values, [0.9, 0.1])))
    fine = np.log10(spread) if spread > 0 else np.inf
    places = [5 + int(np.clip(np.ceil(np.log10(abs(edge)) - fine), 0, 10)) if edge else 5 for edge in edges]
    return np.array([float(f"{edge:.{digits}e}") for edge, digits in zip(edges, places, strict=True)], dtype=np.float64)


class _TailFit:
    """Fit of the exponential density beyond an edge, `side` 1 above it and -1 below."""

    def __init__(
        self,
        rows: Rows,
        axis: Axis,
        point_masses: Floats,
        frequent: Floats,
        ends: dict[int, float | None],
        *,
        logarithmic: bool,
    ) -> None:
        self.outermost, self.axis, self.logarithmic = rows.position[[0, -1]], axis, logarithmic
        self.ends = ends
        self.point_masses, self.frequent = point_masses, frequent

    def tail(self, edge: float, values: Floats, side: int) -> Tail:
        """Return the tail for rows at `values`."""
        if (end := self.ends[side]) is not None:
            values = side * np.minimum(side * values, side * end)
        excess = np.abs(np.log(values / edge) if self.logarithmic else values - edge)
        typical = float(excess.mean())
        if len(excess) > 1:
            excess = np.minimum(excess, _DOMINANCE * (excess.sum() - excess) / (len(excess) - 1))
        least = 0.5 if self.axis.lattice and not self.logarithmic else 1e-2 * typical
        mean = float(f"{max(float(excess.mean()), least, 1e-12):.5e}")
        limit = side * min(self._bounds(edge, mean, side))
        if self.axis.lattice:
            limit = edge + side * max(np.floor(side * limit) + 0.5 - side * edge, 1.0)
        elif side * limit <= side * edge:
            limit = self._beyond(edge, side * mean)
        return Tail(mean=mean, limit=float(limit))

    def _beyond(self, edge: float, distance: float) -> float:
        return edge * float(np.exp(distance)) if self.logarithmic else edge + distance

    def _bounds(self, edge: float, mean: float, side: int) -> list[float]:
        """Return positions that the tail must not pass, times `side`."""
        declared = self.axis.high if side > 0 else self.axis.low
        whole = 1.0 if self.axis.lattice else 0.0
        # Stored values lie inside. Beyond 40 means lies less mass than the resolution of an offset.
        reach = (40 if self.axis.declared else 5) * mean
        outermost = max(side * self.frequent) + whole if len(self.frequent) else -np.inf
        bounds = [max(side * self._beyond(edge, side * reach), outermost), side * declared]
        # A sign is a fact about more patients than the limit.
        outer = float(self.outermost[-1 if side > 0 else 0])
        if side * outer <= 0 and side * edge < 0:
            bounds.append(-whole if outer else 0.0)
        if (end := self.ends[side]) is not None:
            # A point mass on the lattice has a code of its own; one off the lattice lies between two positions.
            has_code = end in self.point_masses and end.is_integer()
            bounds.append(side * end - (whole if has_code else 0.0))
        return bounds
