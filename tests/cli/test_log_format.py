"""`--log-format json`: every line on stderr is a JSON object, whatever goes wrong; stdout stays the result."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from synthclin import log, progress
from synthclin.cli import error_boundary, main
from synthclin.cli.app import COMMANDS, SCHEMA_COMMANDS
from synthclin.study import stages
from tests.killed import told_to_end

CANARY = "ZZ_CANARY_7391"
FIELDS = {kind.event: [field.name for field in dataclasses.fields(kind)] for kind in log.EVENTS}
PYTHON = [sys.executable, "-m", "synthclin.cli"]


def parsed(text):
    """The lines of a log, each of which is a known event with its own fields."""
    found = [json.loads(line) for line in text.splitlines()]
    for line in found:
        assert list(line) == ["time", "level", "event", *FIELDS[line["event"]]]
    return found


@pytest.fixture
def logged(quiet):
    """Run a command with JSON lines; returns stdout and the lines."""

    def run(*arguments, code=0):
        out, err = quiet(*arguments, "--log-format", "json", code=code)
        found = parsed(err)
        assert (found[-1]["event"], found[-1]["exit_code"]) == ("end", code)
        assert CANARY not in out + err
        return out, found

    return run


@pytest.mark.usefixtures("two_scores")
class TestRun:
    @pytest.mark.usefixtures("study")
    def test_stages_progress_and_the_end(self, logged, quiet, monkeypatch):
        monkeypatch.setattr(progress, "PLAIN_EVERY", 0.0)
        out, found = logged("run", "study.yaml")
        assert "fidelity.marginals" in out
        begun = [line["stage"] for line in found if line["event"] == "stage_begin"]
        assert begun == [line["stage"] for line in found if line["event"] == "stage_end"]
        assert begun == ["read", "check", "split", "fit", "sample", "compare", "audit", "score", "report", "write"]
        assert (found[0]["event"], found[0]["command"]) == ("begin", "run")
        tasks = {line["task"]: line for line in found if line["event"] == "progress"}
        assert {"scoring", "sampling"} <= set(tasks)
        assert tasks["sampling"] | {"done": 20, "total": 20, "unit": "rows", "seconds_left": None} == tasks["sampling"]
        text = quiet("run", "study.yaml", "--overwrite")[1]
        assert "sampling 20/20 rows, " in text
        assert "{" not in text

    @pytest.mark.usefixtures("study")
    def test_the_result_stays_on_stdout(self, logged):
        out, found = logged("run", "study.yaml", "--json", "--set", "gates=[fidelity.marginals >= 1.0]", code=3)
        assert json.loads(out)["passed"] is False
        assert all(line["event"] != "error" for line in found)

    def test_quiet_leaves_the_beginning_and_the_end(self, study, logged):
        study.config["schema"]["constraints"] = [{"then": "age < 80 or died == 1", "on_violation": "keep"}]
        study.write()
        (warning,) = (line for line in logged("run", "study.yaml", "--dry-run")[1] if line["level"] == "warning")
        assert warning["where"] == "rule 'age < 80 or died == 1'"
        found = logged("run", "study.yaml", "--dry-run", "--quiet")[1]
        assert [line["event"] for line in found] == ["begin", "end"]

    def test_library_warnings_and_internal_errors_tell_no_value(self, logged, study, monkeypatch):
        def fail(*_, **__):
            warnings.warn(CANARY, stacklevel=1)
            sys.stderr.write(CANARY)
            raise ValueError(CANARY)

        monkeypatch.setattr(stages, "fit", fail)
        _, found = logged("run", "study.yaml", code=1)
        assert found[-2]["what"] == "internal error in synthclin.study.run: ValueError"
        assert not study.out.exists()

    def test_debugging_shows_them_as_lines(self, study, quiet, monkeypatch):
        def fail(*_, **__):
            raise ValueError(CANARY)

        monkeypatch.setenv(error_boundary.DEBUG, "1")
        monkeypatch.setattr(stages, "fit", fail)
        *_, trace, error, _ = parsed(quiet("run", study.path, "--log-format", "json", code=1)[1])
        assert (trace["event"], error["event"]) == ("note", "error")
        assert trace["what"].startswith("Traceback")
        assert CANARY in trace["what"]


class TestErrors:
    @pytest.mark.usefixtures("study")
    @pytest.mark.parametrize(
        ("words", "where"),
        [
            (("run", "nowhere.yaml"), "nowhere.yaml"),
            (("run", "--nonsense", "study.yaml"), "command line"),
            (("run", "study.yaml", "--set", "seed=[1"), "--set seed"),
            (("verify", "nowhere"), "nowhere"),
            (("fly",), "command line"),
        ],
    )
    def test_wrong_use(self, logged, words, where):
        out, found = logged(*words, code=2)
        assert out == ""
        assert found[-2]["event"] == "error"
        assert found[-2]["where"].startswith(where)
        assert (found[-2]["exit_code"], bool(found[-2]["remedy"])) == (2, True)

    def test_yaml_that_is_none(self, study, logged):
        study.path.write_text(f"a: [\n\t{CANARY}", "utf-8")
        assert "study.yaml" in logged("run", "study.yaml", code=2)[1][-2]["where"]

    def test_an_error_as_json_is_on_stdout_too(self, logged):
        out, found = logged("run", "nowhere.yaml", "--json", code=2)
        assert json.loads(out)["error"]["what"] == found[-2]["what"]

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_signals(self, study, logged, monkeypatch, number):
        monkeypatch.setattr(stages, "fit", lambda *_: signal.raise_signal(number))
        _, found = logged("run", "study.yaml", code=130)
        assert found[-2]["what"] == "interrupted; nothing half-written is left"
        assert not study.out.exists()

    @pytest.mark.usefixtures("study")
    def test_a_full_disk(self, logged, monkeypatch):
        def full(_):
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(os, "fsync", full)
        assert "No space left" in logged("run", "study.yaml", code=2)[1][-2]["what"]


@pytest.mark.parametrize("name", [*COMMANDS, *(f"schema {name}" for name in SCHEMA_COMMANDS)])
def test_every_command_has_the_option(name, quiet, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert "--log-format" in quiet(*name.split(), "--help")[0]


def test_the_option_stands_anywhere_and_the_last_one_counts(capsys):
    for words in (
        ["--log-format", "json", "run", "x.yaml"],
        ["run", "--log-format=json", "x.yaml"],
        ["run", "x.yaml", "--log-format", "text", "--log-format", "json"],
    ):
        assert main(words) == 2
        assert parsed(capsys.readouterr().err)[-1]["exit_code"] == 2
    assert main(["run", "x.yaml", "--log-format", "json", "--log-format", "text"]) == 2
    assert capsys.readouterr().err.startswith("error: x.yaml: ")


def test_the_environment_sets_it_and_the_option_overrides_it(monkeypatch, capsys):
    monkeypatch.setenv("SYNTHCLIN_LOG_FORMAT", "json")
    assert main(["run", "x.yaml"]) == 2
    assert parsed(capsys.readouterr().err)[-1]["exit_code"] == 2
    assert main(["run", "x.yaml", "--log-format", "text"]) == 2
    assert capsys.readouterr().err.startswith("error: x.yaml: ")
    monkeypatch.setenv("SYNTHCLIN_LOG_FORMAT", "xml")
    assert main(["run", "x.yaml"]) == 2
    assert "'xml' is not one of 'text', 'json'" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["text", "json"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_stop_nothing(kind, closed):
    command = f"{sys.executable} -m synthclin.cli schema json log --log-format {kind} {closed}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def test_a_full_disk_behind_stdout():
    with Path("/dev/full").open("wb", buffering=0) as full:
        command = [*PYTHON, "schema", "json", "log", "--log-format", "json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert parsed(done.stderr)[-2]["where"] == "stdout"


def test_a_process_that_is_told_to_end_while_it_trains(study, monkeypatch):
    monkeypatch.setenv("SYNTHCLIN_LOG_FORMAT", "json")
    code, said = told_to_end(study.folder, "run", "study.yaml", at="training", by=signal.SIGINT)
    assert code == 130
    assert [line["event"] for line in parsed(said)][-2:] == ["error", "end"]
