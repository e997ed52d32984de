"""The sections on fidelity (distributions, associations, missingness) and on detection (C2ST)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.fidelity.detection import DETECTION, DetectionDetails
from synthclin.evaluation.fidelity.marginals import MARGINALS, MarginalDetails
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import details_of
from synthclin.evaluation.summaries import feature_text
from synthclin.language import tr, tr_plural
from synthclin.report.charts.charts import small_bar
from synthclin.report.charts.roc_plot import roc_plot
from synthclin.report.pages.association_figures import associations_figure
from synthclin.report.pages.distribution_figures import distribution_figures
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.marginal_figures import distance_name, marginals_figure
from synthclin.report.pages.missingness_figures import missingness_figures
from synthclin.report.pages.questions import section_status
from synthclin.report.pages.scale_figure import scale_figure
from synthclin.report.pages.support_figures import support_figures
from synthclin.wording import count, interval, listed, number, plain, sentence_case, share, typeset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.evaluation.fidelity.marginals import ColumnAgreement
    from synthclin.report.findings import Findings
    from synthclin.report.record.section_data import SectionData

__all__ = ["curve_table", "detection_section", "fidelity_section"]

_FAR = 0.10  # a visible distance between distributions
_BY_CHANCE = 0.02  # margin above the distance of holdout rows
_ELSEWHERE = {
    "privacy",
    "inference",
    "utility",
    "calibration",
    "classification",
    "importance",
    "subgroups",
    "visits",
}  # own sections


def fidelity_section(report: Findings, data: SectionData) -> Section:
    """Return the figures of marginals, associations, missingness, tails, heaping, rare levels and triples."""
    agreements = details_of(report.find(MARGINALS.name), MarginalDetails)
    columns = [] if agreements is None else agreements.columns
    figures = [
        scale_figure(
            report,
            [score for score in report.scores if score.name.partition(".")[0] not in _ELSEWHERE],
            tr(
                "Each score on a scale from its independence baseline to its real-data reference. Hollow "
                "dot: real rows with each column shuffled independently. Solid dot at the right: holdout "
                "rows in the place of the synthetic ones. Between them: this synthetic table with its 95 % "
                "interval. Worst first."
            ),
        ),
        marginals_figure(data.marginals, columns, data.rows, _columns(columns)),
        associations_figure(report),
        *support_figures(data.support),
        *missingness_figures(report),
        *distribution_figures(report),
    ]
    return Section(
        key="fidelity",
        title=tr("How close are the distributions?"),
        contents=tr("Fidelity"),
        status=section_status(report, "fidelity"),
        figures=tuple(figure for figure in figures if figure is not None),
    )


def detection_section(report: Findings) -> Section:
    """Return the classifier two-sample test: ROC curve and permutation importance of columns."""
    score = report.find(DETECTION.name)
    section = Section("detection", tr("Detection"), tr("Detection"))
    if score is None or math.isnan(score.value):
        lead = (
            tr("No classifier was trained.")
            if score is None
            else tr(
                "Not assessable. {note}",
                note=typeset(score.note, 400),
            )
        )
        return Section(section.key, section.title, section.contents, None, (lead,))
    details = details_of(score, DetectionDetails)
    figures = []
    if details is not None and details.roc:
        found = tr(
            "Detection AUC {value} ({interval})",
            value=number(score.value),
            interval=interval(score.low, score.high),
        )
        memorised = (
            ""
            if details.auc_against_train is None
            else tr(
                "Against training rows (memorisation check): AUC {value}. ",
                value=number(details.auc_against_train),
            )
        )
        figures.append(
            Figure(
                title=_detection_finding(score.value),
                how=tr(
                    "Classifier two-sample test (C2ST) of synthetic against holdout rows: share of "
                    "synthetic rows detected (true positive rate, vertical) against share of holdout "
                    "rows called synthetic (false positive rate, horizontal). On the dashed diagonal the "
                    "classifier is at chance."
                ),
                plot=roc_plot(
                    tr("ROC curve of the classifier"),
                    [(tr("classifier"), "lsyn2", details.roc)],
                    tr("{found}; 0.5 is chance.", found=found),
                ),
                note=plain(
                    tr(
                        "{found}, synthetic against holdout. {memorised}{note}",
                        found=found,
                        memorised=memorised,
                        note=score.note,
                    ),
                    400,
                ),
                data=(curve_table(tr("Points of the ROC curve"), details.roc),),
            )
        )
    listing = details.columns if details else []
    drops = [(one.auc_drop, feature_text(one.column, one.summary, 40)) for one in listing if one.auc_drop]
    is_of_patients = any(one.summary for one in listing)
    drops = sorted((drop for drop in drops if drop[0] > 0), reverse=True)
    if drops:
        top = drops[0][0]
        rows = tuple(Row(name, (number(drop),), bar=small_bar(drop, top)) for drop, name in drops[:8])
        figures.append(
            Figure(
                title=sentence_case(tr("{column} contributes most to detection", column=drops[0][1]))
                if is_of_patients
                else tr("{column} contributes most to detection", column=drops[0][1]),
                how=tr("Permutation importance: loss of detection AUC when one column is shuffled. Largest first."),
                table=DataTable(tr("Columns by permutation importance"), (tr("Column"), tr("Loss of AUC")), rows),
            )
        )
    return Section(section.key, section.title, section.contents, None, (), tuple(figures))


def _detection_finding(area: float) -> str:
    if area <= 0.55:
        return tr("A classifier hardly separates synthetic from real rows")
    if area <= 0.65:
        return tr("A classifier separates synthetic from real rows slightly better than chance")
    if area <= 0.80:
        return tr("A classifier separates synthetic from real rows clearly better than chance")
    return tr("A classifier separates most synthetic rows from real ones")


def _columns(columns: Sequence[ColumnAgreement]) -> tuple[str, DataTable] | None:
    """Return what the distances of the columns show, and their table."""
    if not columns:
        return None
    ordered = sorted(columns, key=lambda column: column.value)
    top = max(0.2, *(1 - column.value for column in columns))
    rows = tuple(
        Row(
            column_name(column.column, 40),
            (
                distance_name(column.measure),
                _few(column.missing_real),
                share(column.missing_synthetic),
                tr("none") if column.reference is None else number(1 - column.reference),
                number(1 - column.value),
            ),
            bar=small_bar(1 - column.value, top, None if column.reference is None else min(1 - column.reference, top)),
            over=_far(column),
        )
        for column in ordered
    )
    table = DataTable(
        tr("Distance of each column from the real one, and of holdout rows"),
        (tr("Column"), tr("Measure"), tr("Missing, real"), tr("Missing, synthetic"), tr("Reference"), tr("Distance")),
        rows,
        words=1,
    )
    return _columns_finding(ordered), table


def _far(column: ColumnAgreement) -> bool:
    """Return whether the distance of a column is visible and larger than that of holdout rows."""
    reference = 0.0 if column.reference is None else 1 - column.reference
    return 1 - column.value > max(_FAR, reference + _BY_CHANCE)


def _few(value: float | None) -> str:
    return tr("{n} rows", n=count(1)) if value is None else share(value)


def _columns_finding(ordered: Sequence[ColumnAgreement]) -> str:
    far = [column_name(column.column, 30) for column in ordered if _far(column)]
    if not far:
        as_reference = any(1 - column.value > _FAR for column in ordered)
        if as_reference:
            return tr("All columns agree as well as holdout rows do with the real ones")
        return tr("All columns agree closely with the real ones")
    if len(far) == len(ordered):
        return tr("All columns differ visibly from the real ones")
    if len(far) <= 3:
        return tr_plural(
            "{columns} differs most; the other columns agree closely",
            "{columns} differ most; the other columns agree closely",
            len(far),
            columns=listed(far),
        )
    return tr("{n} of {all} columns differ visibly, {column} most", n=len(far), all=len(ordered), column=far[0])


def curve_table(caption: str, points: Sequence[tuple[float, float]]) -> DataTable:
    """Return the points of a ROC curve as a table."""
    rows = tuple(Row(share(x, 1), (share(y, 1),)) for x, y in points)
    return DataTable(caption, (tr("False positive rate"), tr("True positive rate")), rows)
