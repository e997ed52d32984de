"""Fitting rounding habits: heaped values, digit preference, converted units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.encoding.codec_states import Grid, Heap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.line_codec import LineCodec
    from synthclin.encoding.protection import Rows

    Floats = NDArray[np.float64]

__all__ = ["digits", "grids", "heaps"]

_SWEEPS = 10
# A grid must explain this share of the rows that no coarser one does.
_LEAST_SHARE = 0.05
_MOST_GRIDS = 6


def heaps(codec: LineCodec, rest: Rows, least: int) -> dict[str, tuple[Heap, ...]]:
    """Return the values inside bins with at least `least` patients, and their shares of the bin's rows.

    The rest of a bin without its heaps counts as `least` / 2 rows where it is fewer than `least`.
    """
    values, counts = rest.frequent(least)
    if not len(values):
        return {"heaps": ()}
    rows = np.bincount(codec.bins[codec.piece_of(rest.position)])
    bin_of = codec.bins[codec.piece_of(values)]
    heaped = np.bincount(bin_of, counts, minlength=len(rows))
    whole = np.where((rows > heaped) & (rows - heaped < least), heaped + least / 2, rows)
    shares = counts / whole[bin_of]
    return {"heaps": tuple(Heap(at=float(v), share=_short(s)) for v, s in zip(values, shares, strict=True))}


def digits(codec: LineCodec, rest: Rows, least: int) -> dict[str, tuple[float, ...]]:
    """Return the weight of each last digit inside narrow bins relative to their smooth densities (digit preference).

    Counts are shrunk towards the smooth densities by `least` rows; digits of fewer patients than that share one weight.
    """
    cells = np.flatnonzero(codec.distributions.narrow & codec.distributions.base)
    kept = _unheaped(codec, rest, cells)
    cycle = codec.axis.cycle
    if cycle is None or not len(kept):
        return {"rounding": ()}
    phase = codec.axis.phase(kept.position)
    patients = np.array([kept[phase == digit].patients for digit in range(cycle)])
    # The rarest digits are pooled until they reach the limit.
    rarest = np.argsort(patients, kind="stable")
    needed = int(np.searchsorted(np.cumsum(patients[rarest]), least)) + 1
    label = np.arange(cycle)
    if patients.min() < least:
        label[rarest[: max(needed, int((patients < least).sum()))]] = rarest[0]
    weights = _weights(
        codec, kept, cells, label[codec.axis.phase(codec.distributions.value[cells])], label[phase], least
    )
    return {"rounding": tuple(_short(weight) for weight in weights[label])}


def grids(codec: LineCodec, rest: Rows, least: int) -> dict[str, tuple[Grid, ...]]:
    """Return coarser lattices inside wide bins: powers of ten, and the common divisor of heaps.

    The greatest common divisor of frequent values is the step of the original unit, such as the pound of a weight
    that is written in kilograms.
    """
    smooth = np.flatnonzero(~codec.distributions.narrow & codec.distributions.base)
    kept = _unheaped(codec, rest, smooth)
    if not codec.axis.lattice or not len(kept):
        return {"grids": ()}
    found: list[Grid] = []
    left = kept
    for step in sorted(_steps(codec), reverse=True):
        on = left.position % step == 0
        many = on.sum() >= _LEAST_SHARE * len(kept) and left[on].patients >= least
        if many and on.mean() > 2 / step and len(found) < _MOST_GRIDS:
            found.append(Grid(step=step, share=_short(on.sum() / len(kept))))
            left = left[~on]
    if not found:
        return {"grids": ()}
    # Bins that hold no point of a grid give its share to the others.
    trial = type(codec)(codec.column, codec.state.model_copy(update={"grids": tuple(found)}))
    cells = np.flatnonzero(~trial.distributions.narrow & trial.distributions.base)
    weights = _weights(
        trial, kept, cells, _first(found, trial.distributions.value[cells]), _first(found, kept.position), least
    )
    shares = np.array([*(grid.share for grid in found), 0.0])
    shares[-1] = 1 - shares.sum()
    shares = np.maximum(shares * weights, 1e-4)
    shares /= shares.sum()
    return {
        "grids": tuple(Grid(step=grid.step, share=_short(share)) for grid, share in zip(found, shares, strict=False))
    }


def _steps(codec: LineCodec) -> set[int]:
    """Return the steps that a grid may have."""
    steps = {10**power * by for power in range(1, 13) for by in (1, 5)}
    at = np.abs([heap.at for heap in codec.state.heaps] + [*codec.state.point_masses])
    at = at[(at > 0) & (at < 2**53)].astype(np.int64)
    common, counts = np.unique(np.gcd.outer(at, at)[np.triu_indices(len(at), 1)], return_counts=True)
    if len(common):
        unit = int(common[counts.argmax()])
        steps |= {unit // part for part in (1, 2, 4, 10) if unit % part == 0}
    return {step for step in steps if step > 1}


def _first(found: list[Grid], positions: Floats) -> NDArray[np.int64]:
    """Return the index of the first grid that each position lies on; their number where it lies on none."""
    label = np.full(len(positions), len(found), dtype=np.int64)
    for i, grid in reversed(list(enumerate(found))):
        label[positions % grid.step == 0] = i
    return label


def _weights(
    codec: LineCodec,
    rows: Rows,
    cells: NDArray[np.int64],
    label: NDArray[np.int64],
    seen: NDArray[np.int64],
    least: int,
) -> Floats:
    """Return a factor per label by which the weights of `cells` give each label the rows that are `seen` with it.

    Iterative proportional fitting inside bins, towards counts that are shrunk to what the weights give already.

    Arguments:
        codec: whose distributions are weighed.
        rows: that lie in these cells' bins.
        cells: indices into the distributions.
        label: (cells,) of each cell.
        seen: (rows,) label of each row.
        least: how many rows the weights as they are count for.
    """
    home = codec.bins[codec.distributions.piece[cells]]
    rows_in = np.bincount(codec.bins[codec.piece_of(rows.position)], minlength=len(codec.bins))
    size = int(max(label.max(), seen.max())) + 1

    def expected(weights: Floats) -> Floats:
        mass = codec.distributions.weight[cells] * weights[label]
        mass *= (rows_in / np.maximum(np.bincount(home, mass, len(codec.bins)), 1e-300))[home]
        return np.bincount(label, mass, size).astype(np.float64)

    counts = np.bincount(seen, minlength=size)
    now = expected(np.ones(size))
    wanted = (counts + least * now / now.sum()) * len(seen) / (len(seen) + least)
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
