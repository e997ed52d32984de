"""Joint distributions: pairs and triples of columns, associations, category pairs unseen in training."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.association import associations, changes
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.fidelity import estimate_fidelity
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.score import Definition, Interval, Score
from synthclin.seeds import numpy_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity import FidelityEstimate
    from synthclin.evaluation.spread import Against

__all__ = ["association_changes", "pair_agreements", "pairs", "triples", "unseen_pairs"]

_MOST_ROWS = 20_000
_MOST_TRIPLES = 100
_MOST_LEVELS = 30
_TRIPLE_BINS = 5
_DEPENDENT = 0.03  # mean absolute association of a column beyond its sampling error

_AGAINST = "against as many training rows, mean of 10 random halves of the real rows"
PAIRS = Definition(
    "fidelity.pairs",
    "Do pairs of columns go together as in the real table?",
    "higher",
    "mean over pairs of columns of 1 - total variation distance of their joint distribution, numbers in at most 10 "
    f"quantile bins, rare levels pooled, missing as a level, {_AGAINST} (contingency similarity: SDMetrics)",
)
TRIPLES = Definition(
    "fidelity.triples",
    "Do three columns at a time go together as in the real table?",
    "higher",
    f"mean over at most {_MOST_TRIPLES} random triples of columns, the same for every seed, of 1 - total variation "
    f"distance of their joint distribution, numbers in {_TRIPLE_BINS} quantile bins, rare levels pooled, missing as a "
    f"level, {_AGAINST} (k-marginal score: NIST SDNist; Task, Bhagat and Howarth 2023)",
)
ASSOCIATIONS = Definition(
    "fidelity.associations",
    "Are associations between columns lost or invented?",
    "lower",
    "mean over pairs of columns of the absolute difference of their association (Spearman's correlation, "
    f"bias-corrected Cramer's V or the correlation ratio on ranks, by type), small ones included, {_AGAINST} "
    "(Bergsma, J Korean Stat Soc 42:323-328, 2013)",
)
UNSEEN_PAIRS = Definition(
    "fidelity.unseen_pairs",
    "Do rows have combinations of levels that no real patient has?",
    "lower",
    "share of rows with a category pair unseen in training: levels of two columns that no row of a random half of the "
    "real rows has together, though each level is there; mean of 10 halves; interval no narrower than Wilson's "
    "(structural zeros: Hu, Reiter and Wang, arXiv:1402.6696)",
)


def pairs(c: Comparison) -> Score:
    """Score the joint distribution of each pair of columns."""
    if len(c.features) < 2:
        return PAIRS.unassessable("There is only one column.")
    first, second = np.triu_indices(len(c.features), 1)

    def measure(real: NDArray[np.float64]) -> Against:
        codebook = Codebook.of(c.features, real)

        def joint(rows: NDArray[np.float64]) -> NDArray[np.float64]:
            return _joint(codebook.one_hot(codebook.codes(c.features, rows)))

        of_real = joint(real)
        return lambda other: pair_agreements(of_real, joint(other), codebook.cardinalities)[first, second]

    found = estimate_fidelity(c, measure, "pairs")
    worst = np.argsort(found.parts, kind="stable")[:10]
    names = c.features.names
    return found.score(
        PAIRS,
        details={
            "worst": [
                {
                    "columns": [names[first[i]], names[second[i]]],
                    "value": found.parts[i],
                    "reference": found.reference_parts[i],
                }
                for i in worst
            ]
        },
    )


def _joint(one_hot: NDArray[np.float32]) -> NDArray[np.float64]:
    return (one_hot.T @ one_hot).astype(np.float64) / len(one_hot)


def pair_agreements(
    real: NDArray[np.float64], other: NDArray[np.float64], cardinalities: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the (columns, columns) matrix of 1 - total variation distance.

    Arguments:
        real: (codes, codes) shares of rows with both codes, for all codes of all columns.
        other: the same of the other table.
        cardinalities: the number of codes of each column.
    """
    starts = np.concatenate([[0], np.cumsum(cardinalities)[:-1]])
    gaps = np.add.reduceat(np.add.reduceat(np.abs(real - other), starts, axis=0), starts, axis=1)
    # Sums in single precision may slightly exceed 2.
    agreement: NDArray[np.float64] = (1 - gaps / 2).clip(0, 1)
    return agreement


def triples(c: Comparison) -> Score:
    """Score the joint distribution of three columns at a time."""
    columns = len(c.features)
    if columns < 3:
        return TRIPLES.unassessable("There are fewer than three columns.")
    # The same triples for every seed: the choice of columns is no sampling error of the rows.
    chosen = _triples(columns, numpy_generator(0, "evaluation", "triples"))

    def measure(real: NDArray[np.float64]) -> Against:
        codebook = Codebook.of(c.features, real, bins=_TRIPLE_BINS, most=10)
        sizes = np.array(codebook.cardinalities)

        def shares(rows: NDArray[np.float64]) -> list[NDArray[np.float64]]:
            codes = np.asfortranarray(codebook.codes(c.features, rows))
            cells = ((codes[:, x] * sizes[y] + codes[:, y]) * sizes[z] + codes[:, z] for x, y, z in chosen)
            return [
                np.bincount(cell, minlength=int(sizes[list(three)].prod())) / len(rows)
                for cell, three in zip(cells, chosen, strict=True)
            ]

        of_real = shares(real)
        return lambda other: np.array(
            [1 - np.abs(a - b).sum() / 2 for a, b in zip(of_real, shares(other), strict=True)]
        )

    found = estimate_fidelity(c, measure, "triples")
    worst = np.argsort(found.parts, kind="stable")[:10]
    return found.score(
        TRIPLES,
        details={
            "worst": [
                {
                    "columns": [c.features.names[j] for j in chosen[i]],
                    "value": found.parts[i],
                    "reference": found.reference_parts[i],
                }
                for i in worst
            ]
        },
    )


def _triples(columns: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """Return all triples of columns, or 100 random ones where there are more."""
    if columns * (columns - 1) * (columns - 2) // 6 <= _MOST_TRIPLES:
        return list(combinations(range(columns), 3))
    return [tuple(np.sort(rng.choice(columns, 3, replace=False)).tolist()) for _ in range(_MOST_TRIPLES)]


def association_changes(c: Comparison) -> Score:
    """Score the mean absolute change of associations; the details list those lost and invented."""
    if len(c.features) < 2:
        return ASSOCIATIONS.unassessable("There is only one column.")
    upper = np.triu_indices(len(c.features), 1)

    def measure(real: NDArray[np.float64]) -> Against:
        codebook = Codebook.of(c.features, real)
        of_real = associations(c.features, codebook, real)
        # An association that cannot be computed in the other table, as of a constant column, counts as 0.
        return lambda other: np.abs(np.nan_to_num(associations(c.features, codebook, other)) - of_real)[upper]

    found = estimate_fidelity(c, measure, "associations", high=2.0)
    # The matrices are of whole tables, to limit spurious associations of few rows.
    train = subsample(c.train, _MOST_ROWS, c.rng("associations", "train"))
    codebook = Codebook.of(c.features, train)
    real = associations(c.features, codebook, train)
    matrices = [
        np.nan_to_num(associations(c.features, codebook, subsample(rows, _MOST_ROWS, c.rng("associations", "draw", i))))
        for i, rows in enumerate(c.replicates)
    ]
    synthetic = np.mean(matrices, axis=0)
    known = ~np.isnan(found.parts)
    details: dict[str, Any] = {
        "columns": c.features.names,
        "real": real.round(4),
        "synthetic": synthetic.round(4),
        "mean_change_synthetic": found.value,
        "mean_change_reference": found.reference,
        "largest_change_synthetic": found.parts[known].max() if known.any() else None,
        "largest_change_reference": np.nan
        if np.isnan(found.reference_parts).all()
        else np.nanmax(found.reference_parts),
    }
    details["worst_column"] = _worst_column(c.features.names, found)
    return found.score(ASSOCIATIONS, details=details | changes(c.features, real, synthetic))


def _worst_column(names: tuple[str, ...], found: FidelityEstimate) -> dict[str, Any] | None:
    """Return the column that has lost most of its dependence on others, of those that depend on others clearly.

    ``lost`` is the share of the way from its real-data reference to its independence baseline.
    """
    first, second = np.triu_indices(len(names), 1)
    rows: list[dict[str, Any]] = []
    for j, name in enumerate(names):
        of_column = (first == j) | (second == j)
        parts = [each[of_column] for each in (found.parts, found.reference_parts, found.baseline_parts)]
        known = ~np.isnan(parts).any(axis=0)
        if not known.any():
            continue
        value, reference, baseline = (float(each[known].mean()) for each in parts)
        if baseline - reference > _DEPENDENT:
            lost = (value - reference) / (baseline - reference)
            rows.append({"column": name, "lost": lost, "value": value, "reference": reference, "baseline": baseline})
    return max(rows, key=lambda row: row["lost"], default=None)


def unseen_pairs(c: Comparison) -> Score:
    """Score the share of rows with a category pair unseen in training."""
    labels = np.flatnonzero(~c.features.is_numeric)
    if len(labels) < 2:
        return UNSEEN_PAIRS.unassessable("Fewer than two columns have levels.")
    few = [j for j in labels if 1 < len(c.features.columns[j].levels) <= _MOST_LEVELS]
    if len(few) < 2:
        return UNSEEN_PAIRS.unassessable(f"Fewer than two columns have 2 to {_MOST_LEVELS} levels.")
    sizes = np.array([len(c.features.columns[j].levels) for j in few])
    starts = np.concatenate([[0], np.cumsum(sizes)])

    def one_hot(rows: NDArray[np.float64]) -> NDArray[np.float32]:
        out = np.zeros((len(rows), int(starts[-1])), dtype=np.float32)
        for start, j in zip(starts[:-1], few, strict=True):
            here = np.flatnonzero(~np.isnan(rows[:, j]))
            out[here, start + rows[here, j].astype(int)] = 1
        return out

    def unseen(real: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(levels, levels) mask of the unseen pairs of two seen levels."""
        together = real.T @ real
        seen = together.diagonal() > 0
        pairs_unseen: NDArray[np.bool_] = (together == 0) & seen[:, None] & seen[None, :]
        return pairs_unseen

    def share(real: NDArray[np.float64]) -> Against:
        mask = unseen(one_hot(real)).astype(np.float32)

        def share_unseen(other: NDArray[np.float64]) -> NDArray[np.float64]:
            rows = one_hot(other)
            return np.array([((rows @ mask) * rows).any(axis=1).mean()])

        return share_unseen

    found = estimate_fidelity(c, share, "unseen pairs")
    # Few unseen pairs decide the score, and a count of 0 has no variance between parts: Wilson's interval is a minimum.
    counted = wilson(found.value * len(c.synthetic), len(c.synthetic))
    low, high = found.interval(UNSEEN_PAIRS.better)
    ends = Interval(min(low, counted.low), max(high, counted.high))
    real, synthetic = one_hot(c.train), one_hot(c.synthetic)
    count = np.triu(unseen(real) * (synthetic.T @ synthetic))
    most = [
        (int(a), int(b))
        for a, b in zip(*np.unravel_index(np.argsort(-count, axis=None)[:10], count.shape), strict=True)
    ]
    level_of = [(c.features.names[j], str(level)) for j in few for level in c.features.columns[j].levels]
    return found.score(
        UNSEEN_PAIRS,
        interval=ends,
        notes=["A category pair that is unseen in these real rows may still be possible."],
        details={
            "pairs": [
                {
                    "columns": [level_of[a][0], level_of[b][0]],
                    "levels": [level_of[a][1], level_of[b][1]],
                    "rows": int(count[a, b]),
                }
                for a, b in most
                if count[a, b] > 0
            ]
        },
    )
