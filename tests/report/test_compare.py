"""Comparison of runs: differences within noise, order worst first, and names as text."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.cli import main
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.score import Score
from synthclin.report import Report
from synthclin.report.compare import NamedReport, compare, differences, index, within_noise
from synthclin.report.record.release import Release
from tests.report.conftest import example, made
from tests.report.study import study
from tests.report.test_html import HOSTILE, Page


def with_score(name: str, value: float, half: float = 0.01, **words: object) -> Report:
    scores = (made(name, value, value - half, value + half, **words),)
    return Report(scores, judge(default_gates(scores), scores), {}, {"name": "toy", "rows": {"train": 100}})


def row(html: str, name: str) -> list[str]:
    line = next(
        line for line in re.findall(r"<tr role=\"row\".*?</tr>", html, re.DOTALL) if f"<bdi>{name}</bdi>" in line
    )
    return re.findall(r"<bdi>([^<]*)</bdi>", line)


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        ((0.95, 0.951), "within noise"),
        ((0.95, 0.90), "first is best"),
        ((0.90, 0.95), "second is best"),
        ((0.95, 0.95, 0.80), "third is worst"),
    ],
)
def test_difference_is_named_only_beyond_noise(values: tuple[float, ...], verdict: str) -> None:
    names = ("first", "second", "third")
    runs = [NamedReport(n, with_score("fidelity.marginals", v)) for n, v in zip(names, values, strict=False)]
    assert row(compare(runs), "Marginals")[-1] == verdict


def test_lower_is_best_where_lower_is_better() -> None:
    runs = [NamedReport(n, with_score("fidelity.detection", v, better="lower")) for n, v in (("a", 0.9), ("b", 0.6))]
    assert row(compare(runs), "Detection AUC (C2ST)")[-1] == "b is best"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5), st.floats(0, 0.5))
def test_within_noise_is_symmetric_and_reflexive(a: float, b: float, x: float, y: float) -> None:
    def score(value: float, half: float) -> Score:
        return made("s.t", value, value - half, value + half)

    assert within_noise(score(a, x), score(b, y)) == within_noise(score(b, y), score(a, x))
    assert within_noise(score(a, x), score(a, y))


def test_nan_score_is_not_comparable() -> None:
    html = compare([NamedReport("a", example()), NamedReport("b", study())])
    assert row(html, "Membership inference")[-1] == "not comparable"
    assert "numbers of training rows differ" not in Page(html).text


def test_index_lists_worst_run_first() -> None:
    runs = [
        NamedReport(n, with_score("fidelity.marginals", v)) for n, v in (("good", 0.97), ("bad", 0.5), ("mid", 0.86))
    ]
    names = re.findall(r"<bdi>(good|bad|mid)</bdi>", index(runs))
    assert names == ["bad", "mid", "good"] * 2
    assert "One run fails a gate, of 3." in Page(index(runs)).text


@pytest.mark.parametrize("name", HOSTILE[:6])
def test_names_are_escaped(name: str) -> None:
    runs = [NamedReport(name, example()), NamedReport("b", study())]
    for html in (compare(runs), index(runs)):
        page = Page(html)
        assert not {"script", "img", "iframe"} & {tag for tag, _ in page.elements}
        assert "default-src 'none'" in html


def test_page_is_internal_with_one_internal_report() -> None:
    both = [NamedReport("a", study().shareable()), NamedReport("b", study())]
    assert "Internal edition." in Page(compare(both)).text
    assert "Shareable edition." in Page(compare([both[0], NamedReport("c", study().shareable())])).text


def test_compare_command_accepts_runs_files_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        study().save(tmp_path / "runs" / name / "report.json")
    dataclasses.replace(study(), edition="shareable").save(tmp_path / "runs" / "two" / "report-shareable.json")
    study().save(tmp_path / "loose.json")
    out = tmp_path / "page.html"
    assert main(["compare", str(tmp_path / "runs" / "one"), str(tmp_path / "loose.json"), "-o", str(out)]) == 0
    assert "Two runs side by side" in out.read_text(encoding="utf-8")
    assert main(["compare", str(tmp_path / "runs"), "-o", str(out), "--overwrite"]) == 0
    assert "<bdi>two</bdi>" in out.read_text(encoding="utf-8")
    assert "2 runs written" in capsys.readouterr().out
    assert main(["compare", str(tmp_path / "runs" / "three"), "-o", str(out), "--overwrite"]) == 2


def of_table(value: float, **facts: object) -> Report:
    rows = {"train": facts.pop("train", 100), "holdout": facts.pop("holdout", 25)}
    return dataclasses.replace(
        with_score("fidelity.marginals", value),
        provenance={"name": "toy", "rows": rows, "columns": 3, "schema_sha256": facts.pop("schema", "a" * 64)},
        release=Release(source=facts.pop("source", None)),
    )


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ({"train": 900}, "numbers of training rows"),
        ({"holdout": 26}, "numbers of holdout rows"),
        ({"schema": "b" * 64}, "columns or their types"),
        ({"source": "another clinic"}, "sources"),
    ],
)
def test_runs_of_different_tables_are_not_ranked(facts: dict[str, object], what: str) -> None:
    best = NamedReport("best", of_table(0.99, source="a clinic"))
    worst = NamedReport("worst", of_table(0.5, **facts))
    html = compare([best, worst])
    assert f"The runs are not ranked: they differ in {what}." in Page(html).text
    assert row(html, "Marginals")[-1] == "not ranked"
    assert not re.search(r"is (best|worst)", Page(html).text)
    listing = Page(index([best, worst])).text
    assert f"they differ in {what}." in listing
    assert "worst first" not in listing
    assert listing.index("best") < listing.rindex("worst")


def test_runs_of_one_table_are_ranked_whatever_they_declare() -> None:
    runs = [NamedReport("a", of_table(0.99)), NamedReport("b", of_table(0.5, source="a clinic"))]
    assert differences([run.report for run in runs]) == ()
    assert row(compare(runs), "Marginals")[-1] == "a is best"
