"""Rules between visits, judged on each proposed visit given the visits before it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd

from synthclin.expressions import parse
from synthclin.expressions.visit_order import VisitOrder
from synthclin.schema.constraints import Rule

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from synthclin.schema import Schema

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["StepRules", "VisitMemory"]

STEPWISE = frozenset({"previous", "first", "count"})
"""Functions whose value is known when a visit is proposed; all others need the last visit."""


@dataclass(slots=True)
class VisitMemory:
    """First and latest visits of several patients, in the columns that rules between visits name.

    Arguments:
        first: (patients, columns) first visits.
        recent: (patients, columns) of the last visit, of the one before it, and so on.
        number: (patients,) visits so far.
    """

    first: pd.DataFrame
    recent: list[pd.DataFrame]
    number: Ints

    def take(self, index: Ints) -> VisitMemory:
        """Return the memory of some patients, (index,), who may repeat."""
        first, *recent = (part.iloc[index].reset_index(drop=True) for part in (self.first, *self.recent))
        return VisitMemory(first, recent, self.number[index])

    def add(self, who: Ints, rows: pd.DataFrame) -> None:
        """Add the next visit of the patients `who`, each once."""
        for i in range(len(self.recent) - 1, -1, -1):
            newer = rows if i == 0 else self.recent[i - 1].iloc[who]
            changed = self.recent[i].copy()
            for name in changed:
                column = changed[name].array.copy()
                column[who] = newer[name].array
                changed[name] = column
            self.recent[i] = changed
        self.number[who] += 1


@dataclass(frozen=True, slots=True)
class StepRules:
    """The rules between visits that can be judged when a visit is proposed.

    Arguments:
        rules: those whose functions and columns are known then.
        columns: that they name.
        depth: how many visits before they refer to.
    """

    rules: tuple[Rule, ...]
    columns: tuple[str, ...]
    depth: int

    @classmethod
    def of(cls, schema: Schema, unknown: Collection[str]) -> Self:
        """Return the rules of a longitudinal schema; columns in `unknown` are known at the end alone."""
        rules, named, depth = list[Rule](), set[str](), 0
        for rule in schema.imposed:
            if isinstance(rule, Rule) and rule.visit_functions and rule.visit_functions <= STEPWISE:
                parts = [parse(text) for text in rule.expressions]
                columns = frozenset().union(*(part.columns for part in parts))
                if not columns & set(unknown):
                    rules.append(rule)
                    named |= columns
                    depth = max(depth, *(_depth(part.tree) for part in parts))
        return cls(tuple(rules), tuple(name for name in schema.columns if name in named), depth)

    def begin(self, first: pd.DataFrame) -> VisitMemory:
        """Return the memory after the (patients, columns) first visits."""
        kept = first[list(self.columns)].reset_index(drop=True)
        return VisitMemory(kept, [kept.copy() for _ in range(self.depth)], np.ones(len(kept), dtype=np.int64))

    def broken_first(self, memory: VisitMemory, count: Ints) -> dict[str, Bools]:
        """Return which (patients,) first visits violate each rule; `count` is the number of visits of each patient."""
        rows = np.arange(len(count))
        return self._broken(memory.first, VisitOrder(rows, np.full(len(rows), -1), rows, rows, count))

    def broken(self, rows: pd.DataFrame, who: Ints, memory: VisitMemory, count: Ints) -> dict[str, Bools]:
        """Return which (visits,) proposed next visits of the patients `who` violate each rule, by its text."""
        if not self.rules:
            return {}
        names, size = list(self.columns), len(who)
        # From the oldest to the proposal: the first visit, then as many as rules refer to.
        parts = [memory.first.iloc[who], *(each.iloc[who] for each in reversed(memory.recent)), rows[names]]
        table = pd.concat(parts, ignore_index=True)
        block, place = np.divmod(np.arange(len(table)), max(size, 1))
        previous = np.arange(len(table)) - size
        # A patient with two visits so far has no third last one.
        back = len(parts) - 1 - block
        previous[(block == 0) | (memory.number[who][place] <= back)] = -1
        order = VisitOrder(place, previous, place, np.arange(len(table)), count[who][place])
        return {text: mask[len(table) - size :] for text, mask in self._broken(table, order).items()}

    def _broken(self, table: pd.DataFrame, order: VisitOrder) -> dict[str, Bools]:
        return {rule.text: rule.broken(table, order).to_numpy(dtype=np.bool_) for rule in self.rules}


def _depth(node: ast.AST) -> int:
    """Return how many visits before an expression refers to."""
    inside = max((_depth(child) for child in ast.iter_child_nodes(node)), default=0)
    return inside + (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "previous")
