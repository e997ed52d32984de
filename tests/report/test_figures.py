"""Figures of analyses, subgroups, attacks and distributions: titles, rows and marks."""

from __future__ import annotations

import math
import re
import time
from math import exp
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.evaluation.analyses.details import Arm
from synthclin.evaluation.score import Score
from synthclin.evaluation.score_names import within
from synthclin.report import Report
from synthclin.report.charts.axes import ChartAxis, linear_axis, log_axis
from synthclin.report.charts.calibration_plot import calibration_plot
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.analysis_section import clinical_section
from synthclin.report.pages.subgroup_section import subgroup_results, subgroups_section
from synthclin.report.pages.survival_figures import kaplan_meier
from tests.report.conftest import blocks, example, made, panels
from tests.report.study import arms, extra, study, term
from tests.report.test_html import HOSTILE, Page

TITLES = [
    "Cox regression of died: one clear effect changes sign; 2 of 2 estimates differ, sbp (per SD) most",
    "Survival differs by up to 9 % (sex, M)",
    "Predicted probabilities of died are overconfident after training on synthetic rows",
    "died: the most important feature is sbp in real rows, sex in synthetic rows",
    "sex: F is clearly worse than its real-data reference in 2 of 3 scores",
    "Membership inference is above chance for sex: F",
    "Missingness of sbp and sex: F: the correlation has the opposite sign",
    "One column shifted in the tails, sbp most",
    "sbp has different heaping",
    "Of rare levels, sex: X is under-represented most",
    "Exact canaries are detected from 5.0 % of rows on, jittered ones from 5.0 %",
    "The risk of top-decile outliers is not clearly higher; the negative control is silent",
]


@pytest.fixture(scope="module")
def html() -> str:
    return study().to_html()


@pytest.mark.parametrize("title", TITLES)
def test_titles_are_findings(title: str, html: str) -> None:
    titles = [re.sub(r"<[^>]+>", "", found).replace("\u00a0", " ") for found in re.findall(r"<h3>(.*?)</h3>", html)]
    assert title in [re.sub(r"^[0-9.]+ ", "", each) for each in titles]


def test_study_round_trips_through_json() -> None:
    report = study()
    assert Report.from_dict(report.to_dict()).to_html() == report.to_html()


@pytest.mark.parametrize("name", HOSTILE[:5])
def test_hostile_names_are_escaped_in_every_figure(name: str, html: str) -> None:
    page, usual = Page(study(first=name, second=name + " 2").to_html()), Page(html)
    assert {tag for tag, _ in page.elements} == {tag for tag, _ in usual.elements}
    assert not [key for _, attributes in page.elements for key in attributes if key.startswith("on") or key == "src"]


def test_estimates_are_ratios_with_least_overlap_first() -> None:
    section = clinical_section(study())
    assert section is not None
    cox = next(figure for figure in section.figures if figure.title.startswith("Cox"))
    assert [row.label for row in cox.strip] == ["sbp (per SD)", "sex: F against M"]
    assert cox.strip[0].real == f"{exp(0.3):.2f} ({exp(0.1):.2f} to {exp(0.5):.2f})"
    assert cox.strip[0].unit == "overlap; sign changed"
    assert "one term could not be estimated" in cox.note


def test_separated_effect_does_not_stretch_the_axis() -> None:
    wild = term("wild", 30.0, -30.0, real=[30.0, -900.0, 960.0])
    score = made("inference.logistic.ill", 0.1, 0.05, 0.2, details={"terms": [wild, term("tame", 0.2, 0.1)]})
    html = example(scores=(score,), verdicts=(), sections={}).to_html()
    assert "\u203a" in html
    assert "\u2039" in html


def test_worst_subgroup_is_first() -> None:
    groups = subgroup_results(study(), "fidelity.marginals")
    assert [one.name for one in groups] == ["sex: F", "sex: M"]
    assert groups[0].gap == pytest.approx(0.05)
    assert [one.clear for one in groups] == [True, True]  # the intervals end at 0.92, the reference is 0.95
    # Of detection, lower is better.
    best = subgroup_results(study(), "fidelity.detection")
    assert best[0].gap == pytest.approx(0.94 - 0.95)
    assert not any(one.clear for one in best)
    assert "sex: F, 0.900" in Page(study().to_html()).text


def test_subgroups_by_score_table() -> None:
    section = subgroups_section(study())
    assert section is not None
    assert section.lead == ("sex: one subgroup is too small and left out.",)
    worst, beside = (figure.table for figure in section.figures[:2])
    assert worst is not None
    assert beside is not None
    assert [(row.name, row.cells) for row in worst.rows] == [
        ("\u25bc Marginals", ("sex: F", "120", "0.950", "0.880 to 0.920", "0.900")),
        ("\u25bc Pairs of columns", ("sex: F", "120", "0.950", "0.880 to 0.920", "0.900")),
        ("Detection AUC (C2ST)", ("sex: M", "120", "0.950", "0.880 to 0.920", "0.940")),
    ]
    assert beside.head == ("Subgroup", "Marginals", "Pairs of columns", "Detection AUC (C2ST)")
    assert [(row.name, row.cells) for row in beside.rows] == [
        ("sex: F", ("\u25bc 0.900", "\u25bc 0.900", "0.900")),
        ("sex: M", ("\u25bd 0.940", "\u25bd 0.940", "0.940")),
    ]
    assert len(section.figures[1].data) == 3


def grouped(column: str, score: str, values: dict[str, float], **words: Any) -> Score:
    ends = {"low": -0.02, "high": 0.02}
    groups = [
        {"group": name, "value": value, "reference": 0.9, "n": 200} | {end: value + by for end, by in ends.items()}
        for name, value in values.items()
    ]
    details = {
        "score": score,
        "column": column,
        "groups": groups,
        "not_judged": 0,
        "worst": min(values, key=values.get),
    }
    return made(within(column, score), min(values.values()), 0.5, 0.95, details=details, **words)


def test_many_subgroups_are_folded() -> None:
    sites = {f"site {k}": 0.9 for k in range(20)} | {"site 9": 0.5}
    scores = (
        grouped("site", "fidelity.pairs", sites),
        grouped("sex.at birth", "fidelity.pairs", {"F": 0.9, "M": 0.6}),
        made(within("ward", "fidelity.pairs"), math.nan, math.nan, math.nan, note="No group is large enough."),
        made(within("ward", "fidelity.detection"), math.nan, math.nan, math.nan, note="No group is large enough."),
    )
    section = subgroups_section(example(scores=scores, verdicts=(), sections={}))
    assert section is not None
    assert section.lead == (
        "Pairs of columns, ward and Detection AUC (C2ST), ward: not assessable. No group is large enough.",
    )
    assert section.figures[0].title == "site: site 9 is clearly worse than its real-data reference in all scores"
    beside = section.figures[1]
    assert beside.table is not None
    assert len(beside.table.rows) == 12
    assert len(beside.data[0].rows) == 22
    assert [(row.name, row.cells[0]) for row in beside.table.rows[:3]] == [
        ("site: site 9", "\u25bc 0.500"),
        ("sex.at birth: M", "\u25bd 0.600"),
        ("site: site 0", "0.900"),
    ]


def test_no_clear_gap_has_its_own_title() -> None:
    scores = (grouped("sex", "fidelity.pairs", {"F": 0.91, "M": 0.9}),)
    section = subgroups_section(example(scores=scores, verdicts=(), sections={}))
    assert section is not None
    assert section.figures[0].title == "No subgroup is clearly worse than its real-data reference"


def test_limits_list_missing_subgroups_and_analyses() -> None:
    text = Page(example().to_html()).text
    assert "fidelity in subgroups of patients and effect estimates and survival" in text
    assert "fidelity in subgroups of patients" not in Page(study().to_html()).text


@pytest.mark.parametrize("name", [score.name for score in extra()])
def test_empty_details_give_no_figure(name: str) -> None:
    score = made(name, 0.5, 0.4, 0.6)
    Page(example(scores=(score,), verdicts=(), sections={}).to_html())


def test_curves_end_and_small_numbers_at_risk_are_suppressed() -> None:
    arm = arms(("a",))[0]
    arm["real"] |= {"at_risk": [*range(48, 10, -1)]}
    root = ET.fromstring(kaplan_meier([Arm.model_validate(arm)]))
    texts = [element.text for element in root.iter("text")]
    assert texts.count("<\u00a011") == 1  # the last tick of the shorter curve is suppressed
    assert "48" in texts


@given(
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=5),
    st.booleans(),
)
def test_marks_are_clipped_to_the_axis(values: list[float], joined: bool) -> None:
    axis = linear_axis(values, 0.0)
    row = dot_row("x", "y", axis, [Mark("real", v, v - 1, v + 1) for v in values], lines=(0.0,), joined=joined)
    root = ET.fromstring(row)
    for element in root.iter():
        for key in ("x", "x1", "x2", "cx"):
            place = element.get(key)
            assert place is None or not place.endswith("%") or 0 <= float(place[:-1]) <= 100


@given(st.lists(st.floats(1e-9, 1e9), max_size=6))
def test_log_axis_has_ticks_around_one(values: list[float]) -> None:
    axis = log_axis(values)
    assert axis.holds(1.0)
    assert 3 <= len(axis.ticks) <= 7
    assert axis.ticks == sorted(axis.ticks)


@given(st.floats(-1e5, 1e5), st.floats(1e-6, 1e5))
def test_linear_axis_has_a_few_ticks(low: float, width: float) -> None:
    assert 2 <= len(linear_axis([low, low + width]).ticks) <= 10


def test_calibration_plot_has_text_alternative() -> None:
    line = [(k / 24, (k / 24) ** 2) for k in range(25)]
    root = ET.fromstring(calibration_plot("<b>", line, [], labelled=True))
    assert root[1].text is not None
    assert "real 25" in root[1].text


def test_axis_positions() -> None:
    assert ChartAxis(0.0, 10.0).place(-5.0) == 0.0
    assert ChartAxis(0.1, 10.0, log=True).place(1.0) == pytest.approx(0.5)


def test_fifty_columns_render_fast_and_small() -> None:
    names = [f"column {i}" for i in range(50)]
    marginals = [panel for name in names[::2] for panel in panels(name, f"{name} b")]
    wide = next(panel for panel in marginals if panel["kind"] == "line")
    wide |= {"edges": [float(i) for i in range(30)], "real": [20] * 31, "synthetic": [20] * 31}
    matrix = [[1.0 if i == j else round((i * j % 19) / 20, 2) for j in range(50)] for i in range(50)]
    report = study(
        sections=study().sections
        | {
            "marginals": marginals,
            "table_one": [block for name in names for block in blocks(name, f"{name} b")],
            "pairs": {"columns": names, "real": matrix, "synthetic": matrix[::-1]},
        }
    )
    report.to_html()
    start = time.perf_counter()
    html = report.to_html()
    assert time.perf_counter() - start < 3
    assert len(html.encode()) < 3_000_000
