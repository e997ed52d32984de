"""Training callbacks: progress events, early stopping and checkpointing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from synthclin.models.checkpoints import Checkpoint

__all__ = ["Callback", "TrainingEvent", "TrainingMonitor"]


@dataclass(frozen=True, slots=True)
class TrainingEvent:
    """Training event: after each epoch, at each evaluation interval of later phases, and at the end of a phase.

    Arguments:
        phase: ``"cross-validation"``, ``"warm-up"``, ``"fine-tuning"``, ``"adversarial"``, ``"distillation"`` or
            ``"trees"``, whose steps are columns.
        step: epochs or steps done in this phase.
        total: how many there are at most.
        figures: validation metrics: `validation_nll` (mean negative log-likelihood, in nats per row; calibrated and of
            out-of-fold rows in a cross-validation, whose end has the number of `epochs` chosen and `mean_strength`),
            `critic_accuracy` (share of pairs of a real and a synthetic cell in which the critic scores the real one
            higher; 0.5 is chance) and, at the end of a phase with validation rows, `detection` (C2ST AUC of a quick
            classifier; 0.5 is chance). `train_nll` is of the training rows, with dropout.

    Example:
        >>> TrainingEvent("fine-tuning", 60, 200, {"validation_nll": 21.5}).figures["validation_nll"]
        21.5
    """

    phase: str
    step: int
    total: int
    figures: Mapping[str, float]


Callback = Callable[[TrainingEvent], bool | None]
"""Returns True to stop the training early, with the best weights so far; an exception ends the fit."""


class TrainingMonitor:
    """Callback and checkpoint of one training, which a family's `_fit` may report to.

    Arguments:
        callback: is called with every event.
        checkpoint: saves the state at intervals.
        saved: the state to resume from, as it was given to `keep`, or None.

    Example:
        >>> monitor = TrainingMonitor(callback=lambda event: event.step == 3)
        >>> [monitor.stops(TrainingEvent("warm-up", step, 5, {})) for step in (1, 2, 3)]
        [False, False, True]
    """

    def __init__(
        self,
        callback: Callback | None = None,
        checkpoint: Checkpoint | None = None,
        saved: Any = None,  # noqa: ANN401 - whatever state the family has
    ) -> None:
        self._callback, self._checkpoint, self.saved = callback, checkpoint, saved

    def stops(self, event: TrainingEvent) -> bool:
        """Pass an event to the callback and return whether the training shall stop."""
        return self._callback is not None and self._callback(event) is True

    def keep(self, state: Callable[[], object], *, last: bool = False) -> None:
        """Save `state()` if a checkpoint is due: nested mappings and lists of tensors and plain data."""
        if self._checkpoint is not None:
            self._checkpoint.offer(state, last=last)
