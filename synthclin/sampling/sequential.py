"""Sequential sampling: one column after the other from its conditional distribution, for every family that has one.

Everything that may be imposed on a row is imposed here: conditions, constraint masks, codes that are never sampled,
allocation ratios of randomised arms, and known cells. A family gives conditional logits and is told the codes taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from synthclin.encoding import TableEncoder

__all__ = ["CodeMask", "Imposed", "RowState", "SampledCodes", "allocations_of", "sample_codes"]


class RowState(Protocol):
    """Rows that a sequential family is sampling: a conditional distribution, then the codes taken, column by column."""

    def logits(self, column: int) -> Tensor:
        """Return the (rows, codes) logits of a column given the columns pushed before."""

    def push(self, column: int, codes: Tensor) -> None:
        """Take note of the (rows,) codes of a column; columns come in the order of sampling."""


class CodeMask(Protocol):
    """Which codes are masked in a row before a column is sampled; see `synthclin.sampling.masks.ConstraintMask`."""

    def __call__(self, column: int, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return the (rows, codes) masked codes given the (rows,) codes of other columns (-1: not known), or None."""


@dataclass(frozen=True, slots=True)
class Imposed:
    """What is imposed on the rows of one request. Columns are indices of the layout.

    Arguments:
        log_allowed: column -> (codes,) log of the fraction of each code's mass that a condition allows; the weights of
            rows make them representative of the condition (sequential importance sampling).
        forbidden: column -> (codes,) bool, codes that are never sampled; the others share their mass, which has no part
            in the weights.
        allocations: column -> (codes,) probabilities that replace the family's, whatever came before: the allocation
            ratio of a randomised arm.
        code_mask: gives the codes that are masked in each row; weights make rows representative of what it allows, and
            rows in which nothing is masked are sampled as without it. Rows without a code left get the weight -inf.
        known: (rows, columns) codes of known cells, -1 where one is to be sampled; weights then make rows that agree in
            what is known representative of it. Factors that all such rows share are left out: those of the cells
            before the first unknown one.
    """

    log_allowed: Mapping[int, Tensor] = field(default_factory=dict)
    forbidden: Mapping[int, Tensor] = field(default_factory=dict)
    allocations: Mapping[int, Tensor] = field(default_factory=dict)
    code_mask: CodeMask | None = None
    known: Tensor | None = None

    def rows(self, part: slice) -> Imposed:
        """Return what is imposed on some of the rows."""
        known = None if self.known is None else self.known[part]
        return Imposed(self.log_allowed, self.forbidden, self.allocations, self.code_mask, known)

    def to(self, device: torch.device) -> Imposed:
        """Return the same with tensors on `device`."""
        log_allowed, forbidden, allocations = (
            {column: values.to(device) for column, values in each.items()}
            for each in (self.log_allowed, self.forbidden, self.allocations)
        )
        known = None if self.known is None else self.known.to(device)
        return Imposed(log_allowed, forbidden, allocations, self.code_mask, known)


def allocations_of(encoder: TableEncoder) -> dict[int, Tensor]:
    """Return the (codes,) allocation probabilities of randomised arms, by index of the column."""
    return {column: torch.from_numpy(probabilities) for column, probabilities in encoder.allocations.items()}


@dataclass(frozen=True, slots=True)
class SampledCodes:
    """Sampled rows.

    Arguments:
        codes: (rows, columns) int64, in the order of the layout.
        log_weight: (rows,) log-probability of what was imposed or known, given the columns before it.
    """

    codes: Tensor
    log_weight: Tensor


def sample_codes(
    state: RowState, order: Sequence[int], rows: int, generator: torch.Generator, imposed: Imposed | None = None
) -> SampledCodes:
    """Sample rows column by column, each column from its conditional distribution given the columns before.

    Arguments:
        state: of `rows` rows, with no column pushed yet.
        order: indices of all columns in the order of sampling.
        rows: how many.
        generator: on the device of the state.
        imposed: on the same device.
    """
    imposed = Imposed() if imposed is None else imposed
    known = imposed.known
    given: dict[int, Tensor] = {} if known is None else dict(enumerate(known.unbind(dim=1)))
    sampled: dict[int, Tensor] = {}
    log_weight = torch.zeros(rows, device=generator.device)
    # Rows that have sampled a cell: only then does the likelihood of a known cell differ between proposals.
    begun = torch.zeros(rows, dtype=torch.bool, device=generator.device)
    for column in order:
        if known is not None and bool((known[:, column] >= 0).all()):
            codes = known[:, column]
            if bool(begun.any()):
                log_weight = log_weight + _log_probability(_logits(state, column, rows, imposed), codes).where(begun, 0)
        else:
            whole = logits = _logits(state, column, rows, imposed)
            if column in imposed.forbidden:
                logits = logits.masked_fill(imposed.forbidden[column], -torch.inf)
            restricted = _restricted(logits, column, given | sampled, imposed)
            if restricted is not logits:
                mass = restricted.logsumexp(1) - logits.logsumexp(1)
                log_weight = log_weight + (mass if known is None else mass.where(known[:, column] < 0, 0))
                logits = restricted
            codes = (logits + _gumbel(logits.shape, generator)).argmax(dim=1)
            if known is not None:
                is_known = known[:, column] >= 0
                codes = known[:, column].where(is_known, codes)
                log_weight = log_weight + _log_probability(whole, codes).where(is_known & begun, 0)
                begun = begun | ~is_known
        sampled[column] = codes
        state.push(column, codes)
    return SampledCodes(torch.stack([sampled[column] for column in range(len(order))], dim=1), log_weight)


def _logits(state: RowState, column: int, rows: int, imposed: Imposed) -> Tensor:
    """Return the (rows, codes) logits of a column: its allocation where it has one, else the family's."""
    if column in imposed.allocations:
        return imposed.allocations[column].float().log().expand(rows, -1)
    return state.logits(column)


def _restricted(logits: Tensor, column: int, others: Mapping[int, Tensor], imposed: Imposed) -> Tensor:
    """Return logits within the condition and the mask; the very same where nothing is imposed."""
    masked = None if imposed.code_mask is None else imposed.code_mask(column, others)
    if column in imposed.log_allowed:
        logits = logits + imposed.log_allowed[column]
    return logits if masked is None else logits.masked_fill(masked.to(logits.device), -torch.inf)


def _log_probability(logits: Tensor, codes: Tensor) -> Tensor:
    """Return the log-probability of each row's code, (rows,)."""
    return logits.gather(1, codes[:, None])[:, 0] - logits.logsumexp(1)


def _gumbel(shape: torch.Size, generator: torch.Generator) -> Tensor:
    """Return standard Gumbel noise: the argmax of logits plus it is a sample (the Gumbel-max trick)."""
    # An exponential variate is a Gumbel one on the log scale, without the two logarithms' underflow.
    return -torch.empty(shape, device=generator.device).exponential_(generator=generator).log()
