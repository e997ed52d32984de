from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial import cKDTree

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.precision_recall import (
    _own_distance,
    _precision,
    _recall,
    authenticity,
    precision,
    recall,
)
from synthclin.schema import Schema

PLANE = Schema.model_validate({"columns": {"x": {"type": "number"}, "y": {"type": "number"}}})


def cloud(rows, seed, spread=1.0, cut=None):
    points = np.random.default_rng(seed).normal(0, spread, (rows, 2))
    if cut is not None:
        points = points[points[:, 0] < cut]
    return pd.DataFrame(points, columns=["x", "y"])


def compared(table):
    return Comparison.of(table, train=cloud(500, 1), holdout=cloud(250, 2), schema=PLANE)


@pytest.fixture(scope="module")
def good():
    c = compared(cloud(500, 3))
    return precision(c), recall(c)


def test_ideal_rows_reach_the_reference(good):
    for score in good:
        assert score.low <= score.reference <= score.high


def test_rows_crowded_at_the_centre_lose_recall(good):
    crowded = compared(cloud(500, 3, spread=0.3))
    assert precision(crowded).high < good[0].low  # too typical is as wrong as not typical enough
    assert recall(crowded).high < good[1].low


def test_rows_out_of_place_lose_precision(good):
    assert precision(compared(cloud(500, 3, spread=3.0))).high < good[0].low


def test_patients_of_a_kind_that_is_left_out_cost_recall(good):
    assert recall(compared(cloud(900, 3, cut=0.0))).high < good[1].low


def test_equal_points_have_the_share_alpha_in_each_ball():
    points = np.random.default_rng(0).normal(size=(400, 3))
    assert _precision(points, points) == pytest.approx(1.0, abs=0.01)
    assert _precision(points, points + 9) == pytest.approx(0.0, abs=0.05)


def test_authenticity_looks_up_the_nearest_real_point_by_its_own_number():
    # By the number of the synthetic point, as in a library in wide use, the outcome would depend on the order of rows.
    rng = np.random.default_rng(0)
    real, other = rng.normal(size=(60, 2)), rng.normal(size=(30, 2))
    by_hand = []
    for point in other:
        near = np.linalg.norm(real - point, axis=1)
        own = np.delete(np.linalg.norm(real - real[near.argmin()], axis=1), near.argmin()).min()
        by_hand.append(near.min() > own)
    assert authenticity(real, other) == np.mean(by_hand)
    assert authenticity(real, other[::-1]) == authenticity(real, other)


def test_a_copy_has_no_authenticity_in_any_order_of_rows(compare, train, ideal):
    # A library skips the first neighbour where both tables are equal, so that a verbatim copy passes as harmless.
    for copy in (train, train.iloc[::-1]):
        assert recall(compare(copy)).details["authenticity"]["synthetic"] == 0.0
    assert recall(compare(ideal)).details["authenticity"]["synthetic"] > 0.3


def test_equally_many_real_and_synthetic_rows_are_not_taken_for_the_same_table():
    # A library takes tables of as many rows for one and the same.
    real, other = np.arange(10.0)[:, None], np.arange(10.0)[:, None] + 0.5
    assert authenticity(real, other) == 0.0
    assert authenticity(real, other + 100) == 1.0


def test_precision_and_recall_are_those_of_loops_written_from_the_paper():
    rng = np.random.default_rng(0)
    real, other = rng.normal(0, 1, (40, 2)), rng.normal(0.5, 1.3, (30, 2))
    tree, neighbours = cKDTree(other), cKDTree(real).query(real, 2)[0][:, 1]
    assert _own_distance(real) == pytest.approx(neighbours)
    areas = {"precision": [], "recall": []}
    levels = np.linspace(0, 1, 31)
    for level in levels:
        ball = np.quantile([np.linalg.norm(row - real.mean(axis=0)) for row in real], level)
        areas["precision"].append(np.mean([np.linalg.norm(row - real.mean(axis=0)) <= ball for row in other]))
        ball = np.quantile([np.linalg.norm(row - other.mean(axis=0)) for row in other], level)
        reached = []
        for row, own in zip(real, neighbours, strict=True):
            distance, nearest = tree.query(row)
            reached.append(distance <= own and np.linalg.norm(other[nearest] - other.mean(axis=0)) <= ball)
        areas["recall"].append(np.mean(reached))
    expected = {name: 1 - 2 * np.trapezoid(np.abs(np.array(area) - levels), levels) for name, area in areas.items()}
    assert _precision(real, other) == pytest.approx(expected["precision"])
    assert _recall(real, neighbours, other) == pytest.approx(expected["recall"])
