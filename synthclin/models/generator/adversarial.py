"""Adversarial training on codes: expected relativistic GAN loss with R1 and R2 penalties, a critic per cell.

Each real cell is paired with a synthetic one under the same condition, the real cells before it.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import ClassVar

import torch
from torch import Tensor

from synthclin.models.distributed import share
from synthclin.models.generator.masked_layers import weights_masked
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.objectives import expected_relativistic_loss
from synthclin.models.generator.optimizer import AdamW, Average, Optimizers, descend
from synthclin.models.generator.phases import DETECTABLE, Phase, PhaseOutcome, Setting, rate_share
from synthclin.models.generator.validation_metrics import (
    ValidationMetrics,
    quick_detection,
    validation_metrics,
    validation_nll,
)
from synthclin.progress import Step
from synthclin.seeds import stream_seed

__all__ = ["AdversarialFineTuning", "AdversarialTraining", "FineTuning", "cell_critic", "margins"]

RATE = 2e-3
"""Learning rate of critics and of an untrained generator; twice as much converges sooner and overfits more."""
FINE_TUNING_RATE = 3e-4
"""Learning rate of a generator after the likelihood warm-up."""
PENALTY = 4.0
"""Gamma of R1 and R2. With a tenth of it the critic memorises training rows, and then so does the generator."""
CRITIC_STEPS = 50
"""Steps of critics alone, before the first step of a warmed-up generator."""
BETAS = (0.0, 0.99)
"""Of Adam, in all networks."""
EVALUATION_INTERVAL = 50
SMOOTHED_OVER = 3
"""Evaluations over which the C2ST AUC is averaged: a single one on few rows is noise."""


def cell_critic(network: MaskedGenerator, codes: Tensor) -> MaskedGenerator:
    """Return an untrained conditional critic of single cells, with the architecture of `network`.

    Its logits are scores: one pass scores every code of every column given the columns before it.
    """
    frequencies = [
        torch.bincount(codes[:, t], minlength=column.cardinality).float().cpu()
        for t, column in enumerate(network.columns)
    ]
    width, blocks = network.enter.out_features, len(network.blocks)
    critic = MaskedGenerator(
        network.columns, frequencies, fields=network.fields, width=width, blocks=blocks, dropout=0.2
    ).to(codes.device)
    for table in critic.groups:
        # Scores begin at 0: initialised at the log marginals, the critic would reward frequent codes.
        table.bias.requires_grad_(False).zero_()
        if table.basis is not None:
            # The penalties bound the context logits; a trained basis could grow instead.
            table.basis.requires_grad_(False)
    return critic


def margins(critic: MaskedGenerator, codes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield, per group of columns, the margins of the real cells over each code, and the critic's context logits.

    **Shape:** codes (rows, columns) -> (members, rows, codes), (members, rows, width).
    """
    for table, context_logits in zip(critic.groups, critic.context_logits_all(codes), strict=True):
        scores = table.logits(context_logits)
        yield scores.gather(2, codes[:, table.index].T.unsqueeze(2)) - scores, context_logits


class _AdversarialPhase(Phase):
    """Adversarial training of the generator against critics; no likelihood enters a loss.

    Relativistic pairing GAN with R1 and R2 (Jolicoeur-Martineau 2018, arXiv 1807.00734; Mescheder et al. 2018,
    arXiv 1801.04406; Huang et al. 2024, arXiv 2501.05441). A real and a synthetic cell are scored under the same
    condition, the real cells before them. A column has few codes, so both losses are exact expectations over the
    synthetic cell; no gradient estimator for discrete samples is needed. A critic is linear in the basis of the cell
    that it scores, so R1 and R2, the squared gradients at the real and at the synthetic cell, both equal the squared
    norm of its context logits.
    """

    network: MaskedGenerator
    learners: ClassVar = ("networks", "optimizers", "average")

    def __init__(
        self, setting: Setting, steps: int, *, critics: int, rate: float, critic_steps: int, ema_decay: float
    ) -> None:
        """Set up critics, optimiser and schedules.

        Arguments:
            setting: network, data and seed.
            steps: of the generator.
            critics: 1, or 2 that are cross-fitted: each is trained on one half of the rows and scores the other half,
                so that the generator's loss on a row never comes from a critic trained on it.
            rate: peak learning rate of the generator.
            critic_steps: steps of the critics before the first step of the generator.
            ema_decay: decay of the generator's exponential moving average.
        """
        super().__init__(setting, critic_steps + steps)
        self.critics = [cell_critic(self.network, self.codes) for _ in range(critics)]
        self.networks = torch.nn.ModuleList([self.network, *self.critics])
        total = self.total
        generator = AdamW(
            self.network, lambda step: rate * rate_share(step, first=critic_steps, last=total), betas=BETAS
        )
        judges = [
            AdamW(critic, lambda step: RATE * rate_share(step, last=total), betas=BETAS) for critic in self.critics
        ]
        self.optimizers = Optimizers([generator, *judges])
        self.average = Average(self.network, ema_decay)

    def advance(self, tick: Step) -> dict[str, float]:
        """Train all networks for one evaluation interval."""
        steps = min(EVALUATION_INTERVAL, self.total - self.done)
        with weights_masked(self.networks):
            for _ in range(steps):
                self._step()
                tick(1)
        self.done += steps
        accuracy = self._critic_accuracy()
        tick(0, note=f"critic accuracy {accuracy:.1%}")
        nll = validation_nll(self.average.module, self.validation)
        return {"critic_accuracy": round(accuracy, 4), "validation_nll": round(nll, 5)}

    def _step(self) -> None:
        """Take one simultaneous step of all networks on the same pairs; alternating steps were slower, not better."""
        self.networks.train()
        rows, parts = self._rows()
        codes = self.codes[rows]
        conditionals = [logits.softmax(dim=2) for logits in self.network(codes)]
        losses = []
        for critic, train, score in zip(self.critics, parts, reversed(parts), strict=True):
            for probabilities, (margin, context_logits) in zip(conditionals, margins(critic, codes), strict=True):
                # Each loss detaches the other network, so the gradient of their sum is each network's own.
                losses.append(expected_relativistic_loss(margin[:, train], probabilities[:, train].detach()))
                losses.append(expected_relativistic_loss(-margin[:, score].detach(), probabilities[:, score]))
                losses.append(PENALTY * context_logits[:, train].square().sum(dim=2).mean(dim=1).sum())
        descend(self.optimizers.each, torch.stack(losses).sum())
        self.average.update(self.optimizers.each[0].values)

    def _rows(self) -> tuple[Tensor, Sequence[slice]]:
        """Return the rows of a batch, and the slice of them on which each critic is trained: critic k on fold k."""
        count = len(self.critics)
        shape, device = (count, max(1, self.batch // count)), self.codes.device
        # Fold k is every `count`-th row of the shuffled table from row k on; remaining rows at the end are left out.
        chosen = torch.randint(len(self.codes) // count, shape, generator=self.generator, device=device)
        rows = share((chosen * count + torch.arange(count, device=device)[:, None]).T).T
        each = rows.shape[1]
        return rows.flatten(), [slice(k * each, (k + 1) * each) for k in range(count)]

    def _critic_accuracy(self) -> float:
        """Return the share of (validation cell, synthetic cell) pairs in which a critic scores the real cell higher."""
        network = self.average.module
        self.networks.eval()
        network.eval()
        accuracies = []
        with torch.no_grad():
            conditionals = [logits.softmax(dim=2) for logits in network(self.validation)]
            for critic in self.critics:
                for probabilities, (margin, _) in zip(conditionals, margins(critic, self.validation), strict=True):
                    correct = (margin > 0).float() + (margin == 0).float() / 2
                    accuracies.append((probabilities * correct).sum(dim=2).mean(dim=1).sum())
        return float(torch.stack(accuracies).sum()) / self.validation.shape[1] / len(self.critics)


class AdversarialTraining(_AdversarialPhase):
    """Adversarial training from untrained weights; keeps the EMA weights with the lowest validation C2ST AUC.

    Relativistic pairing GAN with R1 and R2 (Huang et al. 2024, arXiv 2501.05441).
    """

    name, stream, label = "adversarial", "adversarial", "training against critics"
    facts: ClassVar = ("done", "best", "best_weights", "aucs")

    def __init__(self, setting: Setting, steps: int) -> None:
        super().__init__(setting, steps, critics=1, rate=RATE, critic_steps=0, ema_decay=0.99)
        self.best = math.inf
        self.aucs: list[float] = []

    def begin(self) -> None:
        """Record the untrained weights as the best so far."""
        self.best_weights = copy.deepcopy(self.network.state_dict())

    def advance(self, tick: Step) -> dict[str, float]:
        """Train both networks for one evaluation interval and keep the weights if the C2ST AUC is the lowest so far."""
        figures = super().advance(tick)
        network = self.average.module
        self.aucs.append(self._c2st_auc(network) if len(self.validation) >= DETECTABLE else figures["critic_accuracy"])
        smoothed = fmean(self.aucs[-SMOOTHED_OVER:])
        if len(self.aucs) <= SMOOTHED_OVER or smoothed < self.best:
            self.best, self.best_weights = smoothed, copy.deepcopy(network.state_dict())
        return figures

    def _c2st_auc(self, network: MaskedGenerator) -> float:
        """Return the validation C2ST AUC of a new classifier, independent of the trained critic."""
        return fmean(quick_detection(network, self.validation, stream_seed(self.seed, "look", k)) for k in range(3))

    def conclude(self) -> PhaseOutcome:
        """Leave the EMA weights with the lowest validation C2ST AUC."""
        self.network.load_state_dict(self.best_weights)
        return PhaseOutcome(self.name, self._closing(validation_nll(self.network, self.validation)))


@dataclass(frozen=True, slots=True)
class FineTuning:
    """Acceptance test of adversarial fine-tuning, on validation rows.

    Arguments:
        passed: whether the fine-tuned weights were kept.
        nll_before: negative log-likelihood (nats per row) of the weights of the warm-up.
        nll_after: the same for the fine-tuned weights.
        auc_before: C2ST AUC of the weights of the warm-up, mean over three synthetic samples.
        auc_after: the same for the fine-tuned weights.
        auc_error: standard error of one such AUC; both share their real rows, so the difference has about the same.
    """

    passed: bool
    nll_before: float
    nll_after: float
    auc_before: float
    auc_after: float
    auc_error: float


class AdversarialFineTuning(_AdversarialPhase):
    """Adversarial fine-tuning after the warm-up, with cross-fitted critics and an acceptance test.

    Relativistic pairing GAN with R1 and R2 (Huang et al. 2024, arXiv 2501.05441).
    """

    name, stream, label = "fine-tuning", "refinement", "fine-tuning"
    facts: ClassVar = ("done", "before", "before_weights")

    def __init__(self, setting: Setting, steps: int) -> None:
        super().__init__(setting, steps, critics=2, rate=FINE_TUNING_RATE, critic_steps=CRITIC_STEPS, ema_decay=0.98)

    def begin(self) -> None:
        """Record weights and validation metrics, to restore the weights if the acceptance test fails."""
        self.before = dataclasses.asdict(validation_metrics(self.network, self.validation, self.seed))
        self.before_weights = copy.deepcopy(self.network.state_dict())

    def conclude(self) -> PhaseOutcome:
        """Leave the fine-tuned weights if their C2ST AUC is lower by a standard error at no worse likelihood."""
        before = ValidationMetrics(**self.before)
        self.network.load_state_dict(self.average.module.state_dict())
        after = validation_metrics(self.network, self.validation, self.seed)
        error = math.sqrt((before.variance + after.variance) / 2)
        passed = after.nll <= before.nll and after.auc < before.auc - error
        passed = passed and self.done > CRITIC_STEPS
        if not passed:
            self.network.load_state_dict(self.before_weights)
        judged = FineTuning(passed, before.nll, after.nll, before.auc, after.auc, error)
        figures = self._closing(after.nll if passed else before.nll)
        return PhaseOutcome("adversarial" if passed else None, figures, dataclasses.asdict(judged))
