"""The section on prediction: performance of models trained on synthetic rows, calibration, feature importance."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.labels import column_name, with_labels
from synthclin.evaluation.score import details_of
from synthclin.evaluation.utility.prediction_kinds import (
    CalibrationDetails,
    ImportanceDetails,
    PredictionDetails,
    in_words,
)
from synthclin.language import tr
from synthclin.report.charts.axes import linear_axis
from synthclin.report.charts.calibration_plot import calibration_plot
from synthclin.report.charts.charts import reference_dots
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.classification_figure import classification_figure
from synthclin.report.pages.figures import DataTable, Figure, Panel, Row, Section, StripRow
from synthclin.report.pages.questions import label_of, section_status
from synthclin.report.pages.words import learner_name
from synthclin.wording import interval, measure_name, number, plain, share, signed, typeset

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Verdict
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.utility.prediction_kinds import CalibratedLearner
    from synthclin.report.findings import Findings

__all__ = ["utility_section"]

_MOST_COLUMNS = 10


def utility_section(report: Findings) -> Section:
    """Return performance on holdout rows, calibration and feature importance of models trained on synthetic rows."""
    scores = [score for score in report.scores if score.name.startswith("utility.")]
    section = (
        "utility",
        tr("Do models trained on it predict real patients?"),
        tr("Prediction"),
        section_status(report, "utility"),
    )
    if not scores:
        return Section(
            *section,
            (tr("No prediction was declared: there is no task, and no column has the role outcome."),),
        )
    lead = tuple(
        tr(
            "{score}: not assessable. {note}",
            score=label_of(score.name),
            note=typeset(with_labels(score.note), 300),
        )
        for score in scores
        if math.isnan(score.value)
    )
    known = sorted((s for s in scores if not math.isnan(s.value)), key=lambda s: s.value)
    if not known:
        return Section(*section, lead)
    table = tuple(row for score in known for row in _learners(score))
    notes = dict.fromkeys(typeset(with_labels(score.note), 300) for score in known if score.note)
    figure = Figure(
        title=_utility_finding(known, report.verdicts),
        how=tr(
            "All models are tested on the same holdout patients. Hollow dot: trained on shuffled real "
            "rows. Solid dot at the right: trained on as many real rows (TRTR). Between them: trained on "
            "synthetic rows (TSTR), with the 95 % interval of the difference. Largest loss first."
        ),
        strip=tuple(_utility_row(score) for score in known),
        ends=(tr("\u25cb shuffled"), tr("real \u25cf")),
        note=" ".join(notes),
        data=(
            DataTable(
                tr("Performance on holdout patients, by training rows"),
                (tr("Target and learner"), tr("Measure"), tr("Shuffled"), tr("Synthetic"), tr("Real")),
                table,
                words=1,
            ),
        ),
    )
    more = [
        *(_calibration(score) for score in report.scores if score.name.startswith("calibration.")),
        *(_importance(score) for score in report.scores if score.name.startswith("importance.")),
        classification_figure([score for score in report.scores if score.name.startswith("classification.")]),
    ]
    return Section(*section, lead, (figure, *(each for each in more if each is not None)))


def _utility_finding(scores: list[Score], verdicts: tuple[Verdict, ...]) -> str:
    by_name = {verdict.gate.score: verdict.status for verdict in verdicts}
    if all(by_name.get(score.name) == "PASS" for score in scores):
        return tr("Models trained on synthetic rows predict real patients within the limit")
    worst = scores[0]
    name = column_name(worst.name.removeprefix("utility."), 30)
    if worst.value >= 0:
        return tr("Models trained on synthetic rows predict real patients no worse")
    loss = tr(
        "Prediction of {target} loses {loss} when trained on synthetic rows",
        target=name,
        loss=number(-worst.value),
    )
    return loss if worst.high < 0 else tr("{loss}, within chance", loss=loss)


def _utility_row(score: Score) -> StripRow:
    name = column_name(score.name.removeprefix("utility."), 30)
    details = details_of(score, PredictionDetails)
    learners = details.learners if details else []
    means = {source: _mean([getattr(one, source) for one in learners]) for source in ("real", "synthetic", "shuffled")}
    real, synthetic, shuffled = means["real"], means["synthetic"], means["shuffled"]
    picture = None
    if real is not None and synthetic is not None and shuffled is not None and real - shuffled > 0.01:
        picture = reference_dots(name, synthetic, real + score.low, real + score.high, shuffled, real)
    measure = measure_name(details.measure) if details else ""
    ends = interval(score.low, score.high)
    return StripRow(
        name,
        tr("{measure} on {n} real patients", measure=measure, n=number(score.n, 0)),
        picture,
        signed(score.value, 3),
        ends,
    )


def _mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _learners(score: Score) -> list[Row]:
    details = details_of(score, PredictionDetails)
    if details is None:
        return []
    target = column_name(score.name.removeprefix("utility."), 30)
    return [
        Row(
            f"{target}, {plain(learner_name(one.learner), 30)}",
            (plain(in_words(details.measure), 40), number(one.shuffled), number(one.synthetic), number(one.real)),
        )
        for one in details.learners
    ]


def _calibration(score: Score) -> Figure | None:
    details = details_of(score, CalibrationDetails)
    if math.isnan(score.value) or details is None or not details.learners:
        return None
    learners = details.learners
    target = column_name(score.name.removeprefix("calibration."), 30)
    overconfident = [
        one for one in learners if one.synthetic.slope is not None and one.synthetic.slope < _slope(one) - 0.1
    ]
    if score.high <= 0.01 or score.value <= 0:
        title = tr(
            "Predicted probabilities of {target} are as well calibrated as after training on real rows",
            target=target,
        )
    elif overconfident:
        title = tr(
            "Predicted probabilities of {target} are overconfident after training on synthetic rows",
            target=target,
        )
    else:
        title = tr(
            "Predicted probabilities of {target} are less accurate after training on synthetic rows",
            target=target,
        )
    rows = tuple(
        Row(
            plain(learner_name(one.learner), 30),
            tuple(
                number(value, 3 if place < 2 else 2)
                for place, value in enumerate(
                    (
                        one.real.brier,
                        one.synthetic.brier,
                        one.real.slope,
                        one.synthetic.slope,
                        one.real.intercept,
                        one.synthetic.intercept,
                    )
                )
            ),
        )
        for one in learners
    )
    head = (
        tr("Learner"),
        tr("Brier, real"),
        tr("Brier, synthetic"),
        tr("Slope, real"),
        tr("Slope, synthetic"),
        tr("Intercept, real"),
        tr("Intercept, synthetic"),
    )
    brier = tr(
        "Brier score: mean squared error of predicted probabilities, 0 is best; difference {value} ({interval}).",
        value=signed(score.value, 3),
        interval=interval(score.low, score.high),
    )
    with_slope = [one for one in learners if one.real.slope is not None and one.synthetic.slope is not None]
    if not with_slope:
        # With more than two classes there is no single calibration line.
        few = tuple(Row(row.name, row.cells[:2]) for row in rows)
        return Figure(
            title=title,
            how=brier,
            table=DataTable(
                tr(
                    "Calibration of models of {target}",
                    target=target,
                ),
                head[:3],
                few,
            ),
        )
    return Figure(
        title=title,
        how=tr(
            "Observed event rate among holdout patients (vertical) against predicted probability "
            "(horizontal). Dashed: perfect calibration. A flatter line means predicted probabilities too "
            "near 0 and 1."
        ),
        panels=tuple(
            Panel(
                plain(learner_name(one.learner), 30),
                calibration_plot(
                    plain(learner_name(one.learner), 30),
                    _line(one.real.slope, one.real.intercept),
                    _line(one.synthetic.slope, one.synthetic.intercept),
                    labelled=place == 0,
                ),
                room="curve",
                label=tr("Brier score"),
                value=tr(
                    "{real} real, {synthetic} synthetic",
                    real=number(one.real.brier),
                    synthetic=number(one.synthetic.brier),
                ),
            )
            for place, one in enumerate(with_slope)
        ),
        note=tr(
            "{brier} Calibration lines after Cox (1958), fitted to all predicted probabilities.",
            brier=brier,
        ),
        data=(DataTable(tr("Calibration of models of {target}", target=target), head, rows),),
    )


def _slope(one: CalibratedLearner) -> float:
    return 0.0 if one.real.slope is None else one.real.slope


def _line(slope: float | None, intercept: float | None) -> list[tuple[float, float]]:
    """Return points of a logistic calibration line: predicted probability and event rate."""
    if slope is None or intercept is None:
        return []
    predicted = [0.02 + 0.96 * k / 24 for k in range(25)]
    logits = [math.log(p / (1 - p)) for p in predicted]
    return [
        (p, 1 / (1 + math.exp(-max(min(intercept + slope * x, 50), -50))))
        for p, x in zip(predicted, logits, strict=True)
    ]


def _importance(score: Score) -> Figure | None:
    details = details_of(score, ImportanceDetails)
    if math.isnan(score.value) or details is None or not details.columns:
        return None
    target = column_name(score.name.removeprefix("importance."), 30)
    ordered = sorted(details.columns, key=lambda one: -max(one.real, one.synthetic))[:_MOST_COLUMNS]
    axis = linear_axis([value for one in ordered for value in (one.real, one.synthetic)], 0.0)
    first = (max(details.columns, key=lambda one: getattr(one, kind)).column for kind in ("real", "synthetic"))
    real, synthetic = (column_name(name, 30) for name in first)
    title = (
        tr(
            "{real} is the most important feature for {target}, in real and in synthetic rows",
            real=real,
            target=target,
        )
        if real == synthetic
        else tr(
            "{target}: the most important feature is {real} in real rows, {synthetic} in synthetic rows",
            target=target,
            real=real,
            synthetic=synthetic,
        )
    )
    shared = tr(
        "{share} of the ten most important features are the same. ",
        share=share(details.shared_top),
    )
    reference = (
        ""
        if score.reference is None
        else tr(
            "; between halves of the real rows {reference}",
            reference=number(score.reference, 2),
        )
    )
    return Figure(
        title=title,
        how=tr(
            "Permutation importance: loss of performance on holdout patients when one column is "
            "shuffled, after training on \u25a0 real and \u25cf synthetic rows. Most important first."
        ),
        strip=tuple(
            StripRow(
                column_name(one.column, 40),
                "",
                dot_row(
                    column_name(one.column, 40),
                    tr(
                        "Real {real}, synthetic {synthetic}.",
                        real=number(one.real),
                        synthetic=number(one.synthetic),
                    ),
                    axis,
                    [Mark("real", one.real), Mark("synthetic", one.synthetic)],
                    lines=(0.0,),
                    joined=True,
                ),
                signed(one.synthetic - one.real, 3),
                tr("difference"),
            )
            for one in ordered
        ),
        axis=axis.picture(tr("permutation importance")),
        note=tr(
            "{shared}Rank correlation of importances {value} ({interval}){reference}.",
            shared=shared,
            value=number(score.value, 2),
            interval=interval(score.low, score.high, 2),
            reference=reference,
        ),
        data=(
            DataTable(
                tr("Feature importance for {target}", target=target),
                (tr("Column"), tr("Real"), tr("Synthetic")),
                tuple(
                    Row(column_name(one.column, 60), (number(one.real), number(one.synthetic)))
                    for one in details.columns
                ),
            ),
        ),
    )
