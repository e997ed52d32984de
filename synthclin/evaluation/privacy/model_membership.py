"""Membership inference from the model file: likelihoods of members against those of non-members."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.privacy.attack_data import TOP_DECILE, AttackData, why_not
from synthclin.evaluation.privacy.details import MembershipDetails, success_rates
from synthclin.evaluation.privacy.distances import nearest
from synthclin.evaluation.privacy.membership import risks_only
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, area, by_group, decisive, ranks
from synthclin.evaluation.roc import roc_points, true_positive_rate
from synthclin.language import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Features
    from synthclin.evaluation.privacy.attack_data import PatientSample
    from synthclin.evaluation.score import Score

__all__ = ["MODEL_MEMBERSHIP", "likelihood_scores", "model_membership"]

_ALIKE = 20
_BINS = 40  # with 20 the attack loses 0.01 to 0.03 of its AUC, with 80 nothing is gained
_FEWEST = 10

MODEL_MEMBERSHIP = Kind(
    name="privacy.model_membership",
    question="Can someone who has the model file tell who was in the training data?",
    better="lower",
    method=(
        "AUC of the best of three attacks by someone who has the model file, members against non-members "
        "(holdout): the log-likelihood of a patient's row under the model (Yeom et al., CSF 2018, "
        "arXiv:1709.01604), its excess over that of independent columns, and the excess of that over the mean of "
        "the 20 most similar real rows, because rare rows have low likelihoods, members or not (difficulty "
        "calibration: Watson et al., ICLR 2022, arXiv:2111.08440); the mean over the rows of a patient; chosen on"
        " half of the patients and judged on the others; 0.5 is chance; Newcombe interval; a risk of the model "
        "file and not of the table"
    ),
    section="privacy",
    label="Likelihood under the model",
    unit="AUC, 0.5 is chance",
    ideal=0.0,
    details=MembershipDetails,
    asked=questions.MODEL_MEMBERSHIP,
    needs=frozenset({"holdout", "model"}),
    fail_text="the model file reveals members",
    review_text="the model file may reveal members",
    action="The model file reveals membership.",
    answer=partial(success_rates, "Likelihood under the model"),
    shared=MembershipDetails.shared,
)


def model_membership(
    c: Comparison, members: NDArray[np.float64], others: NDArray[np.float64], *, by: Sequence[str] = ()
) -> Score:
    """Score membership inference by the likelihoods of a model.

    Arguments:
        c: the tables; the synthetic one is not used.
        members: (rows,) log-likelihood of each training row under the model, in nats.
        others: (rows,) the same for each holdout row.
        by: columns in whose groups the attack is repeated.

    Returns:
        The score; its detail ``deciles`` has the AUC within each outlier decile, from the most common patients to the
        outliers, None where a decile has too few patients.
    """
    reason = why_not(c)
    if reason:
        return MODEL_MEMBERSHIP.unassessable(reason, n=len(others))
    data = AttackData.of(c, by)
    train, control = data.attacked()
    attack_scores = likelihood_scores(data, train, control, members, others)
    outcomes = [
        AttackOutcome(name, AttackTrials(train, placed[: len(train)]), AttackTrials(control, placed[len(train) :]), 0.5)
        for name, placed in ((name, ranks(scores)) for name, scores in attack_scores.items())
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
            tr(
                "A random {attacked} of {patients} patients are attacked.",
                attacked=f"{len(train):,}",
                patients=f"{len(data.train):,}",
            )
            if len(train) < len(data.train)
            else ""
        ],
        details=MembershipDetails.of(
            {
                "strongest_attack": worst.name,
                "naive_baseline": 0.5,
                "null": 0.5,
                **risks_only(by_group(worst, data.groups, area)),
                "attacks": [
                    {"name": each.name, "value": round(area(each.train, each.control)[0], 4)} for each in outcomes
                ],
                "deciles": [_decile(worst, decile) for decile in range(TOP_DECILE + 1)],
                "tpr_at_1_percent": true_positive_rate(scores, member, 0.01),
                "tpr_at_10_percent": true_positive_rate(scores, member, 0.10),
                "roc": roc_points(scores, member),
                "n_members": len(train),
                "n_non_members": len(control),
            }
        ),
    )


def likelihood_scores(
    data: AttackData,
    train: PatientSample,
    control: PatientSample,
    members: NDArray[np.float64],
    others: NDArray[np.float64],
) -> dict[str, NDArray[np.float64]]:
    """Return the (patients,) scores of each attack, members first: the mean over the rows of a patient.

    No attack is told who is a member.

    Arguments:
        data: the columns.
        train: the members.
        control: the non-members.
        members: (rows,) log-likelihood of each row of the members' table.
        others: (rows,) the same for the non-members.
    """
    sides = train.visits, control.visits
    rows = np.vstack([side.rows for side in sides])
    log_likelihood = np.concatenate([members[sides[0].places], others[sides[1].places]])
    excess = log_likelihood - _independent_log_likelihood(data.features, rows)
    by_row = {
        "likelihood calibrated on similar rows": excess - _neighbour_mean(data.features, rows, excess),
        "likelihood ratio to independent columns": excess,
        "likelihood": log_likelihood,
    }
    first = len(sides[0].rows)
    return {
        name: np.concatenate([sides[0].mean(scores[:first]), sides[1].mean(scores[first:])])
        for name, scores in by_row.items()
    }


def _independent_log_likelihood(features: Features, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows,) log-likelihood of each row under independent columns, fitted to members and non-members together."""
    codes = Codebook.of(features, rows, bins=_BINS).codes(features, rows)
    parts = [np.log(np.bincount(column)[column] / len(rows)) for column in codes.T]
    total: NDArray[np.float64] = np.sum(parts, axis=0)
    return total


def _neighbour_mean(features: Features, rows: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows,) the mean value of the 20 nearest other rows, members or not."""
    _, places = nearest(features, range(len(features)), rows, rows, _ALIKE + 1)
    itself = places == np.arange(len(rows))[:, None]
    # Among many equal rows, the row itself may not be found.
    itself[~itself.any(axis=1), -1] = True
    means: NDArray[np.float64] = np.where(itself, 0.0, values[places]).sum(axis=1) / (places.shape[1] - 1)
    return means


def _decile(outcome: AttackOutcome, decile: int) -> dict[str, Any] | None:
    """Return the AUC among patients of one decile, or None where there are too few."""
    train, control = (side.where(side.side.decile == decile) for side in (outcome.train, outcome.control))
    if min(len(train), len(control)) < _FEWEST:
        return None
    value, (low, high) = area(train, control)
    return {"value": round(value, 4), "low": round(low, 4), "high": round(high, 4)}
