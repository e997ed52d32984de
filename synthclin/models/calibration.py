"""Shrinkage of context logits: one strength per column, chosen by the likelihood of validation rows."""

from __future__ import annotations

from typing import ClassVar, cast

import torch
from torch import Tensor

from synthclin.models.networks import Head, MaskedGenerator
from synthclin.models.phases import Phase, PhaseOutcome, Setting
from synthclin.models.validation_metrics import validation_nll
from synthclin.progress import Step

__all__ = ["Calibration", "calibrate"]

STRENGTHS = 21
"""Strengths in the grid of each column, evenly from 0 (the marginal distribution) to 1 (as trained)."""

NOISE_ALLOWED = 1.0
"""Nats, summed over all validation rows, by which strength 0 must exceed 1 in log-likelihood; less is chance."""


def calibrate(network: MaskedGenerator, validation: Tensor) -> Tensor:
    """Shrink each column's context logits in place and return the (columns,) strengths, 0 to 1.

    Each strength maximises the log-likelihood of the `validation` rows (shrinkage of a linear predictor: Copas 1983,
    doi:10.1111/j.2517-6161.1983.tb01258.x). On small tables the context logits of a column that hardly depends on the
    others overfit the training rows while those of other columns still improve, so one early stop for all columns
    suits neither.
    """
    network.eval()
    strengths = torch.linspace(0, 1, STRENGTHS, device=validation.device)
    likelihood = torch.empty(STRENGTHS, len(network.columns), device=validation.device)
    with torch.no_grad():
        heads = cast("list[Head]", list(network.heads))
        trained = [(head.weight.clone(), head.bias.clone()) for head in heads]
        for i, strength in enumerate(strengths):
            for head, (weight, bias) in zip(heads, trained, strict=True):
                head.weight.copy_(weight * strength)
                head.bias.copy_(bias * strength)
            likelihood[i] = torch.stack([network.log_likelihood(part).sum(0) for part in validation.split(4_096)]).sum(
                0
            )
        best = strengths[(likelihood - NOISE_ALLOWED * (1 - strengths[:, None]) ** 2).argmax(dim=0)]
        for head, (weight, bias) in zip(heads, trained, strict=True):
            head.weight.copy_(weight * best[head.output_columns][:, None])
            head.bias.copy_(bias * best[head.output_columns])
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
