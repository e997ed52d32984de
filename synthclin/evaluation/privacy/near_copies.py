"""Near copies: the excess of synthetic rows very close to members, relative to other patients. An alarm only."""

from __future__ import annotations

from functools import partial
from math import hypot
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.stats import beta, betabinom, norm

from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.privacy.attack import Attack, Found
from synthclin.evaluation.privacy.distances import nearest
from synthclin.evaluation.privacy.shared_values import shared_surprisal
from synthclin.evaluation.score import Definition, Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData

__all__ = ["near_copies"]

_CLOSE = 0.01
_STEP = 3  # from one radius to the next, in patients within it
_ALARM = 0.025
_MOST_ASKED = 10_000
_MOST_REAL = 5_000
_SAME = 1e-6  # equal distances differ by rounding

NEAR_COPIES = Definition(
    "privacy.near_copies",
    "Do rows come closer to training patients than other patients do?",
    "lower",
    "share of synthetic rows closer to a training row than all but k of the m other patients, minus k / (m + 1); "
    "closeness is the distance, or the rarity of exact numbers shared in any columns; the other patients are "
    "non-members, and training patients, each with the others, where patients have one row; k = 1, 3, 9 ... up to 1 % "
    "of m; without leakage the count is beta-binomial (order statistics), Bonferroni-corrected for the choice; "
    "test-based interval (Miettinen, Am J Epidemiol 103:226-235, 1976); an alarm for manual review, since distances "
    "neither prove nor exclude a leak (DCR Delusion: Yao et al., arXiv:2505.01524)",
)


class _Excess(NamedTuple):
    """Synthetic rows within a radius: how they are close, and how many, how many are expected, and the p-value."""

    closeness: str
    near: int
    rows: int
    natural: int
    patients: int
    p: float

    @property
    def share(self) -> float:
        return self.near / self.rows

    @property
    def expected(self) -> float:
        return self.natural / (self.patients + 1)


def _approach(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    synthetic = subsample(synthetic, _MOST_ASKED, data.rng("published"))
    found = [
        _within(name, natural, here, k)
        for name, natural, here in _closeness(data, synthetic)
        for k in _numbers(len(natural))
    ]
    least = min(found, key=lambda excess: excess.p)
    alarm = _ALARM / len(found)
    # Without an alarm the largest radius is reported.
    excess = least if least.p < alarm else max(found[: len(_numbers(least.patients))], key=lambda one: one.natural)
    value = excess.share - excess.expected
    interval = _test_based(value, excess.p, alarm) if least.p < alarm else _without_alarm(value, excess)
    return Found(
        value,
        interval,
        len(synthetic),
        (),
        {"near": excess.near, "non_members_near": round(excess.expected, 4), "closeness": excess.closeness},
    )


def _closeness(
    data: AttackData, synthetic: NDArray[np.float64]
) -> list[tuple[str, NDArray[np.float64], NDArray[np.float64]]]:
    """Return for each measure its name, its sorted values of other patients, closest first, and of synthetic rows."""
    train, columns = data.train.all_rows, range(len(data.features))
    control = subsample(data.control.rows, _MOST_REAL, data.rng("near copies", "control"))
    alone = len(train) == len(data.train)  # one row for each patient
    places = np.arange(len(train))
    if len(train) > _MOST_REAL:
        places = np.sort(data.rng("near copies", "train").choice(len(train), _MOST_REAL, replace=False))

    def far(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return nearest(data.features, columns, train, rows, 1)[0][:, 0]

    def to_others() -> NDArray[np.float64]:
        # The first neighbour of a training row is the row itself.
        return nearest(data.features, columns, train, train[places], 2)[0][:, 1]

    def common(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return -shared_surprisal(train, rows, data.features.is_numeric)

    def with_others() -> NDArray[np.float64]:
        return -shared_surprisal(train, train[places], data.features.is_numeric, own=places)

    measures = (("distance", far, to_others), ("shared exact values", common, with_others))
    found = []
    for name, of_rows, of_train in measures:
        own = [data.once_for_members(f"near copies {name}", of_train)] if alone and len(train) > 2 else []
        of_control = data.once(f"near copies {name} of non-members", partial(of_rows, control))
        found.append((name, np.sort(np.concatenate([of_control, *own])), of_rows(synthetic)))
    return found


def _numbers(patients: int) -> list[int]:
    """Return how many of the other patients are within each radius."""
    most = max(1, int(_CLOSE * patients))
    numbers = [1]
    while numbers[-1] * _STEP <= most:
        numbers.append(numbers[-1] * _STEP)
    return numbers


def _within(name: str, natural: NDArray[np.float64], here: NDArray[np.float64], k: int) -> _Excess:
    """Return the excess of synthetic rows within the radius of the k-th closest of the other patients."""
    radius = natural[k - 1] + _SAME
    near, inside, m = int((here <= radius).sum()), int((natural <= radius).sum()), len(natural)
    p = float(betabinom.sf(near - 1, len(here), inside, m - inside + 1))
    return _Excess(name, near, len(here), inside, m, p)


def _test_based(value: float, p: float, alarm: float) -> Interval:
    reach = abs(value) * float(norm.isf(alarm)) / float(norm.isf(max(p, 1e-300)))
    return Interval(value - reach, min(1.0, value + reach))


def _without_alarm(value: float, excess: _Excess) -> Interval:
    """Return the interval from Wilson's and from the order statistic; it contains 0 or less."""
    low, high = wilson(excess.near, excess.rows)
    ends = (float(beta.ppf(end, excess.natural, excess.patients - excess.natural + 1)) for end in (0.025, 0.975))
    least, most = ends
    return Interval(
        max(-1.0, min(0.0, value - hypot(excess.share - low, most - excess.expected))),
        min(1.0, value + hypot(high - excess.share, excess.expected - least)),
    )


def _share_closer(data: AttackData, synthetic: NDArray[np.float64]) -> dict[str, Any]:
    """Return the share of synthetic rows closer to members than to as many non-members; ties count half."""
    synthetic = data.predicated(synthetic)
    splits, control = data.splits()
    columns = range(len(data.features))
    # Ranks among both, so that neither side has an advantage.
    both = np.vstack([splits[0].rows, control.rows])
    first, second = (
        nearest(data.features, columns, rows, synthetic, 1, ranked=both)[0][:, 0]
        for rows in (splits[0].rows, control.rows)
    )
    share = float(np.mean(first < second - _SAME) + np.mean(np.abs(first - second) <= _SAME) / 2)
    low, high = wilson(share * len(synthetic), len(synthetic))
    return {"closer_to_training": {"value": round(share, 4), "low": round(low, 4), "high": round(high, 4)}}


near_copies = Attack(NEAR_COPIES, _approach, more=_share_closer)
