"""Synthetic and real rows in equal numbers against the same training rows, so that a score and its real-data reference compare."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.score import Definition, Direction, Interval, Score, Z
from synthclin.evaluation.spread import Measure, Spread, mean_known, reference_error
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = ["ROUNDS", "Likeness", "fair_size", "halved", "likeness"]

ROUNDS = 10
_MOST_ROWS = 5_000
_SPLITS = 10
_DOUBTED = 0.5  # of what seems to fold, on the side of worse values
_FEW_REAL = 2 * MIN_PATIENTS
_ALIKE = "fitted to the training rows more closely than fresh real rows are, which is no merit"


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a measure says of synthetic, fresh real and shuffled rows, each as many against the same real ones.

    Arguments:
        value: mean of `parts`, those that are known.
        better: half of the width of its interval on the side of better values.
        worse: the same on the side of worse ones.
        bounds: the least and the greatest value that there can be.
        n: how many rows of each kind were compared at a time.
        parts: (parts,) of synthetic rows, mean over rounds.
        fresh: (parts,) of fresh real rows; all NaN where there are too few real rows to set some apart.
        shuffled: (parts,) of shuffled rows.
        fresh_error: standard error of the real-data reference.
        tables: (tables,) the value of each synthetic table.
    """

    value: float
    better: float
    worse: float
    bounds: tuple[float, float]
    n: int
    parts: NDArray[np.float64]
    fresh: NDArray[np.float64]
    shuffled: NDArray[np.float64]
    fresh_error: float
    tables: tuple[float, ...]

    @property
    def reference(self) -> float:
        """What fresh real rows reach."""
        return mean_known(self.fresh)

    def interval(self, better: Direction) -> Interval:
        """Return the 95 % interval of the value, by which direction is better."""
        down, up = (self.worse, self.better) if better == "higher" else (self.better, self.worse)
        return Interval(max(self.bounds[0], self.value - down), min(self.bounds[1], self.value + up))

    def score(
        self,
        definition: Definition,
        *,
        interval: Interval | None = None,
        baseline: bool = True,
        notes: tuple[str, ...] | list[str] = (),
        details: dict[str, Any] | None = None,
    ) -> Score:
        """Return the score; a note says so where it beats its real-data reference by more than chance explains."""
        if np.isnan(self.value):
            return definition.unassessable("It cannot be computed on so few rows.", n=self.n, details=details)
        interval = interval or self.interval(definition.better)
        better = definition.better == "higher"
        ahead, behind = (
            (self.value - self.reference, self.value - interval.low)
            if better
            else (self.reference - self.value, interval.high - self.value)
        )
        beyond = ahead > hypot(behind, Z * self.fresh_error)
        return definition.score(
            self.value,
            interval,
            n=self.n,
            baseline=mean_known(self.shuffled) if baseline else None,
            reference=self.reference,
            notes=[*notes, f"The synthetic rows are {_ALIKE}." if beyond else ""],
            details=(details or {}) | {"beyond_reference": bool(beyond), "reference_error": self.fresh_error},
            tables=self.tables,
        )


def likeness(
    c: Comparison,
    measure: Measure,
    stream: str,
    *,
    rounds: int = ROUNDS,
    most: int = _MOST_ROWS,
    splits: int = _SPLITS,
    low: float = 0.0,
    high: float = 1.0,
) -> Likeness:
    """Compare synthetic, fresh real and shuffled rows in equal numbers with the same real rows.

    A measure of few rows is worse by chance alone, so a holdout that is smaller than the
    synthetic table is no real-data reference for it. Here each round takes a random half of all
    real rows, training rows, and compares them with as many rows of one synthetic table, with as
    many real rows outside of the half (those that the model never saw first), and with these,
    each column shuffled: all three differ from the half by the same chance. Rows of one patient
    stay on one side. The scores are means over rounds.

    The interval is that of what the same comparison gives on average, a t interval, wider towards worse values. Its
    variance is found by comparing disjoint parts of the real rows with disjoint parts of the synthetic ones: see
    `synthclin.evaluation.spread`.

    Arguments:
        c: the tables.
        measure: from (n, columns) real rows to what takes (n, columns) other rows to (parts,).
        stream: the name of the random stream.
        rounds: how many halves are drawn.
        most: how many rows of each kind are compared at most.
        splits: how often both kinds of rows are split in two for the interval.
        low: the least value that the score can have.
        high: the greatest.
    """
    n = fair_size(c, most)
    own: list[NDArray[np.float64]] = []
    fresh, shuffled = [], []
    for r in range(rounds):
        rng = c.rng(stream, "round", r)
        half, rest = halved(c, n, rng)
        against = measure(half)
        own.append(against(_in_turn(c, n, r, stream)))
        # Fresh rows are shuffled: shuffled rows of the half itself would have its very cells.
        apart = rng.permuted(rest, axis=0) if len(rest) else subsample(c.shuffled, n, rng)
        shuffled.append(against(apart))
        if len(rest):
            fresh.append(against(rest))
    values = np.array([mean_known(parts) for parts in own])
    references = np.array([mean_known(parts) for parts in fresh])
    value = mean_known(values)
    spread, wide = Spread.of(c, measure, n, splits, stream), float(stats.t.ppf(0.975, 2 * splits))
    error = spread.error(c, n, rounds)
    parts = _means(own)
    return Likeness(
        value,
        wide * error,
        # Tables that chance made look good seem to vary less than they do.
        wide * spread.error(c, n, rounds, folds=_DOUBTED),
        (low, high),
        n,
        parts,
        _means(fresh) if fresh else np.full(parts.shape, np.nan),
        _means(shuffled),
        reference_error(c, n, references, error) if len(references) > 1 else 0.0,
        tuple(mean_known(values[table :: len(c.replicates)]) for table in range(min(len(c.replicates), rounds))),
    )


def _in_turn(c: Comparison, n: int, number: int, stream: str) -> NDArray[np.float64]:
    """Return `n` rows for one round, of the tables in turn: those of a table are dealt out, then dealt anew."""
    turn, table = divmod(number, len(c.replicates))
    rows = c.replicates[table]
    deal, hand = divmod(turn, len(rows) // n)
    order = c.rng(stream, "order", table, deal).permutation(len(rows))
    return rows[np.sort(order[hand * n : (hand + 1) * n])]


def fair_size(c: Comparison, most: int) -> int:
    """Return how many rows of each kind can be compared.

    No more than half of the real rows, unless they are few, and than half of an only synthetic table: how much such a
    comparison varies is then seen, not extrapolated from fewer rows.
    """
    real = len(c.train) + (0 if c.holdout is None else len(c.holdout))
    drawn = [len(rows) for rows in c.replicates]
    if len(drawn) == 1 and drawn[0] >= _FEW_REAL:
        drawn = [drawn[0] // 2]
    return min(len(c.train), real // 2 if real >= _FEW_REAL else real, most, *drawn)


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


def _means(rounds: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(parts,) means over rounds of what is known."""
    stacked = np.array(rounds)
    known = ~np.isnan(stacked)
    sums: NDArray[np.float64] = np.where(known, stacked, 0.0).sum(axis=0)
    means: NDArray[np.float64] = np.divide(
        sums, known.sum(axis=0), out=np.full(sums.shape, np.nan), where=known.any(axis=0)
    )
    return means
