"""Near copies: the excess of synthetic rows very close to members, relative to non-members. An alarm, never a pass."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import beta

from synthclin.evaluation import questions
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Attack, Found
from synthclin.evaluation.privacy.details import NearCopyDetails
from synthclin.evaluation.privacy.distances import nearest
from synthclin.evaluation.score import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData

__all__ = ["near_copies"]

_CLOSE = 0.01
_MOST_TRAIN = 20_000
_MOST_CONTROL = 5_000

NEAR_COPIES = Kind(
    name="privacy.near_copies",
    question="Do rows come closer to training patients than other patients do?",
    better="lower",
    method=(
        "share of synthetic rows whose distance to the closest training row is below the 1st percentile of that of "
        "non-members, minus the share of non-members; interval from Wilson's and from the order statistic of "
        "non-members; an alarm for manual review, since distances neither prove nor exclude a leak (DCR Delusion: Yao"
        " et al., arXiv:2505.01524)"
    ),
    section="privacy",
    label="Near copies",
    unit="share of rows in excess of non-members",
    ideal=0.0,
    details=NearCopyDetails,
    asked=questions.COPIES,
    limit=Limit("<=", 0.0, 1.0, convention("distances raise an alarm and never show privacy"), null=0.0, alarm=True),
    needs=frozenset({"holdout"}),
    fail_text="rows are very close to training rows",
    review_text="rows may be very close to training rows",
    action="See the attacks: distances alone decide nothing.",
    shared=NearCopyDetails.shared,
)


def _approach(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    synthetic = data.published(synthetic)
    train = subsample(data.train.rows, _MOST_TRAIN, data.rng("near copies", "train"))
    control = subsample(data.control.rows, _MOST_CONTROL, data.rng("near copies", "control"))
    columns = range(len(data.features))
    to_train = nearest(data.features, columns, train, synthetic, 1)[0][:, 0]
    natural = data.once(
        "natural distances", lambda: np.sort(nearest(data.features, columns, train, control, 1)[0][:, 0])
    )
    radius = natural[max(int(_CLOSE * len(natural)), 1) - 1] + 1e-6  # equal distances differ by rounding
    near, near_control = int((to_train <= radius).sum()), int((natural <= radius).sum())
    value = near / len(synthetic) - near_control / (len(natural) + 1)
    low, high = wilson(near, len(synthetic))
    # Beta distribution of the population share within a radius that is an order statistic of the non-members.
    least, most = (float(beta.ppf(end, near_control, len(natural) - near_control + 1)) for end in (0.025, 0.975))
    expected = near_control / (len(natural) + 1)
    share = near / len(synthetic)
    interval = Interval(
        max(-1.0, value - sqrt((share - low) ** 2 + (most - expected) ** 2)),
        min(1.0, value + sqrt((high - share) ** 2 + (expected - least) ** 2)),
    )
    return Found(
        value,
        interval,
        len(synthetic),
        (f"They are compared with a random {_MOST_TRAIN:,} of the members.",) if len(train) < len(data.train) else (),
        {"near": near, "non_members_near": round(expected, 4)},
    )


def _share_closer(data: AttackData, synthetic: NDArray[np.float64]) -> dict[str, Any]:
    """Return the share of synthetic rows closer to members than to as many non-members; ties count half."""
    synthetic = data.published(synthetic)
    splits, control = data.splits()
    columns = range(len(data.features))
    # Ranks among both, so that neither side has an advantage.
    both = np.vstack([splits[0].rows, control.rows])
    first, second = (
        nearest(data.features, columns, rows, synthetic, 1, ranked=both)[0][:, 0]
        for rows in (splits[0].rows, control.rows)
    )
    share = float(np.mean(first < second - 1e-6) + np.mean(np.abs(first - second) <= 1e-6) / 2)
    low, high = wilson(share * len(synthetic), len(synthetic))
    return {"closer_to_training": {"value": round(share, 4), "low": round(low, 4), "high": round(high, 4)}}


near_copies = Attack(NEAR_COPIES, _approach, more=_share_closer)
