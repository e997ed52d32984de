"""A first study of a table: proposed roles, the two files, and the JSON Schemas for YAML editors."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import synthclin as sc
from synthclin.cli import main
from synthclin.inference.roles import proposed_roles
from synthclin.io.documents import dump_json
from synthclin.schema import Schema
from synthclin.study.config import load
from synthclin.study.config.study_json_schema import schema_json_schema, study_json_schema

ROOT = Path(__file__).resolve().parent.parent
PUBLISHED = {"study": study_json_schema, "schema": schema_json_schema}


def trial(rows=240):
    rng = np.random.default_rng(5)
    arm = np.tile(["A", "B", "C"], rows // 3)
    died = (rng.random(rows) < 0.4).astype(int)
    days = np.where(died == 1, rng.integers(5, 300, rows), rng.integers(200, 900, rows))
    return pd.DataFrame({"treatment": arm, "follow_up_days": days, "died": died, "age": rng.integers(30, 90, rows)})


def roles(table):
    schema = Schema.infer(table)
    typed = sc.split(table, schema)[0]
    return {name: line.partition("  #")[0] for name, line in proposed_roles(typed, schema).items()}


def test_roles_are_proposed_by_evidence():
    wanted = {"treatment": "role: treatment", "follow_up_days": "role: time", "died": "role: event"}
    assert roles(trial()) == wanted


def test_a_name_alone_proposes_nothing():
    table = trial()
    table["follow_up_days"] = np.random.default_rng(1).permutation(table["follow_up_days"])
    assert roles(table) == {"treatment": "role: treatment"}
    assert roles(table.drop(columns="treatment").rename(columns={"died": "x", "follow_up_days": "y"})) == {}


def test_visits_of_a_patient_are_told_apart():
    table = pd.DataFrame(
        {
            "patient_id": np.repeat([f"P{i:03}" for i in range(60)], 4),
            "visit": np.tile([1, 2, 3, 4], 60),
            "crp": np.random.default_rng(2).normal(5, 1, 240).round(1),
        }
    )
    schema = Schema.infer(table)
    assert schema.entity == "patient_id"
    assert schema.visit_time == "visit"
    assert schema.planned.schedule == (1, 2, 3, 4)
    untold = schema.model_copy(update={"visits": None}).with_column("visit", role=None)
    assert "no two of them share a value" in proposed_roles(table, untold)["visit"]


def test_no_cell_stands_in_a_proposal():
    table = trial().replace({"treatment": {"A": "ZZ_CANARY", "B": "ZZ_OTHER"}})
    assert "ZZ_" not in str(proposed_roles(table, Schema.infer(table)))


@pytest.fixture
def ward(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trial().to_csv("Ward 7.csv", index=False, sep=";", decimal=",")


@pytest.mark.usefixtures("ward")
def test_init_writes_a_study_that_can_be_run(capsys):
    assert main(["init", "Ward 7.csv", "-o", "first", "--separator", ";"]) == 0
    assert "synthclin run first/study.yaml" in capsys.readouterr().out
    config = load("first/study.yaml")
    assert (config.name, config.data.source, config.data.separator) == ("ward-7", "Ward 7.csv", ";")
    schema = Path("first/schema.yaml").read_text("utf-8")
    assert "    # role: event  # " in schema
    study = Path("first/study.yaml").read_text("utf-8")
    assert "#     - {task: survival, time: follow_up_days, event: died, by: treatment}" in study
    assert main(["run", "first/study.yaml", "--dry-run"]) == 0
    Path("first/schema.yaml").write_text(schema.replace("# role:", "role:"), "utf-8")
    lines = [line.removeprefix("# ") for line in study.splitlines() if not line.startswith(("# A", "# Analyses"))]
    Path("first/study.yaml").write_text("\n".join(lines), "utf-8")
    assert [task.task for task in load("first/study.yaml").evaluation.utility] == ["predict", "survival"]
    assert main(["run", "first/study.yaml", "--dry-run"]) == 0


@pytest.mark.usefixtures("ward")
def test_init_counts_the_rules_that_are_comments(capsys):
    table = trial()
    table["seen"] = table["treatment"].eq("A") & (np.arange(len(table)) % 2 == 0)
    table.to_csv("Ward 7.csv", index=False, sep=";", decimal=",")
    assert main(["init", "Ward 7.csv", "--separator", ";"]) == 0
    out = capsys.readouterr().out
    count = Path("schema.yaml").read_text("utf-8").count("  # - when: ")
    assert count > 0
    assert f"so that synthetic rows may break them: {count} proposed rule" in out


@pytest.mark.usefixtures("ward")
def test_init_asks_for_an_effort():
    assert main(["init", "Ward 7.csv", "--separator", ";", "--effort", "quick"]) == 0
    assert load("study.yaml").model.parameters["effort"] == "quick"
    assert main(["init", "Ward 7.csv", "--separator", ";", "--effort", "huge", "--overwrite"]) == 2


@pytest.mark.usefixtures("ward")
def test_init_overwrites_nothing_unasked(capsys):
    Path("study.yaml").write_text("mine")
    assert main(["init", "Ward 7.csv", "--separator", ";"]) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert not Path("schema.yaml").exists()
    assert Path("study.yaml").read_text() == "mine"
    assert main(["init", "Ward 7.csv", "--separator", ";", "--overwrite"]) == 0
    assert main(["init", "Ward 8.csv"]) == 2


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_json_schemas_are_those_of_the_types(name):
    path = ROOT / "docs" / f"{name}.schema.json"
    # To renew: python -c "from tests.test_init import renew; renew()"
    assert path.read_text("utf-8") == dump_json(PUBLISHED[name]())


def renew():
    for name, make in PUBLISHED.items():
        (ROOT / "docs" / f"{name}.schema.json").write_text(dump_json(make()), "utf-8")


def keys_of(node, root):
    """Return the properties that a node of a JSON Schema allows, through references and unions."""
    if "$ref" in node:
        return keys_of(root["$defs"][node["$ref"].rpartition("/")[2]], root)
    found = dict(node.get("properties", {}))
    for member in (*node.get("anyOf", ()), *node.get("oneOf", ())):
        found |= keys_of(member, root)
    return found


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_shipped_studies_use_keys_of_the_json_schema(path):
    root = json.loads((ROOT / "docs" / "study.schema.json").read_text("utf-8"))
    written = yaml.safe_load(path.read_text("utf-8"))
    known = root["$defs"]["Sweep" if "sweep" in written else "Study"]["properties"]
    assert set(written) <= set(known)
    for block in set(written) & {"data", "model", "sampling", "evaluation", "outputs", "sweep"}:
        assert set(written[block]) <= set(keys_of(known[block], root)), block
    for model in written.get("sweep", {}).get("models", ()):
        assert set(model) <= set(keys_of({"$ref": "#/$defs/SweepModel"}, root))
    if "sweep" in written:
        return
    columns = keys_of(known["schema"], root)["columns"]["additionalProperties"]
    for column in written.get("schema", {}).get("columns", {}).values():
        assert set(column) <= set(keys_of(columns, root))
