"""Noise shares: how much of a one-way or two-way table would be noise, known before a row is read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from synthclin.dp.ledger import require_rho
from synthclin.errors import ConfigError

__all__ = ["GO", "MOSTLY_NOISE", "ONE_WAY", "REFUSE", "UNSPENT", "Verdict", "noise_shares", "verdict"]

GO = 0.04
"""Noise share of one-way tables up to which a fit goes ahead without a warning."""

REFUSE = 0.15
"""Noise share of one-way tables above which a fit is refused."""

MOSTLY_NOISE = 0.5
"""Noise share of two-way tables above which relations of columns are mostly noise."""

UNSPENT = 1e-9
"""The part of rho that is left, so that rounding cannot exceed it."""

_HALF_MEAN = 0.4  # half the mean of |N(0, 1)|: the total variation that one cell's noise adds
ONE_WAY = 1 / 3
"""The part of rho that one-way tables get; a spanning tree of two-way tables gets as much, its selection the rest."""


@dataclass(frozen=True)
class Verdict:
    """Whether a table is large enough for a budget, from declared numbers alone, and what would make it so.

    Arguments:
        word: "go", "warn" (one-way shapes and the strongest relations only) or "refuse".
        one_way: noise share of one-way tables: the mean total variation distance that noise adds to them.
        two_way: noise share of two-way tables, if p - 1 pairs of the p columns are measured.
        patients_to_go: how many patients would suffice without a warning.
        patients_to_fit: how many would suffice with a warning.
        columns_to_fit: how many columns of the same mean cardinality would fit this many patients, with a warning.
        codes_to_fit: how many codes a column could have on average, with a warning.
    """

    word: Literal["go", "warn", "refuse"]
    one_way: float
    two_way: float
    patients_to_go: int
    patients_to_fit: int
    columns_to_fit: int
    codes_to_fit: int


def noise_shares(cardinalities: Sequence[int], rho: float, patients: int, at_most: int = 1) -> tuple[float, float]:
    """Return the noise shares of one-way and of two-way tables: the mean total variation distance that noise adds.

    One-way tables share rho / 3, and the p - 1 two-way tables of a tree share as much. Noise of sd sigma adds 0.4 sigma
    cells / patients to a table, counted as at most 1 for a one-way table. The shares are functions of declared numbers
    alone, so a refusal by them releases nothing.

    Arguments:
        cardinalities: how many codes each column has.
        rho: the whole budget, of zCDP.
        patients: their declared or noisy number.
        at_most: rows per patient; the noise grows with it, while only one row per patient is sure.

    Raises:
        ConfigError: an argument is out of its bounds.

    Example:
        >>> one_way, two_way = noise_shares([14] * 15, rho=0.02436, patients=1_000)
        >>> round(one_way, 2), round(two_way, 2)
        (0.17, 2.3)
    """
    sizes, rho = _require(cardinalities, rho, patients, at_most)
    shares = _one_way(sizes, rho, at_most) / patients
    if len(sizes) == 1:
        return float(shares.mean()), 0.0
    sigma = at_most * math.sqrt((len(sizes) - 1) / (2 * rho * ONE_WAY))
    pairs = (sizes.sum() ** 2 - (sizes**2).sum()) / (len(sizes) * (len(sizes) - 1))  # mean product of two columns
    return float(np.minimum(shares, 1).mean()), float(_HALF_MEAN * sigma * pairs / patients)


def verdict(cardinalities: Sequence[int], rho: float, patients: int, at_most: int = 1) -> Verdict:
    """Return whether a fit should go ahead, by the thresholds `GO` and `REFUSE`, and what would make it possible.

    Arguments are those of `noise_shares`.

    Example:
        >>> verdict([14] * 15, rho=0.02436, patients=1_000).word
        'refuse'
        >>> verdict([14] * 15, rho=0.02436, patients=1_000).patients_to_fit
        1135
    """
    one_way, two_way = noise_shares(cardinalities, rho, patients, at_most)
    sizes = np.asarray(cardinalities, float)
    needed = _one_way(sizes, rho, at_most)
    excess = float(needed.mean()) / patients / REFUSE
    return Verdict(
        word="go" if one_way <= GO else "warn" if one_way <= REFUSE else "refuse",
        one_way=one_way,
        two_way=two_way,
        patients_to_go=_patients(needed, GO),
        patients_to_fit=_patients(needed, REFUSE),
        columns_to_fit=math.floor(len(sizes) / excess**2),
        codes_to_fit=math.floor(sizes.mean() / excess),
    )


def _one_way(sizes: np.ndarray, rho: float, at_most: int) -> np.ndarray:
    """Return each column's noise share times the number of patients."""
    sigma = at_most * math.sqrt(len(sizes) / (2 * rho * ONE_WAY))
    return _HALF_MEAN * sigma * sizes


def _patients(needed: np.ndarray, share: float) -> int:
    """Return the least number of patients whose noise share of one-way tables is at most `share`."""
    low, high = 0, math.ceil(float(needed.mean()) / share)
    while low + 1 < high:
        middle = (low + high) // 2
        low, high = (low, middle) if np.minimum(needed / middle, 1).mean() <= share else (middle, high)
    return high


def _require(cardinalities: Sequence[int], rho: float, patients: int, at_most: int) -> tuple[np.ndarray, float]:
    sizes = np.asarray(cardinalities, float)
    if sizes.ndim != 1 or not len(sizes) or not (sizes >= 1).all():
        raise ConfigError("dp: noise shares", "each column needs at least one code", "Declare its levels or bins.")
    if not all(isinstance(n, int | np.integer) and n >= 1 for n in (patients, at_most)):
        raise ConfigError(
            "dp: noise shares", "patients and at_most must be whole numbers of at least 1", "Declare them."
        )
    return sizes, require_rho(rho, "dp: noise shares")
