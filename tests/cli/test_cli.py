from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from synthclin.cli import error_boundary
from synthclin.cli.app import COMMANDS, SCHEMA_COMMANDS
from synthclin.cli.examples import LINES
from synthclin.errors import GateError

CANARY = "ZZ_CANARY_7391"
PYTHON = [sys.executable, "-m", "synthclin.cli"]


@pytest.mark.usefixtures("two_scores")
class TestRun:
    @pytest.mark.usefixtures("study")
    def test_a_verdict_on_stdout_and_nothing_on_stderr(self, quiet):
        out, err = quiet("run", "study.yaml")
        assert "fidelity.marginals" in out
        assert "PASS" in out
        assert out.rstrip().endswith("written to runs/toy-7/")
        assert err == ""
        assert "\x1b" not in out

    def test_missed_gates_are_exit_code_3_with_everything_written(self, study, quiet):
        arguments = ("run", "study.yaml", "--json", "--set", "gates=[fidelity.marginals >= 1.0]")
        out, err = quiet(*arguments, code=3)
        result = json.loads(out)
        assert result["passed"] is False
        assert result["folder"] == "runs/toy-7"
        assert result["cohorts"][0]["name"] == "women"
        assert 0 < result["cohorts"][0]["probability_model"] < 1
        assert (study.out / "manifest.json").is_file()
        assert err == ""
        assert quiet("verify", study.out, code=3)

    def test_a_gate_on_a_score_that_is_not_computed_is_an_error(self, study, quiet):
        _, err = quiet("run", "study.yaml", "--set", "gates=[fidelity.marginal >= 0.9]", code=2)
        assert "Did you mean 'fidelity.marginals'?" in err
        assert not study.out.exists()

    def test_broken_rules_are_told_by_row_number(self, study, quiet):
        study.config["schema"]["constraints"] = ["age < 80 or died == 1"]
        study.write()
        _, err = quiet("run", "study.yaml", "--dry-run", code=2)
        assert err.startswith(
            "error: rule 'age < 80 or died == 1': 8 of 160 rows (19, 31, 66, 88, 119, ...) violate it."
        )
        study.config["schema"]["constraints"] = [{"then": "age < 80 or died == 1", "on_violation": "keep"}]
        study.write()
        _, err = quiet("run", "study.yaml", "--dry-run")
        assert err.startswith("warning: rule 'age < 80 or died == 1': 8 of 160 rows")
        assert quiet("run", "study.yaml", "--dry-run", "--quiet")[1] == ""


class TestDryRun:
    def test_it_prints_the_plan_and_writes_nothing(self, study, quiet):
        out, _ = quiet("run", "study.yaml", "--dry-run")
        for word in ("120", "40", "bmi", "number", "women", "sex == 'F'", "fidelity.marginals >= 0.0", "runs/toy-7"):
            assert word in out
        assert not (study.folder / "runs").exists()

    @pytest.mark.usefixtures("study")
    def test_as_json(self, quiet):
        plan = json.loads(quiet("run", "study.yaml", "--dry-run", "--json")[0])
        assert plan["rows"]["train"] == 120


class TestSchema:
    def test_infer_writes_a_schema_that_check_accepts(self, study, quiet):
        study.write(study.table().drop(columns="patient"))
        quiet("schema", "infer", "data.csv", "-o", "schema.yaml")
        assert set(yaml.safe_load((study.folder / "schema.yaml").read_text())["columns"]) == {
            "age",
            "sex",
            "bmi",
            "stage",
            "died",
        }
        quiet("schema", "check", "data.csv", "schema.yaml")

    def test_infer_prints_without_an_output(self, study, quiet):
        study.write(study.table().drop(columns="patient"))
        out, _ = quiet("schema", "infer", "data.csv")
        assert "columns:" in out

    def test_infer_leaves_text_out_and_takes_its_meaning_from_the_user(self, study, quiet):
        table = study.table()
        table["diary"] = [f"{CANARY} woke at {i} and {i * 7}" for i in range(len(table))]
        study.write(table)
        out, err = quiet("schema", "infer", "data.csv")
        assert err.startswith("warning: column 'diary': left out: as many distinct texts as rows")
        assert CANARY not in out + err
        assert yaml.safe_load(out)["columns"]["diary"]["type"] == "text"
        out, err = quiet("schema", "infer", "data.csv", "--declare", "diary=text")
        assert "declared" in out
        assert not err

    @pytest.mark.usefixtures("study")
    @pytest.mark.parametrize("text", ["age", "=text", "age=poem", "agee=integer"])
    def test_infer_refuses_a_declaration_that_it_cannot_read(self, quiet, text):
        _, err = quiet("schema", "infer", "data.csv", "--declare", text, code=2)
        assert text.partition("=")[0] in err

    def test_infer_and_check_warn_of_what_a_spreadsheet_would_run(self, study, quiet):
        study.write(study.table().drop(columns="patient").assign(drug=["=1+1", "aspirin"] * (len(study.table()) // 2)))
        shown = "warning: column 'drug': "
        assert shown in quiet("schema", "infer", "data.csv", "-o", "schema.yaml")[1]
        _, err = quiet("schema", "check", "data.csv", "schema.yaml")
        assert shown in err
        assert "begin like a formula, which a spreadsheet may run" in err
        assert "=1+1" not in err

    def test_infer_keeps_a_schema_that_was_edited(self, study, quiet):
        study.write(study.table().drop(columns="patient"))
        (study.folder / "schema.yaml").write_text("mine")
        _, err = quiet("schema", "infer", "data.csv", "-o", "schema.yaml", code=2)
        assert "--overwrite" in err
        assert (study.folder / "schema.yaml").read_text() == "mine"

    def test_check_lists_violations_by_row_without_values(self, study, quiet):
        schema = study.folder / "schema.yaml"
        schema.write_text(yaml.safe_dump(study.config["schema"], sort_keys=False))
        table = study.table()
        table.loc[[2, 9], "stage"] = CANARY
        study.write(table)
        out, err = quiet("schema", "check", "data.csv", "schema.yaml", code=2)
        assert "column  " in out
        assert "column 'stage'" in out
        assert "3, 10" in out
        assert CANARY not in out + err
        result = json.loads(quiet("schema", "check", "data.csv", "schema.yaml", "--json", code=2)[0])
        assert result["valid"] is False
        assert result["findings"][0]["rows"] == [3, 10]
        assert next(column for column in result["columns"] if column["name"] == "stage")["violations"] == 2

    def test_check_reads_the_table_with_the_schema_at_hand(self, study, quiet):
        table = study.table()
        table["stage"] = ["NA" if stage == "I" else stage for stage in table["stage"]]
        study.write(table)
        schema = study.config["schema"]
        schema["columns"]["stage"]["categories"] = ["NA", *schema["columns"]["stage"]["categories"][1:]]
        (study.folder / "schema.yaml").write_text(yaml.safe_dump(schema, sort_keys=False))
        result = json.loads(quiet("schema", "check", "data.csv", "schema.yaml", "--json")[0])
        assert next(column for column in result["columns"] if column["name"] == "stage")["missing"] == 0


class TestFitAndSample:
    @pytest.fixture
    def model(self, finished):
        return finished.out / "model"

    @pytest.mark.usefixtures("study")
    def test_fit_writes_a_model_that_sample_reads(self, quiet):
        quiet("fit", "study.yaml", "-o", "model")
        quiet("sample", "model", "-n", 10, "-o", "out.csv")
        assert len(pd.read_csv("out.csv")) == 10

    def test_fit_refuses_what_it_cannot_write_before_it_trains(self, study, quiet, monkeypatch):
        from synthclin.models import ConditionalGAN  # noqa: PLC0415

        monkeypatch.setattr(ConditionalGAN, "_fit", lambda *_: pytest.fail("it trained"))
        (study.folder / "model").mkdir()
        (study.folder / "model" / "thesis.txt").write_text("years of work")
        assert "--overwrite" in quiet("fit", "study.yaml", "-o", "model", code=2)[1]
        assert "model" in quiet("fit", "study.yaml", "-o", "model", "--overwrite", code=2)[1]
        assert "/proc" in quiet("fit", "study.yaml", "-o", "/proc/model", code=2)[1]

    def test_where_and_mix(self, model, quiet, tmp_path):
        out = tmp_path / "out.parquet"
        mix = "died={0: 0.5, 1: 0.5}"
        text, _ = quiet("sample", model, "-n", 20, "--where", "sex == 'F'", "--mix", mix, "-o", out)
        table = pd.read_parquet(out)
        assert set(table["sex"]) == {"F"}
        assert table["died"].sum() == 10
        assert "20 rows written" in text

    def test_what_a_condition_costs_is_told(self, model, quiet, tmp_path):
        arguments = ("sample", model, "-n", 20, "--where", "sex == 'F'", "--overwrite", "-o", tmp_path / "out.csv")
        _, err = quiet(*arguments)
        assert err.startswith("share of such rows without the condition: 0.")
        assert quiet(*arguments, "--quiet")[1] == ""
        shown = json.loads(quiet(*arguments, "--json")[0])
        assert shown["rows"] == 20
        assert 0 < shown["probability"] < 1
        assert shown["effective"] <= shown["proposed"]

    def test_samples_are_put_together(self, model, quiet, tmp_path):
        one, two = tmp_path / "one.csv", tmp_path / "two.csv"
        quiet("sample", model, "-n", 20, "-o", one)
        quiet("sample", model, "-n", 20, "-o", two, "--id-start", 50_000)
        both = pd.concat([pd.read_csv(one), pd.read_csv(two)])["patient"]
        assert both.is_unique
        assert both.str.endswith("50019").any()

    def test_impute_completes_a_table(self, model, study, quiet, tmp_path):
        table = study.table().iloc[:12].drop(columns="stage")
        table.loc[:5, "died"] = None
        table.to_csv("holes.csv", index=False)
        out = tmp_path / "out.csv"
        assert "12 rows written" in quiet("impute", model, "holes.csv", "-o", out)[0]
        done = pd.read_csv(out)
        assert done["patient"].tolist() == table["patient"].tolist()
        assert done.notna().all(axis=None)
        assert set(done["stage"]) <= {"I", "II", "III"}

    def test_impute_writes_several_draws_as_mice_does(self, model, study, quiet, tmp_path):
        study.table().iloc[:4].assign(age=None).to_csv("holes.csv", index=False)
        out = tmp_path / "out.csv"
        quiet("impute", model, "holes.csv", "-o", out, "--imputations", 3, "--column", "age", "--seed", 5)
        done = pd.read_csv(out)
        assert list(done)[:3] == [".imp", ".id", "patient"]
        assert done[".imp"].tolist() == [1] * 4 + [2] * 4 + [3] * 4
        assert done[".id"].tolist() == [1, 2, 3, 4] * 3
        assert done["age"].notna().all()
        assert (
            "height" in quiet("impute", model, "holes.csv", "-o", tmp_path / "x.csv", "--column", "height", code=2)[1]
        )

    def test_the_same_seed_gives_the_same_bytes(self, model, quiet, tmp_path):
        for name, seed in (("a", 1), ("b", 1), ("c", 2)):
            quiet("sample", model, "-n", 30, "--seed", seed, "-o", tmp_path / f"{name}.csv")
        a, b, c = ((tmp_path / f"{name}.csv").read_bytes() for name in "abc")
        assert a == b != c

    @pytest.mark.parametrize("mix", ["died", "died=0.5", "dead={0: 1.0}", "died={0: 0.9}", "died={0: 0.5, 7: 0.5}"])
    def test_bad_mixes(self, model, quiet, tmp_path, mix):
        _, err = quiet("sample", model, "-n", 5, "--mix", mix, "-o", tmp_path / "out.csv", code=2)
        assert err.startswith("error: ")
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("mix", ["died", "died=0.5", "died={0:0.5, 1:0.5}"])
    def test_how_a_mix_is_written(self, model, quiet, tmp_path, mix):
        _, err = quiet("sample", model, "-n", 5, "--mix", mix, "-o", tmp_path / "out.csv", code=2)
        assert err.startswith('error: --mix died: has no share for each level. Write --mix "died={F: 0.5, M: 0.5}"')

    def test_a_model_that_is_not_there(self, quiet, tmp_path):
        _, err = quiet("sample", tmp_path / "nowhere", "-n", 5, "-o", tmp_path / "out.csv", code=2)
        assert "nowhere: there is no such folder" in err

    def test_existing_files_stay(self, model, quiet, tmp_path):
        out = tmp_path / "out.csv"
        out.write_text("mine")
        assert "--overwrite" in quiet("sample", model, "-n", 5, "-o", out, code=2)[1]
        assert out.read_text() == "mine"
        quiet("sample", model, "-n", 5, "-o", out, "--overwrite")
        assert len(pd.read_csv(out)) == 5

    def test_a_folder_that_is_no_model(self, quiet, tmp_path):
        assert "model" in quiet("sample", tmp_path, "-n", 5, "-o", tmp_path / "out.csv", code=2)[1]


@pytest.mark.usefixtures("two_scores")
class TestEvaluateReportVerify:
    @pytest.fixture
    def tables(self, study, finished):
        """Real and synthetic tables and their schema as files in the current folder."""
        table = study.table()
        table.iloc[:120].to_csv("train.csv", index=False)
        table.iloc[120:].to_csv("holdout.csv", index=False)
        (study.folder / "schema.yaml").write_text(yaml.safe_dump(study.config["schema"], sort_keys=False))
        return ["evaluate", finished.out / "synthetic.parquet", "--train", "train.csv", "--schema", "schema.yaml"]

    def test_anybodys_table_can_be_judged(self, tables, quiet):
        gates = ("--gates", "fidelity.marginals >= 0.1", "--gates", "validity.rules >= 0.5")
        out, err = quiet(*tables, "--holdout", "holdout.csv", *gates, "-o", "report.json")
        assert "PASS" in out
        assert err == ""
        quiet("report", "report.json", "-o", "report.html")
        assert "<html" in Path("report.html").read_text(encoding="utf-8")
        assert "--overwrite" in quiet("report", "report.json", "-o", "report.html", code=2)[1]

    def test_tables_as_hospitals_export_them(self, tables, quiet):
        gates = ("--gates", "fidelity.marginals >= 0.1", "--json")
        plain = json.loads(quiet(*tables, "--holdout", "holdout.csv", *gates)[0])
        written = {"sep": ";", "decimal": ",", "index": False, "encoding": "cp1252"}
        pd.read_parquet(tables[1]).to_csv("synthetic.csv", **written)
        pd.read_parquet(tables[1]).to_csv("standard.csv", index=False)
        for name in ("train.csv", "holdout.csv"):
            pd.read_csv(name).to_csv(name, **written)
        _, err = quiet(*tables, code=2)
        assert "--separator ';'" in err
        notation = ("--separator", ";", "--decimal", ",", "--encoding", "cp1252")
        for synthetic, more in (
            (tables[1], ()),
            ("synthetic.csv", ()),
            ("standard.csv", ("--synthetic-notation", "standard")),
        ):
            given = ("evaluate", synthetic, *tables[2:], "--holdout", "holdout.csv", *gates, *notation, *more)
            assert json.loads(quiet(*given)[0]) == plain
        _, err = quiet("evaluate", tables[1], "--train", tables[1], *tables[4:], "--sheet", "first", code=2)
        assert "sheet: files ending in '.parquet' have no such notation" in err

    def test_what_is_not_assessed_stands_beside_the_verdicts(self, tables, quiet):
        gates = ("--gates", "fidelity.marginals >= 0.1")
        notes = [line for line in quiet(*tables, *gates)[0].splitlines() if line.startswith("note: ")]
        assert notes == [
            "note: No holdout rows were given: detection, utility and most attacks on privacy are not assessable.",
            "note: No prediction or analysis task is declared: the report says nothing of utility.",
        ]
        Path("judging.yaml").write_text("evaluation: {utility: [{task: compare, target: age, by: sex}]}\n")
        given = (*tables, "--holdout", "holdout.csv", "--config", "judging.yaml", *gates)
        assert "note: " not in quiet(*given)[0]
        assert json.loads(quiet(*given, "--json")[0])["notes"] == []

    def test_missed_gates_are_exit_code_3(self, tables, quiet):
        assert "--gates: gates[0]: no score is called" in quiet(*tables, "--gates", "fidelity.nought >= 1", code=2)[1]
        result = json.loads(quiet(*tables, "--gates", "fidelity.marginals >= 1", "--json", code=3)[0])
        assert result["passed"] is False

    def test_several_tables_and_the_tasks_of_a_study(self, tables, quiet):
        Path("judging.yaml").write_text(
            "evaluation: {utility: [{task: compare, target: age, by: sex}], by: [sex]}\n"
            "gates: [inference.compare.age >= -1]\n"
        )
        second = Path("second.parquet")
        second.write_bytes(tables[1].read_bytes())
        given = [tables[0], tables[1], second, *tables[2:], "--holdout", "holdout.csv", "--config", "judging.yaml"]
        quiet(*given, "-o", "report.json")
        report = json.loads(Path("report.json").read_text(encoding="utf-8"))
        assert report["provenance"]["replicates"] == 2
        assert [gate["score"] for gate in report["gates"]] == ["inference.compare.age"]
        assert "subgroups.sex.marginals" in [score["name"] for score in report["scores"]]

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("evaluation: {by: [nobody]}", "'nobody' is not a column"),
            ("gates: [fidelity.nothing >= 1]", "no score is called"),
            ("evalution: {by: [sex]}", "Did you mean 'evaluation'?"),
            ("name: empty", "no `evaluation`"),
        ],
    )
    def test_a_study_that_does_not_fit(self, tables, quiet, text, shown):
        Path("judging.yaml").write_text(text)
        assert shown in quiet(*tables, "--config", "judging.yaml", code=2)[1]

    def test_a_holdout_that_was_trained_on(self, tables, quiet):
        err = quiet(*tables, "--holdout", "train.csv", code=2)[1]
        assert "holdout table: 120 of 120 rows are in the training table too" in err

    def test_a_gate_that_cannot_be_read(self, tables, quiet):
        assert quiet(*tables, "--gates", "fidelity.marginals is good", code=2)[1].startswith("error: ")

    def test_verify(self, finished, quiet):
        out, _ = quiet("verify", finished.out)
        assert "PASS" in out
        assert out.splitlines()[-1].startswith("verified: ")
        assert json.loads(quiet("verify", finished.out, "--json")[0])["intact"] is True

    def test_the_last_line_of_verify_is_its_verdict(self, finished, quiet, tmp_path):
        run = shutil.copytree(finished.out, tmp_path / "run")
        (run / "metrics.jsonl").write_text("")
        (run / "more.txt").write_text("")
        lines = quiet("verify", run, code=1)[0].splitlines()
        assert lines[-1] == "VERIFY FAILED: 2 problems are listed above"
        assert lines[-3:-1] == [
            "metrics.jsonl: the file was changed after the run",
            "more.txt: the file is not listed in manifest.json",
        ]
        found = json.loads(quiet("verify", run, "--json", code=1)[0])
        assert found["intact"] is False
        assert found["verdict"] == lines[-1]

    def test_one_run_is_not_compared_with_itself(self, finished, quiet, tmp_path):
        place = f"{finished.out.parent}/../runs/{finished.out.name}"
        _, err = quiet("compare", finished.out, place, "-o", tmp_path / "page.html", code=2)
        assert err == "error: compare: the run 'toy-7' is given twice. Name each run once.\n"
        assert not (tmp_path / "page.html").exists()

    def test_a_page_and_a_folder_are_no_report_json(self, finished, quiet, tmp_path):
        for source in (finished.out / "report.html", finished.out):
            _, err = quiet("report", source, "-o", tmp_path / "page.html", code=2)
            assert "not a report.json. Give the report.json of the run." in err

    def test_verify_of_something_else(self, quiet, tmp_path):
        assert "not a run folder" in quiet("verify", tmp_path, code=2)[1]

    def test_a_report_that_is_none(self, quiet, tmp_path):
        (tmp_path / "report.json").write_text("{}")
        assert quiet("report", tmp_path / "report.json", "-o", tmp_path / "x.html", code=2)[1].startswith("error: ")


class TestErrorBoundary:
    def test_errors_of_ours_are_one_line(self, capsys):
        def fail():
            raise GateError("gates", "one of two is missed", "Read the report.")

        assert error_boundary.run_command(fail) == 3
        assert capsys.readouterr().err == "error: gates: one of two is missed. Read the report.\n"

    def test_errors_as_json(self, quiet):
        out, err = quiet("run", "nowhere.yaml", "--json", code=2)
        error = json.loads(out)["error"]
        assert error["type"] == "ConfigError"
        assert error["where"] == "nowhere.yaml"
        assert error["remedy"]
        assert err == ""

    def test_usage_errors_as_json(self, quiet):
        out, _ = quiet("run", "--json", code=2)
        assert json.loads(out)["error"]["where"] == "command line"

    def test_what_nobody_foresaw_tells_no_value(self, study, quiet, monkeypatch):
        from synthclin.study import stages  # noqa: PLC0415

        def fail(*_: object, **__: object) -> None:
            raise ValueError(f"could not convert {CANARY}")

        monkeypatch.setattr(stages, "fit", fail)
        out, err = quiet("run", "study.yaml", code=1)
        assert err.startswith("error: internal error in synthclin.study.run: ValueError. Set SYNTHCLIN_DEBUG=1")
        assert CANARY not in out + err
        assert not (study.folder / "runs").exists()

    def test_debug_shows_the_traceback(self, monkeypatch):
        monkeypatch.setenv(error_boundary.DEBUG, "1")
        with pytest.raises(ZeroDivisionError):
            error_boundary.run_command(lambda: 1 / 0)

    def test_warnings_of_other_packages_are_silent(self, capsys):
        def warn():
            pd.Series([1, 2]).iloc[0] = CANARY

        assert error_boundary.run_command(warn) == 0
        assert CANARY not in capsys.readouterr().err

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signals_are_exit_code_130(self, capsys, number):
        before = signal.getsignal(number)
        assert error_boundary.run_command(lambda: signal.raise_signal(number)) == 130
        assert capsys.readouterr().err == "error: interrupted; nothing half-written is left\n"
        assert signal.getsignal(number) is before

    def test_keyboard_interrupts_from_elsewhere_too(self, capsys):
        def stop():
            raise KeyboardInterrupt

        assert error_boundary.run_command(stop) == 130
        assert "interrupted" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupting_the_training_leaves_nothing(study, quiet, monkeypatch, number):
    from synthclin.models.generator import likelihood  # noqa: PLC0415

    def interrupted(*_):
        assert list(study.folder.glob("runs/.toy-7.partial-*"))
        signal.raise_signal(number)

    monkeypatch.setattr(likelihood, "descend", interrupted)
    assert quiet("run", "study.yaml", code=130)[1] == "error: interrupted; nothing half-written is left\n"
    assert not study.out.parent.exists()


def test_a_process_that_is_told_to_end_while_it_trains_leaves_nothing(study):
    study.config["model"]["effort"] = "thorough"
    study.write()
    with subprocess.Popen([*PYTHON, "run", "study.yaml"], stderr=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 120
        # The staged folder is made right before the training starts.
        while not list(study.folder.glob("runs/.toy-7.partial-*")) and time.monotonic() < until:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.02)
        time.sleep(0.3)
        process.terminate()
        _, err = process.communicate(timeout=180)
    assert process.returncode == 130
    assert err == "error: interrupted; nothing half-written is left\n"
    assert not study.out.parent.exists()


def test_help_is_quick_and_loads_nothing_heavy():
    heavy = "sorted({'torch', 'pandas', 'sklearn'} & set(sys.modules))"
    code = f"import sys; from synthclin.cli import main; main(['--help']); print({heavy})"
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    assert time.monotonic() - start < 5


def test_version(quiet):
    assert quiet("--version")[0].startswith("synthclin ")


def test_a_reader_that_goes_away():
    module = "synthclin.cli.error_boundary"
    code = f"from {module} import run_command; run_command(lambda: [print('x' * 999) for _ in range(999)])"
    pipe = ["bash", "-c", f'{sys.executable} -c "{code}" | head -n 1']
    done = subprocess.run(pipe, capture_output=True, text=True, check=True)
    assert len(done.stdout) == 1000
    assert done.stderr == ""


@pytest.mark.parametrize("name", [name for name in LINES if name not in {"", "schema"}])
def test_every_command_shows_an_example_that_parses(name, quiet, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    out, _ = quiet(*name.split(), "--help")
    for line in LINES[name]:
        assert f"\n    {line}\n" in f"{out}\n"
        words = shlex.split(line)
        assert words[: 1 + len(name.split())] == ["synthclin", *name.split()]
        assert [word for word in words if re.fullmatch(r"--?[a-z][a-z-]*", word) and word not in out] == []


def test_every_command_has_its_example():
    assert set(LINES) == {"", "schema", *COMMANDS, *(f"schema {name}" for name in SCHEMA_COMMANDS)}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_for_the_shell(shell):
    code = "import sys; from synthclin.cli import main; sys.exit(main(['--show-completion', sys.argv[1]]))"
    done = subprocess.run([sys.executable, "-c", code, shell], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "_SYNTHCLIN_COMPLETE" in done.stdout


def test_completion_lists_the_commands_without_loading_torch():
    heavy = "sorted({'torch', 'pandas', 'sklearn'} & set(sys.modules))"
    code = f"import atexit, sys; atexit.register(lambda: print({heavy})); from synthclin.cli import main; main([])"
    given = {**os.environ, "_SYNTHCLIN_COMPLETE": "complete_bash", "COMP_WORDS": "synthclin ", "COMP_CWORD": "1"}
    done = subprocess.run([sys.executable, "-c", code], env=given, capture_output=True, text=True, check=False)
    assert {"run", "schema", "export"} <= set(done.stdout.split())
    assert done.stdout.endswith("[]\n")
