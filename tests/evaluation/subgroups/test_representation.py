from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.learners import classifiers
from synthclin.evaluation.subgroups.representation import prevalence, representation
from synthclin.evaluation.tasks import PredictTask
from synthclin.evaluation.utility import prediction_problem
from synthclin.evaluation.utility.predictions import predict
from synthclin.schema import Schema
from tests.evaluation.clinic import SCHEMA as CLINIC
from tests.evaluation.clinic import clinic

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "sex": {"type": "category", "categories": ["F", "M", "X"]},
            "x": {"type": "number"},
            "died": {"type": "boolean", "values": [0, 1], "role": "outcome"},
        }
    }
)
TASK = PredictTask(target="died")


@pytest.fixture(autouse=True)
def _one_learner(monkeypatch):
    # More of them take seconds, and the groups do not depend on them.
    monkeypatch.setattr(
        prediction_problem,
        "classifiers",
        lambda features, x: {"one": classifiers(features, x, trees=20)["boosted trees"]},
    )


def ward(rows, seed, *, women=0.5, turned=False, risk=0.0):
    """Return patients whose outcome rises with x; among women it can be made to fall, or be more frequent."""
    rng = np.random.default_rng(seed)
    sex = np.where(rng.random(rows) < women, "F", "M")
    sex[:15] = "X"
    x = rng.normal(size=rows)
    slope = np.where((sex == "F") & turned, -2.0, 2.0)
    died = rng.random(rows) < 1 / (1 + np.exp(-slope * x - risk * (sex == "F")))
    return pd.DataFrame(
        {
            "sex": pd.Categorical(sex, categories=["F", "M", "X"]),
            "x": x,
            "died": pd.array(died.astype(int), dtype="Int64"),
        }
    )


def compared(synthetic):
    return Comparison.of(synthetic, train=ward(500, 1), holdout=ward(300, 2), schema=SCHEMA)


def test_a_group_that_lost_half_its_share_is_named():
    good, bad = (representation(compared(ward(500, 3, women=women)), "sex") for women in (0.5, 0.25))
    assert good.low <= good.reference <= good.high
    assert bad.low > good.high
    assert bad.details["worst"] == "F"
    ratio = next(group["log_ratio"] for group in bad.details["groups"] if group["group"] == "F")
    assert ratio == pytest.approx(np.log(0.5), abs=0.15)


def test_an_outcome_that_is_too_frequent_in_one_group_is_named():
    good, bad = (prevalence(compared(ward(500, 3, risk=risk)), "sex", TASK) for risk in (0.0, 2.0))
    assert good.low <= good.reference <= good.high
    assert bad.low > good.high
    assert bad.details["worst"] == "F"
    assert [group["group"] for group in bad.details["groups"]] == ["F", "M"]  # X has too few rows


def test_a_number_is_a_target_too():
    shifted = ward(500, 3).assign(x=lambda t: t["x"] + 2 * (t["sex"] == "M"))
    score = prevalence(compared(shifted), "sex", PredictTask(target="x"))
    assert score.details["worst"] == "M"
    assert score.details["groups"][1]["value"] == pytest.approx(2 / 1.0, abs=0.3)


def test_the_group_for_which_predictions_fail_is_named():
    good, bad = (predict(compared(ward(500, 3, turned=turned)), TASK, by=["sex"])[3] for turned in (False, True))
    assert good.name == "subgroups.sex.utility.died"
    assert bad.high < good.low
    assert bad.details["worst"] == "F"
    groups = {group["group"]: group for group in bad.details["groups"]}
    assert set(groups) == {"F", "M"}
    assert groups["F"]["high"] < -0.2 < groups["M"]["low"]


def test_groups_do_not_change_the_score_of_all():
    c = compared(ward(500, 3))
    for one, other in zip(predict(c, TASK), predict(c, TASK, by=["sex"]), strict=False):
        assert (one.value, one.low, one.high) == (other.value, other.low, other.high)


def test_without_a_holdout_no_group_is_judged():
    c = Comparison.of(clinic(300, 1), train=clinic(300, 2), holdout=None, schema=CLINIC)
    assert all(np.isnan(score.value) for score in predict(c, TASK, by=["sex"]))
