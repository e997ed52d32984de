"""Fixed features of a column's codes: positions on the empirical CDF, piecewise-linear encoding and a smooth basis."""

from __future__ import annotations

import torch
from scipy.stats import norm
from torch import Tensor

from synthclin.encoding.layout import ColumnLayout

__all__ = ["code_basis", "code_features", "code_positions", "code_scores", "is_smooth"]

SMOOTH_FROM = 17
"""Codes from which an ordered column has a smooth output head; a smaller one has a free logit per code."""

MOST_SCORES = 8
"""Scores of a column at most: of more levels only the most frequent have one."""

LEAST_SHARE = 0.05
"""Share of a level below which its score has no unit variance: a few rows would decide it."""

LEAST_DEVIATION = 1e-3
"""Standard deviation below which a score is constant."""


def code_positions(column: ColumnLayout, frequency: Tensor) -> Tensor:
    """Return the mid-point of each code of an ordered column on the empirical CDF, in (0, 1).

    **Shape:** frequency (codes,) -> (codes,). *Missing* has no position and gets 0.5.
    """
    share = frequency.clone()
    if column.missing is not None:
        share[column.missing] = 0.0
    share = share / share.sum().clamp_min(1e-9)
    positions = share.cumsum(0) - share / 2
    if column.missing is not None:
        positions[column.missing] = 0.5
    return positions.clamp(1e-4, 1 - 1e-4)


def _ramps(positions: Tensor, knots: int) -> Tensor:
    """Piecewise-linear encoding (Gorishniy et al. 2022, arXiv 2203.05556): (codes,) -> (codes, knots) in [0, 1]."""
    starts = torch.arange(knots) / knots
    return ((positions[:, None] - starts) * knots).clamp(0, 1)


def _line_features(column: ColumnLayout, frequency: Tensor, knots: int, point_masses_above: float) -> list[Tensor]:
    """Return normal score, piecewise-linear ramps and indicators of an ordered column's codes.

    *Missing* has only its indicator.
    """
    positions = code_positions(column, frequency)
    scores = torch.from_numpy(norm.ppf(positions.numpy())).float()
    present = torch.ones(column.cardinality, 1)
    flags = []
    if column.missing is not None:
        present[column.missing] = 0.0
        flags.append(1 - present)
    point_masses = (
        torch.from_numpy(column.point_masses)
        & (frequency / frequency.sum() >= point_masses_above)
        & (present[:, 0] > 0)
    )
    flags.append(torch.eye(column.cardinality)[:, point_masses])
    return [scores[:, None] * present, _ramps(positions, knots) * present, *flags]


def is_smooth(column: ColumnLayout) -> bool:
    """Whether a column has the smooth output head, in which neighbouring codes share parameters."""
    return column.kind == "ordered" and column.cardinality >= SMOOTH_FROM


def code_features(column: ColumnLayout, frequency: Tensor, knots: int = 8) -> Tensor:
    """Return the fixed features of each code of a smooth column, (codes, features)."""
    return torch.cat(_line_features(column, frequency, knots, point_masses_above=0.01), dim=1)


def code_basis(column: ColumnLayout, frequency: Tensor) -> Tensor:
    """Return the basis of the context logits of a smooth column, (codes, basis).

    The basis holds the normal score, its square, twelve ramps, and indicators of large point masses and of *missing*,
    so that neighbouring bins share parameters.
    """
    score, *rest = _line_features(column, frequency, knots=12, point_masses_above=0.03)
    return torch.cat([score, score**2 / 2, *rest], dim=1)


def code_scores(column: ColumnLayout, frequency: Tensor) -> Tensor:
    """Return few fixed features of each code, with mean 0 under the marginal distribution, (codes, scores).

    Those of an ordered column are orthonormal: whether the value is missing, its normal score, and the square of it.
    Those of levels are the standardised indicators of the most frequent ones, as in correspondence analysis (Greenacre
    1984): the squared correlations of two columns' scores then sum to Pearson's mean squared contingency.
    """
    share = frequency / frequency.sum()
    if column.kind != "ordered" or column.cardinality < 3:
        most = share.argsort(descending=True, stable=True)[:MOST_SCORES]
        return (torch.eye(len(share)) - share)[:, most] / share[most].clamp_min(LEAST_SHARE).sqrt()
    present = torch.ones(column.cardinality)
    if column.missing is not None:
        present[column.missing] = 0.0
    score = torch.from_numpy(norm.ppf(code_positions(column, frequency).numpy())).float() * present
    found = [torch.ones(column.cardinality)]
    for feature in (1 - present, score, score**2):
        basis = torch.stack(found)
        left = feature - (basis @ (share * feature)) @ basis
        deviation = (share * left**2).sum().sqrt()
        if deviation > LEAST_DEVIATION:
            found.append(left / deviation)
    return torch.stack(found[1:] or [torch.zeros(column.cardinality)], dim=1)
