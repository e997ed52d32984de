"""Which cells are missing together, and what goes with a missing cell."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.report.charts.axes import linear_axis
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.figures import DataTable, Figure, Row, StripRow
from synthclin.report.record.score_details import DependenceDetails, MissingDetails
from synthclin.report.words import number, plain, share, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.report.charts.axes import ChartAxis
    from synthclin.report.findings import Findings
    from synthclin.report.record.score_details import MissingTie, Pattern

__all__ = ["missingness_figures"]

_MOST = 8


def missingness_figures(report: Findings) -> list[Figure]:
    """Return the patterns of missing cells and what goes with them, as far as there are any."""
    figures = (_patterns(report), _dependence(report))
    return [figure for figure in figures if figure is not None]


def _patterns(report: Findings) -> Figure | None:
    score = report.find("fidelity.missingness")
    if score is None or math.isnan(score.value):
        return None
    patterns = [p for p in MissingDetails.model_validate(score.details).patterns if p.missing]
    if not patterns:
        return None
    patterns.sort(key=lambda p: -abs(p.real - p.synthetic))
    shown = patterns[:_MOST]
    axis = linear_axis([100 * x for p in shown for x in (p.real, p.synthetic)], 0.0)
    fresh = "" if score.reference is None else f", fresh real rows to {number(score.reference)}"
    return Figure(
        title=f"Patterns of missing cells agree to {number(score.value)}{fresh}",
        how="Columns that are missing in the same row, and the share of rows in which exactly these are: \u25a0 real, "
        "\u25cf synthetic. Largest difference first, in percentage points.",
        strip=tuple(_pattern_row(p, axis) for p in shown),
        axis=axis.picture("percent of rows"),
        note="Patterns of fewer than 11 real rows are pooled and not listed.",
        data=(
            DataTable(
                "Patterns of missing cells",
                ("Missing together", "Real", "Synthetic", "Difference"),
                tuple(
                    Row(
                        _together(p.missing),
                        (share(p.real, 1), share(p.synthetic, 1), signed(100 * (p.synthetic - p.real), 1)),
                    )
                    for p in patterns
                ),
            ),
        ),
    )


def _pattern_row(p: Pattern, axis: ChartAxis) -> StripRow:
    marks = [Mark("real", 100 * p.real), Mark("synthetic", 100 * p.synthetic)]
    told = f"real {share(p.real, 1)}, synthetic {share(p.synthetic, 1)}"
    picture = dot_row(_together(p.missing), f"{told.capitalize()}.", axis, marks, joined=True)
    return StripRow(_together(p.missing), "", picture, signed(100 * (p.synthetic - p.real), 1), "points")


def _together(names: Sequence[str]) -> str:
    shown = [plain(name, 24) for name in names[:4]]
    return ", ".join(shown) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def _dependence(report: Findings) -> Figure | None:
    score = report.find("fidelity.missing_dependence")
    if score is None or math.isnan(score.value):
        return None
    ties = DependenceDetails.model_validate(score.details).ties
    if not ties:
        return None
    shown = sorted(ties, key=lambda tie: -abs(tie.real - tie.synthetic))[:_MOST]
    axis = linear_axis([x for tie in shown for x in (tie.real, tie.synthetic)], 0.0)
    gap = abs(shown[0].real - shown[0].synthetic)
    missing = plain(shown[0].missing, 30)
    fresh = "" if score.reference is None else f"; fresh real rows {number(score.reference)}"
    return Figure(
        title=f"Who lacks {missing} differs: {_beside(shown[0])} goes with it {_how(shown[0])}"
        if gap >= 0.1
        else "The same patients lack a value",
        how="Rank correlation of a column, or of one level of it, with another column being empty: \u25a0 real, "
        "\u25cf synthetic. 0 is no link. Largest difference first.",
        strip=tuple(_tie_row(tie, axis) for tie in shown),
        axis=axis.picture("rank correlation with being empty"),
        note=f"Mean difference over all pairs {number(score.value)}{fresh}.",
        data=(
            DataTable(
                "What goes with missing cells",
                ("Missing and column", "Real", "Synthetic", "Difference"),
                tuple(
                    Row(
                        f"{plain(tie.missing, 30)} missing, {_beside(tie)}",
                        (number(tie.real, 2), number(tie.synthetic, 2), signed(tie.synthetic - tie.real)),
                    )
                    for tie in ties
                ),
            ),
        ),
    )


def _beside(tie: MissingTie) -> str:
    return plain(tie.column, 30) + ("" if tie.level is None else f": {plain(tie.level, 30)}")


def _how(tie: MissingTie) -> str:
    if tie.real * tie.synthetic < 0:
        return "the other way round"
    return "less than in real rows" if abs(tie.synthetic) < abs(tie.real) else "more than in real rows"


def _tie_row(tie: MissingTie, axis: ChartAxis) -> StripRow:
    told = f"Real {number(tie.real, 2)}, synthetic {number(tie.synthetic, 2)}."
    marks = [Mark("real", tie.real), Mark("synthetic", tie.synthetic)]
    picture = dot_row(_beside(tie), told, axis, marks, lines=(0.0,), joined=True)
    return StripRow(
        f"{plain(tie.missing, 30)} missing", _beside(tie), picture, signed(tie.synthetic - tie.real), "difference"
    )
