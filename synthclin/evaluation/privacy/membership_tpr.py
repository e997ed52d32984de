"""Recognition: how many training patients are told for sure, with hardly a false alarm."""

from __future__ import annotations

from math import exp, hypot, log
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import beta

from synthclin.evaluation.privacy.attack import Attack, Found
from synthclin.evaluation.privacy.membership import ROUNDS, ranked, risks_only
from synthclin.evaluation.privacy.risk import AttackTrials, by_group, decisive
from synthclin.evaluation.roc import true_positive_rate
from synthclin.evaluation.score import Definition, Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData

__all__ = ["membership_tpr"]

_FALSE_ALARMS = 0.01
_MIN_CONTROLS = 100
_ENOUGH_CONTROLS = 300

MEMBERSHIP_TPR = Definition(
    "privacy.recognition",
    "How many training patients are recognised with hardly a false alarm?",
    "lower",
    "share of training patients whom the best membership attack tells at 1 % false alarms among unused patients, "
    "chosen on half of the patients and judged on the others; guessing tells 1 %; Clopper-Pearson interval, the false "
    "alarm rate itself being uncertain by the order statistic of unused patients (rate at low false alarms: Carlini "
    "et al., IEEE S&P 2022, arXiv:2112.03570)",
)


def rate(train: AttackTrials, control: AttackTrials) -> tuple[float, Interval]:
    """Return the share of members above the threshold that 1 % of the others pass, with its interval.

    That threshold is known no better than the unused patients above it are many: the interval combines, as
    logarithms, how often members pass it with how often anybody does (a concave ROC curve is assumed).
    """
    n = len(control)
    members = min(len(train) // ROUNDS, n)
    above = ROUNDS * (int(_FALSE_ALARMS * n / ROUNDS) + 1)  # the first above the threshold in each round
    scores = np.concatenate([train.hit, control.hit])
    told = true_positive_rate(scores, np.arange(len(scores)) < len(train), _FALSE_ALARMS)
    low, high = _clopper_pearson(told * members, members)
    least, most = (float(beta.ppf(end, above, n - above + 1)) for end in (0.025, 0.975))
    too_low, too_high = log(max(most / _FALSE_ALARMS, 1.0)), log(max(_FALSE_ALARMS / least, 1.0))
    if not told:
        return 0.0, Interval(0.0, min(1.0, high * exp(too_high)))
    down, up = hypot(log(told / low), too_low), hypot(log(high / told), too_high)
    return told, Interval(told * exp(-down), min(1.0, told * exp(up)))


def _clopper_pearson(hits: float, n: int) -> Interval:
    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    return Interval(low, float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0)


def _true_positives(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    if min(len(side) for side in data.attacked()) < _MIN_CONTROLS:
        return Found.nothing(f"A false alarm rate of 1 % takes {_MIN_CONTROLS} patients on each side.")
    worst = decisive(ranked(data, synthetic), rate)
    value, interval = rate(worst.train, worst.control)
    few = len(worst.control) < _ENOUGH_CONTROLS
    return Found(
        value,
        interval,
        len(worst.control),
        ("Among so few unused patients 1 % are fewer than 3 of them." if few else "",),
        {
            "attack": worst.name,
            "naive": _FALSE_ALARMS,
            **risks_only(by_group(worst, data.groups, rate, fewest=_MIN_CONTROLS)),
        },
    )


membership_tpr = Attack(MEMBERSHIP_TPR, _true_positives, null=_FALSE_ALARMS)
