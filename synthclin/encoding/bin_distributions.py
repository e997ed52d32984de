"""The distribution inside each bin: weights of lattice points, or a smooth density with heaps and grids on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.encoding.codec_states import Periodic
from synthclin.encoding.densities import Pieces, rate_for_mean

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.axis import Axis
    from synthclin.encoding.codec_states import LineState

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["BinDistributions", "bin_densities", "bin_distributions"]

# A piece of at most this many lattice points, those outside the support counted, has a weight for each; a wider one
# has a smooth density.
_MOST_POINTS = 1_000
# A tail reaches further: it may hold as many points of a coarser grid.
_MOST_TAIL_POINTS = 5_000
# In few pieces, each may hold its part of so many points of a grid.
_MOST_GRID_POINTS = 100_000


class BinDistributions(NamedTuple):
    """Distributions inside bins as weighted cells, all (cells,), in the order of their pieces.

    Arguments:
        piece: the index of the cell's piece of the line.
        value: the position of a point mass; NaN for the smooth density of the whole piece.
        weight: its weight; the weights of a bin sum to about 1.
        narrow: whether its piece has a weight for every lattice point, and no smooth density.
        base: whether the weight follows the piece's density, not a heap's own share.
    """

    piece: Ints
    value: Floats
    weight: Floats
    narrow: NDArray[np.bool_]
    base: NDArray[np.bool_]


def bin_densities(axis: Axis, state: LineState) -> tuple[Pieces, Ints]:
    """Return the densities between and beyond the edges, low to high, and the bin of each of the (pieces,).

    Raises:
        ValueError: a bin lies outside the declared range.
    """
    # A lattice point owns half a step on either side.
    half = 0.5 if axis.lattice else 0.0
    lowest, highest = axis.low - half, axis.high + half
    edges = np.array(state.edges, dtype=np.float64)
    low, high, rate = edges[:-1], edges[1:], np.zeros(max(len(edges) - 1, 0))
    if state.lower:
        limit = max(state.lower.limit, lowest)
        low, high = np.r_[limit, low], np.r_[edges[0], high]
        rate = np.r_[-_rate(state, limit, edges[0], state.lower.mean), rate]
    if state.upper:
        limit = min(state.upper.limit, highest)
        low, high = np.r_[low, edges[-1]], np.r_[high, limit]
        rate = np.r_[rate, _rate(state, edges[-1], limit, state.upper.mean)]
    if (low >= high).any() or (low < lowest).any() or (high > highest).any():
        raise ValueError("a bin lies outside the declared range")
    bins = np.arange(len(low))
    if state.joined:
        bins = np.zeros_like(bins)
    elif state.merged:
        bins = np.repeat(np.arange(len(state.merged)), state.merged)
    return Pieces(low, high, rate, state.logarithmic), bins


def _rate(state: LineState, low: float, high: float, mean: float) -> float:
    if low >= high:
        return 0.0
    width = float(np.log(high / low)) if state.logarithmic else high - low
    return rate_for_mean(mean / width)


def bin_distributions(axis: Axis, state: LineState, pieces: Pieces, bins: Ints) -> BinDistributions:
    """Return the distribution inside each bin, without the point masses that have a code of their own.

    Raises:
        ValueError: a bin holds no value, or a heap lies outside all bins.
    """
    heaps = np.array([heap.at for heap in state.heaps], dtype=np.float64)
    if len(heaps) and not (len(bins) and pieces.low[0] <= heaps[0] and heaps[-1] <= pieces.high[-1]):
        raise ValueError("a heap lies outside all bins")
    if np.isin(heaps, state.point_masses).any():
        raise ValueError("a heap is a point mass with a code of its own")
    apart = state.support.blocks / len(state.support.kept) if isinstance(state.support, Periodic) else 1
    narrow = ((pieces.high - pieces.low) * apart <= _MOST_POINTS) & axis.lattice
    taken = np.union1d(state.point_masses, heaps)
    piece, value, weight = _points(axis, state, pieces, narrow, taken)

    home = np.searchsorted(pieces.high[:-1], heaps, side="right") if len(heaps) else np.empty(0, dtype=np.int64)
    share = np.array([heap.share for heap in state.heaps], dtype=np.float64)
    heaped = np.bincount(bins[home], share, minlength=len(bins))
    total = np.bincount(piece, weight, minlength=len(bins))
    # What heaps leave of a bin is shared by its pieces, equally unless the state has their shares.
    of_piece = np.array(state.shares) if state.shares else 1 / np.bincount(bins)[bins] if len(bins) else total
    left = np.maximum(1 - heaped[bins], 0.0) * of_piece if len(bins) else total
    weight = weight * (left / np.maximum(total, 1e-300))[piece]

    piece, value, weight = np.r_[piece, home], np.r_[value, heaps], np.r_[weight, share]
    if len(np.unique(bins[piece])) < len(np.unique(bins)):
        raise ValueError("a bin holds no value")
    order = np.lexsort((value, piece))
    base = np.arange(len(piece)) < len(piece) - len(heaps)
    return BinDistributions(piece[order], value[order], weight[order], narrow[piece[order]], base[order])


def _points(
    axis: Axis, state: LineState, pieces: Pieces, narrow: NDArray[np.bool_], taken: Floats
) -> tuple[Ints, Floats, Floats]:
    """Return piece, position and weight of the cells that follow the pieces' densities, without the `taken` values."""
    piece, value = _multiples(pieces, narrow, 1, taken)
    weight = _mass(pieces, piece, value)
    if state.rounding and len(value):
        weight = weight * np.array(state.rounding)[axis.phase(value, len(state.rounding))]
    parts, left = [(piece, value, weight)], 1.0
    for grid in state.grids if axis.lattice else ():
        left -= grid.share
        piece, value = _multiples(pieces, ~narrow, grid.step, taken)
        # Each point has the mass of a whole step of the density, times the grid's share.
        parts.append((piece, value, grid.share * grid.step * _mass(pieces, piece, value)))
        taken = np.union1d(taken, value)
    wide = np.flatnonzero(~narrow)
    parts.append((wide, np.full(len(wide), np.nan), np.full(len(wide), max(left, 1e-3))))
    piece, value, weight = (np.concatenate(part) for part in zip(*parts, strict=True))
    return piece, value, weight


def _multiples(pieces: Pieces, chosen: NDArray[np.bool_], step: int, taken: Floats) -> tuple[Ints, Floats]:
    """Return the multiples of `step` strictly inside the `chosen` (pieces,), and not `taken`; pieces and positions."""
    first = np.floor(pieces.low / step) + 1
    count = np.where(chosen, np.maximum(np.ceil(pieces.high / step) - first, 0), 0)
    most = np.full(len(count), _MOST_POINTS)
    if step > 1:
        most = np.maximum(most, _MOST_GRID_POINTS // max(len(count), 1))
        most[:1] = most[-1:] = max(_MOST_TAIL_POINTS, most[0])
    count = np.where(count <= most, count, 0).astype(np.int64)
    piece = np.repeat(np.arange(len(count)), count)
    value = (np.repeat(first - np.cumsum(count) + count, count) + np.arange(count.sum())) * step
    free = ~np.isin(value, taken)
    return piece[free], value[free]


def _mass(pieces: Pieces, piece: Ints, value: Floats) -> Floats:
    """Return the probability mass within half a step of each position."""
    # The added constant keeps the probability of far points in a steep tail above 0.
    return pieces.cdf(piece, value + 0.5) - pieces.cdf(piece, value - 0.5) + 1e-9
