"""MST: a maximum spanning tree of two-way tables, chosen by the exponential mechanism."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synthclin.dp.graphical_model import GraphicalModel
from synthclin.dp.ledger import require_rho
from synthclin.dp.noise import expected_noise
from synthclin.dp.private_table import NoisyTable, PrivateTable, require_one_way

__all__ = ["mst"]


def mst(
    table: PrivateTable, one_way: Sequence[NoisyTable], rho: float, *, largest: int = 1_000_000
) -> tuple[GraphicalModel, list[NoisyTable]]:
    """Return a graphical model and the noisy tables that it was fitted to: the one-way tables, then the pairs.

    Pairs join the columns to one tree, strongest relations first: each is chosen by its distance from independence,
    beyond what noise would add. Half of the cost selects the pairs, half measures them.

    Arguments:
        table: the rows, of the same codes as the one-way tables.
        one_way: the noisy one-way table of each column, in their order.
        rho: what may be spent, of zCDP.
        largest: pairs of more cells are no candidates, so columns of very many codes may stay alone.

    Source: McKenna, Miklau and Sheldon 2021, arXiv 2108.04978.

    Raises:
        ConfigError: the ledger has less than `rho`, or the one-way tables do not fit.
    """
    require_one_way(table, one_way)
    rho = require_rho(rho, "dp: MST")
    sizes = table.cardinalities
    model, measured = GraphicalModel(sizes).fit(one_way), list(one_way)
    if len(sizes) == 1:
        return model, measured
    expected = model.pairs(largest)
    share = rho / 2 / (len(sizes) - 1)
    noise = expected_noise(share, table.at_most)
    component = list(range(len(sizes)))
    tree: list[tuple[int, int]] = []
    while candidates := [(a, b) for a, b in expected if component[a] != component[b]]:
        models = [expected[pair] for pair in candidates]
        penalties = [noise * sizes[a] * sizes[b] for a, b in candidates]
        a, b = candidates[
            table.select(candidates, models, np.ones(len(models)), penalties, share, "selection of a two-way table")
        ]
        tree.append((a, b))
        component = [component[a] if one == component[b] else one for one in component]
    measured += [table.measure(pair, rho / 2 / len(tree)) for pair in tree]
    return model.fit(measured), measured
