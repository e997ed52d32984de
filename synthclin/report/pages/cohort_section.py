"""The cohorts that were drawn beside the synthetic table: how many rows, of whom, and how well the model knows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.words import number, plain, sensible, share

if TYPE_CHECKING:
    from synthclin.report.record.section_data import CohortFacts

__all__ = ["cohorts_section"]


def cohorts_section(cohorts: list[CohortFacts]) -> Section:
    """Return each cohort with its condition, how common it is, and what its rows were taken from."""
    rows = tuple(
        Row(
            plain(cohort.name, 64),
            (
                _condition(cohort),
                number(cohort.rows, 0),
                _common(cohort.model),
                "suppressed" if cohort.data is None else _common(cohort.data),
                "suppressed" if cohort.patients is None else number(cohort.patients, 0),
                number(cohort.effective, 0),
            ),
        )
        for cohort in cohorts
    )
    head = ("Cohort", "Condition", "Rows", "Model", "Data", "Real patients", "Effective sample size")
    figure = Figure(
        title="How common the rows of each cohort are, to the model and in the data",
        how="Model: how probable such a row is to the model, rules of the schema included. Data: the share of such "
        "rows among those that it learnt from. Real patients: how many of them have such a row. Where model and data "
        "are far apart the model does not know the cohort well.",
        table=DataTable("Cohorts", head, rows, words=1),
        note="The effective sample size is the number of equally weighted rows that the weighted candidates are worth; "
        "a cohort of more rows holds near repetitions. The data's share and the number of patients are told where at "
        "least 11 patients have such a row, and as many or none have another. Scores and gates of this report judge "
        "the synthetic table, not the cohorts.",
    )
    lead = (
        "Every row of a cohort satisfies its condition. A rare cohort rests on few patients, however many rows it has."
    )
    return Section("cohorts", "Cohorts", "Cohorts", lead=(lead,), figures=(figure,))


def _condition(cohort: CohortFacts) -> str:
    parts = [] if cohort.where is None else [cohort.where]
    for name, shares in (cohort.mix or {}).items():
        parts.append(f"{name}: {', '.join(f'{level} {share(part)}' for level, part in shares.items())}")
    return plain("; ".join(parts) or "none", 300)


def _common(probability: float) -> str:
    """Return a probability in percent with digits that matter, however small it is."""
    return f"{sensible(100 * probability)}\u00a0%" if probability >= 1e-6 else "<\u00a00.0001\u00a0%"
