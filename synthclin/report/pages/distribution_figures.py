"""Figures of tails, heaping, rare levels, triples of columns and category pairs unseen in training."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.fidelity.heaping import HEAPING
from synthclin.evaluation.fidelity.rare_levels import RARE_LEVELS
from synthclin.evaluation.fidelity.tails import TAILS
from synthclin.evaluation.fidelity.triples import TRIPLES
from synthclin.evaluation.fidelity.unseen_pairs import UNSEEN_PAIRS
from synthclin.evaluation.labels import column_level, column_name
from synthclin.language import tr
from synthclin.report.charts.axes import ChartAxis, linear_axis, log_axis
from synthclin.report.charts.charts import small_bar
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.figures import DataTable, Figure, Row, StripRow
from synthclin.wording import listed, number, plural, sentence_case, share, signed

if TYPE_CHECKING:
    from synthclin.evaluation.fidelity.pairs import Agreement
    from synthclin.evaluation.fidelity.rare_levels import RareLevel
    from synthclin.evaluation.fidelity.tails import ColumnTails
    from synthclin.evaluation.fidelity.unseen_pairs import UnseenPair
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["distribution_figures"]

_MOST = 6
_FAR = 0.25  # real interquartile ranges: a larger shift of an outer percentile is named in the title


def distribution_figures(report: Findings) -> list[Figure]:
    """Return a figure for each of these scores, without empty ones."""
    makers = {
        TAILS.name: _tails,
        HEAPING.name: _heaping,
        RARE_LEVELS.name: _rare_levels,
        TRIPLES.name: _triples,
        UNSEEN_PAIRS.name: _unseen_pairs,
    }
    found = []
    for name, make in makers.items():
        score = report.find(name)
        if score is not None and not math.isnan(score.value):
            found.append(make(score))
    return [figure for figure in found if figure is not None]


def _tails(score: Score) -> Figure | None:
    details = TAILS.read(score)
    columns = details.columns if details else []
    shown_columns = [column for column in columns if any(shift is not None for shift in column.shifts)]
    if not shown_columns:
        return None
    shown = shown_columns[:_MOST]
    axis = linear_axis([x for column in shown for x in column.shifts if x is not None], -_FAR, _FAR)
    low = [column for column in shown_columns if (column.value or 0.0) > max(_FAR, (column.reference or 0.0) + 0.02)]
    title = (
        tr("Outer percentiles agree with the real ones")
        if not low
        else plural(
            len(low),
            "one column shifted in the tails, {column} most",
            "{n} columns shifted in the tails, {column} most",
            column=column_name(low[0].column, 30),
        )
    )
    return Figure(
        title=sentence_case(title),
        how=tr(
            "Shift of outer percentiles of synthetic rows from the real ones, in real interquartile "
            "ranges. \u25cb 1st and 5th percentile, \u25cf 95th and 99th. Left of the dotted line is lower than "
            "real. Worst first."
        ),
        strip=tuple(_tail_row(column, axis) for column in shown),
        axis=axis.picture(tr("shift in real interquartile ranges")),
        note=_mean_note(score),
        data=(
            DataTable(
                tr("Shifts of outer percentiles, in real interquartile ranges"),
                (tr("Column"), *_percentiles(), tr("Mean, reference"), tr("Mean")),
                tuple(
                    Row(
                        column_name(column.column, 40),
                        (*(signed(x) for x in _four(column)), number(column.reference), number(column.value)),
                    )
                    for column in shown_columns
                ),
            ),
        ),
    )


def _percentiles() -> tuple[str, str, str, str]:
    return tr("1st"), tr("5th"), tr("95th"), tr("99th")


def _four(column: ColumnTails) -> list[float | None]:
    return [*column.shifts, None, None, None, None][:4]


def _tail_row(column: ColumnTails, axis: ChartAxis) -> StripRow:
    name = column_name(column.column, 40)
    lower, upper = _four(column)[:2], _four(column)[2:]
    reference = (
        ""
        if column.reference is None
        else tr(
            "reference {reference}",
            reference=number(column.reference, 2),
        )
    )
    shifts = ", ".join(
        f"{word} {signed(x)}" for word, x in zip(_percentiles(), _four(column), strict=True) if x is not None
    )
    marks = [Mark("reference", x) for x in lower] + [Mark("synthetic", x) for x in upper]
    picture = dot_row(name, tr("Shifts: {shifts}.", shifts=shifts), axis, marks, lines=(0.0,), joined=True)
    return StripRow(name, "", picture, number(column.value, 2), reference)


def _heaping(score: Score) -> Figure | None:
    details = HEAPING.read(score)
    columns = [(one, one.value) for one in details.columns if one.value is not None] if details else []
    if not columns:
        return None
    top = max(0.05, *(value for _, value in columns))
    rows = tuple(
        Row(
            column_name(column.column, 40),
            (tr("none") if column.reference is None else share(column.reference, 1), share(value, 1)),
            bar=small_bar(value, top, None if column.reference is None else min(column.reference, top)),
            over=value > (column.reference or 0.0) + 0.02,
        )
        for column, value in columns[:_MOST]
    )
    far = [column for column, value in columns if value > (column.reference or 0.0) + 0.02]
    return Figure(
        title=tr("{column} has different heaping", column=column_name(far[0].column, 30))
        if far
        else tr("Heaping agrees with real rows"),
        how=tr(
            "Largest difference between shares: of values that end in 0 or 5 or are on a common step, of "
            "one frequent value, of a weekday, of the usual days of the month, or of the usual hours. "
            "The mark on the bar is the difference for holdout rows. Worst first."
        ),
        table=DataTable(tr("Heaping of numbers and dates"), (tr("Column"), tr("Reference"), tr("Difference")), rows),
        note=_mean_note(score),
    )


def _rare_levels(score: Score) -> Figure | None:
    details = RARE_LEVELS.read(score)
    if details is None or not details.levels:
        return None
    levels = sorted(details.levels, key=lambda level: level.log_ratio)[:_MOST]
    axis = log_axis([math.exp(level.log_ratio) for level in levels], widest=50.0)
    rarest = levels[0]
    worst = column_level(rarest.column, rarest.level, 30)
    there = tr(" {coverage} of rare levels occur in synthetic rows.", coverage=share(details.coverage))
    return Figure(
        title=tr("Of rare levels, {worst} is under-represented most", worst=worst)
        if rarest.log_ratio < math.log(0.8)
        else tr("Rare levels are about as frequent as in real rows"),
        how=tr(
            "Share in synthetic rows over share in real rows, of levels with at least 11 patients and "
            "less than a tenth of them. 1 is equal, 0.5 half as frequent. Most under-represented first."
        ),
        strip=tuple(_rare_level_row(level, axis) for level in levels),
        axis=axis.picture(tr("share in synthetic rows over share in real rows (log)")),
        note=f"{_mean_note(score)}{there}",
        data=(
            DataTable(
                tr("Rare levels"),
                (tr("Level"), tr("Synthetic over real")),
                tuple(
                    Row(column_level(level.column, level.level, 40), (number(math.exp(level.log_ratio), 2),))
                    for level in details.levels
                ),
            ),
        ),
    )


def _rare_level_row(level: RareLevel, axis: ChartAxis) -> StripRow:
    ratio = math.exp(level.log_ratio)
    name = column_level(level.column, level.level, 30)
    picture = dot_row(
        name,
        tr("{ratio} times the real share.", ratio=number(ratio, 2)),
        axis,
        [Mark("synthetic", ratio)],
        lines=(1.0,),
    )
    return StripRow(name, "", picture, number(ratio, 2), tr("of the real share"))


def _triples(score: Score) -> Figure | None:
    details = TRIPLES.read(score)
    if details is None or not details.worst:
        return None
    worst = details.worst
    axis = linear_axis([x for one in worst for x in (one.value, one.reference) if x is not None])
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
            "Mean agreement of triples of columns is {value}{reference}",
            value=number(score.value),
            reference=reference,
        ),
        how=tr(
            "The triples with least agreement: \u25cf synthetic rows, against \u25cb holdout rows. 1 is the same "
            "joint distribution of levels and bins."
        ),
        strip=tuple(_triple_row(one, axis) for one in worst[:_MOST]),
        axis=axis.picture(tr("agreement of three columns")),
        data=(
            DataTable(
                tr("Triples of columns with least agreement"),
                (tr("Columns"), tr("Reference"), tr("Synthetic")),
                tuple(Row(_names(one), (number(one.reference), number(one.value))) for one in worst),
            ),
        ),
    )


def _names(one: Agreement) -> str:
    return " \u2013 ".join(column_name(name, 22) for name in one.columns)


def _triple_row(one: Agreement, axis: ChartAxis) -> StripRow:
    reference = "" if one.reference is None else tr("reference {reference}", reference=number(one.reference))
    marks = [Mark("reference", one.reference), Mark("synthetic", one.value)]
    picture = dot_row(_names(one), f"{number(one.value)}; {reference}.", axis, marks, joined=True)
    return StripRow(_names(one), "", picture, number(one.value), reference)


def _unseen_pairs(score: Score) -> Figure | None:
    details = UNSEEN_PAIRS.read(score)
    if details is None or not details.pairs:
        return None
    reference = (
        ""
        if score.reference is None
        else tr(
            "; holdout rows {reference}",
            reference=share(score.reference, 1),
        )
    )
    return Figure(
        title=tr(
            "{value} of synthetic rows contain a category pair unseen in training{reference}",
            value=share(score.value, 1),
            reference=reference,
        ),
        how=tr("Most frequent first. An unseen pair may still be possible: ask a clinician."),
        table=DataTable(
            tr("Category pairs unseen in training"),
            (tr("Pair"), tr("Synthetic rows")),
            tuple(Row(_unseen_pair(pair), (number(pair.rows, 0),)) for pair in details.pairs[:_MOST]),
        ),
    )


def _unseen_pair(pair: UnseenPair) -> str:
    return listed([column_level(column, level, 24) for column, level in zip(pair.columns, pair.levels, strict=True)])


def _mean_note(score: Score) -> str:
    reference = (
        ""
        if score.reference is None
        else tr(
            "; holdout rows {reference}",
            reference=number(score.reference),
        )
    )
    return (
        tr("Mean over columns {value}{reference}.", value=number(score.value), reference=reference)
        if score.name != RARE_LEVELS.name
        else (tr("Mean agreement {value}{reference}.", value=number(score.value), reference=reference))
    )
