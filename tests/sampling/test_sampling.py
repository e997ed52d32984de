import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.errors import ConditionError, ConfigError
from synthclin.expressions import parse
from synthclin.models import ConditionalGAN
from synthclin.rules.rules import violations
from synthclin.rules.validation import conform
from synthclin.sampling.cohorts import require_condition
from synthclin.sampling.sampler import CONDITIONED_CHUNK
from synthclin.schema import Schema
from tests.sampling.marginal import Marginal
from tests.ward import SCHEMA


def test_a_sample_is_a_table_that_satisfies_the_schema(model):
    rows = model.sample(700)
    assert list(rows) == list(SCHEMA.columns)
    pd.testing.assert_frame_equal(conform(rows, SCHEMA), rows)
    assert not any(broken.any() for broken in violations(rows, SCHEMA).values())
    assert rows["pregnant"].isna().equals(rows["sex"] == "M")
    assert (rows["pulse_pressure"] == rows["sbp"] - rows["dbp"]).all()
    assert rows["pid"].tolist()[:2] == ["P-0001", "P-0002"]
    assert rows["pid"].is_unique


conditions = st.sampled_from(
    [
        "sex == 'F'",
        "age >= 65",
        "40 <= age < 50",
        "bmi is missing",
        "bmi > 30.05",
        "bmi is not missing and stage == 'III'",
        "sex == 'F' and age < 40 and pregnant",
        "stage >= 'II' or age < 30",
        "sbp - dbp > 45",
        "pulse_pressure < 30 and sex == 'M'",
        "not (age in [30, 31, 32]) and sbp > 120",
        "age == 50",
    ]
)


@settings(max_examples=12, deadline=None)
@given(conditions, st.integers(1, 300), st.integers(0, 10**6))
def test_every_cohort_has_its_size_and_satisfies_its_condition(model, where, rows, seed):
    cohort = model.sample(rows, where=where, random_state=seed)
    assert len(cohort) == rows
    assert parse(where).evaluate(cohort).fillna(False).all()
    assert not any(broken.any() for broken in violations(cohort, SCHEMA).values())
    assert 0 < model.sample_facts_.probability <= 1.0001


@st.composite
def predicates(draw):
    """Conditions on one or several columns and between columns, including contradictory and improbable ones."""
    number = st.one_of(st.integers(-10, 300), st.floats(-10, 300).map(lambda value: round(value, 2)))
    name, sign = (
        st.sampled_from(["age", "bmi", "sbp", "dbp", "pulse_pressure"]),
        st.sampled_from(["<", ">=", "==", "!="]),
    )
    compared = st.builds("{} {} {}".format, name, sign, number)
    between = st.builds("{0} <= {1} < {2}".format, number, name, number)
    pair = st.builds("{} {} {} + {}".format, name, sign, name, number)
    level = st.sampled_from(["sex == 'F'", "stage > 'I'", "stage in ['I', 'III']", "pregnant", "not pregnant"])
    empty = st.builds(
        "{} is {}missing".format, st.sampled_from(["bmi", "pregnant", "age"]), st.sampled_from(["", "not "])
    )
    among = st.builds("{} in {}".format, name, st.lists(number, min_size=1, max_size=4))
    part = st.one_of(compared, between, pair, level, empty, among)
    either = st.builds("({} or {})".format, part, part)
    return draw(st.lists(st.one_of(part, either), min_size=1, max_size=4).map(" and ".join))


def reject_soon(patch):
    """Much smaller rejection budget than by default, for tests of the outcome and not of rare rows."""
    patch.setattr("synthclin.sampling.sampler.LEAST_BUDGET", 4_000)
    patch.setattr("synthclin.sampling.sampler.REJECTION_BUDGET", 20)


@settings(max_examples=40, deadline=None)
@given(predicates(), st.sampled_from([1, 7, 150]), st.integers(0, 10**6))
def test_rows_satisfy_any_condition_or_an_error_gives_the_support(model, where, rows, seed):
    with pytest.MonkeyPatch.context() as patch:
        reject_soon(patch)
        try:
            cohort = model.sample(rows, where=where, random_state=seed)
        except ConditionError as error:
            message = error.what
            cohort = None
    if cohort is None:
        assert "satisf" in message
        return
    assert len(cohort) == rows
    assert parse(where).evaluate(cohort).fillna(False).all()
    assert not any(broken.any() for broken in violations(cohort, SCHEMA).values())
    assert 0 < model.sample_facts_.probability <= 1.0001
    assert 0 < model.sample_facts_.effective <= model.sample_facts_.proposed


def test_a_condition_on_every_column_at_once(model):
    where = (
        "sex == 'F' and 30 <= age <= 60 and 20 <= bmi < 33.3 and stage in ['I', 'II'] and not pregnant and sbp > 110 "
        "and dbp < 100 and pulse_pressure >= 25"
    )
    cohort = model.sample(200, where=where, random_state=0)
    assert parse(where).evaluate(cohort).fillna(False).all()


def test_a_large_cohort_is_sampled_in_parts(model):
    cohort = model.sample(CONDITIONED_CHUNK + 500, where="age >= 40 and sex == 'F'", random_state=0)
    assert len(cohort) == CONDITIONED_CHUNK + 500
    assert cohort["age"].min() >= 40
    assert cohort["pid"].is_unique


def test_a_condition_that_always_holds_has_probability_one_and_changes_no_distribution():
    """The forbidden code of rare levels must not enter the weights of the others."""
    rng = np.random.default_rng(2)
    group = rng.choice(["a", "b"], 600)
    rare = [f"r{i}" for i in range(600)]
    icd = np.where((group == "b") & (rng.random(600) < 0.6), rare, rng.choice(["I50", "I21"], 600))
    schema = Schema.model_validate({"columns": {"group": {"type": "category"}, "icd": {"type": "code"}}})
    model = ConditionalGAN(schema, effort="quick", width=32).fit(pd.DataFrame({"group": group, "icd": icd}))
    free = model.sample(3_000, random_state=0)
    bound = model.sample(3_000, where="icd is not missing", random_state=0)
    assert model.sample_facts_.probability == pytest.approx(1, abs=1e-4)
    assert (bound["group"] == "b").mean() == pytest.approx((free["group"] == "b").mean(), abs=0.04)


def test_mixed_shares_are_exact(model):
    rows = model.sample(501, mix={"sex": {"F": 0.2, "M": 0.8}}, random_state=2)
    assert (rows["sex"] == "F").sum() in {100, 101}
    # Rows of one level are shuffled among the others.
    assert rows["sex"].iloc[:50].nunique() == 2


def test_two_mixed_columns_meet_both_margins(model):
    mix = {"sex": {"F": 0.7, "M": 0.3}, "stage": {"I": 0.5, "II": 0.25, "III": 0.25}}
    rows = model.sample(400, mix=mix, where="age > 20", random_state=2)
    assert (rows["sex"] == "F").mean() == pytest.approx(0.7, abs=0.01)
    assert (rows["stage"] == "I").mean() == pytest.approx(0.5, abs=0.01)
    assert (rows["age"] > 20).all()


@pytest.mark.parametrize(
    ("where", "error"),
    [
        ("age > 100", ConditionError),
        ("age > 60 and pregnant", ConditionError),
        ("dbp > sbp", ConditionError),
        ("height > 3", ConfigError),
        ("age >", ConfigError),
    ],
)
def test_conditions_that_cannot_be_sampled_are_errors(model, monkeypatch, where, error):
    reject_soon(monkeypatch)
    with pytest.raises(error):
        model.sample(10, where=where, random_state=0)


def test_three_mixed_columns_meet_all_margins(model):
    mix = {"sex": {"F": 0.5, "M": 0.5}, "stage": {"I": 0.5, "III": 0.5}, "age": {35: 0.4, 75: 0.6}}
    rows = model.sample(200, mix=mix, random_state=0)
    for name, shares in mix.items():
        for level, share in shares.items():
            assert (rows[name] == level).mean() == pytest.approx(share, abs=0.02)
    # Young patients are in stage I, old ones in stage III, as far as the margins allow.
    assert (rows.loc[rows["age"] == 35, "stage"] == "I").mean() > 0.9


def test_an_impossible_mix_is_refused(model):
    # No man is pregnant, or is known not to be.
    with pytest.raises(ConditionError, match="mix"):
        model.sample(300, mix={"sex": {"F": 0.5, "M": 0.5}, "pregnant": {False: 1.0}}, random_state=0)


def test_a_rare_level_absent_from_a_small_sample_is_mixed():
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "arm": np.where(np.arange(4_000) < 12, "rare", rng.choice(["a", "b"], 4_000)),
            "sex": rng.choice(["F", "M"], 4_000),
        }
    )
    schema = Schema.model_validate({"columns": {"arm": {"type": "category"}, "sex": {"type": "category"}}})
    model = Marginal(schema).fit(frame)
    mix = {"arm": {"rare": 0.5, "a": 0.5}, "sex": {"F": 0.5, "M": 0.5}}
    rows = model.sample(100, mix=mix, random_state=0)
    assert (rows["arm"] == "rare").sum() == 50
    assert (rows["sex"] == "F").sum() in {49, 50, 51}
    # Combinations exclude each other: their probabilities add up to that of either arm.
    either = model.sample_facts_.probability
    model.sample(100, where="arm in ['rare', 'a']", random_state=0)
    assert either == pytest.approx(model.sample_facts_.probability, rel=0.15)


@pytest.fixture(scope="module")
def ward_with_a_rule():
    """Independent columns, and a rule that they satisfy by chance in one of twenty rows."""
    rng = np.random.default_rng(5)
    died, old = rng.random(2_000) < 0.3, rng.random(2_000) < 0.5
    stay, time = rng.integers(1, 21, 2_000), rng.integers(1, 21, 2_000)
    columns = {"died": {"type": "boolean"}, "old": {"type": "boolean"}}
    columns |= {name: {"type": "integer", "range": [1, 20]} for name in ("stay", "time")}
    rule = {"when": "died", "then": "stay == time"}
    schema = Schema.model_validate({"columns": columns, "constraints": [rule]})
    time = np.where(died, stay, time)
    return Marginal(schema).fit(pd.DataFrame({"died": died, "old": old, "stay": stay, "time": time}))


def test_the_share_of_a_cohort_is_that_of_a_sample_without_the_condition(ward_with_a_rule):
    free = ward_with_a_rule.sample(4_000, random_state=0)
    assert ward_with_a_rule.sample_facts_.probability == 1
    for where in ("died", "died and old", "stay == time", "stay == time and died", "stay > 15"):
        share = parse(where).evaluate(free).mean()
        ward_with_a_rule.sample(500, where=where, random_state=1)
        assert ward_with_a_rule.sample_facts_.probability == pytest.approx(share, abs=0.03)
    assert free["died"].mean() == pytest.approx(0.3, abs=0.03)  # the rule alone has a probability of 0.05
    ward_with_a_rule.sample(500, mix={"died": {True: 0.5, False: 0.5}}, random_state=1)
    assert ward_with_a_rule.sample_facts_.probability == pytest.approx(1, abs=0.03)


def test_a_condition_changes_no_share_that_it_does_not_concern(ward_with_a_rule):
    free = ward_with_a_rule.sample(4_000, random_state=0)
    for where in ("old", "stay <= 10", "stay + time > 20"):
        within = free[parse(where).evaluate(free).astype(bool)]
        cohort = ward_with_a_rule.sample(3_000, where=where, random_state=2)
        assert cohort["died"].mean() == pytest.approx(within["died"].mean(), abs=0.04)


def test_imputed_cells_are_distributed_as_in_a_sample(ward_with_a_rule):
    """Neither does a rule make a level rare that the columns alone rarely combine as the rule demands."""
    free = ward_with_a_rule.sample(4_000, random_state=0)
    for holes in (["died"], ["died", "stay"], ["died", "stay", "time"], ["stay"]):
        (done,) = ward_with_a_rule.impute(free.assign(**dict.fromkeys(holes)), 1, random_state=3)
        assert not any(broken.any() for broken in violations(done, ward_with_a_rule.schema).values())
        assert done["died"].mean() == pytest.approx(free["died"].mean(), abs=0.04)
        assert (done["stay"] == done["time"]).mean() == pytest.approx((free["stay"] == free["time"]).mean(), abs=0.04)


def test_too_many_combinations_are_refused(model):
    ages = dict.fromkeys(range(30, 80), 1 / 50)
    with pytest.raises(ConfigError, match="2,500 combinations"):
        model.sample(10, mix={"age": ages, "sbp": dict.fromkeys(range(100, 150), 1 / 50)})


def test_shares_must_sum_to_one(model):
    with pytest.raises(ConfigError, match=r"sum to 0\.9"):
        model.sample(10, mix={"sex": {"F": 0.5, "M": 0.4}})


def test_same_seed_same_rows_and_calls_differ(model):
    pd.testing.assert_frame_equal(model.sample(50, random_state=9), model.sample(50, random_state=9))
    assert not model.sample(50).equals(model.sample(50))


def test_sampling_leaves_the_global_generators_alone(model):
    np_state, torch_state = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002 - what is tested
    model.sample(20)
    assert (np.random.get_state()[1] == np_state).all()  # noqa: NPY002
    assert torch.get_rng_state().equal(torch_state)


@pytest.mark.parametrize(
    "words", [{"mix": {"sex": 0.5}}, {"mix": [1]}, {"where": 3}, {"mix": {"sex": {"F": "a", "M": 1}}}]
)
def test_what_is_no_condition_is_one_clear_error(words):
    with pytest.raises(ConfigError, match=r"it is no text|it has no shares of levels"):
        require_condition(words.get("where"), words.get("mix"))
