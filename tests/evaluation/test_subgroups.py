from __future__ import annotations

import math

import numpy as np
import pytest

from synthclin.errors import ConfigError
from synthclin.evaluation import subgroups as module
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.detection import detection
from synthclin.evaluation.marginals import marginals
from synthclin.evaluation.subgroups import answers, grouping, subgroups
from synthclin.evaluation.tasks import CompareTask, LogisticTask

from .clinic import SCHEMA, clinic


@pytest.fixture(autouse=True)
def _two_headlines(monkeypatch):
    # Detection takes seconds, and the groups do not depend on it.
    monkeypatch.setattr(module, "_COMPUTED", module._COMPUTED | {"detection": marginals})


def test_the_group_that_is_worst_off_is_named(compare, fresh):
    women = fresh["sex"] == "F"
    damaged = fresh.assign(age=fresh["age"].mask(women, 90), bmi=fresh["bmi"].mask(women, fresh["bmi"] + 15))
    scores = {score.name: score for score in subgroups(compare(damaged), "sex")}
    assert list(scores) == ["subgroups.sex.marginals", "subgroups.sex.pairs", "subgroups.sex.detection"]
    score = scores["subgroups.sex.marginals"]
    assert score.details["worst"] == "F"
    assert "The worst group is F" in score.note
    groups = {row["group"]: row for row in score.details["groups"]}
    assert groups["F"]["high"] < groups["M"]["value"]
    assert score.value == groups["F"]["value"]
    assert score.high < score.ceiling
    good = subgroups(compare(fresh), "sex")[0]
    assert good.low <= good.ceiling <= good.high


def test_a_score_of_a_group_is_that_of_its_rows_alone(train, holdout, fresh):
    women = [table[table["sex"] == "F"].reset_index(drop=True) for table in (fresh, train, holdout)]
    whole = Comparison.of(fresh, train=train, holdout=holdout, schema=SCHEMA).where(1, 0.0)
    alone = Comparison.of(women[0], train=women[1], holdout=women[2], schema=SCHEMA)
    for name in ("synthetic", "train", "holdout", "train_patients", "holdout_patients"):
        assert np.array_equal(getattr(whole, name), getattr(alone, name), equal_nan=True)
    assert detection(whole).value == pytest.approx(detection(alone).value, abs=0.1)


def test_the_group_whose_analysis_gives_another_answer_is_named(compare, fresh):
    task = LogisticTask(target="died", covariates=("age",))
    women = (fresh["sex"] == "F").to_numpy()
    lost = fresh.assign(died=fresh["died"].mask(women, fresh["died"].iloc[::-1].array))
    good, bad = (answers(compare(table), "sex", task) for table in (fresh, lost))
    assert bad.name == "subgroups.sex.logistic.died"
    assert bad.high < good.value
    assert bad.details["worst"] == "F"
    groups = {row["group"]: row for row in bad.details["groups"]}
    assert groups["F"]["high"] < groups["M"]["low"]
    itself = answers(compare(fresh), "sex", CompareTask(target="age", by="sex"))
    assert "compares the groups" in itself.note


def test_small_groups_are_not_judged(compare, fresh):
    score = subgroups(compare(fresh), "nyha")[0]
    assert score.details["not_judged"] > 0
    assert "too small" in score.note
    few = clinic(90, 1)
    alone = subgroups(Comparison.of(few, train=few, holdout=None, schema=SCHEMA), "sex")[0]
    assert math.isnan(alone.value)


@pytest.mark.parametrize("by", ["age", "ward"])
def test_a_column_without_levels_forms_no_groups(compare, fresh, by):
    with pytest.raises(ConfigError, match=by):
        grouping(compare(fresh), by)
