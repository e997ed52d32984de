"""The way of a new user: paths, folders, checkpoints, stdout, conditions and messages."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

import synthclin as sc
from synthclin.cli import main
from synthclin.errors import ConfigError, OutputError
from synthclin.evaluation.gate import parse_gate
from synthclin.models import Checkpoint
from synthclin.study import run as study_run
from synthclin.study.config import load, resolved_yaml

PYTHON = [sys.executable, "-m", "synthclin.cli"]

COLUMNS = {
    "bp": {"type": "integer", "range": [80, 220]},
    "sex": {"type": "category", "categories": ["F", "M"]},
    "NT-proBNP": {"type": "number", "range": [0, 9], "decimals": 1},
    "systolic bp": {"type": "number", "range": [0, 9], "decimals": 1},
    "seen": {"type": "date", "range": ["2015-01-01", "2016-12-31"]},
}


def ward(rows=400):
    i = pd.Series(range(rows))
    bp = 90 + i * 7 % 120
    return pd.DataFrame(
        {
            "bp": bp.where(bp != 140, 141),
            "sex": i.map(lambda k: "FM"[k % 2]),
            "NT-proBNP": i % 60 / 10,
            "systolic bp": i % 50 / 10,
            "seen": pd.Timestamp("2015-03-01") + pd.to_timedelta(i % 300, unit="D"),
        }
    )


@pytest.fixture(scope="module")
def model():
    schema = sc.Schema.model_validate({"columns": COLUMNS})
    return sc.ConditionalGAN(schema, effort="quick", width=16, blocks=1, random_state=1).fit(ward())


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    place = tmp_path_factory.mktemp("ward") / "run" / "model"
    model.save(place)
    return place


class TestPaths:
    def test_inputs_are_relative_to_the_study(self, study, tmp_path, monkeypatch):
        schema = study.config["schema"]
        (study.folder / "schema.yaml").write_text(yaml.safe_dump(schema))
        study.config["schema"] = "schema.yaml"
        study.write()
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        assert main(["run", "../study.yaml", "--dry-run", "--quiet"]) == 0
        assert main(["run", str(study.path), "--dry-run", "--quiet"]) == 0

    def test_the_command_line_is_relative_to_the_current_folder(self, study, tmp_path, monkeypatch):
        (tmp_path / "studies").mkdir()
        study.path.rename(tmp_path / "studies" / "study.yaml")
        monkeypatch.chdir(tmp_path)
        assert load("studies/study.yaml").data.source == "studies/data.csv"
        assert load("studies/study.yaml", ["data.source=data.csv"]).data.source == "data.csv"

    def test_the_configuration_of_a_run_folder_can_be_run_again(self, study):
        config = load(study.path)
        config.folder.mkdir(parents=True)
        (config.folder / "config.yaml").write_text(resolved_yaml(config))
        assert yaml.safe_load(resolved_yaml(config))["data"]["source"] == "../../data.csv"
        assert load(config.folder / "config.yaml").data.source == config.data.source

    def test_home_is_expanded(self, study, monkeypatch):
        monkeypatch.setenv("HOME", str(study.folder))
        study.config["data"]["source"] = "~/data.csv"
        study.config["outputs"] = {"folder": "~/out"}
        study.write()
        config = load("~/study.yaml")
        assert Path(config.data.source).is_file()
        assert config.folder == study.folder / "out"

    def test_a_study_is_a_mapping_too(self, study):
        assert load(study.config).name == "toy"
        with pytest.raises(ConfigError, match=r"study: model\.type"):
            load(study.config | {"model": {"type": "gam"}})


@pytest.mark.usefixtures("two_scores")
def test_run_and_compare_from_python(study, capfdbinary):
    done = sc.run("study.yaml", overrides=["name=one", "gates=[]"])
    assert done.folder.as_posix() == "runs/one-7"
    again = sc.run(study.config | {"name": "two", "gates": []})
    page = sc.compare(done.folder, again.folder, output="compare.html")
    assert Path("compare.html").read_text("utf-8") == page
    assert "one" in sc.compare(done.report, again.report)
    assert main(["compare", str(done.folder), str(again.folder), "-o", "-"]) == 0
    assert capfdbinary.readouterr().out.decode() == page
    assert main(["report", str(done.folder / "report.json"), "-o", "-"]) == 0
    assert capfdbinary.readouterr().out.startswith(b"<!doctype html>")
    (study.folder / "schema.yaml").write_text(yaml.safe_dump(study.config["schema"]))
    tables = ["data.csv", "--train", "data.csv", "--schema", "schema.yaml"]
    assert main(["evaluate", *tables, "--gates", "validity.rules >= 0.5", "-o", "-"]) == 0
    assert json.loads(capfdbinary.readouterr().out)["gates"][0]["status"] == "PASS"
    with pytest.raises(OutputError, match="exists already"):
        sc.compare(done.folder, again.folder, output="compare.html")


class TestCheckpoint:
    @pytest.fixture
    def kept(self, study):
        checkpoint = Checkpoint.beside(study.out, "checkpoint")
        checkpoint.folder.mkdir(parents=True)
        (checkpoint.folder / "training.safetensors").write_bytes(b"state")
        return checkpoint

    def test_it_is_not_discarded_unasked(self, kept, study, capsys):
        assert main(["run", "study.yaml"]) == 2
        err = capsys.readouterr().err
        assert "Add --resume to continue it, or --overwrite to begin anew." in err
        assert kept.exists
        with pytest.raises(OutputError, match="--resume"):
            study_run.run(load(study.path))

    def test_one_of_the_audit_is_not_either(self, study):
        checkpoint = Checkpoint.beside(study.out, "audit")
        checkpoint.folder.mkdir(parents=True)
        (checkpoint.folder / "training.safetensors").write_bytes(b"state")
        with pytest.raises(OutputError, match="--overwrite"):
            study_run.run(load(study.path))
        assert checkpoint.exists

    @pytest.mark.usefixtures("two_scores")
    def test_overwrite_discards_it(self, kept, study):
        assert main(["run", "study.yaml", "--overwrite", "--quiet"]) == 0
        assert not kept.exists
        assert study.out.is_dir()

    @pytest.mark.usefixtures("study")
    def test_fit_keeps_it_too(self, capsys):
        checkpoint = Checkpoint.beside("m")
        checkpoint.folder.mkdir()
        (checkpoint.folder / "training.safetensors").write_bytes(b"state")
        assert main(["fit", "study.yaml", "-o", "m"]) == 2
        assert "--resume" in capsys.readouterr().err


class TestStdout:
    def test_a_sample_goes_to_stdout(self, folder, capfdbinary):
        assert main(["sample", str(folder.parent), "-n", "3", "-o", "-"]) == 0
        out, _ = capfdbinary.readouterr()
        table = pd.read_csv(io.BytesIO(out))
        assert list(table.columns) == list(COLUMNS)
        assert len(table) == 3

    def test_no_rows_are_a_line_of_names(self, folder, capfdbinary):
        assert main(["sample", str(folder), "-n", "0", "-o", "-"]) == 0
        assert capfdbinary.readouterr().out.decode() == ",".join(COLUMNS) + "\n"

    def test_json_and_rows_are_not_mixed(self, folder, capsys):
        assert main(["sample", str(folder), "-n", "3", "-o", "-", "--json"]) == 2
        assert "cannot both go to stdout" in capsys.readouterr().out

    @pytest.mark.usefixtures("study")
    def test_a_folder_does_not_go_to_stdout(self, capsys):
        assert main(["fit", "study.yaml", "-o", "-"]) == 2
        assert "Name a folder" in capsys.readouterr().err

    @pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
    def test_a_terminal_that_is_not_utf_8_ends_well(self, encoding, tmp_path):
        program = (
            "from synthclin import log\n"
            "from synthclin.cli.error_boundary import run_command\n"
            "from synthclin.cli.terminal import show_json, show_text\n"
            "def command():\n"
            "    show_text('effect \\u22120.3 \\u2013 \\u00b5g \\u4e2d'); log.emit(log.Note('\\u2212'))\n"
            "    show_json({'na\\u4e2d': 1})\n"
            "raise SystemExit(run_command(command))\n"
        )
        environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
        run = [sys.executable, "-c", program]
        done = subprocess.run(run, env=environment, cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr
        out = done.stdout.decode(encoding)
        assert out.startswith("effect -0.3 ")
        assert json.loads(out.partition("\n")[2]) == {"na\u4e2d": 1}


class TestConditions:
    @pytest.mark.parametrize(
        ("where", "remedy"),
        [
            ("sex == 'Female'", "There are: 'F', 'M'."),
            ("sex in ['f']", "Did you mean 'F'? There are: 'F', 'M'."),
            ("sex == F", "Write a text in quotes: 'F'."),
            ("NT-proBNP > 5", "in backquotes: `NT-proBNP`"),
            ("systolic bp > 5", "`backquotes`"),
            ("'systolic bp' > 5", "`backquotes`"),
            ("seen > 2015-12-31", "'2015-01-31'"),
            ("seen > 2015-01-31", "'2015-01-31'"),
            ("seen > '31.12.2015'", "'2015-01-31'"),
            ("bpp > 5", "Did you mean 'bp'?"),
        ],
    )
    def test_a_condition_names_the_remedy(self, model, where, remedy):
        with pytest.raises(ConfigError) as caught:
            model.sample(5, where=where)
        assert remedy in str(caught.value)

    def test_quoted_names_and_dates_are_read(self, model):
        rows = model.sample(10, where="`NT-proBNP` > 2 and `systolic bp` < 4 and seen > '2015-06-30'")
        assert (rows["NT-proBNP"] > 2).all()

    def test_a_cohort_lists_the_declared_levels(self, study, capsys):
        study.config["sampling"]["cohorts"] = [{"name": "x", "rows": 5, "where": "stage == 'IV'"}]
        study.write()
        assert main(["run", "study.yaml", "--dry-run"]) == 2
        assert "There are: 'I', 'II', 'III'." in capsys.readouterr().err

    def test_levels_of_the_table_alone_are_not_listed(self):
        columns = {"a": {"type": "category"}, "b": {"type": "integer", "range": [0, 9]}}
        schema = sc.Schema.model_validate({"columns": columns})
        table = pd.DataFrame({"a": ["secret", "known"] * 60, "b": [1, 2, 3, 4] * 30})
        fitted = sc.ConditionalGAN(schema, effort="quick", width=16, blocks=1).fit(table)
        with pytest.raises(sc.SynthclinError) as caught:
            fitted.sample(5, where="a == 'other'")
        assert "secret" not in str(caught.value)

    def test_a_condition_inside_bins_says_what_it_rests_on(self, model, folder, tmp_path, capsys):
        model.sample(5, where="bp == 140")
        assert model.sample_facts_.interpolated == ("bp",)
        model.sample(5, where="bp > 100 and sex == 'F'")
        assert model.sample_facts_.interpolated == ()
        assert main(["sample", str(folder), "-n", "5", "--where", "bp == 140", "-o", str(tmp_path / "t.csv")]) == 0
        assert "column 'bp': the condition lies inside bins" in capsys.readouterr().err


class TestMessages:
    def test_a_schema_is_no_study_and_a_study_no_schema(self, study, capsys):
        (study.folder / "schema.yaml").write_text(yaml.safe_dump(study.config["schema"]))
        assert main(["run", "schema.yaml"]) == 2
        assert "this is a schema, not a study" in capsys.readouterr().err
        assert main(["schema", "check", "data.csv", "study.yaml"]) == 2
        assert "this is a study, not a schema" in capsys.readouterr().err
        study.config["schema"] = "study.yaml"
        study.write()
        assert main(["run", "study.yaml", "--dry-run"]) == 2
        assert "this is a study, not a schema" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "text", ["fidelity.marginals >= 90%", "fidelity.marginals >= 90", "privacy.membership <= 60 %"]
    )
    def test_a_gate_in_percent_is_refused(self, text):
        with pytest.raises(ConfigError, match="Write"):
            parse_gate(text)

    def test_gates_above_one_may_be(self):
        assert parse_gate("survival.hazard_ratio.died <= 12").limit == 12

    @pytest.mark.parametrize(
        "command",
        [
            ["run", "nofile.yaml"],
            ["sample", "nomodel", "-n", "3", "-o", "x.csv"],
            ["schema", "infer", "nofile.csv"],
            ["evaluate", "a.csv", "--train", "b.csv", "--schema", "c.yaml"],
            ["verify", "norun"],
        ],
        ids=lambda command: command[0],
    )
    def test_absent_files_are_refused_before_heavy_packages_load(self, command, tmp_path):
        program = (
            "import sys; from synthclin.cli import main; code = main(sys.argv[1:]); "
            "assert not {'torch', 'pandas', 'sklearn'} & set(sys.modules); sys.exit(code)"
        )
        run = [sys.executable, "-c", program, *command]
        start = time.monotonic()
        done = subprocess.run(run, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 2, done.stderr
        assert re.search("no such (file|folder)", done.stderr.lower())
        assert time.monotonic() - start < 5  # under a second on an idle machine

    def test_help_loads_no_heavy_package(self):
        program = (
            "import sys; from synthclin.cli import main; code = main(['--help']); "
            "assert not {'torch', 'pandas', 'numpy', 'sklearn'} & set(sys.modules); sys.exit(code)"
        )
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
