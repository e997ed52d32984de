"""The generative model as a classifier: its conditional class probabilities against trees trained on real rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import StrictStr

from synthclin.evaluation.details import Count, Details, Finite
from synthclin.evaluation.disclosure import Published, round_to_or_none
from synthclin.evaluation.intervals import resamples
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.learners import classifiers, learnable
from synthclin.evaluation.score import Interval, Score
from synthclin.evaluation.utility.prediction_kinds import CalibrationFigures, in_words
from synthclin.evaluation.utility.prediction_metrics import brier, calibration_slope, class_probabilities, macro_auc
from synthclin.evaluation.utility.predictions import problem_of, why_not
from synthclin.evaluation.utility.train_on_synthetic import measure
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.tasks import PredictTask
    from synthclin.evaluation.utility.prediction_problem import PredictionProblem

__all__ = ["ClassificationDetails", "classification_kind", "model_classification"]

_BOOTSTRAP = 200
_MOST_TESTED = 2_000

ClassProbabilities = Callable[[pd.DataFrame, str], pd.DataFrame]
"""Returns (rows, levels) class probabilities of a target, given the other columns of a table."""


class ClassificationDetails(Details):
    """Details of a classification by the generative model."""

    measure: StrictStr
    """Name of the performance metric."""
    model: Finite | None
    """Performance of the model's conditional probabilities."""
    boosted_trees: Finite | None
    """Performance of boosted trees trained on the real training rows."""
    model_calibration: CalibrationFigures
    """Calibration of the model's probabilities."""
    boosted_trees_calibration: CalibrationFigures
    """Calibration of the probabilities of the boosted trees."""
    tested: Count | None
    """Number of holdout rows."""

    def shared(self, _published: Published) -> ClassificationDetails:
        """Return rounded figures."""
        return ClassificationDetails(
            measure=self.measure,
            model=round_to_or_none(self.model, 0.01),
            boosted_trees=round_to_or_none(self.boosted_trees, 0.01),
            model_calibration=self.model_calibration.rounded(),
            boosted_trees_calibration=self.boosted_trees_calibration.rounded(),
            tested=None,
        )


def classification_kind(target: str, measure: str = "AUC") -> Kind[ClassificationDetails]:
    """Return the kind of score of the generative model as a classifier of one column.

    Arguments:
        target: the column.
        measure: the performance metric.
    """
    return Kind(
        name=f"classification.{target}",
        question=tr(
            "Does the generative model itself predict '{column}' as well as a classifier trained on real patients?",
            column=column_name(target, 200),
        ),
        better="higher",
        method=tr(
            "{measure} on the holdout of the conditional probability of each level under the generative model (Bayes' "
            "theorem; Ng and Jordan, NeurIPS 2001), minus that of boosted trees trained on the same real rows; columns "
            "that are known only later are integrated out; interval from 200 paired bootstrap samples of the holdout",
            measure=in_words(measure),
        ),
        section="utility",
        label=tr("Classification of {column} by the model", column=column_name(target, 30)),
        unit="model minus boosted trees",
        ideal=0.0,
        details=ClassificationDetails,
        needs=frozenset({"task", "holdout", "model"}),
        shared=ClassificationDetails.shared,
    )


def model_classification(c: Comparison, task: PredictTask, probabilities: ClassProbabilities | None) -> Score:
    """Score the conditional class probabilities of a generative model.

    At most 2,000 holdout rows are tested.

    Arguments:
        c: the tables; the synthetic ones are not used.
        task: the prediction.
        probabilities: `predict_proba` of the model; None for a model without class probabilities.

    Raises:
        ConfigError: the target is not a modelled column.
    """
    problem = problem_of(c, task)
    kind = classification_kind(task.target, measure(problem) if problem.classes is not None else "AUC")
    if problem.classes is None:
        return kind.unassessable(tr("The target is a number."))
    if probabilities is None:
        return kind.unassessable(tr("The model has no class probabilities."))
    reason = why_not(c, problem)
    if reason or c.holdout is None or c.holdout_patients is None or c.tables.holdout is None:
        return kind.unassessable(reason)
    known = np.flatnonzero(problem.known(c.holdout))
    rng = c.rng(task.name, "classification")
    tested = np.sort(rng.choice(known, min(len(known), _MOST_TESTED), replace=False))
    x, y = problem.rows(c.holdout[tested])
    asked = c.tables.holdout.iloc[tested].reset_index(drop=True)[list(problem.features.names)]
    model = _of_classes(probabilities(asked, task.target), c, problem)
    learned, classes_of = problem.rows(c.train)
    trees = classifiers(problem.features, learnable(learned))["boosted trees"].fit(learnable(learned), classes_of)
    rival = class_probabilities(trees, problem.classes, x)
    clusters = np.unique(c.holdout_patients[tested], return_inverse=True)[1]
    weights = np.vstack([np.ones((1, len(y)), dtype=np.int64), resamples(len(y), _BOOTSTRAP, rng, clusters)])
    performance = [macro_auc(each, problem.classes, y, weights) for each in (model, rival)]
    gaps = performance[0] - performance[1]
    low, high = np.nanquantile(gaps[1:] if len(gaps) > 1 else gaps, [0.025, 0.975])
    details = ClassificationDetails(
        measure=measure(problem),
        model=performance[0][0],
        boosted_trees=performance[1][0],
        model_calibration=_calibration(model, problem.classes, y, weights[:1]),
        boosted_trees_calibration=_calibration(rival, problem.classes, y, weights[:1]),
        tested=len(y),
    )
    value = float(gaps[0])
    return kind.score(
        value,
        Interval(min(float(low), value), max(float(high), value)),
        n=len(y),
        baseline=0.5 - float(performance[1][0]),
        reference=0.0,
        notes=[tr("The real-data reference is 0 by definition: the result of training on real rows is subtracted.")],
        details=details,
    )


def _of_classes(found: pd.DataFrame, c: Comparison, problem: PredictionProblem) -> NDArray[np.float64]:
    """Return the (rows, classes) probabilities of the classes that count."""
    place: dict[object, int] = {level: i for i, level in enumerate(found.columns)}
    levels = c.features.columns[problem.target].levels
    assert problem.classes is not None
    wanted = [place.get(levels[int(k)]) for k in problem.classes]
    return np.column_stack([np.zeros(len(found)) if at is None else found.iloc[:, at] for at in wanted])


def _calibration(
    p: NDArray[np.float64], classes: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.int64]
) -> CalibrationFigures:
    """Return Brier score, slope and intercept of probabilities; the last two are of two classes only."""
    slope, intercept = calibration_slope(p[:, 1], y == classes[1]) if len(classes) == 2 else (np.nan, np.nan)
    return CalibrationFigures(brier=float(brier(p, classes, y, weights)[0]), slope=slope, intercept=intercept)
