"""Guesses about what follows from one cell for another: a level, a missing cell, an equality of two numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.expressions import quote_name
from synthclin.inference.guesses import Proposal
from synthclin.schema.constraints import Rule
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]

__all__ = ["Fact", "implications"]

EXPECTED = 10.0  # fewer rows that chance alone would break a rule in say nothing
STRONG_EXPECTED = 100.0
STRONG_ROWS = 300  # with no exception among them, one in a hundred rows is the most that may break the rule
MOST_FACTS = 600
SHOWN = 20  # how many weak rules a person is asked to look at


class Fact(NamedTuple):
    """Something that is true of some rows.

    Arguments:
        text: it as an expression.
        columns: the columns in it.
        true: (rows,) where it is true.
        known: (rows,) where it is true or false.
        cause: whether something may be said to follow from it.
        level: where it is that a column holds a level: that level, as an expression writes it.
    """

    text: str
    columns: frozenset[str]
    true: Bools
    known: Bools
    cause: bool = True
    level: str | None = None


class _Link(NamedTuple):
    cause: int
    effect: int
    rows: int
    expected: float


def implications(facts: Sequence[Fact], known: AbstractSet[frozenset[str]] = frozenset()) -> list[Proposal]:
    """Return which fact follows from which in all rows, the strongest first.

    Two facts that follow from each other become rules in both directions. What follows from the rest is left out, and
    so is what is true or false of fewer than eleven rows.

    Arguments:
        facts: over the same rows.
        known: sets of columns whose dependence is told elsewhere.

    Example:
        >>> died, ward = np.arange(600) % 3 == 0, np.arange(600) % 6 == 0
        >>> all_known = np.ones(600, dtype=bool)
        >>> facts = [Fact("died == 1", frozenset(["died"]), died, all_known),
        ...          Fact("died_here == 1", frozenset(["died_here"]), ward, all_known)]
        >>> [proposal.rules[0].text for proposal in implications(facts)]
        ['if died_here == 1 then died == 1']
    """
    often = [
        fact for fact in facts if fact.true.sum() >= MIN_PATIENTS and (fact.known & ~fact.true).sum() >= MIN_PATIENTS
    ]
    # The time grows with their square. Of columns with many levels a single one says least.
    siblings = Counter(fact.columns for fact in often)
    often = sorted(often, key=lambda fact: siblings[fact.columns])[:MOST_FACTS] if len(often) > MOST_FACTS else often
    if not often:
        return []
    links = _links(often)
    both = {pair for pair in links if pair[::-1] in links}
    shown = {pair for pair in links if often[pair[0]].columns | often[pair[1]].columns not in known}
    proposals = [
        _equivalence(often, links[pair], links[pair[::-1]])
        for pair in sorted(both & shown)
        if pair[0] < pair[1] and not any((pair[0], other) in both and other < pair[1] for other in range(len(often)))
    ]
    opposites = _opposites(often)
    single = [
        links[pair]
        for pair in shown - both
        if not _follows(pair, links, len(often)) and not _mirrored(pair, links, opposites)
    ]
    proposals += _merged(often, single)
    strong = [proposal for proposal in proposals if proposal.active]
    return [*strong, *[proposal for proposal in proposals if not proposal.active][:SHOWN]]


def _links(facts: Sequence[Fact]) -> dict[tuple[int, int], _Link]:
    """Return which fact follows from which in all rows where both are known."""
    true = np.stack([fact.true for fact in facts]).astype(np.float32)
    false = np.stack([fact.known & ~fact.true for fact in facts]).astype(np.float32)
    broken, held = true @ false.T, true @ true.T
    rate = false.sum(axis=1) / (true.sum(axis=1) + false.sum(axis=1))
    links = {}
    for cause, effect in zip(*np.nonzero((broken == 0) & (held >= MIN_PATIENTS)), strict=True):
        one, other = facts[cause], facts[effect]
        expected = float(held[cause, effect] * rate[effect])
        if one.cause and not one.columns & other.columns and expected >= EXPECTED:
            links[int(cause), int(effect)] = _Link(int(cause), int(effect), int(held[cause, effect]), expected)
    return links


def _follows(pair: tuple[int, int], links: dict[tuple[int, int], _Link], size: int) -> bool:
    """Whether a link follows from two others."""
    cause, effect = pair
    return any((cause, middle) in links and (middle, effect) in links for middle in range(size))


def _opposites(facts: Sequence[Fact]) -> dict[int, int]:
    """Return by fact the one that is true where it is false."""
    places = {(fact.columns, fact.true.tobytes()): place for place, fact in enumerate(facts)}
    denied = {place: (fact.columns, (fact.known & ~fact.true).tobytes()) for place, fact in enumerate(facts)}
    return {place: places[key] for place, key in denied.items() if key in places}


def _mirrored(pair: tuple[int, int], links: dict[tuple[int, int], _Link], opposites: dict[int, int]) -> bool:
    """Whether another link says the same read backwards, if not B then not A, and its cause is rarer."""
    cause, effect = pair
    if cause not in opposites or effect not in opposites:
        return False
    back = (opposites[effect], opposites[cause])
    return back in links and (links[back].rows, back) < (links[pair].rows, pair)


def _equivalence(facts: Sequence[Fact], forth: _Link, back: _Link) -> Proposal:
    one, other = facts[forth.cause], facts[forth.effect]
    rules = (Rule(when=one.text, then=other.text), Rule(when=other.text, then=one.text))
    told = f"true of the same {forth.rows} rows; by chance {forth.expected:.0f} would break the first rule"
    return Proposal(rules, told, active=min(forth.expected, back.expected) >= EXPECTED)


def _merged(facts: Sequence[Fact], links: list[_Link]) -> list[Proposal]:
    """Return one rule for all levels of a column from which the same follows, the strongest first."""
    groups: dict[tuple[object, int], list[_Link]] = {}
    for link in sorted(links, key=lambda link: (-link.expected, link)):
        cause = facts[link.cause]
        groups.setdefault((link.cause if cause.level is None else cause.columns, link.effect), []).append(link)
    together = [(sum(link.expected for link in group), group) for group in groups.values()]
    return [_implication(facts, group) for _, group in sorted(together, key=lambda pair: -pair[0])]


def _implication(facts: Sequence[Fact], links: list[_Link]) -> Proposal:
    causes = [facts[cause] for cause in sorted(link.cause for link in links)]
    rows, expected = sum(link.rows for link in links), sum(link.expected for link in links)
    levels = [cause.level for cause in causes if cause.level is not None]
    when = causes[0].text if len(links) == 1 else f"{quote_name(*causes[0].columns)} in [{', '.join(levels)}]"
    told = f"holds in all {rows} rows that it is about; by chance {expected:.0f} would break it"
    strong = expected >= STRONG_EXPECTED and rows >= STRONG_ROWS
    return Proposal((Rule(when=when, then=facts[links[0].effect].text),), told, strong)
