"""How the conditional GAN learns: likelihood warm-up, adversarial refinement under a guard, calibration.

Or, without a warm-up, by the adversarial game alone.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from synthclin.errors import ModelFormatError
from synthclin.models.adversarial import AdversarialFineTuning, AdversarialTraining
from synthclin.models.calibration import Calibration
from synthclin.models.callbacks import TrainingEvent, TrainingMonitor
from synthclin.models.likelihood import MaximumLikelihood
from synthclin.models.networks import MaskedGenerator
from synthclin.models.one_pass import Distillation
from synthclin.models.phases import Phase, Setting
from synthclin.models.validation_metrics import validation_nll
from synthclin.progress import track
from synthclin.seeds import module_state, numpy_generator, restore_module_state

__all__ = ["Effort", "Plan", "Training", "plan_for", "train"]

Effort = Literal["quick", "standard", "thorough"]


SMALL = 4_000
"""Rows below which memory is the danger: bands are too fine to be learnt, tilts are calibrated. Above it is blur."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Every figure of a training run; all follow from the table's size and the effort.

    Arguments:
        batch: rows per step; small tables need many steps, large ones few.
        epochs: passes over the table by likelihood at most; 0 leaves the warm-up out.
        patience: epochs without a gain of a thousandth of a nat before the warm-up stops.
        validation: rows set aside to choose the checkpoint and to guard the refinement.
        rate: peak learning rate of the warm-up.
        decay: weight decay of the warm-up; the fewer rows speak, the more it holds weights back.
        adversarial: steps of the generator against critics; 0 leaves the phase out.
        potentials: at most so many narrow bands between pairs of columns.
        calibrated: whether each column keeps only the share of its tilt that rows set aside confirm.
        teaching: steps of a student that gives a row in one pass, where the network has one.
    """

    batch: int
    epochs: int
    patience: int
    validation: int
    rate: float
    decay: float
    adversarial: int
    potentials: int
    calibrated: bool
    teaching: int


def plan_for(rows: int, effort: Effort, warmup: bool = True) -> Plan:
    """Return the plan for a table of `rows` rows, by likelihood first or, without `warmup`, adversarial throughout.

    Example:
        >>> plan_for(736, "standard").batch, plan_for(50_000, "standard").batch
        (128, 512)
    """
    epochs = {"quick": 40, "standard": 100, "thorough": 150}[effort]
    small = rows < SMALL
    plan = Plan(
        batch=min(128, max(16, rows // 5)) if small else 256 if rows < 20_000 else 512,
        epochs=epochs if rows < 10_000 else epochs * 3 // 10,
        patience=8 if effort != "thorough" else 15,
        validation=max(1, min(max(30, rows // 10), rows // 3, 5_000)),
        rate=2e-3,
        # At 736, 1,711 and 7,284 rows two to three times as much cost held-out rows 0.3 to 2.6 nats.
        decay=min(4.0, 10_000 / rows),
        # On fewer validation rows the guard could not tell good from harm.
        adversarial={"quick": 0, "standard": 100, "thorough": 300}[effort] if rows >= 90 else 0,
        potentials=0 if small else 12,
        calibrated=small,
        teaching={"quick": 1_000, "standard": 2_500, "thorough": 5_000}[effort],
    )
    if warmup:
        return plan
    steps = {"quick": 300, "standard": 600, "thorough": 1_000}[effort]
    steps = max(steps, epochs * 3 // 10 * rows // plan.batch)
    return dataclasses.replace(plan, epochs=0, adversarial=steps, potentials=0, calibrated=False)


@dataclass(slots=True)
class Training:
    """What happened: a line per step that was measured, seconds per phase, and which weights were kept and why."""

    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    kept: str = "warm-up"
    train_nll: float = math.nan
    validation_nll: float = math.nan
    fine_tuning: dict[str, Any] | None = None


def train(
    network: MaskedGenerator, codes: Tensor, plan: Plan, seed: int, monitor: TrainingMonitor | None = None
) -> Training:
    """Train `network` in place on (rows, columns) codes and return the record.

    The weights left in the network are the best averaged ones by validation likelihood, or those of the adversarial
    phase where its guard let them pass, calibrated on the rows set aside; without a warm-up those that a fresh
    classifier tells least. Where the watch holds a state, the training goes on from there.

    Raises:
        ModelFormatError: the state does not fit the network.
    """
    monitor = TrainingMonitor() if monitor is None else monitor
    shuffle = torch.from_numpy(numpy_generator(seed, "validation").permutation(len(codes))).to(codes.device)
    validation, learnt = codes[shuffle[: plan.validation]], codes[shuffle[plan.validation :]]
    record = _Course(_phases(plan, Setting(network, learnt, validation, plan.batch, seed)), network, monitor).run()
    record.train_nll = validation_nll(network, learnt)
    record.validation_nll = validation_nll(network, validation)
    return record


def _phases(plan: Plan, setting: Setting) -> dict[str, Callable[[], Phase]]:
    """Return what makes each phase, in order: a phase is made only when the one before has ended."""
    phases: dict[str, Callable[[], Phase]] = {}
    if plan.epochs:
        phases[MaximumLikelihood.name] = partial(
            MaximumLikelihood, setting, plan.epochs, patience=plan.patience, rate=plan.rate, decay=plan.decay
        )
    if plan.adversarial:
        game = AdversarialFineTuning if plan.epochs else AdversarialTraining
        phases[game.name] = partial(game, setting, plan.adversarial)
    if plan.calibrated:
        phases[Calibration.name] = partial(Calibration, setting)
    if setting.network.shortcut is not None:
        phases[Distillation.name] = partial(Distillation, setting, plan.teaching)
    return phases


class _Course:
    """The phases of one training, one after the other, from the start or from a saved state."""

    def __init__(
        self, phases: dict[str, Callable[[], Phase]], network: MaskedGenerator, monitor: TrainingMonitor
    ) -> None:
        self.phases, self.network, self.monitor = phases, network, monitor
        self.device = next(network.parameters()).device
        self.record = Training()

    def run(self) -> Training:
        """Run what is left to run and return the record of all."""
        names = list(self.phases)
        phase = self._saved() if self.monitor.saved is not None else self._begun(names[0])
        while phase is not None:
            stopped = self._run(phase)
            left = names[names.index(phase.name) + 1 :]
            phase = self._begun(left[0]) if left and not stopped else None
        self.monitor.keep(partial(self._state, None), last=True)
        return self.record

    def _begun(self, name: str) -> Phase:
        start = time.perf_counter()
        phase = self.phases[name]()
        phase.begin()
        self.record.seconds[name] = time.perf_counter() - start
        return phase

    def _run(self, phase: Phase) -> bool:
        """Run a phase to its end and return whether the watch wants no further one."""
        name, stopped = phase.name, False
        start = time.perf_counter() - self.record.seconds[name]
        with track(phase.label, phase.total, f"{phase.counts}s", phase.done) as tick:
            while not (phase.over or stopped):
                figures = phase.advance(tick)
                self.record.history.append({"phase": name, phase.counts: phase.done} | figures)
                self.record.seconds[name] = time.perf_counter() - start
                self.monitor.keep(partial(self._state, phase))
                stopped = self.monitor.stops(TrainingEvent(name, phase.done, phase.total, figures))
            outcome = phase.conclude()
            tick(0, note=", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in outcome.figures.items()))
        self.record.history.append({"phase": name} | outcome.figures)
        self.record.kept = outcome.kept or self.record.kept
        if outcome.judged is not None:
            self.record.fine_tuning = outcome.judged
        self.record.seconds[name] = round(time.perf_counter() - start, 3)
        return self.monitor.stops(TrainingEvent(name, phase.done, phase.total, outcome.figures)) or stopped

    def _state(self, phase: Phase | None) -> dict[str, Any]:
        """Return all that decides how the training goes on; no phase stands for the end of it."""
        return {
            "record": dataclasses.asdict(self.record),
            "phase": None if phase is None else phase.name,
            "state": self.network.state_dict() if phase is None else phase.state(),
            "modules": module_state(self.device),
        }

    def _saved(self) -> Phase | None:
        """Return the phase that was saved, as it stood."""
        try:
            saved = self.monitor.saved
            self.record = Training(**saved["record"])
            phase = None if saved["phase"] is None else self.phases[saved["phase"]]()
            if phase is None:
                self.network.load_state_dict(saved["state"])
            else:
                phase.restore(saved["state"])
            # Making the phase has drawn from these generators.
            restore_module_state(saved["modules"], self.device)
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError):
            what = "its state does not fit this model, or is of another device"
            raise ModelFormatError("checkpoint", what, "Begin anew without the checkpoint.") from None
        return phase
