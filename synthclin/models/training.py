"""How the conditional GAN learns: likelihood warm-up, polish, then adversarial refinement under a guard."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, cast

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from synthclin.models.adversarial import Refinement, refine
from synthclin.models.networks import MaskedGenerator
from synthclin.models.objectives import negative_log_likelihood
from synthclin.progress import track
from synthclin.seeds import numpy_generator, torch_generator

__all__ = ["Effort", "Plan", "Training", "one_thread", "plan_for", "train"]

Effort = Literal["quick", "standard", "thorough"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Every figure of a training run; all follow from the table's size and the effort.

    Arguments:
        batch: rows per step; small tables need many steps, large ones few.
        epochs: at most this many passes over the table.
        patience: epochs without a gain of a thousandth of a nat before the warm-up stops.
        validation: rows set aside to choose the checkpoint and to guard the refinement.
        rate: peak learning rate of the warm-up.
        polish: steps at a small rate without dropout, which settle the averaged weights.
        refinement: generator steps against the critic; 0 leaves the phase out.
    """

    batch: int
    epochs: int
    patience: int
    validation: int
    rate: float
    polish: int
    refinement: int


def plan_for(rows: int, effort: Effort) -> Plan:
    """Return the plan for a table of `rows` rows.

    Example:
        >>> plan_for(736, "standard").batch, plan_for(50_000, "standard").batch
        (128, 512)
    """
    epochs = {"quick": 40, "standard": 100, "thorough": 150}[effort]
    return Plan(
        batch=min(128, max(16, rows // 5)) if rows < 4_000 else 256 if rows < 20_000 else 512,
        epochs=epochs if rows < 10_000 else epochs * 3 // 10,
        patience=8 if effort != "thorough" else 15,
        validation=max(1, min(max(30, rows // 10), rows // 3, 5_000)),
        rate=2e-3,
        polish={"quick": 0, "standard": 120, "thorough": 240}[effort],
        # On fewer validation rows the guard could not tell good from harm.
        refinement={"quick": 0, "standard": 60, "thorough": 300}[effort] if rows >= 90 else 0,
    )


@dataclass(slots=True)
class Training:
    """What happened: one line per epoch, seconds per phase, and which weights were kept and why."""

    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    kept: str = "warm-up"
    train_nats: float = math.nan
    validation_nats: float = math.nan
    refinement: Refinement | None = None

    @contextmanager
    def timed(self, phase: str) -> Iterator[None]:
        """Record the seconds of a phase."""
        start = time.perf_counter()
        yield
        self.seconds[phase] = round(time.perf_counter() - start, 3)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one processor inside the block.

    The networks are small enough for one, and sums in a fixed order make the same seed give the same bytes on
    machines with different numbers of processors.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(network: MaskedGenerator, codes: Tensor, plan: Plan, seed: int) -> Training:
    """Train `network` in place on (rows, columns) codes and return the record.

    The weights left in the network are the best averaged ones by validation likelihood, or those of the adversarial
    phase where its guard let them pass.
    """
    device = codes.device
    record = Training()
    shuffle = torch.from_numpy(numpy_generator(seed, "validation").permutation(len(codes))).to(device)
    held, kept = codes[shuffle[: plan.validation]], codes[shuffle[plan.validation :]]
    with record.timed("warm-up"):
        _warm_up(network, kept, held, plan, torch_generator(seed, "warm-up", device=device), record)
    if plan.polish:
        with record.timed("polish"):
            _polish(network, kept, held, plan, torch_generator(seed, "polish", device=device), record)
    if plan.refinement:
        with record.timed("refinement"):
            before = copy.deepcopy(network.state_dict())
            record.refinement = refine(network, kept, held, steps=plan.refinement, batch=plan.batch, seed=seed)
            if record.refinement.passed:
                record.kept = "adversarial"
            else:
                network.load_state_dict(before)
    record.train_nats = validation_nats(network, kept)
    record.validation_nats = validation_nats(network, held)
    return record


def validation_nats(network: MaskedGenerator, codes: Tensor) -> float:
    """Return the mean negative log-likelihood of rows, in nats per row, without dropout."""
    network.eval()
    with torch.no_grad():
        parts = [network.log_likelihood(part).sum(1) for part in codes.split(4_096)]
    return float(-torch.cat(parts).mean())


def _warm_up(
    network: MaskedGenerator, codes: Tensor, held: Tensor, plan: Plan, generator: torch.Generator, record: Training
) -> None:
    optimizer = torch.optim.AdamW(network.parameters(), plan.rate, betas=(0.9, 0.98), weight_decay=1e-4)
    batches = max(1, math.ceil(len(codes) / plan.batch))
    total = batches * plan.epochs

    def rate(step: int) -> float:
        rise = min(1.0, (step + 1) / 50)
        return rise * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * min(1.0, step / total))))

    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
    # A window longer than the training so far would average in the untrained start.
    average = _average(network, 0.995 if total > 1_000 else 0.98)
    best, best_state, waited = math.inf, copy.deepcopy(network.state_dict()), 0
    with track("training", total=plan.epochs, unit="epochs") as step:
        for epoch in range(plan.epochs):
            network.train()
            losses = []
            for rows in torch.randperm(len(codes), generator=generator, device=codes.device).split(plan.batch):
                loss = negative_log_likelihood(network.log_likelihood(codes[rows]))
                _descend(optimizer, network, loss)
                schedule.step()
                average.update_parameters(network)
                losses.append(loss.detach())
            nats = validation_nats(cast("MaskedGenerator", average.module), held)
            line = {"phase": "warm-up", "epoch": epoch + 1, "validation_nats": round(nats, 5)}
            record.history.append(line | {"train_nats": round(float(torch.stack(losses).mean()), 5)})
            step(1, note=f"{nats:.3f} nats on validation rows")
            if nats < best - 1e-3:
                best, best_state, waited = nats, copy.deepcopy(average.module.state_dict()), 0
            else:
                waited += 1
                # The first steps are slow by design: no standstill counts before the rate has risen and fallen a bit.
                if waited >= plan.patience and (epoch + 1) * batches >= 200:
                    break
    network.load_state_dict(best_state)


def _polish(
    network: MaskedGenerator, codes: Tensor, held: Tensor, plan: Plan, generator: torch.Generator, record: Training
) -> None:
    before, state = validation_nats(network, held), copy.deepcopy(network.state_dict())
    optimizer = torch.optim.AdamW(network.parameters(), 1e-4, betas=(0.0, 0.99))
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.1, total_iters=plan.polish)
    average = _average(network, 0.98)
    network.eval()  # without dropout
    for _ in range(plan.polish):
        rows = torch.randint(len(codes), (plan.batch,), generator=generator, device=codes.device)
        _descend(optimizer, network, negative_log_likelihood(network.log_likelihood(codes[rows])))
        schedule.step()
        average.update_parameters(network)
    after = validation_nats(cast("MaskedGenerator", average.module), held)
    record.history.append({"phase": "polish", "validation_nats": round(after, 5)})
    # A polish that costs validation likelihood has begun to memorise.
    network.load_state_dict(average.module.state_dict() if after < before else state)
    record.kept = "polish" if after < before else record.kept


def _average(network: MaskedGenerator, decay: float) -> AveragedModel:
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(decay))


def _descend(optimizer: torch.optim.Optimizer, network: torch.nn.Module, loss: Tensor) -> None:
    optimizer.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
    optimizer.step()
