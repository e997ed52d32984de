"""Adversarial training from scratch: every cell of a row against a drawn one that shares all cells before it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from functools import partial
from statistics import fmean
from typing import ClassVar, cast

import torch
from torch import Tensor

from synthclin.models.networks import CodeTables, MaskedGenerator
from synthclin.models.objectives import expected_relativistic_loss
from synthclin.models.phases import DETECTABLE, Outcome, Phase, Setting, averaged, descend
from synthclin.models.standing import quick_detection, validation_nats
from synthclin.progress import Step
from synthclin.seeds import stream_seed

__all__ = ["Pairing", "cell_critic", "leads"]

RATE = 2e-3
"""Of both networks; twice as much is there sooner and remembers more of the rows."""
PENALTY = 4.0
"""Gamma of R1 and R2. With a tenth of it the critic remembers the rows, and the generator after it."""
LOOK_EVERY = 50
LOOKS = 3
"""One look at few rows is noise: what counts is their mean."""


def cell_critic(network: MaskedGenerator, codes: Tensor) -> MaskedGenerator:
    """Return a critic of single cells, untrained: what `network` gives as logits, it gives as scores.

    One pass scores every code of every column beside the columns before it, so each column has a critic of its own
    that knows the condition.
    """
    frequencies = [
        torch.bincount(codes[:, t], minlength=column.cardinality).float().cpu()
        for t, column in enumerate(network.columns)
    ]
    width = network.enter.out_features
    critic = MaskedGenerator(network.columns, frequencies, (), width, len(network.blocks), dropout=0.2)
    critic.to(codes.device)
    for table in _tables(critic):
        # A critic that began at the marginals would reward what is frequent, not what is lacking.
        table.bias.requires_grad_(False).zero_()
    return critic


def leads(network: MaskedGenerator, critic: MaskedGenerator, codes: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Yield, per group of columns, the real cells' leads, the drawn cell's law, and the critic's tilts.

    **Shape:** (members, rows, codes), (members, rows, codes), (members, rows, width).
    """
    tilts = critic.tilts(codes)
    for generating, judging, logits, tilt in zip(_tables(network), _tables(critic), network(codes), tilts, strict=True):
        scores = judging.logits(tilt)
        real = codes[:, generating.index].T.unsqueeze(2)
        yield scores.gather(2, real) - scores, logits.softmax(dim=2), tilt


def _tables(network: MaskedGenerator) -> list[CodeTables]:
    return cast("list[CodeTables]", list(network.tables))


class Pairing(Phase):
    """The generator against a critic from the first step on; no likelihood enters the loss.

    A real cell and a drawn one are judged side by side under the same condition, the real cells before them
    (relativistic pairing). A code is one of few, so both losses are taken in expectation over the drawn cell, exactly:
    nothing is estimated through a hard choice, which is what holds adversarial training on codes back elsewhere. The
    critic is linear in the basis of the cell that it judges; R1 and R2, the squared slopes at the real and at the drawn
    cell, are both the squared length of its tilt.
    """

    name, stream, label = "adversarial", "adversarial", "contending"
    learners: ClassVar = ("game", "optimizer", "schedule", "average")
    facts: ClassVar = ("done", "best", "best_weights", "told")

    def __init__(self, setting: Setting, steps: int) -> None:
        super().__init__(setting, steps)
        self.critic = cell_critic(self.network, self.codes)
        self.game = torch.nn.ModuleList([self.network, self.critic])
        self.optimizer = torch.optim.Adam(self.game.parameters(), RATE, betas=(0.0, 0.99))
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, partial(_share, total=steps))
        self.average = averaged(self.network, 0.99)
        self.best = math.inf
        self.told: list[float] = []

    def begin(self) -> None:
        """Take the untrained weights for the best so far."""
        self.best_weights = copy.deepcopy(self.network.state_dict())

    def advance(self, tick: Step) -> dict[str, float]:
        """Let both networks learn until the next look."""
        steps = min(LOOK_EVERY, self.total - self.done)
        for _ in range(steps):
            self._contend()
            tick(1)
        self.done += steps
        network = cast("MaskedGenerator", self.average.module)
        accuracy = self._critic_accuracy(network)
        self.told.append(self._told(network) if len(self.held) >= DETECTABLE else accuracy)
        lately = fmean(self.told[-LOOKS:])
        if len(self.told) <= LOOKS or lately < self.best:
            self.best, self.best_weights = lately, copy.deepcopy(network.state_dict())
        tick(0, note=f"critic right on {accuracy:.1%} of cells")
        return {"critic_accuracy": round(accuracy, 4), "validation_nats": round(validation_nats(network, self.held), 5)}

    def _contend(self) -> None:
        """Take one step of both networks on the same pairs; one after the other they took longer and were no better."""
        self.game.train()
        rows = torch.randint(len(self.codes), (self.batch,), generator=self.generator, device=self.codes.device)
        losses = []
        for lead, chance, tilt in leads(self.network, self.critic, self.codes[rows]):
            # Each loss holds the other network fast, so their sum has each one's own gradient.
            losses.append(expected_relativistic_loss(lead, chance.detach()))
            losses.append(expected_relativistic_loss(-lead.detach(), chance))
            losses.append(PENALTY * tilt.square().sum(dim=2).mean(dim=1).sum())
        descend(self.optimizer, self.game, torch.stack(losses).sum())
        self.schedule.step()
        self.average.update_parameters(self.network)

    def _critic_accuracy(self, network: MaskedGenerator) -> float:
        """Return the share of (validation cell, drawn cell) pairs in which the critic puts the real cell ahead."""
        network.eval()
        self.critic.eval()
        with torch.no_grad():
            right = [
                (chance * ((lead > 0).float() + (lead == 0).float() / 2)).sum(dim=2).mean(dim=1).sum()
                for lead, chance, _ in leads(network, self.critic, self.held)
            ]
        return float(torch.stack(right).sum()) / self.held.shape[1]

    def _told(self, network: MaskedGenerator) -> float:
        """Return a fresh classifier's AUC on rows set aside: the critic at hand has seen too much of the game."""
        return fmean(quick_detection(network, self.held, stream_seed(self.seed, "look", k)) for k in range(3))

    def conclude(self) -> Outcome:
        """Leave the averaged weights whose draws were hardest to tell from rows set aside."""
        self.network.load_state_dict(self.best_weights)
        return Outcome(self.name, self._closing(validation_nats(self.network, self.held)))


def _share(step: int, total: int) -> float:
    """Return the share of the peak rate at a step: a short rise, then a cosine."""
    return min(1.0, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total))))
