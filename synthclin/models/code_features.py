"""What is fixed about the codes of a column before anything is learnt: places, features and a basis."""

from __future__ import annotations

import torch
from scipy.stats import norm
from torch import Tensor

from synthclin.encoding.layout import ColumnLayout

__all__ = ["code_basis", "code_features", "code_positions", "is_smooth"]

SMOOTH_FROM = 17
"""An ordered column with at least this many codes gets the smooth head, a smaller one a free logit per code."""


def code_positions(column: ColumnLayout, frequency: Tensor) -> Tensor:
    """Return where each code of an ordered column lies in (0, 1): the middle of its share of the cumulative law.

    **Shape:** frequency (codes,) -> (codes,). *Missing* has no place on the line and gets 0.5.
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
    """Return z-score, ramps and flags of an ordered column's codes; *missing* has only its flag."""
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
    """Whether neighbouring codes of a column share strength; unordered or small columns learn each code alone."""
    return column.kind == "ordered" and column.cardinality >= SMOOTH_FROM


def code_features(column: ColumnLayout, frequency: Tensor, knots: int = 8) -> Tensor:
    """Return the fixed features of each code of a smooth column, (codes, features): what is known before learning."""
    return torch.cat(_line_features(column, frequency, knots, point_masses_above=0.01), dim=1)


def code_basis(column: ColumnLayout, frequency: Tensor) -> Tensor:
    """Return the basis by which a context tilts the law of a smooth column, (codes, basis).

    A smooth basis of the code's cumulative position (score, its square, twelve ramps, heavy atoms, missing) lets
    neighbouring bins share strength.
    """
    score, *rest = _line_features(column, frequency, knots=12, point_masses_above=0.03)
    return torch.cat([score, score**2 / 2, *rest], dim=1)
