"""Units of measurement in UCUM, the Unified Code for Units of Measure 2.1 (https://ucum.org/ucum)."""

from __future__ import annotations

import re

__all__ = ["refusal"]

_PREFIXES = ("Y", "Z", "E", "P", "T", "G", "M", "k", "h", "da", "d", "c", "m", "u", "n", "p", "f", "a", "z", "y")
_PREFIXES_OF_TWO = ("Ki", "Mi", "Gi", "Ti")
_METRIC_SYMBOLS = (
    "m s g rad K C cd mol sr Hz N Pa J W A V F Ohm S Wb Cel T H lm lx Bq Gy Sv l L ar t bar u eV pc st mho "
    "Gal dyn erg P Bi St Mx G Oe Gb sb Lmb ph Ci R RAD REM Ky gf kat U cal cal_m cal_IT cal_th osm eq g% tex "
    "Np B bit By Bd"
)
_OTHER_SYMBOLS = "10* 10^ % ' '' min h d wk mo mo_s mo_j mo_g a a_t a_j a_g deg gon AU att circ sph bit_s"
_METRIC, _PLAIN = frozenset(_METRIC_SYMBOLS.split()), frozenset(_OTHER_SYMBOLS.split())

_NOTE = r"\{[ -z|~]*\}"  # an annotation
_SYMBOL = r"(?:10[*^]|(?:[A-Za-z%'_]|\[[!-Z\\^-z|~]+\])+)"
_FACTOR = rf"(?:{_SYMBOL}(?:[+-]?[0-9]+)?(?:{_NOTE})?|[0-9]+(?:{_NOTE})?|{_NOTE})"
_TERM = re.compile(rf"/?{_FACTOR}(?:[./]{_FACTOR})*")
_SYMBOLS = re.compile(rf"{_NOTE}|({_SYMBOL})")
_SIGNS = re.compile(r"(?:[!-z|~]|\{[ -z|~]*\})+")  # paragraph 7

_MEANT = {
    "a": "y yr yrs year years",
    "mo": "mon mos mth mths month months",
    "wk": "w wks week weeks",
    "d": "day days",
    "h": "hr hrs hour hours",
    "min": "mins minute minutes",
    "s": "sec secs second seconds",
    "ms": "msec msecs",
    "%": "percent pct",
    "mm[Hg]": "mmHg mmhg",
    "cm[H2O]": "cmH2O",
    "Cel": "degC celsius Celsius",
    "[degF]": "degF fahrenheit Fahrenheit",
    "kg": "Kg KG kilogram kilograms",
    "g": "gm gms gr gram grams",
    "ug": "mcg",
    "uL": "mcL",
    "mL": "cc ML milliliter millilitre",
    "L": "liter liters litre litres",
    "meq": "mEq",
    "[IU]": "IU",
    "m[IU]": "mIU",
    "u[IU]": "uIU",
    "U": "unit units",
    "mosm": "mOsm mosmol mOsmol",
    "[in_i]": "in inch inches",
    "[lb_av]": "lb lbs pound pounds",
    "[ppm]": "ppm",
    "{beats}/min": "bpm",
    "{breaths}/min": "brpm",
}
_COUNTED = ("beats", "breaths", "cells", "copies", "counts", "events", "points", "score", "scores", "tablets")
_REMEDIES = {word: unit for unit, words in _MEANT.items() for word in words.split()}


def refusal(unit: str) -> str | None:
    """Return why a text is no UCUM unit, with the remedy; None for a unit.

    The symbols and prefixes are looked up, but for names in square brackets, such as ``[IU]``, and annotations in
    braces, such as ``{beats}``.

    Example:
        >>> refusal("mm[Hg]"), refusal("years"), refusal("mcg/mL")
        (None, "'years' is no UCUM unit. Write a.", "'mcg/mL' is no UCUM unit. Write ug/mL.")
    """
    if not _SIGNS.fullmatch(unit):
        return "holds a sign or a blank that UCUM has not. Write mm[Hg], ug/L or {beats}/min."
    if _is_unit(unit):
        return None
    what = f"{unit!r} is no UCUM unit"
    meant = _SYMBOLS.sub(lambda found: _meant(found[1]) if found[1] else found[0], unit)
    if _is_unit(meant):
        return f"{what}. Write {meant}."
    return f"{what}. Write one such as kg, mm[Hg] or a (years), or a name of your own in braces, such as {{score}}."


def _is_unit(text: str) -> bool:
    """Whether a text has the syntax of UCUM, and known symbols."""
    notes_apart = re.split(rf"({_NOTE})", text)
    depth = 0
    for sign in "".join(notes_apart[::2]):
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            return False
    flat = "".join(part if place % 2 else re.sub("[()]", "", part) for place, part in enumerate(notes_apart))
    symbols = (found[1] for found in _SYMBOLS.finditer(flat))
    return depth == 0 and _TERM.fullmatch(flat) is not None and all(_known(one) for one in symbols if one)


def _known(symbol: str) -> bool:
    """Whether a symbol is a unit, with or without a prefix."""
    if "[" in symbol or symbol in _METRIC or symbol in _PLAIN:
        return True
    if symbol[:2] in _PREFIXES_OF_TWO and symbol[2:] in {"bit", "By"}:
        return True
    return any(symbol.startswith(prefix) and symbol.removeprefix(prefix) in _METRIC for prefix in _PREFIXES)


def _meant(symbol: str) -> str:
    """Return the unit that a usual abbreviation stands for; a count of things in braces; a unit unchanged."""
    if _known(symbol):
        return symbol
    return _REMEDIES.get(symbol) or (f"{{{symbol}}}" if symbol in _COUNTED else symbol)
