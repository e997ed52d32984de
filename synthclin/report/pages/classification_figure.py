"""The figure on the generative model as a classifier, beside boosted trees trained on real rows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import details_of
from synthclin.evaluation.utility.model_classification import ClassificationDetails
from synthclin.evaluation.utility.prediction_kinds import in_words
from synthclin.language import tr
from synthclin.report.charts.axes import linear_axis
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.figures import DataTable, Figure, Row, StripRow
from synthclin.wording import interval, measure_name, number, plain, signed

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.report.charts.axes import ChartAxis

__all__ = ["classification_figure"]


def classification_figure(scores: list[Score]) -> Figure | None:
    """Return the figure on all assessable scores of the model as a classifier; None where there are none."""
    found = [(score, details) for score in scores if (details := _details(score)) is not None]
    if not found:
        return None
    found.sort(key=lambda pair: pair[0].value)
    axis = linear_axis(
        [value for _, one in found for value in (one.model, one.boosted_trees) if value is not None], 0.5
    )
    return Figure(
        title=_finding([score for score, _ in found]),
        how=tr(
            "Performance on holdout patients of \u25a0 boosted trees trained on the real training rows and of "
            "\u25cf the conditional class probabilities of the generative model, without any synthetic row. "
            "Largest loss first."
        ),
        strip=tuple(_strip(score, one, axis) for score, one in found),
        axis=axis.picture(measure_name(found[0][1].measure)),
        data=(
            DataTable(
                tr("The generative model as a classifier"),
                (
                    tr("Target"),
                    tr("Measure"),
                    tr("Boosted trees"),
                    tr("Model"),
                    tr("Brier score, trees"),
                    tr("Brier score, model"),
                    tr("Calibration slope, model"),
                ),
                tuple(_cells(score, one) for score, one in found),
                words=1,
            ),
        ),
    )


def _details(score: Score) -> ClassificationDetails | None:
    return None if math.isnan(score.value) else details_of(score, ClassificationDetails)


def _target(score: Score) -> str:
    return column_name(score.name.removeprefix("classification."), 30)


def _finding(scores: list[Score]) -> str:
    """Return the title, which tells the largest loss."""
    worst = min(scores, key=lambda score: score.value)
    if worst.value >= 0:
        return tr("The generative model itself predicts real patients no worse than boosted trees")
    loss = tr(
        "The generative model itself predicts {target} worse than boosted trees by {loss}",
        target=_target(worst),
        loss=number(-worst.value),
    )
    return loss if worst.high < 0 else tr("{loss}, within chance", loss=loss)


def _strip(score: Score, details: ClassificationDetails, axis: ChartAxis) -> StripRow:
    return StripRow(
        _target(score),
        tr("{measure} on {n} real patients", measure=measure_name(details.measure), n=number(score.n, 0)),
        dot_row(
            _target(score),
            tr(
                "Boosted trees {real}, model {model}.",
                real=number(details.boosted_trees),
                model=number(details.model),
            ),
            axis,
            [Mark("real", details.boosted_trees), Mark("synthetic", details.model)],
            lines=(0.5,),
            joined=True,
        ),
        signed(score.value, 3),
        interval(score.low, score.high),
    )


def _cells(score: Score, details: ClassificationDetails) -> Row:
    trees, model = details.boosted_trees_calibration, details.model_calibration
    return Row(
        _target(score),
        (
            plain(in_words(details.measure), 40),
            number(details.boosted_trees),
            number(details.model),
            number(trees.brier),
            number(model.brier),
            number(model.slope),
        ),
    )
