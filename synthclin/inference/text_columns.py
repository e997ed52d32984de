"""Inference of text columns: levels, scales, dates, vocabularies, identifiers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.inference import name_hints
from synthclin.inference.date_columns import guess_datetimes
from synthclin.inference.direct_identifiers import MANY, direct_identifier, share
from synthclin.inference.guesses import Cells, Guess, Refusal, count, patients_per, rare, too_rare
from synthclin.inference.notations import guess_notation
from synthclin.schema.columns import Boolean, Category, Code, Id, Ordinal
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.schema.columns import AnyColumn

__all__ = ["guess_texts", "no_yes", "rising"]

_MOST = 0.95

_NO_YES = (("no", "yes"), ("n", "y"), ("false", "true"))
_MEANINGS = (frozenset(["no", "n", "false", "0"]), frozenset(["yes", "y", "true", "1"]))
_SCALES = tuple(
    tuple(scale.split(","))
    for scale in (
        "very low,low,medium,moderate,normal,high,very high",
        "none,minimal,trace,mild,moderate,severe,very severe,critical",
        "never,rarely,sometimes,often,usually,always",
        "very poor,poor,fair,good,very good,excellent",
        "never,former,current",
        "small,medium,large",
        "0,i,ia,ib,ic,ii,iia,iib,iic,iii,iiia,iiib,iiic,iv,iva,ivb,ivc,v",
        "negative,trace,+,++,+++,++++",
        "strongly disagree,disagree,neutral,agree,strongly agree",
    )
)
_BAND = re.compile(
    r"(?P<below>under |below |less than |up to |<=?|\u2264)?[\[(]?[$€£]?(?P<low>[0-9]+(\.[0-9]+)?)k?"
    r"(?P<to>( ?- ?|\u2013|, ?| to )[$€£]?[0-9]+(\.[0-9]+)?k?)?[\])]?(?P<above>\+| and over| or more)?"
)
_NOTHING = frozenset(["no", "none", "norm", "normal", "negative", "not detected", "nil"])
_ABOVE = re.compile(r"(over |above |more than |>=?|\u2265)")

_VOCABULARIES = {
    "ATC": re.compile(r"[ABCDGHJLMNPRSV][0-9]{2}([A-Z]([A-Z]([0-9]{2})?)?)?"),
    "ICD-9-CM": re.compile(r"([0-9]{3}(\.[0-9]{1,2})?|V[0-9]{2}(\.[0-9]{1,2})?|E[0-9]{3}(\.[0-9])?)"),
    "ICD-10": re.compile(r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?"),
    "LOINC": re.compile(r"[0-9]{1,5}-[0-9]"),
}
_NAMED = re.compile(
    r"[A-Za-z]{0,8}[-_:/ ]?[0-9]{3,}([-_/][0-9]+)?|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{16,64}",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?")


def guess_texts(name: str, texts: NDArray[np.object_], at: Cells) -> Guess | Refusal:
    """Guess the type of a text column.

    Arguments:
        name: the column's name.
        texts: (cells,) str, the cells that are not missing; at least one.
        at: where they are.

    Example:
        >>> guess_texts("nyha", np.array(["II", "I", "III", "II"] * 11, dtype=object), Cells.all(44)).column.categories
        ('I', 'II', 'III')
    """
    codes, found = pd.factorize(texts)
    values, counts = found.tolist(), np.bincount(codes)
    cells, rows = len(texts), at.rows
    blank = sum(int(some) for value, some in zip(values, counts, strict=True) if not value.strip())
    if blank:
        return Refusal(f"{count(blank, cells)} hold blank text", "Recode them as missing, or declare the column.")
    if personal := direct_identifier(name, values, cells):
        return personal
    if dates := guess_datetimes(texts, values, at):
        return dates
    # P001 to P060 have the shape of terms, but terms repeat, and a column called patient_id holds none.
    numbered = name_hints.identifies_person(name) or _one_per_row(name, values, rows)
    terms = None if numbered else _vocabulary(values, counts)
    if terms is not None and _has_terms_beside_numbers(values, counts, terms.column):
        return terms
    if notated := guess_notation(name, texts, values, at):
        return notated
    return (
        _identifier(name, values, cells, rows)
        or terms
        or _too_many(values, counts, rows)
        or _levels(values, counts, patients_per(codes, at.patient, len(values)), rows)
    )


def _spellings(values: Sequence[str], held: dict[str, int]) -> tuple[tuple[str, str], dict[str, str]] | None:
    """Return the commonest texts for no and yes, and the meaning of the others; None if these are not such texts.

    Example:
        >>> _spellings(["N", "Y", "no", "yes"], {"N": 9, "Y": 8, "no": 3, "yes": 2})
        (('N', 'Y'), {'no': 'N', 'yes': 'Y'})
    """
    sides: list[list[str]] = [[], []]
    for value in values:
        side = next((side for side in (0, 1) if value.strip().casefold() in _MEANINGS[side]), None)
        if side is None:
            return None
        sides[side].append(value)
    if not all(sides):
        return None
    no, yes = (max(side, key=lambda value: held[value]) for side in sides)
    means = {value: meant for side, meant in zip(sides, (no, yes), strict=True) for value in side if value != meant}
    return (no, yes), means


def no_yes(values: Sequence[str]) -> tuple[str, str] | None:
    """Return the text for no and the one for yes, None if these are not two such texts."""
    written = {value.casefold(): value for value in values}
    found = (truth for truth in _NO_YES if len(values) == 2 and set(written) == set(truth))
    return next(((written[no], written[yes]) for no, yes in found), None)


def _one_per_row(name: str, values: Sequence[str], rows: int) -> bool:
    """Whether nearly each row has its own text, under the name of an identifier or in the format of one."""
    unique = len(values) > MANY and len(values) >= _MOST * rows
    return unique and (name_hints.identifies(name) or share(_NAMED, values) >= _MOST)


def _identifier(name: str, values: Sequence[str], cells: int, rows: int) -> Guess | None:
    """Return the guess that texts identify rows or patients."""
    named, shaped = name_hints.identifies(name), share(_NAMED, values) >= _MOST
    if len(values) == rows and (named or shaped):
        reason = "the name is one of an identifier" if named else "they have the format of identifiers"
        return Guess(Id(), [f"{count(rows, rows)} differ, and {reason}"])
    numbered = name_hints.identifies_person(name) or _one_per_row(name, values, rows) or (named and shaped)
    if len(values) > MANY and numbered:
        average = cells / len(values)
        return Guess(
            Id(), [f"{len(values)} distinct identifiers by name or format, {average:.1f} rows each on average"]
        )
    return None


def _vocabulary(values: Sequence[str], counts: NDArray[np.intp]) -> Guess | None:
    """Return the guess that texts are terms of a clinical vocabulary."""
    if len(values) <= MANY:
        return None
    for system, pattern in _VOCABULARIES.items():
        fits = np.array([pattern.fullmatch(value) is not None for value in values])
        if counts[fits].sum() >= _MOST * counts.sum():
            return Guess(Code(system=system), [f"{len(values)} distinct terms with the format of {system} codes"])
    return None


def _has_terms_beside_numbers(values: Sequence[str], counts: NDArray[np.intp], column: AnyColumn) -> bool:
    """Whether most texts that are no numbers are terms: V27 beside 250.10, but not `>89` beside 120."""
    assert isinstance(column, Code)
    words = np.array([_NUMBER.fullmatch(value) is None for value in values])
    fits = np.array([_VOCABULARIES[column.system or ""].fullmatch(value) is not None for value in values])
    return bool(words.any()) and bool(counts[words & fits].sum() >= 0.5 * counts[words].sum())


def _too_many(values: Sequence[str], counts: NDArray[np.intp], rows: int) -> Refusal | None:
    """Return why texts cannot be levels: they are mostly numbers, or nearly one per row."""
    cells = int(counts.sum())
    numbers = int(counts[[_NUMBER.fullmatch(value) is not None for value in values]].sum())
    if len(values) > MANY and 0.8 * cells <= numbers < cells:
        return Refusal(
            f"{cells - numbers} of {cells} cells are no numbers, the others are",
            "Recode them as numbers or as missing, or declare the column `category` or `code`.",
        )
    if 1 < len(values) == cells or len(values) > max(MANY, cells / 2):
        many = "as many" if len(values) == cells else "almost as many"
        what = f"{many} distinct texts as rows with one ({len(values)} in {rows} rows)"
        return Refusal(what, "Declare it `id`, `text` (left out) or `category`, or remove it.")
    return None


def _levels(values: Sequence[str], counts: NDArray[np.intp], people: NDArray[np.intp], rows: int) -> Guess | Refusal:
    """Return the guess that texts are levels, in their order if it is known; rare ones are read as missing."""
    cells, often = int(counts.sum()), people >= MIN_PATIENTS
    kept = [value for value, some in zip(values, often, strict=True) if some]
    held = int(counts[often].sum())
    if 2 * held < cells:
        return too_rare(len(values))
    few = {} if often.all() else {"other": "missing", "missing": "allowed"}
    if len(values) == 1:
        return Guess(Category(categories=(kept[0],)), [f"constant: {count(cells, rows)} hold the same text"])
    if truth := no_yes(kept):
        written = {} if truth[0].casefold() == "false" else {"values": truth}
        column = Boolean.model_validate(written | few)
        return Guess(column, [f"{count(held, cells)} read as no or yes", *rare(people)])
    shared = "the same text" if len(kept) == 1 else f"one of {len(kept)} texts"
    if spelled := _spellings(kept, dict(zip(values, counts.tolist(), strict=True))):
        truth, others = spelled
        column = Boolean.model_validate({"values": truth, "spellings": others} | few)
        mixed = f"{count(held, cells)} read as no or yes, in {len(kept)} spellings, of which one pair is kept"
        return Guess(column, [mixed, *rare(people)])
    evidence = [f"{count(held, cells)} hold {shared}", *rare(people)]
    if order := rising(kept):
        ordinal = Ordinal.model_validate({"categories": order} | few)
        return Guess(ordinal, [*evidence, "the texts have a known order"])
    return Guess(Category.model_validate({"categories": tuple(sorted(kept))} | few), evidence)


def rising(values: Sequence[str]) -> tuple[str, ...] | None:
    """Return texts in their known order, lowest first, else None."""
    folded = {" ".join(value.casefold().split()): value for value in values}
    if len(folded) < len(values) or len(values) < 3:
        return None
    for scale in _SCALES:
        if set(folded) <= set(scale):
            return tuple(folded[level] for level in scale if level in folded)
    places = {text: (-1.0, 0) if text in _NOTHING else _place(text) for text in folded}
    if all(_NUMBER.fullmatch(text) for text in folded):
        return None  # numbers written as text are numbered levels more often than amounts
    if None in places.values() or len(set(places.values())) < len(places):
        return None
    return tuple(folded[text] for text in sorted(folded, key=lambda text: places[text] or (0.0, 0)))


def _place(text: str) -> tuple[float, int] | None:
    """Return the position of a band such as ``[60-70)``, ``<25`` or ``80+``: its bound, and -1 below, 0 at, 1 above."""
    above = _ABOVE.match(text)
    band = _BAND.fullmatch(text[above.end() :] if above else text)
    if band is None or (above and band["below"]):
        return None
    return float(band["low"]), -1 if band["below"] else int(bool(above or band["above"]))
