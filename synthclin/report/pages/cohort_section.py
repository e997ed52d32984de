"""The section on sampled cohorts: condition, size, prevalence and effective sample size."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.evaluation.labels import column_name, level_name
from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.wording import number, plain, share, significant

if TYPE_CHECKING:
    from synthclin.report.record.section_data import CohortFacts, Confirmed, FewEvents

__all__ = ["cohorts_section"]


def cohorts_section(cohorts: list[CohortFacts]) -> Section:
    """Return each cohort with its condition, prevalence and effective sample size."""
    rows = tuple(
        Row(
            plain(cohort.name, 64),
            (
                _condition(cohort),
                number(cohort.rows, 0),
                _common(cohort.probability_model),
                tr("suppressed") if cohort.share_train is None else _common(cohort.share_train),
                tr("suppressed") if cohort.patients is None else number(cohort.patients, 0),
                number(cohort.effective_sample_size, 0),
            ),
        )
        for cohort in cohorts
    )
    head = (
        tr("Cohort"),
        tr("Condition"),
        tr("Rows"),
        tr("Model"),
        tr("Data"),
        tr("Real patients"),
        tr("Effective sample size"),
    )
    figure = Figure(
        title=tr("Prevalence of each cohort, under the model and in the training data"),
        how=tr(
            "Model: the share of such rows when the model is sampled without the condition, as the synthetic table is. "
            "Data: their share among the training rows. Real patients: the number of patients with such a row. A large "
            "difference between model and data means that the model fits the cohort badly."
        ),
        table=DataTable(tr("Cohorts"), head, rows, words=1),
        note=tr(
            "Rows are resampled from weighted candidates; a cohort with more rows than its effective sample size "
            "contains near repetitions. The share in the data and the number of patients are shown where at least 11 "
            "patients have such a row, and either none or at least 11 have another. Scores and gates of this report "
            "concern the synthetic table, not the cohorts."
        ),
    )
    lead = tr(
        "Every row of a cohort satisfies its condition. A rare cohort rests on few patients, however many rows it has."
    )
    few = (_few(cohort.name, cohort.few) for cohort in cohorts if cohort.few is not None)
    return Section("cohorts", tr("Cohorts"), tr("Cohorts"), lead=(lead, *few), figures=(figure,))


def _few(cohort: str, few: FewEvents) -> str:
    """Return on how few patients a cohort rests, and what was confirmed out of fold of the columns of its condition."""
    facts = {"cohort": plain(cohort, 64), "part": plain(few.part, 120)}
    patients = (
        tr("{cohort}: {part} rests on fewer than 11 training patients.", **facts)
        if few.patients is None
        else tr("{cohort}: {part} rests on {n} training patients.", n=number(few.patients, 0), **facts)
    )
    return " ".join([patients, *map(_evidence, few.dependences)])


def _evidence(one: Confirmed) -> str:
    facts = {"column": column_name(one.column, 30), "nats": number(one.nats), "share": share(one.share)}
    if one.is_confirmed:
        return tr(
            "The dependence of {column} was confirmed out of fold ({nats} nats per row, {share} of what was trained).",
            **facts,
        )
    return tr(
        "The dependence of {column} was not confirmed out of fold ({nats} nats per row, {share} of what was trained): "
        "these rows may resemble other patients.",
        **facts,
    )


def _condition(cohort: CohortFacts) -> str:
    parts = [] if cohort.where is None else [cohort.where]
    for name, shares in (cohort.mix or {}).items():
        listing = ", ".join(f"{level_name(name, level, 40)} {share(part)}" for level, part in shares.items())
        parts.append(f"{column_name(name, 40)}: {listing}")
    return plain("; ".join(parts) or tr("none"), 300)


def _common(probability: float) -> str:
    """Return a probability in percent with three significant digits."""
    return f"{significant(100 * probability)}\u00a0%" if probability >= 1e-6 else "<\u00a00.0001\u00a0%"
