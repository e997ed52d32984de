"""`Report`: reading, saving, gates, frame and refusal of damaged files."""

from __future__ import annotations

import dataclasses
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from synthclin.errors import ConfigError, GateError, OutputError, UnknownScoreError
from synthclin.evaluation.gate import Gate
from synthclin.evaluation.gates import judge
from synthclin.evaluation.score import Score
from synthclin.evaluation.statuses import WORST_FIRST
from synthclin.io.documents import dump_json
from synthclin.report import Report
from synthclin.report.findings import Findings
from synthclin.report.pages.notebook import one_line
from tests.report.conftest import example


def test_json_round_trip(report, tmp_path: Path) -> None:
    report.save(tmp_path / "report.json")
    again = Report.read(tmp_path / "report.json")
    assert again.to_dict() == report.to_dict()
    assert again.to_html() == report.to_html()
    assert stat.S_IMODE((tmp_path / "report.json").stat().st_mode) == 0o600


def test_nan_is_null_in_json(report) -> None:
    document = json.loads(dump_json(report.to_dict()))
    assert document["schema_version"] == 1
    membership = next(score for score in document["scores"] if score["name"] == "privacy.membership")
    assert membership["value"] is membership["low"] is None
    json.dumps(report.to_dict(), allow_nan=False)


def test_saving_the_same_report_twice_gives_the_same_bytes(report, tmp_path: Path) -> None:
    for name in ("a.html", "b.html", "a.json", "b.json"):
        report.save(tmp_path / name)
    for suffix in (".html", ".json"):
        assert (tmp_path / f"a{suffix}").read_bytes() == (tmp_path / f"b{suffix}").read_bytes()


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.json.exe"])
def test_other_suffixes_are_refused(report, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"\.html, \.json or \.md"):
        report.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_unwritable_path_is_an_output_error(report, tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        report.save(tmp_path / "absent" / "report.html")


def test_own_gates_decide_passed(report) -> None:
    assert not report.passed
    with pytest.raises(GateError, match=r"fidelity\.detection <= 0\.75 \(FAIL\)"):
        report.require()
    assert example(verdicts=()).passed


def test_required_gates_name_each_miss(report) -> None:
    report.require("fidelity.pairs >= 0.9", "privacy.copies <= 0.01")
    with pytest.raises(GateError) as caught:
        report.require("fidelity.pairs >= 0.905", "privacy.membership <= 0.9", "validity.rules >= 0.5")
    assert "2 of 3 gates are missed" in str(caught.value)
    assert "privacy.membership <= 0.9 (NOT ASSESSABLE)" in str(caught.value)
    with pytest.raises(ConfigError, match=r"fidelity\.pairs"):
        report.require("fidelity.pears >= 0.9")


def test_verdict_lines_are_worst_first(report) -> None:
    statuses = [line[:14].strip() for line in report.verdict]
    assert statuses == ["FAIL", "FAIL", "REVIEW", "REVIEW", "NOT ASSESSABLE", "PASS", "PASS"]
    assert report.verdict[4].endswith("There is no holdout.")
    assert example(verdicts=()).verdict == ()


def test_one_row_of_the_frame_per_score(report) -> None:
    frame = report.to_frame()
    assert list(frame.index) == [score.name for score in report.scores]
    assert frame.loc["fidelity.detection", "status"] == "FAIL"
    assert frame["value"].dtype == frame["baseline"].dtype == "float64"
    assert example(scores=(), verdicts=()).to_frame().empty


def test_scores_are_found_by_name(report) -> None:
    assert report["fidelity.pairs"].value == 0.91
    with pytest.raises(KeyError) as found:
        report["fidelity.pears"]
    assert str(found.value) == "report: no score is called 'fidelity.pears'. Did you mean 'fidelity.pairs'?"
    with pytest.raises(UnknownScoreError, match=r"Scores of this run: .*, fidelity\.pairs, "):
        report["nope"]


def change(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def apply(document: dict[str, Any]) -> None:
        *parents, last = [int(key) if key.isdigit() else key for key in path.split("/")]
        place: Any = document
        for key in parents:
            place = place[key]
        place[last] = value

    return apply


DAMAGE = {
    "another version": (change("schema_version", 2), "schema_version"),
    "another edition": (change("edition", "public"), "edition"),
    "unknown key": (change("extra", 1), "extra"),
    "number as text": (change("scores/0/value", "<b>0.9</b>"), "scores[0].value"),
    "unknown status": (change("gates/0/status", "PASSED"), "gates[0].status"),
    "gate without score": (change("gates/0/score", "fidelity.pears"), "gates[0].score"),
    "score twice": (lambda document: document["scores"].append(document["scores"][0]), "twice"),
    "unknown score": (change("scores/0/name", "house.own"), "scores[0].name"),
    "name without group": (change("scores/0/name", "rules"), "scores[0].name"),
    "negative count": (change("scores/0/n", -1), "scores[0].n"),
    "details of another shape": (change("scores/1/details", {"columns": [1]}), "scores[1].details"),
    "share above one": (change("scores/1/details/columns/0/value", 7.0), "scores[1].details"),
    "cells that disagree": (change("sections/marginals/0/real", [1, 2]), "sections: marginals[0]"),
    "edges out of order": (change("sections/marginals/0/edges", [100.0, 80.0, 120.0]), "sections: marginals[0]"),
    "half a matrix": (change("scores/3/details/real", [[1.0]]), "scores[3].details"),
    "absent detail": (change("scores/1/details", {}), "scores[1].details: columns"),
    "unknown detail": (change("scores/1/details/patient", "M. L."), "scores[1].details: patient"),
    "provenance that is no fact": (change("provenance/host", {"name": "x"}), "provenance.host"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_report_is_refused_with_its_location(report, tmp_path: Path, name: str) -> None:
    apply, place = DAMAGE[name]
    document = json.loads(dump_json(report.to_dict()))
    apply(document)
    path = tmp_path / "report.json"
    path.write_text(dump_json(document), encoding="utf-8")
    with pytest.raises(ConfigError, match=re.escape(place)) as caught:
        Report.read(path)
    assert str(caught.value).startswith(str(path))
    assert "<b>0.9</b>" not in str(caught.value)


@pytest.mark.parametrize("text", ["[]", "null", "{", '{"schema_version": 1}', '{"a": NaN}'])
def test_other_json_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError):
        Report.read(tmp_path / "report.json")


def test_the_line_of_a_notebook_counts_every_status() -> None:
    score = Score("fidelity.pairs", "?", 0.95, 0.94, 0.96, "higher", None, None, 100, "toy")
    (verdict,) = judge([Gate("fidelity.pairs", ">=", 0.9)], [score])
    verdicts = tuple(dataclasses.replace(verdict, status=status) for status in WORST_FIRST)
    line = one_line(Findings((score,), verdicts, {}, {}))
    assert all(f"1 {status}" in line for status in WORST_FIRST)


def test_a_key_that_is_no_text_is_refused_with_what_a_key_is():
    with pytest.raises(ConfigError, match="a key of a report is the name of a score"):
        Report((), (), {}, {"name": "toy"})[3]
