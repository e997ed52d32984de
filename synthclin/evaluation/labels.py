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
_AGAINST, _TO, _PER_SD = " against ", " to ", " (per SD)"  # as the analyses and the figures compose them
_QUOTED = re.compile(r"(?<!\w)'([^']+)'(?!\w)")
_PREFIXES = ("mean survival time, ", "difference, ")


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
            labels[name] = of.label if of is column else f"{of.label}, missing reason"
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
        return _TO.join(_fitted(end, labels, max(most // 2, 10)) for end in ends)
    return plain(level, most)


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
    if not are_labels_shown():
        return plain(term, most)
    shown = _labelled(term)
    return plain(term, most) if shown is None else plain(shown, max(most, _TERM_ROOM))


def group_name(group: str, most: int) -> str:
    """Return a group of patients in at most `most` characters: by the label of its level alone, if that has one."""
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
        label = _labelled(found[1])
        return found[0] if label is None else f"'{label}'"

    return _QUOTED.sub(shown, text) if are_labels_shown() else text


def _labelled(term: str) -> str | None:
    """Return a term with labels, or None where it is of no known form."""
    labels = _SHOWN.get()
    prefix = next((start for start in _PREFIXES if term.startswith(start)), "")
    term = term.removeprefix(prefix)
    name = term.removesuffix(_PER_SD)
    if name in labels.columns:
        return prefix + labels.columns[name] + term.removeprefix(name)
    column = _column_at_start(term, labels)
    if column is None or term.count(_AGAINST) > 1:
        return None
    level, against, rest = term.removeprefix(f"{column}: ").partition(_AGAINST)
    base, target = _base_and_target(column, rest, labels)
    against += level_name(column, base, _ROOM) if base else ""
    return f"{prefix}{column_level(column, level, _ROOM)}{against}{target}"


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
