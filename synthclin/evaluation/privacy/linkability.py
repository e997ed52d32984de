"""Linkability attack: records of two data sets are joined through common nearest synthetic rows."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import hypergeom

from synthclin.evaluation import questions
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Attack, Found, judged
from synthclin.evaluation.privacy.details import AttackDetails, success_rates
from synthclin.evaluation.privacy.distances import nearest
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, relative
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData, PatientSample

__all__ = ["linkability"]

_NEIGHBOURS = 5
_SPLITS = 4

LINKABILITY = Kind(
    name="privacy.linkability",
    question="Can two data sets about one patient be joined through the table?",
    better="lower",
    method=(
        "an attacker has some columns of a patient in one data set and the others in a second (the quasi-identifiers "
        "and the rest, or random halves of the columns, one of 4 for each patient) and links them where the 5 nearest"
        " synthetic rows of both parts have one in common; success rate t of members beyond c of non-members, R = (t "
        "- c) / (1 - c) (Anonymeter: Giomi et al., PoPETs 2023-0055), interval from two Wilson intervals"
    ),
    section="privacy",
    label="Linkability",
    unit="patients at risk in excess of non-members",
    ideal=0.0,
    scale="one in",
    details=AttackDetails,
    asked=questions.SINGLING_OUT,
    limit=Limit("<=", 0.05, 0.10, convention("CNIL and Anonymeter (Giomi et al. 2023) set no limit"), null=0.0),
    needs=frozenset({"holdout"}),
    fail_text="patients can be singled out or linked",
    review_text="patients may be singled out or linked",
    action="Two data sets of a patient can be linked by it.",
    answer=partial(success_rates, "Linkability"),
    shared=AttackDetails.shared,
)


def _link(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    columns = len(data.features)
    if columns < 2:
        return Found.nothing(tr("A single column cannot be split between two data sets."))
    k = min(_NEIGHBOURS, len(synthetic))
    naive = 1 - float(hypergeom.pmf(0, len(synthetic), k, k))
    splits = {"random halves of the columns": _halves(data)}
    if data.knowledge.declared and len(known := data.knowledge.keys[0]) < columns:
        splits["quasi-identifiers and the rest"] = [(known, tuple(j for j in range(columns) if j not in known))]
    train, control = (
        {name: AttackTrials(side, _linked(data, synthetic, side, parts, k)) for name, parts in splits.items()}
        for side in data.attacked()
    )
    outcomes = [AttackOutcome(name, train[name], control[name], naive) for name in splits]
    return judged(
        data, outcomes, relative, tr("The attack succeeds on nearly all non-members too, so no risk can be measured.")
    )


def _halves(data: AttackData) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Return random halves of the columns; the summaries of a column are in the half of the column."""
    rng = data.rng("linkability")
    features = data.features.columns
    names = list(dict.fromkeys(feature.summarised or feature.name for feature in features))
    places = [[j for j, each in enumerate(features) if (each.summarised or each.name) == name] for name in names]
    orders = [rng.permutation(len(names)).tolist() for _ in range(_SPLITS)]

    def part(columns: list[int]) -> tuple[int, ...]:
        return tuple(j for k in columns for j in places[k])

    return [(part(order[: len(order) // 2]), part(order[len(order) // 2 :])) for order in orders]


def _linked(
    data: AttackData,
    synthetic: NDArray[np.float64],
    side: PatientSample,
    splits: list[tuple[tuple[int, ...], tuple[int, ...]]],
    k: int,
) -> NDArray[np.float64]:
    """(patients,) whether both parts have a common neighbour; each patient is assigned to one split."""
    linked = np.zeros(len(side))
    assigned = np.arange(len(side)) % len(splits)
    for i, (first, second) in enumerate(splits):
        rows = side.rows[assigned == i]
        if len(rows):
            one, other = (nearest(data.features, part, synthetic, rows, k)[1] for part in (first, second))
            linked[assigned == i] = (one[:, :, None] == other[:, None, :]).any(axis=(1, 2))
    return linked


linkability = Attack(LINKABILITY, _link)
