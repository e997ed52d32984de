"""Graphical model: the distribution of maximum entropy that fits noisy tables, on a junction tree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Self

import numpy as np

from synthclin.dp.private_table import NoisyTable

__all__ = ["GraphicalModel"]


class GraphicalModel:
    """Discrete Markov random field fitted to noisy contingency tables by weighted least squares.

    Arguments:
        cardinalities: how many codes each column has.
    """

    def __init__(self, cardinalities: Sequence[int]) -> None:
        self.cardinalities = tuple(cardinalities)
        self.total = 0.0

    def fit(self, tables: Sequence[NoisyTable], *, iterations: int = 300) -> Self:
        """Fit the model, from where it stands; returns itself."""
        raise NotImplementedError

    def table(self, columns: Sequence[int]) -> np.ndarray:
        """Return the expected counts of a contingency table, one axis per column."""
        raise NotImplementedError

    def sample(self, rows: int, generator: np.random.Generator) -> np.ndarray:
        """Return (rows, columns) int64 codes."""
        raise NotImplementedError
