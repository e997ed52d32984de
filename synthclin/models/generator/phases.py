"""Training phases: their common interface, and the learning-rate schedule."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from synthclin.models.generator.code_network import CodeNetwork
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.validation_metrics import quick_detection
from synthclin.progress import Step
from synthclin.seeds import torch_generator

__all__ = ["DETECTABLE", "Phase", "PhaseOutcome", "Setting", "rate_share"]

DETECTABLE = 30
"""Least validation rows for a C2ST."""


@dataclass(frozen=True, slots=True)
class Setting:
    """Network, data and seed of a training phase.

    Arguments:
        network: is trained in place.
        codes: (rows, columns) of the training rows.
        validation: (rows, columns) of the validation rows.
        batch: rows per optimiser step.
        seed: of everything random.
    """

    network: CodeNetwork
    codes: Tensor
    validation: Tensor
    batch: int
    seed: int


@dataclass(frozen=True, slots=True)
class PhaseOutcome:
    """Result of a training phase.

    Arguments:
        kept: name of the weights left in the network, or None where they are those from before the phase.
        figures: validation metrics of these weights.
        judged: result of the acceptance test, as plain data, where the phase has one.
        confirmed: for each column of the network the gain of out-of-fold likelihood over its marginal distribution, the
            standard error of the gain, both in nats per row; where the phase has out-of-fold rows.
    """

    kept: str | None
    figures: dict[str, float]
    judged: dict[str, Any] | None = None
    confirmed: list[list[float]] | None = None


class Phase(ABC):
    """Training phase: `begin` or `restore`, `advance` until it is `over`, `conclude`.

    Between two calls of `advance`, `state` determines the rest of the phase, together with the random generators of
    torch modules: a restored phase ends with the same bytes. A subclass names its own state in `learners` (attributes
    with a `state_dict`) and `facts` (numbers, text, tensors and mappings of them).
    """

    name: ClassVar[str]
    stream: ClassVar[str]  # of random numbers
    label: ClassVar[str]  # of the progress line
    counts: ClassVar[str] = "step"
    trains_network: ClassVar[bool] = True  # False where the next phase does, which then runs even after a stop
    learners: ClassVar[tuple[str, ...]] = ("network",)
    facts: ClassVar[tuple[str, ...]] = ("done",)

    def __init__(self, setting: Setting, total: int) -> None:
        self.network, self.codes, self.validation = setting.network, setting.codes, setting.validation
        self.batch, self.seed = setting.batch, setting.seed
        self.total, self.done = total, 0
        self.generator = torch_generator(setting.seed, self.stream, device=setting.codes.device)

    @property
    def over(self) -> bool:
        """Whether all steps are done, so that only `conclude` is left."""
        return self.done >= self.total

    @abstractmethod
    def begin(self) -> None:
        """Record the state of the network before the first step."""

    @abstractmethod
    def advance(self, tick: Step) -> dict[str, float]:
        """Do some steps, count them in `done`, report them to `tick`, and return the metrics after them."""

    @abstractmethod
    def conclude(self) -> PhaseOutcome:
        """Leave the best weights in the network and return the result."""

    def state(self) -> dict[str, Any]:
        """Return the state for `restore`; it shares memory with the phase."""
        return {
            "learners": {name: getattr(self, name).state_dict() for name in self.learners},
            "facts": {name: getattr(self, name) for name in self.facts},
            "generator": self.generator.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Load a state that `state` returned."""
        for name in self.learners:
            getattr(self, name).load_state_dict(state["learners"][name])
        for name in self.facts:
            setattr(self, name, state["facts"][name])
        self.generator.set_state(state["generator"])

    def _closing(self, nll: float) -> dict[str, float]:
        """Return the validation metrics at the end of a phase, for weights of negative log-likelihood `nll`."""
        figures = {"validation_nll": round(nll, 5)}
        if len(self.validation) >= DETECTABLE and isinstance(self.network, MaskedGenerator):
            figures["detection"] = round(quick_detection(self.network, self.validation, self.seed), 4)
        return figures


def rate_share(step: int, *, last: int, first: int = 0, rise: int = 50) -> float:
    """Return the share of the peak learning rate: 0 before step `first`, a linear warm-up, then cosine decay to 2 %."""
    if step < first:
        return 0.0
    step, last = step - first, last - first
    return min(1.0, (step + 1) / rise) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / last))))
