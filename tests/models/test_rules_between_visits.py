from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConditionError
from synthclin.models import load
from synthclin.rules.rules import violations
from tests.longitudinal import schema, visits
from tests.short import short_trainings

RULES = [
    "dbp < sbp",
    "previous(stage) <= stage",
    "sbp <= first(sbp) * 1.2",
    "day >= previous(day) + 50",
    "pulse <= previous(pulse) + 30",
    "previous(previous(sbp)) - sbp < 40",
    "count() >= 2",
    "last(stage) >= first(stage)",
    {"when": "first(age) > 0", "then": "first(sbp) >= 60"},
]


@pytest.fixture(scope="module", autouse=True)
def _short():
    with pytest.MonkeyPatch.context() as patch:
        short_trainings(patch)
        yield


def fitted(table, declared):
    return sc.ConditionalGAN(declared, effort="quick", width=8, blocks=0, random_state=1).fit(table)


@pytest.fixture(scope="module")
def model():
    table = visits()
    table = table[table.groupby("who")["day"].transform("size") > 1]
    rising = table["sbp"].to_numpy() * 0 + table.groupby("who").cumcount().to_numpy() + 1.0
    return fitted(table.assign(crp=rising), schema(constraints=[*RULES, "previous(crp) <= crp"]))


def test_exactly_n_patients_break_no_rule_between_visits(model):
    found = model.sample(40, random_state=1)
    assert found["who"].nunique() == 40
    broken = {rule: int(mask.sum()) for rule, mask in violations(found, model.schema).items() if mask.any()}
    assert broken == {}
    groups = found.groupby("who")
    assert groups.size().min() >= 2
    assert (groups["stage"].diff().dropna() >= 0).all()
    assert (groups["crp"].diff().dropna() >= 0).all()
    assert (groups["day"].diff().dropna() >= 50).all()
    assert ((groups["sbp"].shift(2) - found["sbp"]).dropna() < 40).all()


def test_the_last_visit_is_inside_the_follow_up(model):
    found = model.sample(40, random_state=2)
    assert (found["day"] <= found["end"]).all()


def test_a_rule_that_real_patients_break_is_met_or_one_error():
    table = visits()
    keep = {"then": "any(stage == 3)", "on_violation": "keep"}
    found = fitted(table, schema(constraints=[keep])).sample(15, random_state=1)
    assert found.groupby("who")["stage"].max().eq(3).all()
    keep = {"then": "count() >= 40", "on_violation": "keep"}
    with pytest.raises(ConditionError, match=r"number of visits satisfies `count\(\) >= 40`"):
        fitted(table, schema(constraints=[keep])).sample(5, random_state=1)


def test_the_rules_are_kept_in_a_model_folder(model, tmp_path):
    model.save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    pd.testing.assert_frame_equal(loaded.sample(20, random_state=4), model.sample(20, random_state=4))


def test_visits_on_dates_keep_their_distance():
    table = visits(60)
    table = table.assign(day=pd.Timestamp("2020-01-01") + pd.to_timedelta(table["day"], unit="D"))
    declared = schema(
        day={"type": "date", "range": ["2020-01-01", "2026-12-31"]}, constraints=["day - previous(day) >= 70"]
    )
    found = fitted(table, declared).sample(40, random_state=1)
    gaps = found.groupby("who")["day"].diff().dropna().dt.days
    assert len(gaps) > 20
    assert np.all(gaps >= 70)


def test_a_rule_of_the_first_visit_and_the_same_of_each():
    rules = ["first(sbp) >= 100", {"then": "sbp >= 100", "on_violation": "keep"}]
    table = visits(60)
    table = table[table.groupby("who")["sbp"].transform("first") >= 100]
    model = fitted(table, schema(constraints=rules))
    assert model.longitudinal_.rows.between == {}
    assert (model.sample(20, random_state=1)["sbp"] >= 100).all()
    alone = sc.Independent(schema(constraints=rules[:1]), random_state=1).fit(table)
    assert alone.longitudinal_.rows.between == {"sbp >= 100": "first(sbp) >= 100"}
