"""Runs with differential privacy: no cell stops them, nothing that leaves them is of real rows, and a run pays once."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from synthclin.cli import main
from synthclin.errors import ConfigError
from synthclin.evaluation import scoring, validity
from synthclin.evaluation.fidelity.marginals import marginals
from synthclin.evaluation.privacy import membership
from synthclin.models import private_training
from synthclin.schema import Schema
from synthclin.study import manifest, mechanism_audit, stages
from synthclin.study.config import load
from synthclin.study.export import CARD, export
from synthclin.study.plan import dry_run
from synthclin.study.run import run
from synthclin.tables import split
from tests.conftest import COLUMNS, toy_table

pytest.importorskip("opendp")

DP = {"epsilon": 100.0, "delta": 1e-3, "patients": 130}
QUICK = ["model.effort=quick", "model.width=8", "model.blocks=0", "evaluation.replicates=1", "evaluation.workers=1"]


@pytest.fixture(autouse=True)
def _few_rows_and_runs(monkeypatch):
    monkeypatch.setattr(private_training, "FITTED_ROWS", 1_000)
    monkeypatch.setattr(mechanism_audit, "_RUNS", 20)


def private(study, **dp):
    """Return the study with differential privacy, written to its file."""
    study.config["protect"] = {"dp": DP | dp}
    study.config["sampling"] = {"cohorts": [{"name": "women", "rows": 20, "where": "sex == 'F'"}]}
    study.write()
    return study


def done(study, findings=None, **arguments):
    found = [] if findings is None else findings
    return run(study.path, overrides=QUICK, on_finding=found.append, **arguments)


def test_a_run_states_its_guarantee_and_is_shared_by_it(study, tmp_path):
    table = toy_table()
    table.loc[3, "bmi"] = 71.9  # of nobody else
    table.loc[5, "age"] = 17  # outside the range
    table.loc[7, "sex"] = "NOBODY-KNOWS"
    table.to_csv(study.folder / "data.csv", index=False)
    findings = []
    result = done(private(study, epsilon=3.0, delta=1e-3), findings)
    folder = result.folder
    record = manifest.read(folder)
    assert record.rows["synthetic"] == 130  # the declared number, not that of training rows
    assert json.loads((folder / "model" / "privacy.json").read_text())["guarantee"]["epsilon"] == 3.0
    assert any("will be noise" in str(found) for found in findings)
    assert any("2 of 160 rows break the schema" in str(found) for found in findings)
    leaving = [
        path
        for name in ("model", "report-shareable.html", "report-shareable.json", "report-shareable.md", "datacard.md")
        for path in ([folder / name] if (folder / name).is_file() else (folder / name).iterdir())
    ]
    text = b"".join(path.read_bytes() for path in leaving)
    assert b"71.9" not in text
    assert b"NOBODY-KNOWS" not in b"".join(p.read_bytes() for p in folder.rglob("*") if p.is_file())
    assert "NOBODY" not in " ".join(map(str, findings))
    shareable = json.loads((folder / "report-shareable.json").read_text())
    assert shareable["provenance"]["rows"] == {"synthetic": 130}
    assert {score["name"].partition(".")[0] for score in shareable["scores"]} == {"validity"}
    assert all(count is None for panel in shareable["sections"]["marginals"] for count in panel["real"])
    assert shareable["sections"]["cohorts"][0]["share_train"] is None
    assert main(["verify", str(folder)]) == 0
    export(folder, tmp_path / "shared")
    card = (tmp_path / "shared" / CARD).read_text()
    assert "Epsilon 3" in card
    assert "Unit: one row, because no column of the schema says whose a row is" in card
    assert "training rows" not in card
    assert "AUC" not in card
    assert (tmp_path / "shared" / "privacy.json").is_file()


def test_what_the_guarantee_covers_follows_from_the_model_alone(study, monkeypatch):
    """Two runs of one model on quite different real rows leave the same bytes, but for what is declared not covered."""
    models, whole = [], stages.fit

    def fit(*arguments):
        models.append(models[0] if models else whole(*arguments))
        models[-1].calls_ = 0
        return models[-1]

    monkeypatch.setattr(stages, "fit", fit)
    monkeypatch.setattr(stages, "audit_mechanism", lambda *_a, **_k: ())
    written = []
    for table in (toy_table(), toy_table().head(90).assign(age=lambda rows: rows["age"].where(rows.index > 8, 999))):
        table.to_csv(study.folder / "data.csv", index=False)
        folder = done(private(study, epsilon=3.0, delta=1e-3), overwrite=True).folder
        written.append({str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()})
    differ = {name for name in written[0] if written[0][name] != written[1].get(name)}
    assert differ == {"report.html", "report.json", "report.md", "manifest.json"}
    assert set(written[0]) == set(written[1])


def test_a_large_epsilon_is_not_shared_by_its_guarantee(study, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "SCORES", (validity.rules, marginals, membership))
    folder = done(private(study)).folder
    document = json.loads((folder / manifest.FILE).read_text())
    document["attacks"][0].update(value=0.9, low=0.85, high=0.95)
    (folder / manifest.FILE).write_text(json.dumps(document))
    assert main(["export", str(folder), "--for-sharing", "-o", str(tmp_path / "shared")]) == 3


@pytest.mark.usefixtures("two_scores")
def test_a_resumed_run_pays_once(study, monkeypatch):
    private(study, ledger="ledger.jsonl")
    with monkeypatch.context() as patch:
        patch.setattr("synthclin.study.stages.sample", interrupt)
        with pytest.raises(KeyboardInterrupt):
            done(study)
    assert done(study, resume=True).report is not None
    (study.folder / "data.csv").unlink()  # it is refused before the table is read
    for again in (lambda: done(study, overwrite=True), lambda: dry_run(load(study.path, QUICK))):
        with pytest.raises(ConfigError, match=r"ledger\.jsonl"):
            again()


def interrupt(*_arguments):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("override", "what"),
    [
        ("model={type: mixture}", "'mixture'"),
        ("model.effort=thorough", "noise"),
        ("model.warmup=false", "noise"),
        ("protect.dp={epsilon: 3.0}", "protect.dp.delta"),
        ("protect.dp.seed=3", "seed"),
        ("schema.columns.age={type: integer}", "range"),
        ("protect.dp.epsilon=0.05", "noise"),
    ],
)
def test_what_cannot_be_kept_is_refused_before_the_table_is_read(study, override, what):
    private(study)
    (study.folder / "data.csv").unlink()
    with pytest.raises(ConfigError) as raised:
        run(study.path, overrides=[*QUICK[3:], override])
    assert what in str(raised.value)


def test_ranges_that_are_guessed_from_rows_are_refused(study):
    assert main(["schema", "infer", "data.csv", "-o", "guessed.yaml"]) == 0
    private(study, epsilon=3.0).config["schema"] = "guessed.yaml"
    study.write()
    with pytest.raises(ConfigError, match=r"guessed\.yaml: line \d+: \d+ of the columns are guessed"):
        load(study.path)
    text = (study.folder / "guessed.yaml").read_text()
    (study.folder / "guessed.yaml").write_text("\n".join(line for line in text.splitlines() if "# " not in line))
    assert load(study.path).protect.dp is not None


def test_the_plan_is_there_without_paying(study):
    private(study, ledger="ledger.jsonl")
    plan = dry_run(load(study.path, QUICK))
    assert plan["rows"]["synthetic"] == 130
    assert not (study.folder / "ledger.jsonl").exists()


def test_one_patient_more_moves_no_other_to_the_other_side():
    schema = Schema.model_validate({"columns": COLUMNS})
    table = toy_table()
    _, other = split(table, schema, 0.25, 7, stable=True)
    assert 20 < len(other) < 60
    new = pd.concat([table.head(1).assign(patient="NEW"), table], ignore_index=True)
    for named in (schema, schema.with_column("patient", role="entity")):
        before, after = (split(each, named, 0.25, 7, stable=True) for each in (table, new))
        for a, b in zip(before, after, strict=True):
            assert set(a["patient"]) == set(b["patient"]) - {"NEW"}
    assert set(split(table, schema, 0.25, 8, stable=True)[1]["patient"]) != set(other["patient"])
    visits = pd.concat([table, table.assign(age=50)], ignore_index=True)
    sides = split(visits, schema.with_column("patient", role="entity"), 0.25, 7, stable=True)
    assert not set(sides[0]["patient"]) & set(sides[1]["patient"])
