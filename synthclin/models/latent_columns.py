"""Latent normal variables of a column's codes: splits of the codes, cut points, truncated normal distributions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.special import ndtri

from synthclin.encoding import Layout
from synthclin.encoding.layout import ColumnLayout
from synthclin.models.generator.code_features import code_scores
from synthclin.seeds import torch_generator

__all__ = [
    "LARGEST",
    "LEAST_CHANCE",
    "LatentColumn",
    "calibrated",
    "code_groups",
    "interval_mass",
    "interval_masses",
    "latent_bounds",
    "latent_columns",
    "saved",
    "truncated_normal",
]

MOST_SPLITS = 8
"""Splits of a column of levels, at most; levels that these leave together have an ordered latent variable."""

MOST_LATENTS = 400
"""Latent variables of all columns together, which columns of levels keep to."""

SIMULATED = 1 << 14
"""Simulated rows of a calibration."""

LEAST_SIMULATED = 2_000
"""Simulated rows from which cut points are quantiles of them; below, quantiles of a normal distribution."""

SHRUNK_ROWS = 10
"""Rows that a level would need for its means to be shrunk by a half before levels are ordered by them."""

LEAST_MASS = 1e-200
"""Least probability of an interval whose logarithm is taken."""

LARGEST = 6.0
"""Largest innovation in a row: a code that the correlations all but exclude does not decide those after it."""

LEAST_CHANCE = 1e-30
"""Least probability of a code: its logarithm is a number."""

FARTHEST = 37.0
"""Standard deviations within which the normal distribution function is positive in double precision."""


@dataclass(frozen=True, slots=True)
class LatentColumn:
    """Latent variables of one column: each splits the codes that reach it into groups, at cut points.

    Arguments:
        groups: (splits, codes) int64, the group of each code; -1 where a code does not reach the split.
        share: (codes,) protected relative frequencies.
        cuts: for each split the (groups - 1,) rising cut points.
        place: number of the first latent variable among those of all columns, in the order of sampling.
    """

    groups: Tensor
    share: Tensor
    cuts: tuple[Tensor, ...] = ()
    place: int = 0

    @property
    def latents(self) -> slice:
        """The numbers of the latent variables."""
        return slice(self.place, self.place + len(self.groups))

    @property
    def numbers(self) -> range:
        """The numbers of the latent variables, one after the other."""
        return range(self.place, self.place + len(self.groups))

    def information(self, split: int) -> float:
        """Return the most information on its latent variable in a split, in nats.

        It is the log of the number of groups, times the share of rows that reach the split.
        """
        return math.log(len(self.cuts[split]) + 1) * float(self.share[self.groups[split] >= 0].sum())

    def bounds(self, split: int) -> tuple[Tensor, Tensor]:
        """Return the (codes,) lower and upper bounds of a latent variable; infinite where a code does not reach it."""
        infinite = torch.full((1,), math.inf, dtype=torch.float64)
        lower, upper = torch.cat([-infinite, self.cuts[split]]), torch.cat([self.cuts[split], infinite])
        group = self.groups[split]
        return lower[group].where(group >= 0, -infinite), upper[group].where(group >= 0, infinite)

    def cumulative(self, split: int) -> Tensor:
        """Return the (groups - 1,) cumulative shares at the cut points of a split, among the codes that reach it."""
        group = self.groups[split]
        reached = group >= 0
        mass = torch.zeros(int(group.max()) + 1, dtype=torch.float64).index_add_(0, group[reached], self.share[reached])
        return (mass.cumsum(0) / mass.sum())[:-1].clamp(1e-9, 1 - 1e-9)

    def path(self, split: int) -> list[tuple[int, int]]:
        """Return the earlier splits that rows pass on their way to a split, and the group that goes on to it."""
        reached = self.groups[split] >= 0
        passed = [(earlier, int(self.groups[earlier][reached][0])) for earlier in range(split)]
        return [(earlier, group) for earlier, group in passed if group >= 0]


def ndtr(values: Tensor) -> Tensor:
    """Return the standard normal distribution function, exact in the lower tail; that of torch is 0 below -8.3."""
    return torch.erfc(values * -math.sqrt(0.5)) / 2


def interval_masses(edges: Tensor) -> Tensor:
    """Return the (groups, rows) standard normal masses between rising (groups - 1, rows) edges, exact in both tails.

    Example:
        >>> masses = interval_masses(torch.tensor([[0.0], [9.0]], dtype=torch.float64))
        >>> [f"{mass:.6g}" for mass in masses[:, 0].tolist()]
        ['0.5', '0.5', '1.12859e-19']
    """
    tails = ndtr(-edges.abs())
    zeros = tails.new_zeros(1, edges.shape[1])
    left, right = torch.cat([zeros - 1, edges]), torch.cat([edges, zeros + 1])
    below, above = torch.cat([zeros, tails]), torch.cat([tails, zeros])
    # The mass beyond an edge is known exactly in the nearer tail; an interval around 0 is what both leave.
    outside = torch.where(left >= 0, below - above, above - below)
    masses: Tensor = torch.where((left < 0) & (right > 0), 1 - below - above, outside)
    return masses.clamp_min_(0)


def interval_mass(lower: Tensor, upper: Tensor) -> Tensor:
    """Return the (rows,) standard normal mass between bounds, positive and exact in both tails."""
    mirrored = lower + upper > 0
    low, high = torch.where(mirrored, -upper, lower), torch.where(mirrored, -lower, upper)
    mass: Tensor = ndtr(high) - ndtr(low)
    return mass.clamp_min(LEAST_MASS)


def truncated_normal(lower: Tensor, upper: Tensor, noise: Tensor) -> Tensor:
    """Return standard normal values between bounds, by inverse transform sampling, exact in both tails.

    **Shape:** all (rows,); `noise` in [0, 1).
    """
    mirrored = lower + upper > 0  # NaN for an unbounded interval, which needs no mirror
    low, high = torch.where(mirrored, -upper, lower), torch.where(mirrored, -lower, upper)
    low, high = low.clamp(-FARTHEST, FARTHEST), high.clamp(-FARTHEST, FARTHEST)
    first, last = ndtr(low), ndtr(high)
    found = ndtri(first + noise * (last - first)).clamp(-FARTHEST, FARTHEST)
    found = torch.minimum(torch.maximum(found, low), high)
    return torch.where(mirrored, -found, found)


def latent_columns(layout: Layout, shares: Sequence[Tensor], groups: Sequence[Tensor]) -> list[LatentColumn]:
    """Return the latent variables of all columns, by index; cut points are those of independent variables.

    Arguments:
        layout: what the codes are.
        shares: by column the (codes,) shares.
        groups: by column the (splits, codes) groups.
    """
    found: dict[int, LatentColumn] = {}
    place = 0
    for j in layout.order:
        latent = LatentColumn(groups[j], shares[j], (), place)
        cuts = tuple(ndtri(latent.cumulative(split)) for split in range(len(groups[j])))
        found[j] = LatentColumn(groups[j], shares[j], cuts, place)
        place += len(groups[j])
    return [found[j] for j in range(len(layout))]


def code_groups(codes: Tensor, layout: Layout, shares: Sequence[Tensor]) -> list[Tensor]:
    """Return for each column the (splits, codes) groups into which its latent variables split its codes.

    Arguments:
        codes: (rows, columns).
        layout: what the codes are.
        shares: by column the (codes,) shares.
    """
    many = [column.kind == "levels" and column.cardinality > 2 for column in layout.columns]
    most = max(1, min(MOST_SPLITS, (MOST_LATENTS - 2 * len(layout)) // max(1, sum(many))))
    found = []
    for j, column in enumerate(layout.columns):
        splits = _of_levels(_profiles(codes, layout, shares, j), shares[j], most) if many[j] else _of_ordered(column)
        splits = [split for split in splits if int(split.max()) > 0]
        found.append(torch.stack(splits) if splits else torch.zeros(0, column.cardinality, dtype=torch.long))
    return found


def _of_ordered(column: ColumnLayout) -> list[Tensor]:
    """Return the splits of an ordered column, or of two levels: whether it is missing, and its codes."""
    codes = torch.arange(column.cardinality)
    if column.missing is None or column.cardinality < 3:
        return [codes]
    return [(codes == column.missing).long(), codes.where(codes != column.missing, -1)]


def _of_levels(profiles: Tensor, share: Tensor, most: int) -> list[Tensor]:
    """Return the splits of a column of levels: a binary tree that sets apart levels unlike in the other columns.

    Each split cuts a set of levels, in the order of the first axis of a correspondence analysis, where the two parts
    differ most (divisive clustering; optimal scaling, Greenacre 1984). Levels that are still together after `most`
    splits have an ordered variable.

    Arguments:
        profiles: (codes, features) mean of each level.
        share: (codes,) of each level.
        most: splits at most.
    """
    sets = [torch.arange(len(share))]
    splits: list[Tensor] = []
    binary = len(share) - 1 if len(share) <= most + 1 else most // 2
    for _ in range(binary):
        cuts = [_cut(profiles[levels], share[levels]) for levels in sets]
        widest = max(range(len(sets)), key=lambda k: (len(sets[k]) > 1, cuts[k][2]))
        order, at, _gain = cuts[widest]
        levels = sets.pop(widest)[order]
        split = torch.full((len(share),), -1)
        split[levels[:at]], split[levels[at:]] = 0, 1
        splits.append(split)
        sets += [levels[:at], levels[at:]]
    for levels in sets:
        if len(levels) > 1:
            split = torch.full((len(share),), -1)
            split[levels[_cut(profiles[levels], share[levels])[0]]] = torch.arange(len(levels))
            splits.append(split)
    return splits


def _cut(profiles: Tensor, share: Tensor) -> tuple[Tensor, int, float]:
    """Return the order of levels on the first axis, where to cut it, and the sum of squares between the parts."""
    if len(share) < 2:
        return torch.zeros(len(share), dtype=torch.long), 0, -1.0
    deviations = profiles - share @ profiles / share.sum()
    axis = torch.linalg.svd(deviations * share.sqrt()[:, None], full_matrices=False).Vh[0]
    order = (deviations @ axis).argsort(stable=True)
    weight, total = share[order].cumsum(0)[:-1], (share[:, None] * deviations)[order].cumsum(0)[:-1]
    between = total.square().sum(1) * (1 / weight + 1 / (share.sum() - weight).clamp_min(1e-12))
    at = int(between.argmax())
    return order, at + 1, float(between[at])


def _profiles(codes: Tensor, layout: Layout, shares: Sequence[Tensor], column: int) -> Tensor:
    """Return the (codes, features) means of the other columns' scores at each level; those of few rows are shrunk."""
    others = [j for j in range(len(layout)) if j != column]
    scores = [code_scores(layout.columns[j], shares[j].float())[codes[:, j]] for j in others]
    features = torch.cat([torch.zeros(len(codes), 1), *scores], dim=1).double()
    level = codes[:, column]
    rows = torch.bincount(level, minlength=len(shares[column])).double()
    sums = torch.zeros(len(rows), features.shape[1], dtype=torch.float64).index_add_(0, level, features)
    return sums / (rows[:, None] + SHRUNK_ROWS)


def calibrated(columns: Sequence[LatentColumn], factor: Tensor) -> list[LatentColumn]:
    """Return the columns with cut points at which each code has its marginal share.

    Rows that reach a later split of a column are a selection, in which its latent variable is not standard normal; its
    distribution there is simulated, always with the same random numbers.
    """
    if all(len(column.groups) < 2 for column in columns):
        return list(columns)
    noise = _simulated(len(factor))
    found = []
    for column in columns:
        latents = factor[column.latents] @ noise if len(column.groups) > 1 else noise[:0]
        cuts: list[Tensor] = []
        for split in range(len(column.groups)):
            cumulative, here = column.cumulative(split), torch.ones(SIMULATED, dtype=torch.bool)
            for earlier, group in column.path(split):
                here &= torch.bucketize(latents[earlier], cuts[earlier]) == group
            values = latents[split][here] if column.path(split) else latents[:0]
            if not column.path(split) or len(values) < 2:
                cuts.append(ndtri(cumulative))
            elif len(values) < LEAST_SIMULATED:
                cuts.append(values.mean() + values.std() * ndtri(cumulative))
            else:
                cuts.append(torch.from_numpy(np.quantile(values.numpy(), cumulative.numpy())))
        found.append(LatentColumn(column.groups, column.share, tuple(cuts), column.place))
    return found


@lru_cache(maxsize=1)
def _simulated(latents: int) -> Tensor:
    """Return (latents, rows) independent standard normal values, always the same: a fit calibrates many times."""
    noise = torch.randn(SIMULATED // 2, latents, generator=torch_generator(0, "cut points"), dtype=torch.float64)
    return torch.cat([noise, -noise]).T.contiguous()


def latent_bounds(columns: Sequence[LatentColumn], codes: Tensor) -> tuple[Tensor, Tensor]:
    """Return the (latents, rows) lower and upper bounds of the latent values of rows; infinite where unknown."""
    lower, upper = torch.empty(2, sum(len(c.groups) for c in columns), len(codes), dtype=torch.float64)
    for j, column in enumerate(columns):
        known = codes[:, j] >= 0
        for split, latent in enumerate(column.numbers):
            below, above = (bound[codes[:, j].clamp_min(0)] for bound in column.bounds(split))
            lower[latent], upper[latent] = below.where(known, -math.inf), above.where(known, math.inf)
    return lower, upper


def saved(columns: Sequence[LatentColumn], factor: Tensor) -> tuple[list[LatentColumn], Tensor]:
    """Return the same with numbers that a model folder holds exactly."""
    cut = [
        LatentColumn(c.groups, c.share.float().double(), tuple(each.float().double() for each in c.cuts), c.place)
        for c in columns
    ]
    return cut, factor.float().double()
