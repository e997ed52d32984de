"""Evaluation of a synthetic table: validity, fidelity, utility and privacy; it needs the tables and no model."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from synthclin.evaluation.score import Score
from synthclin.evaluation.tasks import Analysis, PredictTask

if TYPE_CHECKING:
    from synthclin.evaluation.scoring import Evaluation, score_table

__all__ = ["Analysis", "Evaluation", "PredictTask", "Score", "score_table"]


def __getattr__(name: str) -> Any:  # noqa: ANN401 (the types are under TYPE_CHECKING)
    # A config needs only tasks and gates; scikit-learn is loaded on first use.
    if name in {"Evaluation", "score_table"}:
        return getattr(import_module("synthclin.evaluation.scoring"), name)
    raise AttributeError(f"module 'synthclin.evaluation' has no attribute '{name}'")
