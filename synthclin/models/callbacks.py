"""Who looks on while a model trains: a checkpoint that keeps its state, and a callback that may end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from synthclin.models.checkpoints import Checkpoint

__all__ = ["Callback", "TrainingEvent", "TrainingMonitor"]


@dataclass(frozen=True, slots=True)
class TrainingEvent:
    """Where a training stands, after each epoch of the warm-up, every few steps later, and at the end of each phase.

    Arguments:
        phase: ``"warm-up"``, ``"fine-tuning"``, ``"calibration"`` or ``"adversarial"``.
        step: epochs or steps done in this phase.
        total: how many there are at most.
        figures: what was measured just now, on rows set aside: `validation_nll` (mean negative log-likelihood, in
            nats per row), `critic_accuracy` (share of pairs of a real and a drawn row that the critic orders rightly;
            0.5 is a coin toss) and, at the end of a phase, `detection` (AUC of a quick classifier, drawn against real
            rows; 0.5 is a coin toss). `train_nll` is of the rows learnt from, with dropout.

    Example:
        >>> TrainingEvent("fine-tuning", 60, 200, {"validation_nll": 21.5}).figures["validation_nll"]
        21.5
    """

    phase: str
    step: int
    total: int
    figures: Mapping[str, float]


Callback = Callable[[TrainingEvent], bool | None]
"""Returns True to end the training here, with the best weights so far; what it raises ends the fit."""


class TrainingMonitor:
    """What a family's `_fit` is given to report to; it may leave it alone.

    Arguments:
        callback: hears every moment.
        checkpoint: keeps the state from time to time.
        saved: the state to go on from, as it was given to `keep`, or None to begin.

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
        """Tell the moment and return whether the training shall end here."""
        return self._callback is not None and self._callback(event) is True

    def keep(self, state: Callable[[], object], *, last: bool = False) -> None:
        """Give the checkpoint the chance to save `state()`: nested mappings and lists of tensors and plain facts."""
        if self._checkpoint is not None:
            self._checkpoint.offer(state, last=last)
