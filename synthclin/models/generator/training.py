"""Training of networks over codes: likelihood warm-up, adversarial fine-tuning, calibration and distillation.

Without a warm-up, by adversarial training alone.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthclin.errors import ModelFormatError
from synthclin.models.callbacks import TrainingEvent, TrainingMonitor
from synthclin.models.generator.adversarial import AdversarialFineTuning, AdversarialTraining
from synthclin.models.generator.code_network import CodeNetwork
from synthclin.models.generator.cross_validation import CrossValidation, Refit, Schedule, Selection
from synthclin.models.generator.distillation import Distillation
from synthclin.models.generator.likelihood import MaximumLikelihood
from synthclin.models.generator.marginal_calibration import MarginalCalibration
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.optimizer import release
from synthclin.models.generator.phases import Phase, Setting
from synthclin.models.generator.validation_metrics import validation_nll
from synthclin.progress import track
from synthclin.seeds import module_state, numpy_generator, restore_module_state

__all__ = ["Effort", "Plan", "Training", "TrainingLoop", "plan_for", "private_plan", "shuffled_rows", "train"]

WIDE = 100
"""Columns of a small table from which marginal distributions are calibrated: fewer gained nothing."""

Effort = Literal["quick", "standard", "thorough"]


SMALL = 4_000
"""Rows below which overfitting is the main risk: folds instead of validation rows, no pairwise potentials."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Training schedule and hyper-parameters, which follow from the table's size and the effort.

    Arguments:
        batch: rows per optimiser step; small tables need many steps, large ones few.
        epochs: epochs of the likelihood warm-up at most; 0 leaves it out.
        patience: epochs without a gain of 0.001 nats per row before the warm-up stops early.
        every: epochs of the cross-validation between two calibrations.
        validation: validation rows, for early stopping and the acceptance test of the fine-tuning.
        rate: peak learning rate of the warm-up.
        decay: weight decay of the warm-up; larger on fewer rows.
        adversarial: generator steps of adversarial training; 0 leaves the phase out.
        potentials: pairwise potentials at most.
        distillation: steps of the one-pass student, where the network has one.
        folds: of the cross-validation that chooses epochs and strengths; 0 for validation rows instead.
        width: hidden units of the generator, unless the model's parameter says otherwise.
        blocks: residual blocks of the generator, unless the model's parameter says otherwise.
        regressed: whether each column has a regression on pairs, which folds choose with the rest.
    """

    batch: int
    epochs: int
    patience: int
    every: int
    validation: int
    rate: float
    decay: float
    adversarial: int
    potentials: int
    distillation: int
    folds: int
    width: int
    blocks: int
    regressed: bool


def plan_for(rows: int, effort: Effort, warmup: bool = True) -> Plan:
    """Return the training schedule for a table of `rows` rows; without `warmup` it is purely adversarial.

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
        every=1 if rows < 1_000 else 2,
        validation=max(1, min(max(30, rows // 10), rows // 3, 5_000)),
        # Fewer epochs need larger steps: folds make each epoch of a small table several times as long.
        rate={"quick": 6e-3, "standard": 3e-3, "thorough": 2e-3}[effort] if small else 2e-3,
        # From 7,284 rows on two to three times as much raised the holdout NLL by 0.3 to 2.6 nats per row. Shrinkage
        # limits the overfitting of a small table; there 4 raised it by 0.7 nats on a table of strong dependences.
        decay=1.0 if small else min(4.0, 10_000 / rows),
        # On the validation rows of a smaller table the acceptance test has no power, and folds leave none.
        adversarial=0 if small else {"quick": 0, "standard": 50, "thorough": 300}[effort],
        potentials=0 if small else 12,
        distillation={"quick": 1_000, "standard": 2_500, "thorough": 5_000}[effort],
        folds=(3 if effort == "quick" else 5) if small else 0,
        width=128 if small else 256,
        blocks=1 if small else 2,
        regressed=small,
    )
    if warmup:
        return plan
    steps = {"quick": 300, "standard": 600, "thorough": 1_000}[effort]
    steps = max(steps, epochs * 3 // 10 * rows // plan.batch)
    return dataclasses.replace(plan, epochs=0, adversarial=steps, potentials=0, folds=0, regressed=False)


def private_plan(rows: int) -> Plan:
    """Return the schedule of a training on rows of a graphical model: a short likelihood training and nothing else.

    These rows have the noise of their measurements: fitting them longer, or comparing with them more sharply, learns
    that noise.
    """
    return dataclasses.replace(plan_for(rows, "quick"), epochs=6, adversarial=0, potentials=0, folds=0, regressed=False)


@dataclass(slots=True)
class Training:
    """Training record: metrics per evaluation interval, seconds per phase, and which weights were kept and why."""

    history: list[dict[str, Any]] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    kept: str = "warm-up"
    train_nll: float = math.nan
    validation_nll: float = math.nan
    fine_tuning: dict[str, Any] | None = None
    confirmed: list[list[float]] | None = None


def train(
    network: CodeNetwork,
    codes: Tensor,
    plan: Plan,
    seed: int,
    monitor: TrainingMonitor | None = None,
    patient: NDArray[np.int64] | None = None,
    measured: int | None = None,
) -> Training:
    """Train `network` in place on (rows, columns) codes and return the training record.

    With folds, the weights left in the network are the EMA weights of a training on all rows, for the epochs and
    with the strengths of the highest calibrated out-of-fold likelihood, and of a wide table with calibrated
    marginal distributions. Else they are the EMA weights of the lowest validation negative log-likelihood, or those
    of the adversarial fine-tuning if they pass its acceptance test; without a warm-up those of the lowest
    validation C2ST AUC. The training resumes from the state of `monitor` if there is one.

    Arguments:
        network: untrained.
        codes: (rows, columns).
        plan: of the training.
        seed: of everything random.
        monitor: callback and checkpoint.
        patient: (rows,) number of each row's patient; by default each row is a patient.
        measured: training rows whose likelihood is measured at the end, at most; by default all.

    Raises:
        ModelFormatError: the state does not fit the network.
    """
    monitor = TrainingMonitor() if monitor is None else monitor
    if plan.folds:
        setting = Setting(network, codes, codes[:0], plan.batch, seed)
        phases = _cross_validated(plan, setting, np.arange(len(codes)) if patient is None else patient)
    else:
        order = shuffled_rows(np.arange(len(codes)) if patient is None else patient, plan.validation, seed)
        shuffle = [torch.from_numpy(part).to(codes.device) for part in order]
        validation, training = codes[shuffle[0]], codes[shuffle[1]]
        setting = Setting(network, training, validation, plan.batch, seed)
        phases = _phases(plan, setting)
    record = TrainingLoop(phases, network, monitor).run()
    release(network)
    record.train_nll = validation_nll(network, setting.codes[:measured])
    if not plan.folds:
        record.validation_nll = validation_nll(network, setting.validation)
    return record


def shuffled_rows(patient: NDArray[np.int64], size: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return about `size` shuffled validation rows, all rows of their patients, and the training rows."""
    order = numpy_generator(seed, "validation").permutation(len(patient))
    if len(np.unique(patient)) == len(patient):
        return order[:size], order[size:]
    # A patient on both sides would be remembered, not predicted.
    names, first, number, sizes = np.unique(patient[order], return_index=True, return_inverse=True, return_counts=True)
    by_chance = np.argsort(first)
    last = int(np.searchsorted(np.cumsum(sizes[by_chance]), size)) + 1
    chosen = np.isin(number, by_chance[: max(1, min(last, len(names) - 1))])
    return order[chosen], order[~chosen]


def _cross_validated(plan: Plan, setting: Setting, patient: NDArray[np.int64]) -> dict[str, Callable[[], Phase]]:
    """Return a factory of each phase of a training without validation rows."""
    schedule = Schedule(plan.epochs, plan.patience, plan.every, plan.rate, plan.decay)
    selection = Selection.nothing(len(setting.network.columns))
    phases: dict[str, Callable[[], Phase]] = {
        CrossValidation.name: partial(CrossValidation, setting, schedule, patient, plan.folds, selection),
        Refit.name: partial(Refit, setting, schedule, selection),
    }
    if len(setting.network.columns) >= WIDE and isinstance(setting.network, MaskedGenerator):
        phases[MarginalCalibration.name] = partial(MarginalCalibration, setting)
    if setting.network.shortcut is not None:
        phases[Distillation.name] = partial(Distillation, setting, plan.distillation)
    return phases


def _phases(plan: Plan, setting: Setting) -> dict[str, Callable[[], Phase]]:
    """Return a factory of each phase, in order: a phase is created when the one before has ended."""
    phases: dict[str, Callable[[], Phase]] = {}
    if plan.epochs:
        phases[MaximumLikelihood.name] = partial(
            MaximumLikelihood, setting, plan.epochs, patience=plan.patience, rate=plan.rate, decay=plan.decay
        )
    if plan.adversarial:
        adversarial = AdversarialFineTuning if plan.epochs else AdversarialTraining
        phases[adversarial.name] = partial(adversarial, setting, plan.adversarial)
    if setting.network.shortcut is not None:
        phases[Distillation.name] = partial(Distillation, setting, plan.distillation)
    return phases


class TrainingLoop:
    """Training loop over the phases, from the start or from a saved state.

    Arguments:
        phases: a factory of each phase by its name, in order.
        network: is trained in place.
        monitor: callback and checkpoint.
    """

    def __init__(self, phases: dict[str, Callable[[], Phase]], network: CodeNetwork, monitor: TrainingMonitor) -> None:
        self.phases, self.network, self.monitor = phases, network, monitor
        self.device = next(network.parameters()).device
        self.record = Training()

    def run(self) -> Training:
        """Run the remaining phases and return the training record."""
        names = list(self.phases)
        phase = self._saved() if self.monitor.saved is not None else self._begun(names[0])
        while phase is not None:
            stopped = self._run(phase)
            left = names[names.index(phase.name) + 1 :]
            phase = self._begun(left[0]) if left and not (stopped and phase.trains_network) else None
        self.monitor.keep(partial(self._state, None), last=True)
        return self.record

    def _begun(self, name: str) -> Phase:
        start = time.perf_counter()
        phase = self.phases[name]()
        phase.begin()
        self.record.seconds[name] = time.perf_counter() - start
        return phase

    def _run(self, phase: Phase) -> bool:
        """Run a phase to its end and return whether the callback stopped the training."""
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
        if outcome.confirmed is not None:
            self.record.confirmed = outcome.confirmed
            self.record.validation_nll = outcome.figures["validation_nll"]
        self.record.seconds[name] = round(time.perf_counter() - start, 3)
        return self.monitor.stops(TrainingEvent(name, phase.done, phase.total, outcome.figures)) or stopped

    def _state(self, phase: Phase | None) -> dict[str, Any]:
        """Return the checkpoint state, from which the training resumes; `phase` is None at its end."""
        return {
            "record": dataclasses.asdict(self.record),
            "phase": None if phase is None else phase.name,
            "state": self.network.state_dict() if phase is None else phase.state(),
            "modules": module_state(self.device),
        }

    def _saved(self) -> Phase | None:
        """Return the saved phase with its state restored."""
        try:
            saved = self.monitor.saved
            self.record = Training(**saved["record"])
            phase = None if saved["phase"] is None else self.phases[saved["phase"]]()
            if phase is None:
                self.network.load_state_dict(saved["state"])
            else:
                phase.restore(saved["state"])
            # Creating the phase has advanced these generators.
            restore_module_state(saved["modules"], self.device)
        except (LookupError, TypeError, ValueError, RuntimeError, AttributeError):
            what = "its state does not fit this model, or is of another device"
            raise ModelFormatError("checkpoint", what, "Begin anew without the checkpoint.") from None
        return phase
