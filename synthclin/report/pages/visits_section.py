"""The section on patients with visits: what binds the visits of a patient, column by column."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import details_of
from synthclin.evaluation.visits.autocorrelation import AUTOCORRELATION
from synthclin.evaluation.visits.details import VisitColumns
from synthclin.evaluation.visits.icc import ICC
from synthclin.evaluation.visits.impossible import VISIT_RULES, fault_name
from synthclin.evaluation.visits.missing_runs import MISSING_RUNS
from synthclin.evaluation.visits.next_values import NEXT_VALUES
from synthclin.evaluation.visits.regularity import REGULARITY, mark_name, real_share
from synthclin.evaluation.visits.schedule import SCHEDULE, schedule_part_name
from synthclin.evaluation.visits.transitions import TRANSITIONS
from synthclin.evaluation.visits.windows import WINDOWS
from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.questions import section_status
from synthclin.report.pages.scale_figure import scale_figure
from synthclin.report.pages.visit_figures import courses_figure, curves_figure, remaining_figure
from synthclin.wording import count, measure_name, number, sentence_case, share, significant, typeset

if TYPE_CHECKING:
    from synthclin.evaluation.visits.details import VisitColumn
    from synthclin.report.findings import Findings
    from synthclin.report.record.section_data import SectionData
    from synthclin.report.record.visit_data import VisitFacts

__all__ = ["visits_section"]

_MOST_ROWS = 30


def visits_section(report: Findings, data: SectionData) -> Section | None:
    """Return the scores of patients with visits; None where the table has no visits."""
    scores = [score for score in report.scores if score.name.startswith("visits.")]
    if not scores:
        return None
    lead = tuple(
        tr("{score}: not assessable. {note}", score=kind_of(score.name).label, note=typeset(score.note, 300))
        for score in scores
        if math.isnan(score.value)
    )
    figures = [
        scale_figure(
            report,
            scores,
            tr(
                "Each score on a scale from its independence baseline to its real-data reference. Hollow dot: real "
                "patients whose values are shuffled over all visits. Solid dot at the right: holdout patients in the "
                "place of the synthetic ones. Between them: synthetic patients with their 95 % interval. Worst first."
            ),
        ),
        *_of_facts(data.visits),
        _schedule(report),
        _regularity(report),
        _faults(report),
        _columns(report, ICC.name),
        _across(report, AUTOCORRELATION.name),
        _columns(report, TRANSITIONS.name),
        _columns(report, MISSING_RUNS.name),
        _across(report, WINDOWS.name),
        _next_values(report),
    ]
    return Section(
        "visits",
        tr("Do visits follow each other as in real patients?"),
        tr("Visits"),
        section_status(report, "visits"),
        lead,
        tuple(figure for figure in figures if figure is not None),
    )


def _of_facts(facts: VisitFacts | None) -> list[Figure | None]:
    """Return the figures of patients over time."""
    return [] if facts is None else [remaining_figure(facts), curves_figure(facts), courses_figure(facts)]


def _schedule(report: Findings) -> Figure | None:
    score = report.find(SCHEDULE.name)
    details = None if score is None else SCHEDULE.read(score)
    if details is None or not details.parts:
        return None
    rows = tuple(
        Row(
            sentence_case(schedule_part_name(part)),
            (
                tr("suppressed") if part.median_real is None else significant(part.median_real),
                tr("none") if part.median_synthetic is None else significant(part.median_synthetic),
                tr("none") if part.reference is None else number(1 - part.reference),
                number(1 - part.value),
            ),
        )
        for part in details.parts
    )
    worst = schedule_part_name(details.parts[0])
    return Figure(
        title=sentence_case(tr("{part}: furthest from the real schedule", part=worst)),
        how=tr(
            "Kolmogorov-Smirnov distance of synthetic from training patients, and of holdout patients (reference): the "
            "largest difference of the two cumulative shares. Largest first."
        ),
        table=DataTable(
            tr("Schedule of visits"),
            (tr("Part"), tr("Median, real"), tr("Median, synthetic"), tr("Reference"), tr("Distance")),
            rows,
        ),
    )


def _regularity(report: Findings) -> Figure | None:
    """Return the marks of regular visits."""
    score = report.find(REGULARITY.name)
    details = None if score is None else REGULARITY.read(score)
    if details is None or not details.marks:
        return None
    rows = tuple(
        Row(sentence_case(mark_name(one)), (real_share(one), share(one.synthetic), _figure(one.reference)))
        for one in details.marks
    )
    return Figure(
        title=tr("Regularity of visits"),
        how=tr(
            "Marks by which reviewers know simulated patients. Reference: difference of holdout patients from training "
            "patients. Largest difference first."
        ),
        table=DataTable(
            tr("Marks of regular visits"), (tr("Mark"), tr("Real"), tr("Synthetic"), tr("Reference")), rows
        ),
    )


def _faults(report: Findings) -> Figure | None:
    """Return how many patients have impossible visits."""
    score = report.find(VISIT_RULES.name)
    details = None if score is None else VISIT_RULES.read(score)
    if details is None or not details.faults:
        return None
    rows = tuple(
        Row(sentence_case(fault_name(one.fault)), (count(one.real), number(one.synthetic, 0))) for one in details.faults
    )
    broken = details.faults[0].synthetic
    return Figure(
        title=tr("Some synthetic patients have impossible visits")
        if broken
        else tr("No synthetic patient has impossible visits"),
        how=tr("Number of patients with each fault."),
        table=DataTable(tr("Patients with impossible visits"), (tr("Fault"), tr("Real"), tr("Synthetic")), rows),
    )


def _columns(report: Findings, name: str) -> Figure | None:
    """Return the columns of one score, the largest difference first."""
    score = report.find(name)
    details = details_of(score, VisitColumns)
    if details is None or not details.columns:
        return None
    shown = details.columns[:_MOST_ROWS]
    kind = kind_of(name)
    rows = tuple(
        Row(
            _part(name, one),
            (_figure(one.real), _figure(one.synthetic), _figure(one.reference), _figure(one.difference)),
        )
        for one in shown
    )
    return Figure(
        title=tr("{score}: {column} differs most", score=kind.label, column=_part(name, shown[0])),
        how=_how(name),
        table=DataTable(
            kind.label,
            (tr("Column"), tr("Real"), tr("Synthetic"), tr("Reference"), tr("Difference")),
            rows,
        ),
    )


def _across(report: Findings, name: str) -> Figure | None:
    """Return the figures of one score with a column for each lag or window, the column with the largest first."""
    details = details_of(report.find(name), VisitColumns)
    if details is None or not details.columns:
        return None
    parts = sorted({one.part for one in details.columns if one.part is not None})
    found = {(one.column, one.part): one for one in details.columns}
    names = list(dict.fromkeys(one.column for one in details.columns))[:_MOST_ROWS]
    rows = tuple(
        Row(
            column_name(column, 40),
            tuple(_across_cell(found.get((column, part))) for part in parts),
        )
        for column in names
    )
    heads = [tr("Lag {n}", n=part) if name == AUTOCORRELATION.name else tr("Window {n}", n=part) for part in parts]
    kind = kind_of(name)
    return Figure(
        title=tr("{score}: {column} differs most", score=kind.label, column=_part(name, details.columns[0])),
        how=_how(name),
        table=DataTable(kind.label, (tr("Column"), *heads), rows),
    )


def _across_cell(one: VisitColumn | None) -> str:
    """Return what real and synthetic patients have, or the distance with that of holdout patients in brackets."""
    if one is None or one.difference is None:
        return "\u2013"
    if one.real is not None and one.synthetic is not None:
        return tr("{real} \u2192 {synthetic}", real=number(one.real, 2), synthetic=number(one.synthetic, 2))
    if one.reference is None:
        return number(one.difference, 2)
    return f"{number(one.difference, 2)} ({number(one.reference, 2)})"


def _how(name: str) -> str:
    """Return what the figures of a score are."""
    if name == AUTOCORRELATION.name:
        return tr(
            "Correlation of a value with the one of some visits before (lag), of the same patient: in training and in "
            "synthetic patients. Largest difference first."
        )
    if name == WINDOWS.name:
        return tr(
            "Distance of the distributions within four windows of time, each with a quarter of the training visits; in "
            "brackets that of holdout patients. Largest first."
        )
    if name == ICC.name:
        text = tr(
            "Intraclass correlation: the share of the variance of a column that is between patients. 1: a patient "
            "always has the same value; 0: visits of a patient are as different as those of two patients."
        )
    elif name == TRANSITIONS.name:
        text = tr("Share of visits with the level of the visit before, and distance of the next levels.")
    else:
        text = tr("Share of missing cells, after a missing cell and after an observed one.")
    rest = tr("Difference: mean over random halves of the real patients; reference: holdout patients. Largest first.")
    return f"{text} {rest}"


def _part(name: str, one: VisitColumn) -> str:
    """Return a column, with its lag, window or state."""
    column = column_name(one.column, 40)
    if one.part is None:
        return column
    if name == AUTOCORRELATION.name:
        return tr("{column}, lag {lag}", column=column, lag=one.part)
    if name == WINDOWS.name:
        return tr("{column}, window {window}", column=column, window=one.part)
    if one.part:
        return tr("{column}, after a missing cell", column=column)
    return tr("{column}, after an observed cell", column=column)


def _next_values(report: Findings) -> Figure | None:
    score = report.find(NEXT_VALUES.name)
    details = None if score is None else NEXT_VALUES.read(score)
    if details is None or not details.columns:
        return None
    rows = tuple(
        Row(
            column_name(one.column, 40),
            (measure_name(one.measure), _figure(one.synthetic), _figure(one.real)),
        )
        for one in details.columns
    )
    return Figure(
        title=tr("Prediction of next visits: {column} loses most", column=column_name(details.columns[0].column, 40)),
        how=tr(
            "Each column at a visit of holdout patients, predicted from their visits before by a regression trained on "
            "synthetic or on real patients. Largest loss first."
        ),
        table=DataTable(
            tr("Prediction of next visits"),
            (tr("Column"), tr("Measure"), tr("Synthetic"), tr("Real")),
            rows,
            words=1,
        ),
    )


def _figure(value: float | None) -> str:
    return tr("none") if value is None else number(value)
