"""Membership from the model file: do the rows that a model learnt seem likelier to it than rows that it never saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.features import Codebook
from synthclin.evaluation.privacy.attack_data import TOP_DECILE, AttackData, why_not
from synthclin.evaluation.privacy.distances import nearest
from synthclin.evaluation.privacy.membership import risks_only
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, area, by_group, decisive, ranks
from synthclin.evaluation.roc import roc_points, true_positive_rate
from synthclin.evaluation.score import Definition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Features
    from synthclin.evaluation.score import Score

__all__ = ["MODEL_MEMBERSHIP", "model_membership"]

_ALIKE = 20
_BINS = 40  # with 20 the attack loses 0.01 to 0.03 of its AUC, with 80 nothing is gained
_FEWEST = 10

MODEL_MEMBERSHIP = Definition(
    "privacy.model_membership",
    "Can someone who holds the model file tell who was in the training data?",
    "lower",
    "AUC of the best of three attacks by someone who holds the model file, training patients against the holdout: the "
    "likelihood of a patient's row under the model (Yeom et al., CSF 2018, arXiv:1709.01604), how far it exceeds what "
    "its columns are worth on their own, and how far that excess exceeds that of the 20 most similar real rows, "
    "because rare rows are unlikely whoever they are of (difficulty calibration: Watson et al., ICLR 2022, "
    "arXiv:2111.08440); chosen on half of the patients and judged on the others; 0.5 is a coin toss; Newcombe "
    "interval; it speaks of the model file and not of the table",
)


def model_membership(
    c: Comparison, members: NDArray[np.float64], others: NDArray[np.float64], *, by: Sequence[str] = ()
) -> Score:
    """Score how well the likelihoods of a model tell its training patients from others.

    Arguments:
        c: the tables; the synthetic one plays no part.
        members: (rows,) log-likelihood of each training row under the model, in nats.
        others: (rows,) the same of each holdout row.
        by: columns in whose groups patients are attacked too.

    Returns:
        The score; ``deciles`` among its details attack patients of one tenth by how much they stand alone, from the
        most common to the rarest, None where a tenth holds too few.
    """
    reason = why_not(c)
    if reason:
        return MODEL_MEMBERSHIP.unassessable(reason, n=len(others))
    data = AttackData.of(c, by)
    train, control = data.attacked()
    told = np.concatenate([members[train.places], others[control.places]])
    rows = np.vstack([train.rows, control.rows])
    beyond = told - _alone(data.features, rows)
    says = {
        "excess over similar rows": beyond - _around(data.features, rows, beyond),
        "excess over single columns": beyond,
        "likelihood": told,
    }
    outcomes = [
        AttackOutcome(name, AttackTrials(train, placed[: len(train)]), AttackTrials(control, placed[len(train) :]), 0.5)
        for name, placed in ((name, ranks(said)) for name, said in says.items())
    ]
    worst = decisive(outcomes, area)
    value, interval = area(worst.train, worst.control)
    scores = np.concatenate([worst.train.hit, worst.control.hit])
    member = np.arange(len(scores)) < len(worst.train)
    return MODEL_MEMBERSHIP.score(
        value,
        interval,
        n=len(control),
        notes=[
            f"A random {len(train):,} of {len(data.train):,} patients are attacked."
            if len(train) < len(data.train)
            else ""
        ],
        details={
            "attack": worst.name,
            "naive": 0.5,
            "null": 0.5,
            **risks_only(by_group(worst, data.groups, area)),
            "attacks": [{"name": each.name, "value": round(area(each.train, each.control)[0], 4)} for each in outcomes],
            "deciles": [_decile(worst, decile) for decile in range(TOP_DECILE + 1)],
            "tpr_at_1_percent": true_positive_rate(scores, member, 0.01),
            "tpr_at_10_percent": true_positive_rate(scores, member, 0.10),
            "roc": roc_points(scores, member),
            "members": len(train),
            "controls": len(control),
        },
    )


def _alone(features: Features, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows,) log-likelihood of each row were its columns unrelated; whose side a row is on plays no part."""
    codes = Codebook.of(features, rows, bins=_BINS).codes(features, rows)
    parts = [np.log(np.bincount(column)[column] / len(rows)) for column in codes.T]
    alone: NDArray[np.float64] = np.sum(parts, axis=0)
    return alone


def _around(features: Features, rows: NDArray[np.float64], told: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows,) the mean of what is told of the most similar other rows, whichever side they are on."""
    _, places = nearest(features, range(len(features)), rows, rows, _ALIKE + 1)
    itself = places == np.arange(len(rows))[:, None]
    # Of many equal rows none of those found may be the row itself.
    itself[~itself.any(axis=1), -1] = True
    around: NDArray[np.float64] = np.where(itself, 0.0, told[places]).sum(axis=1) / (places.shape[1] - 1)
    return around


def _decile(outcome: AttackOutcome, decile: int) -> dict[str, Any] | None:
    """Return the area among patients of one tenth, or None where there are too few."""
    train, control = (side.where(side.side.decile == decile) for side in (outcome.train, outcome.control))
    if min(len(train), len(control)) < _FEWEST:
        return None
    value, (low, high) = area(train, control)
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}
