"""Junction trees: a triangulated graph of columns as a forest of cliques, small enough for exact inference."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

__all__ = ["JunctionTree", "junction_tree"]


@dataclass(frozen=True)
class JunctionTree:
    """Forest of cliques with the running intersection property; parents stand before their children.

    Arguments:
        cardinalities: how many codes each column has.
        cliques: the sorted columns of each clique; every column is in at least one.
        parents: the index of each clique's parent, -1 of a root.
    """

    cardinalities: tuple[int, ...]
    cliques: tuple[tuple[int, ...], ...]
    parents: tuple[int, ...]

    @cached_property
    def separators(self) -> tuple[tuple[int, ...], ...]:
        """The columns that each clique shares with its parent; none for a root."""
        shared = (set(self.cliques[up]) if up >= 0 else set() for up in self.parents)
        return tuple(
            tuple(j for j in clique if j in common) for clique, common in zip(self.cliques, shared, strict=True)
        )

    @cached_property
    def neighbours(self) -> tuple[tuple[int, ...], ...]:
        """The cliques beside each clique."""
        beside: list[list[int]] = [[] for _ in self.cliques]
        for i, up in enumerate(self.parents):
            if up >= 0:
                beside[i].append(up)
                beside[up].append(i)
        return tuple(map(tuple, beside))

    @property
    def cells(self) -> int:
        """The cells of all cliques together."""
        return sum(self.size(clique) for clique in self.cliques)

    def size(self, columns: Iterable[int]) -> int:
        """Return the cells of a table of some columns."""
        return prod(self.cardinalities[j] for j in columns)

    @cached_property
    def growth(self) -> dict[tuple[int, int], tuple[int, int]]:
        """By pair of columns (a < b) in no common clique: the cells that a tree with it has more, and how.

        Columns a and b are joined by connecting one of them, the second number, with all separators between them, which
        keeps the graph triangulated. A tree made anew may be smaller.
        """
        best: dict[tuple[int, int], tuple[int, int]] = {}
        for source in range(len(self.cardinalities)):
            for target, cells in self._growth_from(source).items():
                pair = (min(source, target), max(source, target))
                if pair not in best or cells < best[pair][0]:
                    best[pair] = cells, source
        return best

    def _growth_from(self, source: int) -> dict[int, int]:
        """Return by column how many cells it takes to join `source` with it; columns beside it are left out."""
        size = self.cardinalities[source]
        beside = {j for clique in self.cliques if source in clique for j in clique}
        found: dict[int, int] = {}
        stack = [
            (there, here, 0)
            for here, clique in enumerate(self.cliques)
            if source in clique
            for there in self.neighbours[here]
            if source not in self.cliques[there]
        ]
        while stack:
            here, before, cells = stack.pop()
            clique, entry = set(self.cliques[here]), self._shared(here, before)
            for target in clique - entry - beside - set(found):
                found[target] = cells + self._extended(size, clique, entry | {target})
            stack += [
                (there, here, cells + self._extended(size, clique, entry | self._shared(there, here)))
                for there in self.neighbours[here]
                if there != before
            ]
        for target in set(range(len(self.cardinalities))) - beside - set(found):  # of another component
            alone = sum(self.cardinalities[j] for j in (source, target) if (j,) in self.cliques)
            found[target] = size * self.cardinalities[target] - alone
        return found

    def _shared(self, one: int, other: int) -> set[int]:
        return set(self.separators[one] if self.parents[one] == other else self.separators[other])

    def _extended(self, size: int, clique: set[int], part: set[int]) -> int:
        """Return the cells of a new clique, `part` and a column of `size`; it replaces a clique that it contains."""
        return size * self.size(part) - (self.size(clique) if part == clique else 0)

    def with_pair(self, pair: tuple[int, int]) -> set[tuple[int, int]]:
        """Return the pairs of columns in common cliques of the tree grown by one pair; see `growth`."""
        pairs = {(a, b) for clique in self.cliques for a in clique for b in clique if a < b}
        if pair not in self.growth:
            return pairs
        _, source = self.growth[pair]
        target = pair[0] + pair[1] - source
        ends = {j for path in [self._path(source, target)] for j in path} | {target}
        return pairs | {(min(source, j), max(source, j)) for j in ends}

    def _path(self, source: int, target: int) -> set[int]:
        """Return the columns of all separators between two columns."""
        stack = [(i, -1, frozenset[int]()) for i, clique in enumerate(self.cliques) if source in clique]
        starts = {i for i, _, _ in stack}
        while stack:
            here, before, passed = stack.pop()
            if target in self.cliques[here]:
                return set(passed)
            stack += [
                (there, here, passed | self._shared(there, here))
                for there in self.neighbours[here]
                if there != before and there not in starts
            ]
        return set()


def junction_tree(cardinalities: Sequence[int], pairs: Iterable[tuple[int, int]]) -> JunctionTree:
    """Return a junction tree of the graph with some pairs of columns as edges.

    The graph is triangulated by greedy elimination: of the column with the smallest clique, or of that with the fewest
    new edges, whichever gives fewer cells.

    Example:
        >>> tree = junction_tree([2, 3, 4, 5], [(0, 1), (1, 2), (0, 2)])
        >>> tree.cliques, tree.cells
        (((0, 1, 2), (3,)), 29)
    """
    edges = [0] * len(cardinalities)
    for a, b in pairs:
        edges[a] |= 1 << b
        edges[b] |= 1 << a
    trees = [_tree(tuple(cardinalities), _eliminate(edges, cardinalities, fewest)) for fewest in (False, True)]
    return min(trees, key=lambda tree: tree.cells)


def _columns(mask: int) -> list[int]:
    columns = []
    while mask:
        low = mask & -mask
        columns.append(low.bit_length() - 1)
        mask ^= low
    return columns


def _eliminate(edges: Sequence[int], cardinalities: Sequence[int], fewest_edges: bool) -> list[int]:
    """Return the maximal cliques, as bit masks of columns, of a triangulation of the graph."""
    beside = list(edges)

    def cost(column: int) -> tuple[int, int]:
        around = _columns(beside[column])
        cells = prod(cardinalities[j] for j in around) * cardinalities[column]
        new = sum((beside[column] & ~beside[j]).bit_count() - 1 for j in around)
        return (new, cells) if fewest_edges else (cells, new)

    costs = {column: cost(column) for column in range(len(edges))}
    cliques: list[int] = []
    while costs:
        column = min(costs, key=costs.__getitem__)
        del costs[column]
        clique = beside[column] | 1 << column
        if not any(clique & ~other == 0 for other in cliques):
            cliques.append(clique)
        changed = 0
        for j in _columns(beside[column]):
            beside[j] = (beside[j] | clique) & ~(1 << j | 1 << column)
            changed |= beside[j] | 1 << j
        for j in _columns(changed):
            costs[j] = cost(j)
    return cliques


def _tree(cardinalities: tuple[int, ...], masks: list[int]) -> JunctionTree:
    """Return a maximum spanning forest of cliques by the size of their separators."""
    cliques: list[tuple[int, ...]] = []
    parents: list[int] = []
    nearest = dict.fromkeys(sorted(masks), (0, -1))  # shared columns, index of the clique
    while nearest:
        mask = max(nearest, key=lambda one: nearest[one][0])
        _, parent = nearest.pop(mask)
        for other, (shared, _) in nearest.items():
            if (common := (mask & other).bit_count()) > shared:
                nearest[other] = common, len(cliques)
        cliques.append(tuple(_columns(mask)))
        parents.append(parent)
    return JunctionTree(cardinalities, tuple(cliques), tuple(parents))
