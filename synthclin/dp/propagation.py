"""Belief propagation on a junction tree: all clique distributions of a log-linear model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from synthclin.dp.junction_tree import JunctionTree

__all__ = ["Propagation"]


@dataclass(frozen=True)
class _Place:
    """Where a table stands in an array of more columns: its shape there, and the axes that it lacks."""

    shape: tuple[int, ...]
    axes: tuple[int, ...]

    @classmethod
    def of(cls, columns: Sequence[int], within: Sequence[int], cardinalities: Sequence[int]) -> _Place:
        inside = set(columns)
        shape = tuple(cardinalities[j] if j in inside else 1 for j in within)
        return cls(shape, tuple(axis for axis, j in enumerate(within) if j not in inside))


class Propagation:
    """Sum-product message passing for p(codes) proportional to exp(sum of potentials of tables).

    Arguments:
        tree: a junction tree with a clique for each table.
        tables: the sorted columns of each table.
    """

    def __init__(self, tree: JunctionTree, tables: Sequence[tuple[int, ...]]) -> None:
        self.tree, self.tables = tree, list(tables)
        sizes = tree.cardinalities
        self._shapes = [tuple(sizes[j] for j in clique) for clique in tree.cliques]
        self._factors: list[list[tuple[int, tuple[int, ...]]]] = [[] for _ in tree.cliques]
        self._marginals: list[list[tuple[int, tuple[int, ...]]]] = [[] for _ in tree.cliques]
        self._shared: list[tuple[int, int, tuple[int, ...]]] = []  # a table inside another: its index, the other, axes
        large: list[int] = []
        for t in sorted(range(len(self.tables)), key=lambda t: -len(self.tables[t])):
            columns = self.tables[t]
            holders = [i for i, clique in enumerate(tree.cliques) if set(columns) <= set(clique)]
            home = min(holders, key=lambda i: tree.size(tree.cliques[i]))
            place = _Place.of(columns, tree.cliques[home], sizes)
            self._factors[home].append((t, place.shape))
            inside = [u for u in large if set(columns) < set(self.tables[u])]
            if inside:
                other = min(inside, key=lambda u: tree.size(self.tables[u]))
                self._shared.append((t, other, _Place.of(columns, self.tables[other], sizes).axes))
            else:
                self._marginals[home].append((t, place.axes))
            large.append(t)
        up = [
            _Place.of(separator, clique, sizes) for separator, clique in zip(tree.separators, tree.cliques, strict=True)
        ]
        self._up = up
        self._in_parent = [
            _Place.of(separator, tree.cliques[parent], sizes) if parent >= 0 else up[i]
            for i, (separator, parent) in enumerate(zip(tree.separators, tree.parents, strict=True))
        ]

    def run(self, potentials: Sequence[np.ndarray]) -> tuple[float, list[np.ndarray]]:
        """Return the log-partition function and the distribution of each clique.

        Arguments:
            potentials: one array per table, in log space.
        """
        parents = self.tree.parents
        log_z = 0.0
        beliefs: list[np.ndarray] = []
        for shape, factors in zip(self._shapes, self._factors, strict=True):
            log = np.zeros(shape)
            for t, place in factors:
                log += potentials[t].reshape(place)
            top = float(log.max())
            log -= top
            log_z += top
            beliefs.append(np.exp(log, out=log))
        messages: list[np.ndarray] = [_ONE] * len(beliefs)
        for i in range(len(beliefs) - 1, -1, -1):
            if (parent := parents[i]) >= 0:
                message = beliefs[i].sum(axis=self._up[i].axes)
                messages[i] = message
                top = float(message.max())
                log_z += math.log(top)
                beliefs[parent] *= (message / top).reshape(self._in_parent[i].shape)
        for i, parent in enumerate(parents):
            if parent >= 0:
                whole = beliefs[parent].sum(axis=self._in_parent[i].axes)
                # A separator cell without mass has none below it either.
                ratio = np.divide(whole, messages[i], out=np.zeros_like(whole), where=messages[i] > 0)
                beliefs[i] *= ratio.reshape(self._up[i].shape)
            else:
                total = float(beliefs[i].sum())
                beliefs[i] /= total
                log_z += math.log(total)
        return log_z, beliefs

    def marginals(self, beliefs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the distribution of each table, from the distributions of the cliques."""
        found: list[np.ndarray] = [_ONE] * len(self.tables)
        for belief, wanted in zip(beliefs, self._marginals, strict=True):
            for t, axes in wanted:
                found[t] = belief.sum(axis=axes)
        for t, other, axes in self._shared:
            found[t] = found[other].sum(axis=axes)
        return found


_ONE = np.ones(())
