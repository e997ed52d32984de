from __future__ import annotations

import math

import numpy as np
import pytest

from synthclin.evaluation.privacy.attack_data import PatientSample
from synthclin.evaluation.privacy.membership import area
from synthclin.evaluation.privacy.membership_tpr import rate
from synthclin.evaluation.privacy.relative_f1 import beyond_naive
from synthclin.evaluation.privacy.risk import AttackOutcome, AttackTrials, decisive, difference, relative


def trials(hits, half=None):
    hits = np.asarray(hits, dtype=float)
    half = np.arange(len(hits)) % 2 == 0 if half is None else half
    places = np.arange(len(hits))
    return AttackTrials(PatientSample(np.zeros((len(hits), 1)), places, np.zeros_like(places), half), hits)


def shares(k, n):
    return trials(np.arange(n) < k)


def test_risk_relative_to_non_members():
    assert relative(shares(60, 100), shares(20, 100))[0] == pytest.approx(0.5)
    assert relative(shares(20, 100), shares(20, 100))[0] == 0
    assert difference(shares(60, 100), shares(20, 100))[0] == pytest.approx(0.4)


def test_newcombes_published_interval_of_a_difference():
    # Stat Med 17:873-890, 1998, table II, method 10: 56/70 against 48/80
    value, (low, high) = difference(shares(56, 70), shares(48, 80))
    assert value == pytest.approx(0.2)
    assert (low, high) == (pytest.approx(0.0524, abs=1e-4), pytest.approx(0.3339, abs=1e-4))


@pytest.mark.parametrize(("train", "control"), [((0, 50), (0, 50)), ((50, 50), (0, 50)), ((0, 50), (40, 50))])
def test_intervals_hold_their_value_at_the_ends(train, control):
    for measure in (relative, difference):
        value, (low, high) = measure(shares(*train), shares(*control))
        assert low <= value <= high <= 1
        assert high > low


def test_risk_is_nan_where_the_attack_fails_on_no_non_member():
    assert math.isnan(relative(shares(50, 50), shares(46, 50))[0])
    assert math.isnan(relative(shares(0, 0), shares(0, 50))[0])


@pytest.mark.parametrize(("p", "q"), [(0.1, 0.1), (0.5, 0.3), (0.9, 0.6), (0.02, 0.02), (1.0, 0.5)])
@pytest.mark.parametrize("measure", [relative, difference])
def test_intervals_cover_the_truth(measure, p, q):
    rng = np.random.default_rng(3)
    truth = (p - q) / (1 - q) if measure is relative else p - q
    covered = 0
    for t, c in zip(rng.binomial(400, p, 400), rng.binomial(120, q, 400), strict=True):
        low, high = measure(shares(t, 400), shares(c, 120))[1]
        covered += low - 1e-9 <= truth <= high + 1e-9
    assert covered >= 0.91 * 400


def test_the_best_of_many_useless_attacks_is_no_better_than_chance():
    rng = np.random.default_rng(5)
    values = []
    for _ in range(40):
        outcomes = [
            AttackOutcome(str(i), trials(rng.random(60) < 0.3), trials(rng.random(60) < 0.3), 0.3) for i in range(8)
        ]
        values.append(difference(*(getattr(decisive(outcomes, difference), side) for side in ("train", "control")))[0])
        assert max(difference(one.train, one.control)[0] for one in outcomes) >= 0
    assert abs(np.mean(values)) < 0.04


def test_the_one_attack_that_works_is_chosen():
    dull, sharp = (
        AttackOutcome("dull", shares(5, 60), shares(5, 60), 0.1),
        AttackOutcome("sharp", shares(60, 60), shares(5, 60), 0.1),
    )
    chosen = decisive([dull, sharp], difference)
    assert chosen.name == "sharp"
    assert len(chosen.train) == len(chosen.control) == 60


def test_relative_f1_by_hand():
    # Half of the attack set are members; 80 % of them are claimed and 40 % of the others: precision 2/3, recall 0.8.
    f1 = 2 * (2 / 3) * 0.8 / (2 / 3 + 0.8)
    assert beyond_naive(0.8, 0.4) == pytest.approx((f1 - 2 / 3) / (1 - 2 / 3))
    # The evidence's warning: precision 0.9 at recall 0.12 among 1 % of members seems harmless.
    assert 0.19 < beyond_naive(0.12, 0.12 * 0.01 / 0.99 * (1 / 0.9 - 1), share=0.01) < 0.2


@pytest.mark.parametrize(("members", "others"), [(700, 180), (300, 300), (1500, 500)])
def test_membership_intervals_cover_chance(members, others):
    rng = np.random.default_rng(7)
    covered = np.zeros(2)
    for _ in range(200):
        once = rng.random(members)
        sides = trials(np.concatenate([once, once])), trials(rng.random(others))
        for i, (measure, null) in enumerate(((area, 0.5), (rate, 0.01))):
            low, high = measure(*sides)[1]
            covered[i] += low <= null <= high
    assert (covered >= 0.925 * 200).all()
