"""Sequential trees: each column given those before it, by regression trees with protected leaves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor

from synthclin.encoding import Encoded, Layout
from synthclin.encoding.layout import ColumnLayout
from synthclin.models.artifact import misfit
from synthclin.models.callbacks import TrainingEvent, TrainingMonitor
from synthclin.models.distributed import one_thread
from synthclin.models.generator.cross_validation import fold_numbers
from synthclin.models.protected_trees import GrownTree, Smoothing, grow
from synthclin.models.sequential_synthesizer import SequentialSynthesizer
from synthclin.schema import Schema
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.seeds import stream_seed

__all__ = ["Forest", "SequentialTrees", "TreeRows"]

FOLDED = 2_000
"""Rows from which one fold is enough to choose from; below, there are five."""

LEAST_LEAF = 5
"""Rows of a leaf at least."""

LEAF_FACTORS = (1, 2, 5)
"""Patients of a leaf at least, as multiples of the limit, from which out-of-fold rows choose."""

SMOOTHINGS = tuple(Smoothing(prior, small) for prior in (3.0, 12.0, 50.0) for small in (0.3, 3.0))
"""Smoothings of leaves from which out-of-fold rows choose."""

MOST_INDICATORS = 8
"""Levels of a column that a split can set apart; of more, splits also see the rank by frequency."""

MOST_NODES = 1 << 24
"""Nodes of a column in a model folder at most: larger numbers are no exact float32."""


@dataclass(frozen=True, slots=True)
class Forest:
    """Trees of one column, whose leaf distributions are averaged.

    Arguments:
        nodes: (nodes, 4) feature (-1 for a leaf), threshold, left child or number of the leaf, right child. Children
            come after their parent; rows at most the threshold go left.
        roots: (trees,) number of each tree's first node.
        leaves: (leaves, codes) probabilities.
    """

    nodes: Tensor
    roots: Tensor
    leaves: Tensor

    @classmethod
    def marginal(cls, share: Tensor) -> Forest:
        """Return a single leaf."""
        return cls(torch.tensor([[-1.0, 0.0, 0.0, 0.0]]), torch.zeros(1), share[None].float().clone())

    @classmethod
    def of(cls, grown: Sequence[GrownTree], distributions: Sequence[NDArray[np.float64]], least: int) -> Forest:
        """Return grown trees without nodes of fewer than `least` patients.

        Arguments:
            grown: the trees.
            distributions: (nodes, codes) probabilities of each.
            least: patients.
        """
        nodes, leaves, roots = [], [], []
        first = leaf = 0
        for tree, distribution in zip(grown, distributions, strict=True):
            kept = tree.kept(least)
            number = np.cumsum(kept) - 1 + first
            splits = kept & (tree.left >= 0)
            splits[splits] = kept[tree.left[splits]]
            table = np.zeros((len(kept), 4))
            table[:, 0] = np.where(splits, tree.feature, -1)
            table[:, 1] = np.where(splits, tree.threshold, 0)
            ends = kept & ~splits
            table[ends, 2] = leaf + np.arange(ends.sum())
            table[splits, 2], table[splits, 3] = number[tree.left[splits]], number[tree.right[splits]]
            nodes.append(table[kept])
            leaves.append(distribution[ends])
            roots.append(first)
            first, leaf = first + int(kept.sum()), leaf + int(ends.sum())
        found = (np.concatenate(nodes), np.array(roots), np.concatenate(leaves))
        return cls(*(torch.from_numpy(each).float() for each in found))

    def fits(self, features: int, codes: int) -> bool:
        """Whether every path ends in a leaf, splits see the first `features` features, and leaves have `codes`."""
        nodes, leaves = self.nodes, self.leaves
        shapes = nodes.ndim == leaves.ndim == 2 and self.roots.ndim == 1 and 0 < len(nodes) <= MOST_NODES
        if not shapes or nodes.shape[1] != 4 or leaves.shape[1] != codes or not len(self.roots):
            return False
        splits = nodes[:, 0] >= 0
        number = torch.arange(len(nodes))[splits, None]
        children, ends = nodes[splits][:, 2:], nodes[~splits, 2]
        whole = all(bool((each == each.round()).all()) for each in (nodes[:, [0, 2, 3]], self.roots))
        return whole and all(
            bool(each.all())
            for each in (
                nodes[:, 0] >= -1,
                nodes[:, 0] < features,
                children > number,
                children < len(nodes),
                (ends >= 0) & (ends < len(leaves)),
                (self.roots >= 0) & (self.roots < len(nodes)),
                leaves > 0,
            )
        )

    def probabilities(self, features: Tensor) -> Tensor:
        """Return the (codes, rows) probabilities of rows of (features, rows)."""
        feature, left, right = (self.nodes[:, k].long() for k in (0, 2, 3))
        threshold, rows = self.nodes[:, 1], torch.arange(features.shape[1])
        total = torch.zeros(features.shape[1], self.leaves.shape[1])
        for root in self.roots.long():
            node = root.expand(len(rows))
            split = feature[node]
            while bool((split >= 0).any()):
                goes_right = features[split.clamp(min=0), rows] > threshold[node]
                node = torch.where(split < 0, node, torch.where(goes_right, right[node], left[node]))
                split = feature[node]
            total += self.leaves[left[node]]
        return total.T.contiguous() / len(self.roots)


class TreeRows:
    """Row state of trees; a `synthclin.sampling.sequential.RowState`.

    Arguments:
        forests: by index of the column.
        features: by index of the column the (features, codes) values of each code.
        first: by index of the column the number of its first feature; columns before it have lower ones.
    """

    def __init__(self, forests: Sequence[Forest], features: Sequence[Tensor], first: Sequence[int]) -> None:
        self._forests, self._of_codes, self._first = forests, features, first
        self._features = torch.zeros(0, 0)

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any code."""
        self._features = torch.zeros(max(1, sum(len(each) for each in self._of_codes)), rows)

    def logits(self, column: int) -> Tensor:
        """Return the (codes, rows) log-probabilities of a column given the codes pushed before."""
        return self._forests[column].probabilities(self._features).log()

    def push(self, column: int, codes: Tensor) -> None:
        """Set the features of the (rows,) codes of a column."""
        of_codes = self._of_codes[column]
        self._features[self._first[column] : self._first[column] + len(of_codes)] = of_codes[:, codes]


class SequentialTrees(SequentialSynthesizer):
    """Sequential regression trees: each column given those sampled before it, fewest codes first.

    The method of the R package synthpop (Reiter 2005, Journal of Official Statistics 21:441-462; Nowok, Raab & Dibben
    2016, doi:10.18637/jss.v074.i11), with protected leaves: no leaf describes fewer patients than the limits, and it
    has probabilities instead of its patients' values. Codes that fewer patients of a leaf hold share a probability in
    proportion to that of the node above. The distribution of a node is shrunk towards that of the node above
    (hierarchical shrinkage, Agarwal et al. 2022, arXiv 2202.00858); out-of-fold rows choose for each column how much,
    and the least size of leaves. Several trees, each with a random half of the columns at a split, are averaged.

    It learns interactions, thresholds and structural missingness. Narrow dependences between two numbers are blurred.

    Arguments:
        schema: what the table means.
        trees: trees of each column; 1 is a CART model.
        random_state: seed of everything random in fitting.
        rare_category: a level held by fewer patients never enters the model.
        trim_extremes: how many of the most extreme values are described only together.

    Example:
        >>> import synthclin as sc
        >>> table, schema = sc.datasets.load("heart_disease")
        >>> model = sc.SequentialTrees(schema, trees=2, random_state=7).fit(table.head(100))
        >>> len(model.sample(10, where="age >= 65"))
        10
    """

    family: ClassVar[str] = "trees"
    is_calibrated: ClassVar[bool] = True
    cost: ClassVar[tuple[float, float]] = (0.25, 0.03)

    def __init__(
        self,
        schema: Schema,
        *,
        trees: Annotated[int, Field(ge=1, le=100)] = 10,
        random_state: Annotated[int, Field(ge=0)] = 0,
        rare_category: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
        trim_extremes: Annotated[int, Field(ge=0)] = MIN_PATIENTS,
    ) -> None:
        super().__init__(schema, random_state=random_state, rare_category=rare_category, trim_extremes=trim_extremes)
        self.trees = trees

    def _fit(
        self, encoded: Encoded, layout: Layout, monitor: TrainingMonitor, patient: NDArray[np.int64]
    ) -> dict[str, Any]:
        codes = encoded.codes.numpy()
        self.shares_ = self._marginal_shares(encoded.codes, layout)
        self._set_features(layout)
        rows = np.concatenate([self.features_[j].numpy()[:, codes[:, j]] for j in layout.order]).T
        rows = np.ascontiguousarray(rows, dtype=np.float32)
        self.forests_ = [Forest.marginal(share) for share in self.shares_]
        history: list[dict[str, Any]] = []
        done = 0
        for nodes, roots, leaves, line in monitor.saved or []:
            self.forests_[layout.order[self.given_ + done]] = Forest(nodes, roots, leaves)
            history.append(line)
            done += 1
        context, total = self.given_, len(layout)
        for place in range(context + done, total):
            column = layout.order[place]
            with one_thread():
                self.forests_[column], figures = self._forest(rows, codes, layout, column, patient)
            history.append({"phase": "trees", "step": place - context + 1, **figures})
            kept = [layout.order[k] for k in range(context, place + 1)]

            def state(kept: Sequence[int] = kept) -> list[tuple[Tensor, Tensor, Tensor, dict[str, Any]]]:
                forests = [self.forests_[j] for j in kept]
                return [(f.nodes, f.roots, f.leaves, line) for f, line in zip(forests, history, strict=True)]

            monitor.keep(state, last=place + 1 == total)
            if monitor.stops(TrainingEvent("trees", place - context + 1, total - context, figures)):
                break
        return {
            "parameters": sum(forest.leaves.numel() for forest in self.forests_),
            "plan": {"trees": self.trees},
            "history": history,
        }

    def _forest(
        self,
        rows: NDArray[np.float32],
        codes: NDArray[np.int64],
        layout: Layout,
        column: int,
        patient: NDArray[np.int64],
    ) -> tuple[Forest, dict[str, float]]:
        """Return the trees of a column, and the out-of-fold negative log-likelihood of it, in nats per row."""
        limit = max(self.rare_category, self.trim_extremes, 1)
        share, about = self.shares_[column].double().numpy(), layout.columns[column]
        features = np.ascontiguousarray(rows[:, : self.first_[column]])
        own = codes[:, column]
        marginal = float(np.log(share)[own].mean())
        if not features.shape[1] or len(share) < 2 or len(own) < 2 * max(limit, LEAST_LEAF):
            return Forest.marginal(self.shares_[column]), {"validation_nll": round(-marginal, 5)}
        fold = fold_numbers(patient, 5, self.random_state)
        folds = range(min(int(fold.max()) + 1, 5 if len(own) < FOLDED else 1))
        sizes = [factor * max(limit, LEAST_LEAF) for factor in LEAF_FACTORS]

        def grown(part: NDArray[np.bool_], stream: int) -> list[GrownTree]:
            return [
                grow(
                    features[part],
                    own[part],
                    patient[part],
                    about,
                    share,
                    least=max(limit, LEAST_LEAF),
                    limit=limit,
                    share=1.0 if self.trees == 1 else 0.5,
                    seed=stream_seed(self.random_state, "trees", column, stream, tree) % 2**32,
                )
                for tree in range(self.trees)
            ]

        gain = np.zeros((len(SMOOTHINGS), len(sizes)))
        counted = 0
        for k in folds:
            trees = grown(fold != k, k + 1)
            outside = fold == k
            truth, counted = own[outside], counted + int(outside.sum())
            reached = [tree.leaf(features[outside]) for tree in trees]
            for i, smoothing in enumerate(SMOOTHINGS):
                distributions = [tree.distributions(smoothing) for tree in trees]
                for s, size in enumerate(sizes):
                    chance = np.mean(
                        [
                            distribution[tree.ending(size)[leaf], truth]
                            for tree, distribution, leaf in zip(trees, distributions, reached, strict=True)
                        ],
                        axis=0,
                    )
                    gain[i, s] += float(np.log(chance / share[truth]).sum())
        best = np.unravel_index(gain.argmax(), gain.shape)
        if gain[best] <= 0:
            return Forest.marginal(self.shares_[column]), {"validation_nll": round(-marginal, 5)}
        trees = grown(np.ones(len(own), dtype=np.bool_), 0)
        smoothing, size = SMOOTHINGS[best[0]], sizes[best[1]]
        forest = Forest.of(trees, [tree.distributions(smoothing) for tree in trees], size)
        nll = -marginal - float(gain[best]) / counted
        return forest, {"validation_nll": round(nll, 5), "leaf": float(size), "prior": smoothing.prior}

    def _set_features(self, layout: Layout) -> None:
        """Set the features of each column's codes, which splits see, and the number of its first."""
        self.features_ = [_features(c, share) for c, share in zip(layout.columns, self.shares_, strict=True)]
        sizes = [len(self.features_[j]) for j in layout.order]
        self.first_ = [0] * len(layout)
        for place, column in enumerate(layout.order):
            self.first_[column] = sum(sizes[:place])

    def _row_state(self, generator: torch.Generator) -> TreeRows:  # noqa: ARG002 - nothing in it is random
        return TreeRows(self.forests_, self.features_, self.first_)

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        tensors = {f"share.{j}": share for j, share in enumerate(self.shares_)}
        for j, forest in enumerate(self.forests_):
            tensors |= {f"nodes.{j}": forest.nodes, f"roots.{j}": forest.roots, f"leaves.{j}": forest.leaves}
        return tensors, {"given": self.given_} if self.given_ else {}

    def _restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], layout: Layout) -> None:
        given = facts.get("given", 0)
        parts = ("share", "nodes", "roots", "leaves")
        names = {f"{part}.{j}" for part in parts for j in range(len(layout))}
        if set(facts) - {"given"} or type(given) is not int or not 0 <= given <= len(layout) or names != set(tensors):
            raise misfit()
        self.given_ = given
        self.shares_ = [tensors[f"share.{j}"] for j in range(len(layout))]
        sizes = zip(self.shares_, layout.cardinalities, strict=True)
        if not all(share.shape == (size,) and bool((share > 0).all()) for share, size in sizes):
            raise misfit()
        self._set_features(layout)
        self.forests_ = [Forest(*(tensors[f"{part}.{j}"] for part in parts[1:])) for j in range(len(layout))]
        fits = zip(self.forests_, self.first_, layout.cardinalities, strict=True)
        if not all(forest.fits(first, size) for forest, first, size in fits):
            raise misfit()


def _features(column: ColumnLayout, share: Tensor) -> Tensor:
    """Return what splits see of each code, (features, codes): its number, or level indicators and rank by frequency."""
    codes = len(share)
    if column.kind == "ordered" or codes < 3:
        return torch.arange(codes).float()[None]
    by_share = share.argsort(descending=True, stable=True)
    indicators = torch.eye(codes)[by_share[:MOST_INDICATORS]]
    return indicators if codes <= MOST_INDICATORS else torch.cat([indicators, by_share.argsort().float()[None]])
