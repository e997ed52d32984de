"""Row state whose conditional distributions are shrunk towards the marginal ones, by one strength per column."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from synthclin.sampling.sequential import RowState

__all__ = ["CalibratedRows", "likelihood_by_strength"]


class CalibratedRows:
    """Row state of shrunk conditional distributions; a `synthclin.sampling.sequential.RowState`.

    The log-probabilities of a column are weighted means of those of the state and of the marginal distribution
    (shrinkage of a predictor: Copas 1983, doi:10.1111/j.2517-6161.1983.tb01258.x).

    Arguments:
        state: of the fitted model.
        shares: (codes,) marginal distribution of each column.
        strengths: (columns,) weight of the state, 0 to 1.
    """

    def __init__(self, state: RowState, shares: Sequence[Tensor], strengths: Tensor) -> None:
        self._state = state
        self._log_shares = [(share / share.sum()).log() for share in shares]
        self._strengths = strengths.tolist()

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any code."""
        self._state.begin(rows)

    def logits(self, column: int) -> Tensor:
        """Return the (codes, rows) logits of a column given those pushed before."""
        logits, strength = self._state.logits(column), self._strengths[column]
        if strength >= 1:
            return logits
        marginal = self._log_shares[column].to(logits.device)[:, None]
        return torch.lerp(marginal.expand_as(logits), logits.log_softmax(0), strength)

    def push(self, column: int, codes: Tensor) -> None:
        """Set the (rows,) codes of a column."""
        self._state.push(column, codes)


def likelihood_by_strength(
    state: RowState, order: Sequence[int], codes: Tensor, shares: Sequence[Tensor], strengths: Tensor
) -> Tensor:
    """Return the log-likelihood of each cell at each strength, (strengths, rows, columns), in nats.

    Arguments:
        state: of the fitted model.
        order: of sampling.
        codes: (rows, columns).
        shares: (codes,) marginal distribution of each column.
        strengths: (strengths,).
    """
    state.begin(len(codes))
    found = torch.zeros(len(strengths), *codes.shape)
    for column in order:
        logits = state.logits(column).log_softmax(0)
        marginal = (shares[column] / shares[column].sum()).log()[:, None].to(logits.device).expand_as(logits)
        for i, strength in enumerate(strengths.tolist()):
            shrunk = torch.lerp(marginal, logits, strength).log_softmax(0)
            found[i, :, column] = shrunk.gather(0, codes[None, :, column])[0].cpu()
        state.push(column, codes[:, column])
    return found
