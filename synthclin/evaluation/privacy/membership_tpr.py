"""Membership inference: true positive rate at 1 % false positive rate (TPR at 1 % FPR)."""

from __future__ import annotations

from functools import partial
from math import exp, hypot, log
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta

from synthclin.evaluation import questions
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Attack, Found
from synthclin.evaluation.privacy.details import AttackDetails, success_rates
from synthclin.evaluation.privacy.membership import ROUNDS, ranked, risks_only
from synthclin.evaluation.privacy.risk import AttackTrials, by_group, decisive
from synthclin.evaluation.roc import true_positive_rate
from synthclin.evaluation.score import Interval
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData

__all__ = ["membership_tpr"]

_FPR = 0.01
_LOW_RATES = np.linspace(0.01, 0.1, 10)
_MIN_CONTROLS = 100
_ENOUGH_CONTROLS = 300

MEMBERSHIP_TPR = Kind(
    name="privacy.membership_tpr",
    question="How many training patients are identified at a false positive rate of 1 %?",
    better="lower",
    method=(
        "TPR at 1 % FPR of the best membership inference attack, members against non-members, chosen on half of "
        "the patients by the mean TPR up to 10 % FPR and judged on the others; a guess has 1 %; Clopper-Pearson "
        "interval, combined with the uncertainty of the FPR from the order statistic of non-members (TPR at low "
        "FPR: Carlini et al., IEEE S&P 2022, arXiv:2112.03570)"
    ),
    section="privacy",
    label="TPR at 1 % FPR",
    unit="true positive rate of the membership attack",
    ideal=0.0,
    details=AttackDetails,
    asked=questions.MEMBERSHIP,
    limit=Limit("<=", 0.03, 0.05, convention("differential privacy with epsilon 1 allows 0.027"), null=0.01),
    needs=frozenset({"holdout"}),
    fail_text="membership of patients can be inferred",
    review_text="membership of patients may be inferred",
    action="Membership of some patients can be inferred with high confidence.",
    answer=partial(success_rates, "TPR at 1 % FPR"),
    shared=AttackDetails.shared,
)


def rate(train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return the TPR at 1 % FPR with its interval.

    The threshold is an order statistic of few non-members. The interval combines, on the logarithmic scale, the
    uncertainty of the TPR with that of the FPR (assuming a concave ROC curve).
    """
    n = len(control)
    members = min(len(train) // ROUNDS, n)
    above = ROUNDS * (int(_FPR * n / ROUNDS) + 1)  # the first above the threshold in each round
    scores = np.concatenate([train.hit, control.hit])
    tpr = true_positive_rate(scores, np.arange(len(scores)) < len(train), _FPR)
    low, high = _clopper_pearson(tpr * members, members)
    least, most = (float(beta.ppf(end, above, n - above + 1)) for end in (0.025, 0.975))
    too_low, too_high = log(max(most / _FPR, 1.0)), log(max(_FPR / least, 1.0))
    if not tpr:
        return 0.0, Interval(0.0, min(1.0, high * exp(too_high)))
    down, up = hypot(log(tpr / low), too_low), hypot(log(high / tpr), too_high)
    return tpr, Interval(tpr * exp(-down), min(1.0, tpr * exp(up)))


def _at_low_rates(train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return the mean TPR at an FPR of 0 to 10 %, by which the attack is chosen: less uncertain than at 1 %."""
    scores = np.concatenate([train.hit, control.hit])
    member = np.arange(len(scores)) < len(train)
    value = float(np.mean([true_positive_rate(scores, member, rate) for rate in _LOW_RATES]))
    return value, wilson(value * len(train) / ROUNDS, len(train) // ROUNDS)


def _clopper_pearson(hits: float, n: int) -> Interval:
    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    return Interval(low, float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0)


def _true_positives(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    if min(len(side) for side in data.attacked()) < _MIN_CONTROLS:
        return Found.nothing(
            tr(
                "A false positive rate of 1 % takes {patients} members and {patients} non-members.",
                patients=_MIN_CONTROLS,
            )
        )
    worst = decisive(ranked(data, synthetic), rate, chosen_by=_at_low_rates)
    value, interval = rate(worst.train, worst.control)
    few = len(worst.control) < _ENOUGH_CONTROLS
    return Found(
        value,
        interval,
        len(worst.control),
        (tr("1 % of so few non-members are fewer than 3 patients.") if few else "",),
        {
            "strongest_attack": worst.name,
            "naive_baseline": _FPR,
            **risks_only(by_group(worst, data.groups, rate, fewest=_MIN_CONTROLS)),
        },
    )


membership_tpr = Attack(MEMBERSHIP_TPR, _true_positives, null=_FPR)
