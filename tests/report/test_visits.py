"""The section on visits: its figures, its small cells, and what the shareable edition rounds."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.disclosure import Published
from synthclin.evaluation.visits.courses import visit_facts
from synthclin.evaluation.visits.regularity import RegularityDetails, real_share
from synthclin.progress import quiet
from synthclin.report import Report
from synthclin.report.editions.shareable_visits import shared_visits
from synthclin.report.html import render, sections
from synthclin.report.pages.visit_figures import courses_figure, curves_figure, remaining_figure
from synthclin.report.record.visit_data import VisitFacts
from synthclin.schema import Schema
from tests.evaluation.conftest import spare
from tests.evaluation.visits.cohort import SCHEMA, cohort, compared, shuffled


@pytest.fixture(scope="module")
def report() -> Report:
    with quiet(), pytest.MonkeyPatch.context() as patch:
        spare(patch)
        return sc.evaluate(
            shuffled(cohort(150, 3), "sbp"), train=cohort(150, 1), holdout=cohort(150, 2), schema=SCHEMA, workers=1
        )


@pytest.fixture(scope="module")
def facts(report: Report) -> VisitFacts:
    return VisitFacts.model_validate(report.sections["visits"])


def test_the_section_names_the_column_that_lost_its_patients(report: Report) -> None:
    section = next(section for section in sections(report) if section.key == "visits")
    titles = [figure.title for figure in section.figures]
    assert section.status == "FAIL"
    assert "Intraclass correlation: sbp differs most" in titles
    assert "Prediction of next visits: sbp loses most" in titles
    assert "Courses of single synthetic patients" in titles
    assert section.figures[0].title.endswith("than to the real-data reference") or "reference" in titles[0]


def test_the_page_of_both_editions_has_the_section_and_hostile_names_are_text(report: Report) -> None:
    for edition in (report, report.shareable()):
        page = render(edition)
        assert 'id="visits"' in page
        assert "<script" not in page


@pytest.mark.usefixtures("two_scores")
def test_a_table_of_rows_has_no_section() -> None:
    alone = SCHEMA.model_copy(update={"visits": "independent"})
    with quiet():
        found = sc.evaluate(cohort(60, 3), train=cohort(60, 1), holdout=cohort(60, 2), schema=alone, workers=1)
    assert not [section for section in sections(found) if section.key == "visits"]
    assert "visits" not in found.sections
    assert not [score for score in found.scores if score.name.startswith("visits.")]


def test_patients_by_number_of_visits_add_up_and_small_numbers_are_joined() -> None:
    train = cohort(150, 1)
    counts = train.groupby("patient").size()
    found = VisitFacts.model_validate(visit_facts(compared(cohort(150, 3), patients=150))).counts
    assert found.real[0] == 150
    for low, n in zip(found.least, found.real, strict=True):
        assert n == (counts >= low).sum()
    steps = np.diff([*(n or 0 for n in found.real), 0])
    assert all(step == 0 or step <= -11 for step in steps)


def test_points_of_curves_are_means_of_patients_and_none_below_eleven() -> None:
    c = compared(cohort(150, 3))
    facts = VisitFacts.model_validate(visit_facts(c))
    curve = next(curve for curve in facts.curves if curve.column == "sbp")
    table = c.tables.train
    day = table["day"].to_numpy(dtype=float)
    for k, (low, high) in enumerate(zip(curve.edges, curve.edges[1:], strict=False)):
        inside = (day >= low) & ((day < high) | ((k == len(curve.real) - 1) & (day == high)))
        means = table[inside].groupby("patient")["sbp"].mean()
        point = curve.real[k]
        if len(means) < 11:
            assert point is None
            continue
        assert point is not None
        assert point.patients == len(means)
        assert point.mean == pytest.approx(means.mean())
        assert (point.low, point.high) == pytest.approx(tuple(means.quantile([0.25, 0.75])))


@pytest.mark.parametrize(
    ("holders", "shown"), [(0, True), (4, False), (11, True), (109, True), (116, False), (120, True)]
)
def test_a_share_of_few_patients_is_no_point_in_any_edition(holders: int, shown: bool) -> None:
    """Both the patients with the level and those without it are 0 or at least 11."""

    def table(seed: int) -> pd.DataFrame:
        # Other patients have the level in the second half, so that the column varies.
        level = np.zeros((120, 4), dtype=int)
        level[:holders, :2] = 1
        level[::2, 2:] = 1
        day = np.tile([0, 10, 90, 100], 120)
        return pd.DataFrame(
            {
                "patient": np.repeat([f"{seed}-{i}" for i in range(120)], 4),
                "day": pd.array(day, dtype="Int64"),
                "oedema": pd.array(level.ravel(), dtype="Int64"),
            }
        )

    schema = Schema.model_validate(
        {
            "columns": {
                "patient": {"type": "id", "role": "entity"},
                "day": {"type": "integer", "range": [0, 200], "role": "visit"},
                "oedema": {"type": "boolean", "values": [0, 1]},
            }
        }
    )
    c = Comparison.of(table(3), train=table(1), holdout=None, schema=schema, random_state=3)
    (curve,) = VisitFacts.model_validate(visit_facts(c)).curves
    assert (curve.real[0] is not None) == shown
    assert curve.real[-1] is not None
    assert curve.synthetic[0] is not None
    if curve.real[0] is not None:
        assert curve.real[0].mean == pytest.approx(holders / 120)


def test_few_patients_in_a_window_are_no_point() -> None:
    facts = VisitFacts.model_validate(visit_facts(compared(cohort(12, 3), patients=12)))
    for curve in facts.curves:
        assert all(point is None or point.patients >= 11 for point in curve.real)


def test_courses_are_those_of_synthetic_patients_alone(facts: VisitFacts) -> None:
    synthetic, real = shuffled(cohort(150, 3), "sbp"), pd.concat([cohort(150, 1), cohort(150, 2)])
    one = next(one for one in facts.courses if one.column == "sbp")
    assert one.patients
    for points in one.patients:
        values = [value for _, value in points]
        assert set(np.round(values, 3)) <= set(synthetic["sbp"])
        assert not set(np.round(values, 3)) <= set(real["sbp"])


def test_the_time_of_dates_counts_from_the_first_visit() -> None:
    facts = VisitFacts.model_validate(visit_facts(compared(cohort(60, 3, dates=True), dates=True, patients=60)))
    assert (facts.since_first, facts.unit) == (True, "d")
    assert facts.curves[0].edges[0] == 0.0
    figure = curves_figure(facts)
    assert figure is not None
    assert figure.how.startswith("Time since the first visit, d")


def test_the_shareable_edition_rounds_figures_of_real_patients(report: Report, facts: VisitFacts) -> None:
    shared = VisitFacts.model_validate(shared_visits(facts))
    assert all(n is None or n % 10 == 0 for n in shared.counts.real)
    assert shared.counts.synthetic == facts.counts.synthetic
    for own, curve in zip(facts.curves, shared.curves, strict=True):
        for exact, point in zip(own.real, curve.real, strict=True):
            if point is None:
                continue
            assert exact is not None
            assert point.patients % 10 == 0
            assert curve.level is not None or exact.patients >= 44
            assert point.mean == pytest.approx(exact.mean, abs=own.sd)
            assert point.mean == 0 or len(f"{point.mean:.10f}".rstrip("0").partition(".")[2]) <= 2
    written: dict[str, Any] = json.loads(report.shareable().to_json())["sections"]
    assert written["visits"]["counts"]["real"] == shared.counts.real
    assert "first_visits" not in written
    # No exact mean of real patients is left.
    for curve in facts.curves:
        for point in curve.real:
            if point is not None and curve.level is None:
                assert f"{point.mean!r}" not in json.dumps(written)


def test_table_one_of_the_shareable_edition_is_of_first_visits(report: Report) -> None:
    blocks = {block["column"]: block for block in json.loads(report.shareable().to_json())["sections"]["table_one"]}
    assert sum(row["real"]["n"] or 0 for row in blocks["ward"]["levels"]) == pytest.approx(150, abs=15)


@pytest.mark.parametrize("figure", [remaining_figure, curves_figure, courses_figure])
def test_figures_have_a_text_alternative_and_no_empty_curve(figure: Any, facts: VisitFacts) -> None:
    built = figure(facts)
    for panel in (*built.panels, *built.more):
        assert re.search(r"<title>[^<]+</title><desc>[^<]+</desc>", str(panel.picture))
        assert 'd="M"' not in str(panel.picture)
        assert "nan" not in str(panel.picture)


def test_one_visit_per_patient_makes_no_curve_of_courses() -> None:
    one = [cohort(60, seed).groupby("patient", sort=False).head(1).reset_index(drop=True) for seed in (1, 2, 3)]
    c = Comparison.of(one[2], train=one[0], holdout=one[1], schema=SCHEMA)
    facts = VisitFacts.model_validate(visit_facts(c))
    assert facts.counts.least == [1]
    assert courses_figure(facts) is None
    assert curves_figure(facts) is None


def _ward(patients: int, shares: list[float]) -> VisitFacts:
    """Return the data of one curve of a level, with real shares by window."""
    points = [{"patients": patients, "mean": share, "low": None, "high": None} for share in shares]
    return VisitFacts.model_validate(
        {
            "counts": {"least": [1], "most": [1], "real": [patients], "synthetic": [patients]},
            "curves": [
                {
                    "column": "ward",
                    "unit": None,
                    "level": "west",
                    "edges": list(range(len(shares) + 1)),
                    "sd": 0.4,
                    "real": points,
                    "synthetic": points,
                }
            ],
        }
    )


def test_hidden_shares_are_suppressed_and_nothing_is_claimed_of_them() -> None:
    """Windows of 104 patients are no windows of fewer than 11."""
    figure = curves_figure(VisitFacts.model_validate(shared_visits(_ward(104, [0.15, 0.2]))))
    assert figure is not None
    assert figure.title == "Mean courses over time"
    for row in figure.data[0].rows:
        assert row.cells[0] == "suppressed"
    text = f"{figure.title} {figure.note} {figure.panels[0].picture} {figure.data}"
    assert "11" not in text
    assert "real suppressed" in text
    shared = VisitFacts.model_validate(shared_visits(_ward(549, [0.0, 0.0205, 0.3, 0.9795, 1.0]))).curves[0]
    assert [point and point.mean for point in shared.real] == [0.0, None, 0.3, None, 1.0]


def test_the_shareable_edition_makes_no_zero_of_a_share_and_no_none_of_a_median(report: Report) -> None:
    marks = RegularityDetails.model_validate(
        {
            "marks": [
                {
                    "mark": "whole weeks",
                    "column": None,
                    "synthetic": 0.1,
                    "real": real,
                    "reference": 0.01,
                    "difference": 0,
                }
                for real in (0.02, 0.0, 0.34, 0.99)
            ]
        }
    ).shared(Published(train=120, holdout=60))
    assert [one.real for one in marks.marks] == [None, 0.0, 0.3, None]
    assert real_share(marks.marks[0]) == "suppressed"
    section = next(section for section in sections(report.shareable()) if section.key == "visits")
    schedule = next(figure.table for figure in section.figures if figure.table and "Schedule" in figure.table.caption)
    assert {row.cells[0] for row in schedule.rows} == {"suppressed"}
