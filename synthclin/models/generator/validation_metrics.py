"""Validation metrics of a network: negative log-likelihood and classifier two-sample test (C2ST) AUC."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from torch import Tensor

from synthclin.models.generator.code_network import CodeNetwork
from synthclin.models.generator.network_rows import sample_network
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.seeds import stream_seed, torch_generator

__all__ = ["ValidationMetrics", "quick_detection", "validation_metrics", "validation_nll"]

QUICK_ROWS = 500
"""Rows of the quick C2ST; more would cost seconds, and the standard error of its AUC is about 0.02."""


@dataclass(frozen=True, slots=True)
class ValidationMetrics:
    """Validation metrics of a network.

    Arguments:
        nll: mean negative log-likelihood, in nats per row.
        auc: C2ST AUC (Lopez-Paz & Oquab 2017, arXiv 1610.06545), mean over three synthetic samples.
        variance: of that AUC.
    """

    nll: float
    auc: float
    variance: float


def validation_nll(network: CodeNetwork, codes: Tensor) -> float:
    """Return the mean negative log-likelihood of (rows, columns) codes, in nats per row, without dropout."""
    network.eval()
    with torch.no_grad():
        parts = [network.log_likelihood(part).sum(1) for part in codes.split(4_096)]
    return float(-torch.cat(parts).mean())


def validation_metrics(network: MaskedGenerator, validation: Tensor, seed: int) -> ValidationMetrics:
    """Return the validation metrics of `network` on (rows, columns) codes of `validation` rows; takes seconds."""
    real = validation[:2_000]
    nll = validation_nll(network, validation)
    rng = torch_generator(seed, "guard", device=validation.device)
    aucs = [_c2st_auc(real, _sampled(network, len(real), rng), stream_seed(seed, "guard")) for _ in range(3)]
    n = len(real)
    # The standard error of one AUC near 0.5 (Hanley & McNeil 1982), plus the variance between samples.
    variance = (2 * n + 1) / (12 * n * n) + float(np.var(aucs, ddof=1)) / len(aucs)
    return ValidationMetrics(nll, float(np.mean(aucs)), variance)


def quick_detection(network: MaskedGenerator, validation: Tensor, seed: int) -> float:
    """Return the C2ST AUC of a small classifier, one synthetic sample against (rows, columns) `validation` codes."""
    network.eval()
    real = validation[:QUICK_ROWS]
    rng = torch_generator(seed, "quick detection", device=validation.device)
    return _c2st_auc(real, _sampled(network, len(real), rng), stream_seed(seed, "quick detection"), trees=20)


def _sampled(network: MaskedGenerator, rows: int, rng: torch.Generator) -> Tensor:
    with torch.no_grad():
        return sample_network(network, rows, rng).codes


def _c2st_auc(real: Tensor, synthetic: Tensor, seed: int, trees: int = 50) -> float:
    """Return the C2ST AUC: cross-validated, of a gradient-boosted classifier, synthetic against real codes."""
    rows: NDArray[np.int64] = torch.cat([real, synthetic]).cpu().numpy()
    labels = np.repeat([0, 1], [len(real), len(synthetic)])
    seed %= 2**31
    model = HistGradientBoostingClassifier(max_iter=trees, min_samples_leaf=10, early_stopping=False, random_state=seed)
    folds = StratifiedKFold(3, shuffle=True, random_state=seed)
    scores = cross_val_predict(model, rows, labels, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, scores))
