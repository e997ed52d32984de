"""Kaplan-Meier curves for a picture: the same as statsmodels has, and nothing of fewer than 11 patients."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.duration.survfunc import SurvfuncRight

from synthclin.evaluation.analyses.restricted_mean import curves


def followed(rows, seed, rate=0.1, end=20.0):
    rng = np.random.default_rng(seed)
    event, last = rng.exponential(1 / rate, rows), rng.uniform(0, end, rows)
    return np.minimum(event, last), event <= last


def test_the_curve_is_that_of_statsmodels_on_the_grid():
    times, events = followed(300, 1)
    (arm,) = curves([("all", (times, events), followed(300, 2))], 15.0)
    direct = SurvfuncRight(times, events)
    for at, value, risk in zip(arm["times"], arm["real"]["survival"], arm["real"]["at_risk"], strict=False):
        before = direct.surv_prob[direct.surv_times <= at]
        assert value == pytest.approx(before[-1] if len(before) else 1.0)
        assert risk == (times >= at).sum()
    assert (np.diff(arm["real"]["survival"]) <= 0).all()


def test_the_band_covers_the_truth_about_95_times_of_100():
    hits = []
    for seed in range(200):
        (arm,) = curves([("all", followed(100, seed), followed(30, 0))], 6.0)
        truth = np.exp(-0.1 * arm["times"][20])
        hits.append(arm["real"]["low"][20] <= truth <= arm["real"]["high"][20])
    assert 0.90 <= np.mean(hits) <= 0.99


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 80), st.integers(0, 10_000), st.floats(0.5, 60))
def test_no_time_has_fewer_than_eleven_at_risk(rows, seed, horizon):
    for arm in curves([("a", followed(rows, seed), followed(rows, seed + 1))], horizon):
        for curve in (arm["real"], arm["synthetic"]):
            assert all(risk >= 11 for risk in curve["at_risk"])
            assert len({len(part) for part in curve.values()}) == 1
        assert len(arm["real"]["survival"]) > 1


def test_ticks_mark_times_with_eleven_censored():
    times, events = np.repeat([1.0, 5.0, 9.0], [10, 11, 40]), np.zeros(61, dtype=bool)
    (arm,) = curves([("all", (times, events), (times, events))], 8.0)
    ticked = [time for time, many in zip(arm["times"], arm["real"]["censored"], strict=False) if many]
    assert ticked == pytest.approx([5.0])


def test_an_arm_of_ten_is_left_out():
    assert curves([("few", followed(10, 1), followed(500, 2))], 5.0) == []
    assert curves([("all", followed(50, 1), followed(50, 2))], float("nan")) == []


def test_the_band_is_that_of_greenwood_in_statsmodels():
    times, events = followed(300, 1)
    (arm,) = curves([("all", (times, events), followed(300, 2))], 15.0)
    direct = SurvfuncRight(times, events)
    for at, value, low in zip(arm["times"], arm["real"]["survival"], arm["real"]["low"], strict=False):
        before = direct.surv_prob_se[direct.surv_times <= at]
        if len(before):
            spread = 1.959963984540054 * before[-1] / value / abs(np.log(value))
            assert low == pytest.approx(value ** np.exp(spread))
