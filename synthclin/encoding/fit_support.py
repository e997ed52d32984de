"""Fitting the support of a lattice column: a common step, weekdays, days of the month, hours of the day."""

from __future__ import annotations

from functools import lru_cache
from math import comb
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom

from synthclin.encoding.codec_states import Monthly, Periodic

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.axis import Axis, OnALine
    from synthclin.encoding.codec_states import Support
    from synthclin.encoding.protection import Rows

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]
    Bools = NDArray[np.bool_]

__all__ = ["CLOCK_STEPS", "clock_step", "common_step", "fit_support", "strays"]

# Steps in seconds at which clocks are read.
CLOCK_STEPS = (86_400, 3_600, 1_800, 1_200, 900, 600, 300, 60, 1)
_DAY, _HOUR = 86_400, 3_600
_BLOCKS_OF_HOURS = (1, 2, 3, 4, 6)
# The largest share of patients whose value may lie elsewhere.
_STRAYS = 0.10
# A pattern that chance shows this often is none.
_CHANCE = 1e-3
_FEWEST_VALUES = 5
_LARGEST_PRIME = 1_000
# Rows that are looked at first, which excludes most primes.
_LOOK = 2_000
_EXACT = 2.0**53


def strays(patients: int, least: int) -> int:
    """Return how many patients may have a value off a pattern that all others keep to: fewer than `least`.

    It is the same for none of them and for one less than `least`, so that no few patients decide on a pattern. Where
    they would be more than a tenth of all patients it is 0, and values that are protected have no pattern.

    Example:
        >>> strays(100, 11), strays(1_000, 11), strays(99, 11), strays(1_000, 1)
        (10, 10, 0, 0)
    """
    return least - 1 if least - 1 <= _STRAYS * patients else 0


def clock_step(seconds: Ints, patient: Ints, least: int) -> int:
    """Return the coarsest usual clock step, in seconds, on which all but fewer than `least` patients' times are.

    Arguments:
        seconds: (rows,) the times.
        patient: (rows,) the number of each row's patient.
        least: the smallest number of patients behind a statistic; at least as many are on the step.

    Example:
        >>> clock_step(np.array([0, 900, 4_500]), np.arange(3), 1)
        900
    """
    for step in CLOCK_STEPS:
        off = seconds % step != 0
        if len(np.unique(patient[off])) < least <= len(np.unique(patient[~off])):
            return step
    return 1


def fit_support(column: OnALine, axis: Axis, rows: Rows, least: int, exempt: Floats) -> Support | None:
    """Return the support of a column: the declared step, or the one that its values show; None for every value.

    All patients but fewer than `least` keep to it. Their values are not counted, so that none of them decides on it,
    and are moved to the nearest value of the support. Each weekday, day of the month, month or hour in it is one of
    `least` patients or more, or belongs to a block of hours that is.

    Arguments:
        column: the declaration.
        axis: the lattice without a support.
        rows: the observed rows.
        least: the smallest number of patients behind a statistic.
        exempt: frequent positions, which may lie elsewhere, such as a detection limit.
    """
    if not axis.lattice:
        return None
    if column.value_step is not None:
        step = round(column.value_step * axis.per_unit)
        return Periodic(blocks=step, kept=(0,)) if step > 1 else None
    rows = rows[~np.isin(rows.position, exempt) & (np.abs(rows.position) < _EXACT)]
    if not len(rows) or (least > 1 and not strays(rows.patients, least)):
        return None
    if axis.kind == "datetime":
        return _hours(rows, axis, least)
    step, origin = common_step(rows, least, share=1 - _STRAYS)
    if step > 1:
        return Periodic(blocks=step, kept=(origin,))
    return _calendar(rows, least) if axis.kind == "date" else None


def common_step(rows: Rows, least: int, share: float) -> tuple[int, int]:
    """Return step and origin of the coarsest lattice that at least `share` of the values lie on; 1 and 0 for none.

    The step grows by one prime factor at a time. Distinct values are what counts as evidence: a frequent value is one.

    Arguments:
        rows: whole positions.
        least: the smallest number of patients behind a statistic; fewer may lie elsewhere if `share` is near 1.
        share: of the rows; below 1 - 1/20, more patients than a few may lie elsewhere.
    """
    step, origin = 1, 0
    strict = share >= 1 - _STRAYS
    allowed = strays(rows.patients, least)
    every = max(1, len(rows) // _LOOK)
    for prime in _primes():
        while step <= 10**9:
            found = _residue(rows[slice(None, None, every)], step, origin, prime)
            if found is None:
                break
            on = rows.position % (step * prime) == found
            before = on if strict else rows.position % step == origin  # the few others do not count
            enough = rows[~on].patients <= allowed if strict else on.mean() >= share
            if not enough or not _evident(rows.position[before], on[before], prime) or rows[on].patients < least:
                break
            step, origin = step * prime, found
    return step, origin


def _residue(rows: Rows, step: int, origin: int, prime: int) -> int | None:
    """Return the remainder modulo `step * prime` of most rows on the lattice so far, None if there is none."""
    on = rows.position[rows.position % step == origin]
    if not len(on):
        return None
    parts = np.bincount(((on - origin) // step % prime).astype(np.int64), minlength=prime)
    most = int(parts.argmax())
    return None if parts[most] < (1 + 1 / prime) / 2 * len(on) else origin + most * step


def _evident(positions: Floats, on: Bools, ratio: int) -> bool:
    """Return whether so many distinct values have one of `ratio` remainders by more than chance."""
    values = np.unique(positions)
    seen = len(np.unique(positions[on]))
    return seen >= _FEWEST_VALUES and ratio * float(binom.sf(seen - 1, len(values), 1 / ratio)) < _CHANCE


@lru_cache(maxsize=1)
def _primes() -> tuple[int, ...]:
    return tuple(n for n in range(2, _LARGEST_PRIME) if all(n % d for d in range(2, int(n**0.5) + 1)))


def _calendar(rows: Rows, least: int) -> Support | None:
    """Return fixed days of the month or fixed weekdays of dates."""
    day = rows.position.astype(np.int64).astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    number = month.astype(np.int64)
    start, end = (part.astype("datetime64[D]").astype(np.int64) for part in (month, month + 1))
    whole = rows.position.astype(np.int64)
    # Days of the month are counted from its start, where every month has them, or from its end.
    for day_of, shift, ends in ((whole - start, 1, (1, 28)), (whole - end + 31, -30, (-27, 0))):
        days = _kept(rows, day_of, 31, least)
        if days is None or not ends[0] <= days[0] + shift <= days[-1] + shift <= ends[1]:
            continue
        named, on = tuple(d + shift for d in days), np.isin(day_of, days)
        months = _kept(rows[on], number[on] % 12, 12, least)
        return Monthly(days=named, months=tuple(range(1, 13)) if months is None else tuple(m + 1 for m in months))
    weekdays = _kept(rows, whole % 7, 7, least)
    return None if weekdays is None else Periodic(blocks=7, kept=weekdays)


def _hours(rows: Rows, axis: Axis, least: int) -> Support | None:
    """Return the hours of the day and the weekdays of datetimes."""
    seconds = rows.position.astype(np.int64) * axis.step
    hours = _kept_hours(rows, seconds // _HOUR % 24, least) if axis.step <= _HOUR else None
    weekdays = _kept(rows, seconds // _DAY % 7, 7, least)
    if hours is None and weekdays is None:
        return None
    if hours is None:
        return Periodic(blocks=7, kept=weekdays or (), unit=_DAY // axis.step)
    if weekdays is None:
        return Periodic(blocks=24, kept=hours, unit=_HOUR // axis.step)
    kept = tuple(24 * day + hour for day in weekdays for hour in hours)
    return Periodic(blocks=168, kept=kept, unit=_HOUR // axis.step)


def _kept_hours(rows: Rows, hour: Ints, least: int) -> tuple[int, ...] | None:
    """Return the hours of the day that are used, in blocks of several hours where single ones have too few patients."""
    for width in _BLOCKS_OF_HOURS:
        if (blocks := _kept(rows, hour // width, 24 // width, least)) is not None:
            return tuple(block * width + part for block in blocks for part in range(width))
    return None


def _kept(rows: Rows, phase: Ints, size: int, least: int) -> tuple[int, ...] | None:
    """Return the phases of at least `least` patients, if fewer than that have any other; None for all phases.

    A phase of fewer patients counts as one of none.

    Arguments:
        rows: the observed rows.
        phase: (rows,) from 0 to `size` - 1.
        size: how many phases there are.
        least: the smallest number of patients behind a statistic.
    """
    pairs = np.unique(np.stack([phase, rows.patient]), axis=1)
    kept = np.bincount(pairs[0], minlength=size) >= least
    off = rows[~kept[phase]]
    left_out = int((~kept).sum())
    if not 0 < left_out < size or off.patients > strays(rows.patients, least):
        return None
    on = rows[kept[phase]]
    values = len(np.unique(on.position))
    # With a mean of 4 or fewer, a single value would keep a phase.
    if on.patients < least or (least > 1 and values <= 4 * kept.sum()):
        return None
    # As if fewer than `least` patients had as many other values, whether they have or not.
    chance = comb(size, left_out) * float(binom.cdf(least - 1, values + least - 1, left_out / size))
    return tuple(np.flatnonzero(kept).tolist()) if chance < _CHANCE else None
