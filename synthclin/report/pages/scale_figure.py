"""Scores between their independence baseline and their real-data reference."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.language import tr
from synthclin.report.charts.charts import reference_dots
from synthclin.report.pages.figures import DataTable, Figure, Row, StripRow
from synthclin.wording import interval, number, plural, sentence_case

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["scale_figure"]

_FEW = 3  # too few measures for a general statement


def scale_figure(report: Findings, scores: Iterable[Score], how: str) -> Figure | None:
    """Return scores on a scale from their independence baseline to their real-data reference; None without any.

    Arguments:
        report: the report.
        scores: those to show; others without a value, baseline or reference are left out.
        how: how to read the figure.
    """
    rows: list[tuple[float, StripRow, Row]] = []
    for score in scores:
        if math.isnan(score.value):
            continue
        question = kind_of(score.name)
        position = _position(score)
        cells = (
            _number_or_none(score.baseline),
            number(score.value),
            interval(score.low, score.high),
            _number_or_none(score.reference),
        )
        if position is None:
            continue
        picture = reference_dots(question.label, score.value, score.low, score.high, *_ends_of_scale(score))
        way = f"{number(100 * min(position, 1), 0)}\u00a0%", tr("of the way")  # capped at the reference
        if report.edition == "shareable":  # nothing is computed from rounded figures
            way = number(score.value), ""
        rows.append(
            (
                position,
                StripRow(question.label, question.unit, picture, *way),
                Row(question.label, cells),
            )
        )
    if not rows:
        return None
    rows.sort(key=lambda row: row[0])
    low = [row for row in rows if row[0] < 0.5]
    title = (
        tr("Scores between independence baseline and real-data reference")
        if len(rows) < _FEW
        else tr("Every score is nearer to its real-data reference than to its independence baseline")
    )
    if low:
        title = sentence_case(
            plural(
                len(low),
                "one score is nearer to the independence baseline than to the real-data reference",
                "{n} scores are nearer to the independence baseline than to the real-data reference",
            )
        )
    table = DataTable(
        tr("Scores between independence baseline and real-data reference"),
        (tr("Score"), tr("Baseline"), tr("Synthetic"), tr("95 % interval"), tr("Reference")),
        tuple(row for _, _, row in rows),
    )
    return Figure(
        title=title,
        how=how,
        strip=tuple(row for _, row, _ in rows),
        ends=(tr("\u25cb independence baseline"), tr("real-data reference \u25cf")),
        note=tr("Scores whose baseline and reference differ by 0.01 or less are left out."),
        data=(table,),
    )


def _ends_of_scale(score: Score) -> tuple[float, float]:
    assert score.baseline is not None
    assert score.reference is not None
    return score.baseline, score.reference


def _position(score: Score) -> float | None:
    """Return the position of a score from its baseline (0) to its reference (1); None where the two hardly differ."""
    if score.baseline is None or score.reference is None:
        return None
    sign = 1 if score.better == "higher" else -1
    span = sign * (score.reference - score.baseline)
    return sign * (score.value - score.baseline) / span if span > 0.01 else None


def _number_or_none(value: float | None) -> str:
    return tr("none") if value is None else number(value)
