"""Formatting of numbers, intervals, counts and names for readers; names from outside are made safe as text."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

from synthclin.language import language, tr, tr_plural
from synthclin.schema.patients import MIN_PATIENTS

__all__ = [
    "as_many_digits",
    "count",
    "interval",
    "listed",
    "lower_start",
    "measure_name",
    "not_assessable",
    "number",
    "number_word",
    "one_in",
    "percent",
    "plain",
    "plural",
    "same_decimals",
    "sentence_case",
    "share",
    "shorten",
    "signed",
    "significant",
    "typeset",
    "unit_name",
]


_RAREST, _OFTEN = 0.001, 0.4  # between them a share is written as one in so many
_MINUS = "\u2212"
_NARROW = "\u202f"  # no-break space between groups of digits
_FIXED = "\u00a0"  # no-break space before a unit
_INVERTED = ("\u00bf", "\u00a1")  # marks with which Spanish questions and exclamations start
_PERSON = "Cox"  # a method named after a person
_SOUNDS_LIKE_I = re.compile(r"(?:i|hi(?!e|a))", re.IGNORECASE)  # before them Spanish writes "e" for "y"

_SHORT: ContextVar[bool] = ContextVar("short", default=False)


@contextmanager
def as_many_digits(*, shown: bool) -> Iterator[None]:
    """Write numbers with the decimals that they have, where `shown`: 0.95 for 0.950, as rounded figures have them.

    Example:
        >>> with as_many_digits(shown=True):
        ...     number(0.95), number(0.8)
        ('0.95', '0.8')
    """
    before = _SHORT.set(shown)
    try:
        yield
    finally:
        _SHORT.reset(before)


def not_assessable() -> str:
    """Return what stands in the place of a number that is not known."""
    return tr("not assessable")


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` decimals, a true minus and grouped thousands; NaN and None are not assessable.

    Example:
        >>> number(0.02345), number(-0.5, 1).replace(chr(0x2212), "-"), number(float("nan"))
        ('0.023', '-0.5', 'not assessable')
    """
    if value is None or math.isnan(value):
        return not_assessable()
    if math.isinf(value):
        return "\u221e" if value > 0 else f"{_MINUS}\u221e"
    if abs(value) >= 1e15:
        return f"{value:.3g}".replace("-", _MINUS)
    text = f"{abs(value):,.{digits}f}".replace(",", _NARROW)
    if _SHORT.get() and digits:
        text = text.rstrip("0").rstrip(".")
    return text if value >= 0 or not text.strip("0.") else _MINUS + text


def signed(value: float | None, digits: int = 2) -> str:
    """Return `value` as `number` does, with a plus where it is positive.

    Example:
        >>> signed(0.1), signed(-0.1).replace(chr(0x2212), "-"), signed(0.0)
        ('+0.10', '-0.10', '0.00')
    """
    text = number(value, digits)
    return f"+{text}" if value is not None and value > 0 and text.strip("0.") else text


def interval(low: float | None, high: float | None, digits: int = 3) -> str:
    """Return ``low to high``, or nothing where an end is unknown.

    Example:
        >>> interval(0.015, 0.033)
        '0.015 to 0.033'
    """
    if low is None or high is None or math.isnan(low) or math.isnan(high):
        return ""
    return tr("{low} to {high}", low=number(low, digits), high=number(high, digits))


def share(value: float | None, digits: int = 0) -> str:
    """Return a share between 0 and 1 as a percentage.

    Example:
        >>> share(0.22).replace(chr(160), " ")
        '22 %'
    """
    return not_assessable() if value is None or math.isnan(value) else percent(100 * value, digits)


def percent(value: float, digits: int = 0) -> str:
    """Return `value`, already in percent, with its sign."""
    return f"{number(value, digits)}{_FIXED}%"


def same_decimals(first: float | None, second: float | None) -> tuple[str, str]:
    """Return two quantities, such as mean and SD, with equal decimals: three significant digits of the larger.

    Example:
        >>> same_decimals(53.512, 9.0), same_decimals(0.0, 0.5)
        (('53.5', '9.0'), ('0.000', '0.500'))
    """
    known = [abs(value) for value in (first, second) if value is not None and math.isfinite(value)]
    largest = max(known, default=0.0)
    digits = min(max(0, 2 - math.floor(math.log10(largest))), 8) if largest else 0
    a, b = ("\u2013" if value is None else number(value, digits) for value in (first, second))
    return a, b


def count(value: int | None) -> str:
    """Return a count of patients as text; 1 to 10 are shown as "< 11", and None as suppressed.

    Example:
        >>> count(7).replace(chr(160), " "), count(11), count(None)
        ('< 11', '11', 'suppressed')
    """
    if value is None:
        return tr("suppressed")
    return f"<{_FIXED}{MIN_PATIENTS}" if 0 < value < MIN_PATIENTS else number(value, 0)


def significant(value: float | None) -> str:
    """Return a measured quantity with three significant digits.

    Example:
        >>> significant(54.434), significant(0.0123456), significant(7.0), significant(2.5)
        ('54.4', '0.0123', '7', '2.5')
    """
    if value is None or math.isnan(value):
        return "\u2013"
    if value == 0 or not math.isfinite(value):
        return number(value, 0)
    digits = min(max(0, 2 - math.floor(math.log10(abs(value)))), 8)
    text = number(value, digits)
    return text.rstrip("0").rstrip(".") if "." in text else text


def plural(n: int, one: str, many: str, /, **values: object) -> str:
    """Return the form of a message that suits a number, which stands in words at ``{n}`` where it is small.

    Example:
        >>> plural(1, "one question", "{n} questions"), plural(2, "one question", "{n} questions")
        ('one question', 'two questions')
    """
    return tr_plural(one, many, n, **{"n": number_word(n)} | values)


def number_word(n: int) -> str:
    """Return a count from 0 to 10 as a word, and a larger one in digits.

    Example:
        >>> number_word(0), number_word(3), number_word(12)
        ('no', 'three', '12')
    """
    words = (
        *("no" if language() == "en" else "0", tr("one"), tr("two"), tr("three"), tr("four"), tr("five")),
        *(tr("six"), tr("seven"), tr("eight"), tr("nine"), tr("ten")),
    )
    return words[n] if 0 <= n < len(words) else number(n, 0)


def listed(items: Sequence[str]) -> str:
    """Return items as an enumeration with "and".

    Example:
        >>> listed(["age", "sex", "bmi"])
        'age, sex and bmi'
    """
    if len(items) < 2:
        return items[0] if items else ""
    first, last = ", ".join(items[:-1]), items[-1]
    if language() == "es" and _SOUNDS_LIKE_I.match(last):
        return f"{first} e {last}"
    return tr("{items} and {last}", items=first, last=last)


def sentence_case(text: str) -> str:
    """Return a text whose first letter, after an inverted mark too, is a capital; the rest stays as it is.

    Example:
        >>> sentence_case("two runs of AUC"), sentence_case("\u00bfes grave?"), sentence_case("")
        ('Two runs of AUC', '\u00bfEs grave?', '')
    """
    start = 1 if text.startswith(_INVERTED) else 0
    return text[:start] + text[start : start + 1].upper() + text[start + 1 :]


def lower_start(label: str) -> str:
    """Return a label as it stands inside a sentence: lower case at its start, unless that is an abbreviation or a name.

    Example:
        >>> lower_start("Membership inference"), lower_start("TPR at 1 % FPR"), lower_start("Cox regression")
        ('membership inference', 'TPR at 1 % FPR', 'Cox regression')
    """
    if label.startswith(_PERSON) or not label[1:2].islower():
        return label
    return label[:1].lower() + label[1:]


def plain(name: object, limit: int = 80) -> str:
    """Return a name from the outside as one line of visible text, at most `limit` characters long.

    Control, direction, zero-width and unknown characters become U+FFFD, so that no name reorders or hides the text
    around it. The template escapes the result.

    Example:
        >>> plain("a" + chr(0x202E) + "b" + chr(10) + "c")
        'a\ufffdb\ufffdc'
    """
    text = str(name)
    if not text.isprintable():
        text = "".join(c if c.isprintable() or unicodedata.category(c) == "Zs" else "\ufffd" for c in text)
    return shorten(text.strip() or tr("(empty)"), limit)


def typeset(text: str, limit: int) -> str:
    """Return a sentence of the evaluation as `plain` does, with true minus signs and thin spaces between thousands.

    Example:
        >>> typeset("-0.04 to 0.01", 20) == chr(0x2212) + "0.04 to 0.01"
        True
    """
    text = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "\u202f", text)
    return plain(re.sub(r"(?<![\w.])-(?=\.?\d)", _MINUS, text), limit)


def shorten(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters, ending in an ellipsis where it is cut.

    Example:
        >>> shorten("cholesterol", 8)
        'cholest…'
    """
    return text if len(text) <= limit else f"{text[: limit - 1].rstrip()}\u2026"


def unit_name(unit: str) -> str:
    """Return a UCUM unit in its usual spelling.

    Example:
        >>> unit_name("mm[Hg]"), unit_name("a"), unit_name("mg/dL")
        ('mmHg', 'years', 'mg/dL')
    """
    units = {
        "a": tr("years"),
        "mo": tr("months"),
        "wk": tr("weeks"),
        "d": tr("days"),
        "min": tr("minutes"),
        "/min": tr("per minute"),
        "1": "",
    }
    return plain(units.get(unit, re.sub(r"[\[\]{}]", "", unit)), 20)


def one_in(value: float | None) -> str:
    """Return a share of patients as one in so many; none for a share of 0 or less.

    Example:
        >>> one_in(0.055), one_in(-0.1), one_in(0.0001), one_in(0.9)
        ('1 in 18', 'none', '< 1 in 1000', '9 in 10')
    """
    if value is None or math.isnan(value):
        return not_assessable()
    if value <= 0:
        return tr("none")
    if value < _RAREST:
        return tr("< 1 in {n}", n=round(1 / _RAREST))
    if value > _OFTEN:
        return tr("{n} in 10", n=round(10 * value))
    return tr("1 in {n}", n=round(1 / value))


def measure_name(measure: str) -> str:
    """Return the short name of a measure of prediction.

    Example:
        >>> measure_name("AUC (mean of each class against the others)")
        'AUC'
    """
    name = plain(measure.partition(" ")[0], 20)
    return "R\u00b2" if name == "R2" else name
