"""Training with differential privacy: nothing but noisy tables knows real rows, and everything is declared and paid."""

from __future__ import annotations

import json
import shutil
import sys

import pandas as pd
import pytest
import torch

import synthclin as sc
from synthclin.dp.budget import Budget
from synthclin.dp.noise import opendp_library
from synthclin.errors import ConfigError, DataError, ModelFormatError, NoisyTrainingWarning
from synthclin.models import Checkpoint, load, private_training
from synthclin.models.families import gan
from synthclin.models.private_training import guarantee_of, private_rows
from synthclin.rules.validation import check
from synthclin.schema import Schema
from tests.conftest import COLUMNS, toy_table

pytest.importorskip("opendp")

SCHEMA = Schema.model_validate({"columns": COLUMNS, "constraints": [{"when": "stage == 'III'", "then": "age >= 40"}]})
GUARANTEE = {"epsilon": 100.0, "delta": 1e-3, "patients": 160}


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch):
    monkeypatch.setattr(private_training, "FITTED_ROWS", 1_000)


def model(schema=SCHEMA, **changes):
    parameters = {"effort": "quick", "width": 8, "blocks": 0, "random_state": 1, "dp": GUARANTEE} | changes
    return sc.ConditionalGAN(schema, **parameters)


@pytest.fixture(scope="module")
def fitted():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(private_training, "FITTED_ROWS", 1_000)
        return model().fit(toy_table())


def test_rows_obey_rules_and_conditions(fitted):
    rows = fitted.sample(300, where="sex == 'F' and age >= 50", random_state=1)
    assert (rows["sex"] == "F").all()
    assert rows["age"].min() >= 50
    assert [found for found in check(fitted.sample(500), SCHEMA) if found.severity == "error"] == []
    holes = toy_table(20).assign(age=None)
    assert fitted.impute(holes)["age"].notna().all()


def test_the_ledger_is_the_promise(fitted):
    record = fitted.privacy_
    assert record.ledger.rho == Budget(100.0, 1e-3).rho
    assert 0.999_999 * record.ledger.rho < record.ledger.spent <= record.ledger.rho
    assert record.ledger.spent == pytest.approx(sum(entry.rho for entry in record.ledger.entries))
    one_way = [
        entry for entry in record.ledger.entries if entry.what.startswith("table of ") and " and " not in entry.what
    ]
    assert len(one_way) == len(SCHEMA.modelled)
    assert sum(entry.rho for entry in one_way) == pytest.approx(record.ledger.rho / 3, rel=1e-6)
    assert record.patients == 160


def test_two_fits_differ_because_noise_has_no_seed():
    noisy = guarantee_of(GUARANTEE | {"epsilon": 4.0, "delta": 1e-3})
    with pytest.warns(NoisyTrainingWarning, match="noise"):
        values = [private_rows(toy_table(), SCHEMA, noisy, quick=True, random_state=1) for _ in range(2)]
    tables = ([table.values.tolist() for table in each.record.tables] for each in values)
    assert next(tables) != next(tables)


class Untouchable(pd.DataFrame):
    """A table that no one may look at."""

    def __getattribute__(self, name):
        if name in {"columns", "iloc", "loc", "to_numpy", "shape", "index", "_mgr", "__len__"}:
            raise AssertionError(name)
        return super().__getattribute__(name)


@pytest.mark.parametrize(
    ("schema", "guarantee", "what"),
    [
        (SCHEMA.with_column("age", range=None), GUARANTEE, "range"),
        (SCHEMA, GUARANTEE | {"at_most": 2}, "role: entity"),
        (SCHEMA.with_column("bmi", decimals=None), GUARANTEE, "precision"),
        (SCHEMA.with_column("sex", categories=None), GUARANTEE, "categories"),
        (SCHEMA, GUARANTEE | {"epsilon": 0.1, "patients": 50}, "noise"),
    ],
)
def test_what_is_refused_is_refused_before_a_row_is_read(schema, guarantee, what):
    with pytest.raises(ConfigError) as raised:
        model(schema, dp=guarantee).fit(Untouchable(toy_table()))
    assert what in str(raised.value)


@pytest.mark.parametrize(
    ("guarantee", "where"),
    [
        ({"epsilon": 0.0, "delta": 1e-6}, "dp: epsilon"),
        ({"epsilon": 1e9, "delta": 1e-6}, "dp: epsilon"),
        ({"epsilon": float("nan"), "delta": 1e-6}, "dp: epsilon"),
        ({"epsilon": 1.0, "delta": 0.5}, "dp: delta"),
        ({"epsilon": 1.0}, "dp: delta"),
        ({"epsilon": 1.0, "delta": 1e-6, "seed": 7}, "dp: seed: noise from a seed protects nobody"),
        ({"epsilon": 1.0, "delta": 1e-6, "unit": "row"}, "dp: unit"),
        ({"epsilon": 1.0, "delta": 1e-6, "at_most": 0}, "dp: at_most"),
        ({"epsilon": 1.0, "delta": 1e-6, "total_epsilon": 3.0}, "dp"),
    ],
)
def test_a_promise_out_of_bounds_is_one_clear_error(guarantee, where):
    with pytest.raises(ConfigError) as raised:
        model(dp=guarantee).fit(toy_table())
    assert str(raised.value).startswith(where)


def test_a_wrong_cell_stops_no_fit_and_an_absent_column_does():
    table = toy_table().astype(object)
    table.loc[0, ["age", "sex", "bmi"]] = [10**6, "a level that nobody declared", "not a number"]
    private_rows(table, SCHEMA, guarantee_of(GUARANTEE), quick=True, random_state=1)
    with pytest.raises(DataError, match="age"):
        private_rows(table.drop(columns="age"), SCHEMA, guarantee_of(GUARANTEE), quick=True, random_state=1)


def test_rows_per_patient_are_declared_and_cost():
    columns = {"who": {"type": "id", "role": "entity"}} | {k: v for k, v in COLUMNS.items() if k != "patient"}
    schema = Schema.model_validate({"columns": columns})
    table = toy_table().rename(columns={"patient": "who"})
    table["who"] = [f"P{i // 2}" for i in range(len(table))]
    guarantee = guarantee_of(GUARANTEE | {"patients": 80})
    one, two = (
        private_rows(table, schema, guarantee.model_copy(update={"at_most": k}), quick=True, random_state=1).record
        for k in (1, 2)
    )
    of_sex = [next(each for each in record.tables if each.columns == (1,)) for record in (one, two)]
    ratio = of_sex[1].variance[0] / of_sex[0].variance[0]
    assert ratio == pytest.approx(4.0, rel=0.01)  # twice the standard deviation at the same cost
    total = of_sex[0].values.sum()
    assert abs(total - 80) < abs(total - 160)  # one row of each patient


def test_rows_that_nobody_can_tell_apart_by_patient_are_not_used():
    columns = {"who": {"type": "id", "role": "entity"}} | {k: v for k, v in COLUMNS.items() if k != "patient"}
    schema = Schema.model_validate({"columns": columns})
    table = toy_table().rename(columns={"patient": "who"})
    table["who"] = [None if i < 100 else f"P{i}" for i in range(len(table))]  # 100 rows may be of one patient
    record = private_rows(table, schema, guarantee_of(GUARANTEE), quick=True, random_state=1).record
    of_sex = next(each for each in record.tables if each.columns == (1,))
    assert of_sex.values.sum() == pytest.approx(len(table) - 100, abs=8)


def test_several_processes_are_refused_because_each_would_measure(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ConfigError, match="torchrun"):
        model().fit(Untouchable({}))


def test_a_shadow_model_buys_no_number_of_patients_and_enters_no_ledger_file(tmp_path):
    guarantee = {key: value for key, value in GUARANTEE.items() if key != "patients"}
    guarantee |= {"ledger": str(tmp_path / "ledger.jsonl"), "total_epsilon": 100.0}
    fitted = model(dp=guarantee).fit(toy_table())
    shadow = fitted.shadow(5)
    assert shadow.dp["patients"] == fitted.privacy_.patients
    shadow.fit(toy_table().head(80))
    assert len((tmp_path / "ledger.jsonl").read_text().splitlines()) == 2


def test_a_column_that_follows_from_another_is_computed_and_not_paid():
    ranks = {"columns": ["stage", "rank"], "combinations": [["I", 1], ["II", 2], ["III", 3]]}
    rank = {"type": "integer", "range": [1, 3]}
    schema = Schema.model_validate({"columns": COLUMNS | {"rank": rank}, "constraints": [ranks]})
    table = toy_table().assign(rank=0)  # whatever it holds
    found = private_rows(table, schema, guarantee_of(GUARANTEE), quick=True, random_state=1)
    assert found.record.columns == SCHEMA.modelled
    assert not any("rank" in entry.what for entry in found.record.ledger.entries)
    rows = found.encoder.decode(found.encoded)
    assert (rows["rank"] == rows["stage"].cat.codes + 1).all()


def test_visits_are_refused_with_the_reason():
    columns = {"who": {"type": "id", "role": "entity"}, "day": {"type": "integer", "range": [0, 9], "role": "visit"}}
    schema = Schema.model_validate({"columns": columns | {"x": {"type": "integer", "range": [0, 9]}}})
    with pytest.raises(ConfigError, match="visits: independent"):
        model(schema).fit(Untouchable({"who": ["a"], "day": [1], "x": [2]}))


def test_a_noisy_table_warns_and_an_undeclared_number_of_patients_is_bought():
    noisy = guarantee_of({"epsilon": 4.0, "delta": 1e-3, "patients": 160})
    with pytest.warns(NoisyTrainingWarning, match="noise"):
        private_rows(toy_table(), SCHEMA, noisy, quick=True, random_state=1)
    bought = guarantee_of({"epsilon": 100.0, "delta": 1e-3})
    found = private_rows(toy_table(), SCHEMA, bought, quick=True, random_state=1)
    assert found.record.ledger.entries[0].what == "number of patients"
    assert abs(found.record.patients - 160) < 40  # 40 standard deviations
    with pytest.raises(ConfigError, match="Use 717 patients"):
        private_rows(toy_table(), SCHEMA, guarantee_of({"epsilon": 0.5, "delta": 1e-6}), quick=True, random_state=1)


def test_the_training_reaches_no_real_row(monkeypatch):
    """Two tables, the same private rows: byte-equal weights. No early stopping, limit or test looks at real rows."""
    rows = private_rows(toy_table(), SCHEMA, guarantee_of(GUARANTEE), quick=True, random_state=1)
    monkeypatch.setattr(gan, "resumable_private_rows", lambda *_, **__: (rows, None, None))
    models = [model().fit(table) for table in (toy_table(), toy_table().sample(40, random_state=3))]
    states = [each.network_.state_dict() for each in models]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    assert models[0].training_.keys() == models[1].training_.keys()
    assert models[0].training_["plan"]["adversarial"] == 0
    assert models[0].training_["plan"]["folds"] == 0


@pytest.mark.parametrize("fact", ["lost_", "confirmed_"])
def test_tests_of_real_rows_are_not_there(fitted, fact):
    with pytest.raises(ConfigError, match="differential privacy"):
        getattr(fitted, fact)


@pytest.mark.parametrize("changes", [{"effort": "thorough"}, {"warmup": False}])
def test_a_longer_training_is_refused(changes):
    with pytest.raises(ConfigError, match="noise"):
        model(**changes).fit(Untouchable(toy_table()))


def test_the_folder_holds_ledger_and_tables_and_gives_the_same_rows(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = load(tmp_path / "model")
    assert again.sample(50, random_state=3).equals(fitted.sample(50, random_state=3))
    assert again.privacy_.to_dict() == fitted.privacy_.to_dict()
    document = json.loads((tmp_path / "model" / "privacy.json").read_text())
    assert document["guarantee"] == {"epsilon": 100.0, "delta": 1e-3, "unit": "patient", "at_most": 1, "patients": 160}
    assert len(document["tables"]) >= len(SCHEMA.modelled)
    again.save(tmp_path / "again")
    assert (tmp_path / "again" / "privacy.json").read_bytes() == (tmp_path / "model" / "privacy.json").read_bytes()


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("ledger",), None),
        (("mechanism",), "none"),
        (("guarantee", "epsilon"), -1),
        (("ledger", "rho"), 1e-9),
        (("tables", 0, "columns"), [99]),
        (("tables", 0, "shape"), [3]),
        (("tables", 0, "values"), ["x"]),
        (("tables", 0, "rho"), "nothing"),
        (("patients",), "many"),
        (("columns",), [1]),
    ],
    ids=str,
)
def test_a_forged_record_is_refused(fitted, tmp_path, place, value):
    fitted.save(tmp_path / "model")
    path = tmp_path / "model" / "privacy.json"
    document = json.loads(path.read_text())
    part = document
    for step in place[:-1]:
        part = part[step]
    part[place[-1]] = value
    path.write_text(json.dumps(document))
    with pytest.raises(ModelFormatError, match=r"privacy\.json"):
        load(tmp_path / "model")


def test_a_folder_without_its_record_is_refused(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    shutil.move(tmp_path / "model" / "privacy.json", tmp_path / "elsewhere.json")
    with pytest.raises(ModelFormatError, match=r"privacy\.json"):
        load(tmp_path / "model")


def test_a_resumed_fit_pays_once(tmp_path, monkeypatch):
    bought = []
    whole = private_training.private_rows
    monkeypatch.setattr(private_training, "private_rows", lambda *a, **k: bought.append(1) or whole(*a, **k))
    checkpoint = Checkpoint(tmp_path / "checkpoint", every=0.0)

    def interrupt(_event):
        raise KeyboardInterrupt

    guarantee = GUARANTEE | {"ledger": str(tmp_path / "ledger.jsonl")}
    with pytest.raises(KeyboardInterrupt):
        model(dp=guarantee).fit(toy_table(), checkpoint=checkpoint, callback=interrupt)
    assert checkpoint.exists
    done = model(dp=guarantee).fit(toy_table(), checkpoint=Checkpoint(tmp_path / "checkpoint", every=0.0))
    assert bought == [1]
    assert len(done.sample(10)) == 10
    with pytest.raises(ModelFormatError, match="another training"):
        model(dp=guarantee).fit(toy_table().tail(100), checkpoint=Checkpoint(tmp_path / "checkpoint"))


def test_a_second_fit_beyond_the_ledger_file_is_refused(tmp_path):
    guarantee = GUARANTEE | {"epsilon": 50.0, "ledger": str(tmp_path / "ledger.jsonl"), "total_epsilon": 80.0}
    fitted = model(dp=guarantee).fit(toy_table())
    assert "ledger" not in fitted.parts().parameters["dp"]
    with pytest.raises(ConfigError, match=r"ledger\.jsonl"):
        model(dp=guarantee).fit(toy_table())


def test_a_model_of_a_ledger_file_is_read_back(tmp_path):
    guarantee = GUARANTEE | {"epsilon": 50.0, "ledger": str(tmp_path / "ledger.jsonl"), "total_epsilon": 80.0}
    model(dp=guarantee).fit(toy_table()).save(tmp_path / "model")
    assert load(tmp_path / "model").privacy_.guarantee.epsilon == 50.0


def test_without_opendp_nothing_is_spent(tmp_path, monkeypatch):
    opendp_library.cache_clear()
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    with pytest.raises(ConfigError, match=r"synthclin\[dp\]"):
        model(dp=GUARANTEE | {"ledger": str(tmp_path / "ledger.jsonl")}).fit(Untouchable(toy_table()))
    assert not (tmp_path / "ledger.jsonl").exists()


def test_no_cell_is_in_the_folder(tmp_path):
    table = toy_table()
    table.loc[3, "bmi"] = 73.9  # held by nobody else
    table.loc[3, "patient"] = "CANARY-77"
    fitted = model().fit(table)
    fitted.save(tmp_path / "model")
    text = b"".join(path.read_bytes() for path in (tmp_path / "model").iterdir())
    assert b"73.9" not in text
    assert b"CANARY" not in text
