"""Triples of columns: the k-marginal score of three columns at a time."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.features import Codebook
from synthclin.evaluation.fidelity.estimate import AGAINST, estimate_fidelity
from synthclin.evaluation.fidelity.pairs import JointDetails
from synthclin.evaluation.kind import Kind
from synthclin.language import tr
from synthclin.seeds import numpy_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.score import Score

__all__ = ["TRIPLES", "triples"]

_MOST_TRIPLES = 100
_TRIPLE_BINS = 5

TRIPLES = Kind(
    name="fidelity.triples",
    question="Do three columns at a time go together as in the real table?",
    better="higher",
    method=(
        f"mean over at most {_MOST_TRIPLES} random triples of columns, the same for every seed, of 1 - total variation"
        f" distance of their joint distribution, numbers in {_TRIPLE_BINS} quantile bins, rare levels pooled, missing "
        f"as a level, {AGAINST} (k-marginal score: NIST SDNist; Task, Bhagat and Howarth 2023)"
    ),
    section="fidelity",
    label="Triples of columns",
    unit="mean agreement",
    ideal=1.0,
    details=JointDetails,
    shared=JointDetails.shared,
    counts="real",
)


def triples(c: Comparison) -> Score:
    """Score the joint distribution of three columns at a time."""
    columns = len(c.features)
    if columns < 3:
        return TRIPLES.unassessable(tr("There are fewer than three columns."))
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
