from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConditionError, ConfigError, ModelFormatError
from synthclin.models import load
from synthclin.models.visits.linear_mean import LinearMean
from synthclin.rules.rules import violations
from tests.longitudinal import COLUMNS, schema, visits
from tests.short import short_trainings


@pytest.fixture(scope="module", autouse=True)
def _short():
    with pytest.MonkeyPatch.context() as patch:
        short_trainings(patch)
        yield


@pytest.fixture(scope="module")
def model():
    return sc.ConditionalGAN(schema(), effort="quick", width=16, random_state=3).fit(visits())


@pytest.fixture(scope="module")
def sampled(model):
    return model.sample(150, random_state=5)


def fitted(table, declared):
    return sc.ConditionalGAN(declared, effort="quick", width=8, blocks=0, random_state=1).fit(table)


def test_each_patient_has_all_visits_and_a_fresh_identifier(model, sampled):
    assert len(set(sampled["who"])) == 150
    assert list(sampled.columns) == list(COLUMNS)
    assert not set(sampled["who"]) & set(visits()["who"])
    assert (sampled["who"] != sampled["who"].shift()).sum() == 150  # rows of a patient are neighbours
    assert sampled.groupby("who").size().max() > 2
    assert model.sample(0).shape == (0, len(COLUMNS))
    assert len(set(model.sample(1, random_state=1)["who"])) == 1


def test_static_columns_agree_times_rise_and_no_visit_is_after_the_end(sampled):
    groups = sampled.groupby("who")
    for name in ("arm", "age", "end", "died", "older"):
        assert sampled[name].eq(groups[name].transform("first")).all()
    assert (groups["day"].diff().dropna() > 0).all()
    assert (sampled["day"] <= sampled["end"]).all()
    assert (groups["day"].first() == 0).all()


def test_rules_ranges_and_derived_columns_hold_in_each_visit(sampled):
    assert {rule: int(mask.sum()) for rule, mask in violations(sampled, schema()).items() if mask.any()} == {}
    assert (sampled["pulse"] == sampled["sbp"] - sampled["dbp"]).all()
    assert (sampled["crp"].dropna() == sampled["crp"].dropna().round(1)).all()
    assert sampled["crp"].isna().mean() == pytest.approx(0.2, abs=0.1)


def test_values_persist_as_in_real_patients(sampled):
    real = visits()
    lag = [
        table["sbp"].astype(float).corr(table.groupby("who")["sbp"].shift().astype(float)) for table in (real, sampled)
    ]
    assert lag[1] == pytest.approx(lag[0], abs=0.15)
    stays = [(table["smoker"] == table.groupby("who")["smoker"].shift()).mean() for table in (real, sampled)]
    assert stays[1] == pytest.approx(stays[0], abs=0.12)


def test_conditions_and_mixes_on_static_columns(model):
    older = model.sample(40, where="age >= 70 and end > 100", random_state=1)
    assert older["who"].nunique() == 40
    assert (older["age"] >= 70).all()
    assert (older["end"] > 100).all()
    assert (model.sample(30, where="older", random_state=1)["age"] >= 60).all()
    mixed = model.sample(40, mix={"arm": {"A": 0.25, "B": 0.75}}, random_state=1).groupby("who")["arm"].first()
    assert mixed.value_counts().to_dict() == {"B": 30, "A": 10}


@pytest.mark.parametrize("where", ["sbp > 120", "day == 0", "stage == 2", "pulse > 30"])
def test_a_condition_on_what_differs_between_visits_is_refused(model, where):
    with pytest.raises(ConfigError, match="differs between the visits"):
        model.sample(5, where=where)


def test_impossible_conditions_are_errors(model):
    with pytest.raises(ConditionError):
        model.sample(5, where="end > 1900", random_state=1)
    with pytest.raises(ConfigError):
        model.sample(5, where="nothing == 1")


def test_the_same_seed_gives_the_same_table(model, sampled):
    pd.testing.assert_frame_equal(model.sample(150, random_state=5), sampled)
    assert not model.sample(20, random_state=6).equals(model.sample(20, random_state=1))
    again = sc.ConditionalGAN(schema(), effort="quick", width=16, random_state=3).fit(visits())
    pd.testing.assert_frame_equal(again.sample(20, random_state=1), model.sample(20, random_state=1))


def test_a_model_folder_gives_the_same_table_and_likelihood(model, tmp_path):
    model.save(tmp_path / "m")
    loaded = load(tmp_path / "m")
    pd.testing.assert_frame_equal(loaded.sample(30, random_state=2), model.sample(30, random_state=2))
    table = visits(seed=1)
    np.testing.assert_allclose(loaded.log_likelihood(table), model.log_likelihood(table))
    loaded.save(tmp_path / "again")
    for file in ("weights.safetensors", "model.json", "visits/weights.safetensors", "patients/encoder.json"):
        assert (tmp_path / "m" / file).read_bytes() == (tmp_path / "again" / file).read_bytes()
    assert load(tmp_path / "m" / "patients").sample(5, random_state=1).shape[0] == 5  # a model of its own


def test_a_damaged_folder_is_refused(model, tmp_path):
    model.save(tmp_path / "m")
    document = json.loads((tmp_path / "m" / "model.json").read_text())
    document["facts"]["visits"]["means"] = []
    (tmp_path / "m" / "model.json").write_text(json.dumps(document))
    with pytest.raises(ModelFormatError, match="do not fit"):
        load(tmp_path / "m")


def test_the_likelihood_is_per_visit_and_blind_to_the_order_of_rows(model):
    table = visits(seed=2)
    found = model.log_likelihood(table)
    order = np.random.default_rng(0).permutation(len(table))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(model.log_likelihood(table.iloc[order]), found[order], rtol=1e-4)
    shuffled = table.assign(sbp=table["sbp"].sample(frac=1, random_state=1).to_numpy())
    shuffled["dbp"] = (shuffled["sbp"] * 0.6).astype(int)
    assert model.log_likelihood(shuffled).sum() < found.sum()


def test_no_value_of_a_patient_is_in_the_folder(tmp_path):
    table = visits()
    table.loc[table["who"] == "P0007", "age"] = 94
    table["older"] = table["age"] >= 60
    fitted(table, schema()).save(tmp_path / "m")
    for file in (tmp_path / "m").rglob("*.json"):
        assert "P0007" not in file.read_text()


def test_a_schedule_is_kept():
    table = visits(60)
    table["day"] = table.groupby("who").cumcount() * 90 + np.random.default_rng(0).integers(-5, 6, len(table))
    table.loc[table.groupby("who").cumcount() == 0, "day"] = 0
    table["end"] = table.groupby("who")["day"].transform("max") + 7
    plan = {"schedule": [0, 90, 180, 270, 360, 450, 540], "window": 6, "most": 6}
    found = fitted(table, schema(visits=plan)).sample(60, random_state=1)
    slot = (found["day"].astype(float) / 90).round()
    assert ((found["day"] - slot * 90).abs() <= 6).all()
    assert not pd.DataFrame({"who": found["who"], "slot": slot}).duplicated().any()
    assert found.groupby("who").size().max() <= 6


def test_visits_on_dates():
    table = visits(60)
    start = pd.Timestamp("2020-01-01") + pd.to_timedelta(pd.factorize(table["who"])[0] % 40, unit="D")
    table["day"] = start + pd.to_timedelta(table["day"], unit="D")
    table["drawn"] = table["day"] - pd.to_timedelta(np.arange(len(table)) % 3, unit="D")
    declared = schema(day={"type": "date", "range": ["2020-01-01", "2026-12-31"]})
    columns = {**declared.model_dump(mode="json", exclude_unset=True)["columns"], "drawn": {"type": "date"}}
    rules = ["drawn <= day", "dbp < sbp"]
    declared = sc.Schema.model_validate({"columns": columns, "constraints": rules})
    found = fitted(table, declared).sample(50, random_state=1)
    groups = found.groupby("who")
    assert (groups["day"].diff().dropna() > pd.Timedelta(0)).all()
    assert (found["drawn"] <= found["day"]).all()
    assert ((found["day"] - found["drawn"]).dt.days <= 10).all()
    length = (groups["day"].max() - groups["day"].min()).dt.days
    assert (length <= groups["end"].first().astype(int)).all()


def test_missing_reasons_belong_to_their_cells():
    table = visits(60)
    table["crp"] = table["crp"].astype(object).where(table["crp"].notna(), "ND")
    declared = schema(crp={"missing": "never", "missing_codes": {"ND": "not done"}})
    found = fitted(table, declared).sample(60, random_state=1)
    assert (found["crp"].isna() == found["crp_missing"].notna()).all()
    assert found["crp_missing"].notna().any()


def test_a_table_of_two_columns_of_visits():
    table = visits()[["who", "day", "sbp"]]
    declared = sc.Schema.model_validate({"columns": {name: COLUMNS[name] for name in table}})
    found = fitted(table, declared).sample(20, random_state=1)
    assert found["who"].nunique() == 20


def test_the_mean_prefers_hardly_penalised_features():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(80, 30))
    target = features[:, 0] + 0.1 * rng.normal(size=80)
    free = np.arange(30) == 0
    mean = LinearMean.fit(features, target, np.arange(80) // 4, free, seed=1)
    assert mean.weights[0] == pytest.approx(1, abs=0.1)
    assert np.abs(mean.weights[1:]).max() < 0.1
