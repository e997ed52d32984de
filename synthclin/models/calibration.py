"""Shrink what was learnt too well: how far columns follow those before them, by rows that were set aside."""

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
"""Tried per column, evenly from 0 (the marginal law alone) to 1 (as learnt)."""

NOISE_ALLOWED = 1.0
"""Nats, over all rows set aside, by which strength 0 must beat 1: chance alone prefers one or the other."""


def calibrate(network: MaskedGenerator, validation: Tensor) -> Tensor:
    """Scale each column's tilt in place and return the (columns,) strengths, 0 to 1, that `validation` rows prefer.

    A column's law is its marginal times a tilt by the columns before. On small tables the tilt of a column that hardly
    depends on the others is mostly memory of the rows learnt from, while other columns still gain; one common stop
    suits neither. So every column keeps the share of its tilt under which rows set aside are most likely (shrinkage
    of a linear predictor: Copas 1983, doi:10.1111/j.2517-6161.1983.tb01258.x).
    """
    network.eval()
    strengths = torch.linspace(0, 1, STRENGTHS, device=validation.device)
    likelihood = torch.empty(STRENGTHS, len(network.columns), device=validation.device)
    with torch.no_grad():
        heads = cast("list[Head]", list(network.heads))
        learnt = [(head.weight.clone(), head.bias.clone()) for head in heads]
        for i, strength in enumerate(strengths):
            for head, (weight, bias) in zip(heads, learnt, strict=True):
                head.weight.copy_(weight * strength)
                head.bias.copy_(bias * strength)
            likelihood[i] = torch.stack([network.log_likelihood(part).sum(0) for part in validation.split(4_096)]).sum(
                0
            )
        best = strengths[(likelihood - NOISE_ALLOWED * (1 - strengths[:, None]) ** 2).argmax(dim=0)]
        for head, (weight, bias) in zip(heads, learnt, strict=True):
            head.weight.copy_(weight * best[head.speaks_of][:, None])
            head.bias.copy_(bias * best[head.speaks_of])
    return best


class Calibration(Phase):
    """One step: `calibrate`."""

    name, stream, label = "calibration", "calibration", "calibrating"
    learners: ClassVar = ("network",)
    facts: ClassVar = ("done",)

    def __init__(self, setting: Setting) -> None:
        super().__init__(setting, 1)

    def begin(self) -> None:
        """Nothing has to come back: rows set aside are never less likely afterwards."""

    def advance(self, tick: Step) -> dict[str, float]:
        """Calibrate."""
        strengths = calibrate(self.network, self.validation)
        self.done = 1
        tick(1)
        return {"mean_strength": round(float(strengths.mean()), 4), "least_strength": round(float(strengths.min()), 4)}

    def conclude(self) -> PhaseOutcome:
        """Leave the calibrated weights, which keep the name of the phase that made them."""
        return PhaseOutcome(None, self._closing(validation_nll(self.network, self.validation)))
