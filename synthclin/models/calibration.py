"""Shrinkage of context logits: one strength per column, chosen by the likelihood of rows that were not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from synthclin.models.networks import MaskedGenerator
from synthclin.models.phases import Phase, PhaseOutcome, Setting
from synthclin.models.validation_metrics import validation_nll
from synthclin.progress import Step

__all__ = ["Calibration", "best_strengths", "calibrate", "shrunk_likelihood"]

STRENGTHS = 21
"""Strengths in the grid of each column, evenly from 0 (the marginal distribution) to 1 (as trained)."""

NOISE_ALLOWED = 1.0
"""Nats, summed over all validation rows, by which strength 0 must exceed 1 in log-likelihood; less is chance."""


def shrunk_likelihood(networks: Sequence[MaskedGenerator], parts: Sequence[Tensor], strengths: Tensor) -> list[Tensor]:
    """Return the log-likelihood of each cell of each part under the network of that part, at each strength.

    Arguments:
        networks: one per part.
        parts: (rows, columns) codes, each of rows that its network was not trained on.
        strengths: (strengths,).

    Returns:
        (strengths, rows, columns) for each part, in nats.
    """
    found = []
    with torch.no_grad():
        for network, part in zip(networks, parts, strict=True):
            network.eval()
            pieces = [network.shrunk_log_likelihood(piece, strengths) for piece in part.split(1_024)]
            found.append(torch.cat(pieces, dim=1))
    return found


def best_strengths(likelihood: Tensor, strengths: Tensor) -> Tensor:
    """Return the index of the best strength of each column, (columns,), from (strengths, columns) log-likelihoods."""
    return (likelihood - NOISE_ALLOWED * (1 - strengths[:, None]) ** 2).argmax(dim=0)


def calibrate(network: MaskedGenerator, validation: Tensor) -> Tensor:
    """Shrink each column's context logits in place and return the (columns,) strengths, 0 to 1.

    Each strength maximises the log-likelihood of the `validation` rows (shrinkage of a linear predictor: Copas 1983,
    doi:10.1111/j.2517-6161.1983.tb01258.x). On small tables the context logits of a column that hardly depends on the
    others overfit the training rows while those of other columns still improve, so one early stop for all columns
    suits neither.
    """
    strengths = torch.linspace(0, 1, STRENGTHS, device=validation.device)
    (likelihood,) = shrunk_likelihood([network], [validation], strengths)
    best = strengths[best_strengths(likelihood.sum(1), strengths)]
    network.shrink(best)
    return best


class Calibration(Phase):
    """Calibration phase: shrinkage of context logits in one step, see `calibrate`.

    Copas 1983, doi:10.1111/j.2517-6161.1983.tb01258.x.
    """

    name, stream, label = "calibration", "calibration", "calibrating"
    learners: ClassVar = ("network",)
    facts: ClassVar = ("done",)

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting, 1)

    def begin(self) -> None:
        """Record nothing: the likelihood of validation rows never decreases."""

    def advance(self, tick: Step) -> dict[str, float]:
        """Calibrate."""
        strengths = calibrate(self.network, self.validation)
        self.done = 1
        tick(1)
        return {"mean_strength": round(float(strengths.mean()), 4), "least_strength": round(float(strengths.min()), 4)}

    def conclude(self) -> PhaseOutcome:
        """Leave the calibrated weights, under the name of the phase that trained them."""
        return PhaseOutcome(None, self._closing(validation_nll(self.network, self.validation)))
