"""MST: a maximum spanning tree of two-way tables, chosen by the exponential mechanism."""

from __future__ import annotations

from collections.abc import Sequence

from synthclin.dp.graphical_model import GraphicalModel
from synthclin.dp.private_table import NoisyTable, PrivateTable

__all__ = ["mst"]


def mst(table: PrivateTable, one_way: Sequence[NoisyTable], rho: float) -> tuple[GraphicalModel, list[NoisyTable]]:
    """Return a graphical model and the noisy tables that it was fitted to: the one-way tables, then the pairs.

    Source: McKenna, Miklau and Sheldon 2021, arXiv 2108.04978.
    """
    raise NotImplementedError
