"""Statements: what the internal edition says of each figure and question, for the pages of the shareable one.

Rounding can turn a finding round: the worst column changes, or an effect is no longer clear. The shareable edition
therefore takes titles, answers and the order of rows from the internal one, and only its figures are its own.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from synthclin.evaluation.disclosure import round_to
from synthclin.language import Language

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from synthclin.report.findings import Findings
    from synthclin.report.pages.figures import Figure, Row, Section, StripRow
    from synthclin.report.record.envelope import Statement

__all__ = ["carried", "counts_people", "figures_by_key", "in_order", "names_of", "said", "stated"]

T = TypeVar("T")

_NUMBER = re.compile(r"[\u2212-]?\d[\d\u202f]*(?:\.\d+)?(?:[\u00a0 ]%)?")
# For each language: small numbers in words; what may stand between two numbers, and never between a number and what it
# counts; and the nouns for rows and patients.
_COUNTED: dict[Language, tuple[str, str, str]] = {
    "en": ("one two three four five six seven eight nine ten", "of", "row rows patient patients"),
    "es": (
        "un uno una dos tres cuatro cinco seis siete ocho nueve diez",
        "de del en entre por con para sobre a",
        "fila filas paciente pacientes",
    ),
}


def _count_pattern(numbers: str, links: str, nouns: str) -> re.Pattern[str]:
    """Return the pattern of a number of rows or patients: before the noun, or after it and a colon."""
    numbers, links, nouns = (words.replace(" ", "|") for words in (numbers, links, nouns))
    many = r"\d[\d\u202f]*"
    before = rf"\b(?:{many}|{numbers})(?: (?:{links}) {many})? (?:(?!(?:{links}) )\w+ )?(?:{nouns})\b"
    after = rf"\b(?:{nouns})\b[^.:;]*: (?:{many}(?![\d\u202f.]|[\u00a0 ]%)|(?:{numbers})\b)"
    return re.compile(f"{before}|{after}", re.IGNORECASE)


# All of them: a sentence without translation stands in English in a report of another language.
_COUNTS = tuple(_count_pattern(*words) for words in _COUNTED.values())
_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_KEY = 40


def figures_by_key(sections: Iterable[Section]) -> dict[str, Figure]:
    """Return the figures by section, reading help without numbers, and place among those with the same."""
    found: dict[str, Figure] = {}
    for section in sections:
        for figure in section.figures:
            found[_key(section, figure, found)] = figure
    return found


def _key(section: Section, figure: Figure, taken: Collection[str]) -> str:
    words = re.sub(r"[\W\d_]+", " ", (figure.how or figure.title).lower()).strip()[:_KEY]
    same = sum(key.startswith(f"{section.key}/{words}/") for key in taken)
    return f"{section.key}/{words}/{same}"


def names_of(figure: Figure) -> list[str]:
    """Return the names of the rows of a figure, with the words beside them and without marks before them."""
    table = figure.table
    return [_label(row) for row in figure.strip] if table is None else [_name(row, table.words) for row in table.rows]


def _label(row: StripRow) -> str:
    return " ".join(filter(None, (row.label, row.under)))


def _name(row: Row, words: int) -> str:
    return "; ".join((row.name.lstrip("\u25bc\u25bd "), *row.cells[:words]))


def said(report: Findings, key: str, own: str) -> str:
    """Return what the internal edition says in a place, or the edition's `own` text where both say the same."""
    known = report.statements.get(key)
    return own if known is None or not known.text else known.text


def stated(section: Section, statements: Mapping[str, Statement]) -> Section:
    """Return a section of the shareable edition with the titles and the order of rows of the internal one."""
    figures: list[Figure] = []
    taken: list[str] = []
    for figure in section.figures:
        key = _key(section, figure, taken)
        taken.append(key)
        known = statements.get(key)
        figures.append(figure if known is None else _stated(figure, known))
    return replace(section, figures=tuple(figures))


def _stated(figure: Figure, known: Statement) -> Figure:
    title = known.text or figure.title
    if (table := figure.table) is not None:
        rows = in_order(table.rows, known.order, lambda row: _name(row, table.words))
        return replace(figure, title=title, table=replace(table, rows=tuple(rows)))
    return replace(figure, title=title, strip=tuple(in_order(figure.strip, known.order, _label)))


def in_order(rows: Sequence[T], order: Sequence[str], name: Callable[[T], str]) -> list[T]:
    """Return the rows in the order of their names; a name that is not in it comes last.

    Example:
        >>> in_order(["a", "b", "c"], ["c", "a"], str)
        ['c', 'a', 'b']
    """
    place = {known: i for i, known in reversed(list(enumerate(order)))}
    return sorted(rows, key=lambda row: place.get(name(row), len(place)))


def carried(internal: str, own: str, hidden: Collection[str], step: float) -> str:
    """Return the statement of the internal edition with figures of the shareable one; empty where its own one stays.

    Where both say the same but for numbers, each number is that of the shareable edition if it is the rounded one, and
    else the internal one, rounded. A statement is not carried over that counts rows or patients, names what the
    shareable edition hides, or has a number that rounding makes 0.

    Arguments:
        internal: the sentence of the internal edition.
        own: that of the shareable edition.
        hidden: names that are in the internal edition alone.
        step: the rounding step of shares.

    Example:
        >>> carried("sbp differs most, by 0.137", "sbp differs most, by 0.15", (), 0.05)
        ''
        >>> carried("sbp differs most, by 0.137", "All columns agree", (), 0.05)
        'sbp differs most, by 0.15'
    """
    for name in hidden:
        internal = re.sub(rf": {re.escape(name)}(?!\w)", "", internal)
    if any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", internal) for name in hidden):
        return ""
    alike = _NUMBER.sub("#", internal) == _NUMBER.sub("#", own)
    if not alike and counts_people(internal):
        return ""
    shown = _NUMBER.findall(own) if alike else []
    exact = _NUMBER.findall(internal)
    numbers = [_rounded(number, *shown[i : i + 1], step=step) for i, number in enumerate(exact)]
    if None in numbers:
        return ""
    found = iter(numbers)
    text = _NUMBER.sub(lambda _: str(next(found)), internal)
    return "" if text == own else text


def counts_people(text: str) -> bool:
    """Whether a sentence, in any language, has a number of rows or patients, which belongs to its own edition alone.

    Example:
        >>> counts_people("3 synthetic rows are copies"), counts_people("3 columns differ")
        (True, False)
    """
    return any(pattern.search(text) for pattern in _COUNTS)


def _rounded(internal: str, own: str | None = None, *, step: float) -> str | None:
    """Return a number of a statement for the shareable edition; None where rounding makes 0 of it."""
    unit = 100 if internal.endswith("%") else 1
    value = _value(internal) / unit
    if own is not None and (own == internal or _is_rounded(value, _value(own) / unit)):
        return own
    if unit == 1 and "." not in internal:
        return internal if own is None else own
    rounded = round_to(value, step) * unit
    if not rounded and value:
        return None
    return f"{rounded:.6g}".replace("-", "\u2212") + (internal[-2:] if unit == 100 else "")


def _value(text: str) -> float:
    return float(re.sub(r"[\u202f\u00a0 %]", "", text).replace("\u2212", "-"))


def _is_rounded(value: float, rounded: float) -> bool:
    """Return whether a number is another one, rounded to a step that the shareable edition uses."""
    steps = (step for step in _STEPS if abs(rounded / step - round(rounded / step)) < 1e-6)
    return any(abs(value - rounded) <= step + 1e-9 for step in steps)
