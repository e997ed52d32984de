"""Sequential importance sampling: column by column from conditional distributions, with conditions imposed.

Conditions, constraint masks, forbidden codes, allocation ratios of randomised arms and known cells are imposed here,
for every family that gives conditional logits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from synthclin.encoding import TableEncoder

__all__ = [
    "UNLIKELY",
    "CodeMask",
    "Deduced",
    "Imposed",
    "RowState",
    "SampledCodes",
    "allocations_of",
    "inverse_cdf",
    "sample_codes",
]

UNLIKELY = -30.0
"""Log-probability of a known cell after a context that the model never samples: given cells may be such."""

SUMMED = 64
"""Codes whose running sums are one product; those of more codes are summed in parts."""


class RowState(Protocol):
    """State of ancestral sampling: `begin`, then for each column its conditional logits and the sampled codes.

    Rows lie side by side, so that what is done for each code is one operation on many neighbouring numbers.
    """

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any code."""

    def logits(self, column: int) -> Tensor:
        """Return the (codes, rows) logits of a column given the columns pushed before."""

    def push(self, column: int, codes: Tensor) -> None:
        """Set the (rows,) codes of a column; columns come in the order of sampling."""


class CodeMask(Protocol):
    """Constraint mask of the codes of the next column; see `synthclin.sampling.masks.ConstraintMask`."""

    def __call__(self, column: int, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return the (codes, rows) mask given the (rows,) codes of other columns (-1: not known), or None.

        It is -inf for masked codes, else 0. With one column instead of `rows` it is the mask of every row.
        """

    def rows(self, part: slice) -> CodeMask:
        """Return the mask of some of the rows."""


class Deduced(Protocol):
    """Known cells whose codes follow from the cells sampled before them, such as residuals of a mean."""

    def __call__(self, column: int, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return the (rows,) codes of the next column given those sampled so far, -1 where it is to be sampled."""

    def rows(self, part: slice) -> Deduced:
        """Return the same for some of the rows."""


@dataclass(frozen=True, slots=True)
class Imposed:
    """Conditions, masks and known cells imposed on the rows of one request. Columns are indices of the layout.

    Arguments:
        log_allowed: column -> (codes,) log of the fraction of each code's mass that a condition allows; it enters the
            importance weights (sequential importance sampling: Liu & Chen 1998, doi:10.1080/01621459.1998.10473765).
        forbidden: column -> (codes,) bool, codes that are never sampled; their mass is renormalised over the other
            codes and does not enter the weights.
        allocations: column -> (codes,) probabilities that replace the conditional distribution of the family: the
            allocation ratio of a randomised arm.
        code_mask: gives the masked codes of each row; their mass enters the weights. Rows in which nothing is masked
            are sampled as without it. Rows without an allowed code get the weight -inf.
        reference_mask: masks codes of the distribution that the weights refer to: with the mask of the rules alone they
            are the probability of the condition among rows sampled under the rules. None for no mask.
        known: (rows, columns) codes of known cells, -1 where a cell is to be sampled; the likelihood of known cells
            enters the weights. Factors that all proposals of a row share are left out: those of the known cells before
            the first unknown one.
        context: number of leading columns that are known and no part of the likelihood. Rows may then have different
            ones, so that the likelihood of every known cell after them enters the weights. 0 for none.
        deduced: codes of known cells that follow from the cells before; needs `known`, in which they are unknown.
    """

    log_allowed: Mapping[int, Tensor] = field(default_factory=dict)
    forbidden: Mapping[int, Tensor] = field(default_factory=dict)
    allocations: Mapping[int, Tensor] = field(default_factory=dict)
    code_mask: CodeMask | None = None
    reference_mask: CodeMask | None = None
    known: Tensor | None = None
    context: int = 0
    deduced: Deduced | None = None

    def rows(self, part: slice) -> Imposed:
        """Return the part that is imposed on some of the rows."""
        if self.known is None:
            return self
        masks = [None if mask is None else mask.rows(part) for mask in (self.code_mask, self.reference_mask)]
        deduced = None if self.deduced is None else self.deduced.rows(part)
        return replace(self, known=self.known[part], code_mask=masks[0], reference_mask=masks[1], deduced=deduced)

    def to(self, device: torch.device) -> Imposed:
        """Return the same with tensors on `device`."""
        log_allowed, forbidden, allocations = (
            {column: values.to(device) for column, values in each.items()}
            for each in (self.log_allowed, self.forbidden, self.allocations)
        )
        known = None if self.known is None else self.known.to(device)
        return replace(self, log_allowed=log_allowed, forbidden=forbidden, allocations=allocations, known=known)


def allocations_of(encoder: TableEncoder) -> dict[int, Tensor]:
    """Return the (codes,) allocation probabilities of randomised arms, by index of the column."""
    return {column: torch.from_numpy(probabilities) for column, probabilities in encoder.allocations.items()}


@dataclass(frozen=True, slots=True)
class SampledCodes:
    """Sampled rows with their log importance weights.

    Arguments:
        codes: (rows, columns) int64, in the order of the layout.
        log_weight: (rows,) log-probability of the imposed conditions and known cells, given the columns before each.
    """

    codes: Tensor
    log_weight: Tensor


def sample_codes(
    state: RowState, order: Sequence[int], rows: int, generator: torch.Generator, imposed: Imposed | None = None
) -> SampledCodes:
    """Sample rows by sequential importance sampling: each column given the columns before, within what is imposed.

    Liu & Chen 1998, doi:10.1080/01621459.1998.10473765.

    Arguments:
        state: of which these rows begin anew.
        order: indices of all columns in the order of sampling.
        rows: how many.
        generator: on the device of the state.
        imposed: on the same device.
    """
    state.begin(rows)
    imposed = Imposed() if imposed is None else imposed
    known = imposed.known if imposed.deduced is None or imposed.known is None else imposed.known.clone()
    given: dict[int, Tensor] = {} if known is None else dict(enumerate(known.unbind(dim=1)))
    sampled: dict[int, Tensor] = {}
    log_weight = torch.zeros(rows, device=generator.device)
    # Rows that have sampled a cell: only then does the likelihood of a known cell differ between proposals.
    begun = torch.full((rows,), imposed.context > 0, device=generator.device)
    least = -torch.inf if imposed.context == 0 else UNLIKELY
    for column in order:
        if known is not None and imposed.deduced is not None:
            found = imposed.deduced(column, sampled)
            if found is not None:
                known[:, column] = found.to(known.device)
        if known is not None and bool((known[:, column] >= 0).all()):
            codes = known[:, column]
            if column >= imposed.context and bool(begun.any()):
                reference = _masked(_logits(state, column, rows, imposed), imposed.reference_mask, column, sampled)
                log_weight = log_weight + _log_probability(reference, codes, least).where(begun, 0)
        else:
            whole = logits = _logits(state, column, rows, imposed)
            if column in imposed.forbidden:
                logits = logits.masked_fill(imposed.forbidden[column][:, None], -torch.inf)
            allowed = logits + imposed.log_allowed[column][:, None] if column in imposed.log_allowed else logits
            restricted = _masked(allowed, imposed.code_mask, column, given | sampled)
            highest = restricted.amax(0)
            if known is None and allowed is logits and imposed.code_mask is imposed.reference_mask:
                # The conditions and the rules leave the same distribution: all of it, or no code at all.
                log_weight = log_weight.where(highest > -torch.inf, -torch.inf)
            elif restricted is not logits:
                # Without the known cells of later columns, which rows sampled under the rules alone do not have.
                reference = _masked(logits, imposed.reference_mask, column, sampled)
                # Without an allowed code both are -inf, and their difference is NaN.
                mass = (restricted.logsumexp(0) - reference.logsumexp(0)).nan_to_num(nan=-torch.inf, neginf=-torch.inf)
                log_weight = log_weight + (mass if known is None else mass.where(known[:, column] < 0, 0))
            noise = torch.rand(rows, generator=generator, device=generator.device)
            codes = inverse_cdf((restricted - highest).exp_(), noise)
            if known is not None:
                is_known = known[:, column] >= 0
                codes = known[:, column].where(is_known, codes)
                reference = _masked(whole, imposed.reference_mask, column, sampled)
                log_weight = log_weight + _log_probability(reference, codes, least).where(is_known & begun, 0)
                begun = begun | ~is_known
        sampled[column] = codes
        state.push(column, codes)
    return SampledCodes(torch.stack([sampled[column] for column in range(len(order))], dim=1), log_weight)


def inverse_cdf(weights: Tensor, noise: Tensor) -> Tensor:
    """Return codes by inverse transform sampling, each with a probability proportional to its weight.

    Arguments:
        weights: (..., codes, rows), not negative.
        noise: (..., rows) in [0, 1).

    Returns:
        (..., rows) int64. A code of weight 0 is chosen only where all weights are 0 or one is NaN.

    Example:
        >>> inverse_cdf(torch.tensor([[0.2], [0.0], [0.3]]).expand(-1, 3), torch.tensor([0.0, 0.39, 0.41])).tolist()
        [0, 0, 2]
    """
    ends = _running_sums(weights)
    below = ends <= (noise * ends[..., -1, :]).unsqueeze(-2)
    codes: Tensor = below.sum(-2).clamp_(max=weights.shape[-2] - 1)
    # Running sums are rounded: they may name a code of weight 0 next to the right one.
    wrong = ~(weights.gather(-2, codes.unsqueeze(-2)).squeeze(-2) > 0)
    return weights.argmax(-2).where(wrong, codes) if bool(wrong.any()) else codes


def _running_sums(weights: Tensor) -> Tensor:
    """Return the running sums over the codes of (..., codes, rows) weights.

    By products with triangular matrices: over the first of two axes that is five times as fast as `torch.cumsum`.
    """
    codes = weights.shape[-2]
    if codes <= SUMMED:
        return _triangle(codes, weights.device) @ weights
    parts = functional.pad(weights, (0, 0, 0, -codes % SUMMED)).unflatten(-2, (-1, SUMMED))
    within: Tensor = _triangle(SUMMED, weights.device) @ parts
    whole = within[..., -1, :]
    before: Tensor = _running_sums(whole) - whole
    return (within + before.unsqueeze(-2)).flatten(-3, -2)[..., :codes, :]


@cache
def _triangle(size: int, device: torch.device) -> Tensor:
    return torch.ones(size, size, device=device).tril()


def _logits(state: RowState, column: int, rows: int, imposed: Imposed) -> Tensor:
    """Return the (codes, rows) logits of a column: of its allocation ratio if it has one, else of the family."""
    if column in imposed.allocations:
        return imposed.allocations[column].float().log()[:, None].expand(-1, rows)
    return state.logits(column)


def _masked(logits: Tensor, mask: CodeMask | None, column: int, others: Mapping[int, Tensor]) -> Tensor:
    """Return logits without the masked codes; the same object where none is masked."""
    masked = None if mask is None else mask(column, others)
    return logits if masked is None else logits + masked.to(logits.device)


def _log_probability(logits: Tensor, codes: Tensor, least: float) -> Tensor:
    """Return the log-probability of each row's code, (rows,), not below `least`; -inf where all codes are masked."""
    found = logits.gather(0, codes[None])[0] - logits.logsumexp(0)
    return found.nan_to_num(nan=-torch.inf, neginf=-torch.inf).clamp(min=least)
