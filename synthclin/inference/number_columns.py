"""Inference of numeric columns."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING

import numpy as np

from synthclin.inference import name_hints
from synthclin.inference.guesses import Guess, Refusal, count, rare
from synthclin.schema.columns import Boolean, Category, Id, Integer, Number, Ordinal
from synthclin.schema.columns.column import MissingCode
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["guess_numbers"]

LIMIT = 1e150  # squares of what lies beyond overflow a float64
EXACT = 2.0**53  # whole numbers from here on are not exact in a float64
NINES = (9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)
TOO_LOW = frozenset(-code for nine in NINES for code in (nine, nine - 1, nine - 2, nine * 8 / 9, nine * 7 / 9))
TOO_HIGH = frozenset((99.9, 999.9, *(-code for code in TOO_LOW if code < -9)))
SPIKE = 0.10  # the least share of a spike
RISING = 20  # rows in rising order that are numbered, not measured
BLOCKS = 50  # consecutive integers, in blocks of rows, that identify patients
BY_CHANCE = 14.0  # e**-14 is less than one in a million
MANY_DECIMALS = 6
UNORDERED = "declare it `category` if it has no order"


def guess_numbers(
    name: str, numbers: NDArray[np.float64], rows: int, missing: Sequence[float | str] = ()
) -> Guess | Refusal:
    """Guess what a column of numbers means.

    Arguments:
        name: the column's name.
        numbers: (cells,) float64, the cells that are not missing, in the order of the rows; at least one.
        rows: how many rows the table has.
        missing: known missing-value codes; no number is one of them.

    Example:
        >>> guess_numbers("killip", np.array([1.0, 2, 3, 4] * 20), 80).column.categories
        (1, 2, 3, 4)
    """
    beyond = int(np.sum(~(np.abs(numbers) <= LIMIT)))
    if beyond:
        return Refusal(
            f"{count(beyond, len(numbers))} hold a number that is infinite or beyond {LIMIT:g}",
            "Correct it, or recode it as missing.",
        )
    values, counts = np.unique(numbers, return_counts=True)
    whole = bool(np.all(values == np.round(values)))
    if name_hints.points_to_person(name) and len(values) > len(numbers) / 2:
        return Refusal("its name is one of a direct identifier", "Remove it, or declare it `text` or `id`.")
    if len(values) == 1:
        return Guess(
            Category(categories=_levels(values)), [f"constant: {count(len(numbers), rows)} hold the same number"]
        )
    if whole and (found := _identifier(name, numbers, values, rows)):
        return found
    codes = [float(code) for code in missing if not isinstance(code, str)]
    if any(values[0] < code < values[-1] for code in codes):
        return Refusal("a missing-value code lies among its numbers", "Recode it in the file to one outside of them.")
    return _few_levels(name, values, counts) or _quantity(values, counts, codes, whole=whole)


def _identifier(name: str, numbers: NDArray[np.float64], values: NDArray[np.float64], rows: int) -> Guess | None:
    """Return the guess that whole numbers identify rows or patients."""
    if EXACT <= np.abs(values).max() < 2.0**63:
        return Guess(Id(), ["whole numbers of more than 15 digits, which identify and measure nothing"])
    if len(values) == rows and (reason := _named_rows(name, numbers)):
        return Guess(Id(), [f"{count(rows, rows)} differ, and {reason}"])
    per_value = len(numbers) / len(values)
    if name_hints.identifies_person(name) and len(values) > 2:
        return Guess(Id(), [f"{len(values)} patients by the name of the column, {per_value:.1f} rows each on average"])
    if name_hints.identifies(name) and len(values) > 50 and per_value < 50:
        return Guess(Id(), [f"{len(values)} distinct numbers, and the name is one of an identifier"])
    gapless = len(values) >= BLOCKS and values[0] in (0, 1) and bool(np.all(np.diff(values) == 1))
    if gapless and bool(np.all(np.diff(numbers) >= 0)):
        evidence = f"{len(values)} numbers without a gap that rise in blocks of {per_value:.1f} rows on average"
        return Guess(Id(), [f"{evidence}, as numbered patients do"])
    return None


def _named_rows(name: str, numbers: NDArray[np.float64]) -> str | None:
    """Return why distinct whole numbers identify the rows, None if they may be measured."""
    rows = len(numbers)
    if name_hints.identifies(name):
        return "the name is one of an identifier"
    if rows >= RISING and bool(np.all(np.diff(numbers) > 0)):
        return "they rise from row to row, as numbered rows do"
    if not name_hints.knowable(name) and rows**2 / (2 * (np.ptp(numbers) + 1)) > BY_CHANCE:
        # The birthday problem: this many measurements on this short a scale would have ties.
        return "they fill their range, as serial numbers do"
    return None


def _few_levels(name: str, values: NDArray[np.float64], counts: NDArray[np.intp]) -> Guess | None:
    """Return the guess that numbers are levels."""
    cells, few = int(counts.sum()), len(values)
    if values.tolist() == [0.0, 1.0]:
        return Guess(Boolean(values=(0, 1)), [f"{count(cells, cells)} are 0 or 1"])
    shown = [f"{count(cells, cells)} hold one of {few} numbers", *rare(counts)]
    whole = bool(np.all(values == np.round(values)))
    numbered = name_hints.codes_levels(name)
    first, last = values[0], values[-1]
    counted = whole and first in (0, 1) and last <= 10 and few >= max(3, 0.6 * (last - first + 1))
    if counted and not numbered and cells >= 3 * few:
        levels = tuple(range(int(first), int(last) + 1))
        return Guess(Ordinal(categories=levels), [*shown, f"counted up from {first:g}; {UNORDERED}"])
    if few <= 10 and cells >= 20 * few:
        if few > 2 and not numbered and np.allclose(np.diff(values), (last - first) / (few - 1), atol=0):
            return Guess(Ordinal(categories=_levels(values)), [*shown, f"at equal steps; {UNORDERED}"])
        codes = [value for value in _sentinels(values) if value <= -9 or value >= 99]
        shown += [f"{code:g} is often a missing-value code" for code in codes]
        return Guess(Category(categories=_levels(values)), shown, _missing_codes(codes))
    if numbered and whole and few <= 50 and cells >= MIN_PATIENTS * few:
        return Guess(Category(categories=_levels(values)), [*shown, "the name is one of numbered levels"])
    return None


def _quantity(values: NDArray[np.float64], counts: NDArray[np.intp], known: list[float], *, whole: bool) -> Guess:
    """Return the guess that numbers are measured or counted; `known` are missing-value codes outside of them."""
    cells = int(counts.sum())
    codes = _sentinels(values)
    rest = ~np.isin(values, codes)
    masses = [spike for spike in _spikes(values, counts) if spike not in codes]
    decimals = 0 if whole else _decimals(values[rest])
    low, high = _outward(values[rest], counts[rest], 10.0 ** -(MANY_DECIMALS if decimals is None else decimals))
    # A code of many cells, outside the range, is intended; one of a few cells may be a typing error.
    sure = all(counts[values == code][0] >= MIN_PATIENTS for code in codes)
    odd = [] if sure else codes
    missing = _reasons(codes) if sure else {}
    low, high = _clear(low, high, values[rest], [*known, *(codes if sure else [])], decimals)
    bounds = (min(low, *odd, low), max(high, *odd, high))
    spikes = sorted({*odd, *masses})
    evidence = [f"{count(cells, cells)} are {'whole numbers' if whole else 'numbers'}"]
    evidence += [
        f"{code:g} lies far outside the rest, in {count(int(counts[values == code][0]), cells)}: "
        f"{'taken for' if sure else 'perhaps'} a missing-value code"
        for code in codes
    ]
    evidence += [
        f"{spike:g} is in {count(int(counts[values == spike][0]), cells)}, far more often than any other number"
        for spike in masses
    ]
    shared = counts[rest][0] >= MIN_PATIENTS <= counts[rest][-1]
    evidence.append(f"range: the extremes, {'which many cells share' if shared else 'rounded outward'}")
    hints = _missing_codes(odd)
    if whole and max(map(abs, bounds)) < EXACT:
        whole_bounds = (int(bounds[0]), int(bounds[1]))
        whole_spikes = tuple(int(spike) for spike in spikes)
        return Guess(Integer(range=whole_bounds, spikes=whole_spikes, missing_codes=missing), evidence, hints)
    evidence.append(f"decimals: {f'more than {MANY_DECIMALS}' if decimals is None else f'at most {decimals}'}")
    column = Number(range=bounds, decimals=decimals, spikes=tuple(spikes), missing_codes=missing)
    return Guess(column, evidence, hints)


def _levels(values: NDArray[np.float64]) -> tuple[int | float, ...]:
    """Return numbers as levels: whole ones as int."""
    if np.all((values == np.round(values)) & (np.abs(values) < EXACT)):
        return tuple(int(value) for value in values)
    return tuple(float(value) for value in values)


def _reasons(codes: list[float]) -> dict[MissingCode, str]:
    """Return a reason for each missing-value code.

    Example:
        >>> _reasons([-9.0]), _reasons([998.0, 99.9])
        ({-9: 'unknown'}, {998: 'code 998', 99.9: 'code 99.9'})
    """
    written: list[MissingCode] = [int(code) if code == round(code) else code for code in codes]
    return {code: "unknown" if len(codes) == 1 else f"code {code:g}" for code in written}


def _missing_codes(codes: list[float]) -> tuple[str, ...]:
    """Return the line of YAML that declares missing-value codes, if there are any."""
    if not codes:
        return ()
    return (f"missing_codes: {{{', '.join(f'{code}: {reason}' for code, reason in _reasons(codes).items())}}}",)


def _sentinels(values: NDArray[np.float64]) -> list[float]:
    """Return the missing-value codes among sorted distinct numbers: -9 and -8 below 0, or 998 and 999 far above.

    Example:
        >>> _sentinels(np.array([-9.0, -8.0, 40.0, 41.0, 60.0, 998.0, 999.0]))
        [-9.0, -8.0, 998.0, 999.0]
    """
    below = values[values < 0]
    low = below[np.isin(below, list(TOO_LOW))] if np.isin(below, list(TOO_LOW)).all() else below[:0]
    kept = values[len(low) :]
    high = kept[:0]
    for some in range(1, min(4, len(kept) - 1)):
        rest = kept[:-some]
        if not np.isin(kept[-some:], list(TOO_HIGH)).all():
            break
        if kept[-some] - rest[-1] > rest[-1] - rest[0]:
            high = kept[-some:]
    return [*map(float, low), *map(float, high)] if len(kept) - len(high) > 1 else []


def _spikes(values: NDArray[np.float64], counts: NDArray[np.intp]) -> list[float]:
    """Return the spikes: numbers with a tenth of the cells, and three times the cells of any other number.

    One or two at most: three frequent numbers belong to the distribution of the column.
    """
    frequent = (counts >= SPIKE * counts.sum()) & (counts >= MIN_PATIENTS)
    # Digit preference makes 120, 130 and 140 frequent too, but not apart from 110.
    usual = counts[~frequent].max(initial=0)
    spikes = values[frequent & (counts >= 3 * usual)].tolist() if usual else []
    return spikes if len(spikes) <= 2 else []


def _outward(values: NDArray[np.float64], counts: NDArray[np.intp], last: float) -> tuple[float, float]:
    """Return bounds around all numbers that disclose no extreme patient.

    An extreme of many rows, such as the end of a scale, is a bound. Any other is rounded outward to a grid of
    1, 2 or 5 times a power of ten, at most twenty steps of it inside the span and one at least five last decimals, and
    then moved by one more step, but not across 0. So each bound is the same for five extremes or more.

    Arguments:
        values: (values,) float64, distinct, rising.
        counts: (values,) the number of rows of each.
        last: their rounding unit.

    Example:
        >>> _outward(np.arange(64.0, 72.0), np.full(8, 5), 1.0), _outward(np.arange(0.0, 31.0), np.full(31, 40), 1.0)
        ((55.0, 80.0), (0.0, 30.0))
    """
    low, high = float(values[0]), float(values[-1])
    least = max(Decimal(high - low) / 20, 5 * Decimal(str(last)))
    power = Decimal(10) ** least.adjusted()
    step = next(digit * power for digit in (1, 2, 5, 10) if digit * power >= least)
    if counts[0] < MIN_PATIENTS:
        below = float(((Decimal(low) / step).to_integral_value(ROUND_FLOOR) - 1) * step)
        low = max(min(below, low), 0.0 if low >= 0 else -LIMIT)
    if counts[-1] < MIN_PATIENTS:
        above = float(((Decimal(high) / step).to_integral_value(ROUND_CEILING) + 1) * step)
        high = min(max(above, high), 0.0 if high <= 0 else LIMIT)
    return low, high


def _clear(
    low: float, high: float, values: NDArray[np.float64], codes: list[float], decimals: int | None
) -> tuple[float, float]:
    """Return bounds tightened to exclude missing-value codes."""
    digits = MANY_DECIMALS if decimals is None else decimals
    last = 10.0**-digits
    above = [max(round(code - last, digits), values[-1]) for code in codes if values[-1] < code <= high]
    below = [min(round(code + last, digits), values[0]) for code in codes if low <= code < values[0]]
    return float(max([low, *below])), float(min([high, *above]))


def _decimals(values: NDArray[np.float64]) -> int | None:
    """Return the number of decimals, None for more than six."""
    for decimals in range(MANY_DECIMALS + 1):
        if np.array_equal(np.round(values, decimals), values):
            return decimals
    return None
