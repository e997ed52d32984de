"""Does the table give its patients away: rows copied from training patients, and who took part in training."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammaln
from sklearn.neighbors import NearestNeighbors

from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.features import Coordinates
from synthclin.evaluation.intervals import deal, wilson
from synthclin.evaluation.roc import auc, auc_interval, roc_points, true_positive_rate
from synthclin.evaluation.score import Definition, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = ["copies", "membership"]

MIN_PATIENTS = 20
_MOST_MEMBERS = 5_000
_MOST_CONTROLS = 5_000
_MOST_SYNTHETIC = 50_000
_NEIGHBOURS = 5
_BLUR = 1e-3  # distances below it count as none: it keeps the logarithm finite where a row is copied

COPIES = Definition(
    "privacy.copies",
    "Are synthetic rows copies of patients?",
    "lower",
    "share of synthetic rows that equal a training row in every modelled column, at schema precision; Wilson interval; "
    "a smoke test that can raise an alarm and never gives an all-clear (DCR Delusion: Yao et al., arXiv:2505.01524)",
)
MEMBERSHIP = Definition(
    "privacy.membership",
    "Can someone tell who was in the training data?",
    "lower",
    "AUC of a density-ratio attack that knows the synthetic table and half of the holdout: distance to the nearest "
    "synthetic row against mean distance to the 5 nearest known patients, training patients against the other half of "
    "the holdout, mean of both ways round; 0.5 is a coin toss; Newcombe interval with as many patients on each side as "
    "the holdout has (DOMIAS: van Breugel et al., AISTATS 2023, arXiv:2302.12580)",
)


_REFERENCES = (
    "The floor is the attack on shuffled training columns, which know no patient; the ceiling is the attack on real "
    "rows that the model never saw, a third of the holdout at a time."
)


def copies(c: Comparison) -> Score:
    """Score how many synthetic rows stand in the training table."""
    rows = [c.synthetic, c.train, c.shuffled] + ([] if c.holdout is None else [c.holdout])
    numbers = np.split(_numbered(np.vstack(rows)), np.cumsum([len(each) for each in rows])[:-1])
    synthetic, train, shuffled = numbers[:3]
    holdout = None if c.holdout is None else numbers[3]
    in_train = _counts(synthetic, train)
    copied = int((in_train > 0).sum())
    repeated = int((in_train > 1).sum())
    details: dict[str, Any] = {"copies": copied, "copies_of_repeated_rows": repeated}
    if holdout is not None:
        m = min(len(holdout), len(train))
        details["equal_size"] = {
            "rows": m,
            "train": _chance_of_being_drawn(in_train, len(train), m).mean(),
            "holdout": _chance_of_being_drawn(_counts(synthetic, holdout), len(holdout), m).mean(),
        }
    return COPIES.score(
        copied / len(synthetic),
        wilson(copied, len(synthetic)),
        n=len(synthetic),
        floor=float(np.isin(shuffled, train).mean()),
        ceiling=None if holdout is None else float(np.isin(holdout, train).mean()),
        notes=[
            _repeats_note(copied, repeated),
            "The ceiling is the share of held-out real rows that equal a training row." if holdout is not None else "",
        ],
        details=details,
    )


def _repeats_note(copied: int, repeated: int) -> str:
    if not repeated:
        return ""
    return f"{repeated} of the {copied} copies equal several training rows each, so they point to no one patient."


def _numbered(rows: NDArray[np.float64]) -> NDArray[np.int64]:
    """(rows,) a number for each row, the same for equal rows; missing equals missing."""
    same = np.ascontiguousarray(np.where(np.isnan(rows), np.inf, rows))  # no cell is infinite
    whole = same.view(np.dtype((np.void, same.dtype.itemsize * same.shape[1]))).ravel()
    return np.unique(whole, return_inverse=True)[1].astype(np.int64)


def _counts(numbers: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.int64]:
    """(rows,) how many rows of the other table each row equals."""
    counts = np.bincount(among, minlength=int(max(numbers.max(), among.max())) + 1)
    return counts[numbers]


def _chance_of_being_drawn(count: NDArray[np.int64], n: int, m: int) -> NDArray[np.float64]:
    """Return the chance that `m` of `n` rows, drawn without replacement, hold at least one of `count` equal ones."""
    left = n - count
    possible = left >= m
    left = np.where(possible, left, m)
    none = np.exp(gammaln(left + 1) - gammaln(left - m + 1) - gammaln(n + 1) + gammaln(n - m + 1))
    return np.where(possible, 1 - none, 1.0)


@dataclass(frozen=True, slots=True)
class _Attack:
    """The outcome of an attack: mean area, and what each row scored (members once for each way round)."""

    area: float
    scores: NDArray[np.float64]
    member: NDArray[np.bool_]


def membership(c: Comparison) -> Score:
    """Score how well an attacker tells training patients from others."""
    if c.holdout is None or c.holdout_patients is None:
        return MEMBERSHIP.unassessable("There is no holdout: nobody is known to have been left out of training.")
    patients = int(c.holdout_patients.max()) + 1
    if patients < MIN_PATIENTS:
        return MEMBERSHIP.unassessable(f"The holdout has fewer than {MIN_PATIENTS} patients.", n=len(c.holdout))
    members = subsample(c.train, _MOST_MEMBERS, c.rng("membership", "members"))
    hands = deal(patients, 2, c.rng("membership", "halves"))
    halves = [_rows_of(c, hand) for hand in hands]
    attack = _attack(c, c.synthetic, members, halves)
    side = min(patients, int(c.train_patients.max()) + 1, len(members))
    return MEMBERSHIP.score(
        attack.area,
        auc_interval(attack.area, side, side),
        n=side,
        floor=_attack(c, c.shuffled, members, halves).area,
        ceiling=_fresh(c, members, patients),
        notes=[
            _REFERENCES,
            "Among so few patients a false alarm rate of 1 % rests on fewer than 3 of them." if side < 300 else "",
        ],
        details={
            "tpr_at_1_percent": true_positive_rate(attack.scores, attack.member, 0.01),
            "tpr_at_10_percent": true_positive_rate(attack.scores, attack.member, 0.10),
            "roc": roc_points(attack.scores, attack.member),
            "members": len(members),
            "controls": sum(len(half) for half in halves),
        },
    )


def _rows_of(c: Comparison, patients: NDArray[np.intp]) -> NDArray[np.float64]:
    """(rows, columns) the holdout rows of some of its patients."""
    assert c.holdout is not None
    assert c.holdout_patients is not None
    return subsample(c.holdout[np.isin(c.holdout_patients, patients)], _MOST_CONTROLS, c.rng("membership", "controls"))


def _attack(
    c: Comparison, synthetic: NDArray[np.float64], members: NDArray[np.float64], halves: list[NDArray[np.float64]]
) -> _Attack:
    """Attack with each half of the holdout as what the attacker knows, and the other as those who were left out."""
    synthetic = subsample(synthetic, _MOST_SYNTHETIC, c.rng("membership", "synthetic"))
    # Ranks among synthetic rows: what the attacker sees, and as far from members as from others.
    space = Coordinates.of(c.features, synthetic)
    published = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(space.place(synthetic))
    points = [space.place(rows) for rows in (members, *halves)]
    near = [_log_distance(published, point) for point in points]
    areas, scores, member = [], [], []
    for control, known in ((1, 2), (2, 1)):
        reference = NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(points[known])), algorithm="brute")
        reference.fit(points[known])
        both = [_log_distance(reference, points[i]) - near[i] for i in (0, control)]
        scores.append(np.concatenate(both))
        member.append(np.arange(len(scores[-1])) < len(both[0]))
        areas.append(auc(scores[-1], member[-1])[0])
    return _Attack(float(np.mean(areas)), np.concatenate(scores), np.concatenate(member))


def _log_distance(neighbours: NearestNeighbors, points: NDArray[np.float64]) -> NDArray[np.float64]:
    distances: NDArray[np.float64] = np.log(neighbours.kneighbors(points)[0] + _BLUR).mean(axis=1)
    return distances


def _fresh(c: Comparison, members: NDArray[np.float64], patients: int) -> float:
    """Return the area of the attack on held-out rows that pose as synthetic: each third once, the others attack it."""
    thirds = [_rows_of(c, hand) for hand in deal(patients, 3, c.rng("membership", "thirds"))]
    areas = [
        _attack(c, third, members, [rows for j, rows in enumerate(thirds) if j != i]).area
        for i, third in enumerate(thirds)
    ]
    return float(np.mean(areas))
