"""The sections on likeness: distributions, associations, missing cells, and whether a classifier sees a difference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.report.charts.charts import reference_dots, roc, small_bar
from synthclin.report.pages.association_figures import associations_figure
from synthclin.report.pages.marginal_figures import MEASURES, marginals_figure
from synthclin.report.pages.distribution_figures import distribution_figures
from synthclin.report.pages.figures import DataTable, Figure, Row, Section, StripRow
from synthclin.report.pages.missingness_figures import missingness_figures
from synthclin.report.pages.questions import asked, worst
from synthclin.report.record.score_details import DetectionDetails, MarginalDetails
from synthclin.report.words import count, interval, listed, number, plain, plural, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings
    from synthclin.report.record.score_details import ColumnAgreement
    from synthclin.report.record.section_data import SectionData

__all__ = ["curve_table", "detection_section", "fidelity_section", "statuses"]

_FAR = 0.10  # a distance between columns that the eye sees
_BY_CHANCE = 0.02  # by which a column may miss the distance of fresh real rows
_ELSEWHERE = {"privacy", "inference", "utility", "calibration", "importance", "subgroups"}  # have their own pages
_FEW = 3  # measures, of which nothing is said in general


def statuses(report: Findings, section: str) -> str | None:
    """Return the status that a section shows."""
    return worst([v.status for v in report.verdicts if asked(v.gate.score).section == section])


def fidelity_section(report: Findings, data: SectionData) -> Section:
    """Return how close columns, pairs of columns and missing cells are."""
    score = report.find("fidelity.marginals")
    columns = [] if score is None else MarginalDetails.model_validate(score.details).columns
    figures = [
        _between(report),
        _columns(columns),
        marginals_figure(data.marginals, columns, data.rows),
        associations_figure(report, data),
        *missingness_figures(report),
        *distribution_figures(report),
    ]
    return Section(
        key="fidelity",
        title="How close are the distributions?",
        contents="Fidelity",
        status=statuses(report, "fidelity"),
        figures=tuple(figure for figure in figures if figure is not None),
    )


def detection_section(report: Findings, data: SectionData) -> Section:
    """Return whether a classifier tells synthetic from real rows, and by what."""
    score = report.find("fidelity.detection")
    section = Section("detection", "Can synthetic rows be told from real ones?", "Detection")
    if score is None or math.isnan(score.value):
        lead = "No classifier was trained." if score is None else f"Not assessable. {plain(score.note, 400)}"
        return Section(section.key, section.title, section.contents, statuses(report, "detection"), (lead,))
    details = DetectionDetails.model_validate(score.details)
    figures = []
    if data.detection.roc:
        found = f"AUC {number(score.value)} ({interval(score.low, score.high)})"
        figures.append(
            Figure(
                title=_detection_finding(score.value),
                how="Share of synthetic rows recognised (vertical) for a given share of real rows taken for synthetic "
                "(horizontal). The closer to the dashed diagonal, the less there is to see.",
                plot=roc(
                    "ROC curve of the classifier",
                    [("classifier", "lsyn2", data.detection.roc)],
                    f"{found}; 0.5 is a coin toss.",
                ),
                note=plain(f"{found} against real rows that the model never saw. {score.note}", 400),
                data=(curve_table("Points of the ROC curve", data.detection.roc),),
            )
        )
    drops = sorted((d for d in details.columns if d.auc_drop > 0), key=lambda d: -d.auc_drop)
    if drops:
        top = max(d.auc_drop for d in drops)
        rows = tuple(Row(plain(d.column, 40), (number(d.auc_drop),), bar=small_bar(d.auc_drop, top)) for d in drops[:8])
        figures.append(
            Figure(
                title=f"{plain(drops[0].column, 40)} gives synthetic rows away most",
                how="How much AUC the classifier loses when one column is shuffled. Largest first.",
                table=DataTable("Columns that give synthetic rows away", ("Column", "AUC lost"), rows),
            )
        )
    return Section(section.key, section.title, section.contents, statuses(report, "detection"), (), tuple(figures))


def _detection_finding(area: float) -> str:
    if area <= 0.55:
        return "A classifier hardly tells synthetic from real rows"
    if area <= 0.65:
        return "A classifier tells synthetic from real rows a little better than by guessing"
    if area <= 0.80:
        return "A classifier often tells synthetic from real rows"
    return "A classifier tells most synthetic rows from real ones"


def _between(report: Findings) -> Figure | None:
    rows: list[tuple[float, StripRow, Row]] = []
    for score in report.scores:
        if score.name.partition(".")[0] in _ELSEWHERE or math.isnan(score.value):
            continue
        question = asked(score.name)
        way = _way(score)
        cells = (_ends(score.baseline), number(score.value), interval(score.low, score.high), _ends(score.reference))
        if way is None:
            continue
        picture = reference_dots(question.name, score.value, score.low, score.high, *_ladder(score))
        told = f"{number(100 * min(way, 1), 0)}\u00a0%"  # nothing is better than real
        rows.append(
            (way, StripRow(question.name, question.unit, picture, told, "of the way"), Row(question.name, cells))
        )
    if not rows:
        return None
    rows.sort(key=lambda row: row[0])
    low = [row for row in rows if row[0] < 0.5]
    title = (
        "Measures between independence baseline and real-data reference"
        if len(rows) < _FEW
        else "Every measure lies nearer to fresh real rows than to shuffled columns"
    )
    if low:
        measures = plural(len(low), "measure lies", "measures lie")
        title = f"{measures[:1].upper()}{measures[1:]} nearer to shuffled columns than to fresh real rows"
    table = DataTable(
        "Measures between independence baseline and real-data reference",
        ("Measure", "Baseline", "Synthetic", "95 % interval", "Real data"),
        tuple(row for _, _, row in rows),
    )
    return Figure(
        title=title,
        how="Every number between a independence baseline and a real-data reference. Hollow dot: real columns, each shuffled on its own. Solid dot "
        "at the right: fresh real rows that the model never saw. Between them: this synthetic table with its 95 % "
        "interval. Worst first.",
        strip=tuple(row for _, row, _ in rows),
        ends=("\u25cb shuffled independence baseline", "fresh real real-data reference \u25cf"),
        note="Measures whose independence baseline and real-data reference hardly differ are left out: there is no way to go.",
        data=(table,),
    )


def _ladder(score: Score) -> tuple[float, float]:
    assert score.baseline is not None
    assert score.reference is not None
    return score.baseline, score.reference


def _way(score: Score) -> float | None:
    """Return how far a score has come from its independence baseline to its real-data reference; None where there is no way to go."""
    if score.baseline is None or score.reference is None:
        return None
    sign = 1 if score.better == "higher" else -1
    span = sign * (score.reference - score.baseline)
    return sign * (score.value - score.baseline) / span if span > 0.01 else None


def _ends(value: float | None) -> str:
    return "none" if value is None else number(value)


def _columns(columns: Sequence[ColumnAgreement]) -> Figure | None:
    if not columns:
        return None
    ordered = sorted(columns, key=lambda column: column.value)
    top = max(0.2, *(1 - column.value for column in columns))
    rows = tuple(
        Row(
            plain(column.column, 40),
            (
                MEASURES.get(column.measure, plain(column.measure, 20)),
                _few(column.missing_real),
                share(column.missing_synthetic),
                "none" if column.reference is None else number(1 - column.reference),
                number(1 - column.value),
            ),
            bar=small_bar(1 - column.value, top, None if column.reference is None else min(1 - column.reference, top)),
            over=_far(column),
        )
        for column in ordered
    )
    return Figure(
        title=_columns_finding(ordered),
        how="Distance of each synthetic column from the real one, 0 is the same and 1 is apart. Worst first. The mark "
        "on the bar is the distance of fresh real rows: nobody can do much better.",
        table=DataTable(
            "Columns, worst first",
            ("Column", "Measure", "Missing, real", "Missing, synthetic", "Fresh real", "Distance"),
            rows,
            words=1,
        ),
        note="KS distance: the largest gap between two cumulative distributions. Total variation: half the sum of all "
        "differences between shares, missing counted as a category.",
    )


def _far(column: ColumnAgreement) -> bool:
    """Return whether a column is visibly apart, and further than fresh real rows are by chance."""
    fresh = 0.0 if column.reference is None else 1 - column.reference
    return 1 - column.value > max(_FAR, fresh + _BY_CHANCE)


def _few(value: float | None) -> str:
    return count(1) + " rows" if value is None else share(value)


def _columns_finding(ordered: Sequence[ColumnAgreement]) -> str:
    far = [plain(column.column, 30) for column in ordered if _far(column)]
    if not far:
        as_fresh = any(1 - column.value > _FAR for column in ordered)
        return f"All columns follow the real ones {'as closely as fresh real rows do' if as_fresh else 'closely'}"
    if len(far) == len(ordered):
        return "All columns differ visibly from the real ones"
    if len(far) <= 3:
        return f"{listed(far)} {'differs' if len(far) == 1 else 'differ'} most; the other columns follow closely"
    return f"{len(far)} of {len(ordered)} columns differ visibly, {far[0]} most"


def curve_table(caption: str, points: Sequence[tuple[float, float]]) -> DataTable:
    """Return the points of a ROC curve as a table."""
    rows = tuple(Row(share(x, 1), (share(y, 1),)) for x, y in points)
    return DataTable(caption, ("False alarms", "Recognised"), rows)
