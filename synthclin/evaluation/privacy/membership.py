"""Membership inference attack on the synthetic table: density, nearest row, shared exact values and an ensemble."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from synthclin.evaluation import questions
from synthclin.evaluation.intervals import partition
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Attack, Found
from synthclin.evaluation.privacy.details import MembershipDetails
from synthclin.evaluation.privacy.neighbourhood import Neighbourhood
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, by_group, decisive
from synthclin.evaluation.privacy.shared_values import shared_surprisal
from synthclin.evaluation.roc import auc, auc_interval, roc_points, true_positive_rate
from synthclin.evaluation.score import Interval
from synthclin.language import tr
from synthclin.wording import share

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData, PatientSample, Visits

__all__ = ["ROUNDS", "area", "membership", "ranked", "risks_only"]

ROUNDS = 2
"""How often each member is in an outcome: once against each half of the non-members."""
_FOLDS = 5

MEMBERSHIP = Kind(
    name="privacy.membership",
    question="Can someone tell who was in the training data?",
    better="lower",
    method=(
        "AUC of the best of four attacks by someone who knows the synthetic table and half of the holdout, "
        "members against the other half (non-members), both ways round: density of synthetic rows relative to "
        "real rows around a patient (DOMIAS: van Breugel et al., AISTATS 2023, arXiv:2302.12580), the distance to"
        " the nearest of all synthetic rows, the rarity of exact numbers shared with one synthetic row in any "
        "columns, and a logistic ensemble of all in several sets of columns, cross-validated (after MIDST 2025); "
        "a patient with several rows has their largest score; the best attack is chosen on half of the patients "
        "and judged on the others, both ways (cross-fitting: Chernozhukov et al., Econom J 21:C1-C68, 2018), so "
        "the maximum over attacks is not biased upwards; 0.5 is chance; Newcombe interval for the smaller number "
        "of members and non-members on both sides"
    ),
    section="privacy",
    label="Membership inference",
    unit="AUC of the attack, 0.5 is chance",
    ideal=0.5,
    details=MembershipDetails,
    asked=questions.MEMBERSHIP,
    limit=Limit("<=", 0.55, 0.60, convention("0.05 above chance (0.5) is a weak advantage"), null=0.5),
    needs=frozenset({"holdout"}),
    fail_text="membership of patients can be inferred",
    review_text="membership of patients may be inferred",
    action="An attacker with a reference sample infers membership better than chance.",
    answer=lambda score: tr(
        "Of one member (training patient) and one non-member, the attack scores the member higher in {share}; "
        "50\u00a0% is chance.",
        share=share(score.value),
    ),
    shared=MembershipDetails.shared,
)


def area(train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return the AUC of attack scores, which take the place of hits; each member is there once per round.

    The interval uses the smaller number of patients for both sides, because the choice of the attack and the fit of the
    ensemble add variance.
    """
    scores = np.concatenate([train.hit, control.hit])
    value = float(auc(scores, np.arange(len(scores)) < len(train))[0])
    side = min(len(train) // ROUNDS, len(control))
    return value, auc_interval(value, side, side)


def ranked(data: AttackData, synthetic: NDArray[np.float64]) -> list[AttackOutcome]:
    """Return the scores of each attack for each patient, 0 to 1; a non-member is scored once.

    The attacker knows one half of the non-members, and the other half is compared with the members; then the halves
    change roles. No patient is known and scored at the same time.
    """
    return data.once("membership", lambda: _ranked(data, synthetic), synthetic)


def _ranked(data: AttackData, synthetic: NDArray[np.float64]) -> list[AttackOutcome]:
    train, control = (_Side.of(data, synthetic, side) for side in data.attacked())
    halves = partition(len(control.patients), ROUNDS, data.rng("membership", "halves"))
    rounds = []
    for known, judged in ((halves[0], halves[1]), (halves[1], halves[0])):
        sides = train, control.where(judged)
        reference = control.patients.rows[known]
        around = [
            Neighbourhood.of(data, synthetic, reference, side.visits.rows, closest=side.closest) for side in sides
        ]
        folds = data.rng("membership", "folds")
        attack_scores = {
            "density ratio": [
                side.visits.largest(near.density_ratio) for side, near in zip(sides, around, strict=True)
            ],
            "nearest row": [side.visits.largest(near.nearness) for side, near in zip(sides, around, strict=True)],
            "shared exact values": [side.visits.largest(side.shared) for side in sides],
            "ensemble": _ensemble([_features(*each) for each in zip(sides, around, strict=True)], folds),
        }
        rounds.append((sides[1].patients, {name: _ranks(*scores) for name, scores in attack_scores.items()}))
    return [_outcome(name, train.patients, rounds) for name in rounds[0][1]]


@dataclass(frozen=True, slots=True)
class _Side:
    """Members or non-members with all their rows.

    Arguments:
        patients: one row of each.
        visits: all rows of each.
        closest: (sets, rows, neighbours) as `Neighbourhood.closest`.
        shared: (rows,) as `shared_surprisal`.
    """

    patients: PatientSample
    visits: Visits
    closest: NDArray[np.float64]
    shared: NDArray[np.float64]

    @classmethod
    def of(cls, data: AttackData, synthetic: NDArray[np.float64], patients: PatientSample) -> _Side:
        visits = patients.visits
        shared = shared_surprisal(synthetic, visits.rows, data.features.is_numeric)
        return cls(patients, visits, Neighbourhood.closest(data, synthetic, visits.rows), shared)

    def where(self, chosen: NDArray[np.intp]) -> _Side:
        """Return a subset of the patients, in their order."""
        patients, here = self.patients.where(chosen), np.isin(self.visits.patient, chosen)
        return _Side(patients, patients.visits, self.closest[:, here], self.shared[here])


def _features(side: _Side, near: Neighbourhood) -> NDArray[np.float64]:
    """(patients, features) input of the ensemble: the largest and the mean of a patient's rows."""
    rows = np.column_stack([near.features, side.shared])
    if not side.visits.repeated:
        return rows
    largest = np.column_stack([side.visits.largest(column) for column in rows.T])
    return np.hstack([largest, side.visits.mean(rows)])


def _outcome(
    name: str, train: PatientSample, rounds: list[tuple[PatientSample, dict[str, list[NDArray[np.float64]]]]]
) -> AttackOutcome:
    members = [AttackTrials(train, scores[name][0]) for _, scores in rounds]
    others = [AttackTrials(side, scores[name][1]) for side, scores in rounds]
    return AttackOutcome(name, members[0].and_then(members[1]), others[0].and_then(others[1]), 0.5)


def _ensemble(features: list[NDArray[np.float64]], rng: np.random.Generator) -> list[NDArray[np.float64]]:
    """Return out-of-fold scores of a logistic model: a strong attacker, who knows some members."""
    member = np.repeat([1, 0], [len(each) for each in features])
    folds = min(_FOLDS, *np.bincount(member))
    if folds < 2:
        return [np.zeros(len(each)) for each in features]
    model = make_pipeline(
        StandardScaler(), LogisticRegression(C=0.1, class_weight="balanced", solver="newton-cholesky")
    )
    split = StratifiedKFold(folds, shuffle=True, random_state=int(rng.integers(2**31)))
    scores = cross_val_predict(model, np.vstack(features), member, cv=split, method="decision_function")
    return np.split(scores, [len(features[0])])


def _ranks(members: NDArray[np.float64], others: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return scores as ranks among non-members: all attacks and rounds have one scale of false positive rates."""
    ordered = np.sort(others)
    return [
        (np.searchsorted(ordered, scores, "left") + np.searchsorted(ordered, scores, "right")) / (2 * len(ordered))
        for scores in (members, others)
    ]


def _curve(outcome: AttackOutcome) -> list[tuple[float, float]]:
    scores = np.concatenate([outcome.train.hit, outcome.control.hit])
    return roc_points(scores, np.arange(len(scores)) < len(outcome.train))


def _attack(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    outcomes = ranked(data, synthetic)
    worst = decisive(outcomes, area)
    value, interval = area(worst.train, worst.control)
    scores = np.concatenate([worst.train.hit, worst.control.hit])
    member = np.arange(len(scores)) < len(worst.train)
    return Found(
        value,
        interval,
        len(worst.control),
        (),
        {
            "strongest_attack": worst.name,
            "naive_baseline": 0.5,
            **risks_only(by_group(worst, data.groups, area)),
            "attacks": [
                {"name": outcome.name, "value": round(area(outcome.train, outcome.control)[0], 4)}
                for outcome in outcomes
            ],
            "tpr_at_1_percent": true_positive_rate(scores, member, 0.01),
            "tpr_at_10_percent": true_positive_rate(scores, member, 0.10),
            "roc": _curve(worst),
            "curves": [{"name": outcome.name, "roc": _curve(outcome)} for outcome in outcomes],
            "n_members": len(worst.train) // ROUNDS,
            "n_non_members": len(worst.control),
        },
    )


def risks_only(found: dict[str, Any]) -> dict[str, Any]:
    """Return the result of `by_group` without success rates, which an attack that only ranks does not have."""

    def area_only(row: dict[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in row.items() if key not in {"members", "non_members"}}

    outliers = found["top_decile_outliers"]
    return {
        "top_decile_outliers": None if outliers is None else area_only(outliers),
        "groups": [area_only(row) for row in found["groups"]],
    }


membership = Attack(MEMBERSHIP, _attack, null=0.5)
