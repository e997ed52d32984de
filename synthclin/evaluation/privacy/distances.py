"""Nearest neighbours of rows of mixed types, and outlier deciles by nearest-neighbour distance."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from sklearn.neighbors import NearestNeighbors

from synthclin.evaluation.features import Coordinates, Features

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["ReferencePopulation", "nearest"]

_MOST_POPULATION = 2_000
_MOST_LEVELS = 20
_NEIGHBOURS = 5
_DECILES = np.arange(1, 10) / 10


@dataclass(frozen=True, slots=True)
class ReferencePopulation:
    """The reference population of outlier deciles: real rows, and the limits of the mean distance to 5 neighbours.

    Meeus et al., Achilles' Heels, arXiv:2306.10308.
    """

    features: Features
    rows: NDArray[np.float64]
    limits: NDArray[np.float64]

    @classmethod
    def of(
        cls, features: Features, train: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[ReferencePopulation, NDArray[np.intp]]:
        """Return the reference population, and the (rows,) decile of each training row; see `decile`."""
        sampled = np.zeros(len(train), dtype=bool)
        sampled[rng.permutation(len(train))[:_MOST_POPULATION]] = True
        population = cls(features, train[sampled], np.empty(0))
        near = population.near(train, _NEIGHBOURS + 1)
        # The first neighbour of a row in the reference population is the row itself.
        distances = np.where(sampled[:, None], near[:, 1:], near[:, :-1]).mean(axis=1)
        population = replace(population, limits=np.quantile(distances, _DECILES))
        return population, np.searchsorted(population.limits, distances)

    def near(self, rows: NDArray[np.float64], k: int) -> NDArray[np.float64]:
        """(rows, k) distances to the `k` nearest."""
        return nearest(self.features, range(len(self.features)), self.rows, rows, k)[0]

    def decile(self, rows: NDArray[np.float64]) -> NDArray[np.intp]:
        """(rows,) the outlier decile of other rows, from 0 (smallest neighbour distance) to 9 (outliers)."""
        decile: NDArray[np.intp] = np.searchsorted(self.limits, self.near(rows, _NEIGHBOURS).mean(axis=1))
        return decile


def nearest(
    features: Features,
    columns: Sequence[int],
    among: NDArray[np.float64],
    rows: NDArray[np.float64],
    k: int,
    *,
    ranked: NDArray[np.float64] | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return distances and places of the `k` nearest rows of `among` in some columns, nearest first.

    Mixed types: ranks within `ranked` (else `among`) for numbers, distance one between levels.

    Returns:
        (rows, k) distances and places; fewer where `among` has fewer rows.
    """
    part = Features(tuple(features.columns[j] for j in columns))
    columns = list(columns)
    space = Coordinates.of(part, (among if ranked is None else ranked)[:, columns], most=_MOST_LEVELS)
    there, here = (space.place(part[:, columns]) for part in (among, rows))
    # Constant coordinates, such as most missing flags, add no distance; leaving them out halves the work.
    varies = (there != there[:1]).any(axis=0) | (here != there[:1]).any(axis=0)
    varies[0] = True  # one coordinate at least, where all are constant
    index = NearestNeighbors(n_neighbors=min(k, len(among)), algorithm="brute").fit(there[:, varies])
    distances, places = index.kneighbors(here[:, varies])
    return distances, places
