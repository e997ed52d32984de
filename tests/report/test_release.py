"""The release: what is declared, what is open, the file that a report is about, printed sheets and seals."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import synthclin as sc
from synthclin.errors import ConfigError, DataError
from synthclin.evaluation.gate import parse_gate
from synthclin.evaluation.gates import judge
from synthclin.io.documents import validate
from synthclin.report import Report
from synthclin.report.pages.release_box import may_not, not_for, release_box
from synthclin.report.pages.sheet import sheet_line, sheet_style
from synthclin.report.record.release import Release, TableFile, item_names
from synthclin.report.record.seal import open_seal, sealed, unsigned
from synthclin.report.summary import summary
from synthclin.schema import Schema
from tests.report.conftest import example, made
from tests.report.study import study
from tests.report.test_html import HOSTILE, Page

FILE = TableFile(name="synthetic.parquet", sha256="0123456789abcdef" * 4, rows=400)
WHOLE = Release(
    use="Teaching",
    recipient="Students",
    access="On request",
    licence="CC-BY-4.0",
    contact="data@example.org",
    source="A clinic",
    retention="One year",
    valid_until="2027-06-30",
    date="2026-11-28",
)


def released(**changes: Any) -> Report:
    return dataclasses.replace(study(), **({"release": WHOLE, "table": FILE} | changes))


def test_a_declared_release_has_no_open_point() -> None:
    box = release_box(released())
    assert box.open_points == ""
    assert all(item.declared for item in box.items)
    assert [item.name for item in box.items] == [*item_names().values(), "File of the table", "SHA-256"]


def test_what_is_not_declared_is_red_and_open() -> None:
    report = released(release=Release(use="Teaching", contact="x"), table=None)
    box = release_box(report)
    assert box.open_points == (
        "Open, to be declared before sign-off: recipient, access, licence, source, retention, valid until, "
        "date of the report and file of the table."
    )
    html = report.to_html()
    assert html.count('class="undeclared"><bdi>not declared') == 7
    assert 'class="undeclared"><bdi>not bound to a file' in html
    assert box.open_points in html
    assert box.open_points in summary(report).replace("\\", "")


def test_failed_gates_and_expiry_restrict_the_use() -> None:
    scores = (made("privacy.copies", 0.2, 0.19, 0.21, better="lower", baseline=0.0, reference=0.0),)
    verdicts = judge([parse_gate("privacy.copies <= 0")], scores)
    failed = Report(scores, verdicts, {}, {}, release=WHOLE)
    assert may_not(failed)[:2] == (
        "Release to anybody but the custodian: Exact copies fails.",
        "Any use after 2027-06-30.",
    )
    assert may_not(Report((), (), {}, {})) == not_for()


@pytest.mark.parametrize("report", [released(), released().shareable()], ids=["internal", "shareable"])
def test_every_form_names_the_file(report: Report) -> None:
    text = Page(report.to_html()).text
    for each in (text, summary(report), report.to_json()):
        assert FILE.sha256 in each
        assert "2026-11-28" in each
        assert "synthetic.parquet" in each
    assert report.table == FILE
    assert report.release == WHOLE


def test_release_and_file_round_trip_through_json(tmp_path: Path) -> None:
    released().save(tmp_path / "report.json")
    read = Report.read(tmp_path / "report.json")
    assert (read.release, read.table) == (WHOLE, FILE)
    assert read.to_json() == released().to_json()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("valid_until", "30.06.2027", "is no date"),
        ("valid_until", 20270630, "is no date"),
        ("valid_until", "2027-02-30", "is no date"),
        ("use", "", "release.use|use"),
        ("use", 7, "use"),
        ("usage", "x", "Did you mean 'use'"),
        ("use", "x" * 301, "use"),
    ],
)
def test_what_cannot_be_declared(key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        validate(Release, {key: value}, "release")
    assert str(value) not in str(caught.value) or key == "use"


def test_a_table_is_valid_on_the_day_of_its_report() -> None:
    assert Release(valid_until="2027-06-30", date="2027-06-30").undeclared
    with pytest.raises(ConfigError, match="before the date of the report"):
        validate(Release, {"valid_until": "2020-01-01", "date": "2026-11-28"}, "release")


def test_the_date_is_that_of_the_environment_and_never_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert Release().dated().date is None
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795900000")
    assert Release().dated().declared("date") == "2026-11-28"
    assert WHOLE.dated() == WHOLE
    for wrong in ("today", "1e99", "9" * 30):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", wrong)
        with pytest.raises(ConfigError, match="SOURCE_DATE_EPOCH: the environment variable is no number of seconds"):
            Release().dated()


def test_evaluate_binds_the_report_to_the_file(tmp_path: Path) -> None:
    schema = Schema.model_validate({"columns": {name: {"type": "integer"} for name in ("age", "bmi")}})
    train = sc.read_table(_written(tmp_path / "train.csv", range(20, 80)), schema)
    file = _written(tmp_path / "mine.csv", range(21, 81))
    table = sc.read_table(file, schema)
    given_: dict[str, Any] = {"train": train, "schema": schema, "gates": []}
    report = sc.evaluate(table, **given_, release={"use": "Teaching"}, file=file)
    assert report.table == TableFile.of(file, 60)
    assert report.release.use == "Teaching"
    assert sc.evaluate(table, **given_).table is None
    with pytest.raises(ConfigError, match="release: usage: unknown key"):
        sc.evaluate(table, **given_, release={"usage": "x"})
    with pytest.raises(DataError, match="no such file"):
        sc.evaluate(table, **given_, file=tmp_path / "none.csv")


def _written(path: Path, values: range) -> Path:
    path.write_text("age,bmi\n" + "".join(f"{n},{n % 7 + 20}\n" for n in values), "utf-8")
    return path


def test_every_sheet_names_edition_file_hash_and_date() -> None:
    assert sheet_line(released()) == "Internal edition, synthetic.parquet, SHA-256 0123456789ab, 2026-11-28"
    assert '@bottom-right { content: "page " counter(page) " of " counter(pages)' in released().to_html()


@pytest.mark.parametrize(
    "name", ['a"; } body { display: none } .csv', "</style><script>alert(1)</script>", "a\\", "é\n"]
)
def test_a_file_name_stays_text_in_the_style(name: str) -> None:
    report = released(table=FILE.model_copy(update={"name": name}))
    (content,) = re.findall(r'@bottom-left \{ content: "([^"]*)"; font', sheet_style(report))
    assert re.fullmatch(r"(?:[A-Za-z0-9 .,_-]|\\[0-9a-f]{6})*", content)
    assert Page(report.to_html()).text


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_declarations_are_text(name: str) -> None:
    fake = unsigned(None, passed=True)
    report = released(release=WHOLE.model_copy(update={"use": name + fake, "source": fake}))
    for page in (report.to_html(), summary(report)):
        seal = open_seal(page)
        assert seal is not None
        assert (seal.table, seal.intact) == (FILE.sha256, True)


@given(st.text(), st.text())
def test_a_seal_holds_for_its_text_alone(text: str, other: str) -> None:
    page = sealed(text + unsigned(FILE, passed=False))
    seal = open_seal(page)
    assert seal is not None
    assert (seal.table, seal.passed, seal.intact) == (FILE.sha256, False, True)
    changed = open_seal(page + other + ".")
    assert changed is not None
    assert not changed.intact


def test_a_page_without_seal() -> None:
    assert open_seal("<html></html>") is None
    assert sealed("no place") == "no place"


def test_report_json_has_page_one_and_the_rules_applied() -> None:
    document = json.loads(released().to_json())
    questions = document["questions"]
    assert questions[0] == {
        "question": "Can someone infer who was in the training data?",
        "status": "REVIEW",
        "score": "privacy.membership",
        "answer": questions[0]["answer"],
    }
    unscored = [question["status"] for question in questions if question["score"] is None]
    assert unscored == ["NONE"]  # differential privacy
    names = {score["name"] for score in document["scores"]}
    assert {question["score"] for question in questions} - {None} <= names
    copies = next(gate for gate in document["gates"] if gate["score"] == "privacy.copies")
    assert (copies["limit"], copies["review"], copies["bound"], copies["reached"]) == (0.0, 0.005, 0.0095, 0.01)


def test_a_gate_says_whether_real_rows_excused_the_table() -> None:
    gate = dataclasses.replace(parse_gate("fidelity.marginals >= 0.9"), review=0.8)
    low = made("fidelity.marginals", 0.7, 0.69, 0.71, reference=0.75)
    verdict, without = judge([gate], [low])[0], judge([gate], [dataclasses.replace(low, reference=None)])[0]
    assert (verdict.status, verdict.reached, verdict.excused) == ("REVIEW", 0.75, True)
    assert (without.status, without.excused) == ("FAIL", False)
    assert math.isnan(without.reached)
    assert not judge([gate], [made("fidelity.marginals", 0.95, 0.94, 0.96, reference=0.97)])[0].excused


def test_the_frame_has_the_verdict_in_full() -> None:
    frame = example().to_frame()
    assert list(frame.columns) == [
        *("value", "low", "high", "better", "baseline", "reference", "n", "spread", "gate", "status", "note"),
        *("question", "limit", "review", "bound", "reason"),
    ]
    marginals = frame.loc["fidelity.marginals"]
    assert (marginals["limit"], marginals["review"], marginals["bound"]) == (0.9, 0.8, 0.92)
    assert marginals["question"] == "Does each column look like the real one?"
    assert marginals["reason"] == "The worse end of its interval, 0.920, meets the limit."
    pairs = frame.loc["fidelity.pairs"]
    assert (pairs["question"], pairs["reason"]) == ("Is fidelity.pairs good?", None)
    assert math.isnan(pairs["limit"])


def test_methods_print_each_limit_with_its_source() -> None:
    score = made("privacy.identity_disclosure", 0.02, 0.01, 0.03, better="lower", baseline=0.0, reference=0.0)
    report = example(scores=(*example().scores, score))
    judged = dataclasses.replace(report, verdicts=judge(sc.evaluation.gates.default_gates([score]), [score]))
    text = Page(judged.to_html()).text
    assert "0.09: El Emam et al. 2020, EMA Policy 0070, Health Canada PRCI; 0.05: project convention, because" in text
