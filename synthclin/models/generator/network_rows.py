"""Incremental ancestral sampling from the masked autoregressive network (MADE): the network as a row state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from synthclin.models.generator.masked_layers import EMBEDDING, Head, MaskedBlock, MaskedLinear
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.regression import RegressionRows
from synthclin.sampling.sequential import SampledCodes, sample_codes

__all__ = ["NetworkRows", "sample_network"]


def sample_network(network: MaskedGenerator, rows: int, generator: torch.Generator) -> SampledCodes:
    """Sample rows with nothing imposed; the columns of the codes are those of the network.

    Arguments:
        network: in evaluation mode unless dropout is wanted.
        rows: how many.
        generator: on the network's device.
    """
    return sample_codes(NetworkRows(network), range(len(network.columns)), rows, generator)


class NetworkRows:
    """Row state of incremental ancestral sampling: after column t only the hidden units of degree t are computed.

    A `synthclin.sampling.sequential.RowState`. Units lie one after the other, rows side by side: the units of a column
    are then one block of memory. No gradient passes through a sample.

    Arguments:
        network: gives the conditional distributions; its weights do not change meanwhile.
        order: the caller's index of each column of the network; by default its position in the network.
    """

    def __init__(self, network: MaskedGenerator, order: Sequence[int] | None = None) -> None:
        self.network, self.rows = network, -1
        self.place = {column: t for t, column in enumerate(order or range(len(network.columns)))}
        # Masks are constant while rows are sampled: apply them once, not once per column.
        with torch.no_grad():
            self.embeddings = [table.embeddings().transpose(1, 2).contiguous() for table in network.groups]
            self.enter = _masked(network.enter)
            blocks = cast("list[MaskedBlock]", list(network.blocks))
            self.blocks = [(_masked(block.first), _masked(block.second)) for block in blocks]
            self.heads = [_masked(head) for head in cast("list[Head]", list(network.heads))]
        self.kernels = network.potentials.kernels()
        whole = len(network.columns)
        self.cells = _Growing(whole * EMBEDDING)
        self.context = [
            self.cells if len(field.context) == whole else _Growing(len(field.context) * EMBEDDING)
            for field in network.fields
        ]
        self.layers = [_Growing(network.enter.out_features) for _ in range(2 * len(network.blocks) + 1)]
        self.regression = None if network.regression is None else RegressionRows(network.regression)
        self.codes: list[Tensor] = []

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any code."""
        for each in (self.cells, *self.context, *self.layers):
            each.begin(rows, self.network.starts.device)
        self.rows, self.codes = rows, []

    def logits(self, column: int) -> Tensor:
        """Return the (codes, rows) logits of a column given those pushed before."""
        network, t = self.network, self.place[column]
        group, slot = network.home[t]
        table, codes = network.groups[group], network.columns[t].cardinality
        bias = table.bias.detach()[slot, :codes, None]
        context_logits = self._outputs(t, *network.context_at[t])
        if table.basis is None:
            logits = context_logits[:codes] + bias
        else:
            logits = torch.addmm(bias, table.basis.detach()[slot, :codes], context_logits)
        for r in network.potentials.of(t):
            first = self.codes[network.potentials.pairs[r][0]]
            for kernel, weight in zip(self.kernels[r], self._outputs(t, *network.potential_at[r]), strict=True):
                logits.addcmul_(kernel.index_select(1, first), weight)
        return logits if self.regression is None else self.regression.added(logits, t, self.codes)

    def push(self, column: int, codes: Tensor) -> None:
        """Set the (rows,) codes of a column."""
        network, t = self.network, self.place[column]
        group, slot = network.home[t]
        cells = self.embeddings[group][slot].index_select(1, codes)
        self.cells.append(cells)
        for field, context in zip(network.fields, self.context, strict=True):
            if context is not self.cells and t in field.context:
                context.append(cells)
        self.codes.append(codes)
        start, end = network.ends[t - 1] if t else 0, network.ends[t]
        if start == end or t == len(network.columns) - 1:
            return
        part = slice(start, end)
        weight, bias = self.enter
        value = torch.addmm(bias[part], weight[part, : self.cells.filled], self.cells.value)
        for i, ((first, first_bias), (second, second_bias)) in enumerate(self.blocks):
            active, inner = self.layers[2 * i], self.layers[2 * i + 1]
            active.append(functional.silu(value))
            inner.append(
                functional.silu(torch.addmm(first_bias[part], first[part, :end], active.value), inplace=True),
            )
            value += torch.addmm(second_bias[part], second[part, :end], inner.value)
        self.layers[-1].append(functional.silu(value, inplace=True))

    def _outputs(self, t: int, head: int, part: slice) -> Tensor:
        """Return the (outputs, rows) part of a head's outputs for the t-th column of the network."""
        (weight, bias), context = self.heads[head], self.context[head]
        if t == 0:
            return bias[part].expand(-1, self.rows)
        hidden, end = self.network.enter.out_features, self.network.ends[t - 1]
        value = torch.addmm(bias[part], weight[part, :end], self.layers[-1].value)
        return value.addmm_(weight[part, hidden : hidden + context.filled], context.value)


def _masked(layer: MaskedLinear) -> tuple[Tensor, Tensor]:
    """Return the weight of a layer with its mask applied, and its (outputs, 1) bias."""
    return layer.weight * layer.mask, layer.bias.detach()[:, None]


class _Growing:
    """A (units, rows) tensor that is filled from above; its memory is used again."""

    def __init__(self, units: int) -> None:
        self.units, self.filled = units, 0
        self.buffer = torch.empty(units, 0)

    @property
    def value(self) -> Tensor:
        return self.buffer[: self.filled]

    def begin(self, rows: int, device: torch.device) -> None:
        self.filled = 0
        if self.buffer.shape[1] != rows or self.buffer.device != device:
            self.buffer = torch.empty(self.units, rows, device=device)

    def append(self, part: Tensor) -> None:
        filled = self.filled + part.shape[0]
        self.buffer[self.filled : filled] = part
        self.filled = filled
