"""AIM: adaptive and iterative measurement of the two-way tables that a graphical model fits worst."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations

import numpy as np

from synthclin.dp.graphical_model import GraphicalModel
from synthclin.dp.junction_tree import JunctionTree, junction_tree
from synthclin.dp.ledger import require_rho
from synthclin.dp.noise import expected_noise
from synthclin.dp.private_table import NoisyTable, PrivateTable, require_one_way

__all__ = ["aim"]

Pair = tuple[int, int]

_MEASURE = 0.9  # the part of each round's cost that measures; the rest selects
_ROUNDS = 4  # per column, if no round is made more expensive; the paper has 16, which is slower and no better
_DEARER = 4  # by how much a round may cost more than the one before it
_STEPS = 30  # of the fit between two rounds


def aim(
    table: PrivateTable,
    one_way: Sequence[NoisyTable],
    rho: float,
    *,
    largest: int = 50_000,
    on_round: Callable[[int, float], None] | None = None,
) -> tuple[GraphicalModel, list[NoisyTable]]:
    """Return a graphical model and the noisy tables that it was fitted to: the one-way tables, then the pairs.

    Each round selects the pair whose expected counts by the model differ most from the exact ones, beyond what noise
    would add, measures it and fits the model again. When a measured pair changes less than its noise, the next rounds
    cost four times as much; the last one takes what is left.

    Arguments:
        table: the rows, of the same codes as the one-way tables.
        one_way: the noisy one-way table of each column, in their order.
        rho: what may be spent, of zCDP.
        largest: the most cells of the model's junction tree. Pairs that would exceed it are no candidates.
        on_round: called after each round with its number and the share of `rho` that is spent.

    Source: McKenna et al. 2022, arXiv 2201.12677, with two-way tables alone.

    Raises:
        ConfigError: the ledger has less than `rho`, or the one-way tables do not fit.
    """
    require_one_way(table, one_way)
    rho = require_rho(rho, "dp: AIM")
    sizes = table.cardinalities
    model = GraphicalModel(sizes).fit(one_way)
    measured = list(one_way)
    pairs = list(combinations(range(len(sizes)), 2))
    edges: list[Pair] = []
    cost, spent, number = rho / (_ROUNDS * len(sizes)), 0.0, 0
    while pairs and spent < rho * (1 - 1e-6):
        left = rho - spent
        if left < 2 * cost:
            cost = left
        trees = _Trees(model.tree, edges, largest)
        candidates = [pair for pair in pairs if trees.fits(pair)]
        if not candidates:
            break
        expected = model.pairs(largest)
        noise = expected_noise(_MEASURE * cost, table.at_most)
        penalties = [noise * sizes[a] * sizes[b] for a, b in candidates]
        models = [expected[pair] for pair in candidates]
        choice = table.select(
            candidates,
            models,
            np.ones(len(candidates)),
            penalties,
            (1 - _MEASURE) * cost,
            "selection of a two-way table",
        )
        pair, before = candidates[choice], models[choice]
        measured.append(table.measure(pair, _MEASURE * cost))
        spent += cost
        number += 1
        tree = trees.grown(pair)
        edges = [*edges, pair] if pair not in edges else edges
        model.fit(measured, iterations=_STEPS, tree=tree)
        if np.abs(model.table(pair) - before).sum() <= penalties[choice]:
            cost *= _DEARER
        if on_round is not None:
            on_round(number, min(1.0, spent / rho))
    return model.fit(measured, tree=model.tree), measured


class _Trees:
    """Junction trees of a model's pairs and one more, within a size."""

    def __init__(self, tree: JunctionTree, edges: Sequence[Pair], largest: int) -> None:
        self.tree, self.edges = tree, edges
        self._left = largest - tree.cells

    def fits(self, pair: Pair) -> bool:
        return pair not in self.tree.growth or self.tree.growth[pair][0] <= self._left

    def grown(self, pair: Pair) -> JunctionTree:
        """Return the smaller of the tree that was grown and one made anew."""
        sizes = self.tree.cardinalities
        grown = junction_tree(sizes, self.tree.with_pair(pair))
        return min(grown, junction_tree(sizes, [*self.edges, pair]), key=lambda tree: tree.cells)
