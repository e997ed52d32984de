"""Belief propagation on a junction tree: all clique distributions of a log-linear model."""

from __future__ import annotations

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
        logs: list[np.ndarray] = []
        for shape, factors in zip(self._shapes, self._factors, strict=True):
            log = np.zeros(shape)
            for t, place in factors:
                log += potentials[t].reshape(place)
            logs.append(log)
        # From the leaves to the roots: each clique's mass by cell of its separator, relative to the largest cell there,
        # so that sums are at least 1 and nothing underflows, whatever the potentials.
        log_z = 0.0
        sums: list[np.ndarray] = [_ONE] * len(logs)
        for i in range(len(logs) - 1, -1, -1):
            top = logs[i].max(axis=self._up[i].axes, keepdims=True)
            logs[i] -= top
            np.exp(logs[i], out=logs[i])
            sums[i] = logs[i].sum(axis=self._up[i].axes, keepdims=True)
            message = top + np.log(sums[i])
            if (parent := self.tree.parents[i]) >= 0:
                logs[parent] += message.reshape(self._in_parent[i].shape)
            else:
                log_z += float(message.sum())  # of a single cell
        beliefs = logs
        for i, parent in enumerate(self.tree.parents):
            if parent >= 0:
                entered = beliefs[parent].sum(axis=self._in_parent[i].axes).reshape(sums[i].shape)
                beliefs[i] *= entered / sums[i]
            else:
                beliefs[i] /= sums[i]
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
