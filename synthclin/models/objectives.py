"""Losses and penalties of the conditional GAN: pure functions of tensors."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["expected_relativistic_loss", "negative_log_likelihood", "relativistic_loss", "zero_centred_penalty"]


def negative_log_likelihood(log_likelihood: Tensor) -> Tensor:
    """Return the mean over rows of the summed cell losses, in nats: (rows, columns) -> ()."""
    return -log_likelihood.sum(dim=1).mean()


def relativistic_loss(ahead: Tensor, behind: Tensor) -> Tensor:
    """Return how far `ahead` is from outscoring its partner in `behind`: softplus(-(ahead - behind)), averaged.

    The critic puts real rows ahead of drawn ones, the generator the other way round (relativistic pairing:
    Jolicoeur-Martineau 2018, arXiv 1807.00734; Huang et al. 2024, arXiv 2501.05441). Pairing keeps every mode in the
    loss, so dropping one never pays.

    **Shape:** (rows,), (rows,) -> ().
    """
    return functional.softplus(behind - ahead).mean()


def expected_relativistic_loss(lead: Tensor, chance: Tensor) -> Tensor:
    """Return the relativistic pairing loss of real cells, in expectation over the cell that is drawn beside each.

    **Shape:** lead (columns, rows, codes), by how much the real cell outscores each code; chance, of the same shape,
    the law of the drawn cell -> (), summed over columns and averaged over rows.
    """
    return (chance * functional.softplus(-lead)).sum(dim=2).mean(dim=1).sum()


def zero_centred_penalty(scores: Tensor, features: Tensor) -> Tensor:
    """Return the mean squared gradient norm of `scores` by `features` (R1 on real rows, R2 on drawn ones).

    Mescheder et al. 2018 (arXiv 1801.04406); both together make relativistic training converge locally.

    **Shape:** scores (rows,), features (rows, features) that require gradients -> ().
    """
    (slope,) = torch.autograd.grad(scores.sum(), features, create_graph=True)
    return slope.square().sum(dim=1).mean()
