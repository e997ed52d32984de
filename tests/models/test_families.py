"""The contract of all families: every one conditions, imputes, keeps rules, saves, seeds and resumes like the GAN."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from sklearn.base import clone

import synthclin as sc
from synthclin.errors import ConditionError, ConfigError, DataError, ModelFormatError
from synthclin.models import MODELS, Checkpoint, load
from synthclin.rules.rules import violations
from synthclin.schema import Schema
from synthclin.study import config
from tests.models.contract import contract, made
from tests.ward import SCHEMA, ward

ROWS = 163  # no size of a tensor of a family
SAVED = [*(name for name, family in MODELS.items() if not family.keeps_rows), "chain"]


@pytest.fixture(scope="module", autouse=True)
def _contract():
    with contract():
        yield


@pytest.fixture(scope="module", params=[*MODELS, "chain"])
def family(request):
    return request.param


@pytest.fixture(scope="module")
def rows():
    """A ward in which two patients have values that no other patient has."""
    table = ward(ROWS)
    table.loc[7, "bmi"] = 48.7
    table.loc[8, ["sbp", "dbp"]] = [251, 71]
    return table.assign(pulse_pressure=(table["sbp"] - table["dbp"]).astype(float))


@pytest.fixture(scope="module")
def model(family, rows):
    return made(family).fit(rows)


@pytest.fixture(scope="module")
def saved(model, tmp_path_factory):
    """The folder of the model; read it, do not change it."""
    path = tmp_path_factory.mktemp("saved") / "model"
    model.save(path)
    return path


@pytest.fixture
def folder(saved, tmp_path):
    """A copy of the folder of the model, to be changed."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


def broken(table):
    return {rule: int(mask.sum()) for rule, mask in violations(table, SCHEMA).items() if mask.any()}


def test_rows_are_valid_keep_all_rules_and_have_new_identifiers(model, rows):
    sampled = model.sample(400, random_state=1)
    assert list(sampled) == list(rows)
    assert sampled.dtypes.equals(rows.dtypes)
    assert broken(sampled) == {}
    assert not set(sampled["pid"]) & set(rows["pid"])
    assert SCHEMA.modelled
    assert (sampled["pulse_pressure"] == sampled["sbp"] - sampled["dbp"]).all()
    assert abs((sampled["sex"] == "F").mean() - (rows["sex"] == "F").mean()) < 0.15
    assert abs(sampled["age"].mean() - rows["age"].mean()) < 8
    assert model.sample(0).shape == (0, len(rows.columns))


def test_another_seed_gives_other_rows(model):
    assert not model.sample(60, random_state=5).equals(model.sample(60, random_state=4))


def test_every_row_of_a_cohort_satisfies_its_condition(model):
    cohort = model.sample(120, "sex == 'F' and age >= 50 and sbp > 115", random_state=2)
    assert (cohort["sex"].eq("F") & cohort["age"].ge(50) & cohort["sbp"].gt(115)).all()
    assert broken(cohort) == {}
    between = model.sample(60, "sbp - dbp > 35", random_state=2)
    assert (between["sbp"] - between["dbp"]).gt(35).all()
    facts = model.sample_facts_
    assert 0 < facts.probability < 1
    with pytest.raises(ConditionError):
        model.sample(5, "age > 60 and pregnant")


def test_the_probability_of_a_condition_is_that_of_unconditional_rows(model):
    model.sample(400, "stage == 'III'", random_state=2)
    found = model.sample_facts_.probability
    share = (model.sample(3_000, random_state=8)["stage"] == "III").mean()
    assert found == pytest.approx(share, abs=0.06)


def test_a_mix_has_the_wanted_shares(model):
    mixed = model.sample(100, mix={"sex": {"F": 0.8, "M": 0.2}, "stage": {"I": 0.75, "III": 0.25}})
    assert (mixed["sex"] == "F").sum() == pytest.approx(80, abs=1)
    assert (mixed["stage"] == "I").sum() == pytest.approx(75, abs=1)
    assert (mixed["stage"] == "III").sum() == pytest.approx(25, abs=1)


def test_imputation_keeps_given_cells_and_all_rules(model):
    table = ward(60, seed=5)
    holes = np.random.default_rng(1).random((60, 4)) < 0.4
    hidden = table.copy()
    for j, name in enumerate(["age", "stage", "sbp", "sex"]):
        hidden.loc[holes[:, j], name] = pd.NA
    hidden["pulse_pressure"] = (hidden["sbp"] - hidden["dbp"]).astype(float)
    hidden.loc[hidden["sex"].isna(), "pregnant"] = pd.NA
    completed = model.impute(hidden, random_state=3)
    for j, name in enumerate(["age", "stage", "sbp", "sex"]):
        assert completed[name].notna().all()
        assert (completed[name] == table[name])[~holes[:, j]].all()
    assert broken(completed) == {}
    several = model.impute(hidden, imputations=2, random_state=3)
    assert len(several) == 2
    assert not several[0].equals(several[1])


def test_values_that_no_training_row_has_are_imputed_around(model):
    alone = pd.DataFrame({"sex": ["M", None], "age": [18, 99], "sbp": [259, None], "dbp": [12, 199]})
    completed = model.impute(alone, random_state=1)
    assert completed["sbp"].iloc[1] > 199
    assert completed.notna().all(axis=None) or completed["pregnant"].isna().any()


def test_a_saved_model_is_the_same_model(family, model, tmp_path, rows):
    if MODELS[family].keeps_rows:
        with pytest.raises(ConfigError, match="training rows"):
            model.save(tmp_path / "model")
        return
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert type(again) is MODELS[family]
    pd.testing.assert_frame_equal(again.sample(50, random_state=4), model.sample(50, random_state=4))
    assert again.get_params(deep=False) == model.get_params(deep=False)
    assert np.allclose(again.log_likelihood(rows), model.log_likelihood(rows), atol=1e-5)


@pytest.mark.parametrize("family", SAVED, indirect=True, scope="module")
def test_no_value_of_a_single_patient_is_in_the_folder(saved):
    text = "".join((saved / name).read_text() for name in ("model.json", "schema.yaml", "encoder.json"))
    for canary in ("48.7", "251", "R7", "R8"):
        assert canary not in text
    tensors = safetensors.torch.load((saved / "weights.safetensors").read_bytes())
    assert not any(ROWS in tensor.shape or (tensor == 251).any() for tensor in tensors.values())


@pytest.mark.parametrize("family", SAVED, indirect=True, scope="module")
def test_a_forged_folder_is_refused(family, folder):
    path = folder / "weights.safetensors"
    whole = path.read_bytes()
    tensors = safetensors.torch.load(whole)
    first = next(iter(tensors))
    forged = [
        {name: tensor for name, tensor in tensors.items() if name != first},
        tensors | {"another": torch.zeros(3)},
        tensors | {first: torch.zeros(7, 5, 3)},
        tensors | {first: torch.full_like(tensors[first], torch.nan)},
        {},
    ]
    for each in forged:
        path.write_bytes(safetensors.torch.save(each))
        with pytest.raises(ModelFormatError):
            load(folder)
    path.write_bytes(whole)
    document = json.loads((folder / "model.json").read_text())
    other = "independent" if family != "independent" else "trees"
    swapped = {"family": other, "parameters": {}}
    for change in ({"family": "oracle"}, {"parameters": {"no": 1}}, {"facts": document["facts"] | {"no": 1}}, swapped):
        (folder / "model.json").write_text(json.dumps(document | change))
        with pytest.raises(ModelFormatError):
            load(folder)


@pytest.mark.parametrize("family", SAVED, indirect=True, scope="module")
def test_the_facts_of_a_forged_folder_are_checked(folder):
    path = folder / "model.json"
    document = json.loads(path.read_text())
    for name in document["facts"]:
        for value in (None, "x", -1, 10**9, [[1, 2, 3]]):
            facts = document["facts"] | {name: value}
            if facts == document["facts"]:
                continue
            path.write_text(json.dumps(document | {"facts": facts}))
            with pytest.raises(ModelFormatError):
                load(folder).sample(3)


def test_the_likelihood_is_a_number_for_each_row(model):
    unseen = ward(80, seed=6)
    found = model.log_likelihood(unseen)
    assert found.shape == (80,)
    assert np.isfinite(found).all()
    assert (found < 0).all()
    assert np.array_equal(found, model.log_likelihood(unseen))
    with pytest.raises(DataError):
        model.log_likelihood(unseen.drop(columns="sbp"))


def test_the_likelihood_of_all_rows_of_a_tiny_domain_sums_to_one(family):
    columns = {name: {"type": "category", "categories": ["a", "b"]} for name in "xyz"}
    schema = Schema.model_validate({"columns": columns})
    rng = np.random.default_rng(0)
    x = rng.choice(["a", "b"], 200)
    table = pd.DataFrame({"x": x, "y": np.where(rng.random(200) < 0.8, x, "a"), "z": rng.choice(["a", "b"], 200)})
    model = made(family, schema).fit(table)
    grid = pd.DataFrame([[i, j, k] for i in "ab" for j in "ab" for k in "ab"], columns=list("xyz"))
    assert np.exp(model.log_likelihood(grid)).sum() == pytest.approx(1, abs=0.02)


def test_a_callback_sees_the_training_and_an_exception_in_it_ends_the_fit(family):
    rows, events = ward(60), []
    stopped = made(family).fit(rows, callback=lambda event: events.append(event) or True)
    assert len(stopped.sample(5)) == 5
    if not events:
        return  # fitted in one step

    class StoppedError(Exception):
        pass

    def refuse(_event):
        raise StoppedError

    with pytest.raises(StoppedError):
        made(family).fit(rows, callback=refuse)


def test_a_fit_that_was_killed_ends_with_the_same_rows_whatever_the_global_state(family, model, rows, tmp_path):
    seen = []
    torch.manual_seed(9)
    np.random.seed(9)  # noqa: NPY002 - the global state is what must not matter

    class KilledError(Exception):
        pass

    def kill(event):
        seen.append(event)
        if len(seen) == 3:
            raise KilledError

    with Checkpoint(tmp_path / "kept", every=0) as checkpoint:
        try:
            resumed = made(family).fit(rows, checkpoint=checkpoint, callback=kill)
        except KilledError:
            resumed = made(family).fit(rows, checkpoint=checkpoint)
    pd.testing.assert_frame_equal(resumed.sample(40, random_state=1), model.sample(40, random_state=1))
    assert not (tmp_path / "kept").exists()


@pytest.mark.parametrize("count", [6, 25])
def test_few_rows_are_enough(family, count):
    model = made(family).fit(ward(count))
    assert broken(model.sample(30, random_state=1)) == {}


def test_two_columns_and_columns_of_one_value(family):
    two = Schema.model_validate({"columns": {"age": {"type": "integer"}, "old": {"type": "boolean"}}})
    ages = pd.DataFrame({"age": np.arange(20, 80), "old": np.arange(20, 80) > 49})
    assert made(family, two).fit(ages).sample(50, random_state=1)["age"].between(0, 150).all()
    columns = {
        "sex": {"type": "category", "categories": ["F"]},
        "bmi": {"type": "number", "missing": "allowed"},
        "site": {"type": "category", "categories": ["a", "b"], "missing": "allowed"},
    }
    table = pd.DataFrame({"sex": ["F"] * 40, "bmi": [None, 20.5] * 20, "site": [None] * 39 + ["a"]})
    sampled = made(family, Schema.model_validate({"columns": columns})).fit(table).sample(20, random_state=1)
    assert sampled["sex"].eq("F").all()
    assert sampled["bmi"].dropna().eq(20.5).all()
    assert sampled["site"].isna().mean() > 0.5


def test_the_allocation_of_a_randomised_arm_is_kept(family):
    ratio = {"A": 1, "B": 3}
    schema = Schema.model_validate(
        {
            "columns": {
                "age": {"type": "integer"},
                "arm": {
                    "type": "category",
                    "categories": ["A", "B"],
                    "role": "treatment",
                    "allocation": ratio,
                    "randomised": True,
                },
                "outcome": {"type": "boolean"},
            }
        }
    )
    rng = np.random.default_rng(2)
    arm = rng.choice(["A", "B"], 240, p=[0.25, 0.75])
    table = pd.DataFrame({"age": rng.integers(30, 80, 240), "arm": arm, "outcome": rng.random(240) < 0.5})
    sampled = made(family, schema).fit(table).sample(4_000, random_state=1)
    assert (sampled["arm"] == "B").mean() == pytest.approx(0.75, abs=0.03)
    assert abs(sampled.groupby("arm", observed=True)["age"].mean().diff().iloc[-1]) < 2.5


def test_wrong_use_is_an_error(family, model, rows):
    unfitted = made(family)
    for use in (lambda m: m.sample(3), lambda m: m.log_likelihood(rows), lambda m: m.impute(rows)):
        with pytest.raises(ConfigError, match="not fitted"):
            use(unfitted)
    with pytest.raises(ConfigError, match="random_state"):
        made(family, random_state=-1).fit(rows)
    with pytest.raises(DataError, match="sbp"):
        made(family).fit(rows.drop(columns="sbp"))
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "encoder_")
    assert set(model.raw_violations(200, random_state=1)) == {rule.text for rule in model.encoder_.schema.imposed}


def test_a_family_is_a_public_name_and_a_model_block_of_a_study(family):
    if family != "chain":
        assert getattr(sc, MODELS[family].__name__) is MODELS[family]
    study = {"version": 1, "name": "one", "data": {"source": "dataset:heart_disease"}, "model": {"type": family}}
    assert config.load(study).model.type == family
