"""Losses of the conditional GAN: pure functions of tensors."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["expected_relativistic_loss", "negative_log_likelihood"]


def negative_log_likelihood(log_likelihood: Tensor) -> Tensor:
    """Return the mean over rows of the summed cell losses, in nats: (rows, columns) -> ()."""
    return -log_likelihood.sum(dim=1).mean()


def expected_relativistic_loss(lead: Tensor, chance: Tensor) -> Tensor:
    """Return how far real cells are from outscoring drawn ones, in expectation over the cell drawn beside each.

    softplus(-lead): the critic puts real cells ahead of drawn ones, the generator, by the same loss of -lead, the other
    way round (relativistic pairing: Jolicoeur-Martineau 2018, arXiv 1807.00734; Huang et al. 2024, arXiv 2501.05441).
    Pairing keeps every mode in the loss, so dropping one never pays.

    **Shape:** lead (columns, rows, codes), by how much the real cell outscores each code; chance, of the same shape,
    the law of the drawn cell -> (), summed over columns and averaged over rows.
    """
    return (chance * functional.softplus(-lead)).sum(dim=2).mean(dim=1).sum()
