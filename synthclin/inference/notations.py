"""Inference of numbers and clock times that are text: their notation, limits of detection and missing-value codes."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.inference.guesses import Cells, Guess, Refusal, count, is_missing_token
from synthclin.inference.number_columns import guess_numbers, guess_quantity
from synthclin.schema.columns import Integer, Number, Time
from synthclin.schema.columns.notation import plain_number
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from synthclin.schema.columns import AnyColumn

__all__ = ["guess_clock_numbers", "guess_notation"]

MOST_STRAY = 0.05  # the largest share of cells that are no numbers, in a column of numbers
LEAST_TIMES = 30  # distinct whole numbers that are read as HHMM
LEAST_HOURS = 5
FEW = 12  # distinct texts that are rather levels, such as `6/12`, `10 mg` and `<5`

_PLAIN = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
_COMMA = r"[+-]?([0-9]+,?[0-9]*|,[0-9]+)"
_GROUPED = r"[+-]?([0-9]{1,3}|[1-9][0-9]{0,2}(,[0-9]{3})+)(\.[0-9]+)?"
_GROUPED_COMMA = r"[+-]?([0-9]{1,3}|[1-9][0-9]{0,2}(\.[0-9]{3})+)(,[0-9]+)?"
_MARKED = re.compile(r"([<>]) ?(.+)")
_SUFFIXED = re.compile(r"([0-9.,]*[0-9])( ?[^0-9<>,.+\s-][^0-9<>,.+-]{0,10})")
_RATIO = re.compile(r"[0-9]+(?:\.[0-9]+)?( ?[/:] ?)[0-9]+(?:\.[0-9]+)?")
_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?")
_PADDED = re.compile(r"([01][0-9]|2[0-3])[0-5][0-9]([0-5][0-9])?")


class _Style(NamedTuple):
    """A notation of numbers.

    Arguments:
        pattern: the format of a cell, without marks of limits and without suffix.
        decimal: the decimal mark.
        thousands: the separator of thousands.
        what: the notation in words.
    """

    pattern: re.Pattern[str]
    decimal: str
    thousands: str
    what: str


_STYLES = (
    _Style(re.compile(_PLAIN), ".", "", ""),
    _Style(re.compile(_GROUPED), ".", ",", "commas separate thousands"),
    _Style(re.compile(_COMMA), ",", "", "a decimal comma"),
    _Style(re.compile(_GROUPED_COMMA), ",", ".", "a decimal comma, and points separate thousands"),
)


def guess_notation(
    name: str, texts: NDArray[np.object_], values: Sequence[str], cells: Cells
) -> Guess | Refusal | None:
    """Guess that texts are clock times, ratios, or numbers in some notation; None if they are not.

    Plain numbers alone are no matter of notation: they are identifiers or numbered levels.

    Arguments:
        name: the column's name.
        texts: (cells,) str.
        values: the distinct texts.
        cells: where they are.
    """
    held = Counter(texts.tolist())
    known = {value: held[value] for value in values if not is_missing_token(value)}
    if not known:
        return None
    if _share(known, _CLOCK.fullmatch) >= 1 - MOST_STRAY:
        seconds = "%H:%M:%S" if any(value.count(":") == 2 for value in known) else "%H:%M"
        return _with_codes(Time(format=seconds), [], texts, cells, lambda text: _CLOCK.fullmatch(text) is not None)
    if len(known) > FEW and _share(known, _RATIO.fullmatch) >= 1 - MOST_STRAY:
        what = "its cells are ratios or pairs of numbers, such as two pressures with a slash between them"
        signs: Counter[str] = Counter()
        for value, some in known.items():
            if match := _RATIO.fullmatch(value):
                signs[match[1]] += some
        remedy = "Declare two columns of numbers and `split` with their names here, or write each into a column"
        return Refusal(what, remedy, pair=signs.most_common(1)[0][0])
    if (
        _share(known, _PADDED.fullmatch) == 1
        and len(known) >= LEAST_TIMES
        and len({len(value) for value in known}) == 1
    ):
        form = "%H%M%S" if len(next(iter(known))) == 6 else "%H%M"
        if len({value[:2] for value in known}) >= LEAST_HOURS and any(value.startswith("0") for value in known):
            return _with_codes(
                Time.model_validate({"format": form}), [], texts, cells, lambda text: bool(_PADDED.fullmatch(text))
            )
    return _numbers(name, texts, known, cells)


def guess_clock_numbers(numbers: NDArray[np.float64]) -> Guess | None:
    """Guess that whole numbers are clock times HHMM, such as 1430; None if they are not.

    At random, a number ends in 60 to 99 two times in five; thirty distinct ones that never do are times.

    Arguments:
        numbers: (cells,) float64, whole.
    """
    values = np.unique(numbers)
    if values[0] < 0 or values[-1] > 2_359 or len(values) < LEAST_TIMES or np.any(values % 100 > 59):
        return None
    if len(np.unique(values // 100)) < LEAST_HOURS or len(np.unique(values % 100)) < 3:
        return None
    return Guess(Time(format="%-H%M"), [f"{count(len(numbers), len(numbers))} are times of day, written as HHMM"])


def _numbers(name: str, texts: NDArray[np.object_], known: dict[str, int], cells: Cells) -> Guess | Refusal | None:
    """Return the guess that texts are numbers in some notation."""
    suffix = _suffix(known)
    for style in _STYLES:
        read = {value: _read(value, style, suffix) for value in known}
        total = sum(known.values())
        share = sum(known[value] for value, found in read.items() if found is not None) / total
        if share < 1 - MOST_STRAY:
            continue
        if style.thousands and not any(style.thousands in value for value in known):
            continue
        if style.decimal == "," and not any("," in value for value in known):
            continue
        marks = {value for value in known if _MARKED.fullmatch(value) and read[value] is not None}
        if marks and len(known) - len(marks) < FEW:
            return None
        plain = not style.what and not suffix and not marks
        if plain and (share == 1 and len(known) == len(set(texts.tolist()))):
            return None
        if plain and any(re.fullmatch(r"0[0-9]+", value) for value in known):
            return None
        return _column(name, texts, style, suffix, marks, cells)
    numeric = [
        style
        for style in _STYLES
        if sum(known[v] for v in known if _read(v, style, suffix) is not None) >= 0.8 * sum(known.values())
    ]
    if numeric and len(known) > 30:
        style, total = numeric[0], sum(known.values())
        stray = total - sum(known[value] for value in known if _read(value, style, suffix) is not None)
        remedy = (
            "Declare `type: number, missing: allowed` with `missing_codes` that name each such text, or with "
            "`other: missing` to read them as missing"
        )
        return Refusal(f"{stray} of {total} cells are no numbers, the others are", remedy)
    return None


def _column(
    name: str, texts: NDArray[np.object_], style: _Style, suffix: str, marks: set[str], cells: Cells
) -> Guess | Refusal:
    """Return the guess of a column of numbers in a notation."""
    often = {mark for mark in marks if cells.patients_at(np.flatnonzero(texts == mark)) >= MIN_PATIENTS}
    limits: dict[str, set[float]] = {"<": set(), ">": set()}
    for mark in often:
        limits[mark[0]].add(_read(mark, style, suffix) or 0.0)
    if max(map(len, limits.values())) > 1:
        what = "its cells are numbers and several limits of detection, such as two different `<` numbers"
        return Refusal(what, "Use one limit on each side, or declare `type: number` with `other: missing`.")
    readable = {
        text: number
        for text in set(texts.tolist())
        if text not in marks and (number := _read(text, style, suffix)) is not None
    }
    inside = np.array([text in readable for text in texts], dtype=np.bool_)
    numbers = np.array([readable[text] for text in texts[inside]], dtype=np.float64)
    usual = not style.what and not suffix and not often
    at = cells.at(inside)
    percent = suffix.strip() == "%"
    found = guess_numbers(name, numbers, at) if usual else guess_quantity(name, numbers, at, percent=percent)
    if isinstance(found, Refusal):
        return found
    column, evidence = found.column, found.evidence
    if isinstance(column, Integer | Number) and not usual:
        column, more = _declared(column, style, suffix, {side: next(iter(some), None) for side, some in limits.items()})
        evidence = [*evidence, *more]
    if often:
        share = count(int(np.isin(texts, sorted(often)).sum()), len(texts))
        evidence.append(f"{share} are beyond a limit of detection, and have a code of their own")
    return _with_codes(column, evidence, texts, cells, lambda text: text in readable or text in often)


def _declared(
    column: Integer | Number, style: _Style, suffix: str, limits: dict[str, float | None]
) -> tuple[Integer | Number, list[str]]:
    """Return a column with its notation and limits of detection declared, and the evidence."""
    changes: dict[str, object] = {}
    if style.decimal != ".":
        changes["decimal"] = style.decimal
        column = _as_number(column) if isinstance(column, Integer) else column
    if style.thousands:
        changes["thousands"] = style.thousands
    if suffix:
        changes |= {"suffix": suffix} | ({"unit": "%"} if suffix.strip() == "%" else {})
    if any(limit is not None for limit in limits.values()):
        changes |= _limits(limits, column)
    column = type(column).model_validate({**column.model_dump(), **changes})
    return column, [*([style.what] if style.what else []), *(["text after each number"] if suffix else [])]


def _as_number(column: Integer) -> Number:
    """Return a column of whole numbers as one of numbers without decimals."""
    kept = {
        "range": column.range,
        "spikes": column.spikes,
        "missing_codes": column.missing_codes,
        "other": column.other,
    }
    return Number.model_validate({**kept, "decimals": 0, "missing": column.missing})


def _limits(limits: dict[str, float | None], column: Integer | Number) -> dict[str, object]:
    """Return the limits of detection, and the range with the numbers next to them."""
    whole = isinstance(column, Integer)
    below, above = limits["<"], limits[">"]
    written = {
        word: int(limit) if whole or float(limit).is_integer() else limit
        for word, limit in (("below", below), ("above", above))
        if limit is not None
    }
    step = 10.0 ** -(column.decimal_places if column.decimal_places is not None else 6)
    low, high = column.range or (0.0, 0.0)
    digits = 6 if column.decimal_places is None else column.decimal_places
    if below is not None:
        low = round(below - step * max(1.0, abs(below) if column.decimal_places is None else 1.0), digits)
    if above is not None:
        high = round(above + step * max(1.0, abs(above) if column.decimal_places is None else 1.0), digits)
    return {"censored": written, "range": (int(low), int(high)) if whole else (low, high)}


def _with_codes(
    column: AnyColumn, evidence: list[str], texts: NDArray[np.object_], cells: Cells, is_read: Callable[[str], bool]
) -> Guess | Refusal:
    """Return the guess with the missing-value codes among the texts that are not read; other ones are missing."""
    total = len(texts)
    odd = [text for text in sorted(set(texts.tolist())) if not is_read(text)]
    codes = [
        text
        for text in odd
        if is_missing_token(text) and cells.patients_at(np.flatnonzero(texts == text)) >= MIN_PATIENTS
    ]
    stray = np.isin(texts, [text for text in odd if text not in codes])
    if stray.sum() > MOST_STRAY * total:
        noun = "times of day" if isinstance(column, Time) else "numbers"
        remedy = f"Recode them as missing, or declare `type: {column.type}, missing: allowed, other: missing`"
        return Refusal(f"{count(int(stray.sum()), total)} are no {noun}, the others are", remedy)
    changes: dict[str, object] = {}
    read = total - int(np.isin(texts, odd).sum())
    if isinstance(column, Time):
        evidence = [f"{count(read, total)} are times of day"]
    if codes:
        names = {code: "unknown" if len(codes) == 1 else f"code {code}" for code in codes}
        changes["missing_codes"] = {**column.missing_codes, **names}
        held = int(np.isin(texts, codes).sum())
        evidence = [*evidence, f"usual missing-value codes, taken for these: {count(held, total)}"]
    if stray.any():
        changes |= {"other": "missing", "missing": "allowed"}
        rows = cells.named(stray)
        evidence = [*evidence, f"not readable, and read as missing: {count(int(stray.sum()), total)} ({rows})"]
    return Guess(type(column).model_validate({**column.model_dump(), **changes}), evidence)


def _suffix(known: dict[str, int]) -> str:
    """Return the text after the number in nearly all cells, empty for none."""
    found: Counter[str] = Counter()
    for value, some in known.items():
        mark = _MARKED.fullmatch(value)
        if match := _SUFFIXED.fullmatch(mark[2] if mark else value):
            found[match[2].rstrip()] += some
    if not found:
        return ""
    suffix, some = found.most_common(1)[0]
    if suffix.strip() != "%" and len(known) <= FEW:
        return ""
    return suffix if some >= (1 - MOST_STRAY) * sum(known.values()) else ""


def _read(text: str, style: _Style, suffix: str) -> float | None:
    """Return the number, or the limit, in a text; None where there is none in this notation."""
    mark = _MARKED.fullmatch(text)
    inner = (mark[2] if mark else text).removesuffix(suffix.strip()).rstrip() if suffix else (mark[2] if mark else text)
    if not style.pattern.fullmatch(inner):
        return None
    plain = plain_number(inner, style.decimal, style.thousands)
    return None if plain is None else float(plain)


def _share(known: dict[str, int], matches: Callable[[str], object]) -> float:
    """Return the share of cells whose text matches."""
    return sum(some for value, some in known.items() if matches(value)) / sum(known.values())
