"""Draw rows from a `MaskedGenerator`, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from synthclin.models.networks import MaskedGenerator, RowState

__all__ = ["Drawn", "draw"]


@dataclass(frozen=True, slots=True)
class Drawn:
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


def _law(state: RowState, t: int, rows: int, laws: Mapping[int, Tensor]) -> Tensor:
    """Return the log-weights of column t's codes, (rows, codes): its own law where it has one, else the network's."""
    return laws[t].expand(rows, -1) if t in laws else state.logits(t, rows)


def _told(logits: Tensor, codes: Tensor) -> Tensor:
    """Return the log-probability of each row's code, (rows,)."""
    return logits.gather(1, codes[:, None])[:, 0] - logits.logsumexp(1)


def draw(
    network: MaskedGenerator,
    rows: int,
    generator: torch.Generator,
    *,
    log_allowed: Mapping[int, Tensor] | None = None,
    closed: Mapping[int, Tensor] | None = None,
    known: Tensor | None = None,
    laws: Mapping[int, Tensor] | None = None,
) -> Drawn:
    """Draw rows column by column, each column from its law given the columns before.

    Arguments:
        network: in evaluation mode unless dropout is wanted.
        rows: how many.
        generator: on the network's device.
        log_allowed: column -> (codes,) log of the fraction of each code's mass that a condition allows; the rows'
            `log_weight` then makes them representative of the condition (sequential importance sampling).
        closed: column -> (codes,) bool, codes that are never drawn; the others share their mass, which says nothing
            of the other columns.
        known: (rows, columns) codes of cells that are known, -1 where one is to be drawn; `log_weight` then makes rows
            that agree in what is known representative of it. What every such row has in common, the cells before its
            first unknown one, is left out of the weight.
        laws: column -> (codes,) log-probabilities that hold instead of the network's, whatever came before.
    """
    state = network.begin()
    log_weight = torch.zeros(rows, device=generator.device)
    begun = torch.zeros(rows, dtype=torch.bool, device=generator.device)
    codes = []
    for t in range(len(network.columns)):
        if known is not None and bool((known[:, t] >= 0).all()):
            chosen = known[:, t]
            if bool(begun.any()):
                log_weight = log_weight + _told(_law(state, t, rows, laws or {}), chosen).where(begun, 0)
        else:
            whole = logits = _law(state, t, rows, laws or {})
            if closed is not None and t in closed:
                logits = logits.masked_fill(closed[t], -torch.inf)
            if log_allowed is not None and t in log_allowed:
                restricted = logits + log_allowed[t]
                log_weight = log_weight + restricted.logsumexp(1) - logits.logsumexp(1)
                logits = restricted
            chosen = (logits + _gumbel(logits.shape, generator)).argmax(dim=1)
            if known is not None:
                told = known[:, t] >= 0
                chosen = known[:, t].where(told, chosen)
                log_weight = log_weight + _told(whole, chosen).where(told & begun, 0)
                begun = begun | ~told
        codes.append(chosen)
        state.push(t, chosen)
    return Drawn(torch.stack(codes, dim=1), log_weight)
