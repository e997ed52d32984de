"""Merged bins: fine bins of one column, merged by their noisy counts; free, because only noisy counts are used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synthclin.dp.private_table import NoisyTable
from synthclin.errors import ConfigError

__all__ = ["merged_bins"]


def merged_bins(noisy: NoisyTable, mergeable: Sequence[tuple[int, int]], *, bins: int = 16) -> np.ndarray:
    """Return the merged code of each code of a column.

    Neighbouring codes of a run are merged until their count reaches both the total / `bins` and 4 standard deviations
    of its noise; cells below one standard deviation count 0. Codes outside the runs (levels, missing, spikes) stay
    alone, and merged codes keep the order of codes.

    Arguments:
        noisy: the noisy one-way table of the column.
        mergeable: half-open runs (start, stop) of consecutive codes that may be merged, such as the bins of a number.
        bins: about how many merged bins a number gets; at most twice as many.

    Returns:
        (codes,) int64, the map for `NoisyTable.summed` and `PrivateTable.recoded`.

    Raises:
        ConfigError: the table has several columns, or a run is outside it or overlaps another.

    Example:
        >>> noisy = NoisyTable((0,), np.array([9.0, 0.0, 90.0, 80.0, 5.0]), np.ones(5), rho=0.1)
        >>> merged_bins(noisy, [(0, 4)], bins=4).tolist()
        [0, 0, 0, 1, 2]
    """
    if noisy.values.ndim != 1:
        raise ConfigError("merged bins", "a table of one column is needed", "Take its one-way table.")
    codes = len(noisy.values)
    inside = np.zeros(codes, bool)
    for start, stop in mergeable:
        if not 0 <= start < stop <= codes or inside[start:stop].any():
            raise ConfigError("merged bins", "a run is outside the column or overlaps another", "Correct the runs.")
        inside[start:stop] = True
    sd = np.sqrt(noisy.variance)
    counts = np.where(noisy.values > sd, noisy.values, 0.0)
    first = np.ones(codes, bool)  # whether a code begins a merged code
    for start, stop in mergeable:
        first[start:stop] = False
        first[_starts(counts, noisy.variance, start, stop, counts.sum() / bins)] = True
    return np.cumsum(first) - 1


def _starts(counts: np.ndarray, variance: np.ndarray, start: int, stop: int, enough: float) -> list[int]:
    """Return the first code of each merged bin of one run; a last bin that is too small joins the bin before it."""
    starts, count, noise = [start], 0.0, 0.0
    for code in range(start, stop):
        count, noise = count + counts[code], noise + variance[code]
        if count >= max(enough, 4 * noise**0.5):
            starts.append(code + 1)
            count = noise = 0.0
    return starts[: max(1, len(starts) - 1)]
