"""A report and the table that it is about: the command verify with two arguments, and the hash of the real table."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

from synthclin.cli import main
from synthclin.errors import ConfigError
from synthclin.evaluation.gates import judge
from synthclin.io.files import sha256
from synthclin.report import Report
from synthclin.report.record.release import TableFile
from synthclin.study.binding import verify_binding
from synthclin.study.config import load, load_judging, resolved_yaml
from synthclin.study.manifest import SourceFile
from tests.report.study import study

REPORTS = ("report.json", "report.html", "report.md")


def passing(file):
    """A report whose gates all pass."""
    whole = study()
    met = tuple(verdict for verdict in judge([v.gate for v in whole.verdicts], whole.scores) if not verdict.missed)
    return dataclasses.replace(whole, verdicts=met, table=file)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A folder with a table, reports on it and others; read it, do not change it."""
    folder = tmp_path_factory.mktemp("saved")
    (folder / "synthetic.csv").write_text("age\n63\n", "utf-8")
    file = TableFile.of(folder / "synthetic.csv", 1)
    whole = passing(file)
    reports = {
        "report": whole,
        "shareable": whole.shareable(),
        "failed": dataclasses.replace(study(), table=file),
        "unbound": passing(None),
    }
    for name in REPORTS:
        for kind, report in reports.items():
            report.save(folder / name.replace("report", kind))
    return folder


@pytest.fixture
def place(saved, tmp_path, monkeypatch):
    """A copy of these files, to be changed, as the current folder."""
    copied = Path(shutil.copytree(saved, tmp_path / "place"))
    monkeypatch.chdir(copied)
    return copied


def said(capsys, *arguments, code=0):
    assert main(["verify", *arguments]) == code
    shown = capsys.readouterr()
    return shown.out if code != 2 else shown.err


@pytest.mark.parametrize("name", [*REPORTS, "shareable.json", "shareable.html", "shareable.md"])
@pytest.mark.usefixtures("place")
def test_a_report_of_the_table(capsys, name):
    assert said(capsys, "synthetic.csv", name).splitlines() == [
        f"verified: {name} is about synthetic.csv, and neither was changed"
    ]


@pytest.mark.parametrize("name", REPORTS)
def test_a_table_that_was_changed(capsys, place, name):
    (place / "synthetic.csv").write_text("age\n64\n", "utf-8")
    assert said(capsys, "synthetic.csv", name, code=1).splitlines() == [
        f"synthetic.csv: its SHA-256 is not the one in {name}",
        f"VERIFY FAILED: {name} is not about synthetic.csv",
    ]
    found = json.loads(said(capsys, "synthetic.csv", name, "--json", code=1))
    assert (found["intact"], len(found["problems"])) == (False, 1)


@pytest.mark.parametrize("name", ["failed.json", "failed.html", "failed.md"])
@pytest.mark.usefixtures("place")
def test_a_report_whose_gates_are_missed(capsys, name):
    out = said(capsys, "synthetic.csv", name, code=3)
    assert out.splitlines()[-1].startswith("verified: ")
    assert out.endswith("; the gates are NOT PASSED\n")


@pytest.mark.parametrize("name", REPORTS)
def test_an_edited_report(capsys, place, name):
    text = (place / name).read_text("utf-8")
    (place / name).write_text(text.replace("REVIEW", "PASS", 1), "utf-8")
    assert said(capsys, "synthetic.csv", name, code=1).splitlines() == [
        f"{name}: the file was changed after it was written",
        f"VERIFY FAILED: {name} was changed",
    ]


@pytest.mark.parametrize("name", ["unbound.json", "unbound.html", "unbound.md"])
@pytest.mark.usefixtures("place")
def test_a_report_that_names_no_file(capsys, name):
    assert "the report names no table file" in said(capsys, "synthetic.csv", name, code=2)


def test_arguments_that_are_wrong(capsys, place):
    assert "wrong order: the table comes first" in said(capsys, "report.json", "synthetic.csv", code=2)
    assert "this is a report, not a table" in said(capsys, "report.html", "report.json", code=2)
    assert "is no report.json" in said(capsys, "synthetic.csv", "synthetic.csv", code=2)
    assert "no such file" in said(capsys, "synthetic.csv", "none.json", code=2)
    assert "Write `synthclin verify TABLE REPORT`" in said(capsys, "synthetic.csv", code=2)
    assert "Give the run folder" in said(capsys, "synthetic.csv", "report.json", "--source", "synthetic.csv", code=2)
    with pytest.raises(ConfigError, match="is a folder"):
        verify_binding(place, "report.json")
    (place / "other.html").write_bytes(b"\xff<html></html>")
    assert "no report of synthclin" in said(capsys, "synthetic.csv", "other.html", code=2)


def test_a_report_without_checksum(capsys, place):
    document = json.loads((place / "report.json").read_text("utf-8"))
    del document["sha256"]
    (place / "report.json").write_text(json.dumps(document), "utf-8")
    assert "the report has no checksum" in said(capsys, "synthetic.csv", "report.json", code=2)


def test_the_hash_of_real_rows_has_a_key(tmp_path):
    path = tmp_path / "ward.csv"
    path.write_text("age\n63\n", "utf-8")
    one, other = SourceFile.of(path), SourceFile.of(path)
    assert one.key != other.key
    assert one.hmac_sha256 not in {other.hmac_sha256, sha256(path)}
    assert one.is_of(path)
    assert other.is_of(path)
    path.write_text("age\n64\n", "utf-8")
    assert not one.is_of(path)


STUDY = {"version": 1, "name": "toy", "data": {"source": "dataset:heart_disease"}}


def test_a_study_declares_its_release(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795900000")
    config = load(STUDY | {"release": {"use": "Teaching", "valid_until": "2027-06-30"}})
    assert config.release.declared("date") == "2026-11-28"
    assert "release:\n  use: Teaching\n  valid_until: 2027-06-30\n  date: 2026-11-28\n" in resolved_yaml(config)
    monkeypatch.delenv("SOURCE_DATE_EPOCH")
    assert load(STUDY).release.date is None
    with pytest.raises(ConfigError, match=r"study: release.valid_until: is no date"):
        load(STUDY | {"release": {"valid_until": "soon"}})


def test_a_file_for_evaluate_may_hold_the_release_alone(tmp_path):
    path = tmp_path / "release.yaml"
    path.write_text("release: {use: Teaching, date: 2026-11-28}\n", "utf-8")
    judging = load_judging(path, load(STUDY).table_schema)
    assert (judging.release.use, judging.release.declared("date")) == ("Teaching", "2026-11-28")


class TestRunFolder:
    @pytest.fixture
    def done(self, finished):
        return finished.out

    def test_report_and_table_of_a_run(self, capsys, done):
        report = Report.read(done / "report.json")
        assert report.table is not None
        assert report.table.sha256 == sha256(done / report.table.name)
        for name in (*REPORTS, "report-shareable.html"):
            assert said(capsys, str(done / report.table.name), str(done / name)).startswith("verified: ")

    def test_only_the_manifest_knows_the_source(self, capsys, finished, tmp_path):
        record = json.loads((finished.out / "manifest.json").read_text("utf-8"))["source"]
        for path in finished.out.rglob("*"):
            if path.is_file() and path.name != "manifest.json":
                content = path.read_bytes()
                assert record["hmac_sha256"].encode() not in content
                assert record["key"].encode() not in content
        other = tmp_path / "other.csv"
        other.write_text("age\n1\n", "utf-8")
        out = said(capsys, str(finished.out), "--source", str(other), code=1)
        assert out.splitlines()[-2:] == [
            f"{other}: it is not the file that the run read",
            "VERIFY FAILED: 1 problem is listed above",
        ]
