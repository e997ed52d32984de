from __future__ import annotations

import pytest
from pydantic import ValidationError

from synthclin.report.pages.cohort_section import cohorts_section
from synthclin.report.record.section_data import CohortFacts
from tests.report.conftest import example


def facts(**words):
    return CohortFacts(
        **{
            "name": "women",
            "rows": 20,
            "probability_model": 0.25,
            "share_train": 0.24,
            "effective_sample_size": 90.4,
            "proposed": 160,
        }
        | words
    )


def cells(**words):
    return [cell.replace("\u00a0", " ") for cell in cohorts_section([facts(**words)]).figures[0].table.rows[0].cells]


def test_each_cohort_is_a_table_row():
    assert cells(where="sex == 'F'") == ["sex == 'F'", "20", "25 %", "24 %", "suppressed", "90"]


def test_number_of_real_patients_is_shown():
    assert cells(patients=234)[4] == "234"


def test_mix_is_shown_in_percent():
    assert cells(mix={"arm": {"A": 0.5, "B": 0.5}}, where="age > 60")[0] == "age > 60; arm: A 50 %, B 50 %"


def test_suppressed_and_tiny_shares_are_labelled():
    assert cells(share_train=None)[3] == "suppressed"
    assert cells(probability_model=1e-9)[2] == "< 0.0001 %"
    assert cells(probability_model=0.000123)[2] == "0.0123 %"


def test_share_above_one_is_refused():
    with pytest.raises(ValidationError):
        facts(share_train=3)


def test_section_is_absent_without_cohorts():
    assert "of each cohort" not in example().to_html()
    report = example(sections=example().sections | {"cohorts": [facts(where="x < '<b>'").model_dump(mode="json")]})
    assert "of each cohort" in report.to_html()
    assert "<b>&#39;" not in report.to_html()
