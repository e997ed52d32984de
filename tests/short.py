"""Short trainings, for tests of what does not depend on their length."""

from __future__ import annotations

import dataclasses

import pytest

from synthclin.models.attention import synthesizer, training
from synthclin.models.families import gan
from synthclin.models.generator.training import plan_for


def short_trainings(patch: pytest.MonkeyPatch) -> None:
    """Train for a third of the epochs, in two folds at most."""
    patch.setattr(gan, "plan_for", lambda *size, **kind: _shortened(plan_for(*size, **kind)))
    patch.setattr(synthesizer, "plan_for", lambda *size, **kind: _shortened(training.plan_for(*size, **kind)))


def _shortened(plan):
    return dataclasses.replace(plan, epochs=plan.epochs // 3, folds=min(plan.folds, 2))
