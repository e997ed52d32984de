"""Inference of implications between facts: a level, a missing cell, an equality of two numbers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from synthclin.expressions import quote_name
from synthclin.inference.guesses import MANY, Proposal
from synthclin.schema.constraints import Rule
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from collections.abc import Set as AbstractSet

    from numpy.typing import NDArray

    Bools = NDArray[np.bool_]

__all__ = ["Fact", "implications"]

EXPECTED = 10.0  # fewer expected violations are no evidence
STRONG = 30.0  # expected violations: a chance of e ** -30, below 1 in 10 million for all pairs of `MOST_FACTS`
MOST_FACTS = 600
SHOWN = 20  # weak rules for review


class Fact(NamedTuple):
    """A predicate on rows, evaluated.

    Arguments:
        text: the expression.
        columns: its columns.
        true: (rows,) where it is true.
        known: (rows,) where it is true or false.
        cause: whether it may be the antecedent of a rule.
        level: the level in the text of ``column == level``, as an expression writes it.
    """

    text: str
    columns: frozenset[str]
    true: Bools
    known: Bools
    cause: bool = True
    level: str | None = None


class _Implication(NamedTuple):
    cause: int
    effect: int
    rows: int
    expected: float
    patients: int


def implications(
    facts: Sequence[Fact],
    known: AbstractSet[frozenset[str]] = frozenset(),
    patient: NDArray[np.int64] | None = None,
) -> list[Proposal]:
    """Return the implications between facts without exceptions, the strongest first.

    Two facts that imply each other become rules in both directions. Rules implied by others are left out, and so are
    facts that are true or false of fewer than eleven patients. A rule is active if at least `MANY` patients have both
    facts, and `STRONG` rows would violate it by chance.

    Arguments:
        facts: over the same rows.
        known: sets of columns with a dependence that is reported elsewhere.
        patient: (rows,) the number of each row's patient; None where each row is a patient of its own.

    Example:
        >>> died, ward = np.arange(600) % 3 == 0, np.arange(600) % 6 == 0
        >>> all_known = np.ones(600, dtype=bool)
        >>> facts = [Fact("died == 1", frozenset(["died"]), died, all_known),
        ...          Fact("died_here == 1", frozenset(["died_here"]), ward, all_known)]
        >>> [proposal.rules[0].text for proposal in implications(facts)]
        ['if died_here == 1 then died == 1']
    """
    often = [fact for fact in facts if _many(fact.true, patient) and _many(fact.known & ~fact.true, patient)]
    # Time is quadratic in the number of facts. Facts on columns with many levels are the least informative.
    siblings = Counter(fact.columns for fact in often)
    often = sorted(often, key=lambda fact: siblings[fact.columns])[:MOST_FACTS] if len(often) > MOST_FACTS else often
    if not often:
        return []
    links = _implications(often, patient)
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
        if not _is_transitive(pair, links, len(often)) and not _is_contrapositive(pair, links, opposites)
    ]
    proposals += _merged(often, single)
    strong = [proposal for proposal in proposals if proposal.active]
    return [*strong, *[proposal for proposal in proposals if not proposal.active][:SHOWN]]


def _many(rows: Bools, patient: NDArray[np.int64] | None) -> bool:
    """Whether some rows are of at least `MIN_PATIENTS` patients."""
    return bool(rows.sum() >= MIN_PATIENTS) and _patients(rows, patient) >= MIN_PATIENTS


def _patients(rows: Bools, patient: NDArray[np.int64] | None) -> int:
    """Return the number of patients of some rows."""
    return int(rows.sum()) if patient is None else len(np.unique(patient[rows]))


def _implications(facts: Sequence[Fact], patient: NDArray[np.int64] | None) -> dict[tuple[int, int], _Implication]:
    """Return the implications without exceptions in rows where both facts are known."""
    true = np.stack([fact.true for fact in facts]).astype(np.float32)
    false = np.stack([fact.known & ~fact.true for fact in facts]).astype(np.float32)
    violations, support = true @ false.T, true @ true.T
    rate = false.sum(axis=1) / (true.sum(axis=1) + false.sum(axis=1))
    links = {}
    for cause, effect in zip(*np.nonzero((violations == 0) & (support >= MIN_PATIENTS)), strict=True):
        one, other = facts[cause], facts[effect]
        expected = float(support[cause, effect] * rate[effect])
        candidate = one.cause and not one.columns & other.columns and expected >= EXPECTED
        if candidate and _many(one.true & other.true, patient):
            links[int(cause), int(effect)] = _Implication(
                int(cause),
                int(effect),
                int(support[cause, effect]),
                expected,
                _patients(one.known & other.known, patient),
            )
    return links


def _is_transitive(pair: tuple[int, int], links: dict[tuple[int, int], _Implication], size: int) -> bool:
    """Whether an implication follows from two others."""
    cause, effect = pair
    return any((cause, middle) in links and (middle, effect) in links for middle in range(size))


def _opposites(facts: Sequence[Fact]) -> dict[int, int]:
    """Return by fact its negation, if that is a fact too."""
    places = {(fact.columns, fact.true.tobytes()): place for place, fact in enumerate(facts)}
    denied = {place: (fact.columns, (fact.known & ~fact.true).tobytes()) for place, fact in enumerate(facts)}
    return {place: places[key] for place, key in denied.items() if key in places}


def _is_contrapositive(
    pair: tuple[int, int], links: dict[tuple[int, int], _Implication], opposites: dict[int, int]
) -> bool:
    """Whether its contrapositive, if not B then not A, is found too and has the rarer antecedent."""
    cause, effect = pair
    if cause not in opposites or effect not in opposites:
        return False
    back = (opposites[effect], opposites[cause])
    return back in links and (links[back].rows, back) < (links[pair].rows, pair)


def _equivalence(facts: Sequence[Fact], forth: _Implication, back: _Implication) -> Proposal:
    one, other = facts[forth.cause], facts[forth.effect]
    rules = (Rule(when=one.text, then=other.text), Rule(when=other.text, then=one.text))
    evidence = f"true of the same {forth.rows} rows; by chance {forth.expected:.0f} would violate the first rule"
    return Proposal(rules, evidence, active=min(forth.expected, back.expected) >= EXPECTED)


def _merged(facts: Sequence[Fact], links: list[_Implication]) -> list[Proposal]:
    """Return one rule for all levels of a column with the same consequent, the strongest first."""
    groups: dict[tuple[object, int], list[_Implication]] = {}
    for link in sorted(links, key=lambda link: (-link.expected, link)):
        cause = facts[link.cause]
        groups.setdefault((link.cause if cause.level is None else cause.columns, link.effect), []).append(link)
    together = [(sum(link.expected for link in group), group) for group in groups.values()]
    return [_implication(facts, group) for _, group in sorted(together, key=lambda pair: -pair[0])]


def _implication(facts: Sequence[Fact], links: list[_Implication]) -> Proposal:
    causes = [facts[cause] for cause in sorted(link.cause for link in links)]
    rows, expected = sum(link.rows for link in links), sum(link.expected for link in links)
    levels = [cause.level for cause in causes if cause.level is not None]
    when = causes[0].text if len(links) == 1 else f"{quote_name(*causes[0].columns)} in [{', '.join(levels)}]"
    evidence = f"holds in all {rows} rows that it is about; by chance {expected:.0f} would violate it"
    strong = expected >= STRONG and min(link.patients for link in links) >= MANY
    return Proposal((Rule(when=when, then=facts[links[0].effect].text),), evidence, strong)
