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
from synthclin.evaluation.visits.missing_runs import MISSING_RUNS
from synthclin.evaluation.visits.next_values import NEXT_VALUES
from synthclin.evaluation.visits.schedule import SCHEDULE, schedule_part_name
from synthclin.evaluation.visits.transitions import TRANSITIONS
from synthclin.evaluation.visits.windows import WINDOWS
from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.questions import section_status
from synthclin.report.pages.scale_figure import scale_figure
from synthclin.wording import measure_name, number, sentence_case, significant, typeset

if TYPE_CHECKING:
    from synthclin.evaluation.visits.details import VisitColumn
    from synthclin.report.findings import Findings

__all__ = ["visits_section"]

_MOST_ROWS = 30


def visits_section(report: Findings) -> Section | None:
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
        _schedule(report),
        *(_columns(report, name) for name in (ICC.name, AUTOCORRELATION.name, TRANSITIONS.name, MISSING_RUNS.name)),
        _columns(report, WINDOWS.name),
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


def _schedule(report: Findings) -> Figure | None:
    score = report.find(SCHEDULE.name)
    details = None if score is None else SCHEDULE.read(score)
    if details is None or not details.parts:
        return None
    rows = tuple(
        Row(
            sentence_case(schedule_part_name(part)),
            (
                _figure(part.median_real),
                _figure(part.median_synthetic),
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


def _how(name: str) -> str:
    """Return what the figures of a score are."""
    texts = {
        ICC.name: tr(
            "Intraclass correlation: the share of the variance of a column that is between patients. 1: a patient "
            "always has the same value; 0: visits of a patient are as different as those of two patients."
        ),
        AUTOCORRELATION.name: tr(
            "Correlation of a value with the one of some visits before (lag), of the same patient."
        ),
        TRANSITIONS.name: tr("Share of visits with the level of the visit before, and distance of the next levels."),
        MISSING_RUNS.name: tr("Share of missing cells, after a missing cell and after an observed one."),
        WINDOWS.name: tr("Distance of the distributions within four windows of time, each a quarter of the visits."),
    }
    rest = tr("Difference: mean over random halves of the real patients; reference: holdout patients. Largest first.")
    return f"{texts[name]} {rest}"


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
    if value is None:
        return tr("none")
    return number(value) if abs(value) < 10 else significant(value)
