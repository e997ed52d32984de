from __future__ import annotations

import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConditionError, ConfigError
from synthclin.expressions import parse
from synthclin.models.visits.patient_requests import PatientCondition
from synthclin.rules.rules import violations
from synthclin.sampling.cohorts import Cohort
from synthclin.schema.visit_times import visits_in
from tests.longitudinal import schema, visits
from tests.short import short_trainings


@pytest.fixture(scope="module", autouse=True)
def _short():
    with pytest.MonkeyPatch.context() as patch:
        short_trainings(patch)
        yield


@pytest.fixture(scope="module")
def model():
    return sc.ConditionalGAN(schema(), effort="quick", width=8, blocks=0, random_state=3).fit(visits())


def share(table, where):
    """Return the share of patients who satisfy a condition."""
    held = parse(where).evaluate(table, visits=visits_in(table, schema())).fillna(value=False).to_numpy(dtype=bool)
    return table.loc[held, "who"].nunique() / table["who"].nunique()


@pytest.mark.parametrize(
    "where",
    [
        "any(sbp > 150)",
        "all(sbp > 110) and arm == 'A'",
        "last(stage) == 3 and count() >= 2",
        "first(sbp) > 130 and age < 70",
        "count() >= 4",
        "not any(crp > 10) or older",
        "any(sbp > previous(sbp) + 5)",
        "first(pulse) > 50",
        "first(smoker) in ['yes'] and end > 100",
        "all(previous(stage) is missing or stage == previous(stage))",
    ],
)
def test_exactly_n_patients_satisfy_it(model, where):
    found = model.sample(25, where=where, random_state=1)
    assert found["who"].nunique() == 25
    assert share(found, where) == 1
    assert not any(mask.any() for mask in violations(found, schema()).values())


def test_patients_are_those_of_an_unconditional_sample_who_satisfy_it(model):
    all_ = model.sample(400, random_state=1)
    for where in ("any(sbp > 150)", "last(sbp) < 120 and count() >= 3"):
        found = model.sample(100, where=where, random_state=2)
        assert model.sample_facts_.probability == pytest.approx(share(all_, where), abs=0.12)
        order = visits_in(all_, schema())
        held = parse(where).evaluate(all_, visits=order).fillna(value=False).to_numpy(dtype=bool)
        wanted = all_[held].groupby("who")["sbp"]
        assert found.groupby("who")["sbp"].mean().mean() == pytest.approx(wanted.mean().mean(), abs=5)
        assert found.groupby("who").size().mean() == pytest.approx(wanted.size().mean(), abs=0.6)


def test_what_the_patient_row_holds_is_imposed_there(model):
    condition = PatientCondition.of(
        "arm == 'A' and count() >= 3 and first(stage) == 2 and any(sbp > 150)", None, model.longitudinal_
    )
    assert condition.imposed == "(arm == 'A') and (visits >= 3) and (stage == 2)"
    assert condition.whole.text == "(any(sbp > 150))"
    ratio = model.longitudinal_.first.means
    condition = PatientCondition.of("first(sbp) > 130", None, model.longitudinal_)
    assert ("sbp" in ratio) == (condition.of_first is not None)


def test_mixes_keep_their_shares_under_a_condition_on_visits(model):
    found = model.sample(30, where="any(sbp > 140)", mix={"arm": {"A": 0.2, "B": 0.8}}, random_state=1)
    assert found.groupby("who")["arm"].first().value_counts().to_dict() == {"B": 24, "A": 6}
    assert share(found, "any(sbp > 140)") == 1


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("sbp > 120", r"'sbp', which differs between.*any\(sbp > 120\), or all\(sbp > 120\), or first\(sbp\)"),
        ("any(stage == 3) or sbp > 120", r"differs between the visits of a patient. Write first\(sbp\)"),
        ("sbp > previous(sbp)", r"Write any\(sbp > previous\(sbp\)\)"),
        ("previous(age) > 3", "differs between the visits"),
        ("any(sbpp > 1)", "no column. Did you mean 'sbp'"),
        ("visits > 2", "no column"),
        ("count >= 4", r"'count' with its brackets, such as count\(\) >= 4"),
        ("previous > 4", r"'previous' with its brackets"),
        ("any(crp)", r"^where `any\(crp\)`: column 'crp'"),
        ("any(stage == 9)", "no level"),
        ("any(who == 'P1')", "not modelled"),
        ("count()", "a number, not a condition"),
        ("first(any(sbp > 1))", "stands inside"),
    ],
)
def test_wrong_conditions_have_a_remedy(model, where, message):
    with pytest.raises(ConfigError, match=message):
        model.sample(5, where=where)


def test_the_remedy_works_when_copied(model):
    found = model.sample(5, where="any(sbp > 120)", random_state=1)
    assert found["who"].nunique() == 5


def test_out_of_reach_is_one_error_with_the_rate(model):
    with pytest.raises(ConditionError, match=r"only \d+ of [\d,]+ sampled patients \(.* %\) satisfy it.*5 are wanted"):
        model.sample(5, where="any(sbp > 200) and any(sbp < 75)", random_state=1)
    with pytest.raises(ConditionError, match=r"count\(\) >= 40"):
        model.sample(5, where="count() >= 40", random_state=1)
    with pytest.raises(ConfigError, match="differs between the visits"):
        model.sample(5, mix={"stage": {1: 1.0}})


def test_a_cohort_holds_whole_patients():
    table = visits()
    cohort = Cohort(name="x", rows=5, where="any(stage == 3) and arm == 'A'")
    inside = cohort.holds(table, schema())
    assert inside.equals(table["who"].map(table.groupby("who")["stage"].max() == 3) & (table["arm"] == "A"))
    assert inside.any()


def test_a_table_of_rows_refuses_functions_of_visits():
    table, declared = sc.datasets.load("heart_disease")
    found = sc.Independent(declared).fit(table.head(80))
    with pytest.raises(ConfigError, match="rows are no visits"):
        found.sample(3, where="any(age > 40)")


def test_the_same_seed_gives_the_same_patients(model):
    one, two = (model.sample(12, where="any(sbp > 150)", random_state=4) for _ in range(2))
    pd.testing.assert_frame_equal(one, two)
    assert len(model.sample(0, where="any(sbp > 150)")) == 0
