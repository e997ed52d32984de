"""Regression trees whose nodes describe enough patients, with smoothed distributions of codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from sklearn.tree import DecisionTreeRegressor

from synthclin.models.generator.code_features import code_scores

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.layout import ColumnLayout

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

__all__ = ["GrownTree", "Smoothing", "grow"]

DEEPEST = 14
"""Splits on a path at most."""

MOST_BLOCKS = 16
"""Blocks of neighbouring codes in a node at most."""

LEAST = 1e-12
"""Least probability of a code: float32 holds it, and its logarithm is a number."""

THRESHOLDS = 7
"""Quantiles at which the distribution function of an ordered column is a response of the regression."""


@dataclass(frozen=True, slots=True)
class Smoothing:
    """How the distribution of a node follows from its rows and the node above.

    Arguments:
        prior: rows for which the distribution of the node above counts.
        small: rows for which codes count that fewer patients than the limit hold, whatever their number; fewer where
            the node above expects fewer.
    """

    prior: float
    small: float


@dataclass(frozen=True, slots=True)
class GrownTree:
    """A tree with what its training rows say at each node; children come after their parent, the first is the root.

    Arguments:
        tree: the fitted regression tree.
        feature, threshold, left, right: (nodes,) of each split; -1 as children where there is none.
        parent, depth: (nodes,); the root is its own parent.
        patients: (nodes,) number of patients.
        rows: (nodes, codes) number of rows with each code.
        held: (nodes, codes) number of patients with each code.
        share: (codes,) protected marginal shares.
        neighbours: number of codes that have an order, from the first on; 0 for levels.
        limit: smallest number of patients behind a probability.
    """

    tree: DecisionTreeRegressor
    feature: Ints
    threshold: Floats
    left: Ints
    right: Ints
    parent: Ints
    depth: Ints
    patients: Ints
    rows: Floats
    held: Ints
    share: Floats
    neighbours: int
    limit: int

    def leaf(self, features: NDArray[np.float32]) -> Ints:
        """Return the (rows,) last node of each row of (rows, features)."""
        return np.asarray(self.tree.apply(features), dtype=np.int64)

    def kept(self, least: int) -> NDArray[np.bool_]:
        """Return (nodes,) which nodes are left if no node has fewer than `least` patients."""
        enough = self.patients >= least
        inner = self.left >= 0
        both = np.zeros(len(inner), dtype=np.bool_)
        both[inner] = enough[self.left[inner]] & enough[self.right[inner]]
        kept = both[self.parent]
        kept[0] = True
        for depth in range(1, int(self.depth.max()) + 1):
            kept[self.depth == depth] &= kept[self.parent[self.depth == depth]]
        return kept

    def ending(self, least: int) -> Ints:
        """Return (nodes,) the last node on the path to each node that `kept` leaves."""
        kept = self.kept(least)
        last = np.arange(len(kept))
        for depth in range(1, int(self.depth.max()) + 1):
            here = np.flatnonzero((self.depth == depth) & ~kept)
            last[here] = last[self.parent[here]]
        return last

    def distributions(self, smoothing: Smoothing) -> Floats:
        """Return the (nodes, codes) smoothed distribution of each node.

        A code that enough patients hold has its own probability. Of other codes, blocks of neighbours that enough
        patients hold have one, and the rest together: within each, codes share it in proportion to the node above.
        No probability depends on a number of patients below the limit, be it 0 or not.
        """
        found = np.empty(self.rows.shape)
        found[0] = self.share
        for depth in range(1, int(self.depth.max()) + 1):
            here = np.flatnonzero(self.depth == depth)
            above = found[self.parent[here]]
            size = self.rows[here].sum(1, keepdims=True)
            own = self._masses(here, above, size, smoothing.small)
            own *= size / own.sum(1, keepdims=True)
            found[here] = (own + smoothing.prior * above) / (size + smoothing.prior)
        return np.asarray(np.maximum(found / found.sum(1, keepdims=True), LEAST))

    def _masses(self, here: Ints, above: Floats, size: Floats, small: float) -> Floats:
        """Return the (nodes, codes) rows of each code that the distributions of some nodes rest on."""
        rows, held = self.rows[here], self.held[here]
        single = held >= self.limit
        blocks = np.clip(size / (2 * max(self.limit, 5)), 1, MOST_BLOCKS).astype(np.int64)
        # Block 0 is the rest: codes without an order, and neighbours that too few patients hold.
        block = np.zeros(rows.shape, dtype=np.int64)
        if self.neighbours:
            weight = np.where(single, 0, above)[:, : self.neighbours]
            middle = (weight.cumsum(1) - weight / 2) / np.maximum(weight.sum(1, keepdims=True), 1e-300)
            block[:, : self.neighbours] = 1 + np.minimum(middle * blocks, blocks - 1).astype(np.int64)
        count = MOST_BLOCKS + 1
        cell = np.arange(len(here))[:, None] * count + block

        def total(values: Floats | Ints) -> Floats:
            return np.bincount(cell.ravel(), np.where(single, 0.0, values).ravel(), len(here) * count).astype(
                np.float64
            )

        enough = total(held) >= self.limit
        cell = np.where(enough[cell], cell, np.arange(len(here))[:, None] * count)
        counted, expected = total(rows), total(above)
        unknown = total(held) < self.limit
        counted = np.where(unknown, np.minimum(small, expected * np.repeat(size[:, 0], count)), counted)
        ratio = counted / np.maximum(expected, 1e-300)
        return np.where(single, rows, above * ratio[cell])


def grow(
    features: NDArray[np.float32],
    codes: Ints,
    patient: Ints,
    column: ColumnLayout,
    shares: Floats,
    *,
    least: int,
    limit: int,
    share: float,
    seed: int,
) -> GrownTree:
    """Return a regression tree of the scores of a column's codes.

    Arguments:
        features: (rows, features).
        codes: (rows,) of the column.
        patient: (rows,) number of each row's patient.
        column: what the codes are.
        shares: (codes,) protected marginal shares.
        least: rows of a leaf at least.
        limit: smallest number of patients behind a probability.
        share: of the features that a split may choose from, at random.
        seed: of this choice.
    """
    tree = DecisionTreeRegressor(
        min_samples_leaf=least, max_depth=DEEPEST, max_features=share, random_state=seed, min_impurity_decrease=1e-9
    )
    tree.fit(features, _responses(column, shares)[codes])
    built = tree.tree_
    left, right = (np.asarray(side, dtype=np.int64) for side in (built.children_left, built.children_right))
    inner = np.flatnonzero(left >= 0)
    parent, depth = np.zeros(len(left), dtype=np.int64), np.zeros(len(left), dtype=np.int64)
    parent[left[inner]] = parent[right[inner]] = inner
    for node in range(1, len(left)):
        depth[node] = depth[parent[node]] + 1
    path = tree.decision_path(features)
    node = path.indices.astype(np.int64)
    row = np.repeat(np.arange(len(codes)), np.diff(path.indptr))
    cells = node * len(shares) + codes[row]
    rows = np.bincount(cells, minlength=len(left) * len(shares)).reshape(len(left), -1)
    several = (np.bincount(patient) > 1)[patient[row]]
    patients = _patients(node, patient[row], several, len(left))
    held = _patients(cells, patient[row], several, rows.size).reshape(rows.shape)
    ordered = column.kind == "ordered"
    neighbours = (len(shares) if column.missing is None else column.missing) if ordered else 0
    threshold, feature = np.asarray(built.threshold), np.asarray(built.feature, dtype=np.int64)
    return GrownTree(
        tree, feature, threshold, left, right, parent, depth, patients, rows.astype(np.float64), held, shares,
        neighbours, limit,
    )  # fmt: skip


def _patients(place: Ints, patient: Ints, several: NDArray[np.bool_], places: int) -> Ints:
    """Return the (places,) number of patients with a row there.

    Arguments:
        place: (rows,) where each row is.
        patient: (rows,) number of its patient.
        several: (rows,) whether the patient has further rows; only these are searched for patients met twice.
        places: how many there are.
    """
    alone = np.bincount(place[~several], minlength=places)
    names = 1 + int(patient.max(initial=0))
    met = np.unique(place[several] * names + patient[several]) // names
    return np.asarray(alone + np.bincount(met, minlength=places), dtype=np.int64)


def _responses(column: ColumnLayout, shares: Floats) -> Floats:
    """Return the (codes, responses) scores of each code that a regression tree predicts.

    Of an ordered column the indicators of values up to quantiles, as in the continuous ranked probability score, and
    of *missing*; of levels their standardised indicators.
    """
    codes = np.arange(len(shares))
    if column.kind != "ordered" or len(shares) < 3:
        return code_scores(column, torch.from_numpy(shares).float()).double().numpy()
    present = np.ones(len(shares), dtype=np.bool_)
    if column.missing is not None:
        present[column.missing] = False
    cumulative = np.where(present, shares, 0).cumsum() / shares[present].sum()
    cuts = np.unique(np.searchsorted(cumulative[present], (np.arange(THRESHOLDS) + 1) / (THRESHOLDS + 1)))
    cuts = cuts[cuts < present.sum() - 1]
    below = np.where(present[:, None], codes[:, None] <= cuts, cumulative[cuts])
    responses = np.column_stack([below, *([~present] if not present.all() else [])]).astype(np.float64)
    centred = responses - shares @ responses / shares.sum()
    return np.asarray(centred / np.maximum(np.sqrt(shares @ centred**2), 0.1))
