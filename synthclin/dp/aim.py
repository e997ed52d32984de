"""AIM: adaptive and iterative measurement of the two-way tables that a graphical model fits worst."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from synthclin.dp.graphical_model import GraphicalModel
from synthclin.dp.private_table import NoisyTable, PrivateTable

__all__ = ["aim"]


def aim(
    table: PrivateTable,
    one_way: Sequence[NoisyTable],
    rho: float,
    *,
    largest: int = 50_000,
    on_round: Callable[[int, float], None] | None = None,
) -> tuple[GraphicalModel, list[NoisyTable]]:
    """Return a graphical model and the noisy tables that it was fitted to: the one-way tables, then the pairs.

    Arguments:
        table: the rows, of the same codes as the one-way tables.
        one_way: the noisy one-way table of each column.
        rho: what may be spent, of zCDP.
        largest: the most cells of the model's junction tree.
        on_round: called after each round with its number and the share of rho that is spent.

    Source: McKenna et al. 2022, arXiv 2201.12677.
    """
    raise NotImplementedError
