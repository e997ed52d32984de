"""Cross-validated training of small tables: epochs and strengths by out-of-fold likelihood, then a refit on all rows.

A validation split of a small table is a few dozen rows. The sum of their log-likelihoods falls from the first epoch
where most columns only overfit, though a few gain much; which seed stops there is chance. Here each fold's rows are
scored by a network trained on the other folds, and each candidate number of epochs by the likelihood after calibration:
a column that overfits is shrunk and costs nothing, so the columns that gain decide.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthclin.models.calibration import best_strengths, shrunk_likelihood
from synthclin.models.likelihood import Learner
from synthclin.models.phases import Phase, PhaseOutcome, Setting
from synthclin.progress import Step
from synthclin.seeds import numpy_generator

__all__ = ["CrossValidation", "Refit", "Schedule", "Selection", "fold_numbers"]

STRENGTHS = 11
"""Strengths in the grid of each column, evenly from 0 (the marginal distribution) to 1 (as trained)."""

GAIN = 1e-3
"""Least gain of calibrated out-of-fold likelihood, in nats per row, that counts as one."""

LEAST_STEPS = 100
"""Steps before training may stop early: the learning rate rises over the first 50."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Training schedule of the networks of all folds and of the refit.

    Arguments:
        epochs: at most; the learning rate falls over so many.
        patience: epochs without a gain before the cross-validation stops.
        every: epochs between two calibrations.
        rate: peak learning rate.
        decay: weight decay.
    """

    epochs: int
    patience: int
    every: int
    rate: float
    decay: float


@dataclass(slots=True)
class Selection:
    """Result of the cross-validation, which the refit uses.

    Arguments:
        epochs: the number with the highest calibrated out-of-fold likelihood.
        strengths: (columns,) strength of each column's dependence, 0 to 1.
    """

    epochs: int
    strengths: Tensor


def fold_numbers(patient: NDArray[np.int64], folds: int, seed: int) -> NDArray[np.int64]:
    """Return (rows,) the fold of each row; all rows of a patient are in one fold.

    Arguments:
        patient: (rows,) number of each row's patient.
        folds: how many at most. With fewer patients than folds, each row counts as a patient.
        seed: of the assignment.

    Example:
        >>> fold = fold_numbers(np.array([0, 0, 1, 2, 1, 3, 4]), 5, seed=0)
        >>> bool(fold[0] == fold[1]), bool(fold[2] == fold[4]), sorted(set(fold.tolist()))
        (True, True, [0, 1, 2, 3, 4])
    """
    names, number = np.unique(patient, return_inverse=True)
    if len(names) < folds:
        names, number = np.arange(len(patient)), np.arange(len(patient))
    place = numpy_generator(seed, "folds").permutation(len(names))
    return np.asarray(place[number] % min(folds, len(names)), dtype=np.int64)


class _Learners:
    """Learners of all folds, with one state."""

    def __init__(self, learners: Sequence[Learner]) -> None:
        self.each = list(learners)

    def state_dict(self) -> dict[str, Any]:
        return {str(k): learner.state_dict() for k, learner in enumerate(self.each)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for k, learner in enumerate(self.each):
            learner.load_state_dict(state[str(k)])


class CrossValidation(Phase):
    """Cross-validation phase: chooses epochs and strengths by the calibrated likelihood of out-of-fold rows.

    Cross-validation: Stone 1974, doi:10.1111/j.2517-6161.1974.tb00994.x; shrinkage: Copas 1983,
    doi:10.1111/j.2517-6161.1983.tb01258.x. The network itself is not trained.

    Arguments:
        setting: network and data; validation rows are not used.
        schedule: of the training.
        patient: (rows,) number of each row's patient.
        folds: how many.
        selection: gets the result.
    """

    name, stream, label, counts = "cross-validation", "cross-validation", "cross-validating", "epoch"
    trains_network = False
    learners: ClassVar = ("folds",)
    facts: ClassVar = ("done", "best", "best_epochs", "strengths", "confirmed", "waited")

    def __init__(
        self, setting: Setting, schedule: Schedule, patient: NDArray[np.int64], folds: int, selection: Selection
    ) -> None:
        super().__init__(setting, schedule.epochs)
        fold = fold_numbers(patient, folds, setting.seed)
        self.schedule, self.selection = schedule, selection
        number = torch.from_numpy(fold).to(self.codes.device)
        parts = [self.codes[number != k] for k in range(int(fold.max()) + 1)]
        self.out_of_fold = [self.codes[number == k] for k in range(len(parts))]
        names = np.unique(patient, return_inverse=True)[1]
        # Of the rows in the order of the folds.
        self.patient = torch.from_numpy(names[np.argsort(fold, kind="stable")]).to(self.codes.device)
        learners = []
        for part in parts:
            network = copy.deepcopy(self.network)
            network.shortcut = None
            network.set_marginals(part)
            batch = max(1, round(self.batch * len(part) / len(self.codes)))
            learners.append(Learner(network, part, batch, schedule.epochs, rate=schedule.rate, decay=schedule.decay))
        self.folds = _Learners(learners)
        self.best, self.best_epochs, self.waited = math.inf, 0, 0

    def begin(self) -> None:
        """Record independent columns as the best so far."""
        columns = len(self.network.columns)
        self.strengths = torch.zeros(columns, device=self.codes.device)
        self.confirmed = [[0.0, 0.0, 0.0] for _ in range(columns)]

    @property
    def over(self) -> bool:
        """Whether all epochs are done or `patience` epochs brought no gain."""
        steps = self.done * self.folds.each[0].batches
        return super().over or (self.waited >= self.schedule.patience and steps >= LEAST_STEPS)

    def advance(self, tick: Step) -> dict[str, float]:
        """Train the networks of all folds until the next calibration, and calibrate."""
        epochs = min(self.schedule.every, self.total - self.done)
        losses = []
        for _ in range(epochs):
            losses.append(float(np.mean([learner.epoch(self.generator) for learner in self.folds.each])))
            tick(1)
        self.done += epochs
        nll, strengths, confirmed = self._calibrated()
        if nll < self.best - GAIN:
            self.best, self.best_epochs, self.waited = nll, self.done, 0
            self.strengths, self.confirmed = strengths, confirmed
        else:
            self.waited += epochs
        tick(0, note=f"out-of-fold NLL {nll:.3f} nats per row")
        return {"validation_nll": round(nll, 5), "train_nll": round(losses[-1], 5)}

    def _calibrated(self) -> tuple[float, Tensor, list[list[float]]]:
        """Return the calibrated out-of-fold likelihood of the networks as they are.

        Returns:
            negative log-likelihood, nats per row; (columns,) strengths; and for each column gain over the marginal
            distribution, its standard error over patients, both in nats per row, and strength.
        """
        strengths = torch.linspace(0, 1, STRENGTHS, device=self.codes.device)
        networks = [learner.averaged_network for learner in self.folds.each]
        likelihood = torch.cat(shrunk_likelihood(networks, self.out_of_fold, strengths), dim=1)
        best = best_strengths(likelihood.sum(1), strengths)
        calibrated = likelihood.gather(0, best[None, None].expand(1, likelihood.shape[1], -1))[0]
        gain, rows = calibrated - likelihood[0], len(calibrated)
        gain[:, 0] = 0.0  # nothing is sampled before the first column
        patients = int(self.patient.max()) + 1
        sums = gain.new_zeros(patients, gain.shape[1]).index_add_(0, self.patient, gain)
        error = sums.std(dim=0, correction=0) * math.sqrt(patients) / rows
        confirmed = torch.stack([gain.mean(0), error, strengths[best]], dim=1)
        return -float(calibrated.sum()) / rows, strengths[best], confirmed.tolist()

    def conclude(self) -> PhaseOutcome:
        """Hand epochs and strengths to the refit; the network is as before."""
        self.selection.epochs, self.selection.strengths = self.best_epochs, self.strengths
        figures = {
            "validation_nll": round(self.best, 5),
            "epochs": float(self.best_epochs),
            "mean_strength": round(float(self.strengths.mean()), 4),
        }
        return PhaseOutcome(None, figures, confirmed=self.confirmed)


class Refit(Phase):
    """Maximum-likelihood training on all rows, for the epochs and with the strengths that cross-validation chose."""

    name, stream, label, counts = "warm-up", "warm-up", "training", "epoch"
    learners: ClassVar = ("learner",)
    facts: ClassVar = ("done", "total", "strengths")

    def __init__(self, setting: Setting, schedule: Schedule, selection: Selection) -> None:
        super().__init__(setting, selection.epochs)
        self.strengths = selection.strengths
        self.learner = Learner(
            self.network, self.codes, self.batch, schedule.epochs, rate=schedule.rate, decay=schedule.decay
        )

    def begin(self) -> None:
        """Record nothing: the weights of the last epoch are kept."""

    def advance(self, tick: Step) -> dict[str, float]:
        """Train for one epoch."""
        loss = self.learner.epoch(self.generator)
        self.done += 1
        tick(1, note=f"NLL {loss:.3f} nats per row")
        return {"train_nll": round(loss, 5)}

    def conclude(self) -> PhaseOutcome:
        """Leave the EMA weights, shrunk to the strengths of the cross-validation."""
        if self.done:
            self.network.load_state_dict(self.learner.average.module.state_dict())
        self.network.shrink(self.strengths)
        return PhaseOutcome(self.name, {"mean_strength": round(float(self.strengths.mean()), 4)})
