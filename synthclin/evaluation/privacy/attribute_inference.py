"""Attribute inference: does the table tell what an attacker wants to know of a patient they know in part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.features import Features
from synthclin.evaluation.learners import classifiers, learnable, regressors
from synthclin.evaluation.privacy.attack import Attack, Found, judged
from synthclin.evaluation.privacy.classes import similar
from synthclin.evaluation.privacy.distances import nearest
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, relative
from synthclin.evaluation.score import Definition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData, PatientSample

__all__ = ["attribute_inference"]

_MOST_LEARNT = 2_000
_MOST_CLASSES = 10
_MIN_ROWS = 20
_TREES = 30

ATTRIBUTE_INFERENCE = Definition(
    "privacy.attribute_inference",
    "Can an attacker learn a secret of someone they know in part?",
    "lower",
    "a sensitive column of each patient is guessed from the quasi-identifiers, and from all other columns: as the "
    "nearest synthetic row has it, and by boosted trees that learnt from synthetic rows; a level must be met, a number "
    "within 5 %; R = (t - c) / (1 - c) of the worst attack, chosen on half of the patients and judged on the others; "
    "what unused patients suffer too is knowledge of the population (Anonymeter: Giomi et al., PoPETs 2023-0055), "
    "interval from two Wilson intervals",
)


def _infer(scene: AttackData, synthetic: NDArray[np.float64]) -> Found:
    if len(scene.features) < 2 or not scene.knowledge.secrets:
        return Found.nothing("There is no column left that an attacker could know, or none that they could want.")
    synthetic = scene.published(synthetic)
    train, control = scene.attacked()
    sides = train, control
    outcomes = []
    for secret in scene.knowledge.secrets:
        public = synthetic[~np.isnan(synthetic[:, secret])]
        if not len(public):
            continue
        known_sides = [side.where(~np.isnan(side.rows[:, secret])) for side in sides]
        column = scene.features.names[secret]

        def right(
            guesses: NDArray[np.float64], side: int, secret: int = secret, known: list[PatientSample] = known_sides
        ) -> AttackTrials:
            met = similar(scene.features, secret, train.rows, known[side].rows[:, secret], guesses)
            return AttackTrials(known[side], met.astype(float))

        blind = _blind_guess(scene, public[:, secret], secret)
        naive = right(np.full(len(known_sides[0]), blind), 0).rate
        for what, known in _known(scene, secret).items():
            for how, guess in (("nearest row", _neighbour), ("boosted trees", _learnt)):
                guesses = guess(scene, public, known, secret, [side.rows for side in known_sides])
                if guesses:
                    trials = [right(each, i) for i, each in enumerate(guesses)]
                    outcomes.append(AttackOutcome(f"{column} from {what}, {how}", trials[0], trials[1], naive))
    return judged(
        scene, outcomes, relative, "Nearly every unused patient's secret is guessed too: nothing is left to lose."
    )


def _known(scene: AttackData, secret: int) -> dict[str, tuple[int, ...]]:
    """Return what the attacker knows: the quasi-identifiers where they are declared, and everything else."""
    known = {"all other columns": tuple(j for j in range(len(scene.features)) if j != secret)}
    if scene.knowledge.declared and (keys := tuple(j for j in scene.knowledge.keys[0] if j != secret)):
        known["quasi-identifiers"] = keys
    return known


def _blind_guess(scene: AttackData, cells: NDArray[np.float64], secret: int) -> float:
    """Return the most frequent level or the median: what is guessed of anybody."""
    if scene.features.columns[secret].kind == "line":
        return float(np.median(cells))
    values, times = np.unique(cells, return_counts=True)
    return float(values[times.argmax()])


def _neighbour(
    scene: AttackData, public: NDArray[np.float64], known: Sequence[int], secret: int, rows: list[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    return [public[nearest(scene.features, known, public, each, 1)[1][:, 0], secret] for each in rows if len(each)]


def _learnt(
    scene: AttackData, public: NDArray[np.float64], known: Sequence[int], secret: int, rows: list[NDArray[np.float64]]
) -> list[NDArray[np.float64]]:
    """Return what boosted trees guess; nothing where there is too little to learn from."""
    public = subsample(public, _MOST_LEARNT, scene.rng("learnt"))
    features = Features(tuple(scene.features.columns[j] for j in known))
    columns, target = list(known), public[:, secret]
    if scene.features.columns[secret].kind == "line":
        model = regressors(features, public[:, columns], trees=_TREES)["boosted trees"]
    else:
        values, times = np.unique(target, return_counts=True)
        frequent = values[np.argsort(-times, kind="stable")[:_MOST_CLASSES]]
        public = public[np.isin(target, frequent)]
        target = public[:, secret]
        model = classifiers(features, public[:, columns], trees=_TREES)["boosted trees"]
    if len(public) < _MIN_ROWS or len(np.unique(target)) < 2 or not all(map(len, rows)):
        return []
    model.fit(learnable(public[:, columns]), target)
    return [model.predict(each[:, columns]) for each in rows]


attribute_inference = Attack(ATTRIBUTE_INFERENCE, _infer)
