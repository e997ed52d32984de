from __future__ import annotations

import dataclasses
import json
import os
import stat
from pathlib import Path

import pandas as pd
import pytest

from synthclin.errors import ConditionError, ConfigError, DataError, ModelFormatError, OutputError
from synthclin.evaluation.catalogue import names_of
from synthclin.io.files import sha256
from synthclin.models import Checkpoint, private_training
from synthclin.models.families import gan
from synthclin.models.generator import likelihood
from synthclin.models.generator.training import plan_for
from synthclin.report import Report
from synthclin.rules.validation import check
from synthclin.sampling.cohorts import Cohort
from synthclin.sampling.sample_facts import SampleFacts
from synthclin.schema import Schema
from synthclin.study import data, manifest, mechanism_audit, run, stages
from synthclin.study.config import load
from synthclin.study.plan import dry_run
from synthclin.study.verify import verify
from synthclin.tables import read_table
from tests.killed import killed_while_training

CONFIGS = sorted(path for path in (Path(__file__).parents[2] / "configs").glob("*.yaml") if path.stem != "sweep")
FILES = {
    "cohorts/women.parquet",
    "config.yaml",
    "croissant.json",
    "datacard.md",
    "manifest.json",
    "metrics.jsonl",
    "model/encoder.json",
    "model/model.json",
    "model/schema.yaml",
    "model/weights.safetensors",
    "report-shareable.html",
    "report-shareable.json",
    "report-shareable.md",
    "report.html",
    "report.json",
    "report.md",
    "synthetic.parquet",
}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


class TestRunFolder:
    def test_it_holds_these_files_and_no_other(self, finished):
        assert files(finished.out) == FILES
        assert sorted(path.name for path in finished.out.parent.iterdir()) == ["toy-7"]

    def test_it_is_readable_by_its_owner_alone(self, finished):
        assert stat.S_IMODE(finished.out.stat().st_mode) == 0o700
        modes = {name: stat.S_IMODE((finished.out / name).stat().st_mode) for name in FILES}
        assert modes == dict.fromkeys(FILES, 0o600)

    def test_the_tables_satisfy_the_schema(self, finished):
        schema = Schema.read(finished.out / "model" / "schema.yaml")
        synthetic = read_table(finished.out / "synthetic.parquet", schema)
        women = read_table(finished.out / "cohorts" / "women.parquet", schema)
        assert (len(synthetic), len(women)) == (90, 20)
        assert check(synthetic, schema) == []
        assert set(women["sex"]) == {"F"}
        assert pd.concat([synthetic, women])["patient"].is_unique
        assert list(synthetic.columns) == list(schema.columns)

    def test_the_manifest_lists_every_file_and_nothing_about_the_machine(self, finished):
        record = manifest.read(finished.out)
        assert set(record.files) == FILES - {"manifest.json"}
        assert all(sha256(finished.out / name) == digest for name, digest in record.files.items())
        assert record.rows == {"train": 120, "holdout": 40, "synthetic": 90, "cohorts/women": 20}
        assert set(record.seconds) == set(manifest.STAGES)
        assert record.device == "cpu"
        assert {"python", "synthclin", "torch", "numpy", "pandas", "scikit-learn"} <= set(record.versions)
        text = (finished.out / "manifest.json").read_text()
        assert str(finished.folder) not in text
        assert "/" not in text.replace("cohorts/", "").replace("model/", "")

    def test_no_file_holds_an_absolute_path(self, finished):
        for name in FILES:
            assert str(finished.folder).encode() not in (finished.out / name).read_bytes(), name

    def test_the_training_curve_is_json_lines(self, finished):
        lines = (finished.out / "metrics.jsonl").read_text().splitlines()
        assert lines
        assert {json.loads(line)["phase"] for line in lines} == {"cross-validation", "warm-up"}
        assert all("validation_nll" in json.loads(line) for line in lines if "cross-validation" in line)
        assert all("train_nll" in line or "mean_strength" in line for line in lines)

    def test_the_resolved_config_is_the_config(self, finished, monkeypatch):
        monkeypatch.chdir(finished.folder)
        assert load(finished.out / "config.yaml") == load(finished.path)

    def test_no_identifier_of_a_patient_is_in_any_file(self, finished):
        for name in FILES:
            assert b"P0001" not in (finished.out / name).read_bytes(), name


class TestCohorts:
    def test_the_manifest_and_the_report_give_the_probability_of_a_cohort(self, finished):
        (facts,) = manifest.read(finished.out).cohorts
        assert (facts.name, facts.rows, facts.where, facts.mix) == ("women", 20, "sex == 'F'", None)
        assert facts.probability_model == pytest.approx(facts.share_train, abs=0.2)
        assert 0 < facts.effective_sample_size <= facts.proposed
        (section,) = Report.read(finished.out / "report.json").sections["cohorts"]
        assert section["share_train"] == pytest.approx(facts.share_train)
        page = (finished.out / "report.html").read_text(encoding="utf-8")
        assert "Prevalence of each cohort" in page
        assert "sex == &#39;F&#39;" in page

    @pytest.mark.parametrize(
        ("patients", "rows", "shown"),
        # Ten patients with many rows are few; all but ten disclose ten by subtraction; all patients disclose none.
        [(10, 40, False), (11, 11, True), (50, 50, False), (49, 49, True), (60, 60, True)],
    )
    def test_shares_of_few_patients_are_suppressed(self, patients, rows, shown):
        schema = Schema.model_validate(
            {"columns": {"who": {"type": "id", "role": "entity"}, "x": {"type": "integer"}, "y": {"type": "integer"}}}
        )
        inside = pd.DataFrame({"who": [f"p{i % patients}" for i in range(rows)], "x": 1, "y": 0})
        outside = pd.DataFrame({"who": [f"q{i}" for i in range(60 - patients)], "x": 0, "y": 0})
        table = pd.concat([inside, outside], ignore_index=True)
        facts = stages.cohort_facts(
            Cohort(name="c", rows=5, where="x == 1"), SampleFacts(5, 9, 1.0, 4.0), table, schema
        )
        assert (facts.share_train is not None) == shown
        assert facts.probability_model == 1


class TestRules:
    def test_rows_that_a_rule_leaves_out_are_counted(self, study):
        young = int((study.table()["age"] < 80).sum())
        study.config["schema"]["constraints"] = [{"then": "age < 80", "on_violation": "drop"}]
        study.write()
        fitted = run.fit(load(study.path), study.folder / "model")
        assert fitted.real.excluded_rows == {"age < 80": 160 - young}
        assert len(fitted.real.train) + len(fitted.real.holdout) == young
        assert fitted.model.sample(200)["age"].max() < 80

    @pytest.mark.parametrize(
        ("rules", "error", "said"),
        [
            (["age < 80"], DataError, r"rule 'age < 80': \d+ of 160 rows"),
            (["age < 50", "age > 60"], ConfigError, "no value is left by the rules 'age < 50', 'age > 60'"),
        ],
    )
    def test_tables_that_cannot_be_modelled_are_refused_before_training(self, study, rules, error, said):
        study.config["schema"]["constraints"] = rules
        study.write()
        with pytest.raises(error, match=said):
            dry_run(load(study.path))


def test_the_names_of_scores_in_gates_are_those_of_the_report(finished):
    names = [score.name for score in Report.read(finished.out / "report.json").scores]
    assert [name for name in names if name in names_of()] == list(names_of())
    assert [name for name in names if name in names_of("model")] == list(names_of("model"))


class TestVerify:
    @pytest.fixture
    def copy(self, finished, tmp_path):
        target = tmp_path / "run"
        for name in FILES:
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes((finished.out / name).read_bytes())
        return target

    def test_an_untouched_folder(self, copy):
        found = verify(copy)
        assert found.problems == ()
        assert found.files == len(FILES) - 1
        assert found.report.passed

    def test_a_changed_file(self, copy):
        with (copy / "report.html").open("a") as page:
            page.write(" ")
        assert verify(copy).problems == ("report.html: the file was changed after the run",)

    def test_an_edited_report(self, copy):
        page = copy / "report.json"
        page.write_text(page.read_text().replace('"PASS"', '"FAIL"'))
        with pytest.raises(ConfigError, match="changed after it was written"):
            verify(copy)

    def test_parts_that_do_not_fit_each_other(self, copy):
        report = Report.read(copy / "report-shareable.json")
        dataclasses.replace(report, provenance={"name": "other"}).save(copy / "report-shareable.json")
        card = copy / "croissant.json"
        document = json.loads(card.read_text())
        document["distribution"][0]["sha256"] = "0" * 64
        card.write_text(json.dumps(document))
        found = verify(copy).problems
        assert "report-shareable.json: it does not follow from report.json" in found
        assert "croissant.json: it describes another table than the manifest" in found

    def test_a_report_on_another_table(self, copy):
        report = Report.read(copy / "report.json")
        other = dataclasses.replace(report, table=report.table.model_copy(update={"sha256": "0" * 64}))
        for name in ("report.json", "report.html"):
            other.save(copy / name)
        found = verify(copy).problems
        assert "report.json: it is about another table than the manifest" in found
        assert "report.html: it is about another table than the manifest" in found
        assert "report.md: it is about another table than the manifest" not in found

    def test_the_shareable_report_alone_is_enough(self, copy):
        (copy / "report.json").unlink()
        found = verify(copy)
        assert found.problems == ("report.json: the file is absent",)
        assert found.report.edition == "shareable"

    def test_an_absent_file(self, copy):
        (copy / "metrics.jsonl").unlink()
        assert verify(copy).problems == ("metrics.jsonl: the file is absent",)

    def test_a_file_that_was_added(self, copy):
        (copy / "notes.txt").write_text("mine")
        assert verify(copy).problems == ("notes.txt: the file is not listed in manifest.json",)

    def test_a_table_that_breaks_the_schema(self, copy):
        path = copy / "synthetic.parquet"
        table = pd.read_parquet(path)
        table.loc[0, "age"] = 300
        table.to_parquet(path)
        problems = "\n".join(verify(copy).problems)
        assert "synthetic.parquet: the file was changed" in problems
        assert "column 'age': 1 of 90 rows (1)" in problems


class TestDryRun:
    def test_it_returns_the_plan_and_writes_nothing(self, study):
        before = files(study.folder)
        plan = dry_run(load(study.path))
        assert plan["rows"] == {"train": 120, "holdout": 40, "synthetic": 90}
        assert [column["name"] for column in plan["columns"]] == list(study.config["schema"]["columns"])
        roles = {column["name"]: column["role"] for column in plan["columns"]}
        assert roles == {name: column.get("role") for name, column in study.config["schema"]["columns"].items()}
        asked = ["evaluation.utility=[{task: predict, target: died}]"]
        (analysis,) = dry_run(load(study.path, asked))["analyses"]
        assert (analysis["task"], analysis["columns"], analysis["scores"][0]) == ("predict", ["died"], "utility.died")
        assert plan["cohorts"][0]["name"] == "women"
        support = int(plan["cohorts"][0]["support"])
        assert support > 11
        assert support % 10 == 0
        assert plan["gates"] == ["fidelity.marginals >= 0.0"]
        assert plan["outputs"]["folder"] == "runs/toy-7"
        assert files(study.folder) == before
        json.dumps(plan)

    def test_it_refuses_what_training_would_refuse(self, study):
        study.config["schema"]["columns"]["record"] = {"type": "code", "system": "ICD-10"}
        table = study.table()
        table["record"] = [f"P{row:04d}" for row in range(len(table))]
        study.write(table)
        with pytest.raises(DataError, match="column 'record': none of its 120 levels has 11 patients"):
            dry_run(load(study.path))

    def test_small_counts_of_patients_are_suppressed(self, study):
        findings = []
        rare = ["sampling.cohorts.0.where=age >= 89", "sampling.least_patients=0"]
        plan = dry_run(load(study.path, rare), on_finding=findings.append)
        assert plan["cohorts"][0]["support"] == "< 11"
        (finding,) = findings
        assert str(finding).startswith("cohort 'women': fewer than 11 training patients satisfy its condition.")

    @pytest.mark.parametrize(("least", "refused"), [(11, True), (40, True), (3, False)])
    def test_a_cohort_of_too_few_patients_is_refused_before_training(self, study, least, refused):
        table = study.table()
        table["patient"] = [f"P{row // 16}" for row in range(len(table))]  # 10 patients in 160 rows
        study.config["data"]["entity"] = "patient"
        study.config["schema"]["visits"] = "independent"
        study.write(table)
        config = load(study.path, [f"sampling.least_patients={least}"])
        if refused:
            with pytest.raises(ConditionError, match=f"cohort 'women': fewer than {least} training patients") as caught:
                run.run(config)
            assert "least_patients: 0" in str(caught.value)
            assert not study.out.exists()
        else:
            assert dry_run(config)["cohorts"][0]["support"] == "< 11"

    def test_the_entity_of_the_config_is_that_of_the_split(self, study):
        table = study.table()
        table["patient"] = [f"P{row // 4}" for row in range(len(table))]
        study.config["schema"]["visits"] = "independent"
        study.write(table)
        real = data.prepare(load(study.path, ["data.entity=patient"]), manifest.Clock(), lambda _: None)
        assert not set(real.train["patient"]) & set(real.holdout["patient"])

    def test_it_lists_the_files_that_a_run_writes(self, study):
        planned = set(dry_run(load(study.path))["outputs"]["files"])
        assert planned == {name for name in FILES if not name.startswith("model/")} | {"model/"}


def some_rows(name, folder):
    """Return a file of 600 rows of a table that does not ship, from the folder that SYNTHCLIN_DATA names."""
    if "SYNTHCLIN_DATA" not in os.environ:
        pytest.skip("SYNTHCLIN_DATA names no folder with <name>/data.csv")
    [source] = Path(os.environ["SYNTHCLIN_DATA"], name).glob("data.csv*")
    table = pd.read_csv(source, dtype=str, keep_default_na=False).sample(600, random_state=0)
    table.to_csv(folder / "some.csv", index=False)
    return folder / "some.csv"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_runs(path, tmp_path, monkeypatch):
    """All but the scoring, which is tested on the toy study and takes longest."""
    monkeypatch.setattr(stages, "report_on", lambda *_, file, **__: Report((), (), {}, {}, table=file))

    def short(*size):
        return dataclasses.replace(plan := plan_for(*size), epochs=2, folds=min(plan.folds, 2))

    monkeypatch.setattr(gan, "plan_for", short)
    monkeypatch.setattr(private_training, "FITTED_ROWS", 1_000)
    monkeypatch.setattr(mechanism_audit, "_RUNS", 20)
    overrides = ["model.effort=quick", "model.width=32", "sampling.rows=200", f"outputs.folder={tmp_path}/run"]
    if load(path).data.dataset is None:
        overrides += [f"data.source={some_rows(path.stem, tmp_path)}", "sampling.least_patients=0"]
    done = run.run(load(path, overrides))
    assert verify(done.folder).problems == ()


def test_existing_runs_are_kept_without_overwrite(study, monkeypatch):
    """The second run is refused before it trains."""
    study.out.mkdir(parents=True)
    (study.out / "manifest.json").write_text('{"versions": {"synthclin": "0"}}')
    monkeypatch.setattr(stages, "fit", lambda *_: pytest.fail("it trained"))
    with pytest.raises(OutputError, match="--overwrite"):
        run.run(load(study.path))


@pytest.mark.usefixtures("two_scores")
def test_overwrite_replaces_the_whole_folder(study):
    study.config |= {"sampling": {"rows": 60}, "outputs": {"table": "csv", "report": ["json"], "overwrite": True}}
    study.out.mkdir(parents=True)
    (study.out / "manifest.json").write_text('{"versions": {"synthclin": "0"}}')
    (study.out / "old.csv").write_text("old")
    done = run.run(load(study.write()))
    reports = {name for name in FILES if name.startswith("report") and not name.endswith(".json")}
    expected = {name for name in FILES - reports if not name.startswith(("cohorts/", "synthetic"))}
    assert files(study.out) == expected | {"synthetic.csv"}
    assert len(pd.read_csv(study.out / "synthetic.csv")) == 60
    assert isinstance(done.report, Report)
    assert done.folder == Path("runs/toy-7")


def test_an_impossible_cohort_leaves_no_folder(study):
    config = load(study.path, ["sampling.cohorts.0.where=age < 20 and age > 90", "sampling.least_patients=0"])
    before = files(study.folder)
    with pytest.raises(ConditionError):
        run.run(config)
    assert files(study.folder) == before
    assert not (study.folder / "runs").exists()


class TestResume:
    """Killed in the training, in the scoring, or stopped by an error: the checkpoint stays."""

    @pytest.fixture(autouse=True)
    def _eager(self, monkeypatch):
        monkeypatch.setattr(Checkpoint.__init__, "__defaults__", (0.0,))

    @pytest.fixture
    def place(self, study):
        return study.out.with_name(".toy-7.checkpoint")

    def same(self, study, finished):
        names = FILES - {"manifest.json"}
        return [name for name in names if (study.out / name).read_bytes() != (finished.out / name).read_bytes()] == []

    def test_killed_outright_while_it_trains(self, study, finished, place):
        killed_while_training(study.folder)
        assert not study.out.exists()
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        findings = []
        run.run(load(study.path), resume=True, on_finding=findings.append)
        assert self.same(study, finished)
        assert verify(study.out).problems == ()
        assert findings == []
        assert not place.exists()

    def test_stopped_while_it_scores(self, study, finished, place, monkeypatch):
        def stop(*_, **__):
            raise KeyboardInterrupt

        findings = []
        with monkeypatch.context() as patch:
            patch.setattr(stages, "report_on", stop)
            with pytest.raises(KeyboardInterrupt):
                run.run(load(study.path), on_finding=findings.append)
        assert [finding.what for finding in findings] == ["the training so far is kept here"]
        assert files(study.folder / "runs") == {".toy-7.checkpoint/training.safetensors"}
        monkeypatch.setattr(likelihood, "descend", lambda *_: pytest.fail("it trained"))
        run.run(load(study.path), resume=True)
        assert self.same(study, finished)
        assert sorted(path.name for path in study.out.parent.iterdir()) == ["toy-7"]
        del place

    def test_an_impossible_cohort_can_be_widened(self, study, place, monkeypatch):
        with pytest.raises(ConditionError):
            run.run(load(study.path, ["sampling.cohorts.0.where=age < 20 and age > 90", "sampling.least_patients=0"]))
        assert place.exists()
        monkeypatch.setattr(likelihood, "descend", lambda *_: pytest.fail("it trained"))
        run.fit(load(study.path), study.out, resume=True)
        assert files(study.out) == {name.removeprefix("model/") for name in FILES if name.startswith("model/")}
        assert not place.exists()

    def test_to_overwrite_it_is_discarded_with_a_finding(self, study, place, capsys):
        place.mkdir(parents=True)
        (place / "training.safetensors").write_bytes(b"old")
        with pytest.raises(ModelFormatError, match="cannot be read"):
            run.fit(load(study.path), study.out, resume=True)
        findings = []
        run.fit(load(study.path), study.out, overwrite=True, on_finding=findings.append)
        assert [finding.what for finding in findings] == ["the checkpoint of an interrupted training is discarded"]
        findings.clear()
        capsys.readouterr()
        run.fit(load(study.path), study.out, overwrite=True, resume=True, on_finding=findings.append)
        assert findings == []
        assert capsys.readouterr().err == "the training starts, without a checkpoint\n"

    def test_it_stays_where_the_target_is_taken(self, study, place):
        place.mkdir(parents=True)
        (place / "training.safetensors").write_bytes(b"old")
        study.out.mkdir()
        with pytest.raises(OutputError, match="--overwrite"):
            run.run(load(study.path))
        assert (place / "training.safetensors").read_bytes() == b"old"


def test_violations_of_the_real_table_are_findings_not_errors(study):
    study.config["schema"]["constraints"] = [{"then": "age < 80 or died == 1", "on_violation": "keep"}]
    findings = []
    dry_run(load(study.write()), on_finding=findings.append)
    (finding,) = findings
    assert "age < 80 or died == 1" in finding.where
    assert finding.count == len(finding.rows) > 0


def test_what_run_returns_is_frozen():
    assert dataclasses.fields(run.Run)
    assert run.Run.__dataclass_params__.frozen
