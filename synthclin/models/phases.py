"""What the phases of a training share: one step after another, and a state to stop and go on from in between."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from synthclin.models.distributed import agree
from synthclin.models.networks import MaskedGenerator
from synthclin.models.validation_metrics import quick_detection
from synthclin.progress import Step
from synthclin.seeds import torch_generator

__all__ = ["DETECTABLE", "Phase", "PhaseOutcome", "Setting", "averaged", "descend", "rate_share"]

DETECTABLE = 30
"""Fewer rows set aside cannot tell a good draw from a bad one."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What every phase works on.

    Arguments:
        network: is trained in place.
        codes: (rows, columns) of the rows to learn from.
        validation: (rows, columns) of the rows set aside.
        batch: rows per step of an optimiser.
        seed: of everything random.
    """

    network: MaskedGenerator
    codes: Tensor
    validation: Tensor
    batch: int
    seed: int


@dataclass(frozen=True, slots=True)
class PhaseOutcome:
    """How a phase ended.

    Arguments:
        kept: what the record calls the weights left in the network, or None where they are those from before.
        figures: how these weights stand on rows set aside.
        judged: plain facts for the record of the training, where the phase was judged.
    """

    kept: str | None
    figures: dict[str, float]
    judged: dict[str, Any] | None = None


class Phase(ABC):
    """One phase: `begin` or `restore`, `advance` until it is `over`, `conclude`.

    Between two calls of `advance`, `state` holds all that decides what comes after, besides the generators of torch
    modules: a phase that was restored goes on to the same bytes. What a phase adds to its state, it names in
    `learners` (attributes with a `state_dict`) or `facts` (numbers, text, tensors and mappings of them).
    """

    name: ClassVar[str]
    stream: ClassVar[str]  # of random numbers
    label: ClassVar[str]  # of the progress line
    counts: ClassVar[str] = "step"
    learners: ClassVar[tuple[str, ...]] = ("network",)
    facts: ClassVar[tuple[str, ...]] = ("done",)

    def __init__(self, setting: Setting, total: int) -> None:
        self.network, self.codes, self.validation = setting.network, setting.codes, setting.validation
        self.batch, self.seed = setting.batch, setting.seed
        self.total, self.done = total, 0
        self.generator = torch_generator(setting.seed, self.stream, device=setting.codes.device)

    @property
    def over(self) -> bool:
        """Whether nothing is left to do but to conclude."""
        return self.done >= self.total

    @abstractmethod
    def begin(self) -> None:
        """Note how the network stands before the first step."""

    @abstractmethod
    def advance(self, tick: Step) -> dict[str, float]:
        """Do some steps, count them in `done` and tell `tick`; return what was measured after them."""

    @abstractmethod
    def conclude(self) -> PhaseOutcome:
        """Leave the weights that stood best in the network."""

    def state(self) -> dict[str, Any]:
        """Return what `restore` wants, sharing memory with the phase."""
        return {
            "learners": {name: getattr(self, name).state_dict() for name in self.learners},
            "facts": {name: getattr(self, name) for name in self.facts},
            "generator": self.generator.get_state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to where `state` was taken."""
        for name in self.learners:
            getattr(self, name).load_state_dict(state["learners"][name])
        for name in self.facts:
            setattr(self, name, state["facts"][name])
        self.generator.set_state(state["generator"])

    def _closing(self, nats: float) -> dict[str, float]:
        """Return the figures at the end of a phase, for weights of `nats` on rows set aside."""
        figures = {"validation_nll": round(nats, 5)}
        if len(self.validation) >= DETECTABLE:
            figures["detection"] = round(quick_detection(self.network, self.validation, self.seed), 4)
        return figures


def averaged(network: MaskedGenerator, decay: float) -> AveragedModel:
    """Return an exponential moving average of the weights, which begins at its first update."""
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))


def rate_share(step: int, *, last: int, first: int = 0, rise: int = 50) -> float:
    """Return the share of the peak rate at a step: nothing before the first, a short rise, then a cosine to 2 %."""
    if step < first:
        return 0.0
    step, last = step - first, last - first
    return min(1.0, (step + 1) / rise) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / last))))


def descend(optimizer: torch.optim.Optimizer, network: torch.nn.Module, loss: Tensor) -> None:
    """Take one step down the gradient of `loss`, the mean over all processes, clipped."""
    optimizer.zero_grad()
    loss.backward()
    agree(network)
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
