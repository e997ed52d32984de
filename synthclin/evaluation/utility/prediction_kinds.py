"""The kinds of score of a prediction task: discrimination, calibration, feature importance, and each group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import StrictStr

from synthclin.evaluation import questions
from synthclin.evaluation.details import Count, Details, Finite, Share
from synthclin.evaluation.disclosure import Published, round_to, round_to_or_none
from synthclin.evaluation.groups import GroupDetails
from synthclin.evaluation.kind import Kind, Limit, convention
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score_names import outcome_name
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
    "prediction_kind",
]

MIN_CLASS = 5
"""Holdout rows of a class, below which its AUC is noise."""

MIN_GROUP = 50
"""Holdout rows of a group, below which it is not scored."""

_STEP = 0.01
_SOURCE = "train synthetic, test real: Esteban, Hyland and Raetsch, arXiv:1706.02633"
_PAIRED = (
    "interval from 200 paired bootstrap samples of the holdout, and from the variance between models of halves of the "
    "training rows, or of several synthetic replicates"
)


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
        reached = number(sum(synthetic) / len(synthetic)), number(sum(real) / len(real))
        named = measure_name(details.measure)
        return f"{shown}: {named} {reached[0]} when trained on synthetic rows, {reached[1]} on real rows."

    return Kind(
        name=f"utility.{target}",
        question=(
            f"Does a model trained on the synthetic table predict '{column_name(target, 200)}' for real patients as "
            "well as one trained on real?"
        ),
        better="higher",
        method=(
            f"{measure} of {_learners(linear)} on the holdout, trained on synthetic rows minus trained on as many real"
            f" rows, mean of the learners; {_PAIRED} ({_SOURCE})"
        ),
        section="utility",
        label=f"Prediction of {shown}",
        unit="trained on synthetic minus on real rows",
        ideal=0.0,
        details=PredictionDetails,
        asked=questions.PREDICTIONS,
        limit=Limit(">=", -0.03, -0.07, convention("0.03 is about the sampling error of an AUC on 1,000 patients")),
        needs=frozenset({"task", "holdout"}),
        fail_text=f"models of {shown} predict real patients worse",
        review_text=f"models of {shown} may predict real patients worse",
        action=f"Models of {shown} trained on it lose accuracy on real patients.",
        answer=answer,
        shared=PredictionDetails.shared,
    )


def calibration_kind(target: str, measure: str = "AUC", linear: str = "logistic") -> Kind[CalibrationDetails]:  # noqa: ARG001
    """Return the kind of score of the calibration of predicted probabilities; see `prediction_kind`."""
    return Kind(
        name=f"calibration.{target}",
        question=(
            f"Are predicted probabilities of '{column_name(target, 200)}' from the synthetic table right for real "
            "patients?"
        ),
        better="lower",
        method=(
            f"Brier score of {_learners(linear)} on the holdout, trained on synthetic rows minus trained on as many "
            f"real rows, mean of the learners; {_PAIRED} ({_SOURCE}; Brier, Mon Weather Rev 78:1-3, 1950)"
        ),
        section="utility",
        label=f"Calibration of {column_name(target, 30)}",
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
        question=f"Do the same columns predict '{column_name(target, 200)}'?",
        better="higher",
        method=(
            "Spearman's correlation of the feature importances, synthetic against real training, mean of the "
            f"learners; importance is the loss in {measure} on the holdout when the column is shuffled (Breiman, Mach "
            "Learn 45:5-32, 2001); interval for as many pairs as columns (Bonett and Wright, Psychometrika 65:23-28, "
            "2000)"
        ),
        section="utility",
        label=f"Feature importance for {column_name(target, 30)}",
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
        question=f"Is '{column_name(target, 200)}' predicted as well for each group of '{column_name(by, 200)}'?",
        better="higher",
        method=(
            f"{measure} within each group of '{by}' of {MIN_GROUP} and more holdout rows, {MIN_CLASS} of each class, "
            f"as utility.{target}; value and interval are those of the group with the largest loss; for two classes "
            "the details have the Brier score and, at a threshold equal to the share of the class, the true and false"
            " positive rates, synthetic minus real (Hardt, Price and Srebro, NeurIPS 2016)"
        ),
        section="subgroups",
        label=f"Prediction of {column_name(target, 30)}, {column_name(by, 30)}",
        unit="trained on synthetic minus on real rows, worst subgroup",
        ideal=0.0,
        details=GroupDetails,
        needs=frozenset({"task", "holdout", "groups"}),
        shared=GroupDetails.shared,
        counts="real",
    )


def _learners(linear: str) -> str:
    return f"boosted trees, a random forest and a {linear} model"
