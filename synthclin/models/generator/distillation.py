"""Knowledge distillation of the autoregressive generator into a one-pass generator, for sampling many rows fast."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.distributed import share
from synthclin.models.generator.masked_layers import EMBEDDING, weights_masked
from synthclin.models.generator.network_rows import NetworkRows
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.optimizer import AdamW, Average, descend
from synthclin.models.generator.phases import Phase, PhaseOutcome, Setting, rate_share
from synthclin.models.generator.receptive_fields import ReceptiveField
from synthclin.progress import Step
from synthclin.sampling.sequential import Imposed, RowState, SampledCodes, inverse_cdf, sample_codes

__all__ = ["Distillation", "OnePass", "sample_in_one_pass", "teacher_conditionals"]

WIDTH = 128
"""Hidden units; half as many as the teacher's, because the noise as input is more informative than codes."""

KNOTS = 16
"""Knots of the piecewise-linear encoding of a column's noise."""

TEACHER_ROWS, BATCH, EPOCHS = 4_096, 256, 2
"""Rows that the teacher samples at a time, rows per step, and how often each row is used: teacher passes are slow."""

RATE = 3e-3


class OnePass(MaskedGenerator):
    """One-pass student network: each column's conditional distribution given the noise of the columns before it.

    The autoregressive generator is a deterministic function of uniform noise: each column is sampled by inverting its
    conditional CDF at a noise value of its own. Pairs of noise and conditional distributions are therefore unlimited,
    and the student is trained on them without real rows (parallel density distillation: van den Oord et al. 2018,
    arXiv 1711.10433, here with the teacher's noise and forward cross-entropy).

    **Shape:** `forward` (rows, columns) noise in [0, 1) -> one (members, rows, codes) tensor of logits per group.
    """

    def __init__(
        self,
        columns: Sequence[ColumnLayout],
        frequencies: Sequence[Tensor],
        fields: Sequence[ReceptiveField],
        blocks: int,
    ) -> None:
        super().__init__(columns, frequencies, fields=fields, width=WIDTH, blocks=blocks, dropout=0.0)
        inputs = 1 + KNOTS
        self.mix = nn.Parameter(torch.randn(len(columns), inputs, EMBEDDING) / math.sqrt(inputs))
        longest = max(column.cardinality for column in columns)
        shares = [functional.pad(share, (0, longest - len(share))) for share in frequencies]
        ends = torch.stack(shares).cumsum(1)
        self.register_buffer("ends_of_codes", ends / ends[:, -1:], persistent=False)
        never = [functional.pad(torch.from_numpy(c.never), (0, longest - c.cardinality), value=True) for c in columns]
        self.register_buffer("forbidden", torch.stack(never), persistent=False)

    ends_of_codes: Tensor
    forbidden: Tensor

    def cells(self, noise: Tensor) -> Tensor:  # noqa: D102 - of MaskedGenerator
        score = torch.special.ndtri(noise.clamp(1e-4, 1 - 1e-4))[:, :, None]
        ramps = ((noise[:, :, None] - torch.arange(KNOTS, device=noise.device) / KNOTS) * KNOTS).clamp(0, 1)
        place = torch.einsum("rcf,cfe->rce", torch.cat([score, ramps], 2), self.mix)
        # The code at this noise under the marginal distribution.
        marginal = torch.searchsorted(self.ends_of_codes, noise.T.contiguous(), right=True).T
        return place + super().cells(marginal.clamp_max(self.ends_of_codes.shape[1] - 1))

    def codes_at(self, noise: Tensor) -> Tensor:
        """Return the codes sampled with given noise, (rows, columns) -> (rows, columns)."""
        codes = torch.empty(noise.shape, dtype=torch.long, device=noise.device)
        for table, logits in zip(self.groups, self.forward(noise), strict=True):
            allowed = logits.masked_fill(self.forbidden[table.index, None, : logits.shape[2]], -torch.inf)
            codes[:, table.index] = inverse_cdf(allowed.softmax(2).transpose(1, 2), noise[:, table.index].T).T
        return codes


def sample_in_one_pass(
    network: MaskedGenerator,
    state: RowState,
    order: Sequence[int],
    rows: int,
    generator: torch.Generator,
    imposed: Imposed,
) -> SampledCodes:
    """Sample rows in one pass of the distilled network; rows with a masked code are sampled column by column.

    Arguments:
        network: has a distilled student.
        state: of the network, for the rows with a masked code.
        order: index in the layout of each column of the network.
        rows: how many.
        generator: on the network's device.
        imposed: forbidden codes and a mask, no condition and no known cell.
    """
    noise = torch.rand(rows, len(network.columns), generator=generator, device=generator.device)
    codes = cast("OnePass", network.shortcut).codes_at(noise)
    codes = codes[:, torch.tensor(order, device=codes.device).argsort()]
    log_weight = torch.zeros(rows, device=generator.device)
    if imposed.code_mask is None:
        return SampledCodes(codes, log_weight)
    broken = torch.zeros(rows, dtype=torch.bool, device=generator.device)
    sampled: dict[int, Tensor] = {}
    for column in order:
        masked = imposed.code_mask(column, sampled)
        if masked is not None:
            broken |= masked.to(codes.device).expand(-1, rows).gather(0, codes[:, column][None])[0] < 0
        sampled[column] = codes[:, column].contiguous()
    if bool(broken.any()):
        count = int(broken.sum())
        again = sample_codes(state, order, count, generator, imposed)
        codes[broken], log_weight[broken] = again.codes, again.log_weight
    return SampledCodes(codes, log_weight)


def teacher_conditionals(network: MaskedGenerator, noise: Tensor, forbidden: Tensor) -> list[Tensor]:
    """Return the teacher's conditional distributions at given noise, a (members, rows, codes) tensor per group.

    Arguments:
        network: the autoregressive generator.
        noise: (rows, columns) in [0, 1).
        forbidden: (columns, codes) bool, codes that are never sampled.
    """
    state = NetworkRows(network)
    state.begin(len(noise))
    conditionals = [noise.new_zeros(len(t.members), len(noise), t.bias.shape[1]) for t in network.groups]
    for t, column in enumerate(network.columns):
        group, slot = network.home[t]
        probabilities = state.logits(t).masked_fill(forbidden[t, : column.cardinality, None], -torch.inf).softmax(0)
        conditionals[group][slot, :, : column.cardinality] = probabilities.T
        state.push(t, inverse_cdf(probabilities, noise[:, t]))
    return conditionals


class Distillation(Phase):
    """Distillation phase: cross-entropy of the student against the teacher's distributions, at new noise in each step.

    Knowledge distillation: Hinton et al. 2015, arXiv 1503.02531.
    """

    network: MaskedGenerator
    name, stream, label = "distillation", "teaching", "distilling one pass"
    learners: ClassVar = ("network", "student", "optimizer", "average")
    facts: ClassVar = ("done",)

    def __init__(self, setting: Setting, steps: int) -> None:
        super().__init__(setting, steps)
        self.student = cast("OnePass", self.network.shortcut)
        self.optimizer = AdamW(
            self.student, lambda step: RATE * rate_share(step, last=steps, rise=100), betas=(0.9, 0.98), decay=1e-4
        )
        self.average = Average(self.student, 0.998 if steps > 1_000 else 0.98)

    def begin(self) -> None:
        """Record nothing: the teacher is not changed."""
        self.network.eval()

    def advance(self, tick: Step) -> dict[str, float]:
        """Train the student on one set of the teacher's rows."""
        with torch.no_grad():
            noise, conditionals = self._teacher_sample(TEACHER_ROWS)
        order = [torch.randperm(TEACHER_ROWS, generator=self.generator, device=noise.device) for _ in range(EPOCHS)]
        with weights_masked(self.student):
            for rows in torch.cat(order).split(BATCH)[: self.total - self.done]:
                part = share(rows)
                wanted = [probabilities[:, part] for probabilities in conditionals]
                descend([self.optimizer], _cross_entropy(self.student(noise[part]), wanted))
                self.average.update(self.optimizer.values)
                self.done += 1
                tick(1)
        divergence = self._divergence()
        tick(0, note=f"KL divergence from the teacher {divergence:.3f} nats per row")
        return {"kl_divergence": round(divergence, 5)}

    def conclude(self) -> PhaseOutcome:
        """Leave the student's EMA weights; the teacher's keep the name of the phase that trained them."""
        self.student.load_state_dict(self.average.module.state_dict())
        return PhaseOutcome(None, {"kl_divergence": round(self._divergence(), 5)})

    def _teacher_sample(self, rows: int) -> tuple[Tensor, list[Tensor]]:
        """Return new noise and the teacher's conditional distributions at it."""
        shape = rows, len(self.network.columns)
        noise = torch.rand(shape, generator=self.generator, device=self.codes.device)
        return noise, teacher_conditionals(self.network, noise, self.student.forbidden)

    def _divergence(self) -> float:
        """Return the Kullback-Leibler divergence of the student from its teacher, in nats per row."""
        with torch.no_grad():
            noise, conditionals = self._teacher_sample(512)
            entropy = sum(float(torch.special.entr(probabilities).sum()) for probabilities in conditionals) / len(noise)
            return float(_cross_entropy(self.average.module(noise), conditionals)) - entropy


def _cross_entropy(logits: list[Tensor], conditionals: list[Tensor]) -> Tensor:
    """Return the cross-entropy in nats per row, of (members, rows, codes) logits and probabilities per group."""
    parts = [
        -(probabilities * each.log_softmax(2)).sum() for each, probabilities in zip(logits, conditionals, strict=True)
    ]
    return torch.stack(parts).sum() / conditionals[0].shape[1]
