"""Cross-validated training of small tables: what out-of-fold rows confirm, then a refit on all rows.

A validation split of a small table is a few dozen rows. The sum of their log-likelihoods falls from the first epoch
where most columns only overfit, though a few gain much; which seed stops there is chance. Here each fold's rows are
scored by models of the other folds. They choose the penalty of each column's regression on pairs, and then the epochs
of a network that learns what the regressions lack. A column keeps the network's part, shrunk, only where out-of-fold
rows gain by it beyond chance; elsewhere the network would remember rows and tell nothing.
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

from synthclin.models.generator.calibration import best_strengths, shrunk_likelihood
from synthclin.models.generator.code_network import CodeNetwork
from synthclin.models.generator.likelihood import Learner
from synthclin.models.generator.phases import Phase, PhaseOutcome, Setting
from synthclin.models.generator.regression import Regression, fit_paths, path_log_likelihood
from synthclin.progress import Step
from synthclin.seeds import numpy_generator

__all__ = ["CrossValidation", "Refit", "Schedule", "Selection", "fold_numbers"]

STRENGTHS = 11
"""Strengths in the grid of each column, evenly from 0 (the regression) to 1 (as trained)."""

CONFIRMED = 3.0
"""Standard errors by which the network's part must raise a column's out-of-fold likelihood to be kept: the best of many
columns and epochs exceeds two by chance."""

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
        penalties: (columns,) number of the penalty of each column's regression, see `fit_paths`.
        epochs: the number with the highest calibrated out-of-fold likelihood.
        strengths: (columns,) strength of the network's part of each column, 0 to 1.
    """

    penalties: Tensor
    epochs: int
    strengths: Tensor

    @classmethod
    def nothing(cls, columns: int) -> Selection:
        """Return that of independent columns."""
        return cls(torch.zeros(columns, dtype=torch.long), 0, torch.zeros(columns))


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

    Before the first epoch it chooses the penalties of the regressions. Cross-validation: Stone 1974,
    doi:10.1111/j.2517-6161.1974.tb00994.x; shrinkage: Copas 1983, doi:10.1111/j.2517-6161.1983.tb01258.x. The network
    itself is not trained.

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
    facts: ClassVar = ("done", "best", "best_epochs", "penalties", "strengths", "confirmed", "waited")

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
        """Choose the penalties of the regressions, and record the regressions alone as the best so far."""
        self.penalties = torch.zeros(len(self.network.columns), dtype=torch.long, device=self.codes.device)
        if self.network.regression is not None:
            networks = [learner.network for learner in self.folds.each]
            marginals = [network.marginals() for network in networks]
            paths = [
                fit_paths(_regression(learner.network), learner.codes, each, self.network.given)
                for learner, each in zip(self.folds.each, marginals, strict=True)
            ]
            out_of_fold = [
                path_log_likelihood(_regression(network), rows, each, *path)
                for network, rows, each, path in zip(networks, self.out_of_fold, marginals, paths, strict=True)
            ]
            self.penalties = torch.stack(out_of_fold).sum(0).argmax(0)
            for learner, path in zip(self.folds.each, paths, strict=True):
                _choose(learner, *path, self.penalties)
        self.best, self.strengths, self.confirmed = self._calibrated()

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
            distribution and its standard error over patients, both in nats per row.
        """
        strengths = torch.linspace(0, 1, STRENGTHS, device=self.codes.device)
        networks = [learner.averaged_network for learner in self.folds.each]
        likelihood = torch.cat(shrunk_likelihood(networks, self.out_of_fold, strengths), dim=1)
        best = best_strengths(likelihood.sum(1), strengths)
        calibrated = likelihood.gather(0, best[None, None].expand(1, likelihood.shape[1], -1))[0]
        gain, error = self._gain(calibrated - likelihood[0])
        kept = gain > CONFIRMED * error
        calibrated = torch.where(kept, calibrated, likelihood[0])
        marginal = torch.cat(
            [network.marginal_log_likelihood(rows) for network, rows in zip(networks, self.out_of_fold, strict=True)]
        )
        more = calibrated - marginal
        more[:, 0] = 0.0  # nothing is sampled before the first column
        confirmed = torch.stack(self._gain(more), dim=1)
        return -float(calibrated.sum()) / len(calibrated), strengths[best] * kept, confirmed.tolist()

    def _gain(self, gain: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard error over patients of a gain of (rows, columns) nats, (columns,) each."""
        patients = int(self.patient.max()) + 1
        sums = gain.new_zeros(patients, gain.shape[1]).index_add_(0, self.patient, gain)
        return gain.mean(0), sums.std(dim=0, correction=0) * math.sqrt(patients) / len(gain)

    def conclude(self) -> PhaseOutcome:
        """Hand penalties, epochs and strengths to the refit; the network is as before."""
        self.selection.penalties = self.penalties
        self.selection.epochs, self.selection.strengths = self.best_epochs, self.strengths
        figures = {
            "validation_nll": round(self.best, 5),
            "epochs": float(self.best_epochs),
            "mean_strength": round(float(self.strengths.mean()), 4),
        }
        return PhaseOutcome(None, figures, confirmed=self.confirmed)


class Refit(Phase):
    """Regressions on all rows, and maximum-likelihood training of the network, as the cross-validation chose."""

    name, stream, label, counts = "warm-up", "warm-up", "training", "epoch"
    learners: ClassVar = ("learner",)
    facts: ClassVar = ("done", "total", "strengths")

    def __init__(self, setting: Setting, schedule: Schedule, selection: Selection) -> None:
        super().__init__(setting, selection.epochs)
        self.penalties, self.strengths = selection.penalties, selection.strengths
        self.learner = Learner(
            self.network, self.codes, self.batch, schedule.epochs, rate=schedule.rate, decay=schedule.decay
        )

    def begin(self) -> None:
        """Fit the regressions; the weights of the last epoch are kept."""
        if self.network.regression is not None:
            paths = fit_paths(self.network.regression, self.codes, self.network.marginals(), self.network.given)
            _choose(self.learner, *paths, self.penalties)

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


def _regression(network: CodeNetwork) -> Regression:
    assert network.regression is not None
    return network.regression


def _choose(learner: Learner, parents: Tensor, paths: Tensor, penalties: Tensor) -> None:
    """Set the regressions of a learner's networks to those at the (columns,) penalties of the paths."""
    for network in (learner.network, learner.averaged_network):
        regression = _regression(network)
        regression.parents.copy_(parents)
        regression.weights.copy_(paths[penalties, torch.arange(len(penalties), device=penalties.device)])
