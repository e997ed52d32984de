"""Draw rows from a `MaskedGenerator`, column by column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


def _restricted(logits: Tensor, log_allowed: Tensor | None, shut: Tensor | None) -> Tensor:
    """Return logits with what a condition and a guide impose on them; the very same where that is nothing."""
    if log_allowed is not None:
        logits = logits + log_allowed
    return logits if shut is None else logits.masked_fill(shut, -torch.inf)


def draw(
    network: MaskedGenerator,
    rows: int,
    generator: torch.Generator,
    *,
    log_allowed: Mapping[int, Tensor] | None = None,
    closed: Mapping[int, Tensor] | None = None,
    steer: Callable[[int, list[Tensor]], Tensor | None] | None = None,
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
        steer: (column, codes of the columns before) -> (rows, codes) bool, codes ruled out in a row; `log_weight` then
            makes rows representative of what it allows. Rows of which nothing is ruled out are drawn as without it.
        known: (rows, columns) codes of cells that are known, -1 where one is to be drawn; `log_weight` then makes rows
            that agree in what is known representative of it. What every such row has in common, the cells before its
            first unknown one, is left out of the weight.
        laws: column -> (codes,) log-probabilities that hold instead of the network's, whatever came before.
    """
    state = network.begin()
    log_weight = torch.zeros(rows, device=generator.device)
    begun = torch.zeros(rows, dtype=torch.bool, device=generator.device)
    codes: list[Tensor] = []
    for t in range(len(network.columns)):
        if known is not None and bool((known[:, t] >= 0).all()):
            chosen = known[:, t]
            if bool(begun.any()):
                log_weight = log_weight + _told(_law(state, t, rows, laws or {}), chosen).where(begun, 0)
        else:
            whole = logits = _law(state, t, rows, laws or {})
            if closed is not None and t in closed:
                logits = logits.masked_fill(closed[t], -torch.inf)
            shut = None if steer is None else steer(t, codes)
            restricted = _restricted(logits, (log_allowed or {}).get(t), shut)
            if restricted is not logits:
                imposed = restricted.logsumexp(1) - logits.logsumexp(1)
                log_weight = log_weight + (imposed if known is None else imposed.where(known[:, t] < 0, 0))
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
