"""Pairs of columns: one minus the total variation distance of their joint distribution."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import StrictStr

from synthclin.evaluation.answers import reference_reached
from synthclin.evaluation.details import Details, Share
from synthclin.evaluation.disclosure import Published, round_to, round_to_or_none, rounding_step
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.fidelity.estimate import AGAINST, estimate_fidelity
from synthclin.evaluation.kind import Kind
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.score import Score

__all__ = ["PAIRS", "Agreement", "JointDetails", "pair_agreements", "pairs"]

_LEAST_STEP = 0.02


class Agreement(Details):
    """Agreement of the joint distribution of several columns, 0 to 1."""

    columns: list[StrictStr]
    """The columns."""
    value: Share
    """Agreement of synthetic with training rows."""
    reference: Share | None
    """Agreement of holdout with training rows; None without a holdout."""


class JointDetails(Details):
    """Details of joint distributions."""

    worst: list[Agreement]
    """The sets of columns that agree least, worst first."""

    def shared(self, published: Published) -> JointDetails:
        """Return rounded agreements."""
        size = max(rounding_step(published.train), _LEAST_STEP)
        return JointDetails(
            worst=[
                Agreement(
                    columns=one.columns,
                    value=min(1.0, round_to(one.value, size)),
                    reference=round_to_or_none(one.reference, size),
                )
                for one in self.worst
            ]
        )


PAIRS = Kind(
    name="fidelity.pairs",
    question="Do pairs of columns go together as in the real table?",
    better="higher",
    method=(
        "mean over pairs of columns of 1 - total variation distance of their joint distribution, numbers in at most 10 "
        f"quantile bins, rare levels pooled, missing as a level, {AGAINST} (contingency similarity: sdmetrics.dev)"
    ),
    section="fidelity",
    label="Pairs of columns",
    unit="mean agreement of pairs",
    ideal=1.0,
    details=JointDetails,
    fail_text="associations of columns differ",
    review_text="associations of columns may differ",
    action="Associations of columns are weaker or stronger than in real patients.",
    answer=reference_reached,
    counts="real",
    is_headline=True,
)


def pairs(c: Comparison) -> Score:
    """Score the joint distribution of each pair of columns."""
    if len(c.features) < 2:
        return PAIRS.unassessable(tr("There is only one column."))
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
