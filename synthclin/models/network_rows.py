"""Incremental ancestral sampling from the masked autoregressive network (MADE): the network as a row state."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from synthclin.models.networks import EMBEDDING, Head, MaskedBlock, MaskedGenerator
from synthclin.models.regression import Regression
from synthclin.sampling.sequential import SampledCodes, sample_codes

__all__ = ["NetworkRows", "sample_network"]


def sample_network(network: MaskedGenerator, rows: int, generator: torch.Generator) -> SampledCodes:
    """Sample rows with nothing imposed; the columns of the codes are those of the network.

    Arguments:
        network: in evaluation mode unless dropout is wanted.
        rows: how many.
        generator: on the network's device.
    """
    return sample_codes(NetworkRows(network, rows), range(len(network.columns)), rows, generator)


class NetworkRows:
    """Row state of incremental ancestral sampling: after column t only the hidden units of degree t are computed.

    A `synthclin.sampling.sequential.RowState`. Buffers are filled in place, so no gradient passes through a sample.

    Arguments:
        network: gives the conditional distributions.
        rows: how many.
        order: the caller's index of each column of the network; by default its position in the network.
    """

    def __init__(self, network: MaskedGenerator, rows: int, order: Sequence[int] | None = None) -> None:
        self.network, self.rows = network, rows
        self.place = {column: t for t, column in enumerate(order or range(len(network.columns)))}
        self.embeddings = [table.embeddings() for table in network.groups]
        # Masks are constant while rows are sampled: apply them once, not once per column.
        self.enter = network.enter.weight * network.enter.mask
        self.blocks = cast("list[MaskedBlock]", list(network.blocks))
        self.pairs = [(b.first.weight * b.first.mask, b.second.weight * b.second.mask) for b in self.blocks]
        self.heads = cast("list[Head]", list(network.heads))
        self.leave = [head.weight * head.mask for head in self.heads]
        self.cells = _Growing(len(network.columns) * EMBEDDING)
        self.context = [
            self.cells if len(field.context) == len(network.columns) else _Growing(len(field.context) * EMBEDDING)
            for field in network.fields
        ]
        self.layers = [_Growing(network.enter.out_features) for _ in range(2 * len(self.pairs) + 1)]
        self.parents = [] if network.regression is None else network.regression.used()
        self.codes: list[Tensor] = []

    def logits(self, column: int) -> Tensor:
        """Return the (rows, codes) logits of a column given those pushed before."""
        network, t = self.network, self.place[column]
        group, slot = network.home[t]
        table, codes = network.groups[group], network.columns[t].cardinality
        context_logits = self._outputs(t, *network.context_at[t])
        in_context = context_logits[:, :codes] if table.basis is None else context_logits @ table.basis[slot, :codes].T
        logits = in_context + table.bias[slot, :codes]
        for r in network.potentials.of(t):
            weights = self._outputs(t, *network.potential_at[r])
            logits = logits + network.potentials.logits(r, self.codes[network.potentials.pairs[r][0]], weights)
        if network.regression is not None:
            logits = logits + self._regressed(network.regression, t)
        return logits

    def _regressed(self, regression: Regression, t: int) -> Tensor:
        """Return what the regression adds to the (rows, codes) logits of the t-th column of the network."""
        features = regression.features
        parents, weights = self.parents[t]
        coefficients = regression.weights[t, :, 0]
        if parents:
            context = torch.cat([functional.embedding(self.codes[p], features.of(p)) for p in parents], dim=1)
            coefficients = functional.linear(context, weights, coefficients)
        return coefficients @ features.of(t).T

    def _outputs(self, t: int, head: int, part: slice) -> Tensor:
        """Return the (rows, outputs) part of a head's outputs for the t-th column of the network."""
        value = self.heads[head].bias[part].expand(self.rows, -1)
        if t > 0:
            weight, hidden = self.leave[head][part], self.network.enter.out_features
            end, context = self.network.ends[t - 1], self.context[head]
            value = value + self.layers[-1].value @ weight[:, :end].T
            value = value + context.value @ weight[:, hidden : hidden + context.filled].T
        return value

    def push(self, column: int, codes: Tensor) -> None:
        """Set the (rows,) codes of a column."""
        network, t = self.network, self.place[column]
        group, slot = network.home[t]
        cells = functional.embedding(codes, self.embeddings[group][slot])
        self.cells.append(cells)
        for field, context in zip(network.fields, self.context, strict=True):
            if context is not self.cells and t in field.context:
                context.append(cells)
        self.codes.append(codes)
        start, end = network.ends[t - 1] if t else 0, network.ends[t]
        if start == end or t == len(network.columns) - 1:
            return
        value = functional.linear(
            self.cells.value, self.enter[start:end, : self.cells.filled], network.enter.bias[start:end]
        )
        for i, ((first, second), block) in enumerate(zip(self.pairs, self.blocks, strict=True)):
            active, inner = self.layers[2 * i], self.layers[2 * i + 1]
            active.append(functional.silu(value))
            inner.append(
                functional.silu(
                    functional.linear(active.value, first[start:end, :end], block.first.bias[start:end]),
                )
            )
            value = value + functional.linear(inner.value, second[start:end, :end], block.second.bias[start:end])
        self.layers[-1].append(functional.silu(value))


class _Growing:
    """A (rows, width) tensor that is filled from the left."""

    def __init__(self, width: int) -> None:
        self.width, self.filled = width, 0
        self.buffer: Tensor | None = None

    @property
    def value(self) -> Tensor:
        assert self.buffer is not None
        return self.buffer[:, : self.filled]

    def append(self, part: Tensor) -> None:
        if self.buffer is None:
            self.buffer = part.new_empty(part.shape[0], self.width)
        filled = self.filled + part.shape[1]
        self.buffer[:, self.filled : filled] = part
        self.filled = filled
