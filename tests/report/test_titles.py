"""Titles state what is drawn: opposite signs, lost significance, and outliers beyond the limit."""

from __future__ import annotations

import pytest

from synthclin.evaluation.gates import default_gates, judge
from synthclin.report.pages.analysis_section import clinical_section
from synthclin.report.pages.association_figures import associations_figure
from synthclin.report.pages.attack_figures import attack_figures
from tests.report.conftest import example, made


def association(real: float, synthetic: float) -> dict[str, object]:
    change = (-synthetic if real < 0 else synthetic) - abs(real)
    return {"columns": ["a", "b"], "real": real, "synthetic": synthetic, "change": change}


def test_an_association_of_the_opposite_sign_is_named_as_such() -> None:
    details = {
        "columns": ["a", "b"],
        "real": [[1.0, 0.4], [0.4, 1.0]],
        "synthetic": [[1.0, -0.3], [-0.3, 1.0]],
        "lost": [association(0.4, -0.3)],
    }
    score = made("fidelity.associations", 0.7, 0.6, 0.8, better="lower", details=details)
    figure = associations_figure(example(scores=(score,), verdicts=()))
    assert figure is not None
    assert figure.title == "One association has the opposite sign (a \u2013 b)"


def effect(real: list[float], synthetic: list[float], **found: object) -> dict[str, object]:
    return {"term": "arm: A against B", "is_contrast": True, "real": real, "synthetic": synthetic, **found}


@pytest.mark.parametrize(
    ("real", "synthetic", "told"),
    [
        # HR 0.70 (0.54 to 0.91) against 0.83 (0.62 to 1.10)
        ([-0.357, -0.616, -0.094], [-0.186, -0.478, 0.095], "is no longer significant"),
        ([-0.186, -0.478, 0.095], [-0.357, -0.616, -0.094], "becomes significant"),
        ([-0.357, -0.616, -0.094], [-0.357, -0.616, -0.094], "all estimates agree in sign, in significance"),
    ],
)
def test_an_effect_that_lost_its_significance_is_named(real: list[float], synthetic: list[float], told: str) -> None:
    agrees = real == synthetic
    details = {"terms": [effect(real, synthetic, overlap=0.7, sign_agrees=True, decision_agrees=agrees)]}
    score = made("inference.cox.died", 0.7, 0.6, 0.8, details=details)
    section = clinical_section(example(scores=(score,), verdicts=()))
    assert section is not None
    assert told in section.figures[0].title


def risky(low: float) -> dict[str, object]:
    outliers = {"value": low + 0.1, "low": low, "high": low + 0.2, "column": "", "level": ""}
    rate = {"value": 0.2, "low": 0.15, "high": 0.25, "n": 200}
    return {"top_decile_outliers": outliers, "members": rate, "non_members": rate, "null": 0.0}


@pytest.mark.parametrize(("low", "status"), [(0.3, "FAIL"), (0.07, "REVIEW"), (0.01, "PASS")])
def test_outliers_decide_an_attack_whose_mean_passes(low: float, status: str) -> None:
    score = made("privacy.singling_out", 0.01, -0.02, 0.04, better="lower", details=risky(low))
    (verdict,) = judge(default_gates([score]), [score])
    assert verdict.status == status
    figures = attack_figures(example(scores=(score,), verdicts=(verdict,)))
    told = [figure.title for figure in figures if "outliers" in figure.title]
    assert ("beyond the limit for FAIL" in told[0]) == (status == "FAIL")
