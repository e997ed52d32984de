"""How far rows of mixed types lie from each other, and which stand alone among real patients."""

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
    """Real rows, and the distances that part them into tenths by how much they stand alone.

    Mean distance to the 5 nearest other real rows (Meeus et al., Achilles' Heels, arXiv:2306.10308).
    """

    features: Features
    rows: NDArray[np.float64]
    limits: NDArray[np.float64]

    @classmethod
    def of(
        cls, features: Features, train: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[ReferencePopulation, NDArray[np.intp]]:
        """Return the crowd, and (rows,) the tenth of each training row; see `decile`."""
        drawn = np.zeros(len(train), dtype=bool)
        drawn[rng.permutation(len(train))[:_MOST_POPULATION]] = True
        population = cls(features, train[drawn], np.empty(0))
        near = population.near(train, _NEIGHBOURS + 1)
        # One of the crowd finds itself first.
        distances = np.where(drawn[:, None], near[:, 1:], near[:, :-1]).mean(axis=1)
        population = replace(population, limits=np.quantile(distances, _DECILES))
        return population, np.searchsorted(population.limits, distances)

    def near(self, rows: NDArray[np.float64], k: int) -> NDArray[np.float64]:
        """(rows, k) distances to the `k` nearest."""
        return nearest(self.features, range(len(self.features)), self.rows, rows, k)[0]

    def decile(self, rows: NDArray[np.float64]) -> NDArray[np.intp]:
        """(rows,) the tenth that other rows fall into, from 0, in the midst of others, to 9, most alone."""
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
    """Return distances to, and places of, the `k` nearest rows of `among` in some columns, nearest first.

    Mixed types: ranks within `ranked` (else `among`) for numbers, distance one between levels.

    Returns:
        (rows, k) distances and places; fewer where `among` has fewer rows.
    """
    part = Features(tuple(features.columns[j] for j in columns))
    columns = list(columns)
    space = Coordinates.of(part, (among if ranked is None else ranked)[:, columns], most=_MOST_LEVELS)
    there, here = (space.place(part[:, columns]) for part in (among, rows))
    # What is the same for all, such as being known, is no distance: half of the work is saved.
    varies = (there != there[:1]).any(axis=0) | (here != there[:1]).any(axis=0)
    varies[0] = True  # where all are the same, they are all as near
    index = NearestNeighbors(n_neighbors=min(k, len(among)), algorithm="brute").fit(there[:, varies])
    distances, places = index.kneighbors(here[:, varies])
    return distances, places
