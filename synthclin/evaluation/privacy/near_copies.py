"""Near copies: the excess of synthetic rows very close to members, relative to other patients. An alarm only."""

from __future__ import annotations

from math import hypot, log, sqrt
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy.stats import beta, betabinom, binom, norm

from synthclin.evaluation import questions
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.privacy.attack import Attack, Found
from synthclin.evaluation.privacy.details import NearCopyDetails
from synthclin.evaluation.privacy.distances import nearest
from synthclin.evaluation.privacy.shared_values import shared_surprisal
from synthclin.evaluation.score import Interval
from synthclin.language import tr
from synthclin.wording import number, share

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData
    from synthclin.evaluation.score import Score

__all__ = ["near_copies"]

_CLOSE, _WIDEST = 0.01, 0.02
_MEASURES = ("distance", "shared exact values")
_ALARM = 0.025
_MOST_ASKED = 10_000
_MOST_REAL = 5_000
_SAME = 1e-6  # equal distances differ by rounding
_SMALLEST = 1e-4  # smaller distances are those of equal rows
_TAIL, _FEWEST_IN_TAIL, _FEWEST = 0.05, 20, 60
_EXPECTED = (0.5, 2.0)  # other patients within a radius


def _near_rows(score: Score) -> str:
    details = NEAR_COPIES.read(score)
    if details is None or details.near is None or details.non_members_near is None:
        return ""
    return tr(
        "{near} of {rows} synthetic rows are very close to a training row; {share} of other patients are as close.",
        near=number(details.near, 0),
        rows=number(score.n, 0),
        share=share(details.non_members_near, 1),
    )


NEAR_COPIES = Kind(
    name="privacy.near_copies",
    question="Do rows come closer to training patients than other patients do?",
    better="lower",
    method=(
        "share of synthetic rows within a radius of a training row, minus the share expected from the m other "
        "patients: non-members, and training patients, each with the others, where patients have one row; "
        "closeness is the distance, or the rarity of exact numbers shared in any columns; equal rows are counted "
        "apart; the radii are those at which the power law of the closest twentieth of the other patients (Hill, "
        "Ann Stat 3:1163-1174, 1975, less one standard error) leaves 0.5, 2, 8 ... and 2 % of them; the count is "
        "tested as binomial with that share, and where some of the other patients are within the radius as "
        "beta-binomial, Bonferroni-corrected; test-based interval (Miettinen, Am J Epidemiol 103:226-235, 1976); "
        "without an alarm the radius is their 1st percentile; an alarm for manual review, since distances neither"
        " prove nor exclude a leak (DCR Delusion: Yao et al., arXiv:2505.01524)"
    ),
    section="privacy",
    label="Near copies",
    unit="rows in excess of non-members",
    ideal=0.0,
    scale="one in",
    details=NearCopyDetails,
    asked=questions.COPIES,
    limit=Limit("<=", 0.0, 1.0, convention("distances raise an alarm and never show privacy"), null=0.0, alarm=True),
    needs=frozenset({"holdout"}),
    fail_text="rows are very close to training rows",
    review_text="rows may be very close to training rows",
    action="See the attacks: distances alone decide nothing.",
    answer=_near_rows,
    shared=NearCopyDetails.shared,
)


class _Excess(NamedTuple):
    """Synthetic rows within a radius: how they are close, how many, the share that is expected, and the p-value."""

    closeness: str
    near: int
    rows: int
    expected: float
    p: float

    @property
    def value(self) -> float:
        return self.near / self.rows - self.expected


class _Closeness(NamedTuple):
    """A measure of closeness to training rows on a logarithmic scale, the closest smallest.

    Arguments:
        name: of the measure.
        control: (rows,) of non-members.
        own: (rows,) of training rows to the others; empty where patients have several rows.
        synthetic: (rows,) of synthetic rows; plus infinity where they equal a training row.
    """

    name: str
    control: NDArray[np.float64]
    own: NDArray[np.float64]
    synthetic: NDArray[np.float64]

    @property
    def natural(self) -> NDArray[np.float64]:
        """(m,) of all other patients, closest first."""
        return np.sort(np.concatenate([self.control, self.own]))

    def within(self, radius: float, expected: float) -> _Excess:
        """Return the excess of synthetic rows within a radius.

        Two training patients who are close to each other count once.
        """
        limit, rows = radius + _SMALLEST, len(self.synthetic)
        near, control, own = (int((each <= limit).sum()) for each in (self.synthetic, self.control, self.own))
        inside, patients = control + own / 2, len(self.control) + len(self.own) / 2
        p = float(binom.sf(near - 1, rows, expected)) if expected else 0.0
        if inside or not expected:
            p = max(p, float(betabinom.sf(near - 1, rows, inside + 0.5, patients - inside + 0.5)))
        return _Excess(self.name, near, rows, max(expected, inside / (patients + 1)), p)

    @property
    def excesses(self) -> list[_Excess]:
        """The excess within each radius."""
        natural = self.natural[np.isfinite(self.natural)]
        m = len(natural)
        if m < _FEWEST:
            return [self.within(natural[0], 0.0)] if m else []
        k = max(_FEWEST_IN_TAIL, int(_TAIL * m))
        # The mean excess on a logarithmic scale is the reciprocal of the exponent, less one standard error.
        slowest = float(np.mean(natural[k] - natural[:k])) / (1 - 1 / sqrt(k))
        expected = list(_EXPECTED)
        while expected[-1] * 4 < _WIDEST * m:
            expected.append(expected[-1] * 4)
        if expected[-1] < _WIDEST * m:
            expected.append(_WIDEST * m)
        return [self.within(float(natural[k]) - slowest * log(k / each), each / m) for each in expected]


def _approach(data: AttackData, synthetic: NDArray[np.float64]) -> Found:
    synthetic = subsample(synthetic, _MOST_ASKED, data.rng("published"))
    measures = _closeness(data, synthetic)
    distance = measures[0]
    equal = distance.within(log(_SMALLEST), 0.0)._replace(closeness="equal rows")
    unequal = [_Closeness(each.name, *_without(distance, each)) for each in measures]
    found = [equal, *(excess for each in unequal for excess in each.excesses)]
    least, alarm = min(found, key=lambda excess: excess.p), _ALARM / len(found)
    excess, interval = least, _test_based(least, alarm)
    if least.p >= alarm:
        excess, interval = _without_alarm(distance)
    return Found(
        excess.value,
        interval,
        len(synthetic),
        (),
        {"near": excess.near, "non_members_near": round(excess.expected, 4), "closeness": excess.closeness},
    )


def _closeness(data: AttackData, synthetic: NDArray[np.float64]) -> list[_Closeness]:
    """Return each measure; see `_MEASURES`."""
    train, columns = data.train.all_rows, range(len(data.features))
    control = subsample(data.control.rows, _MOST_REAL, data.rng("near copies", "control"))
    alone = len(train) == len(data.train)  # one row for each patient
    places = np.arange(len(train))
    if len(train) > _MOST_REAL:
        places = np.sort(data.rng("near copies", "train").choice(len(train), _MOST_REAL, replace=False))

    def closeness(rows: NDArray[np.float64], own: NDArray[np.intp] | None = None) -> NDArray[np.float64]:
        # The first neighbour of a training row is the row itself.
        skipped = 0 if own is None else 1
        distances = nearest(data.features, columns, train, rows, 1 + skipped)[0][:, -1]
        return np.stack(
            [
                np.log(np.maximum(distances, _SMALLEST)),
                -shared_surprisal(train, rows, data.features.is_numeric, own=own),
            ]
        )

    none = np.empty((len(_MEASURES), 0))
    of_train = data.once_for_members("near copies", lambda: closeness(train[places], places)) if alone else none
    of_control = data.once("near copies of non-members", lambda: closeness(control))
    of_synthetic = closeness(synthetic)
    return [_Closeness(*each) for each in zip(_MEASURES, of_control, of_train, of_synthetic, strict=True)]


def _without(distance: _Closeness, measure: _Closeness) -> Iterator[NDArray[np.float64]]:
    """Yield a measure of non-members, training rows and synthetic rows; infinite for rows equal to a training row."""
    for far, each in zip(distance[1:], measure[1:], strict=True):
        yield np.where(far <= log(_SMALLEST) + _SAME, np.inf, each)


def _test_based(excess: _Excess, alarm: float) -> Interval:
    reach = abs(excess.value) * float(norm.isf(alarm)) / float(norm.isf(max(min(excess.p, 0.5), 1e-300)) or 1.0)
    return Interval(excess.value - reach, min(1.0, excess.value + reach))


def _without_alarm(measure: _Closeness) -> tuple[_Excess, Interval]:
    """Return the excess within the 1st percentile of the other patients, and its interval, which contains 0 or less.

    The interval is from Wilson's and from the order statistic.
    """
    natural = measure.natural
    m = len(natural)
    limit = natural[max(1, int(_CLOSE * m)) - 1] + _SMALLEST
    near, inside = (int((each <= limit).sum()) for each in (measure.synthetic, natural))
    excess = _Excess(measure.name, near, len(measure.synthetic), inside / (m + 1), 1.0)
    low, high = wilson(near, excess.rows)
    least, most = (float(beta.ppf(end, inside, m - inside + 1)) for end in (0.025, 0.975))
    share, value = near / excess.rows, excess.value
    return excess, Interval(
        max(-1.0, min(0.0, value - hypot(share - low, most - excess.expected))),
        min(1.0, value + hypot(high - share, excess.expected - least)),
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
