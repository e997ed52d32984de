"""Synthetic and real rows in equal numbers against the same training rows, so that a score and its ceiling compare."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import hypot, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from synthclin.evaluation.cells import MIN_CELL
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.intervals import Z
from synthclin.evaluation.score import Definition, Interval, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = ["ROUNDS", "Against", "Likeness", "Measure", "fair_size", "halved", "likeness"]

ROUNDS = 10
_MOST_ROWS = 20_000
_HALVES = 20
_FEW_REAL = 2 * MIN_CELL
_ENOUGH = 5  # groups whose own spread is error enough
_ALIKE = "fitted to the training rows more closely than fresh real rows are, which is no merit"

Against = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
"""From (rows, columns) to the parts (one per column, pair, ...) whose mean is the score."""
Measure = Callable[["NDArray[np.float64]"], Against]
"""From (rows, columns) real rows to what measures others against them: what is known of the real ones is reused."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a measure says of synthetic, fresh real and shuffled rows, each as many against the same real ones.

    Arguments:
        value: mean of `parts`, those that are known.
        interval: of the value.
        n: how many rows of each kind were compared at a time.
        parts: (parts,) of synthetic rows, mean over rounds.
        fresh: (parts,) of fresh real rows; all NaN where there are too few real rows to set some apart.
        shuffled: (parts,) of shuffled rows.
        fresh_error: standard error of the ceiling.
    """

    value: float
    interval: Interval
    n: int
    parts: NDArray[np.float64]
    fresh: NDArray[np.float64]
    shuffled: NDArray[np.float64]
    fresh_error: float

    @property
    def ceiling(self) -> float:
        """What fresh real rows reach."""
        return _mean(self.fresh)

    def score(
        self,
        definition: Definition,
        *,
        floor: bool = True,
        notes: tuple[str, ...] | list[str] = (),
        details: dict[str, Any] | None = None,
    ) -> Score:
        """Return the score; a note says so where it beats its ceiling by more than chance explains."""
        if np.isnan(self.value):
            return definition.unassessable("It cannot be computed on so few rows.", n=self.n, details=details)
        low, high = self.interval
        worse_end = low if definition.better == "higher" else -high
        beyond = worse_end > (self.ceiling if definition.better == "higher" else -self.ceiling)
        return definition.score(
            self.value,
            self.interval,
            n=self.n,
            floor=_mean(self.shuffled) if floor else None,
            ceiling=self.ceiling,
            notes=[*notes, f"The synthetic rows are {_ALIKE}." if beyond else ""],
            details=(details or {}) | {"beyond_ceiling": bool(beyond), "ceiling_error": self.fresh_error},
        )


def likeness(
    c: Comparison,
    measure: Measure,
    stream: str,
    *,
    rounds: int = ROUNDS,
    most: int = _MOST_ROWS,
    halves: int = _HALVES,
    low: float = 0.0,
    high: float = 1.0,
) -> Likeness:
    """Compare synthetic, fresh real and shuffled rows in equal numbers with the same real rows.

    A measure of few rows is worse by chance alone, so a holdout that is smaller than the
    synthetic table is no ceiling for it. Here each round takes a random half of all
    real rows, training rows, and compares them with as many rows of one synthetic table, with as
    many real rows outside of the half (those that the model never saw first), and with these,
    each column shuffled: all three differ from the half by the same chance. Rows of one patient
    stay on one side. The scores are means over rounds.

    The variance joins that between groups of synthetic rows (of fewer than 5 groups, or within them by a
    delete-half jackknife, Shao and Wu, Ann Stat 17:1176-1197, 1989, whichever is larger) over the number of
    groups, and that of the real rows: half the variance of the ceiling over rounds, which in simulations
    makes 95 % intervals of a perfect generator hold its ceiling.

    Arguments:
        c: the tables.
        measure: from (n, columns) real rows to what takes (n, columns) other rows to (parts,).
        stream: the name of the random stream.
        rounds: how many halves are drawn, and how many groups of synthetic rows are used at most.
        most: how many rows of each kind are compared at most.
        halves: how often the jackknife leaves out half of a group.
        low: the least value that the score can have.
        high: the greatest.
    """
    n = fair_size(c, most)
    groups = _groups(c, n, rounds, stream)
    by_group: list[list[NDArray[np.float64]]] = [[] for _ in groups]
    fresh, shuffled = [], []
    within: list[float] = []
    for r in range(rounds):
        rng = c.rng(stream, "round", r)
        half, rest = halved(c, n, rng)
        group = groups[r % len(groups)]
        against = measure(half)
        by_group[r % len(groups)].append(against(group))
        # Fresh rows are shuffled: shuffled rows of the half itself would have its very cells.
        apart = rng.permuted(rest, axis=0) if len(rest) else subsample(c.shuffled, n, rng)
        shuffled.append(against(apart))
        if len(rest):
            fresh.append(against(rest))
        if r < min(2, len(groups)) and len(groups) < _ENOUGH and n >= MIN_CELL:
            within.append(_within(against, group, halves, rng))
    values = np.array([_mean(_means(parts)) for parts in by_group])
    between = float(values.var(ddof=1)) if len(values) > 1 else 0.0
    ceilings = np.array([_mean(parts) for parts in fresh])
    of_real = float(ceilings.std(ddof=1)) / sqrt(2) if len(ceilings) > 1 else 0.0
    if len(groups) >= _ENOUGH:
        of_synthetic = float(stats.t.ppf(0.975, len(groups) - 1)) / Z * sqrt(between / len(groups))
    else:
        of_synthetic = sqrt(max(between, *within) / len(groups)) if within else np.inf
    error = hypot(of_synthetic, of_real)
    value = float(values.mean())
    parts = _means([part for group in by_group for part in group])
    return Likeness(
        value,
        Interval(max(low, value - Z * error), min(high, value + Z * error)),
        n,
        parts,
        _means(fresh) if fresh else np.full(parts.shape, np.nan),
        _means(shuffled),
        of_real,
    )


def fair_size(c: Comparison, most: int) -> int:
    """Return how many rows of each kind can be compared: no more than half of the real rows, unless they are few."""
    real = len(c.train) + (0 if c.holdout is None else len(c.holdout))
    return min(len(c.train), real // 2 if real >= _FEW_REAL else real, most, *(len(rows) for rows in c.draws))


def halved(c: Comparison, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `n` random training rows and at most `n` real rows of other patients, unseen ones first.

    Few real rows are not divided: there are no others then.
    """
    order = np.argsort(rng.permutation(int(c.train_patients.max()) + 1)[c.train_patients], kind="stable")
    last = c.train_patients[order[n - 1]]
    rest = c.train[order[n:][c.train_patients[order[n:]] != last]]
    if c.holdout is not None:
        rest = np.vstack([subsample(c.holdout, n, rng), rest])
    few = len(c.train) + (0 if c.holdout is None else len(c.holdout)) < _FEW_REAL
    return c.train[order[:n]], rest[: 0 if few else n]


def _groups(c: Comparison, n: int, most: int, stream: str) -> list[NDArray[np.float64]]:
    """Return at most `most` disjoint groups of `n` synthetic rows, taken from all tables in turn."""
    hands = []
    for number, rows in enumerate(c.draws):
        order = c.rng(stream, "group", number).permutation(len(rows))
        hands.append([rows[np.sort(order[i * n : (i + 1) * n])] for i in range(min(len(rows) // n, most))])
    in_turn = [hand[i] for i in range(max(map(len, hands))) for hand in hands if i < len(hand)]
    return in_turn[:most]


def _within(against: Against, group: NDArray[np.float64], halves: int, rng: np.random.Generator) -> float:
    """Return the variance of a measure by the jackknife that leaves out half of the rows at a time.

    Leaving out few would not do: many measures have corners, where few rows change either nothing or much.
    """
    left = [_mean(against(subsample(group, len(group) // 2, rng))) for _ in range(halves)]
    return float(np.nanvar(left)) if np.isfinite(left).any() else 0.0


def _mean(parts: NDArray[np.float64]) -> float:
    known = parts[~np.isnan(parts)]
    return float(known.mean()) if len(known) else float("nan")


def _means(rounds: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(parts,) means over rounds of what is known."""
    stacked = np.array(rounds)
    known = ~np.isnan(stacked)
    sums: NDArray[np.float64] = np.where(known, stacked, 0.0).sum(axis=0)
    means: NDArray[np.float64] = np.divide(
        sums, known.sum(axis=0), out=np.full(sums.shape, np.nan), where=known.any(axis=0)
    )
    return means
