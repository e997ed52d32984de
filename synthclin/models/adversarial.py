"""Adversarial refinement: the generator against a critic, kept only where it does no harm."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from synthclin.models.drawing import draw
from synthclin.models.networks import Critic, MaskedGenerator, code_features, is_smooth
from synthclin.models.objectives import negative_log_likelihood, relativistic_loss, zero_centred_penalty
from synthclin.progress import track
from synthclin.seeds import stream_seed, torch_generator

__all__ = ["Refinement", "refine"]

CRITIC_WARM_UP = 200
CRITIC_STEPS = 2
POOL_EVERY = 10
PENALTY_EVERY = 4
PENALTY = 0.5
WEIGHT = 3.0
CONDITIONED = 0.3
LIKELIHOOD_SLACK = 0.1
"""Nats by which refined weights may be less likely on validation rows."""


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
    """Drawn rows and the real partners whose prefix they share, as critic features, refreshed now and then."""

    def __init__(self, network: MaskedGenerator, codes: Tensor, features: list[Tensor], rng: torch.Generator) -> None:
        self.network, self.codes, self.features, self.rng = network, codes, features, rng
        self.refresh()

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


def refine(network: MaskedGenerator, codes: Tensor, held: Tensor, *, steps: int, batch: int, seed: int) -> Refinement:
    """Refine a warmed-up network in place against a critic and judge the result on `held` rows.

    Likelihood stays in the generator's loss, so the critic can only add to what was learnt. The caller restores the
    weights from before where `passed` is false.
    """
    device = codes.device
    rng = torch_generator(seed, "adversarial", device=device)
    frequencies = [torch.bincount(codes[:, t], minlength=c.cardinality).float() for t, c in enumerate(network.columns)]
    features = [
        (code_features(column, frequency.cpu(), knots=12) if is_smooth(column) else torch.eye(column.cardinality)).to(
            device
        )
        for column, frequency in zip(network.columns, frequencies, strict=True)
    ]
    before = _standing(network, held, seed)
    network.eval()  # dropout would be noise to the critic
    critic = Critic(sum(table.shape[1] for table in features)).to(device)
    judge = torch.optim.AdamW(critic.parameters(), 5e-4, betas=(0.0, 0.99))
    learn = torch.optim.AdamW(network.parameters(), 1e-4, betas=(0.0, 0.99))
    average = AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(0.98))
    pool = _Pool(network, codes, features, rng)
    with track("refining", total=CRITIC_WARM_UP + steps, unit="steps") as tick:
        for i in range(CRITIC_WARM_UP):
            _teach_critic(critic, judge, pool.batch(batch), penalise=i % PENALTY_EVERY == 0)
            tick(1)
        for i in range(steps):
            if i % POOL_EVERY == 0:
                pool.refresh()
            for k in range(CRITIC_STEPS):
                _teach_critic(critic, judge, pool.batch(batch), penalise=(i * CRITIC_STEPS + k) % PENALTY_EVERY == 0)
            partner, prefix = pool.partners(batch)
            fake = draw(network, batch, rng, given=partner, prefix=prefix, temperature=1.0)
            drawn = torch.cat([soft @ table for soft, table in zip(fake.soft, features, strict=True)], dim=1)
            critic.eval()
            loss = WEIGHT * relativistic_loss(ahead=critic(drawn), behind=critic(pool.hard_features(partner)).detach())
            rows = torch.randint(len(codes), (batch,), generator=rng, device=device)
            loss = loss + negative_log_likelihood(network.log_likelihood(codes[rows]))
            learn.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            learn.step()
            average.update_parameters(network)
            tick(1)
    network.load_state_dict(average.module.state_dict())
    after = _standing(network, held, seed)
    error = math.sqrt((before.variance + after.variance) / 2)
    passed = after.nats <= before.nats + LIKELIHOOD_SLACK and after.auc <= before.auc + error
    return Refinement(passed, before.nats, after.nats, before.auc, after.auc, error)


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


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a network does on rows it has not seen: nats, and how well a fresh classifier tells its draws from them."""

    nats: float
    auc: float
    variance: float


def _standing(network: MaskedGenerator, held: Tensor, seed: int) -> _Standing:
    network.eval()
    real = held[:2_000]
    with torch.no_grad():
        nats = float(-torch.cat([network.log_likelihood(part).sum(1) for part in held.split(4_096)]).mean())
        rng = torch_generator(seed, "guard", device=held.device)
        draws = [draw(network, len(real), rng).codes.cpu().numpy() for _ in range(3)]
    aucs = [_told_apart(real.cpu().numpy(), drawn, stream_seed(seed, "guard") % 2**31) for drawn in draws]
    n = len(real)
    # Hanley & McNeil's error of one AUC near one half, besides the spread between draws.
    variance = (2 * n + 1) / (12 * n * n) + float(np.var(aucs, ddof=1)) / len(aucs)
    return _Standing(nats, float(np.mean(aucs)), variance)


def _told_apart(real: NDArray[np.int64], drawn: NDArray[np.int64], seed: int) -> float:
    """Return a gradient-boosted classifier's cross-validated AUC, drawn against real codes."""
    rows = np.concatenate([real, drawn])
    labels = np.repeat([0, 1], [len(real), len(drawn)])
    model = HistGradientBoostingClassifier(max_iter=50, min_samples_leaf=10, early_stopping=False, random_state=seed)
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    chance = cross_val_predict(model, rows, labels, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, chance))
