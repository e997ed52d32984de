"""The kinds of score of a prediction task: discrimination, calibration, feature importance, and each group."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from pydantic import StrictStr

from synthclin.evaluation import questions
from synthclin.evaluation.details import Count, Details, Finite, Share
from synthclin.evaluation.disclosure import Published, round_to, round_to_or_none
from synthclin.evaluation.groups import GroupDetails
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score_names import outcome_name
from synthclin.language import tr
from synthclin.wording import measure_name, number

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score

__all__ = [
    "MIN_CLASS",
    "MIN_GROUP",
    "CalibratedLearner",
    "CalibrationDetails",
    "CalibrationFigures",
    "Importance",
    "ImportanceDetails",
    "Learner",
    "PredictionDetails",
    "calibration_kind",
    "group_prediction_kind",
    "importance_kind",
    "in_words",
    "prediction_kind",
]

MIN_CLASS = 5
"""Holdout rows of a class, below which its AUC is noise."""

MIN_GROUP = 50
"""Holdout rows of a group, below which it is not scored."""

_STEP = 0.01


class Learner(Details):
    """Performance of one learner on holdout rows, by its training rows."""

    learner: StrictStr
    """Name of the learner."""
    real: Finite | None
    """Trained on real rows."""
    synthetic: Finite | None
    """Trained on synthetic rows, mean over replicates."""
    shuffled: Finite | None
    """Trained on real rows, each column shuffled."""


class PredictionDetails(Details):
    """Details of a prediction."""

    measure: StrictStr
    """Name of the performance metric."""
    learners: list[Learner]
    """The learners."""
    predictors: list[StrictStr] | None
    """The columns that predict."""
    rows: dict[Literal["train", "test"], Count] | None
    """Number of rows to train and to test on."""

    def shared(self, _published: Published) -> PredictionDetails:
        """Return rounded performances."""
        learners = [
            one.model_copy(update={key: round_to_or_none(one[key], _STEP) for key in ("real", "synthetic", "shuffled")})
            for one in self.learners
        ]
        return PredictionDetails(measure=self.measure, learners=learners, predictors=None, rows=None)


class CalibrationFigures(Details):
    """Calibration of predicted probabilities."""

    brier: Finite | None
    """Brier score."""
    slope: Finite | None
    """Calibration slope; 1 is ideal."""
    intercept: Finite | None
    """Calibration intercept; 0 is ideal."""

    def rounded(self) -> CalibrationFigures:
        """Return rounded figures."""
        return CalibrationFigures(
            **{key: round_to_or_none(self[key], _STEP) for key in ("brier", "slope", "intercept")}
        )


class CalibratedLearner(Details):
    """Calibration of one learner."""

    learner: StrictStr
    """Name of the learner."""
    real: CalibrationFigures
    """Trained on real rows."""
    synthetic: CalibrationFigures
    """Trained on synthetic rows."""


class CalibrationDetails(Details):
    """Details of a calibration."""

    learners: list[CalibratedLearner]
    """The learners."""

    def shared(self, _published: Published) -> CalibrationDetails:
        """Return rounded figures."""
        return CalibrationDetails(
            learners=[
                one.model_copy(update={"real": one.real.rounded(), "synthetic": one.synthetic.rounded()})
                for one in self.learners
            ]
        )


class Importance(Details):
    """Permutation importance of one column."""

    column: StrictStr
    """Name of the column."""
    real: Finite
    """For models trained on real rows."""
    synthetic: Finite
    """For models trained on synthetic rows."""


class ImportanceDetails(Details):
    """Details of the feature importance."""

    shared_top: Share
    """Share of the ten most important columns in common."""
    columns: list[Importance]
    """The columns, the most important for real rows first."""

    def shared(self, _published: Published) -> ImportanceDetails:
        """Return rounded importances."""
        columns = [
            Importance(column=one.column, real=round_to(one.real, _STEP), synthetic=round_to(one.synthetic, _STEP))
            for one in self.columns
        ]
        return ImportanceDetails(shared_top=self.shared_top, columns=columns)


def prediction_kind(target: str, measure: str = "AUC or R2", linear: str = "linear") -> Kind[PredictionDetails]:
    """Return the kind of score of the prediction of a column.

    Arguments:
        target: the column.
        measure: the performance metric.
        linear: the name of the linear learner.
    """
    shown = column_name(target, 40)

    def answer(score: Score) -> str:
        details = score.details
        learners = details.learners if isinstance(details, PredictionDetails) else []
        real = [one.real for one in learners if one.real is not None]
        synthetic = [one.synthetic for one in learners if one.synthetic is not None]
        if not real or not synthetic or not isinstance(details, PredictionDetails):
            return ""
        return tr(
            "{column}: {measure} {synthetic} when trained on synthetic rows, {real} on real rows.",
            column=shown,
            measure=measure_name(details.measure),
            synthetic=number(sum(synthetic) / len(synthetic)),
            real=number(sum(real) / len(real)),
        )

    return Kind(
        name=f"utility.{target}",
        question=tr(
            "Does a model trained on the synthetic table predict '{column}' for real patients as well as one trained "
            "on real?",
            column=column_name(target, 200),
        ),
        better="higher",
        method=tr(
            "{measure} of boosted trees, a random forest and a {linear} model on the holdout, trained on synthetic "
            "rows minus trained on as many real rows, mean of the learners; interval from 200 paired bootstrap samples "
            "of the holdout, and from the variance between models of halves of the training rows, or of several "
            "synthetic replicates (train synthetic, test real: Esteban, Hyland and Raetsch, arXiv:1706.02633)",
            measure=in_words(measure),
            linear=in_words(linear),
        ),
        section="utility",
        label=tr("Prediction of {column}", column=shown),
        unit="trained on synthetic minus on real rows",
        ideal=0.0,
        details=PredictionDetails,
        asked=questions.PREDICTIONS,
        limit=Limit(">=", -0.03, -0.07, convention("0.03 is about the sampling error of an AUC on 1,000 patients")),
        needs=frozenset({"task", "holdout"}),
        fail_text=tr("models of {column} predict real patients worse", column=shown),
        review_text=tr("models of {column} may predict real patients worse", column=shown),
        action=tr("Models of {column} trained on it lose accuracy on real patients.", column=shown),
        answer=answer,
        shared=PredictionDetails.shared,
    )


def calibration_kind(target: str, measure: str = "AUC", linear: str = "logistic") -> Kind[CalibrationDetails]:  # noqa: ARG001
    """Return the kind of score of the calibration of predicted probabilities; see `prediction_kind`."""
    return Kind(
        name=f"calibration.{target}",
        question=tr(
            "Are predicted probabilities of '{column}' from the synthetic table right for real patients?",
            column=column_name(target, 200),
        ),
        better="lower",
        method=tr(
            "Brier score of boosted trees, a random forest and a {linear} model on the holdout, trained on synthetic "
            "rows minus trained on as many real rows, mean of the learners; interval from 200 paired bootstrap samples "
            "of the holdout, and from the variance between models of halves of the training rows, or of several "
            "synthetic replicates (train synthetic, test real: Esteban, Hyland and Raetsch, arXiv:1706.02633; Brier, "
            "Mon Weather Rev 78:1-3, 1950)",
            linear=in_words(linear),
        ),
        section="utility",
        label=tr("Calibration of {column}", column=column_name(target, 30)),
        unit="Brier score minus that of real training",
        ideal=0.0,
        details=CalibrationDetails,
        needs=frozenset({"task", "holdout"}),
        shared=CalibrationDetails.shared,
    )


def importance_kind(target: str, measure: str = "AUC or R2", linear: str = "linear") -> Kind[ImportanceDetails]:  # noqa: ARG001
    """Return the kind of score of the agreement of feature importances; see `prediction_kind`."""
    return Kind(
        name=f"importance.{target}",
        question=tr("Do the same columns predict '{column}'?", column=column_name(target, 200)),
        better="higher",
        method=tr(
            "Spearman's correlation of the feature importances, synthetic against real training, mean of the learners; "
            "importance is the loss in {measure} on the holdout when the column is shuffled (Breiman, Mach Learn "
            "45:5-32, 2001); interval for as many pairs as columns (Bonett and Wright, Psychometrika 65:23-28, 2000)",
            measure=in_words(measure),
        ),
        section="utility",
        label=tr("Feature importance for {column}", column=column_name(target, 30)),
        unit="rank correlation",
        ideal=1.0,
        details=ImportanceDetails,
        needs=frozenset({"task", "holdout"}),
        shared=ImportanceDetails.shared,
    )


def group_prediction_kind(by: str, target: str, measure: str = "AUC or R2") -> Kind[GroupDetails]:
    """Return the kind of score of a prediction in the groups of one column.

    Arguments:
        by: the column of the groups.
        target: the predicted column.
        measure: the performance metric.
    """
    return Kind(
        name=outcome_name(by, "utility", target),
        question=tr(
            "Is '{target}' predicted as well for each group of '{column}'?",
            target=column_name(target, 200),
            column=column_name(by, 200),
        ),
        better="higher",
        method=tr(
            "{measure} within each group of '{column}' of {rows} and more holdout rows, {fewest} of each class, as "
            "{score}; value and interval are those of the group with the largest loss; for two classes the details "
            "have the Brier score and, at a threshold equal to the share of the class, the true and false positive "
            "rates, synthetic minus real (Hardt, Price and Srebro, NeurIPS 2016)",
            measure=in_words(measure),
            column=by,
            rows=MIN_GROUP,
            fewest=MIN_CLASS,
            score=f"utility.{target}",
        ),
        section="subgroups",
        label=tr("Prediction of {target}, {column}", target=column_name(target, 30), column=column_name(by, 30)),
        unit=tr("trained on synthetic minus on real rows, worst subgroup"),
        ideal=0.0,
        details=GroupDetails,
        needs=frozenset({"task", "holdout", "groups"}),
        shared=partial(GroupDetails.shared, better="higher"),
        counts="real",
    )


def in_words(name: str) -> str:
    """Return a performance metric, or a kind of linear model, in the language of the report; in details it is English.

    Example:
        >>> from synthclin.language import speaking
        >>> with speaking("es"):
        ...     in_words("AUC or R2"), in_words("AUC")
        ('AUC o R2', 'AUC')
    """
    names = {
        "AUC or R2": tr("AUC or R2"),
        "AUC (mean of each class against the others)": tr("AUC (mean of each class against the others)"),
        "R2 on the log(1 + y) scale": tr("R2 on the log(1 + y) scale"),
        "linear": tr("linear"),
        "logistic": tr("logistic"),
    }
    return names.get(name, name)
