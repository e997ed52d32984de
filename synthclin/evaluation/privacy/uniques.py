"""Replicated uniques (RepU) and disclosive keys (DiSCO) of synthpop (Raab, Nowok and Dibben 2024)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import nan
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Attack, Found, judged
from synthclin.evaluation.privacy.details import UniquesDetails, success_rates
from synthclin.evaluation.privacy.equivalence_classes import counted, numbered, stepped
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, difference
from synthclin.language import tr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData, PatientSample

__all__ = ["disclosive_keys", "replicated_uniques"]

_SOURCE = "(Raab, Nowok and Dibben, arXiv:2406.16826; synthpop), interval from two Wilson intervals"

REPLICATED_UNIQUES = Kind(
    name="privacy.replicated_uniques",
    question="Are patients with unique quasi-identifiers unique in the table too?",
    better="lower",
    method=(
        "RepU: share of members whose quasi-identifiers no other member has and exactly one synthetic row has, minus "
        f"the same share of non-members, as if they had taken part {_SOURCE}"
    ),
    section="privacy",
    label="Replicated uniques (RepU)",
    unit="patients in excess of non-members",
    ideal=0.0,
    scale="one in",
    details=UniquesDetails,
    asked=questions.SINGLING_OUT,
    limit=Limit(
        "<=", 0.01, 0.03, convention("0.01 is the sampling error of a rate of 0.01 among 300 patients"), null=0.0
    ),
    needs=frozenset({"holdout"}),
    fail_text="patients can be singled out or linked",
    review_text="patients may be singled out or linked",
    action="Unique patients appear as unique rows.",
    answer=partial(success_rates, "Replicated uniques (RepU)"),
    shared=UniquesDetails.shared,
)
DISCLOSIVE_KEYS = Kind(
    name="privacy.disclosive_keys",
    question="Do all rows that match a patient have the patient's sensitive value?",
    better="lower",
    method=(
        "DiSCO: share of members for whom all synthetic rows with their quasi-identifiers have one sensitive value, "
        f"theirs, minus the same share of non-members; numbers in 20 quantile bins {_SOURCE}"
    ),
    section="privacy",
    label="Disclosive keys (DiSCO)",
    unit="patients in excess of non-members",
    ideal=0.0,
    scale="one in",
    details=UniquesDetails,
    asked=questions.ATTRIBUTES,
    limit=Limit(
        "<=", 0.01, 0.03, convention("0.01 is the sampling error of a rate of 0.01 among 300 patients"), null=0.0
    ),
    needs=frozenset({"holdout"}),
    fail_text="sensitive attributes can be inferred",
    review_text="sensitive attributes may be inferred",
    action="All synthetic rows that match a patient agree on the sensitive attribute.",
    answer=partial(success_rates, "Disclosive keys (DiSCO)"),
    shared=UniquesDetails.shared,
)


def _keys(
    data: AttackData, synthetic: NDArray[np.float64], side: PatientSample
) -> Iterator[tuple[NDArray[np.intp], tuple[int, ...], list[NDArray[np.int64]]]]:
    """Yield for each set of keys: the places of its assigned patients, the keys, the class numbers of all tables."""
    assigned = np.arange(len(side)) % len(data.knowledge.keys)
    for i, keys in enumerate(data.knowledge.keys):
        place, train = np.flatnonzero(assigned == i), data.train.rows
        yield place, keys, numbered(*stepped(data.features, keys, train, side.rows[place], train, synthetic))


def _replicate(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    if not data.knowledge.keys:
        return Found.nothing(tr("There is no known column for the attack."))

    def unique(side: PatientSample) -> tuple[AttackTrials, AttackTrials]:
        is_unique, replicated = np.zeros(len(side)), np.zeros(len(side))
        for place, _, (own, train, published) in _keys(data, synthetic, side):
            # A non-member is unique if no member has the same key.
            is_unique[place] = counted(own, train) == int(side is data.train)
            replicated[place] = is_unique[place] * (counted(own, published) == 1)
        return AttackTrials(side, is_unique), AttackTrials(side, replicated)

    (original, train), (_, control) = unique(data.train), unique(data.control)
    found = judged(
        data, [AttackOutcome("replicated uniques", train, control, nan)], difference, tr("There are no patients.")
    )
    return _with(found, data, unique_in_training=original.summary())


def _disclose(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    if not data.knowledge.sensitive_columns or not data.knowledge.keys:
        return Found.nothing(tr("There is no known column, or no sensitive one, for the attack."))

    def disclosed(side: PatientSample, sensitive: int) -> AttackTrials:
        hit = np.zeros(len(side))
        for place, keys, (own, _, published) in _keys(data, synthetic, side):
            if sensitive in keys:
                continue
            truth, guesses = stepped(data.features, [sensitive], data.train.rows, side.rows[place], synthetic)
            low, high = _ends(published, np.nan_to_num(guesses[:, 0], nan=-np.inf), max(own.max(initial=0), 0))
            mine = np.nan_to_num(truth[:, 0], nan=-np.inf)
            hit[place] = (low[own] == mine) & (high[own] == mine) & ~np.isnan(truth[:, 0])
        return AttackTrials(side, hit)

    outcomes = [
        AttackOutcome(
            data.features.names[sensitive], disclosed(data.train, sensitive), disclosed(data.control, sensitive), nan
        )
        for sensitive in data.knowledge.sensitive_columns
    ]
    return _with(judged(data, outcomes, difference, tr("There are no patients.")), data)


def _ends(
    classes: NDArray[np.int64], values: NDArray[np.float64], most: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(classes,) the smallest and the largest value of each class; they differ for an empty class."""
    size = int(max(classes.max(initial=0), most)) + 1
    low, high = np.full(size, np.inf), np.full(size, -np.inf)
    np.minimum.at(low, classes, values)
    np.maximum.at(high, classes, values)
    return low, high


def _with(found: Found, data: AttackData, **details: object) -> Found:
    return replace(found, notes=(*found.notes, data.knowledge.note), details=found.details | details)


replicated_uniques = Attack(REPLICATED_UNIQUES, _replicate)
disclosive_keys = Attack(DISCLOSIVE_KEYS, _disclose)
