"""The codec of numbers and dates: point masses, bins with a protected density, and missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.encoding.axis import Axis, OnALine
from synthclin.encoding.bin_distributions import bin_densities, bin_distributions
from synthclin.encoding.layout import ColumnLayout
from synthclin.encoding.offset_cells import LARGEST_OFFSET, Intervals

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from synthclin.encoding.codec_states import LineState

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Floats32 = NDArray[np.float32]

__all__ = ["LineCodec"]

_PROBES = 256


class LineCodec:
    """Codes and offsets of a column of numbers, dates or datetimes.

    Arguments:
        column: its declaration in the schema.
        state: the fitted parameters; see `fit_line`.

    Raises:
        ValueError: the state does not fit the column.
    """

    def __init__(self, column: OnALine, state: LineState) -> None:
        self.column, self.state = column, state
        self.axis = Axis.of(column, state.step, state.support)
        self.point_masses = np.array(state.point_masses, dtype=np.float64)
        kept = np.concatenate([self.point_masses, [heap.at for heap in state.heaps]])
        if ((kept < self.axis.low) | (kept > self.axis.high)).any():
            raise ValueError("a value lies outside the declared range")
        heaped = kept[len(self.point_masses) :] if state.support is not None else kept
        if self.axis.lattice and (heaped % 1).any():
            raise ValueError("a value lies off the lattice")
        fixed = self.axis.cycle if self.axis.kind == "date" else len(state.rounding)
        if state.rounding and (self.axis.cycle is None or len(state.rounding) != fixed):
            raise ValueError("rounding weights do not match the column")
        self.pieces, self.bins = bin_densities(self.axis, state)
        self.distributions = bin_distributions(self.axis, state, self.pieces, self.bins)
        self._order_codes()
        if not 0 <= state.commonest < max(self.cardinality, 1):
            raise ValueError("the commonest code does not exist")

    def _order_codes(self) -> None:
        """Sort the codes along the line, bins by their median, and cut the unit interval of each."""
        inside, bins = self.distributions, self.bins[self.distributions.piece]
        medians = [self._median(bin_) for bin_ in range(len(np.unique(self.bins)))]
        order = np.argsort(np.concatenate([self.point_masses, medians]), kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        self.point_mass_code, self.bin_code = rank[: len(self.point_masses)], rank[len(self.point_masses) :]
        self.cardinality = len(order) + self.state.missing

        last = [self.cardinality - 1] * self.state.missing
        code = np.concatenate([self.point_mass_code, self.bin_code[bins], last]).astype(np.int64)
        value = np.concatenate([self.point_masses, inside.value, [np.nan] * len(last)])
        smooth = np.where(np.isnan(inside.value), inside.piece, -1)
        piece = np.concatenate([np.full(len(self.point_masses), -1), smooth, [-1] * len(last)]).astype(np.int64)
        weight = np.concatenate([np.ones(len(self.point_masses)), inside.weight, np.ones(len(last))])
        order = np.argsort(code, kind="stable")
        self._value, self._piece = value[order], piece[order]
        self.cells = Intervals.from_weights(code[order], weight[order])

        position = np.empty(len(order), dtype=np.int64)
        position[order] = np.arange(len(order))
        self.content_cell = position[len(self.point_masses) : len(self.point_masses) + len(inside.value)]
        self._smooth_cell = np.full(len(self.bins), -1, dtype=np.int64)
        self._smooth_cell[smooth[smooth >= 0]] = self.content_cell[smooth >= 0]
        point = np.flatnonzero(smooth < 0)
        self._points, self._point_cell = inside.value[point], self.content_cell[point]

    def _median(self, bin_: int) -> float:
        if self.state.joined:
            return self.state.edges[0]
        pieces = np.flatnonzero(self.bins == bin_)
        if self.state.merged:
            mass = np.bincount(self.distributions.piece, self.distributions.weight, len(self.bins))[pieces]
            pieces = pieces[np.searchsorted(np.cumsum(mass), 0.5 * mass.sum()) :]
        mine = self.distributions.piece == pieces[0]
        value, weight = self.distributions.value[mine], self.distributions.weight[mine]
        if np.isnan(value[-1]):
            return float(self.pieces.quantile(self.distributions.piece[mine][-1:], np.array([0.5]))[0])
        return float(value[np.searchsorted(np.cumsum(weight), 0.5 * weight.sum())])

    def layout(self, name: str) -> ColumnLayout:
        """Return the layout of the codes."""
        never = np.zeros(self.cardinality, dtype=np.bool_)
        missing = self.cardinality - 1 if self.state.missing else None
        if missing is not None:
            never[missing] = not self.column.may_be_missing
        point_masses = ~np.isin(np.arange(self.cardinality), self.bin_code)
        return ColumnLayout(name, self.cardinality, "ordered", missing, point_masses, never)

    def ends(self) -> tuple[pd.Series, pd.Series]:
        """Return the lowest and the highest cell that each (codes,) code decodes to; both missing for *missing*."""
        low, high = np.full((2, self.cardinality), np.nan)
        code = self.bin_code[self.bins]
        np.fmin.at(low, code, self.pieces.low)
        np.fmax.at(high, code, self.pieces.high)
        if self.axis.lattice:
            low, high = np.ceil(low), np.floor(high)
        low[self.point_mass_code] = high[self.point_mass_code] = self.point_masses
        return self.axis.cells(low), self.axis.cells(high)

    @property
    def probes(self) -> Intervals:
        """Cells whose centres represent all values: exact on points, 256 per smooth piece."""
        return self.cells.split(self._piece >= 0, _PROBES)

    def probes_around(self, cells: pd.Series) -> Intervals:
        """Return `probes`, cut around the given cells so that each has a probe of its own, however small."""
        positions = self.axis.positions(cells)
        positions = positions[np.isfinite(positions)]
        edges = np.concatenate([positions - 0.5, positions + 0.5]) if self.axis.lattice else positions
        if not len(self.bins) or not len(edges):
            return self.probes
        piece = self.piece_of(edges)
        cell = self._smooth_cell[piece]
        piece, cell, edges = piece[cell >= 0], cell[cell >= 0], edges[cell >= 0]
        places = self.cells.low[cell] + self.cells.width[cell] * self.pieces.cdf(piece, edges)
        return self.probes.cut(self.cells.code[cell], places)

    def encode(self, column: pd.Series) -> tuple[Ints, Floats32]:
        """Return (rows,) codes and offsets; a value outside the range or all codes goes to the nearest."""
        position = np.clip(self.axis.positions(column), self.axis.low, self.axis.high)
        codes = np.full(len(position), self.state.commonest, dtype=np.int64)
        offsets = np.zeros(len(position), dtype=np.float32)
        known = np.isfinite(position)
        if self.state.missing:
            codes[~known] = self.cardinality - 1
        values, binned = self.axis.snapped(position[known], self.point_masses), len(self.bins) > 0
        code, offset = self._encode_binned(values) if binned else (codes[known], offsets[known])
        if len(self.point_masses):
            nearest = _nearest(self.point_masses, values)
            at = (self.point_masses[nearest] == values) | (not binned)
            code, offset = np.where(at, self.point_mass_code[nearest], code), np.where(at, np.float32(0), offset)
        codes[known], offsets[known] = code, offset
        return codes, offsets

    def _encode_binned(self, values: Floats) -> tuple[Ints, Floats32]:
        piece = self.piece_of(values)
        of = np.zeros_like(piece) if self.state.joined else piece
        low, high = self.pieces.low[of], self.pieces.high[of + self.state.joined]
        offset = np.zeros(len(values), dtype=np.float32)
        smooth, at = self._smooth_cell[piece] >= 0, self._smooth_cell[piece]
        share = self.pieces.cdf(piece[smooth], values[smooth])
        offset[smooth] = self.cells.low[at[smooth]] + self.cells.width[at[smooth]] * share
        if len(self._points):
            nearest = self._nearest_point(np.clip(values, low, high), low, high)
            on = ~smooth | (self._points[nearest] == values)
            offset[on] = self.cells.centre[self._point_cell[nearest[on]]]
        return self.bin_code[self.bins[piece]], np.minimum(offset, np.float32(LARGEST_OFFSET))

    def piece_of(self, positions: Floats) -> Ints:
        """Return the index of the piece that each (rows,) position lies in or nearest to."""
        return np.searchsorted(self.pieces.high[:-1], positions, side="right")

    def _nearest_point(self, values: Floats, low: Floats, high: Floats) -> Ints:
        """Return the index of the nearest point that lies between `low` and `high`, if one does; all (rows,)."""
        above = np.minimum(np.searchsorted(self._points, values), len(self._points) - 1)
        below = np.maximum(above - 1, 0)
        gap_above = np.where(self._points[above] <= high, np.abs(self._points[above] - values), np.inf)
        gap_below = np.where(self._points[below] >= low, np.abs(self._points[below] - values), np.inf)
        return np.where(gap_above <= gap_below, above, below)

    def decode(self, codes: Ints, offsets: NDArray[np.floating]) -> pd.Series:
        """Return the (rows,) cells in the column's canonical type."""
        cell = self.cells.find(codes, offsets)
        position = self._value[cell]
        smooth = np.flatnonzero(self._piece[cell] >= 0)
        if len(smooth):
            piece, at = self._piece[cell[smooth]], cell[smooth]
            share = np.clip((offsets[smooth] - self.cells.low[at]) / self.cells.width[at], 0, 1)
            position[smooth] = self._snap_to_lattice(piece, self.pieces.quantile(piece, share))
        return self.axis.cells(position)

    def _snap_to_lattice(self, piece: Ints, value: Floats) -> Floats:
        """Round to the lattice, inside the piece, and avoid point masses, which have codes of their own."""
        low, high = self.pieces.low[piece], self.pieces.high[piece]
        if not self.axis.lattice:
            return np.where(np.isin(value, self.point_masses), np.nextafter(value, (low + high) / 2), value)
        value = np.clip(np.rint(value), np.ceil(low), np.floor(high))
        # Values on a point mass move towards the middle of the bin, so that none leaves it.
        away = np.where(value < (low + high) / 2, 1.0, -1.0)
        while (taken := np.isin(value, self.point_masses)).any():
            value = np.where(taken, value + away, value)
        return value


def _nearest(rising: Floats, values: Floats) -> Ints:
    """Return the index of the nearest of the `rising` numbers to each of the (rows,) values."""
    above = np.clip(np.searchsorted(rising, values), 0, len(rising) - 1)
    below = np.maximum(above - 1, 0)
    return np.where(np.abs(rising[above] - values) <= np.abs(rising[below] - values), above, below)
