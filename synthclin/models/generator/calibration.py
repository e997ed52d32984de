"""Shrinkage of context logits: one strength per column, chosen by the likelihood of rows that were not trained on.

On small tables the context logits of a column that hardly depends on the others overfit the training rows while those
of other columns still improve, so one early stop for all columns suits neither (shrinkage of a linear predictor: Copas
1983, doi:10.1111/j.2517-6161.1983.tb01258.x).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from synthclin.models.generator.code_network import CodeNetwork

__all__ = ["best_strengths", "shrunk_likelihood"]

NOISE_ALLOWED = 1.0
"""Nats, summed over all validation rows, by which strength 0 must exceed 1 in log-likelihood; less is chance."""


def shrunk_likelihood(networks: Sequence[CodeNetwork], parts: Sequence[Tensor], strengths: Tensor) -> list[Tensor]:
    """Return the log-likelihood of each cell of each part under the network of that part, at each strength.

    Arguments:
        networks: one per part.
        parts: (rows, columns) codes, each of rows that its network was not trained on.
        strengths: (strengths,).

    Returns:
        (strengths, rows, columns) for each part, in nats.
    """
    found = []
    with torch.no_grad():
        for network, part in zip(networks, parts, strict=True):
            network.eval()
            pieces = [network.shrunk_log_likelihood(piece, strengths) for piece in part.split(1_024)]
            found.append(torch.cat(pieces, dim=1))
    return found


def best_strengths(likelihood: Tensor, strengths: Tensor) -> Tensor:
    """Return the index of the best strength of each column, (columns,), from (strengths, columns) log-likelihoods."""
    return (likelihood - NOISE_ALLOWED * (1 - strengths[:, None]) ** 2).argmax(dim=0)
