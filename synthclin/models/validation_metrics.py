"""How a network stands on rows it has not seen: their likelihood, and how well a classifier tells draws from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from torch import Tensor

from synthclin.models.network_rows import sample_network
from synthclin.models.networks import MaskedGenerator
from synthclin.seeds import stream_seed, torch_generator

__all__ = ["ValidationMetrics", "quick_detection", "validation_metrics", "validation_nll"]

QUICK_ROWS = 500
"""More would cost seconds; the error of an AUC from as many rows is about 0.02."""


@dataclass(frozen=True, slots=True)
class ValidationMetrics:
    """How a network does on rows it has not seen.

    Arguments:
        nats: mean negative log-likelihood per row.
        auc: of a fresh classifier, drawn against real rows, mean over three draws.
        variance: of that AUC.
    """

    nats: float
    auc: float
    variance: float


def validation_nll(network: MaskedGenerator, codes: Tensor) -> float:
    """Return the mean negative log-likelihood of rows, in nats per row, without dropout."""
    network.eval()
    with torch.no_grad():
        parts = [network.log_likelihood(part).sum(1) for part in codes.split(4_096)]
    return float(-torch.cat(parts).mean())


def validation_metrics(network: MaskedGenerator, validation: Tensor, seed: int) -> ValidationMetrics:
    """Return how `network` stands on (rows, columns) codes of `validation` rows; takes seconds."""
    real = validation[:2_000]
    nats = validation_nll(network, validation)
    rng = torch_generator(seed, "guard", device=validation.device)
    aucs = [_told_apart(real, _drawn(network, len(real), rng), stream_seed(seed, "guard")) for _ in range(3)]
    n = len(real)
    # Hanley & McNeil's error of one AUC near one half, besides the spread between draws.
    variance = (2 * n + 1) / (12 * n * n) + float(np.var(aucs, ddof=1)) / len(aucs)
    return ValidationMetrics(nats, float(np.mean(aucs)), variance)


def quick_detection(network: MaskedGenerator, validation: Tensor, seed: int) -> float:
    """Return the AUC of a small classifier on one draw against (rows, columns) codes of some `validation` rows."""
    network.eval()
    real = validation[:QUICK_ROWS]
    rng = torch_generator(seed, "quick detection", device=validation.device)
    return _told_apart(real, _drawn(network, len(real), rng), stream_seed(seed, "quick detection"), trees=20)


def _drawn(network: MaskedGenerator, rows: int, rng: torch.Generator) -> Tensor:
    with torch.no_grad():
        return sample_network(network, rows, rng).codes


def _told_apart(real: Tensor, drawn: Tensor, seed: int, trees: int = 50) -> float:
    """Return a gradient-boosted classifier's cross-validated AUC, drawn against real codes."""
    rows: NDArray[np.int64] = torch.cat([real, drawn]).cpu().numpy()
    labels = np.repeat([0, 1], [len(real), len(drawn)])
    seed %= 2**31
    model = HistGradientBoostingClassifier(max_iter=trees, min_samples_leaf=10, early_stopping=False, random_state=seed)
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    chance = cross_val_predict(model, rows, labels, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, chance))
