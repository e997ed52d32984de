"""Names of columns and levels for readers: labels while a report that has them is rendered, else as in the table.

The labels of a report are set once, around its rendering, so that every text about a column, of a page or of a kind of
score, has them without passing them on. Nothing is set while scores are computed: `report.json` keeps the names.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from synthclin.language import language, tr
from synthclin.wording import plain, shorten

if TYPE_CHECKING:
    from synthclin.schema import Schema

__all__ = [
    "Labels",
    "are_labels_shown",
    "column_level",
    "column_name",
    "group_name",
    "labels_of",
    "level_name",
    "showing_labels",
    "term_name",
    "with_labels",
]

_ROOM = 40  # characters that a label may always take: it is longer than a name, and the pages wrap it
_TERM_ROOM = 120
# In data the terms are in English, as the analyses and the figures compose them; pages show them in their language.
_AGAINST, _TO, _PER_SD = " against ", " to ", " (per SD)"
_QUOTED = re.compile(r"(?<!\w)'([^']+)'(?!\w)")
_PREFIXES = _MEAN, _DIFFERENCE = "mean survival time, ", "difference, "
_SPREADS = ("SD of intercepts", "SD of slopes", "SD within patients")  # terms of a mixed model
_BY_TIME = ", per SD of "
_ALL = "all"  # the name of the group of all patients
_OTHERS, _PART = re.compile(r"other \((\d+) levels\)"), re.compile(r"part (\d) of (\d) by rank")


@dataclass(frozen=True, slots=True)
class Labels:
    """Labels of columns by name, and value labels by column and level as text."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Labels of columns by name."""
    levels: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Labels of levels by column and level."""


_NONE = Labels()
_SHOWN: ContextVar[Labels] = ContextVar("labels", default=_NONE)


def labels_of(schema: Schema) -> Labels:
    """Return the labels of a schema, distinct from each other and from the names of the other columns.

    A column of missing reasons has the label of its column.

    Example:
        >>> from synthclin.schema import Schema
        >>> sex = {"type": "boolean", "values": [0, 1], "label": "Sex", "labels": {0: "female", 1: "male"}}
        >>> labels_of(Schema.model_validate({"columns": {"x1": sex}}))
        Labels(columns={'x1': 'Sex'}, levels={'x1': {'0': 'female', '1': 'male'}})
    """
    labels = {}
    for name, column in schema.columns.items():
        of = column if column.reason_for is None else schema.columns[column.reason_for]
        if of.label is not None:
            labels[name] = of.label if of is column else tr("{label}, missing reason", label=of.label)
    times = Counter([*labels.values(), *(name for name in schema.columns if name not in labels)])
    levels = {
        name: {str(level): label for level, label in column.value_labels.items()}
        for name, column in schema.columns.items()
        if column.value_labels
    }
    return Labels({name: f"{text} ({name})" if times[text] > 1 else text for name, text in labels.items()}, levels)


@contextmanager
def showing_labels(labels: Labels) -> Iterator[None]:
    """Show labels in the place of names and levels inside a `with` block.

    Example:
        >>> with showing_labels(Labels({"x1": "Sex"}, {"x1": {"1": "male"}})):
        ...     column_level("x1", "1", 30)
        'Sex: male'
        >>> column_level("x1", "1", 30)
        'x1: 1'
    """
    token = _SHOWN.set(labels)
    try:
        yield
    finally:
        _SHOWN.reset(token)


def are_labels_shown() -> bool:
    """Whether there are labels to show."""
    labels = _SHOWN.get()
    return bool(labels.columns or labels.levels)


def column_name(name: str, most: int) -> str:
    """Return the label of a column, or its name, as one line of visible text of about `most` characters."""
    labels = _SHOWN.get().columns
    return plain(name, most) if name not in labels else _fitted(name, labels, max(most, _ROOM))


def level_name(column: str, level: str, most: int) -> str:
    """Return the label of a level, or the level, as one line of visible text of at most `most` characters.

    Neighbouring levels that are counted together, such as ``1 to 3``, have the labels of both ends.
    """
    labels = _SHOWN.get().levels.get(column, {})
    if level in labels:
        return _fitted(level, labels, most)
    ends = level.split(_TO)
    if len(ends) == 2 and all(end in labels for end in ends):
        low, high = (_fitted(end, labels, max(most // 2, 10)) for end in ends)
        return tr("{low} to {high}", low=low, high=high)
    return plain(_composed_level(level), most)


def _composed_level(level: str) -> str:
    """Return a group of levels or of ranks, which the evaluation names in English, in the language of the report."""
    if found := _OTHERS.fullmatch(level):
        return tr("other ({n} levels)", n=found[1])
    if found := _PART.fullmatch(level):
        return tr("part {part} of {parts} by rank", part=found[1], parts=found[2])
    return level


def column_level(column: str, level: str, most: int) -> str:
    """Return a column and one of its levels, each of about `most` characters."""
    return f"{column_name(column, most)}: {level_name(column, level, most)}"


def term_name(term: str, most: int) -> str:
    """Return a term of an analysis, or a group of patients, with the labels of its columns and levels.

    The forms are those that the analyses compose, such as ``age (per SD)``, ``sex: 1 against 0``, and ``difference,
    arm: 2 against 1``. A part that is none of them stays as it is.

    Example:
        >>> with showing_labels(Labels({"arm": "Treatment"}, {"arm": {"1": "drug", "0": "placebo"}})):
        ...     term_name("difference, arm: 1 against 0", 40)
        'difference, Treatment: drug against placebo'
    """
    shown = _shown(term)
    return plain(term, most) if shown is None else plain(shown, max(most, _TERM_ROOM))


def group_name(group: str, most: int) -> str:
    """Return a group of patients in at most `most` characters: by the label of its level alone, if that has one.

    ``all`` is the group of all patients.
    """
    if group == _ALL:
        return tr("all")
    column = _column_at_start(group, _SHOWN.get())
    level = "" if column is None else group.removeprefix(f"{column}: ")
    if column is not None and level in _SHOWN.get().levels.get(column, {}):
        return level_name(column, level, most)
    return shorten(term_name(group, 40), most)


def with_labels(text: str) -> str:
    """Return a sentence of the evaluation with labels for the names and terms that it quotes.

    Example:
        >>> with showing_labels(Labels({"x1": "Sex"})):
        ...     with_labels("Column 'x1' does not vary, and 'x2' does.")
        "Column 'Sex' does not vary, and 'x2' does."
    """

    def shown(found: re.Match[str]) -> str:
        label = _shown(found[1])
        return found[0] if label is None else f"'{label}'"

    return _QUOTED.sub(shown, text)


def _shown(term: str) -> str | None:
    """Return a term with labels and in the language of the report; None where it stays as it is."""
    if term in _SPREADS:
        shown = _spread(term)
        return None if shown == term else shown
    base, by_time, column = term.rpartition(_BY_TIME)
    if by_time:
        shown = tr("{term}, per SD of {column}", term=_shown(base) or base, column=column_name(column, _ROOM))
        return None if shown == term else shown
    prefix = next((start for start in _PREFIXES if term.startswith(start)), "")
    body = term.removeprefix(prefix)
    labelled = _labelled(body) if are_labels_shown() else None
    if language() == "en":
        return None if labelled is None else prefix + labelled
    body = tr("all") if prefix and body == _ALL else labelled or _translated(body)
    if prefix == _MEAN:
        body = tr("mean survival time, {group}", group=body)
    elif prefix == _DIFFERENCE:
        body = tr("difference, {groups}", groups=body)
    return None if body == term else body


def _spread(term: str) -> str:
    """Return a standard deviation of a mixed model as text."""
    names = dict(zip(_SPREADS, (tr("SD of intercepts"), tr("SD of slopes"), tr("SD within patients")), strict=True))
    return names[term]


def _labelled(term: str) -> str | None:
    """Return a term without its prefix with labels, or None where it is of no known form."""
    labels = _SHOWN.get()
    name = term.removesuffix(_PER_SD)
    if name in labels.columns:
        label = labels.columns[name]
        return label if name == term else tr("{column} (per SD)", column=label)
    column = _column_at_start(term, labels)
    if column is None or term.count(_AGAINST) > 1:
        return None
    level, against, rest = term.removeprefix(f"{column}: ").partition(_AGAINST)
    base, target = _base_and_target(column, rest, labels)
    shown = column_level(column, level, _ROOM)
    if against:
        shown = tr("{level} against {base}", level=shown, base=level_name(column, base, _ROOM) if base else "")
    return f"{shown}{target}"


def _translated(term: str) -> str:
    """Return a term without its prefix, and without labels, in the language of the report."""
    if term.endswith(_PER_SD):
        return tr("{column} (per SD)", column=term.removesuffix(_PER_SD))
    level, against, base = term.partition(_AGAINST)
    if against and _AGAINST not in base and ": " in level:
        return tr("{level} against {base}", level=level, base=base)
    return term


def _base_and_target(column: str, text: str, labels: Labels) -> tuple[str, str]:
    """Return the level after ``against``, and the target of a comparison with its comma; empty where there is none."""
    parts = text.split(", ")
    for place in range(1, len(parts)):
        base, tail = ", ".join(parts[:place]), ", ".join(parts[place:])
        target = _column_at_start(tail, labels)
        if target is not None:
            return base, f", {column_level(target, tail.removeprefix(f'{target}: '), _ROOM)}"
        if base in labels.levels.get(column, {}):
            return base, f", {tail}"
    return text, ""


def _column_at_start(text: str, labels: Labels) -> str | None:
    """Return the longest name of a labelled column that stands before a colon at the start of a text."""
    names = {name for name in (*labels.columns, *labels.levels) if text.startswith(f"{name}: ")}
    return max(names, key=len, default=None)


def _fitted(key: str, labels: Mapping[str, str], most: int) -> str:
    """Return the label of a key in at most `most` characters: cut at its end, or in the middle, or else the key.

    It is cut where no other label becomes the same.
    """
    label = labels[key]
    if len(label) <= most:
        return plain(label, most)
    for cut in (shorten, _without_middle):
        if [cut(other, most) for other in labels.values()].count(cut(label, most)) == 1:
            return plain(cut(label, most), most)
    return plain(key, most)


def _without_middle(text: str, most: int) -> str:
    """Return a text of more than `most` characters without its middle."""
    half = max((most - 1) // 2, 1)
    return text if len(text) <= most else f"{text[:half].rstrip()}\u2026{text[-half:].lstrip()}"
