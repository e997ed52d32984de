"""Maximum-likelihood training with dropout and an exponential moving average of the weights, stopped early."""

from __future__ import annotations

import copy
import math
from typing import Any, ClassVar

import torch
from torch import Tensor

from synthclin.models.distributed import share
from synthclin.models.generator.code_network import CodeNetwork
from synthclin.models.generator.masked_layers import weights_masked
from synthclin.models.generator.objectives import negative_log_likelihood
from synthclin.models.generator.optimizer import AdamW, Average, descend
from synthclin.models.generator.phases import Phase, PhaseOutcome, Setting, rate_share
from synthclin.models.generator.validation_metrics import validation_nll
from synthclin.progress import Step

__all__ = ["Learner", "MaximumLikelihood"]


class Learner:
    """A network trained by maximum likelihood: AdamW, a learning-rate schedule, and the EMA of the weights.

    AdamW: Loshchilov & Hutter 2019, arXiv 1711.05101.

    Arguments:
        network: is trained in place.
        codes: (rows, columns) of the training rows.
        batch: rows per optimiser step.
        epochs: of the whole schedule.
        rate: peak learning rate.
        decay: weight decay.
    """

    def __init__(
        self, network: CodeNetwork, codes: Tensor, batch: int, epochs: int, *, rate: float, decay: float
    ) -> None:
        self.network, self.codes, self.batch = network, codes, batch
        self.batches = max(1, math.ceil(len(codes) / batch))
        total = self.batches * epochs
        self.optimizer = AdamW(
            network, lambda step: rate * rate_share(step, last=total), betas=(0.9, 0.98), decay=decay
        )
        # A longer average than the training itself would include the untrained weights.
        self.average = Average(network, 0.995 if total > 1_000 else 0.98)
        # The regression is fitted before the training and does not change.
        self.coefficients: Tensor | None = None

    @property
    def averaged_network(self) -> CodeNetwork:
        """The network with the EMA weights."""
        return self.average.module

    def epoch(self, generator: torch.Generator) -> float:
        """Train for one epoch and return the mean negative log-likelihood of its batches, in nats per row."""
        self.network.train()
        losses = []
        if self.coefficients is None:
            self.coefficients = self.network.coefficients(self.codes)
        with weights_masked(self.network):
            for rows in torch.randperm(len(self.codes), generator=generator, device=self.codes.device).split(
                self.batch
            ):
                part = share(rows)
                coefficients = None if self.coefficients is None else self.coefficients[part]
                loss = negative_log_likelihood(self.network.log_likelihood(self.codes[part], coefficients))
                descend([self.optimizer], loss)
                self.average.update(self.optimizer.values)
                losses.append(loss.detach())
        return float(torch.stack(losses).mean())

    def state_dict(self) -> dict[str, Any]:
        """Return the state for `load_state_dict`."""
        return {name: getattr(self, name).state_dict() for name in ("network", "optimizer", "average")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state that `state_dict` returned."""
        for name in ("network", "optimizer", "average"):
            getattr(self, name).load_state_dict(state[name])


class MaximumLikelihood(Phase):
    """Maximum-likelihood training phase, stopped early by validation negative log-likelihood."""

    name, stream, label, counts = "warm-up", "warm-up", "training", "epoch"
    learners: ClassVar = ("learner",)
    facts: ClassVar = ("done", "best", "best_weights", "waited")

    def __init__(self, setting: Setting, epochs: int, *, patience: int, rate: float, decay: float) -> None:
        super().__init__(setting, epochs)
        self.patience = patience
        self.learner = Learner(self.network, self.codes, self.batch, epochs, rate=rate, decay=decay)
        self.best, self.waited = math.inf, 0

    def begin(self) -> None:
        """Record the untrained weights as the best so far."""
        self.best_weights = copy.deepcopy(self.network.state_dict())

    @property
    def over(self) -> bool:
        """Whether all epochs are done or `patience` epochs brought no gain."""
        # No early stop during the warm-up of the learning rate, whose first steps are small.
        return super().over or (self.waited >= self.patience and self.done * self.learner.batches >= 200)

    def advance(self, tick: Step) -> dict[str, float]:
        """Train for one epoch."""
        loss = self.learner.epoch(self.generator)
        nll = validation_nll(self.learner.averaged_network, self.validation)
        self.done += 1
        if nll < self.best - 1e-3:
            self.best, self.waited = nll, 0
            self.best_weights = copy.deepcopy(self.learner.average.module.state_dict())
        else:
            self.waited += 1
        tick(1, note=f"validation NLL {nll:.3f} nats per row")
        return {"validation_nll": round(nll, 5), "train_nll": round(loss, 5)}

    def conclude(self) -> PhaseOutcome:
        """Leave the EMA weights of the lowest validation negative log-likelihood."""
        self.network.load_state_dict(self.best_weights)
        return PhaseOutcome(self.name, self._closing(self.best))
