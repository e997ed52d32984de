"""Short trainings and evaluations, for tests of what does not depend on their length."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest

from synthclin.evaluation import learners
from synthclin.evaluation.fidelity import sdmetrics
from synthclin.evaluation.utility import prediction_problem
from synthclin.models.attention import synthesizer, training
from synthclin.models.families import gan
from synthclin.models.generator.training import plan_for


def short_trainings(patch: pytest.MonkeyPatch) -> None:
    """Train for a third of the epochs, in two folds at most."""
    patch.setattr(gan, "plan_for", lambda *size, **kind: _shortened(plan_for(*size, **kind)))
    patch.setattr(synthesizer, "plan_for", lambda *size, **kind: _shortened(training.plan_for(*size, **kind)))


def few_sdmetrics(patch: pytest.MonkeyPatch) -> None:
    """Compute fewer reports of SDMetrics for intervals and references: they take half of the time of an evaluation."""
    patch.setattr(sdmetrics, "_GROUPS", 2)
    patch.setattr(sdmetrics, "_ROUNDS", 1)
    patch.setattr(sdmetrics, "_FEW_COLUMNS", 4)


def few_trees(patch: pytest.MonkeyPatch) -> None:
    """Use fewer trees: more of them only reduce the variance."""
    forest = learners._forest
    patch.setattr(learners, "_forest", lambda values: forest(values) | {"n_estimators": 15})
    patch.setattr(prediction_problem, "classifiers", partial(learners.classifiers, trees=15))
    patch.setattr(prediction_problem, "regressors", partial(learners.regressors, trees=15))


def _shortened(plan):
    return dataclasses.replace(plan, epochs=plan.epochs // 3, folds=min(plan.folds, 2))
