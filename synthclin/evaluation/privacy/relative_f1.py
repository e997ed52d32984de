"""Relative F1 score of a matching membership attack (El Emam et al. 2022)."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Attack, Found
from synthclin.evaluation.privacy.details import RelativeF1Details, success_rates
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, by_group, decisive, mover_interval
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData, PatientSample
    from synthclin.evaluation.score import Interval

__all__ = ["relative_f1"]

_BINS = 20
_MOST_DIFFERENCES = 10
_SHARE = 0.5
_SHARES = (0.01, 0.1, 0.5)
_BATCH = 50_000_000  # cells that are compared at a time

RELATIVE_F1 = Kind(
    name="privacy.relative_f1",
    question="How much better than claiming all patients is a matching attack?",
    better="lower",
    method=(
        "an attacker claims that a patient was in training if a synthetic row differs in at most h columns, numbers "
        "in 20 steps; F1 of the claims beyond that of claiming all patients, (F1 - F) / (1 - F) with F = 2t / (1 + "
        "t), for an attack set of which t = 0.5 took part; h from 0 to 10 or unlimited, chosen on half of the "
        "patients and judged on the others (El Emam, Mosquera and Fang, JAMIA Open 5:ooac083, 2022), interval from "
        "two Wilson intervals"
    ),
    section="privacy",
    label="Relative F1",
    unit="F1 of a matching attack, 0 is claiming all",
    ideal=0.0,
    details=RelativeF1Details,
    asked=questions.MEMBERSHIP,
    limit=Limit(
        "<=", 0.2, 0.3, f"0.2: El Emam et al. 2022; 0.3: {convention('intervals of small holdouts are wide')}", null=0.0
    ),
    needs=frozenset({"holdout"}),
    fail_text="membership of patients can be inferred",
    review_text="membership of patients may be inferred",
    action="Matching rows reveal membership.",
    answer=partial(success_rates, "Relative F1"),
    shared=RelativeF1Details.shared,
)


def beyond_naive(tpr: float, fpr: float, share: float = _SHARE) -> float:
    """Return (F1 - F) / (1 - F) from true and false positive rates, for a share of members.

    Example:
        >>> beyond_naive(1.0, 0.0), beyond_naive(1.0, 1.0)
        (1.0, 0.0)
    """
    claimed = share * tpr + (1 - share) * fpr
    f1 = 2 * share * tpr / (share + claimed)
    naive = 2 * share / (1 + share)
    return (f1 - naive) / (1 - naive)


def _measure(train: AttackTrials, control: AttackTrials, share: float = _SHARE) -> tuple[float, Interval]:
    return mover_interval(partial(beyond_naive, share=share), train, control)


def _match(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    book = Codebook.of(data.features, synthetic, bins=_BINS, min_rows=1, most=200)
    published = book.codes(data.features, synthetic).astype(np.uint8)
    train, control = ((side, _of_patients(book, data, side, published)) for side in data.attacked())
    columns = len(data.features)
    # Claiming all patients is the first attack, which `decisive` prefers unless another is clearly better.
    limits = {"all patients are claimed": columns}
    limits |= {f"at most {h} columns differ": h for h in range(min(_MOST_DIFFERENCES + 1, columns))}
    outcomes = [AttackOutcome(name, _claims(*train, h), _claims(*control, h), 0.0) for name, h in limits.items()]
    worst = decisive(outcomes, _measure)
    value, interval = _measure(worst.train, worst.control)
    others = {f"{share:g}": round(_measure(worst.train, worst.control, share)[0], 4) for share in _SHARES}
    return Found(
        value,
        interval,
        min(len(worst.train), len(worst.control)),
        (tr("A low F1 does not exclude an attacker who is certain about a few patients; see privacy.membership_tpr."),),
        {
            "strongest_attack": worst.name,
            "naive_baseline": 0.0,
            "members": worst.train.summary(),
            "non_members": worst.control.summary(),
            "by_share_of_members": others,
            **by_group(worst, data.groups, _measure),
            "attacks": [
                {
                    "name": outcome.name,
                    "members": outcome.train.summary(),
                    "non_members": outcome.control.summary(),
                    "value": round(_measure(outcome.train, outcome.control)[0], 4),
                }
                for outcome in outcomes
            ],
        },
    )


def _of_patients(
    book: Codebook, data: AttackData, side: PatientSample, published: NDArray[np.uint8]
) -> NDArray[np.float64]:
    """(patients,) Hamming distance of a patient's nearest row to the nearest synthetic row."""
    visits = side.visits
    codes = book.codes(data.features, visits.rows).astype(np.uint8)
    return -visits.largest(-_fewest_differences(codes, published).astype(np.float64))


def _claims(side: PatientSample, differences: NDArray[np.float64], most: int) -> AttackTrials:
    return AttackTrials(side, (differences <= most).astype(np.float64))


def _fewest_differences(rows: NDArray[np.uint8], published: NDArray[np.uint8]) -> NDArray[np.int64]:
    """(rows,) Hamming distance to the nearest synthetic row."""
    fewest = np.empty(len(rows), dtype=np.int64)
    batch = max(1, _BATCH // max(len(published), 1))
    for start in range(0, len(rows), batch):
        some = rows[start : start + batch]
        differ = np.zeros((len(some), len(published)), dtype=np.uint8)
        for j in range(rows.shape[1]):
            differ += some[:, j, None] != published[None, :, j]
        fewest[start : start + batch] = differ.min(axis=1)
    return fewest


relative_f1 = Attack(RELATIVE_F1, _match)
