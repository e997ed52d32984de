from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import yaml
from pydantic import Field

from synthclin.errors import ConfigError, SynthclinError
from synthclin.study.config import Config, load, resolved_yaml

CONFIGS = sorted(path for path in (Path(__file__).parents[2] / "configs").glob("*.yaml") if path.stem != "sweep")


def refused(study, *overrides: str) -> str:
    with pytest.raises(SynthclinError) as caught:
        load(study.write(), overrides)
    assert caught.value.exit_code == 2
    return str(caught.value)


def test_defaults_are_filled_in(study):
    del study.config["sampling"], study.config["gates"], study.config["model"]
    config = load(study.write())
    assert config.protect.rare_category == config.protect.trim_extremes == 11
    assert config.sampling.rows is None
    assert config.gates is None
    assert config.model.parameters["effort"] == "standard"
    assert config.outputs.report == ("html", "json", "md")
    assert config.folder == Path("runs/toy-7")


def test_the_entity_of_the_config_is_a_role_in_the_schema(study):
    assert load(study.path).table_schema.entity is None
    config = load(study.path, ["data.entity=patient"])
    assert config.table_schema.entity == "patient"
    config.folder.mkdir(parents=True)
    (config.folder / "config.yaml").write_text(resolved_yaml(config))
    assert load(config.folder / "config.yaml") == config


def test_bounds_in_a_constructor_are_bounds_of_the_config(study, monkeypatch):
    class Narrow:
        def __init__(self, schema, *, layers: Annotated[int, Field(ge=1, le=3)] = 2) -> None:
            raise NotImplementedError

    monkeypatch.setattr("synthclin.study.config.loading.MODELS", {"narrow": Narrow})
    study.config["model"] = {"type": "narrow"}
    study.write()
    assert load(study.path, ["model.layers=3"]).model.parameters == {"layers": 3}
    assert "study.yaml: model.layers: should be less than or equal to 3" in refused(study, "model.layers=4")


def test_a_config_is_frozen(study):
    with pytest.raises(ValueError, match="frozen"):
        load(study.path).seed = 8


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_load(path):
    config = load(path)
    assert config.data.dataset is not None or Path(config.data.source).parts[-3:-1] == ("configs", "data")
    assert config.table_schema.columns


def test_the_resolved_config_is_equivalent(study):
    config = load(study.write(), ["sampling.cohorts.0.mix={died: {0: 0.5, 1: 0.5}}"])
    path = config.folder / "config.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(resolved_yaml(config))
    assert load(path) == config


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_resolved_shipped_configs_are_equivalent(path, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    config = load(copy)
    config.folder.mkdir(parents=True)
    resolved = config.folder / "config.yaml"
    resolved.write_text(resolved_yaml(config))
    assert load(resolved) == config


def test_the_resolved_config_holds_no_absolute_path(study):
    source = study.folder / "data.csv"
    config = load(study.path, [f"data.source={source}", f"outputs.folder={study.folder}/out"])
    assert str(study.folder) not in resolved_yaml(config)
    assert yaml.safe_load(resolved_yaml(config))["data"]["source"] == "data.csv"


class TestOverrides:
    def test_values_are_yaml(self, study):
        config = load(study.path, ["model.effort=thorough", "sampling.rows=500", "gates=[fidelity.marginals >= 0.5]"])
        assert config.model.parameters["effort"] == "thorough"
        assert config.sampling.rows == 500
        assert config.gates == ("fidelity.marginals >= 0.5",)

    def test_blocks_that_are_absent_are_made(self, study):
        assert load(study.path, ["protect.rare_category=5"]).protect.rare_category == 5

    def test_lists_are_counted_from_zero(self, study):
        assert load(study.path, ["sampling.cohorts.0.rows=5"]).sampling.cohorts[0].rows == 5

    def test_a_column_with_a_dot_in_its_name(self, study):
        study.config["schema"]["columns"]["d.time"] = {"type": "integer", "range": [0, 5]}
        config = load(study.write(), ["schema.columns.d.time.range=[0, 9]"])
        assert config.table_schema.columns["d.time"].range == (0, 9)

    def test_the_last_one_wins(self, study):
        assert load(study.path, ["seed=1", "seed=2"]).seed == 2

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("seed", "--set seed: "),
            ("=5", "--set =5: "),
            ("seed.x=5", "--set seed.x: "),
            ("sampling.cohorts.3.rows=5", "counted from 0"),
            ("sampling.cohorts.first.rows=5", "counted from 0"),
            ("seed=5\nname: evil", "--set seed"),
            ("seed=[5", "--set seed"),
            ("seed=*x", "--set seed"),
        ],
    )
    def test_malformed_ones_are_refused(self, study, text, message):
        assert message in refused(study, text)


class TestRefusals:
    @pytest.mark.parametrize(
        ("override", "where", "hint"),
        [
            ("sed=5", "sed", "'seed'"),
            ("data.holdot=0.1", "data.holdot", "'holdout'"),
            ("model.efort=quick", "model.efort", "'effort'"),
            ("sampling.row=5", "sampling.row", "'rows'"),
            ("outputs.tabel=csv", "outputs.tabel", "'table'"),
            ("model.type=gann", "model.type", "'gan'"),
            ("schema.columns.bmi.rnage=[1, 2]", "schema.columns.bmi.rnage", "'range'"),
            ("data.entity=patiend", "data.entity", "'patient'"),
            ("evaluation.utility=[{task: predict, target: dead}]", "evaluation.utility[0].target", "'died'"),
            ("sampling.cohorts.0.where=sexx == 'F'", "sampling.cohorts[0].where", "'sex'"),
            ("gates=[fidelity.marginal >= 0.9]", "gates[0]", "'fidelity.marginals'"),
            ("sampling.cohorts.0.mix={sx: {F: 1.0}}", "sampling.cohorts[0].mix", "'sex'"),
        ],
    )
    def test_typing_errors_get_a_suggestion(self, study, override, where, hint):
        message = refused(study, override)
        assert message.startswith(f"{study.path}: {where}: ")
        assert f"Did you mean {hint}?" in message

    @pytest.mark.parametrize(
        ("override", "where"),
        [
            ("data.entity=age", "data.entity"),
            ("sampling.rows=10000001", "sampling.rows"),
            ("sampling.cohorts.0.rows=10000001", "sampling.cohorts[0].rows"),
            ("model.width=0", "model.width"),
            ("model.dropout=1.0", "model.dropout"),
            ("version=2", "version"),
            ("name=../evil", "name"),
            ("name=''", "name"),
            ("seed=-1", "seed"),
            ("seed=seven", "seed"),
            ("data.holdout=0", "data.holdout"),
            ("data.holdout=1.5", "data.holdout"),
            ("data.holdout='0.2'", "data.holdout"),
            ("data.source=''", "data.source"),
            ("data=null", "data"),
            ("data=[]", "data"),
            ("model=gan", "model"),
            ("model.effort=lazy", "model.effort"),
            ("model.device=tpu", "model.device"),
            ("model.width=wide", "model.width"),
            ("protect.rare_category=0", "protect.rare_category"),
            ("sampling.rows=0", "sampling.rows"),
            ("sampling.rows=1.5", "sampling.rows"),
            ("sampling.rows=true", "sampling.rows"),
            ("sampling.cohorts.0.rows=0", "sampling.cohorts[0].rows"),
            ("sampling.cohorts.0.name=a/b", "sampling.cohorts[0].name"),
            ("sampling.cohorts.0.name=..", "sampling.cohorts[0].name"),
            ("sampling.cohorts.0.name=synthetic", "sampling.cohorts[0].name"),
            ("sampling.cohorts.0.where=__import__('os')", "sampling.cohorts[0].where"),
            ("sampling.cohorts.0.where=sex = 'F'", "sampling.cohorts[0].where"),
            ("sampling.cohorts.0.where=sex == 5", "sampling.cohorts[0].where"),
            ("sampling.cohorts.0.where=age == 'old'", "sampling.cohorts[0].where"),
            ("sampling.cohorts.0.where=age + 1", "sampling.cohorts[0].where"),
            ("sampling.cohorts.0.where=patient == 'P0001'", "sampling.cohorts[0].where"),
            ("sampling.cohorts.0.mix={sex: {F: 0.5, X: 0.5}}", "sampling.cohorts[0].mix.sex"),
            ("sampling.cohorts.0.mix={sex: {F: 0.5}}", "sampling.cohorts[0].mix"),
            ("outputs.table=xlsx", "outputs.table"),
            ("outputs.report=[pdf]", "outputs.report[0]"),
            ("outputs.overwrite=1", "outputs.overwrite"),
            ("gates=[fidelity.marginals > high]", "gates[0]"),
            ("gates=fidelity.marginals >= 0.9", "gates"),
            ("schema.columns={}", "schema.columns"),
            ("schema.columns.age.range=[90, 18]", "schema.columns.age.range"),
        ],
    )
    def test_wrong_values_name_file_and_key(self, study, override, where):
        assert refused(study, override).startswith(f"{study.path}: {where}")

    @pytest.mark.parametrize(
        ("override", "where"),
        [
            ("outputs.min_cell=11", "outputs.min_cell"),
        ],
    )
    def test_planned_features_are_never_ignored(self, study, override, where):
        message = refused(study, override)
        assert message.startswith(f"{study.path}: {where}: ")
        assert "not available in this version" in message

    def test_two_names_for_the_patient(self, study):
        study.config["schema"]["columns"]["visit"] = {"type": "id", "role": "entity"}
        study.write()
        assert "data.entity: the schema gives the role entity to 'visit'" in refused(study, "data.entity=patient")
        assert load(study.path, ["data.entity=visit"]).table_schema.entity == "visit"

    def test_a_gate_on_a_task_that_this_run_does_not_compute(self, study):
        gate = "gates=[utility.sex >= -0.05]"
        assert "Add `{task: predict, target: sex}` to `evaluation.utility`" in refused(study, gate)
        assert load(study.path, [gate, "evaluation.utility=[{task: predict, target: sex}]"]).gates
        assert load(study.path, [gate, "schema.columns.sex.role=outcome"]).gates
        died = "evaluation.utility=[{task: predict, target: died}]"
        assert "Did you mean 'utility.died'?" in refused(study, "gates=[utility.dead >= 0]", died)
        assert "utility.sex" in refused(study, gate, died)

    @pytest.mark.parametrize(
        ("task", "what"),
        [
            ("{task: linear, target: age, covariates: [sex, age]}", "'age' is both outcome and covariate"),
            ("{task: linear, target: sex, covariates: [age]}", "column 'sex' is no number"),
            ("{task: compare, target: died, by: age}", "column 'age' has no levels"),
        ],
    )
    def test_an_analysis_that_the_schema_does_not_allow(self, study, task, what):
        text = refused(study, f"evaluation.utility=[{{task: predict, target: died}}, {task}]")
        assert "evaluation.utility[1]" in text
        assert what in text

    def test_a_gate_on_a_group_of_patients(self, study):
        task = "evaluation.utility=[{task: survival, time: age, event: died}]"
        for score in ("associations", "rules", "representation", "survival.died", "curve.died", "rmst.died"):
            assert load(study.path, [task, "evaluation.by=[sex]", f"gates=[subgroups.sex.{score} <= 0.5]"]).gates
        refusal = refused(study, "gates=[subgroups.sex.curve.dead <= 0.5]", task, "evaluation.by=[sex]")
        assert "Did you mean 'subgroups.sex.curve.died'?" in refusal
        assert "subgroups.sex.curve.died" in refused(study, "gates=[subgroups.sex.curve.died <= 0.5]", task)

    @pytest.mark.parametrize(
        ("key", "home"),
        [("random_state", "seed"), ("rare_category", "protect.rare_category"), ("schema", "schema")],
    )
    def test_keys_set_elsewhere_are_refused_in_the_model_block(self, study, key, home):
        assert f"Set `{home}`" in refused(study, f"model.{key}=5")

    def test_a_file_without_schema(self, study):
        del study.config["schema"]
        assert "schema infer" in refused(study)

    def test_an_unknown_shipped_table(self, study):
        del study.config["schema"]
        assert "Did you mean 'heart_disease'?" in refused(study, "data.source=dataset:heart_diseas")

    def test_a_schema_in_a_file_of_its_own(self, study):
        schema = study.config["schema"]
        (study.folder / "schema.yaml").write_text(yaml.safe_dump(schema, sort_keys=False))
        inline = load(study.path)
        study.config["schema"] = "schema.yaml"
        assert load(study.write()).table_schema == inline.table_schema

    def test_a_fault_in_a_schema_file_names_that_file(self, study):
        (study.folder / "schema.yaml").write_text("columns: {age: {type: integr}}\n")
        study.config["schema"] = "schema.yaml"
        message = refused(study)
        assert message.startswith("schema.yaml: columns.age.type: ")
        assert "'integer'" in message

    def test_two_cohorts_of_one_name(self, study):
        study.config["sampling"]["cohorts"].append({"name": "women", "rows": 5})
        assert "sampling.cohorts[1].name" in refused(study)

    def test_an_absent_file(self, tmp_path):
        with pytest.raises(ConfigError, match=r"nowhere\.yaml"):
            load(tmp_path / "nowhere.yaml")


def test_every_key_of_the_model_block_reaches_the_class(study):
    config = load(study.path, ["model.dropout=0.25"])
    assert isinstance(config, Config)
    assert config.model.parameters == {
        "effort": "quick",
        "width": 32,
        "blocks": 1,
        "warmup": True,
        "dropout": 0.25,
        "one_pass": False,
        "device": "cpu",
    }


def test_a_gate_on_shadow_models_needs_an_audit_that_trains_them(study):
    study.config["gates"] = ["privacy.shadow_table <= 0.7", "privacy.model_membership <= 0.7"]
    with pytest.raises(ConfigError, match=r"gates\[0\].*privacy\.audit: standard"):
        load(study.write())
    study.config["privacy"] = {"audit": "standard"}
    assert load(study.write()).privacy.audit == "standard"
    study.config["privacy"] = {"audit": "thorough"}
    with pytest.raises(ConfigError, match=r"privacy\.audit"):
        load(study.write())
