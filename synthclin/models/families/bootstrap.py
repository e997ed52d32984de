"""Bootstrap of the training rows: what a model reaches that remembers everything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthclin.encoding import Encoded, Layout
from synthclin.models.artifact import misfit
from synthclin.models.callbacks import TrainingMonitor
from synthclin.models.sequential_synthesizer import SequentialSynthesizer
from synthclin.sampling.sequential import Imposed, RowState, SampledCodes

__all__ = ["Bootstrap"]

CHANGED = 1e-4
"""Probability that a cell is sampled from its marginal distribution instead: every combination is then possible."""


class BootstrapRows:
    """Row state of the bootstrap: a mixture whose components are the training rows.

    A `synthclin.sampling.sequential.RowState`. The state is the posterior distribution of each row's training row
    given its codes so far.

    Arguments:
        codes: (training rows, columns).
        shares: (codes,) marginal distribution of each column.
    """

    def __init__(self, codes: Tensor, shares: list[Tensor]) -> None:
        self._codes, self._shares = codes.T.contiguous(), [share / share.sum() for share in shares]
        self._posterior = torch.empty(0)

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any code."""
        size = self._codes.shape[1]
        self._posterior = torch.full((size, rows), 1 / size)

    def logits(self, column: int) -> Tensor:
        """Return the (codes, rows) logits of a column given those pushed before."""
        share = self._shares[column]
        held = torch.zeros(len(share), self._posterior.shape[1]).index_add_(0, self._codes[column], self._posterior)
        return ((1 - CHANGED) * held + CHANGED * share[:, None]).log()

    def push(self, column: int, codes: Tensor) -> None:
        """Set the (rows,) codes of a column."""
        other = CHANGED * self._shares[column][codes]
        same = self._codes[column][:, None] == codes
        self._posterior = self._posterior * torch.where(same, other + 1 - CHANGED, other)
        # Normalised each time: products of many small probabilities would vanish.
        self._posterior = (self._posterior / self._posterior.sum(0)).clamp_min(1e-30)


class Bootstrap(SequentialSynthesizer):
    """Bootstrap: training rows sampled with replacement, a reference for the fidelity of other families.

    Efron 1979, doi:10.1214/aos/1176344552. Offsets inside bins are sampled anew. It protects nobody: every synthetic
    row is a patient's. Its scores show what fidelity a table of this size allows, and that the privacy attacks find a
    copy. It is never written to a file.

    Arguments:
        schema: what the table means.
        random_state: seed of everything random in fitting.
        rare_category: a level held by fewer patients never enters the model.
        trim_extremes: how many of the most extreme values are described only together.

    Example:
        >>> import synthclin as sc
        >>> table, schema = sc.datasets.load("heart_disease")
        >>> len(sc.Bootstrap(schema).fit(table).sample(10, where="age >= 65"))
        10
    """

    family: ClassVar[str] = "bootstrap"
    keeps_rows: ClassVar[bool] = True

    def _fit(
        self,
        encoded: Encoded,
        layout: Layout,
        monitor: TrainingMonitor,  # noqa: ARG002 - there are no steps
        patient: NDArray[np.int64],  # noqa: ARG002
    ) -> dict[str, Any]:
        self.codes_ = encoded.codes
        self.shares_ = self._marginal_shares(encoded.codes, layout)
        return {"kept": "training rows", "parameters": encoded.codes.numel()}

    def _row_state(self, generator: torch.Generator) -> RowState:  # noqa: ARG002 - nothing in it is random
        return BootstrapRows(self.codes_, self.shares_)

    def _sample_part(self, state: RowState, rows: int, generator: torch.Generator, imposed: Imposed) -> SampledCodes:
        """Return sampled rows; without conditions by a training row each, which has the same distribution.

        A row then keeps its codes up to the first that is masked, and is sampled from there on given these.
        """
        conditions = imposed.known is not None or imposed.log_allowed or imposed.allocations
        if conditions or imposed.code_mask is not imposed.reference_mask:
            return super()._sample_part(state, rows, generator, imposed)
        order, places = self.encoder_.layout.order, torch.randint(len(self.codes_), (rows,), generator=generator)
        codes = self.codes_[places]
        for column, share in enumerate(self.shares_):
            changed = torch.rand(rows, generator=generator) < CHANGED
            others = torch.multinomial(share, rows, replacement=True, generator=generator)
            codes[:, column] = others.where(changed, codes[:, column])
        known, log_weight = _up_to_masked(codes, order, imposed), torch.zeros(rows)
        again = (known < 0).any(1)
        if bool(again.any()):
            rest = replace(imposed, known=known[again])
            sampled = super()._sample_part(state, int(again.sum()), generator, rest)
            codes[again], log_weight[again] = sampled.codes, sampled.log_weight
        return SampledCodes(codes, log_weight)

    @property
    def _rows_at_once(self) -> int:
        # The posterior distribution of each row is over all training rows.
        return max(16, min(2_048, 16_000_000 // max(1, len(self.codes_))))

    def _state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        raise misfit()

    def _restore(self, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], layout: Layout) -> None:  # noqa: ARG002
        raise misfit()


def _up_to_masked(codes: Tensor, order: Sequence[int], imposed: Imposed) -> Tensor:
    """Return (rows, columns) codes, -1 from the first masked or forbidden one on, in the order of sampling."""
    kept, allowed = codes.clone(), torch.ones(len(codes), dtype=torch.bool)
    sampled: dict[int, Tensor] = {}
    for column in order:
        own = codes[:, column]
        if column in imposed.forbidden:
            allowed &= ~imposed.forbidden[column][own]
        masked = None if imposed.code_mask is None else imposed.code_mask(column, sampled)
        if masked is not None:
            allowed &= masked.expand(-1, len(codes)).gather(0, own[None])[0] > -torch.inf
        kept[~allowed, column] = -1
        sampled[column] = own
    return kept
