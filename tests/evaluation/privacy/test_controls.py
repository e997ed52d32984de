from __future__ import annotations

import math

import numpy as np
import pytest

from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.privacy import canaries
from synthclin.evaluation.privacy.canaries import jittered, smallest_leak
from synthclin.evaluation.privacy.copies import copies_attack
from synthclin.evaluation.privacy.near_copies import near_copies


@pytest.fixture(autouse=True)
def _two_attacks(monkeypatch):
    # What the others see is shown attack by attack; here it is shown how canaries are inserted and reported.
    monkeypatch.setattr(canaries, "_ATTACKS", (copies_attack, near_copies))


def test_the_smallest_leak_is_that_of_both_kinds(compare, ideal):
    score = smallest_leak(compare(ideal))
    seen = {(row["kind"], row["share"]): row["detected_by"] for row in score.details["canaries"]}
    assert seen["exact", 0.005] == seen["exact", 0.01] == ["privacy.copies"]
    assert "privacy.copies" not in seen["jittered", 0.05]
    assert seen["jittered", 0.005] == []
    assert "privacy.near_copies" in seen["jittered", 0.05]
    assert score.value == score.low == score.high == 0.02
    assert [row["rows"] for row in score.details["canaries"]] == [2, 3, 6, 15] * 2
    undetected = "These attacks could not have detected 1 % of the rows copied with small changes"
    assert score.note == f"{undetected}: a pass does not exclude such a leak."


def test_undetected_canaries_are_not_assessable(compare, ideal, monkeypatch):
    monkeypatch.setattr(canaries, "_ATTACKS", (copies_attack,))
    score = smallest_leak(compare(ideal))
    assert math.isnan(score.value)
    assert "could not have detected 5 % of the rows copied with small changes" in score.note
    verdict = judge(default_gates([score]), [score])[0]
    assert verdict.status == "TOO WEAK"
    assert "such a leak" in verdict.reason


def test_canaries_among_copies_are_not_assessable(compare, train):
    score = smallest_leak(compare(train))
    assert math.isnan(score.value)
    assert "the table itself" in score.note


def test_jitter_leaves_no_copy_and_stays_near(data):
    rng = np.random.default_rng(1)
    rows = data.train.rows
    near = jittered(rows, rows, data.features.is_numeric, rng)
    assert not (near == rows).all(axis=1).any()
    assert (np.isnan(near) == np.isnan(rows)).all()
    ranks = np.argsort(np.argsort(rows[:, 3])) - np.searchsorted(np.sort(rows[:, 3]), near[:, 3])
    assert np.abs(ranks).max() <= 0.02 * len(rows) + 3  # equal values share a rank
    assert 0.9 < (near[:, 1] == rows[:, 1]).mean() < 1
