"""Graphical model: the distribution of maximum entropy that fits noisy tables, on a junction tree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Self

import numpy as np
from scipy.optimize import fmin_l_bfgs_b

from synthclin.dp.junction_tree import JunctionTree, junction_tree
from synthclin.dp.pair_tables import pair_tables
from synthclin.dp.private_table import NoisyTable
from synthclin.dp.propagation import Propagation
from synthclin.errors import ConfigError

__all__ = ["GraphicalModel"]

_LARGEST = 10_000_000  # cells of a table or of a junction tree
_SHRINKAGE = 1 / 4  # the ridge on a potential, as a share of the noise of its cell

Pair = tuple[int, int]
_Part = tuple[np.ndarray, tuple[int, ...]]  # a table and its columns


class GraphicalModel:
    """Discrete Markov random field fitted to noisy contingency tables by weighted least squares.

    Its log-probabilities are sums of potentials, one array per measured set of columns. The fit minimises the squared
    distance between expected and noisy counts, each cell weighted by its inverse variance, minus a small multiple of
    the entropy; it is solved in its dual form, a convex function of the potentials with a ridge, by L-BFGS. Expected
    counts are exact, by belief propagation on a junction tree.

    Source: McKenna, Sheldon and Miklau 2019, arXiv 1901.09136 (Private-PGM).

    Arguments:
        cardinalities: how many codes each column has.

    Attributes:
        total: the number of rows, estimated from the noisy tables.
        tree: the junction tree.

    Example:
        >>> noisy = NoisyTable((0, 1), np.array([[40.0, 10.0], [10.0, 40.0]]), np.ones((2, 2)), rho=0.5)
        >>> model = GraphicalModel([2, 2]).fit([noisy])
        >>> model.table((1, 0)).round().tolist()
        [[40.0, 10.0], [10.0, 40.0]]
        >>> model.sample(5, np.random.default_rng(7)).shape
        (5, 2)
    """

    def __init__(self, cardinalities: Sequence[int]) -> None:
        self.cardinalities = tuple(int(k) for k in cardinalities)
        self.total = 0.0
        self.tree = junction_tree(self.cardinalities, [])
        self._tables: dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]] = {}  # values, variance
        self._potentials: dict[tuple[int, ...], np.ndarray] = {}
        self._beliefs: list[np.ndarray] = Propagation(self.tree, []).run([])[1]

    def fit(self, tables: Sequence[NoisyTable], *, iterations: int = 300, tree: JunctionTree | None = None) -> Self:
        """Fit the model to all of some noisy tables, from the potentials of its last fit; returns itself.

        Arguments:
            tables: noisy tables of any columns; several tables of the same columns are averaged.
            iterations: the most steps of L-BFGS.
            tree: a junction tree with a clique for each table; made here if not given.

        Raises:
            ConfigError: there is no table, one does not fit the columns, or the junction tree is too large.
        """
        self._tables = self._combined(tables)
        pairs = [pair for columns in self._tables for pair in combinations(columns, 2)]
        tree = tree or junction_tree(self.cardinalities, pairs)
        if tree.cells > _LARGEST:
            what = f"the junction tree of these tables has more than {_LARGEST:,} cells"
            raise ConfigError("graphical model", what, "Take tables of fewer columns, or with fewer codes.")
        self.tree = tree
        self.total = _total(self._tables.values())
        self._solve(iterations)
        return self

    def _combined(self, tables: Sequence[NoisyTable]) -> dict[tuple[int, ...], tuple[np.ndarray, np.ndarray]]:
        """Return values and variances by sorted columns, averaged with weights by inverse variance."""
        if not tables:
            raise ConfigError("graphical model", "there is no noisy table", "Measure a table first.")
        weights: dict[tuple[int, ...], np.ndarray] = {}
        sums: dict[tuple[int, ...], np.ndarray] = {}
        for table in tables:
            order = np.argsort(table.columns)
            columns = tuple(int(table.columns[i]) for i in order)
            self._require(columns)
            values, weight = table.values.transpose(order), 1 / table.variance.transpose(order)
            if values.shape != tuple(self.cardinalities[j] for j in columns):
                raise ConfigError("graphical model", "a noisy table has other cardinalities", "Sum its merged codes.")
            weights[columns] = weights.get(columns, 0) + weight
            sums[columns] = sums.get(columns, 0) + weight * values
        return {columns: (sums[columns] / weight, 1 / weight) for columns, weight in weights.items()}

    def _solve(self, iterations: int) -> None:
        keys = list(self._tables)
        propagation = Propagation(self.tree, keys)
        total = self.total
        counts, ridges, centres, starts = [], [], [], []
        for columns in keys:
            values, variance = self._tables[columns]
            centre = self._centre(columns, values, variance)
            counts.append((values + variance * ((total - values.sum()) / variance.sum())).ravel())
            ridges.append(np.sqrt(variance).ravel() * _SHRINKAGE)
            centres.append(centre.ravel())
            starts.append(self._potentials.get(columns, centre).ravel())
        count, ridge, centre, start = (np.concatenate(parts) for parts in (counts, ridges, centres, starts))
        scale = 1 / np.sqrt(np.maximum(count, ridge) + ridge)
        ends = np.cumsum([len(part) for part in counts])
        shapes = [self._tables[columns][0].shape for columns in keys]

        def split(flat: np.ndarray) -> list[np.ndarray]:
            return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]

        def loss(scaled: np.ndarray) -> tuple[float, np.ndarray]:
            potential = centre + scaled * scale
            log_z, beliefs = propagation.run(split(potential))
            expected = np.concatenate([table.ravel() for table in propagation.marginals(beliefs)]) * total
            pull = ridge * scaled * scale
            value = total * log_z - potential @ count + 0.5 * (pull @ (scaled * scale))
            return value / total, (expected - count + pull) * scale / total

        found, _, _ = fmin_l_bfgs_b(loss, (start - centre) / scale, maxiter=iterations, factr=1e3, pgtol=1e-7)
        potentials = split(centre + found * scale)
        self._potentials = dict(zip(keys, potentials, strict=True))
        self._beliefs = propagation.run(potentials)[1]

    def _centre(self, columns: tuple[int, ...], values: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """Return potentials without evidence of relations: log shares of one column, 0 of several."""
        if len(columns) > 1:
            return np.zeros(values.shape)
        likely = np.maximum(values, np.sqrt(variance))
        log_shares: np.ndarray = np.log(likely / likely.sum())
        return log_shares

    def _require(self, columns: Sequence[int]) -> None:
        known = len(set(columns)) == len(columns) and all(0 <= j < len(self.cardinalities) for j in columns)
        if not known or np.prod([float(self.cardinalities[j]) for j in columns]) > _LARGEST:
            what = f"columns must be different indices of its columns, with at most {_LARGEST:,} cells"
            raise ConfigError("graphical model", what, "Take other columns.")

    def pairs(self, largest: int = 1_000_000) -> dict[Pair, np.ndarray]:
        """Return the expected counts of every pair of columns a < b with at most `largest` cells."""
        tables = pair_tables(self.tree, self._beliefs, largest)
        return {pair: self.total * table for pair, table in tables.items()}

    def table(self, columns: Sequence[int]) -> np.ndarray:
        """Return the expected counts of a contingency table, one axis per column, also of columns in no clique.

        Raises:
            ConfigError: the columns are unknown, repeated or have too many cells.
        """
        self._require(columns)
        below: list[list[_Part]] = [[] for _ in self.tree.cliques]
        whole: list[_Part] = []
        for clique in range(len(below) - 1, -1, -1):  # children stand behind their parents
            part = self._eliminated(clique, below[clique], set(columns))
            if part is not None:
                parent = self.tree.parents[clique]
                (below[parent] if parent >= 0 else whole).append(part)
        return self.total * _contract(whole, list(columns))

    def _eliminated(self, clique: int, below: list[_Part], wanted: set[int]) -> _Part | None:
        """Return P(wanted columns at or below a clique | its separator), None if there are none.

        Arguments:
            clique: its index.
            below: the same of the cliques whose parent it is.
            wanted: columns.
        """
        entry, here = self.tree.separators[clique], self.tree.cliques[clique]
        found = {j for part in below for j in part[1]}
        if not below and not wanted & set(here) - set(entry):
            return None
        belief = self._beliefs[clique]
        axes = tuple(i for i, j in enumerate(here) if j not in entry)
        mass = belief.sum(axis=axes, keepdims=True)
        own = np.divide(belief, mass, out=np.zeros_like(belief), where=mass > 0)
        kept = [*entry, *sorted((wanted & (found | set(here))) - set(entry))]
        return _contract([(own, here), *below], kept), tuple(kept)

    def sample(self, rows: int, generator: np.random.Generator) -> np.ndarray:
        """Return independent rows of the model, (rows, columns) int64 codes.

        Arguments:
            rows: how many.
            generator: random generator of the rows, whose seed may be known.
        """
        codes = np.zeros((rows, len(self.cardinalities)), np.int64)
        for clique, separator, belief in zip(self.tree.cliques, self.tree.separators, self._beliefs, strict=True):
            new = [j for j in clique if j not in separator]
            order = [clique.index(j) for j in (*separator, *new)]
            table = belief.transpose(order).reshape(self.tree.size(separator), -1)
            given = np.zeros(rows, np.int64)
            for j in separator:
                given = given * self.cardinalities[j] + codes[:, j]
            sampled = _sampled_codes(table, given, generator)
            for j in reversed(new):
                sampled, codes[:, j] = np.divmod(sampled, self.cardinalities[j])
        return codes


def _total(tables: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """Return the number of rows, at least 1: the mean of the tables' sums, weighted by their inverse variance."""
    sums = [(float(values.sum()), float(variance.sum())) for values, variance in tables]
    precision = sum(1 / variance for _, variance in sums)
    return max(1.0, sum(value / variance for value, variance in sums) / precision)


def _contract(parts: Sequence[_Part], kept: Sequence[int]) -> np.ndarray:
    """Return the product of tables, summed over all columns but those that are kept, in their order."""
    label = {j: i for i, j in enumerate(dict.fromkeys(j for _, columns in parts for j in columns))}
    operands = [item for table, columns in parts for item in (table, [label[j] for j in columns])]
    table: np.ndarray = np.einsum(*operands, [label[j] for j in kept], optimize="greedy")
    return table


def _sampled_codes(table: np.ndarray, given: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Return one column index per row of `given`, a row index, with probability proportional to the table."""
    upto = np.cumsum(table, axis=1)
    whole = upto[:, -1:]
    upto = np.divide(upto, whole, out=np.ones_like(upto), where=whole > 0)
    upto[:, -1] = 1.0
    steps = (upto + np.arange(len(table))[:, None]).ravel()
    place = np.searchsorted(steps, given + generator.random(len(given)), side="right")
    sampled: np.ndarray = np.minimum(place - given * table.shape[1], table.shape[1] - 1)
    return sampled
