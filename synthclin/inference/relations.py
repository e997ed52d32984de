"""Inference of relations between columns: formulas, orders, functional dependencies, implications."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.errors import ConfigError
from synthclin.expressions import quote_level, quote_name
from synthclin.inference.date_anchors import anchors
from synthclin.inference.derivations import as_numbers, formulas
from synthclin.inference.functional_dependencies import LevelColumn, determined, ranks
from synthclin.inference.guesses import MANY, Proposal
from synthclin.inference.implications import Fact, implications
from synthclin.inference.order_rules import LEAST, order_rules
from synthclin.io.documents import dump_yaml
from synthclin.schema.columns import (
    Column,
)
from synthclin.schema.constraints import Rule
from synthclin.schema.patients import MIN_PATIENTS, patients

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from synthclin.schema import Schema

__all__ = ["Relations", "relate"]

SAMPLED = 20_000  # rows on which rules are searched before they are tested on all
FEW_LEVELS = 30
MANY_LEVELS = 100


@dataclass(frozen=True, slots=True)
class Relations:
    """Inferred relations between columns.

    Arguments:
        changes: by column the keys added to its declaration.
        evidence: by column the evidence for them.
        hints: by column optional lines of YAML.
        proposals: rules, the active ones first.
        rows: the number of rows searched; no row of the whole table violates the rules.
    """

    changes: defaultdict[str, dict[str, Any]] = field(default_factory=lambda: defaultdict(dict))
    evidence: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    hints: defaultdict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    proposals: list[Proposal] = field(default_factory=list)
    rows: int = 0


def relate(table: pd.DataFrame, schema: Schema, declared: Collection[str] = ()) -> Relations:
    """Return the relations between columns that all rows of a table satisfy.

    Arguments:
        table: conforms to `schema`.
        schema: what each column means.
        declared: columns with a declaration that stays unchanged.

    Example:
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"a": {"type": "integer"}, "b": {"type": "integer"}}})
        >>> a = pd.Series(range(200), dtype="Int64")
        >>> [proposal.rules[0].text for proposal in relate(pd.DataFrame({"a": a, "b": a + 3}), schema).proposals]
        ['a < b']
    """
    sample = table.iloc[np.unique(np.linspace(0, len(table) - 1, min(len(table), SAMPLED)).astype(int))]
    found = Relations(rows=len(sample))
    # The relation of a column with its own missing reasons is known.
    names = [name for name in schema.modelled if schema.columns[name].reason_for is None]
    columns = {name: schema.columns[name] for name in names}
    numbers = [name for name, column in columns.items() if column.is_numeric]
    dates = [name for name, column in columns.items() if column.is_temporal]

    _constants(table, schema, found)
    _formulas(table, columns, numbers, dates, declared, found)
    free = {name: column for name, column in columns.items() if "derive" not in found.changes[name]}
    levels = {name: _levels(sample[name]) for name, column in free.items() if _is_few(column, sample[name])}
    ranked = _ranked(free, levels, declared)
    for name, (number, order) in ranked.items():
        found.changes[name] = {"type": "ordinal", "categories": order}
        found.evidence[name].append(f"one to one with {number}, whose numbers give the order")
    counts = {name for name, column in free.items() if column.is_integer}
    counts -= {number for number, _ in ranked.values()}
    dependent = determined({name: column for name, column in levels.items() if name not in counts})
    texts = {name: column for name, column in levels.items() if not free[name].is_integer}
    _anchors(table, [name for name in dates if name in free], declared, found)
    # Dates need less evidence of an order than other numbers.
    ordered = [
        *order_rules({name: as_numbers(sample[name]) for name in dates}, strong=LEAST),
        *order_rules({name: as_numbers(sample[name]) for name in numbers if name in free}),
    ]
    facts = [*_facts(sample, free, texts), *_equalities(sample, [name for name in numbers if name in free])]
    patient = patients(sample, schema) if schema.entity in sample else None
    followed = implications(facts, {frozenset(pair) for pair in dependent}, patient)
    proposed = (*found.proposals, *ordered, *dependent.values(), *followed)
    proposals = [proposal for proposal in proposed if _holds(proposal, table, columns)]
    proposals = [proposal for proposal in proposals if not _is_absence(proposal, free, declared, table, found)]
    found.proposals[:] = sorted(proposals, key=lambda proposal: not proposal.active)
    return found


def _constants(table: pd.DataFrame, schema: Schema, found: Relations) -> None:
    """Record which columns are constant in all rows of each patient."""
    patient = patients(table, schema)
    count = int(patient.max(initial=-1)) + 1
    if np.sum(np.bincount(patient) > 1) < MIN_PATIENTS:
        return
    for name in schema.modelled:
        codes = pd.factorize(table[name], use_na_sentinel=False)[0]
        low, high = np.full(count, len(table)), np.full(count, -1)
        np.minimum.at(low, patient, codes)
        np.maximum.at(high, patient, codes)
        if codes.max() > 0 and np.array_equal(low, high):
            found.evidence[name].append(f"the same in all rows of each of {count} patients")


def _formulas(
    table: pd.DataFrame,
    columns: Mapping[str, Column],
    numbers: list[str],
    dates: list[str],
    declared: Collection[str],
    found: Relations,
) -> None:
    steps = {name: _last_decimal(columns[name]) for name in numbers}
    for formula in formulas(table, numbers, dates, steps):
        together = " and ".join((formula.column, *formula.sources))
        evidence = f"holds in {formula.satisfied} of {formula.rows} rows that have {together}"
        if formula.certain and formula.column not in declared:
            found.changes[formula.column] |= {"derive": formula.text, "missing": "never", "other": None}
            found.evidence[formula.column].append(f"the formula {evidence}")
        elif formula.satisfied == formula.rows >= MANY and not formula.complete:
            rule = Rule(then=f"{quote_name(formula.column)} == {formula.text}")
            found.proposals.append(Proposal((rule,), f"{evidence}, to its last decimal", active=True))
        else:
            gaps = "" if formula.complete else ", but it is not missing exactly where they are"
            found.hints[formula.column].append(f"derive: {formula.text}  # {evidence}{gaps}")


def _anchors(table: pd.DataFrame, dates: list[str], declared: Collection[str], found: Relations) -> None:
    for name, anchor in anchors({name: as_numbers(table[name]) for name in dates}).items():
        if anchor.certain and name not in declared:
            found.changes[name] |= {"anchor": anchor.name}
            found.evidence[name].append(f"measured from {anchor.name}: {anchor.evidence}")
        elif name not in declared:
            found.hints[name].append(f"{dump_yaml({'anchor': anchor.name}).strip()}  # {anchor.evidence}")


def _last_decimal(column: Column) -> float:
    """Return the rounding unit of a column, 0 without rounding."""
    decimals = column.decimal_places if column.is_numeric else 0
    return 0.0 if decimals is None else 10.0**-decimals


def _is_few(column: Column, cells: pd.Series[Any]) -> bool:
    if column.is_integer:
        return cells.nunique() <= FEW_LEVELS
    return column.is_categorical and cells.nunique() <= MANY_LEVELS


def _levels(cells: pd.Series[Any]) -> LevelColumn:
    if isinstance(cells.dtype, pd.CategoricalDtype):
        return LevelColumn(np.array(cells.cat.codes, dtype=np.int64), tuple(cells.cat.categories.tolist()))
    codes, levels = pd.factorize(cells, sort=True)
    return LevelColumn(np.array(codes, dtype=np.int64), tuple(levels.tolist()))


def _ranked(
    columns: Mapping[str, Column], levels: dict[str, LevelColumn], declared: Collection[str]
) -> dict[str, tuple[str, tuple[object, ...]]]:
    """Return by nominal column the integer column that orders its levels, and the order."""
    whole = [name for name in levels if columns[name].is_integer or columns[name].is_ordered]
    found: dict[str, tuple[str, tuple[object, ...]]] = {}
    for name in levels:
        column = columns[name]
        if column.type != "category" or name in declared:
            continue
        for number in whole:
            order = ranks(levels, name, number)
            if order is not None and len(order) == len(column.levels or ()):
                found[name] = (number, order)
                break
    return found


def _facts(sample: pd.DataFrame, columns: Mapping[str, Column], levels: dict[str, LevelColumn]) -> Iterator[Fact]:
    """Yield facts about single cells: missing, equal to a level, equal to a spike or not."""
    for name, column in columns.items():
        written, alone, empty = quote_name(name), frozenset([name]), sample[name].isna().to_numpy()
        if empty.any():
            yield Fact(f"{written} is missing", alone, empty, np.ones(len(sample), dtype=bool))
        if name in levels and len(levels[name].levels) <= FEW_LEVELS:
            for place, level in enumerate(levels[name].levels):
                text = quote_level(level)
                yield Fact(f"{written} == {text}", alone, levels[name].codes == place, ~empty, level=text)
        for spike in column.spike_values:
            at, text = as_numbers(sample[name]) == spike, quote_level(_whole(spike))
            yield Fact(f"{written} == {text}", alone, at, ~empty)
            yield Fact(f"{written} != {text}", alone, ~at & ~empty, ~empty)


def _whole(number: float) -> float:
    """Return a whole number without its point."""
    return int(number) if float(number).is_integer() else number


def _equalities(sample: pd.DataFrame, numbers: list[str]) -> Iterator[Fact]:
    """Yield which pairs of numbers are equal in some rows and not in others."""
    cells = {name: as_numbers(sample[name]) for name in numbers}
    for one, other in combinations(numbers, 2):
        known = ~np.isnan(cells[one]) & ~np.isnan(cells[other])
        equal = known & (cells[one] == cells[other])
        few = len(np.unique(cells[one][equal])) < FEW_LEVELS
        if not few and 0.01 * known.sum() <= equal.sum() <= 0.99 * known.sum():
            text = f"{quote_name(one)} == {quote_name(other)}"
            yield Fact(text, frozenset([one, other]), equal, known, cause=False)


def _holds(proposal: Proposal, table: pd.DataFrame, columns: Mapping[str, Column]) -> bool:
    """Whether no row of the whole table violates a proposal."""
    try:
        return not any(rule.rounded(columns).broken(table).any() for rule in proposal.rules)
    except ConfigError:  # some columns cannot be compared, such as levels of different types
        return False


def _is_absence(
    proposal: Proposal, columns: Mapping[str, Column], declared: Collection[str], table: pd.DataFrame, found: Relations
) -> bool:
    """Turn the equivalence of a missing cell and a level into `missing_when`; return whether it applies."""
    if len(proposal.rules) != 2 or not proposal.active:
        return False
    forth = next((rule for rule in proposal.rules if rule.then.endswith(" is missing")), None)
    if forth is None or forth.when is None or forth.when.endswith(" is missing"):
        return False
    name = next(name for name in columns if f"{quote_name(name)} is missing" == forth.then)
    causes = forth.columns - {name}
    if name in declared or columns[name].other is not None or any(table[cause].isna().any() for cause in causes):
        return False
    found.changes[name] |= {"missing_when": forth.when, "missing": "never"}
    found.evidence[name].append(f"missing exactly there: {proposal.evidence}")
    return True
