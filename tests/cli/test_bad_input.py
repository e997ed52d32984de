"""Bad input gets one clear error, exit code 2, and nothing half-written; no cell of the table is repeated."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from synthclin.cli import main

CANARY = "ZZ_CANARY_7391"


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


@pytest.fixture
def refused(study, capsys):
    """Return a function that runs the command line, expects a refusal and returns its message."""

    def run(*arguments: str) -> str:
        before = files(study.folder)
        code = main(list(arguments) or ["run", "study.yaml"])
        out, err = capsys.readouterr()
        assert code == 2, err
        assert err.startswith("error: ")
        assert err.count("error: ") == 1
        assert "Traceback" not in err
        assert CANARY not in out + err
        assert out == ""
        assert files(study.folder) == before
        return err

    return run


def test_an_unknown_key(study, refused):
    study.config["model"]["efort"] = "quick"
    study.write()
    assert refused().startswith("error: study.yaml: model.efort: unknown key. Did you mean 'effort'?")


def test_a_duplicate_key(study, refused):
    study.path.write_text(study.path.read_text() + "seed: 8\n")
    message = refused()
    assert "study.yaml: line " in message
    assert "duplicate key 'seed'" in message


def test_a_config_that_is_not_there(refused):
    assert "nowhere.yaml" in refused("run", "nowhere.yaml")


def test_a_table_in_the_place_of_a_study(refused):
    message = refused("run", "data.csv")
    assert message == "error: data.csv: this is a table, not a study. Run `synthclin init data.csv` for one.\n"
    assert "data.csv: this is a table, not a schema" in refused("schema", "check", "data.csv", "data.csv")


def test_values_that_are_written_differently(refused):
    share = refused("run", "study.yaml", "--set", "data.holdout=20%")
    assert share == "error: study.yaml: data.holdout: not a number. Write a number, such as 0.2 for 20 %.\n"
    name = refused("run", "study.yaml", "--set", "name=S2")
    assert "name: has other signs than small letters, digits, - and _. Write it like ward-2." in name
    cohort = refused("run", "study.yaml", "--set", "sampling.cohorts.0.name=old men")
    assert "sampling.cohorts[0].name: has other signs than letters, digits, - and _." in cohort


def test_a_table_that_is_not_there(study, refused):
    (study.folder / "data.csv").unlink()
    message = refused()
    assert "data.csv" in message
    assert "no such file" in message


@pytest.mark.parametrize("content", ["", "\n", "patient,age,sex,bmi,stage,died\n"], ids=["bytes", "line", "header"])
def test_an_empty_table(study, refused, content):
    study.write(content)
    assert "data.csv" in refused()


def test_one_row(study, refused):
    study.write(f"patient,age,sex,bmi,stage,died\n{CANARY},50,F,22.5,I,0\n")
    assert "row" in refused()


def test_one_column(study, refused):
    study.config["schema"]["columns"] = {"age": {"type": "integer"}}
    study.config["sampling"]["cohorts"] = []
    study.write(study.table()[["age"]])
    assert "column" in refused()


def test_a_constant_column(study, refused):
    study.config["schema"]["columns"]["sex"] = {"type": "category"}
    study.write(study.table().assign(sex=CANARY))
    assert "column 'sex': every value is the same. Declare its `categories` or `range` to keep it" in refused()


def test_a_constant_column_may_be_declared(study, capsys):
    study.write(study.table().assign(sex="F"))
    assert main(["run", "study.yaml", "--dry-run"]) == 0
    assert capsys.readouterr().err.startswith("warning: column 'sex': every value is the same.")


def test_an_all_missing_column(study, refused):
    study.write(study.table().assign(bmi=np.nan))
    assert "column 'bmi'" in refused()


def test_duplicate_column_names(study, refused):
    table = study.table()
    study.write(pd.concat([table, table[["age"]]], axis=1))
    assert "columns 2 and 7 have the same name" in refused()


def test_a_declared_column_that_is_absent(study, refused):
    study.write(study.table().drop(columns="stage"))
    assert "column 'stage'" in refused()


def test_a_column_that_is_not_declared(study, refused):
    study.write(study.table().assign(diary=CANARY))
    assert "column 'diary'" in refused()


def test_a_patient_where_the_names_should_stand(study, refused):
    names = f"age,{CANARY},F,22.5,I,0\n"  # one cell that happens to be a name
    study.write(names + study.table().to_csv(index=False, header=False))
    assert "table: 5 of its columns are not in the schema. Check that its first line holds the names" in refused()


def test_a_value_outside_the_categories(study, refused):
    table = study.table()
    table.loc[[16, 79], "stage"] = CANARY
    study.write(table)
    message = refused()
    assert "column 'stage': 2 of 160 rows (17, 80)" in message


def test_a_value_outside_the_range(study, refused):
    table = study.table()
    table.loc[4, "age"] = 739100
    study.write(table)
    message = refused()
    assert "column 'age': 1 of 160 rows (5)" in message
    assert "739100" not in message


def test_text_in_a_number_column(study, refused):
    table = study.table().astype({"age": object})
    table.loc[4, "age"] = CANARY
    study.write(table)
    assert "column 'age': 1 of 160 rows (5)" in refused()


def test_a_table_that_is_not_utf8(study, refused):
    study.write(study.table().to_csv(index=False).replace("P0003", "P\u00e4003").encode("latin-1"))
    message = refused()
    assert "data.csv" in message
    assert "UTF-8" in message


def test_a_config_that_is_not_utf8(study, refused):
    study.path.write_bytes(study.path.read_bytes() + "# gr\u00fcn\n".encode("latin-1"))
    assert "UTF-8" in refused()


@pytest.mark.parametrize("number", ["1e308", "-1e308", "inf", "-inf", "1e999"])
def test_numbers_beyond_reason(study, refused, number):
    study.config["schema"]["columns"]["bmi"] = {"type": "number", "missing": "allowed"}
    study.write(study.table().astype({"bmi": object}).assign(bmi=["22.5"] * 159 + [number]))
    message = refused()
    assert "column 'bmi'" in message
    assert "(160)" in message


def test_a_text_column_with_as_many_values_as_rows_is_left_out_and_told_of(study, capsys):
    study.write(study.table().assign(diary=[f"{CANARY} {i}" for i in range(160)]))
    assert main(["schema", "infer", "data.csv", "-o", "schema.yaml"]) == 0
    (line,) = (line for line in capsys.readouterr().err.splitlines() if "column 'diary'" in line)
    assert all(f"`{word}`" in line for word in ("id", "text", "category"))
    assert CANARY not in (study.folder / "schema.yaml").read_text() + line


def test_too_few_patients_to_hold_some_out(study, refused):
    study.config["data"]["holdout"] = 0.001
    study.write()
    assert "holdout" in refused()


class TestOutput:
    def test_a_file_where_the_folder_shall_be(self, study, refused):
        (study.folder / "runs").write_text("a file")
        assert "runs" in refused()

    def test_a_folder_of_someone_else_is_never_replaced(self, study, refused):
        study.out.mkdir(parents=True)
        (study.out / "thesis.txt").write_text("years of work")
        assert "runs/toy-7" in refused()
        assert "runs/toy-7" in refused("run", "study.yaml", "--overwrite")
        assert (study.out / "thesis.txt").read_text() == "years of work"

    def test_a_folder_that_cannot_be_made_is_refused_before_training(self, study, refused, monkeypatch):
        from synthclin.models import ConditionalGAN  # noqa: PLC0415

        def train(*_: object) -> None:
            raise AssertionError("it trained first")

        monkeypatch.setattr(ConditionalGAN, "_fit", train)
        study.config["outputs"] = {"folder": "/proc/synthclin/run"}
        study.write()
        assert "/proc/synthclin" in refused()

    @pytest.mark.usefixtures("two_scores")
    @pytest.mark.parametrize("nth", [1, 4, 9])
    def test_a_disk_that_fills_up(self, study, capsys, monkeypatch, nth):
        """The nth file that is flushed to disk does not fit."""
        calls = iter(range(1, 1000))
        flush = os.fsync

        def full(descriptor: int) -> None:
            if next(calls) >= nth:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            flush(descriptor)

        monkeypatch.setattr(os, "fsync", full)
        assert main(["run", "study.yaml"]) == 2
        out, err = capsys.readouterr()
        assert err.startswith("error: ")
        assert "No space left on device" in err
        assert out == ""
        assert [path for path in files(study.folder) if "toy-7" in path] == []

    @pytest.mark.usefixtures("two_scores")
    @pytest.mark.skipif(os.geteuid() != 0 or shutil.which("mount") is None, reason="needs the right to mount")
    def test_a_real_full_disk(self, study, capsys):
        disk = study.folder / "runs"
        disk.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("mounting is not allowed here")
        try:
            assert main(["run", "study.yaml"]) == 2
            assert "No space left on device" in capsys.readouterr().err
            assert files(disk) == set()
        finally:
            subprocess.run(["umount", str(disk)], check=True)


def test_help_and_usage_errors_are_exit_code_2_without_traceback(capsys):
    assert main(["run"]) == 2
    assert main(["run", "--nonsense", "x"]) == 2
    assert main(["fly"]) == 2
    assert main(["sample", "model", "-n", "0", "-o", "x.csv"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_python_runs_the_module():
    done = subprocess.run([sys.executable, "-m", "synthclin.cli", "fly"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "fly" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_date_of_the_environment_that_is_none(refused, monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "today")
    assert refused().startswith("error: SOURCE_DATE_EPOCH: the environment variable is no number of seconds. Set it")
