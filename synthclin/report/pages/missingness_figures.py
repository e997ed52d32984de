"""Figures of missingness: patterns of missing values, and correlations with missingness."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.fidelity.missing_dependence import MISSING_DEPENDENCE
from synthclin.evaluation.fidelity.missingness import MISSINGNESS
from synthclin.evaluation.labels import column_level, column_name
from synthclin.language import tr
from synthclin.report.charts.axes import linear_axis
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.figures import DataTable, Figure, Row, StripRow
from synthclin.wording import number, share, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.evaluation.fidelity.missing_dependence import MissingnessCorrelation
    from synthclin.evaluation.fidelity.missingness import Pattern
    from synthclin.report.charts.axes import ChartAxis
    from synthclin.report.findings import Findings

__all__ = ["missingness_figures"]

_MOST = 6


def missingness_figures(report: Findings) -> list[Figure]:
    """Return the figures of missingness patterns and of correlations with missingness, without empty ones."""
    figures = (_patterns(report), _dependence(report))
    return [figure for figure in figures if figure is not None]


def _patterns(report: Findings) -> Figure | None:
    score = report.find(MISSINGNESS.name)
    if score is None or math.isnan(score.value):
        return None
    details = MISSINGNESS.read(score)
    patterns = [p for p in details.patterns if p.missing] if details else []
    if not patterns:
        return None
    patterns.sort(key=lambda p: -abs(p.real - p.synthetic))
    shown = patterns[:_MOST]
    axis = linear_axis([100 * x for p in shown for x in (p.real, p.synthetic)], 0.0)
    reference = (
        ""
        if score.reference is None
        else tr(
            "; holdout rows reach {reference}",
            reference=number(score.reference),
        )
    )
    return Figure(
        title=tr(
            "Agreement of missingness patterns is {value}{reference}",
            value=number(score.value),
            reference=reference,
        ),
        how=tr(
            "Sets of columns, and the share of rows in which exactly these are missing: \u25a0 real, \u25cf "
            "synthetic.  Largest difference first, in percentage points."
        ),
        strip=tuple(_pattern_row(p, axis) for p in shown),
        axis=axis.picture(tr("percent of rows")),
        note=tr("Patterns of fewer than 11 real rows are pooled and not listed."),
        data=(
            DataTable(
                tr("Missingness patterns"),
                (tr("Missing together"), tr("Real"), tr("Synthetic"), tr("Difference")),
                tuple(
                    Row(
                        _column_names(p.missing),
                        (share(p.real, 1), share(p.synthetic, 1), signed(100 * (p.synthetic - p.real), 1)),
                    )
                    for p in patterns
                ),
            ),
        ),
    )


def _pattern_row(p: Pattern, axis: ChartAxis) -> StripRow:
    marks = [Mark("real", 100 * p.real), Mark("synthetic", 100 * p.synthetic)]
    shares = tr("Real {real}, synthetic {synthetic}.", real=share(p.real, 1), synthetic=share(p.synthetic, 1))
    picture = dot_row(_column_names(p.missing), shares, axis, marks, joined=True)
    return StripRow(_column_names(p.missing), "", picture, signed(100 * (p.synthetic - p.real), 1), tr("points"))


def _column_names(names: Sequence[str]) -> str:
    shown = [column_name(name, 24) for name in names[:4]]
    return ", ".join(shown) + (tr(" and {n} more", n=len(names) - 4) if len(names) > 4 else "")


def _dependence(report: Findings) -> Figure | None:
    score = report.find(MISSING_DEPENDENCE.name)
    if score is None or math.isnan(score.value):
        return None
    details = MISSING_DEPENDENCE.read(score)
    correlations = details.correlations if details else []
    if not correlations:
        return None
    shown = sorted(correlations, key=lambda one: -abs(one.real - one.synthetic))[:_MOST]
    axis = linear_axis([x for one in shown for x in (one.real, one.synthetic)], 0.0)
    gap = abs(shown[0].real - shown[0].synthetic)
    missing = column_name(shown[0].missing, 30)
    reference = (
        ""
        if score.reference is None
        else tr(
            "; holdout rows {reference}",
            reference=number(score.reference),
        )
    )
    return Figure(
        title=tr(
            "Missingness of {missing} and {column}: {comparison}",
            missing=missing,
            column=_level_name(shown[0]),
            comparison=_comparison(shown[0]),
        )
        if gap >= 0.1
        else tr("Correlations with missingness agree with real rows"),
        how=tr(
            "Rank correlation of a column, or of one level of it, with the missingness indicator of "
            "another column: \u25a0 real, \u25cf synthetic. 0 is no association. Largest difference first."
        ),
        strip=tuple(_correlation_row(one, axis) for one in shown),
        axis=axis.picture(tr("rank correlation with missingness")),
        note=tr(
            "Mean difference over all pairs {value}{reference}.",
            value=number(score.value),
            reference=reference,
        ),
        data=(
            DataTable(
                tr("Correlations with missingness"),
                (tr("Missing and column"), tr("Real"), tr("Synthetic"), tr("Difference")),
                tuple(
                    Row(
                        tr(
                            "{missing} missing, {column}",
                            missing=column_name(one.missing, 30),
                            column=_level_name(one),
                        ),
                        (
                            number(one.real, 2),
                            number(one.synthetic, 2),
                            signed(one.synthetic - one.real),
                        ),
                    )
                    for one in correlations
                ),
            ),
        ),
    )


def _level_name(one: MissingnessCorrelation) -> str:
    return column_name(one.column, 30) if one.level is None else column_level(one.column, one.level, 30)


def _comparison(one: MissingnessCorrelation) -> str:
    if one.real * one.synthetic < 0:
        return tr("the correlation has the opposite sign")
    if abs(one.synthetic) < abs(one.real):
        return tr("the correlation is weaker than in real rows")
    return tr("the correlation is stronger than in real rows")


def _correlation_row(one: MissingnessCorrelation, axis: ChartAxis) -> StripRow:
    values = tr(
        "Real {real}, synthetic {synthetic}.",
        real=number(one.real, 2),
        synthetic=number(one.synthetic, 2),
    )
    marks = [Mark("real", one.real), Mark("synthetic", one.synthetic)]
    picture = dot_row(_level_name(one), values, axis, marks, lines=(0.0,), joined=True)
    return StripRow(
        tr("{column} missing", column=column_name(one.missing, 30)),
        _level_name(one),
        picture,
        signed(one.synthetic - one.real),
        tr("difference"),
    )
