"""The evidence for guesses is in the YAML of an inferred schema, and stays with what is not edited."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.inference import infer, to_commented_yaml
from synthclin.schema import Schema


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    rows = 300
    sbp = rng.normal(150, 30, rows).round().astype(int)
    sex = rng.choice(["F", "M"], rows)
    low = np.where(rng.random(rows) < 0.05, "low", rng.choice(["mid", "high"], rows))
    pregnant = np.where((sex == "F") & (low != "low"), rng.integers(0, 2, rows).astype(float), np.nan)
    return pd.DataFrame(
        {
            "sbp": sbp,
            "dbp": sbp - rng.integers(20, 60, rows),
            "sex": sex,
            "risk": low,
            "pregnant": pregnant,
            "died": rng.integers(0, 2, rows),
        }
    )


def comments(text):
    return [line.strip() for line in text.splitlines() if line.strip().startswith("#")]


def test_python_writes_what_the_command_line_writes(table, tmp_path):
    inferred = infer(table)
    schema = Schema.infer(table)
    assert schema.to_yaml() == inferred.schema.to_yaml() == to_commented_yaml(inferred)
    assert any(line.startswith("# guessed: all 300 cells are whole numbers") for line in comments(schema.to_yaml()))
    (tmp_path / "schema.yaml").write_text(schema.to_yaml(), encoding="utf-8")
    read = Schema.read(tmp_path / "schema.yaml")
    assert read == schema
    assert read.constraints
    assert comments(read.to_yaml()) == []
    assert comments(schema.to_yaml(comments=False)) == []


def test_an_edited_column_loses_its_evidence_and_the_others_keep_theirs(table, tmp_path):
    schema = Schema.infer(table)
    edited = schema.with_column("sbp", unit="mm[Hg]").with_column("notes", type="text")
    kept = comments(edited.to_yaml())
    assert len(kept) < len(comments(schema.to_yaml()))
    for name in ("dbp", "sex", "risk", "died"):
        lines = edited.to_yaml().splitlines()
        assert "#" in lines[lines.index(f"  {name}:") - 1], name
    lines = edited.to_yaml().splitlines()
    assert not lines[lines.index("  sbp:") - 1].startswith("  #")
    assert kept[0].startswith("# Guessed from a table")
    (tmp_path / "schema.yaml").write_text(edited.to_yaml(), encoding="utf-8")
    assert Schema.read(tmp_path / "schema.yaml") == edited


def test_proposed_rules_stay_around_constraints_that_were_added_or_removed(table, tmp_path):
    schema = Schema.infer(table)
    rule = Schema.model_validate({**schema.model_dump(), "constraints": ["sbp > 20"]}).constraints
    for constraints in ((*rule, *schema.constraints), (*schema.constraints, *rule), rule, (), schema.constraints[::-1]):
        changed = schema.model_copy(update={"constraints": constraints})
        text = changed.to_yaml()
        (tmp_path / "schema.yaml").write_text(text, encoding="utf-8")
        assert Schema.read(tmp_path / "schema.yaml") == changed
        assert "# guessed:" in text


def test_model_folders_have_no_evidence(table, tmp_path):
    schema = Schema.infer(table)
    model = sc.ConditionalGAN(schema, effort="quick", width=16, random_state=1).fit(table)
    model.save(tmp_path / "model")
    text = (tmp_path / "model" / "schema.yaml").read_text("utf-8")
    assert comments(text) == []
    assert Schema.read(tmp_path / "model" / "schema.yaml") == schema
    assert "guessed" not in "".join(path.read_text("utf-8", "ignore") for path in (tmp_path / "model").iterdir())


def test_schemas_are_compared_without_comments(table):
    schema = Schema.infer(table)
    plain = Schema.model_validate(schema.model_dump())
    assert schema == plain
    assert schema != schema.with_column("died", role="outcome")
    assert schema != "schema"
    with pytest.raises(TypeError, match="unhashable"):
        hash(schema)
