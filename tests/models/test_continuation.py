from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConditionError, ConfigError, DataError
from synthclin.models import load
from synthclin.rules.rules import violations
from tests.longitudinal import schema, visits
from tests.short import short_trainings

RULES = ["dbp < sbp", "previous(stage) <= stage", "day <= end", "sbp <= first(sbp) * 1.4"]
ENDS = {"end": pd.NA, "died": pd.NA}


@pytest.fixture(scope="module", autouse=True)
def _short():
    with pytest.MonkeyPatch.context() as patch:
        short_trainings(patch)
        yield


def fitted(table, declared):
    return sc.ConditionalGAN(declared, effort="quick", width=8, blocks=0, random_state=1).fit(table)


@pytest.fixture(scope="module")
def declared():
    return schema(constraints=RULES)


@pytest.fixture(scope="module")
def model(declared):
    return fitted(visits(), declared)


@pytest.fixture(scope="module")
def history():
    """Two visits each of other patients."""
    table = visits(seed=4)
    size = table.groupby("who")["day"].transform("size")
    return table[(size >= 4) & (table.groupby("who").cumcount() < 2)].head(40).reset_index(drop=True)


def same(table, other):
    return table.astype(object).reset_index(drop=True).equals(other.astype(object).reset_index(drop=True))


def test_exactly_so_many_visits_follow_the_given_ones(model, history, declared):
    found, sampled = model.continue_(history.assign(**ENDS), visits=2, random_state=1)
    assert len(found) == 2 * len(history)
    assert sampled.shape == found.shape
    new = sampled["day"]
    assert new.groupby(found["who"], sort=False).apply(list).tolist() == [[False, False, True, True]] * 20
    given = [name for name in history if name not in ENDS]
    assert same(found.loc[~new, given], history[given])
    assert (found.groupby("who")["day"].diff().dropna() > 0).all()
    assert (found["day"] <= found["end"]).all()
    for name in ("arm", "age", "end", "died", "older"):
        assert found.groupby("who")[name].nunique().max() == 1
    assert {rule: int(mask.sum()) for rule, mask in violations(found, declared).items() if mask.any()} == {}


def test_marks_tell_what_is_sampled(model, history):
    found, sampled = model.continue_(history.assign(**ENDS), visits=1, random_state=1)
    new = sampled["day"].to_numpy()
    assert sampled[["end", "died"]].all().all()  # unknown at the given visits too
    assert not sampled[["who", "arm", "age", "older"]].any().any()
    assert sampled.loc[new, ["sbp", "stage", "pulse"]].all().all()
    assert not sampled.loc[~new, ["sbp", "stage", "pulse"]].any().any()
    assert found["who"].isin(history["who"]).all()


def test_further_visits_resemble_the_history(model, history):
    found, sampled = model.continue_(history.assign(**ENDS), visits=1, random_state=1)
    last = history.groupby("who", sort=False)["sbp"].last()
    new = found[sampled["day"]].set_index("who")["sbp"].astype(float)
    assert np.corrcoef(last, new.loc[last.index])[0, 1] > 0.6
    smoker = history.groupby("who", sort=False)["smoker"].last()
    assert (found[sampled["day"]].set_index("who")["smoker"].loc[smoker.index] == smoker).mean() > 0.5


def test_a_given_end_is_a_fact(model):
    whole = visits(seed=4)
    size = whole.groupby("who")["day"].transform("size")
    history = whole[(size >= 4) & (whole.groupby("who").cumcount() < 2)].head(40)
    found, sampled = model.continue_(history, until=2000, random_state=1)
    assert (found["day"] <= found["end"]).all()
    assert not sampled[["end", "died"]].any().any()
    assert found.groupby("who")["end"].first().equals(history.groupby("who")["end"].first().astype(found["end"].dtype))
    real = whole[whole["who"].isin(history["who"])].groupby("who").size().mean()
    assert found.groupby("who").size().mean() == pytest.approx(real, abs=1.2)


def test_until_a_time(model, history):
    found, sampled = model.continue_(history.assign(**ENDS), until=250, random_state=1)
    assert (found["day"][sampled["day"]] <= 250).all()
    assert sampled["day"].sum() > 10
    assert set(found["who"]) == set(history["who"])


def test_until_a_time_that_hardly_leaves_room():
    table = visits()
    top = int(table["end"].max())
    closed = schema(constraints=RULES, end={"range": [0, top]}, day={"range": [0, top]})
    close = fitted(table, closed)
    for seed, until in enumerate((top, 300)):
        found, sampled = close.continue_(table.assign(**ENDS).head(40), until=until, random_state=seed)
        assert (found["day"][sampled["day"]] <= until).all()
        assert (found["end"] <= top).all()
        assert (found["day"] <= found["end"]).all()


def test_another_arm(model, history, declared):
    found, sampled = model.continue_(history.assign(**ENDS), visits=1, set={"arm": "B"}, random_state=1)
    assert (found["arm"] == "B").all()
    was = history.set_index("who")["arm"].groupby("who").first().reindex(found["who"]).to_numpy()
    assert (sampled["arm"].to_numpy() == (was == "A")).all()
    assert not any(mask.any() for mask in violations(found, declared).values())
    older, marks = model.continue_(history.assign(**ENDS), visits=1, set={"age": 80}, random_state=1)
    assert older["older"].all()
    assert marks["older"].any()


def test_order_dtypes_and_repetition(model, history):
    shuffled = history.assign(**ENDS).sample(frac=1, random_state=2).set_axis(range(500, 500 + len(history)))
    found, sampled = model.continue_(shuffled, visits=1, random_state=3)
    assert found["sbp"].dtype == history["sbp"].dtype
    assert list(found.columns) == list(history.columns)
    assert found["who"].drop_duplicates().tolist() == shuffled["who"].drop_duplicates().tolist()
    again, _ = model.continue_(shuffled, visits=1, random_state=3)
    pd.testing.assert_frame_equal(found, again)
    assert sampled["day"].sum() == history["who"].nunique()


def test_a_single_patient_with_a_single_visit(model, tmp_path):
    table = visits(seed=4).head(1).assign(**ENDS)
    found, _ = model.continue_(table, visits=3, random_state=1)
    assert len(found) == 4
    model.save(tmp_path / "m")
    again, _ = load(tmp_path / "m").continue_(table, visits=3, random_state=1)
    pd.testing.assert_frame_equal(found, again)


def test_a_schedule_and_dates_are_kept():
    table = visits(60)
    table["day"] = table.groupby("who").cumcount() * 90
    table["end"] = table.groupby("who")["day"].transform("max") + 7
    plan = {"schedule": [0, 90, 180, 270, 360, 450, 540], "window": 6, "most": 6}
    start = pd.Timestamp("2020-01-01")
    dated = table.assign(day=start + pd.to_timedelta(table["day"], unit="D"))
    kind = {"type": "date", "range": ["2020-01-01", "2026-12-31"]}
    model = fitted(dated, schema(visits=plan, day=kind))
    history = dated[(dated.groupby("who").cumcount() < 2)].head(30).assign(**ENDS)
    found, sampled = model.continue_(history, visits=1, random_state=1)
    first = found.groupby("who")["day"].transform("min")
    days = (found["day"] - first).dt.days
    assert ((days - (days / 90).round() * 90).abs() <= 6).all()
    assert sampled["day"].sum() == history["who"].nunique()
    assert (found["end"] >= days).all()
    until, marks = model.continue_(history, until="2020-07-10", random_state=1)
    assert (until["day"][marks["day"]] <= pd.Timestamp("2020-07-10")).all()
    with pytest.raises(DataError, match="more than 6 visits"):
        model.continue_(history, visits=6)
    early = history.assign(end=10)
    for use in (lambda: model.continue_(early, until="2020-07-10"), lambda: model.impute(early)):
        with pytest.raises(DataError, match=r"'end': the follow-up of \d+ of \d+ patients ends before their last"):
            use()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either `visits` or `until`"),
        ({"visits": 1, "until": 5}, "either `visits` or `until`"),
        ({"visits": 0}, "no whole number from 1"),
        ({"until": "soon"}, "no time of a visit"),
        ({"visits": 1, "set": {"sbp": 120}}, "no static column"),
        ({"visits": 2.5}, "Give a whole number of at least 1"),
        ({"visits": 1, "set": {"arm": "C"}}, r"`set`: the value of 'arm' is none .* Choose from 'A', 'B'"),
        ({"visits": 1, "set": {"age": 900}}, r"`set`: the value of 'age' is none .* from 18 to 95"),
    ],
)
def test_wrong_arguments_are_errors(model, history, arguments, message):
    with pytest.raises((ConfigError, DataError), match=message):
        model.continue_(history.assign(**ENDS), **arguments)


def test_no_room_is_one_error_with_a_remedy(model, history):
    closed = history.assign(end=history.groupby("who")["day"].transform("max"))
    with pytest.raises(ConditionError, match="empty the follow-up and the event"):
        model.continue_(closed, visits=2, random_state=1)
    with pytest.raises(DataError, match="never imputed"):
        model.continue_(history.drop(columns="day"), visits=2)
    with pytest.raises(DataError, match="'sbp' is absent"):
        model.continue_(history.drop(columns="sbp"), visits=2)


def test_a_table_of_rows_has_no_visits():
    table, declared = sc.datasets.load("heart_disease")
    found = sc.Independent(declared).fit(table.head(80))
    with pytest.raises(ConfigError, match="role: visit"):
        found.continue_(table.head(5), visits=1)
