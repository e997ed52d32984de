"""Losses of the conditional GAN: negative log-likelihood and relativistic GAN loss, as pure functions of tensors."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

__all__ = ["expected_relativistic_loss", "negative_log_likelihood"]


def negative_log_likelihood(log_likelihood: Tensor) -> Tensor:
    """Return the mean negative log-likelihood, in nats per row: (rows, columns) -> ()."""
    return -log_likelihood.sum(dim=1).mean()


def expected_relativistic_loss(margin: Tensor, probabilities: Tensor) -> Tensor:
    """Return the relativistic pairing GAN loss softplus(-margin), in expectation over the synthetic cell.

    The critic minimises it at `margin`, the generator at ``-margin`` (relativistic pairing: Jolicoeur-Martineau 2018,
    arXiv 1807.00734; Huang et al. 2024, arXiv 2501.05441). Pairing keeps every mode in the loss: no mode can be
    dropped without cost.

    **Shape:** margin (columns, rows, codes), score of the real cell minus score of each code; probabilities of the
    synthetic cell, of the same shape -> (), summed over columns and averaged over rows.
    """
    return (probabilities * functional.softplus(-margin)).sum(dim=2).mean(dim=1).sum()
