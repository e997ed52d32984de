from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConfigError, DataError
from synthclin.models import load
from synthclin.rules.rules import violations
from tests.longitudinal import schema, visits
from tests.short import short_trainings

RULES = [
    "dbp < sbp",
    {"when": "stage == 1", "then": "smoker != 'former'"},
    "previous(stage) <= stage",
    "day <= end",
    "last(stage) >= first(stage)",
]
FILLED = ("sbp", "dbp", "stage", "smoker")


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


def with_holes(table, share, names=FILLED, seed=0):
    rng = np.random.default_rng(seed)
    table = table.drop(columns=["pulse", "older"])
    masks = {name: rng.random(len(table)) < share for name in names}
    return table.assign(**{name: table[name].astype(object).mask(mask) for name, mask in masks.items()}), masks


def first_visits(**words):
    """At most two visits of each patient: imputation takes its time for each visit, of any number of patients."""
    table = visits(**words)
    return table[table.groupby("who").cumcount() < 2].reset_index(drop=True)


@pytest.fixture(scope="module")
def filled(model):
    table, masks = with_holes(visits(70, seed=1), 0.25)
    return table, masks, model.impute(table, random_state=1)


def test_holes_are_filled_and_given_cells_unchanged(filled, declared):
    table, masks, found = filled
    assert list(found.columns) == [*table.columns, "pulse", "older"]
    assert found.index.equals(table.index)
    for name in FILLED:
        assert found[name].notna().all()
        given = ~masks[name]
        assert (found[name][given].astype(object) == table[name][given]).all()
    assert found["crp"].notna().all()  # missing ones are imputed too
    assert {rule: int(mask.sum()) for rule, mask in violations(found, declared).items() if mask.any()} == {}
    assert (found["pulse"] == found["sbp"] - found["dbp"]).all()


def test_imputed_cells_are_nearer_than_those_of_other_patients(filled):
    table, masks, found = filled
    truth = visits(70, seed=1)
    hole = masks["sbp"] & ~masks["dbp"]
    error = (found["sbp"].astype(float) - truth["sbp"])[hole]
    alone = masks["sbp"] & masks["dbp"]
    rng = np.random.default_rng(0)
    shuffled = truth["sbp"][hole] - rng.permutation(truth["sbp"])[: hole.sum()]
    assert np.sqrt((error**2).mean()) < 0.6 * np.sqrt((shuffled**2).mean())
    error = (found["sbp"].astype(float) - truth["sbp"])[alone]
    assert error.abs().mean() < 0.8 * truth["sbp"].std()
    assert len(table) == len(found)


def test_later_visits_count(model):
    """A habit that is known before and after a hole is most often the same in it; so is one known after it alone."""
    truth = visits(seed=2)
    table = truth.drop(columns=["pulse", "older"])
    number = table.groupby("who").cumcount()
    several = table.groupby("who")["day"].transform("size") >= 3
    hole = several & (number == 0)
    found = model.impute(table.assign(smoker=table["smoker"].mask(hole)), random_state=1)
    same = (found["smoker"][hole].astype(object) == truth["smoker"][hole]).mean()
    chance = truth["smoker"].value_counts(normalize=True).max()
    assert same > chance + 0.2


def test_order_and_index_of_rows_stay(model):
    table, _ = with_holes(visits(seed=1).head(30), 0.3)
    table = table.sample(frac=1, random_state=3).set_axis(range(1000, 1030))
    found = model.impute(table, random_state=1)
    assert found.index.equals(table.index)
    assert (found["who"] == table["who"]).all()
    assert (found["day"] == table["day"]).all()


def test_several_imputations_differ_in_holes_alone(model):
    table, masks = with_holes(first_visits(seed=1).head(8), 0.4)
    one, two = model.impute(table, 2, random_state=1)
    differ = one["sbp"].astype(float) != two["sbp"].astype(float)
    assert differ[masks["sbp"]].mean() > 0.5
    assert not differ[~masks["sbp"]].any()
    pd.testing.assert_frame_equal(model.impute(table, 2, random_state=1)[1], two)


def test_static_holes_are_one_per_patient(model, declared):
    table, _ = with_holes(first_visits(seed=1).head(60), 0.2)
    patients = table["who"].unique()
    some = table["who"].isin(patients[:5])
    table["age"] = table["age"].astype("Int64").mask(some)
    table["arm"] = table["arm"].mask(table["who"].isin(patients[5:8]))
    table["end"] = table["end"].astype("Int64").mask(table["who"].isin(patients[8:12]))
    one_row = table.index[table["who"] == patients[14]][0]
    table.loc[one_row, "age"] = pd.NA  # known from other visits, if there are some
    found = model.impute(table, random_state=1)
    for name in ("age", "arm", "end", "died", "older"):
        assert found[name].notna().all()
        assert found.groupby("who")[name].nunique().max() == 1
    assert (found["day"] <= found["end"]).all()
    assert not any(mask.any() for mask in violations(found, declared).values())
    others = table[table["who"] == patients[14]]["age"].dropna()
    if len(others):
        assert found.loc[one_row, "age"] == others.iloc[0]


def test_only_wanted_columns_are_imputed(model):
    table, masks = with_holes(first_visits(seed=1).head(20), 0.3)
    found = model.impute(table, columns=["sbp"], random_state=1)
    assert found["sbp"].notna().all()
    assert (found["smoker"].isna() == masks["smoker"][:20]).all()
    without = table.drop(columns="smoker")
    found = model.impute(without, random_state=1)
    assert found["smoker"].notna().all()


def test_a_table_without_holes_comes_back(model):
    table = visits(seed=1).head(30)
    table["crp"] = table["crp"].fillna(2.0)
    found = model.impute(table, random_state=1)
    assert (found.astype(object) == table.astype(object)).all().all()


def test_one_visit_of_one_patient(model):
    table = visits(seed=1).head(1).drop(columns=["pulse", "older"]).assign(sbp=pd.NA, age=pd.NA)
    found = model.impute(table, random_state=1)
    assert found.notna().all().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda t: t.assign(day=t["day"].astype("Int64").mask(np.arange(len(t)) == 2)),
            r"no time of the visit, which is",
        ),
        (lambda t: t.drop(columns="day"), "the time of each visit is absent"),
        (lambda t: t.assign(who=t["who"].mask(np.arange(len(t)) == 2)), "holds no patient"),
        (lambda t: t.drop(columns="who"), "the patient of each visit is absent"),
        (lambda t: t.assign(day=5), "at the same time"),
        (lambda t: t.assign(age=np.arange(len(t)) + 20), "differs between the visits"),
        (lambda t: t.assign(dbp=200, sbp=100), "dbp"),
        (lambda t: t.assign(stage=[3, 1] * (len(t) // 2), smoker="no"), "previous"),
        (lambda t: t.assign(arm="C"), "outside"),
    ],
)
def test_what_cannot_be_imputed_is_one_error(model, change, message):
    with pytest.raises(DataError, match=message):
        model.impute(change(visits(seed=1).head(20)), random_state=1)


def test_a_wrong_column_is_refused(model):
    with pytest.raises(ConfigError, match="not a modelled column"):
        model.impute(visits().head(20), columns=["who"])
    with pytest.raises(ConfigError, match=r"a text, not a list of columns\. Write columns=\['crp'\]"):
        model.impute(visits().head(20), columns="crp")


def test_given_cells_may_violate_a_rule_that_is_kept():
    table = visits(40)
    rules = [
        {"then": "previous(stage) <= stage", "on_violation": "keep"},
        {"then": "dbp < sbp", "on_violation": "keep"},
    ]
    declared = schema(constraints=rules)
    model = fitted(table, declared)
    table, masks = with_holes(first_visits(seed=1).head(16), 0.3, names=("crp", "smoker"))
    table.loc[table.index[3], "dbp"] = 159
    table.loc[table.index[3], "sbp"] = 150
    found = model.impute(table, random_state=1)
    assert found["smoker"].notna().all()
    assert int(violations(found, declared)["dbp < sbp"].sum()) == 1
    assert masks["smoker"].any()


def test_visits_on_dates_and_missing_reasons(tmp_path):
    table = first_visits(patients=60)
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(pd.factorize(table["who"])[0] % 40, unit="D")
    table["day"] = start + pd.to_timedelta(table["day"], unit="D")
    table["drawn"] = table["day"] - pd.to_timedelta(np.arange(len(table)) % 3, unit="D")
    table["crp"] = table["crp"].astype(object).where(table["crp"].notna(), "ND")
    crp = {"missing": "never", "missing_codes": {"ND": "not done"}}
    plan = schema(day={"type": "date", "range": ["2020-01-01", "2026-12-31"]}, crp=crp)
    columns = {**plan.model_dump(mode="json", exclude_unset=True)["columns"]}
    columns = {name: column for name, column in columns.items() if name != "crp_missing"} | {"drawn": {"type": "date"}}
    declared = sc.Schema.model_validate({"columns": columns, "constraints": ["drawn <= day", "dbp < sbp"]})
    model = fitted(table, declared)
    model.save(tmp_path / "m")
    rng = np.random.default_rng(0)
    holes = rng.random((len(table), 2)) < 0.2
    given = table.assign(
        drawn=table["drawn"].mask(holes[:, 0]), sbp=table["sbp"].astype("Int64").mask(holes[:, 1])
    ).head(25)
    found = load(tmp_path / "m").impute(given, random_state=1)
    assert found[["drawn", "sbp"]].notna().all().all()
    assert (found["drawn"] <= found["day"]).all()
    assert (found["dbp"] < found["sbp"]).all()
    pd.testing.assert_frame_equal(found, model.impute(given, random_state=1))
