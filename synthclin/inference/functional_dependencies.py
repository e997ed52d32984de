"""Inference of functional dependencies between categorical columns, such as a disease and its class."""

from __future__ import annotations

from itertools import permutations
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.expressions import quote_level, quote_name
from synthclin.inference.guesses import Proposal
from synthclin.schema.constraints import Rule
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

__all__ = ["LevelColumn", "determined", "ranks"]

MOST_RULES = 20
MOST_TERMS = 60  # of one list in a rule
STRONG = 30.0


class LevelColumn(NamedTuple):
    """A column of levels.

    Arguments:
        codes: (rows,) index of each cell's level, -1 where it is missing.
        levels: the levels.
    """

    codes: NDArray[np.int64]
    levels: tuple[object, ...]


def determined(columns: Mapping[str, LevelColumn]) -> dict[tuple[str, str], Proposal]:
    """Return the functional dependencies as rules: (determining, determined) -> proposal.

    Each of at least three levels of the one column occurs with a single level of the other, and at least 30 rows would
    violate that under independence. Of two columns that determine each other, the first is the determining one.

    Example:
        >>> place = np.arange(90) % 3
        >>> group = LevelColumn(place, ("CHF", "COPD", "coma"))
        >>> columns = {"group": group, "kind": LevelColumn(place // 2, ("organ", "coma"))}
        >>> [rule.text for rule in determined(columns)["group", "kind"].rules]
        ["if group in ['CHF', 'COPD'] then kind == 'organ'", "if group == 'coma' then kind == 'coma'"]
    """
    found: dict[tuple[str, str], Proposal] = {}
    for one, other in permutations(columns, 2):
        table = _crossed(columns[one], columns[other])
        if (other, one) in found or not _determines(table):
            continue
        one_to_one = bool((np.count_nonzero(table, axis=0) <= 1).all())
        found[one, other] = _proposal(one, other, columns, table, one_to_one=one_to_one)
    return found


def ranks(columns: Mapping[str, LevelColumn], texts: str, numbers: str) -> tuple[object, ...] | None:
    """Return the levels of `texts` in the order of integers that correspond to them one to one, else None.

    Example:
        >>> rows = np.arange(60) % 3
        >>> grade = LevelColumn(rows, ("high", "low", "mid"))
        >>> columns = {"grade": grade, "rank": LevelColumn((rows + 2) % 3, (1, 2, 3))}
        >>> ranks(columns, "grade", "rank")
        ('low', 'mid', 'high')
    """
    table = _crossed(columns[texts], columns[numbers])
    once = (np.count_nonzero(table, axis=1) == 1).all() and (np.count_nonzero(table, axis=0) == 1).all()
    values = columns[numbers].levels
    if not once or len(values) < 3 or not all(isinstance(value, int) for value in values):
        return None
    places = np.array(values, dtype=np.int64)[table.argmax(axis=1)]
    if np.any(np.diff(np.sort(places)) != 1):
        return None
    return tuple(columns[texts].levels[place] for place in np.argsort(places))


def _crossed(one: LevelColumn, other: LevelColumn) -> NDArray[np.int64]:
    """Return the (levels of one, levels of other) contingency table."""
    both = (one.codes >= 0) & (other.codes >= 0)
    shape = (len(one.levels), len(other.levels))
    pairs = one.codes[both] * shape[1] + other.codes[both]
    return np.bincount(pairs, minlength=shape[0] * shape[1]).reshape(shape).astype(np.int64)


def _determines(table: NDArray[np.int64]) -> bool:
    """Whether each row of a contingency table has one nonzero entry, beyond chance."""
    rows, columns, total = table.sum(axis=1), table.sum(axis=0), int(table.sum())
    often = int(np.sum(rows >= MIN_PATIENTS))
    if often < 3 or np.sum(columns >= MIN_PATIENTS) < 2 or (np.count_nonzero(table, axis=1) > 1).any():
        return False
    return float(np.sum(rows * (1 - columns[table.argmax(axis=1)] / total))) >= STRONG


def _proposal(
    one: str, other: str, columns: Mapping[str, LevelColumn], table: NDArray[np.int64], *, one_to_one: bool
) -> Proposal:
    """Return a rule for each level of the determined column."""
    rules = []
    seen = table.sum(axis=1) >= MIN_PATIENTS  # a level of fewer is in no rule
    for place, level in enumerate(columns[other].levels):
        causes = [columns[one].levels[j] for j in np.flatnonzero(seen & (table.argmax(axis=1) == place))]
        if causes:
            rules.append(Rule(when=_among(one, causes), then=f"{quote_name(other)} == {quote_level(level)}"))
    link = "and" if one_to_one else "determines"
    evidence = (
        f"{one} {link} {other}{' are one to one' if one_to_one else ''} in all {int(table.sum())} rows that have both"
    )
    fits = len(rules) <= MOST_RULES and all(len(rule.text) < 1_500 for rule in rules)
    fits &= int(seen.sum()) <= MOST_TERMS
    if not fits:
        return Proposal((), f"{evidence}; too many levels to write a rule for each", active=False)
    return Proposal(tuple(rules), evidence, active=True)


def _among(name: str, levels: list[object]) -> str:
    """Return the predicate that a column has one of some levels."""
    if len(levels) == 1:
        return f"{quote_name(name)} == {quote_level(levels[0])}"
    return f"{quote_name(name)} in [{', '.join(map(quote_level, levels))}]"
