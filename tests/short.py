"""Short trainings, for tests of what does not depend on their length."""

from __future__ import annotations

import dataclasses

import pytest

from synthclin.models.attention import synthesizer
from synthclin.models.families import gan


def short_trainings(patch: pytest.MonkeyPatch) -> None:
    """Train for a third of the epochs, in two folds at most."""
    for module in (synthesizer, gan):
        whole = module.plan_for
        patch.setattr(module, "plan_for", lambda *a, whole=whole, **k: _shortened(whole(*a, **k)))


def _shortened(plan):
    return dataclasses.replace(plan, epochs=plan.epochs // 3, folds=min(plan.folds, 2))
