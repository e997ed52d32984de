"""Adversarial refinement: the generator against a critic, kept only where it does no harm."""

from __future__ import annotations

import copy
import dataclasses
import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from synthclin.models.drawing import draw
from synthclin.models.features import code_features, is_smooth
from synthclin.models.networks import Critic, MaskedGenerator
from synthclin.models.objectives import negative_log_likelihood, relativistic_loss, zero_centred_penalty
from synthclin.models.phases import Outcome, Phase, Setting, averaged, descend
from synthclin.models.standing import Standing, standing
from synthclin.progress import Step
from synthclin.seeds import torch_generator

__all__ = ["Refinement", "Refining"]

CRITIC_WARM_UP = 200
CRITIC_STEPS = 2
POOL_EVERY = 10
PENALTY_EVERY = 4
PENALTY = 0.5
WEIGHT = 3.0
CONDITIONED = 0.3
LIKELIHOOD_SLACK = 0.1
"""Nats by which refined weights may be less likely on validation rows."""
WATCHED = 256
"""Validation rows on which the critic is measured; with as many drawn ones they make 65,536 pairs."""


@dataclass(frozen=True, slots=True)
class Refinement:
    """What the adversarial phase did on rows that neither network was trained on.

    Arguments:
        passed: whether the refined weights were kept.
        nats_before: validation nats of the polished weights.
        nats_after: validation nats of the refined weights.
        auc_before: a fresh classifier's AUC, drawn against validation rows, mean over three draws.
        auc_after: the same for the refined weights.
        auc_error: standard error of one such AUC; both share their real rows, so the difference has about the same.
    """

    passed: bool
    nats_before: float
    nats_after: float
    auc_before: float
    auc_after: float
    auc_error: float


class _Pool:
    """Drawn rows and the real partners whose prefix they share, as critic features; filled by `refresh`."""

    def __init__(self, network: MaskedGenerator, codes: Tensor, features: list[Tensor], rng: torch.Generator) -> None:
        self.network, self.codes, self.features, self.rng = network, codes, features, rng
        self.real = self.drawn = torch.empty(0)

    def partners(self, rows: int) -> tuple[Tensor, int]:
        """Return real rows and how many of their first columns the drawn partner takes over."""
        real = self.codes[torch.randint(len(self.codes), (rows,), generator=self.rng, device=self.rng.device)]
        chance = torch.rand(2, generator=self.rng, device=self.rng.device).tolist()
        prefix = 1 + int(chance[1] * (self.codes.shape[1] - 1)) if chance[0] < CONDITIONED else 0
        return real, min(prefix, self.codes.shape[1] - 1)

    def hard_features(self, codes: Tensor) -> Tensor:
        return torch.cat([table[codes[:, t]] for t, table in enumerate(self.features)], dim=1)

    def refresh(self, rows: int = 1_024, parts: int = 4) -> None:
        real, drawn = [], []
        with torch.no_grad():
            for _ in range(parts):
                partner, prefix = self.partners(rows // parts)
                fake = draw(self.network, len(partner), self.rng, given=partner, prefix=prefix)
                real.append(self.hard_features(partner))
                drawn.append(self.hard_features(fake.codes))
        self.real, self.drawn = torch.cat(real), torch.cat(drawn)

    def batch(self, rows: int) -> tuple[Tensor, Tensor]:
        chosen = torch.randint(len(self.real), (rows,), generator=self.rng, device=self.rng.device)
        return self.real[chosen], self.drawn[chosen]


class Refining(Phase):
    """The generator against a critic. Likelihood stays in its loss, so the critic can only add to what was learnt.

    The critic learns alone first; then `POOL_EVERY` generator steps go by between two states, because rows drawn for
    the critic live as long and need not be saved.
    """

    name, stream, label = "refinement", "adversarial", "refining"
    learners: ClassVar = ("network", "critic", "judge", "learn", "average")
    facts: ClassVar = ("done", "before", "before_weights")

    def __init__(self, setting: Setting, steps: int) -> None:
        super().__init__(setting, CRITIC_WARM_UP + steps)
        device = self.codes.device
        frequencies = [
            torch.bincount(self.codes[:, t], minlength=column.cardinality).float()
            for t, column in enumerate(self.network.columns)
        ]
        self.features = [
            (
                code_features(column, frequency.cpu(), knots=12) if is_smooth(column) else torch.eye(column.cardinality)
            ).to(device)
            for column, frequency in zip(self.network.columns, frequencies, strict=True)
        ]
        self.critic = Critic(sum(table.shape[1] for table in self.features)).to(device)
        self.judge = torch.optim.AdamW(self.critic.parameters(), 5e-4, betas=(0.0, 0.99))
        self.learn = torch.optim.AdamW(self.network.parameters(), 1e-4, betas=(0.0, 0.99))
        self.average = averaged(self.network, 0.98)
        self.pool = _Pool(self.network, self.codes, self.features, self.generator)

    def begin(self) -> None:
        """Note how the weights stand that may have to come back."""
        self.before = dataclasses.asdict(standing(self.network, self.held, self.seed))
        self.before_weights = copy.deepcopy(self.network.state_dict())

    def advance(self, tick: Step) -> dict[str, float]:
        """Warm the critic up, or let the generator learn from it until the pool is stale."""
        self.network.eval()  # dropout would be noise to the critic
        self.pool.refresh()
        if self.done < CRITIC_WARM_UP:
            steps = CRITIC_WARM_UP
            for i in range(steps):
                _teach_critic(self.critic, self.judge, self.pool.batch(self.batch), penalise=i % PENALTY_EVERY == 0)
                tick(1)
        else:
            steps = min(POOL_EVERY, self.total - self.done)
            for i in range(self.done - CRITIC_WARM_UP, self.done - CRITIC_WARM_UP + steps):
                for k in range(i * CRITIC_STEPS, (i + 1) * CRITIC_STEPS):
                    _teach_critic(self.critic, self.judge, self.pool.batch(self.batch), penalise=k % PENALTY_EVERY == 0)
                self._teach_generator()
                tick(1)
        self.done += steps
        accuracy = self._critic_accuracy()
        tick(0, note=f"critic right on {accuracy:.0%} of pairs")
        return {"critic_accuracy": round(accuracy, 4)}

    def _teach_generator(self) -> None:
        partner, prefix = self.pool.partners(self.batch)
        fake = draw(self.network, self.batch, self.generator, given=partner, prefix=prefix, temperature=1.0)
        drawn = torch.cat([soft @ table for soft, table in zip(fake.soft, self.features, strict=True)], dim=1)
        self.critic.eval()
        real = self.critic(self.pool.hard_features(partner)).detach()
        loss = WEIGHT * relativistic_loss(ahead=self.critic(drawn), behind=real)
        rows = torch.randint(len(self.codes), (self.batch,), generator=self.generator, device=self.codes.device)
        loss = loss + negative_log_likelihood(self.network.log_likelihood(self.codes[rows]))
        descend(self.learn, self.network, loss)
        self.average.update_parameters(self.network)

    def _critic_accuracy(self) -> float:
        """Return the share of (validation row, drawn row) pairs in which the critic puts the real row ahead."""
        held = self.held[:WATCHED]
        rng = torch_generator(self.seed, "critic accuracy", self.done, device=held.device)
        self.critic.eval()
        with torch.no_grad():
            drawn = draw(self.network, len(held), rng).codes
            real, fake = (self.critic(self.pool.hard_features(rows)) for rows in (held, drawn))
        lead = real[:, None] - fake
        return float((lead > 0).float().mean() + (lead == 0).float().mean() / 2)

    def conclude(self) -> Outcome:
        """Leave the refined weights where rows that neither network learnt from say that they do no harm."""
        before = Standing(**self.before)
        self.network.load_state_dict(self.average.module.state_dict())
        after = standing(self.network, self.held, self.seed)
        error = math.sqrt((before.variance + after.variance) / 2)
        passed = after.nats <= before.nats + LIKELIHOOD_SLACK and after.auc <= before.auc + error
        passed = passed and int(self.average.n_averaged) > 0
        if not passed:
            self.network.load_state_dict(self.before_weights)
        judged = Refinement(passed, before.nats, after.nats, before.auc, after.auc, error)
        figures = self._closing(after.nats if passed else before.nats)
        return Outcome("adversarial" if passed else None, figures, dataclasses.asdict(judged))


def _teach_critic(
    critic: Critic, optimizer: torch.optim.Optimizer, rows: tuple[Tensor, Tensor], penalise: bool
) -> None:
    critic.train()
    real, drawn = (part.requires_grad_(penalise) for part in rows)
    above, below = critic(real), critic(drawn)
    loss = relativistic_loss(ahead=above, behind=below)
    if penalise:
        # The penalty runs every few steps, so it weighs as many times more when it does.
        both = zero_centred_penalty(above, real) + zero_centred_penalty(below, drawn)
        loss = loss + PENALTY_EVERY * PENALTY / 2 * both
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
