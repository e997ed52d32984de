"""The adversarial game: every cell of a row against a drawn one that shares all cells before it."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean
from typing import ClassVar, cast

import torch
from torch import Tensor

from synthclin.models.distributed import share
from synthclin.models.networks import MaskedGenerator
from synthclin.models.objectives import expected_relativistic_loss
from synthclin.models.phases import DETECTABLE, Phase, PhaseOutcome, Setting, averaged, descend, rate_share
from synthclin.models.validation_metrics import ValidationMetrics, quick_detection, validation_metrics, validation_nll
from synthclin.progress import Step
from synthclin.seeds import stream_seed

__all__ = ["AdversarialFineTuning", "AdversarialTraining", "FineTuning", "cell_critic", "leads"]

RATE = 2e-3
"""Of critics and of a generator that starts untrained; twice as much is there sooner and remembers more of the rows."""
FINE_TUNING_RATE = 3e-4
"""Of a generator that likelihood has brought near."""
PENALTY = 4.0
"""Gamma of R1 and R2. With a tenth of it the critic remembers the rows, and the generator after it."""
ALONE = 100
"""Steps in which critics learn what a trained generator lacks before it listens to them."""
LOOK_EVERY = 50
LOOKS = 3
"""One look at few rows is noise: what counts is their mean."""
LIKELIHOOD_SLACK = 0.1
"""Nats by which refined weights may be less likely on validation rows."""


def cell_critic(network: MaskedGenerator, codes: Tensor) -> MaskedGenerator:
    """Return a critic of single cells, untrained: what `network` gives as logits, it gives as scores.

    One pass scores every code of every column beside the columns before it, so each column has a critic of its own
    that knows the condition.
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
        # A critic that began at the marginals would reward what is frequent, not what is lacking.
        table.bias.requires_grad_(False).zero_()
        if table.basis is not None:
            # The penalties hold the tilt, not a basis that could grow in its place.
            table.basis.requires_grad_(False)
    return critic


def leads(critic: MaskedGenerator, codes: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield, per group of columns, by how much the real cells outscore each code, and the critic's tilts.

    **Shape:** codes (rows, columns) -> (members, rows, codes), (members, rows, width).
    """
    for table, context_logits in zip(critic.groups, critic.context_logits_all(codes), strict=True):
        scores = table.logits(context_logits)
        yield scores.gather(2, codes[:, table.index].T.unsqueeze(2)) - scores, context_logits


class _Game(Phase):
    """The generator against critics; no likelihood enters a loss.

    A real cell and a drawn one are judged side by side under the same condition, the real cells before them
    (relativistic pairing). A code is one of few, so both losses are taken in expectation over the drawn cell, exactly:
    nothing is estimated through a hard choice, which is what holds adversarial training on codes back elsewhere. A
    critic is linear in the basis of the cell that it judges; R1 and R2, the squared slopes at the real and at the drawn
    cell, are both the squared length of its tilt.
    """

    learners: ClassVar = ("game", "optimizer", "schedule", "average")

    def __init__(self, setting: Setting, steps: int, *, critics: int, rate: float, alone: int, memory: float) -> None:
        """Set the game up.

        Arguments:
            setting: what every phase works on.
            steps: of the generator.
            critics: 1, or 2 that are cross-fitted: each learns from half of the rows and judges in the other half, so
                that the generator never hears from a critic that has seen the row.
            rate: peak learning rate of the generator.
            alone: steps of the critics before the first one of the generator.
            memory: decay of the generator's moving average.
        """
        super().__init__(setting, alone + steps)
        self.critics = [cell_critic(self.network, self.codes) for _ in range(critics)]
        self.game = torch.nn.ModuleList([self.network, *self.critics])
        groups = [{"params": self.network.parameters(), "lr": rate}]
        groups += [{"params": critic.parameters(), "lr": RATE} for critic in self.critics]
        self.optimizer = torch.optim.Adam(groups, RATE, betas=(0.0, 0.99), fused=True)
        shares: list[Callable[[int], float]] = [partial(rate_share, first=alone, last=self.total)]
        shares += [partial(rate_share, last=self.total)] * critics
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, shares)
        self.average = averaged(self.network, memory)

    def advance(self, tick: Step) -> dict[str, float]:
        """Let all networks learn until the next look."""
        steps = min(LOOK_EVERY, self.total - self.done)
        for _ in range(steps):
            self._contend()
            tick(1)
        self.done += steps
        accuracy = self._critic_accuracy()
        tick(0, note=f"critic right on {accuracy:.1%} of cells")
        nats = validation_nll(cast("MaskedGenerator", self.average.module), self.validation)
        return {"critic_accuracy": round(accuracy, 4), "validation_nll": round(nats, 5)}

    def _contend(self) -> None:
        """Take one step of all networks on the same pairs; one after the other they took longer and were no better."""
        self.game.train()
        rows, parts = self._rows()
        codes = self.codes[rows]
        conditionals = [logits.softmax(dim=2) for logits in self.network(codes)]
        losses = []
        for critic, learnt, judged in zip(self.critics, parts, reversed(parts), strict=True):
            for probabilities, (lead, context_logits) in zip(conditionals, leads(critic, codes), strict=True):
                # Each loss holds the other network fast, so their sum has each one's own gradient.
                losses.append(expected_relativistic_loss(lead[:, learnt], probabilities[:, learnt].detach()))
                losses.append(expected_relativistic_loss(-lead[:, judged].detach(), probabilities[:, judged]))
                losses.append(PENALTY * context_logits[:, learnt].square().sum(dim=2).mean(dim=1).sum())
        descend(self.optimizer, self.game, torch.stack(losses).sum())
        self.schedule.step()
        self.average.update_parameters(self.network)

    def _rows(self) -> tuple[Tensor, Sequence[slice]]:
        """Return rows of a batch, and which of them each critic learns from: of half k of the table those of k."""
        count = len(self.critics)
        shape, device = (count, max(1, self.batch // count)), self.codes.device
        # Half k is every `count`-th row of the shuffled table from row k on; what is left over at the end sits out.
        pick = torch.randint(len(self.codes) // count, shape, generator=self.generator, device=device)
        rows = share((pick * count + torch.arange(count, device=device)[:, None]).T).T
        each = rows.shape[1]
        return rows.flatten(), [slice(k * each, (k + 1) * each) for k in range(count)]

    def _critic_accuracy(self) -> float:
        """Return the share of (validation cell, drawn cell) pairs in which a critic puts the real cell ahead."""
        network = cast("MaskedGenerator", self.average.module)
        self.game.eval()
        network.eval()
        right = []
        with torch.no_grad():
            conditionals = [logits.softmax(dim=2) for logits in network(self.validation)]
            for critic in self.critics:
                for probabilities, (lead, _) in zip(conditionals, leads(critic, self.validation), strict=True):
                    ahead = (lead > 0).float() + (lead == 0).float() / 2
                    right.append((probabilities * ahead).sum(dim=2).mean(dim=1).sum())
        return float(torch.stack(right).sum()) / self.validation.shape[1] / len(self.critics)


class AdversarialTraining(_Game):
    """The game from untrained weights on. What is kept is what a fresh classifier tells least from rows set aside."""

    name, stream, label = "adversarial", "adversarial", "training against critics"
    facts: ClassVar = ("done", "best", "best_weights", "told")

    def __init__(self, setting: Setting, steps: int) -> None:
        super().__init__(setting, steps, critics=1, rate=RATE, alone=0, memory=0.99)
        self.best = math.inf
        self.told: list[float] = []

    def begin(self) -> None:
        """Take the untrained weights for the best so far."""
        self.best_weights = copy.deepcopy(self.network.state_dict())

    def advance(self, tick: Step) -> dict[str, float]:
        """Let both networks learn, and look whether the draws are harder to tell from real rows than before."""
        figures = super().advance(tick)
        network = cast("MaskedGenerator", self.average.module)
        self.told.append(self._told(network) if len(self.validation) >= DETECTABLE else figures["critic_accuracy"])
        lately = fmean(self.told[-LOOKS:])
        if len(self.told) <= LOOKS or lately < self.best:
            self.best, self.best_weights = lately, copy.deepcopy(network.state_dict())
        return figures

    def _told(self, network: MaskedGenerator) -> float:
        """Return a fresh classifier's AUC on rows set aside: the critic at hand has seen too much of the game."""
        return fmean(quick_detection(network, self.validation, stream_seed(self.seed, "look", k)) for k in range(3))

    def conclude(self) -> PhaseOutcome:
        """Leave the averaged weights whose draws were hardest to tell from rows set aside."""
        self.network.load_state_dict(self.best_weights)
        return PhaseOutcome(self.name, self._closing(validation_nll(self.network, self.validation)))


@dataclass(frozen=True, slots=True)
class FineTuning:
    """What the game did, after a warm-up, on rows that no network was trained on.

    Arguments:
        passed: whether the refined weights were kept.
        nll_before: validation nats of the weights of the warm-up.
        nll_after: validation nats of the refined weights.
        auc_before: a fresh classifier's AUC, drawn against validation rows, mean over three draws.
        auc_after: the same for the refined weights.
        auc_error: standard error of one such AUC; both share their real rows, so the difference has about the same.
    """

    passed: bool
    nll_before: float
    nll_after: float
    auc_before: float
    auc_after: float
    auc_error: float


class AdversarialFineTuning(_Game):
    """The game after a warm-up, against cross-fitted critics, kept only where it does no harm."""

    name, stream, label = "fine-tuning", "refinement", "fine-tuning"
    facts: ClassVar = ("done", "before", "before_weights")

    def __init__(self, setting: Setting, steps: int) -> None:
        super().__init__(setting, steps, critics=2, rate=FINE_TUNING_RATE, alone=ALONE, memory=0.98)

    def begin(self) -> None:
        """Note how the weights stand that may have to come back."""
        self.before = dataclasses.asdict(validation_metrics(self.network, self.validation, self.seed))
        self.before_weights = copy.deepcopy(self.network.state_dict())

    def conclude(self) -> PhaseOutcome:
        """Leave the refined weights where rows that no network learnt from say that they do no harm."""
        before = ValidationMetrics(**self.before)
        self.network.load_state_dict(self.average.module.state_dict())
        after = validation_metrics(self.network, self.validation, self.seed)
        error = math.sqrt((before.variance + after.variance) / 2)
        passed = after.nats <= before.nats + LIKELIHOOD_SLACK and after.auc <= before.auc + error
        passed = passed and self.done > ALONE
        if not passed:
            self.network.load_state_dict(self.before_weights)
        judged = FineTuning(passed, before.nats, after.nats, before.auc, after.auc, error)
        figures = self._closing(after.nats if passed else before.nats)
        return PhaseOutcome("adversarial" if passed else None, figures, dataclasses.asdict(judged))
