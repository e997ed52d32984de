"""Attribute inference attack: prediction of a sensitive attribute from known attributes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.features import Features
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.learners import classifiers, learnable, regressors
from synthclin.evaluation.privacy.attack import Attack, Found, judged
from synthclin.evaluation.privacy.details import AttackDetails, success_rates
from synthclin.evaluation.privacy.distances import nearest
from synthclin.evaluation.privacy.equivalence_classes import similar
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, relative
from synthclin.language import tr

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData, PatientSample

__all__ = ["attribute_inference"]

_MOST_TRAINING = 2_000
_MOST_CLASSES = 10
_MIN_ROWS = 20
_TREES = 30

ATTRIBUTE_INFERENCE = Kind(
    name="privacy.attribute_inference",
    question="Can an attacker infer a sensitive attribute of a patient from known ones?",
    better="lower",
    method=(
        "a sensitive column of each patient is predicted from the quasi-identifiers, and from all other columns: by "
        "the nearest synthetic row, and by boosted trees trained on synthetic rows; a hit is the equal level, or a "
        "number within 5 %; R = (t - c) / (1 - c) of the strongest attack, chosen on half of the patients and judged "
        "on the others; t of members, c of non-members, whose risk is knowledge of the population (Anonymeter: Giomi "
        "et al., PoPETs 2023-0055), interval from two Wilson intervals"
    ),
    section="privacy",
    label="Attribute inference",
    unit="patients at risk in excess of non-members",
    ideal=0.0,
    scale="one in",
    details=AttackDetails,
    asked=questions.ATTRIBUTES,
    limit=Limit("<=", 0.05, 0.10, convention("CNIL and Anonymeter (Giomi et al. 2023) set no limit"), null=0.0),
    needs=frozenset({"holdout"}),
    fail_text="sensitive attributes can be inferred",
    review_text="sensitive attributes may be inferred",
    action="An attacker with some values of a member infers others better than for non-members.",
    answer=partial(success_rates, "Attribute inference"),
    shared=AttackDetails.shared,
)


def _infer(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    if len(data.features) < 2 or not data.knowledge.sensitive_columns:
        return Found.nothing(tr("There is no known column, or no sensitive one, for the attack."))
    train, control = data.attacked()
    sides = train, control
    outcomes = []
    for sensitive in data.knowledge.sensitive_columns:
        public = synthetic[~np.isnan(synthetic[:, sensitive])]
        if not len(public):
            continue
        known_sides = [side.where(~np.isnan(side.rows[:, sensitive])) for side in sides]
        column = data.features.names[sensitive]

        def trials_of(
            guesses: NDArray[np.float64],
            side: int,
            sensitive: int = sensitive,
            known: list[PatientSample] = known_sides,
        ) -> AttackTrials:
            hit = similar(data.features, sensitive, train.rows, known[side].rows[:, sensitive], guesses)
            return AttackTrials(known[side], hit.astype(float))

        constant = _constant_guess(data, public[:, sensitive], sensitive)
        naive = trials_of(np.full(len(known_sides[0]), constant), 0).rate
        for what, known in _known(data, sensitive).items():
            for how, guess in (("nearest row", _neighbour), ("boosted trees", _boosted_trees)):
                guesses = guess(data, public, known, sensitive, [side.rows for side in known_sides])
                if guesses:
                    trials = [trials_of(each, i) for i, each in enumerate(guesses)]
                    outcomes.append(AttackOutcome(f"{column} from {what}, {how}", trials[0], trials[1], naive))
    return judged(
        data, outcomes, relative, tr("The attack succeeds on nearly all non-members too, so no risk can be measured.")
    )


def _known(data: AttackData, sensitive: int) -> dict[str, tuple[int, ...]]:
    """Return the sets of known columns: all other columns, and the declared quasi-identifiers."""
    known = {"all other columns": tuple(j for j in range(len(data.features)) if j != sensitive)}
    if data.knowledge.declared and (keys := tuple(j for j in data.knowledge.keys[0] if j != sensitive)):
        known["quasi-identifiers"] = keys
    return known


def _constant_guess(data: AttackData, cells: NDArray[np.float64], sensitive: int) -> float:
    """Return the most frequent level or the median: the naive prediction for every patient."""
    if data.features.columns[sensitive].kind == "line":
        return float(np.median(cells))
    values, times = np.unique(cells, return_counts=True)
    return float(values[times.argmax()])


def _neighbour(
    data: AttackData, public: NDArray[np.float64], known: Sequence[int], sensitive: int, rows: list[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    return [public[nearest(data.features, known, public, each, 1)[1][:, 0], sensitive] for each in rows if len(each)]


def _boosted_trees(
    data: AttackData, public: NDArray[np.float64], known: Sequence[int], sensitive: int, rows: list[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """Return the predictions of boosted trees; empty where there are too few training rows."""
    public = subsample(public, _MOST_TRAINING, data.rng("learnt"))
    features = Features(tuple(data.features.columns[j] for j in known))
    columns, target = list(known), public[:, sensitive]
    if data.features.columns[sensitive].kind == "line":
        model = regressors(features, public[:, columns], trees=_TREES)["boosted trees"]
    else:
        values, times = np.unique(target, return_counts=True)
        frequent = values[np.argsort(-times, kind="stable")[:_MOST_CLASSES]]
        public = public[np.isin(target, frequent)]
        target = public[:, sensitive]
        model = classifiers(features, public[:, columns], trees=_TREES)["boosted trees"]
    if len(public) < _MIN_ROWS or len(np.unique(target)) < 2 or not all(map(len, rows)):
        return []
    model.fit(learnable(public[:, columns]), target)
    return [model.predict(each[:, columns]) for each in rows]


attribute_inference = Attack(ATTRIBUTE_INFERENCE, _infer)
