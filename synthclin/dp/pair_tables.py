"""All two-way tables of a junction tree, also of columns in no common clique, by matrix products along its paths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from synthclin.dp.junction_tree import JunctionTree

__all__ = ["pair_tables"]

Directed = tuple[int, int]  # from a clique to the clique beside it


def pair_tables(tree: JunctionTree, beliefs: Sequence[np.ndarray], largest: int) -> dict[tuple[int, int], np.ndarray]:
    """Return the joint distribution of each pair of columns a < b, shaped by their cardinalities.

    Arguments:
        tree: the junction tree.
        beliefs: the distribution of each clique, as of `Propagation.run`; neighbours agree on their separators.
        largest: pairs of more cells are left out.
    """
    walk = _Walk(tree, beliefs)
    sizes = tree.cardinalities
    homes = {j: i for i, clique in enumerate(tree.cliques) for j in clique}
    alone = [walk.table(homes[j], (j,)) for j in range(len(sizes))]
    found: dict[tuple[int, int], np.ndarray] = {}
    for a in range(len(sizes)):
        later = {b for b in range(a + 1, len(sizes)) if sizes[a] * sizes[b] <= largest}
        tables = walk.beside(a, later)
        found |= {(a, b): tables[b] if b in tables else np.outer(alone[a], alone[b]) for b in later}
    return found


class _Walk:
    """Conditional distributions along the directed edges of a tree, computed once."""

    def __init__(self, tree: JunctionTree, beliefs: Sequence[np.ndarray]) -> None:
        self.tree, self.beliefs = tree, beliefs
        self._cliques = [set(clique) for clique in tree.cliques]
        self._onward: dict[tuple[Directed, Directed], tuple[np.ndarray, np.ndarray, np.ndarray]] = {}
        self._targets: dict[tuple[Directed, int], np.ndarray] = {}

    def table(self, clique: int, columns: Sequence[int]) -> np.ndarray:
        """Return the distribution of some columns of a clique, in the given order."""
        have = self.tree.cliques[clique]
        axes = tuple(i for i, j in enumerate(have) if j not in columns)
        kept = [j for j in have if j in columns]
        table: np.ndarray = self.beliefs[clique].sum(axis=axes)
        return table if kept == list(columns) else table.transpose([kept.index(j) for j in columns])

    def separator(self, edge: Directed) -> tuple[int, ...]:
        here, there = edge
        return self.tree.separators[there if self.tree.parents[there] == here else here]

    def beside(self, source: int, wanted: set[int]) -> dict[int, np.ndarray]:
        """Return the tables of a column with the wanted columns of its component."""
        found: dict[int, np.ndarray] = {}
        size = self.tree.cardinalities[source]
        stack: list[tuple[Directed, np.ndarray]] = []
        for here, clique in enumerate(self._cliques):
            if source not in clique:
                continue
            for b in clique:
                if b in wanted and b not in found:
                    found[b] = self.table(here, (source, b))
            for there in self.tree.neighbours[here]:
                if source not in self._cliques[there]:
                    joint = self.table(here, (source, *self.separator((here, there))))
                    stack.append(((here, there), joint.reshape(size, -1)))
        while stack:
            edge, joint = stack.pop()  # joint: (codes of the source, cells of the separator)
            here = edge[1]
            for b in (self._cliques[here] & wanted) - set(self.separator(edge)):
                found[b] = joint @ self._target(edge, b)
            stack += [
                ((here, there), self._on(joint, edge, (here, there)))
                for there in self.tree.neighbours[here]
                if there != edge[0]
            ]
        return found

    def _given(self, edge: Directed, columns: Sequence[int], given: Sequence[int]) -> np.ndarray:
        """Return P(columns | entered separator) as a matrix with `given` first."""
        joint = self.table(edge[1], (*given, *columns)).reshape(self.tree.size(given), -1)
        mass = joint.sum(axis=1, keepdims=True)
        given_mass: np.ndarray = np.divide(joint, mass, out=np.zeros_like(joint), where=mass > 0)
        return given_mass

    def _target(self, edge: Directed, column: int) -> np.ndarray:
        if (edge, column) not in self._targets:
            self._targets[edge, column] = self._given(edge, (column,), self.separator(edge))
        return self._targets[edge, column]

    def _on(self, joint: np.ndarray, edge: Directed, onward: Directed) -> np.ndarray:
        """Return the joint distribution of the source and the next separator."""
        if (edge, onward) not in self._onward:
            self._onward[edge, onward] = self._step(edge, onward)
        matrix, inward, outward = self._onward[edge, onward]
        shared, before, after = matrix.shape
        entered = joint[:, inward].reshape(len(joint), shared, before)
        left = (entered.transpose(1, 0, 2) @ matrix).transpose(1, 0, 2)
        reached: np.ndarray = left.reshape(len(joint), shared * after)[:, outward]
        return reached

    def _step(self, edge: Directed, onward: Directed) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return P(next separator | entered separator), by cells of their common columns, and the orders of cells."""
        entry, leave = self.separator(edge), self.separator(onward)
        both = [j for j in entry if j in leave]
        before, after = [j for j in entry if j not in both], [j for j in leave if j not in both]
        matrix = self._given(edge, after, [*both, *before])
        matrix = matrix.reshape(self.tree.size(both), self.tree.size(before), self.tree.size(after))
        return matrix, self._order(entry, [*both, *before]), self._order([*both, *after], leave)

    def _order(self, columns: Sequence[int], wanted: Sequence[int]) -> np.ndarray:
        """Return the cells of a table of `columns` in the order of a table of the same columns as `wanted`."""
        shape = [self.tree.cardinalities[j] for j in columns]
        cells = np.arange(self.tree.size(columns)).reshape(shape)
        return cells.transpose([list(columns).index(j) for j in wanted]).ravel()
