"""Fitting the codec of numbers and dates: point masses and bin edges."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.encoding.axis import Axis, OnALine
from synthclin.encoding.codec_states import LineState
from synthclin.encoding.fit_support import clock_step, common_step, fit_support
from synthclin.encoding.line_codec import LineCodec
from synthclin.encoding.protection import Limits, Rows
from synthclin.encoding.rounding import digits, grids, heaps
from synthclin.encoding.tails import rounded, tails, uniform_on_range
from synthclin.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["fit_line"]

# The least share of rows of a value that may lie off a step that all others keep to.
_EXEMPT = 0.05


def fit_line(name: str, column: OnALine, cells: pd.Series, patient: Ints, limits: Limits) -> LineCodec:
    """Fit the codec of a numeric or temporal column.

    A value with as many rows as a bin is a point mass: it gets a code of its own. The others are collected into at most
    100 bins, described by their inner edges, the mean excess beyond the outer edges, and rounding habits.

    Arguments:
        name: the column's name, for errors.
        column: its declaration.
        cells: (rows,) the training cells in canonical type.
        patient: (rows,) the number of each row's patient.
        limits: the smallest number of patients behind a stored value or statistic.

    Raises:
        DataError: too few values to keep anything of the column.
    """
    axis = Axis.of(column, _clock_step(column, cells, patient, limits))
    rows = _observed(axis, cells, patient)
    wanted = int(np.clip(len(rows) // 12, 4, 100))
    target = max(len(rows) / wanted, limits.value)
    exempt = _exempt(rows, column, axis, limits.value, max(target, _EXEMPT * len(rows)))
    support = fit_support(column, axis, rows, limits.statistic, exempt)
    if support is not None:
        plain = axis
        axis = Axis.of(column, axis.step, support)
        rows = _observed(axis, cells, patient)
        exempt = axis.positions(plain.cells(exempt))
        rows = Rows(axis.snapped(rows.position, exempt), rows.patient)
        rows = Rows(np.sort(rows.position), rows.patient[np.argsort(rows.position, kind="stable")])
    few = len(np.unique(rows.position)) <= min(40, max(wanted, 8))
    point_masses = _point_masses(rows, column, axis, limits.value, limits.value if few else target)
    rest = rows[~np.isin(rows.position, point_masses)]
    logarithmic = column.is_logarithmic and bool((rest.position > 0).all())
    found: dict[str, Any] = {
        "point_masses": tuple(point_masses.tolist()),
        "logarithmic": logarithmic,
        "step": axis.step,
        "support": support,
        "missing": column.may_be_missing or _missing(axis, cells, patient) >= limits.value,
    }
    binned = rest.patients >= limits.statistic
    if binned:
        edges = _edges(rest, axis, limits.statistic, limits.statistic if few else target)
        frequent, _ = rest.frequent(limits.statistic)
        found |= tails(rows, rest, edges, axis, point_masses, frequent, least=limits.statistic, logarithmic=logarithmic)
    elif len(rest) and not len(point_masses) and column.bounds is not None:
        # Too few patients for statistics: the density is uniform on the declared range.
        found |= uniform_on_range(axis) | {"logarithmic": False}
    codec = LineCodec(column, LineState(**found))
    if codec.layout(name).never.all():
        raise DataError(
            f"column {name!r}",
            f"fewer than {limits.statistic} patients have a value, too few to describe it",
            "Bring more rows, declare `range`, or lower `protect.rare_category` and `protect.trim_extremes`.",
        )
    if binned:
        lattice = common_step(rows, limits.statistic, share=0.5) if axis.cycle == 10 else (1, 0)
        for fit in (heaps, partial(digits, lattice=lattice), partial(grids, lattice=lattice)):
            codec = LineCodec(column, codec.state.model_copy(update=fit(codec, rest, limits.statistic)))
    codes, _ = codec.encode(cells)
    commonest = int(np.bincount(codes, minlength=codec.cardinality).argmax())
    return LineCodec(column, codec.state.model_copy(update={"commonest": commonest}))


def _clock_step(column: OnALine, cells: pd.Series, patient: Ints, limits: Limits) -> int:
    """Return the clock step of datetimes in seconds; 1 for other columns."""
    known = cells.notna().to_numpy()
    if column.resolution != "s" or not known.any():
        return 1
    seconds = cells[known].to_numpy(dtype="datetime64[s]").astype(np.int64)
    return clock_step(seconds, patient[known], limits.statistic)


def _observed(axis: Axis, cells: pd.Series, patient: Ints) -> Rows:
    """Return the rows with a value, sorted by position."""
    position = axis.positions(cells)
    observed = np.flatnonzero(np.isfinite(position))
    observed = observed[np.argsort(position[observed], kind="stable")]
    return Rows(position[observed], patient[observed])


def _missing(axis: Axis, cells: pd.Series, patient: Ints) -> int:
    """Return the number of patients with a missing cell."""
    return len(np.unique(patient[~np.isfinite(axis.positions(cells))]))


def _exempt(rows: Rows, column: OnALine, axis: Axis, limit: int, target: float) -> Floats:
    """Return positions that become point masses wherever they lie: declared spikes and the two most frequent values."""
    values, counts = rows.frequent(limit)
    most = np.argsort(-counts, kind="stable")[:2]
    heavy = most[counts[most] >= target] if column.value_step is None else most[:0]
    return np.union1d(values[heavy], values[np.isin(values, _spikes(column, axis))])


def _spikes(column: OnALine, axis: Axis) -> Floats:
    """Return the positions of declared spikes."""
    spikes = pd.Series(column.spike_values, dtype=np.float64)
    return axis.positions(spikes) if len(spikes) else np.empty(0)


def _point_masses(rows: Rows, column: OnALine, axis: Axis, limit: int, target: float) -> Floats:
    """Return the point masses: positions with many rows, and declared spikes."""
    values, counts = rows.frequent(limit)
    return values[(counts >= target) | np.isin(values, _spikes(column, axis))]


def _edges(rest: Rows, axis: Axis, least: int, target: float) -> Floats:
    """Return inner edges, each an average over `least` patients, between bins of at least `least` patients."""
    size, cuts, start = max(target, least), [], 0
    for cut in np.flatnonzero(np.diff(rest.position) > 0) + 1:
        if cut - start >= size:
            cuts.append(int(cut))
            start = int(cut)
    edges = np.array([_edge(rest, cut, least) for cut in cuts], dtype=np.float64)
    edges = np.unique(np.floor(edges) + 0.5 if axis.lattice else rounded(edges, rest.position))
    edges = edges[(edges > rest.position[0]) & (edges < rest.position[-1])]
    while len(edges):
        bins = np.searchsorted(edges, rest.position, side="right")
        counts = [rest[bins == bin_].patients for bin_ in range(len(edges) + 1)]
        fewest = int(np.argmin(counts))
        if counts[fewest] >= least:
            break
        # The bin with the fewest patients is merged with its smaller neighbour: edge i lies between bins i and i + 1.
        neighbours = [edge for edge in (fewest - 1, fewest) if 0 <= edge < len(edges)]
        edges = np.delete(edges, min(neighbours, key=lambda edge: counts[edge] + counts[edge + 1]))
    return edges


def _edge(rest: Rows, cut: int, least: int) -> float:
    """Return the mean of the rows of the `least` patients nearest around the cut."""
    low, high = max(cut - max(least // 2, 1), 0), min(cut + (least + 1) // 2, len(rest))
    while rest[low:high].patients < least and (low > 0 or high < len(rest)):
        low, high = max(low - 1, 0), min(high + 1, len(rest))
    # Each term is divided first: the sum of values near the largest float would overflow.
    return float((rest.position[low:high] / (high - low)).sum())
