"""Layers of a masked autoregressive network: linear layers, residual blocks and output heads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthclin.models.generator.receptive_fields import ReceptiveField

__all__ = ["EMBEDDING", "Head", "MaskedBlock", "MaskedLinear", "weights_masked"]

EMBEDDING = 8
"""Width of a code's embedding; wider gained nothing."""


class MaskedLinear(nn.Linear):
    """Masked linear layer: output unit o depends on input unit i only where `mask[o, i]` is true."""

    mask: Tensor

    def __init__(self, mask: Tensor, zero: bool = False) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.masked = False  # whether the weight is 0 wherever the mask is; see `weights_masked`
        self.register_buffer("mask", mask.float(), persistent=False)
        if zero:
            nn.init.zeros_(self.weight)
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return the outputs, (..., outputs), of (..., inputs)."""
        return functional.linear(x, self.weight if self.masked else self.weight * self.mask, self.bias)


@contextmanager
def weights_masked(network: nn.Module) -> Iterator[None]:
    """Set masked weights to 0 inside the block, so that no forward pass applies the masks.

    Their gradient is then that of unmasked weights: `synthclin.models.generator.optimizer` masks it.
    """
    layers = [layer for layer in network.modules() if isinstance(layer, MaskedLinear)]
    for layer in layers:
        layer.weight.data.mul_(layer.mask)
        layer.masked = True
    try:
        yield
    finally:
        for layer in layers:
            layer.masked = False


class MaskedBlock(nn.Module):
    """Masked residual block of ResMADE, x + second(silu(first(silu(x)))); it keeps every unit's degree.

    Nash & Durkan 2019, arXiv 1904.05626.
    """

    def __init__(self, mask: Tensor, dropout: float) -> None:
        super().__init__()
        self.first = MaskedLinear(mask)
        self.second = MaskedLinear(mask, zero=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Return the output units, in the shape of the input units."""
        hidden = self.dropout(functional.silu(self.first(functional.silu(x))))
        return x + cast("Tensor", self.second(hidden))


class Head(MaskedLinear):
    """Output head of the columns of one receptive field: masked linear in the hidden units and the context cells.

    Its outputs are the weights of each column's basis and of its pairwise potentials.

    Arguments:
        field: receptive field of the output columns.
        output_columns: the column of each output.
        degrees: of the hidden units.

    **Shape:** `forward` (rows, width) hidden units, (rows, columns, EMBEDDING) cells -> (rows, outputs).
    """

    context: Tensor
    output_columns: Tensor

    def __init__(self, field: ReceptiveField, output_columns: Tensor, degrees: Tensor) -> None:
        context = torch.tensor(field.context)
        inputs = torch.cat([degrees, context.repeat_interleave(EMBEDDING)])
        super().__init__(output_columns[:, None] > inputs, zero=True)
        self.register_buffer("context", context, persistent=False)
        self.register_buffer("output_columns", output_columns, persistent=False)

    def forward(self, hidden: Tensor, cells: Tensor) -> Tensor:  # type: ignore[override]
        """Return the outputs, (rows, outputs)."""
        context = cells if len(self.context) == cells.shape[1] else cells[:, self.context]
        return super().forward(torch.cat([hidden, context.flatten(1)], dim=1))
