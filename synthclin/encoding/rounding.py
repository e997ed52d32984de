"""Fitting rounding habits: heaped values, digit preference, converted units."""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING

import numpy as np

from synthclin.encoding.codec_states import Grid, Heap
from synthclin.encoding.fit_support import CLOCK_STEPS
from synthclin.encoding.protection import protected_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.line_codec import LineCodec
    from synthclin.encoding.protection import Rows

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["digits", "grids", "heaps"]

_SWEEPS = 10
# A grid must explain this share of the rows that no coarser one does.
_LEAST_SHARE = 0.05
_MOST_GRIDS = 6
_LONGEST_CYCLE = 60


def heaps(codec: LineCodec, rest: Rows, least: int) -> dict[str, tuple[Heap, ...]]:
    """Return the values inside bins with at least `least` patients, and their shares of the bin's rows.

    The rest of a bin without its heaps counts as `least` / 2 rows where it is fewer than `least`, or none; then the
    heaps' counts are coarse: see `protected_counts`.
    """
    values, counts = rest.frequent(least)
    if not len(values):
        return {"heaps": ()}
    rows = np.bincount(codec.bins[codec.piece_of(rest.position)])
    bin_of = codec.bins[codec.piece_of(values)]
    shares = np.empty(len(values))
    for bin_ in np.unique(bin_of):
        mine = bin_of == bin_
        parts = protected_counts(np.r_[counts[mine], rows[bin_] - counts[mine].sum()], least)
        shares[mine] = parts[:-1] / parts.sum()
    return {"heaps": tuple(Heap(at=float(v), share=_short(s)) for v, s in zip(values, shares, strict=True))}


def digits(codec: LineCodec, rest: Rows, least: int, lattice: tuple[int, int]) -> dict[str, tuple[float, ...]]:
    """Return the weight of each last digit inside narrow bins relative to their smooth densities (digit preference).

    Digits of fewer than `least` patients share one weight: that of their rows where no digit's count follows from it;
    else that of `least` / 2 rows where they are fewer patients together, and the counts of frequent digits beside them
    are coarse: see `protected_counts`. Counts are shrunk towards the smooth densities by `least` rows.

    Arguments:
        codec: the codec so far.
        rest: the rows in bins.
        least: the smallest number of patients behind a weight.
        lattice: step and origin of the coarsest lattice that most of the column's values lie on, 1 and 0 for none. If
            the step does not divide the cycle, its remainders take the place of digits. Digits on and off the lattice
            never share a weight, and counts are not shrunk.
    """
    cells = np.flatnonzero(codec.distributions.narrow & codec.distributions.base)
    kept = _unheaped(codec, rest, cells)
    cycle = codec.axis.cycle
    if cycle is None or not len(kept):
        return {"rounding": ()}
    step, origin = lattice
    if codec.axis.kind != "date" and cycle % step and step <= _LONGEST_CYCLE:
        cycle = step
    phase = codec.axis.phase(kept.position, cycle)
    patients = np.array([kept[phase == digit].patients for digit in range(cycle)])
    label, on = np.arange(cycle), np.arange(cycle) % step == origin
    counts, exact = np.bincount(phase, minlength=cycle).astype(np.float64), True
    for part in (on, ~on) if step > 1 and cycle % step == 0 else (on | ~on,):
        rare = np.flatnonzero((patients < least) & part)
        label[rare] = rare[:1]
        together = _together(counts[rare], patients[rare], least)
        exact &= not len(rare) or together == counts[rare].sum()
        counts[rare] = 0.0
        counts[rare[:1]] = together
    if not exact:
        frequent = patients >= least
        counts[frequent] = protected_counts(np.r_[counts[frequent], 0.0], least)[:-1]
    place = codec.axis.phase(codec.distributions.value[cells], cycle)
    weights = _weights(codec, kept, cells, label[place], counts, least if step == 1 else 0)
    return {"rounding": tuple(_short(weight) for weight in weights[label])}


def _together(counts: Floats, patients: Ints, least: int) -> float:
    """Return the rows that rare digits count for together, from the (digits,) rows and patients of each.

    A sum of which one digit may have all that it can, or nothing, tells no digit's count and is exact.
    """
    most = (least - 1) * (len(counts) - 1)
    if patients.sum() < least or most < least:
        return least / 2
    return min(float(counts.sum()), most)


def grids(codec: LineCodec, rest: Rows, least: int, lattice: tuple[int, int]) -> dict[str, tuple[Grid, ...]]:
    """Return coarser lattices inside wide bins: powers of ten, clock steps, and the common divisor of heaps.

    The greatest common divisor of frequent values is the step of the original unit, such as the pound of a weight
    that is written in kilograms.

    Arguments:
        codec: the codec so far.
        rest: the rows in bins.
        least: the smallest number of patients behind a grid.
        lattice: step and origin of the coarsest lattice that most of the column's values lie on, 1 and 0 for none.
    """
    smooth = np.flatnonzero(~codec.distributions.narrow & codec.distributions.base)
    kept = _unheaped(codec, rest, smooth)
    if not codec.axis.lattice or not len(kept):
        return {"grids": ()}
    found: list[int] = []
    left = kept
    steps = _steps(codec) | ({lattice[0]} if lattice[0] > 1 and not lattice[1] else set())
    for step in sorted(steps, reverse=True):
        on = left.position % step == 0
        many = on.sum() >= _LEAST_SHARE * len(kept) and left[on].patients >= least
        if many and on.mean() > 2 / step and len(found) < _MOST_GRIDS:
            found.append(step)
            left = left[~on]
    if not found:
        return {"grids": ()}
    counts = protected_counts(np.bincount(_first(found, kept.position), minlength=len(found) + 1), least)
    shares = counts / counts.sum()
    # Bins that hold no point of a grid give its share to the others.
    first = tuple(Grid(step=step, share=_short(share)) for step, share in zip(found, shares, strict=False))
    trial = type(codec)(codec.column, codec.state.model_copy(update={"grids": first}))
    cells = np.flatnonzero(~trial.distributions.narrow & trial.distributions.base)
    weights = _weights(trial, kept, cells, _first(found, trial.distributions.value[cells]), counts, least)
    shares = np.array([*(grid.share for grid in first), 0.0])
    shares[-1] = 1 - shares.sum()
    shares = np.maximum(shares * weights, 1e-4)
    shares /= shares.sum()
    return {"grids": tuple(Grid(step=step, share=_short(share)) for step, share in zip(found, shares, strict=False))}


def _steps(codec: LineCodec) -> set[int]:
    """Return the steps that a grid may have."""
    steps = {10**power * by for power in range(1, 13) for by in (1, 5)}
    if codec.axis.kind == "datetime":
        steps = {step // codec.axis.step for step in CLOCK_STEPS if step % codec.axis.step == 0}
    support = codec.state.support
    if support is not None and support.kind == "periodic":
        # Positions number the values of the support.
        unit = support.blocks if support.kept == (0,) else 0
        steps = {lcm(step, unit) // unit for step in steps} if unit else set()
    at = np.abs([heap.at for heap in codec.state.heaps] + [*codec.state.point_masses])
    at = at[(at > 0) & (at < 2**53)].astype(np.int64)
    common, counts = np.unique(np.gcd.outer(at, at)[np.triu_indices(len(at), 1)], return_counts=True)
    if len(common):
        unit = int(common[counts.argmax()])
        steps |= {unit // part for part in (1, 2, 4, 10) if unit % part == 0}
    return {step for step in steps if step > 1}


def _first(found: list[int], positions: Floats) -> NDArray[np.int64]:
    """Return the index of the first grid that each position lies on; their number where it lies on none."""
    label = np.full(len(positions), len(found), dtype=np.int64)
    for i, step in reversed(list(enumerate(found))):
        label[positions % step == 0] = i
    return label


def _weights(
    codec: LineCodec,
    rows: Rows,
    cells: NDArray[np.int64],
    label: NDArray[np.int64],
    counts: Floats,
    least: int,
) -> Floats:
    """Return a factor per label by which the weights of `cells` give each label its share of the rows.

    Iterative proportional fitting inside bins, towards counts that are shrunk to what the weights give already.

    Arguments:
        codec: whose distributions are weighed.
        rows: that lie in these cells' bins.
        cells: indices into the distributions.
        label: (cells,) of each cell.
        counts: (labels,) rows with each label.
        least: how many rows the weights as they are count for; 0 for none.
    """
    home = codec.bins[codec.distributions.piece[cells]]
    rows_in = np.bincount(codec.bins[codec.piece_of(rows.position)], minlength=len(codec.bins))
    size = len(counts)

    def expected(weights: Floats) -> Floats:
        mass = codec.distributions.weight[cells] * weights[label]
        mass *= (rows_in / np.maximum(np.bincount(home, mass, len(codec.bins)), 1e-300))[home]
        return np.bincount(label, mass, size).astype(np.float64)

    now = expected(np.ones(size))
    wanted = (counts + least * now / now.sum()) * now.sum() / (counts.sum() + least)
    weights = np.ones(size)
    for _ in range(_SWEEPS):
        now = expected(weights)
        weights = np.clip(weights * np.where(now > 0, wanted / np.maximum(now, 1e-300), 1.0), 1e-3, 1e3)
    return weights


def _unheaped(codec: LineCodec, rest: Rows, cells: NDArray[np.int64]) -> Rows:
    """Return the rows of the bins of these cells that are on no heap."""
    heaped = np.isin(rest.position, [heap.at for heap in codec.state.heaps])
    return rest[~heaped & np.isin(codec.piece_of(rest.position), codec.distributions.piece[cells])]


def _short(share: float) -> float:
    """Keep six significant digits, rounded down so that shares never sum to more than 1."""
    text = f"{share * (1 - 1e-6):.5e}"
    return float(text)
