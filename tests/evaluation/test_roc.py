from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from synthclin.evaluation.roc import auc, auc_interval, roc_points, true_positive_rate

LABELLED = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=2, max_size=60).filter(
    lambda rows: 0 < sum(label for _, label in rows) < len(rows)
)


@given(LABELLED)
def test_auc_is_that_of_scikit_learn_also_with_ties(rows):
    scores, positive = np.array([s for s, _ in rows], dtype=float), np.array([p for _, p in rows])
    assert auc(scores, positive)[0] == pytest.approx(roc_auc_score(positive, scores))


@given(LABELLED, st.integers(0, 2**32 - 1))
def test_weighted_auc_is_that_of_repeated_rows(rows, seed):
    scores, positive = np.array([s for s, _ in rows], dtype=float), np.array([p for _, p in rows])
    weights = np.random.default_rng(seed).integers(0, 4, (3, len(rows)))
    repeated = [auc(np.repeat(scores, w), np.repeat(positive, w))[0] for w in weights]
    assert auc(scores, positive, weights) == pytest.approx(repeated, nan_ok=True)


def test_auc_of_one_group_is_unknown():
    assert np.isnan(auc(np.array([1.0, 2.0]), np.array([True, True])))[0]
    assert np.isnan(auc(np.empty(0), np.empty(0, dtype=bool)))[0]


@given(st.floats(0, 1), st.integers(1, 3_000), st.integers(1, 3_000))
def test_interval_holds_the_area_and_stays_within_bounds(area, positives, negatives):
    low, high = auc_interval(area, positives, negatives)
    assert 0 <= low <= area + 1e-6
    assert area - 1e-6 <= high <= 1


def test_interval_covers_the_truth_and_is_not_empty_at_the_ends():
    rng = np.random.default_rng(0)
    truth = 0.7602  # of two normal groups whose means lie one SD apart
    covered = 0
    for _ in range(300):
        scores = np.concatenate([rng.normal(1, 1, 80), rng.normal(0, 1, 80)])
        low, high = auc_interval(float(auc(scores, np.arange(160) < 80)[0]), 80, 80)
        covered += low <= truth <= high
    assert 0.92 <= covered / 300 <= 0.99
    assert auc_interval(1.0, 50, 50).low < 0.97
    assert auc_interval(0.0, 50, 50).high > 0.03


def test_interval_is_as_wide_as_the_null_standard_error_says():
    # 95 % half-widths of an AUC of 0.5 with n rows on each side.
    for n, half in {100: 0.080, 300: 0.046, 1_000: 0.025}.items():
        low, high = auc_interval(0.5, n, n)
        assert (high - low) / 2 == pytest.approx(half, abs=0.002)


def test_curve_rises_from_corner_to_corner():
    rng = np.random.default_rng(1)
    scores, positive = rng.normal(size=500), rng.random(500) < 0.5
    points = roc_points(scores, positive)
    assert len(points) <= 50
    assert points[0] == (0, 0)
    assert points[-1] == (1, 1)
    assert all(a[0] <= b[0] and a[1] <= b[1] for a, b in itertools.pairwise(points))


def test_true_positive_rate_never_exceeds_the_false_alarms_allowed():
    scores = np.array([5.0, 4, 3, 2, 1, 0])
    positive = np.array([True, True, False, True, False, False])
    assert true_positive_rate(scores, positive, 0.0) == pytest.approx(2 / 3)
    assert true_positive_rate(scores, positive, 0.34) == 1.0
    assert true_positive_rate(scores, positive, 1.0) == 1.0
    assert true_positive_rate(np.zeros(6), positive, 0.25) == 0.25  # all tied: linear interpolation
