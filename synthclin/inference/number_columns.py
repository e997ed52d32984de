"""Inference of numeric columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.inference import name_hints
from synthclin.inference.guesses import Cells, Guess, Refusal, count, patients_per, rare
from synthclin.inference.numeric_ranges import LIMIT, cleared, described, natural, outward
from synthclin.schema.columns import Boolean, Category, Id, Integer, Number, Ordinal, parsing
from synthclin.schema.columns.column import MissingCode
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["guess_numbers", "guess_quantity"]

EXACT = 2.0**53  # whole numbers from here on are not exact in a float64
NINES = (9.0, 99.0, 999.0, 9999.0, 99999.0, 999999.0)
TOO_LOW = frozenset(-code for nine in NINES for code in (nine, nine - 1, nine - 2, nine * 8 / 9, nine * 7 / 9))
TOO_HIGH = frozenset((99.9, 999.9, *(-code for code in TOO_LOW if code < -9)))
SPIKE = 0.10  # the least share of a spike
MOST_RARE = 0.05  # the largest share of cells whose numbers are too rare to be listed as levels
RISING = 20  # rows in rising order that are numbered, not measured
BLOCKS = 50  # consecutive integers, in blocks of rows, that identify patients
BY_CHANCE = 14.0  # e**-14 is less than one in a million
MANY_DECIMALS = 6
UNORDERED = "declare it `category` if it has no order"


def guess_numbers(
    name: str,
    numbers: NDArray[np.float64],
    at: Cells,
    missing: Sequence[float | str] = (),
) -> Guess | Refusal:
    """Guess what a column of numbers means.

    Arguments:
        name: the column's name.
        numbers: (cells,) float64, the cells that are not missing, in the order of the rows; at least one.
        at: where they are.
        missing: known missing-value codes; no number is one of them.

    Example:
        >>> guess_numbers("killip", np.array([1.0, 2, 3, 4] * 20), Cells.all(80)).column.categories
        (1, 2, 3, 4)
    """
    beyond = int(np.sum(~(np.abs(numbers) <= LIMIT)))
    if beyond:
        return Refusal(
            f"{count(beyond, len(numbers))} hold a number that is infinite or beyond {LIMIT:g}",
            "Correct it, or recode it as missing.",
        )
    held, numbers = np.unique(numbers), _as_written(numbers)
    values, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    people, rows = patients_per(places, at.patient, len(values)), at.rows
    whole = bool(np.all(values == np.round(values)))
    if name_hints.points_to_person(name) and len(values) > len(numbers) / 2:
        return Refusal("its name is one of a direct identifier", "Remove it, or declare it `text` or `id`.")
    if len(values) == 1 and people[0] >= MIN_PATIENTS:
        return Guess(
            Category(categories=_levels(held)), [f"constant: {count(len(numbers), rows)} hold the same number"]
        )
    if whole and (found := _identifier(name, numbers, values, rows)):
        return found
    codes = [float(code) for code in missing if not isinstance(code, str)]
    if any(values[0] < code < values[-1] for code in codes):
        return Refusal("a missing-value code lies among its numbers", "Recode it in the file to one outside of them.")
    # Levels are compared with cells as these are held.
    return _few_levels(name, held if len(held) == len(values) else values, counts, people) or _quantity(
        values, counts, people, codes, whole=whole, percent=name_hints.is_percentage(name)
    )


def guess_quantity(name: str, numbers: NDArray[np.float64], at: Cells, *, percent: bool = False) -> Guess | Refusal:
    """Guess that numbers are measured or counted, also if they are few; see `guess_numbers`.

    `percent` says that they are percentages, whatever the name.
    """
    beyond = int(np.sum(~(np.abs(numbers) <= LIMIT)))
    if beyond:
        what = f"{count(beyond, len(numbers))} hold a number that is infinite or beyond {LIMIT:g}"
        return Refusal(what, "Correct it, or recode it as missing.")
    values, places, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    people = patients_per(places, at.patient, len(values))
    whole = bool(np.all(values == np.round(values)))
    return _quantity(values, counts, people, [], whole=whole, percent=percent or name_hints.is_percentage(name))


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


def _few_levels(
    name: str, values: NDArray[np.float64], counts: NDArray[np.intp], people: NDArray[np.intp]
) -> Guess | None:
    """Return the guess that numbers are levels; levels of few patients are read as missing."""
    cells, often, numbered = int(counts.sum()), people >= MIN_PATIENTS, name_hints.codes_levels(name)
    held = int(counts[often].sum())
    if not often.any() or cells - held > (cells / 2 if numbered else MOST_RARE * cells):
        return None
    kept = values[often]
    found = (Boolean, "", []) if kept.tolist() == [0.0, 1.0] else _kind_of_levels(values, often, cells, numbered)
    if found is None:
        return None
    kind, reason, codes = found
    declared: dict[str, object] = {} if often.all() else {"other": "missing", "missing": "allowed"}
    if kind is Boolean:
        column = Boolean.model_validate({"values": (0, 1)} | declared)
        return Guess(column, [f"{count(held, cells)} are 0 or 1", *rare(people)])
    first, last = int(kept[0]), int(kept[-1])
    counted = kind is Ordinal and reason.startswith("counted") and often.all()
    levels = tuple(range(first, last + 1)) if counted else _levels(kept)
    shown = [f"{count(held, cells)} hold one of {len(kept)} numbers", *rare(people), *([reason] if reason else [])]
    shown += [f"{code:g} is often a missing-value code" for code in codes]
    return Guess(kind.model_validate({"categories": levels} | declared), shown, _missing_codes(codes))


def _kind_of_levels(
    values: NDArray[np.float64], often: NDArray[np.bool_], cells: int, numbered: bool
) -> tuple[type[Boolean | Category | Ordinal], str, list[float]] | None:
    """Return the type of numbered levels, the reason and the missing-value codes among them; None for quantities.

    Arguments:
        values: (values,) float64, distinct, rising.
        often: (values,) which of them enough patients have.
        cells: the number of cells.
        numbered: whether the column's name is one of numbered levels.
    """
    kept = values[often]
    few, first, last, whole = len(kept), kept[0], kept[-1], bool(np.all(kept == np.round(kept)))
    counted = whole and first in (0, 1) and values[-1] <= 10 and few >= max(3, 0.6 * (last - first + 1))
    if counted and not numbered and cells >= 3 * few:
        # Several rare numbers are the tail of a count, which bins describe.
        return (Ordinal, f"counted up from {first:g}; {UNORDERED}", []) if np.sum(~often) <= 1 else None
    if len(values) <= 10 and cells >= 20 * few:
        if few > 2 and not numbered and np.allclose(np.diff(kept), (last - first) / (few - 1), atol=0):
            return Ordinal, f"at equal steps; {UNORDERED}", []
        return Category, "", [value for value in _sentinels(kept) if value <= -9 or value >= 99]
    if numbered and whole and few <= 50 and cells >= MIN_PATIENTS * few:
        return Category, "the name is one of numbered levels", []
    return None


def _quantity(
    values: NDArray[np.float64],
    counts: NDArray[np.intp],
    people: NDArray[np.intp],
    known: list[float],
    *,
    whole: bool,
    percent: bool,
) -> Guess:
    """Return the guess that numbers are measured or counted; `known` are missing-value codes outside of them."""
    cells = int(counts.sum())
    # A code of many patients is intended; one of a few may be a typing error.
    suspects = _sentinels(values)
    codes = [code for code in suspects if people[values == code][0] >= MIN_PATIENTS]
    masses = [spike for spike in _spikes(values, counts, people) if spike not in codes]
    rest = ~np.isin(values, suspects)
    written = 0 if whole else _decimals(values[rest])
    decimals = _computed_decimals(values[rest]) if written is None else written
    last = 10.0**-decimals
    low, high = outward(values[rest], people[rest], last)
    odd = np.isin(values, suspects) & ~np.isin(values, codes)
    if np.any(odd & (values >= low) & (values <= high)):
        odd, rest = np.zeros(len(values), dtype=bool), ~np.isin(values, codes)
        low, high = outward(values[rest], people[rest], last)
    limited = natural(low, high, values[rest], percent=percent)
    bounds = cleared(*limited, values[rest], [*known, *codes], decimals)
    few: dict[str, object] = {"other": "missing", "missing": "allowed"} if odd.any() else {}
    evidence = [f"{count(cells, cells)} are {'whole numbers' if whole else 'numbers'}"]
    evidence += [
        f"{code:g} lies far outside the rest, in {count(int(counts[values == code][0]), cells)}: "
        "taken for a missing-value code"
        for code in codes
    ]
    if masses:
        held = [f"{spike:g} is in {count(int(counts[values == spike][0]), cells)}" for spike in masses]
        others = "any other number" if len(masses) == 1 else "any third number"
        evidence.append(f"{' and '.join(held)}, far more often than {others}")
    if odd.any():
        far = count(int(counts[odd].sum()), cells)
        evidence.append(f"far outside the rest, perhaps missing-value codes, and read as missing: {far}")
    evidence.append(described(limited, (low, high), people[rest]))
    missing = _reasons(codes)
    if whole and max(map(abs, bounds)) < EXACT:
        whole_bounds = (int(bounds[0]), int(bounds[1]))
        whole_spikes = tuple(int(spike) for spike in masses)
        whole_words = {"range": whole_bounds, "spikes": whole_spikes, "missing_codes": missing}
        return Guess(Integer.model_validate(whole_words | few), evidence)
    kept = f"more than {MANY_DECIMALS}, of which {decimals} are kept" if written is None else f"at most {decimals}"
    evidence.append(f"decimals: {kept}")
    few |= {"decimals": decimals, "missing_codes": missing}
    return Guess(Number.model_validate({"range": bounds, "spikes": tuple(masses)} | few), evidence)


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


def _spikes(values: NDArray[np.float64], counts: NDArray[np.intp], people: NDArray[np.intp]) -> list[float]:
    """Return the spikes: numbers with a tenth of the cells, and three times the cells of any other number.

    One or two at most: three frequent numbers belong to the distribution of the column.
    """
    frequent = (counts >= SPIKE * counts.sum()) & (people >= MIN_PATIENTS)
    # Digit preference makes 120, 130 and 140 frequent too, but not apart from 110.
    usual = counts[~frequent].max(initial=0)
    spikes = values[frequent & (counts >= 3 * usual)].tolist() if usual else []
    return spikes if len(spikes) <= 2 else []


def _as_written(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return numbers that were held in single precision as they were written: 4.2 for 4.199999809265137.

    Example:
        >>> _as_written(np.array([4.2, 5.1], dtype=np.float32).astype(np.float64)).tolist()
        [4.2, 5.1]
    """
    if _decimals(numbers) is not None:
        return numbers
    with np.errstate(over="ignore"):
        single = numbers.astype(np.float32)
    if not np.array_equal(single.astype(np.float64), numbers):
        return numbers
    written = parsing.shortest(single)
    return numbers if _decimals(written) is None else written


def _decimals(values: NDArray[np.float64]) -> int | None:
    """Return the number of decimals, None for more than six."""
    for decimals in range(MANY_DECIMALS + 1):
        if np.array_equal(np.round(values, decimals), values):
            return decimals
    return None


def _computed_decimals(values: NDArray[np.float64]) -> int:
    """Return the decimals to keep of computed numbers: six, or more for six significant digits of the median size.

    Example:
        >>> _computed_decimals(np.array([24.1, 31.7])), _computed_decimals(np.array([0.0021, 0.0047]))
        (6, 8)
    """
    size = float(np.median(np.abs(values[values != 0])))
    return int(np.clip(MANY_DECIMALS - 1 - np.floor(np.log10(size)), MANY_DECIMALS, 12))
