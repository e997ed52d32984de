"""Weighted candidates of partially observed rows: sequential importance sampling with known cells clamped."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from synthclin.sampling.row_domains import RowMask
from synthclin.sampling.sequential import Imposed

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from synthclin.sampling.row_domains import RowDomains
    from synthclin.sampling.sampler import Source

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["AT_ONCE", "START", "Candidates"]

AT_ONCE = 64_000
"""Candidates that are sampled, and completions that are decoded, at a time."""

START = 16
"""Candidates per row in the first round; half of them is the effective sample size that suffices."""

MOST = 1_024
"""Candidates per row at most, for rows whose effective sample size is small."""

ROUNDS = 5
"""Rounds in which a row gets candidates at most."""

GROWTH = 4
"""Candidates that a round adds, as a multiple of those of the row before, at most."""

LEAST = -1e300
"""Log-weight of a candidate that violates a rule, where a row has no others."""

NEGLIGIBLE = 20.0
"""Difference in log-weight from a row's best candidate beyond which a candidate is discarded."""


@dataclass(slots=True)
class Candidates:
    """Weighted candidates of some rows: completions with their log importance weights.

    The weight is the likelihood of a row's known cells given the cells sampled before them, under the rules.

    Arguments:
        source: a family's `_sample`.
        domains: of the cells of these rows.
        forbidden: column -> (codes,) bool, codes that are never sampled.
        allocations: column -> (codes,) allocation probabilities of randomised arms.
        generator: of the candidates.
    """

    source: Source
    domains: RowDomains
    forbidden: dict[int, Tensor]
    allocations: dict[int, Tensor]
    generator: torch.Generator
    owner: Ints = field(init=False)
    codes: Ints = field(init=False)
    log_weight: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.owner = np.empty(0, dtype=np.int64)
        self.codes = np.empty((0, self.domains.partial.codes.shape[1]), dtype=np.int64)
        self.log_weight = np.empty(0)

    def fill(self, start: int) -> None:
        """Sample candidates until the effective sample size of each row is half of `start`, within a budget.

        The effective sample size is about proportional to the candidates of a row, which tells how many more it needs.
        """
        rows, most = np.arange(len(self.domains.partial.codes)), max(MOST, start)
        sampled = np.zeros(len(rows), dtype=np.int64)
        amount = np.full(len(rows), start)
        for _ in range(ROUNDS):
            self.add(rows, amount[rows])
            sampled[rows] += amount[rows]
            effective = np.maximum(self.effective(), 1e-3)
            rows = np.flatnonzero((effective < start / 2) & (sampled < most))
            if not len(rows):
                return
            wanted = np.ceil(sampled * (1.2 * start / 2 / effective - 1)).astype(np.int64)
            # Few candidates exaggerate the effective sample size, or show none at all: in steps.
            amount = np.minimum(np.clip(wanted, start, GROWTH * sampled), most - sampled)

    def add(self, rows: Ints, amount: Ints) -> None:
        """Sample (rows,) `amount` more candidates for each of `rows`, and discard those of negligible weight."""
        before = np.cumsum(amount)
        for some in np.split(np.arange(len(rows)), np.searchsorted(before, np.arange(AT_ONCE, before[-1], AT_ONCE))):
            owner = np.repeat(rows[some], amount[some])
            code_mask, reference_mask = (
                RowMask(self.domains, allowed, owner) for allowed in (self.domains.kept, self.domains.start)
            )
            self._keep(owner, *self._sampled(owner, code_mask, reference_mask))

    def add_unmasked(self, amount: int) -> None:
        """Sample candidates without the rules for rows that have none: they show which rule excludes all of them."""
        lost = np.flatnonzero(np.bincount(self.owner, minlength=len(self.domains.partial.codes)) == 0)
        if len(lost):
            owner = np.repeat(lost, amount)
            codes, log_weight = self._sampled(owner, None, None)
            self._keep(owner, codes, np.maximum(log_weight, LEAST))

    def _keep(self, owner: Ints, codes: Ints, log_weight: Floats) -> None:
        finite = np.isfinite(log_weight)
        order = np.argsort(np.concatenate([self.owner, owner[finite]]), kind="stable")
        self.owner = np.concatenate([self.owner, owner[finite]])[order]
        self.codes = np.concatenate([self.codes, codes[finite]])[order]
        self.log_weight = np.concatenate([self.log_weight, log_weight[finite]])[order]
        kept = self._weight() > np.exp(-NEGLIGIBLE)
        self.owner, self.codes, self.log_weight = self.owner[kept], self.codes[kept], self.log_weight[kept]

    def _sampled(self, owner: Ints, code_mask: RowMask | None, reference_mask: RowMask | None) -> tuple[Ints, Floats]:
        """Return a candidate for each of `owner`: its codes and its log-weight."""
        known = self.domains.partial.codes[torch.from_numpy(owner)]
        imposed = Imposed({}, self.forbidden, self.allocations, code_mask, reference_mask, known)
        encoded, log_weight = self.source(len(owner), self.generator, imposed)
        return encoded.codes.numpy(), log_weight.double().numpy()

    def effective(self) -> Floats:
        """Return the effective sample size of each row's candidates, (rows,)."""
        weight = self._weight()
        rows = len(self.domains.partial.codes)
        sums = [np.bincount(self.owner, power, rows) for power in (weight, weight**2)]
        return np.divide(sums[0] ** 2, sums[1], out=np.zeros(rows), where=sums[1] > 0)

    def resample(self, rows: Ints, generator: np.random.Generator) -> Ints:
        """Return for each of `rows`, which may repeat, the (rows, columns) codes of a candidate resampled by weight."""
        total = np.cumsum(self._weight())
        first = np.searchsorted(self.owner, rows, side="left")
        last = np.searchsorted(self.owner, rows, side="right") - 1
        below = np.where(first > 0, total[first - 1], 0.0)
        wanted = below + generator.random(len(rows)) * (total[last] - below)
        return self.codes[np.clip(np.searchsorted(total, wanted, side="right"), first, last)]

    def _weight(self) -> Floats:
        """Return each candidate's weight, relative to the best one of its row."""
        best = np.full(len(self.domains.partial.codes), -np.inf)
        np.maximum.at(best, self.owner, self.log_weight)
        weight: Floats = np.exp(self.log_weight - best[self.owner])
        return weight
