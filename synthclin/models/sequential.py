"""Draw rows from a `MaskedGenerator`, column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from torch.nn import functional

from synthclin.models.networks import EMBEDDING, Head, MaskedBlock, MaskedGenerator

__all__ = ["RowState", "SampledCodes", "draw"]


@dataclass(frozen=True, slots=True)
class SampledCodes:
    """Rows as they were drawn.

    Arguments:
        codes: (rows, columns) int64.
        log_weight: (rows,) log-probability of what was imposed or known, given the columns before it.
    """

    codes: Tensor
    log_weight: Tensor


def _gumbel(shape: torch.Size, generator: torch.Generator) -> Tensor:
    # Exponential draws are Gumbel ones on the log scale, without the two logarithms' underflow.
    return -torch.empty(shape, device=generator.device).exponential_(generator=generator).log()


def _log_probabilities(state: RowState, t: int, rows: int, fixed_log_probabilities: Mapping[int, Tensor]) -> Tensor:
    """Return the log-weights of column t's codes, (rows, codes): its own law where it has one, else the network's."""
    return fixed_log_probabilities[t].expand(rows, -1) if t in fixed_log_probabilities else state.logits(t, rows)


def _log_probability_of(logits: Tensor, codes: Tensor) -> Tensor:
    """Return the log-probability of each row's code, (rows,)."""
    return logits.gather(1, codes[:, None])[:, 0] - logits.logsumexp(1)


def _restricted(logits: Tensor, log_allowed: Tensor | None, masked: Tensor | None) -> Tensor:
    """Return logits with what a condition and a guide impose on them; the very same where that is nothing."""
    if log_allowed is not None:
        logits = logits + log_allowed
    return logits if masked is None else logits.masked_fill(masked, -torch.inf)


def draw(
    network: MaskedGenerator,
    rows: int,
    generator: torch.Generator,
    *,
    log_allowed: Mapping[int, Tensor] | None = None,
    forbidden: Mapping[int, Tensor] | None = None,
    code_mask: Callable[[int, list[Tensor]], Tensor | None] | None = None,
    known: Tensor | None = None,
    fixed_log_probabilities: Mapping[int, Tensor] | None = None,
) -> SampledCodes:
    """Draw rows column by column, each column from its law given the columns before.

    Arguments:
        network: in evaluation mode unless dropout is wanted.
        rows: how many.
        generator: on the network's device.
        log_allowed: column -> (codes,) log of the fraction of each code's mass that a condition allows; the rows'
            `log_weight` then makes them representative of the condition (sequential importance sampling).
        forbidden: column -> (codes,) bool, codes that are never drawn; the others share their mass, which says nothing
            of the other columns.
        code_mask: (column, codes of the columns before) -> (rows, codes) bool, codes masked in a row; `log_weight` then
            makes rows representative of what it allows. Rows of which nothing is ruled out are drawn as without it.
        known: (rows, columns) codes of cells that are known, -1 where one is to be drawn; `log_weight` then makes rows
            that agree in what is known representative of it. What every such row has in common, the cells before its
            first unknown one, is left out of the weight.
        fixed_log_probabilities: column -> (codes,) log-probabilities that hold instead of the
            network's, whatever came before.
    """
    state = RowState(network)
    log_weight = torch.zeros(rows, device=generator.device)
    begun = torch.zeros(rows, dtype=torch.bool, device=generator.device)
    codes: list[Tensor] = []
    for t in range(len(network.columns)):
        if known is not None and bool((known[:, t] >= 0).all()):
            chosen = known[:, t]
            if bool(begun.any()):
                log_weight = log_weight + _log_probability_of(
                    _log_probabilities(state, t, rows, fixed_log_probabilities or {}), chosen
                ).where(begun, 0)
        else:
            whole = logits = _log_probabilities(state, t, rows, fixed_log_probabilities or {})
            if forbidden is not None and t in forbidden:
                logits = logits.masked_fill(forbidden[t], -torch.inf)
            masked = None if code_mask is None else code_mask(t, codes)
            restricted = _restricted(logits, (log_allowed or {}).get(t), masked)
            if restricted is not logits:
                imposed = restricted.logsumexp(1) - logits.logsumexp(1)
                log_weight = log_weight + (imposed if known is None else imposed.where(known[:, t] < 0, 0))
                logits = restricted
            chosen = (logits + _gumbel(logits.shape, generator)).argmax(dim=1)
            if known is not None:
                known_here = known[:, t] >= 0
                chosen = known[:, t].where(known_here, chosen)
                log_weight = log_weight + _log_probability_of(whole, chosen).where(known_here & begun, 0)
                begun = begun | ~known_here
        codes.append(chosen)
        state.push(t, chosen)
    return SampledCodes(torch.stack(codes, dim=1), log_weight)


class RowState:
    """Hidden units of rows that are being drawn: after column t only the units of degree t are computed.

    `logits(t)` gives the law of column t, `push(t, codes)` tells which codes it took. Buffers are filled in place, so
    no gradient passes through a draw.
    """

    def __init__(self, network: MaskedGenerator) -> None:
        self.network = network
        self.embeddings = [table.embeddings() for table in network.groups]
        # Masks are constant during a draw: apply them once, not once per column.
        self.enter = network.enter.weight * network.enter.mask
        self.blocks = cast("list[MaskedBlock]", list(network.blocks))
        self.pairs = [(b.first.weight * b.first.mask, b.second.weight * b.second.mask) for b in self.blocks]
        self.heads = cast("list[Head]", list(network.heads))
        self.leave = [head.weight * head.mask for head in self.heads]
        self.cells = _Growing(len(network.columns) * EMBEDDING)
        self.seen = [
            self.cells if len(field.sees) == len(network.columns) else _Growing(len(field.sees) * EMBEDDING)
            for field in network.fields
        ]
        self.layers = [_Growing(network.enter.out_features) for _ in range(2 * len(self.pairs) + 1)]
        self.codes: list[Tensor] = []

    def logits(self, t: int, rows: int) -> Tensor:
        """Return the logits of column t, (rows, codes)."""
        network = self.network
        group, slot = network.home[t]
        table, codes = network.groups[group], network.columns[t].cardinality
        context_logits = self._said(t, rows, *network.context_at[t])
        in_context = context_logits[:, :codes] if table.basis is None else context_logits @ table.basis[slot, :codes].T
        logits = in_context + table.bias[slot, :codes]
        for r in network.potentials.of(t):
            heights = self._said(t, rows, *network.heights_at[r])
            logits = logits + network.potentials.band(r, self.codes[network.potentials.pairs[r][0]], heights)
        return logits

    def _said(self, t: int, rows: int, head: int, lines: slice) -> Tensor:
        """Return some lines of a head that speak of column t, (rows, lines)."""
        value = self.heads[head].bias[lines].expand(rows, -1)
        if t > 0:
            weight, hidden = self.leave[head][lines], self.network.enter.out_features
            end, seen = self.network.ends[t - 1], self.seen[head]
            value = value + self.layers[-1].value @ weight[:, :end].T
            value = value + seen.value @ weight[:, hidden : hidden + seen.filled].T
        return value

    def push(self, t: int, codes: Tensor) -> None:
        """Tell which codes column t took, (rows,)."""
        network = self.network
        group, slot = network.home[t]
        cells = functional.embedding(codes, self.embeddings[group][slot])
        self.cells.append(cells)
        for field, seen in zip(network.fields, self.seen, strict=True):
            if seen is not self.cells and t in field.sees:
                seen.append(cells)
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
