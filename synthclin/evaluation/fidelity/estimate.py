"""Fidelity estimates: equal numbers of synthetic, holdout and shuffled rows, compared with the same training rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import hypot
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.details import Details, NoDetails
from synthclin.evaluation.fidelity.spread import Against, Measure, Spread, mean_known, reference_error
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.score import Direction, Interval, Score, Z
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = [
    "AGAINST",
    "COX_EFFORT",
    "ROUNDS",
    "FidelityEstimate",
    "Independent",
    "estimate_fidelity",
    "fair_size",
    "halved",
]

AGAINST = "against as many training rows, mean of 10 random halves of the real rows"
"""What `estimate_fidelity` compares, as a part of the method of a score."""

COX_EFFORT: dict[str, Any] = {"rounds": 4, "splits": 4}
"""Arguments of `estimate_fidelity` for Cox regressions: one of a thousand rows takes a second."""

Independent = Callable[["NDArray[np.float64]"], "NDArray[np.float64]"]
"""From (rows, columns) real rows to as many rows without dependence."""

ROUNDS = 10
_NONE = NoDetails()
_MOST_ROWS = 5_000
_SPLITS = 10
_WORSE_FOLDS = 0.5  # part of the estimated fold that is credited on the side of worse values
_FEW_REAL = 2 * MIN_PATIENTS


@dataclass(frozen=True, slots=True)
class FidelityEstimate:
    """A fidelity score with its interval, its real-data reference and its independence baseline, before it is named.

    Arguments:
        value: mean of the `parts` that are not NaN.
        better: half width of the interval on the side of better values.
        worse: half width on the side of worse values.
        bounds: the smallest and the largest possible value.
        n: rows of each kind in a comparison.
        parts: (parts,) synthetic rows, mean over rounds.
        reference_parts: (parts,) real rows outside of the compared half; all NaN where there are too few real rows.
        baseline_parts: (parts,) shuffled rows.
        reference_error: standard error of the real-data reference.
        replicates: (replicates,) the value of each synthetic replicate.
    """

    value: float
    better: float
    worse: float
    bounds: tuple[float, float]
    n: int
    parts: NDArray[np.float64]
    reference_parts: NDArray[np.float64]
    baseline_parts: NDArray[np.float64]
    reference_error: float
    replicates: tuple[float, ...]

    @property
    def reference(self) -> float:
        """The real-data reference."""
        return mean_known(self.reference_parts)

    def _why_unknown(self) -> str:
        if self.n < _FEW_REAL:
            return tr("It cannot be computed on so few rows.")
        return tr("It cannot be computed: what it compares is missing or constant in real or in synthetic rows.")

    def interval(self, better: Direction) -> Interval:
        """Return the 95 % interval of the value; `better` is the direction of the score."""
        down, up = (self.worse, self.better) if better == "higher" else (self.better, self.worse)
        return Interval(max(self.bounds[0], self.value - down), min(self.bounds[1], self.value + up))

    def score(
        self,
        kind: Kind[Any],
        *,
        interval: Interval | None = None,
        baseline: bool = True,
        notes: tuple[str, ...] | list[str] = (),
        details: Details | Mapping[str, Any] = _NONE,
        problem: str = "",
    ) -> Score:
        """Return the score; a note states where it is better than its real-data reference beyond sampling error.

        Without a value the note is `problem`, or else that the rows are few, or that they lack what the score needs.
        """
        if np.isnan(self.value):
            return kind.unassessable(problem or self._why_unknown(), n=self.n, details=details)
        interval = interval or self.interval(kind.better)
        better = kind.better == "higher"
        ahead, behind = (
            (self.value - self.reference, self.value - interval.low)
            if better
            else (self.reference - self.value, interval.high - self.value)
        )
        beyond = ahead > hypot(behind, Z * self.reference_error)
        return kind.score(
            self.value,
            interval,
            n=self.n,
            baseline=mean_known(self.baseline_parts) if baseline else None,
            reference=self.reference,
            notes=[
                *notes,
                tr(
                    "The synthetic rows are closer to the training rows than other real rows are, which is a sign of "
                    "overfitting and no merit."
                )
                if beyond
                else "",
            ],
            details=details,
            replicates=self.replicates,
            reference_error=self.reference_error,
            beyond_reference=bool(beyond),
        )


def estimate_fidelity(
    c: Comparison,
    measure: Measure,
    stream: str,
    *,
    rounds: int = ROUNDS,
    most: int = _MOST_ROWS,
    splits: int = _SPLITS,
    low: float = 0.0,
    high: float = 1.0,
    independent: Independent | None = None,
) -> FidelityEstimate:
    """Estimate a fidelity score by repeated comparisons of equal-sized samples.

    Most distances are larger in smaller samples, so a holdout that is smaller than the synthetic table would be no fair
    real-data reference. Each round therefore samples half of the real rows, from the training rows, and compares them
    with as many rows of one synthetic replicate, with as many other real rows (holdout first), and with these, each
    column shuffled (independence baseline). All rows of a patient are on one side. Values are means over rounds.

    The 95 % interval is for the expectation of the value: a t interval from variance components, see `Spread` and
    docs/interval-of-fidelity-scores.md. It is wider towards worse values.

    Arguments:
        c: the tables.
        measure: from (n, columns) real rows to a function of (n, columns) other rows that returns (parts,).
        stream: name of the random stream.
        rounds: number of sampled halves.
        most: largest number of rows of each kind.
        splits: number of random splits behind the variance components.
        low: smallest possible value.
        high: largest possible value.
        independent: from real rows to as many rows without the dependence that is scored, for the baseline; None to
            shuffle each column.
    """
    n = fair_size(c, most)
    synthetic: list[NDArray[np.float64]] = []
    reference, baseline = [], []

    def bounded(real: NDArray[np.float64]) -> Against:
        """Return the measure within its bounds, which rounding may exceed."""
        against = measure(real)
        return lambda other: np.clip(against(other), low, high)

    for r in range(rounds):
        rng = c.rng(stream, "round", r)
        half, rest = halved(c, n, rng)
        against = bounded(half)
        synthetic.append(against(_synthetic_rows(c, n, r, stream)))
        # The other real rows are shuffled: a shuffled half would keep the marginal distributions of the half exactly.
        if not len(rest):
            baseline.append(against(subsample(c.shuffled, n, rng)))
        else:
            baseline.append(against(rng.permuted(rest, axis=0) if independent is None else independent(rest)))
        if len(rest):
            reference.append(against(rest))
    values = np.array([mean_known(parts) for parts in synthetic])
    references = np.array([mean_known(parts) for parts in reference])
    value = mean_known(values)
    spread, wide = Spread.of(c, bounded, n, splits, stream), float(stats.t.ppf(0.975, 2 * splits))
    error = spread.error(c, n, rounds)
    parts = _means(synthetic)
    return FidelityEstimate(
        value,
        wide * error,
        # A replicate that is close to the real rows by chance also has a variance estimate that is too small.
        wide * spread.error(c, n, rounds, folds=_WORSE_FOLDS),
        (low, high),
        n,
        parts,
        _means(reference) if reference else np.full(parts.shape, np.nan),
        _means(baseline),
        reference_error(c, n, references, error) if len(references) > 1 else 0.0,
        tuple(mean_known(values[table :: len(c.replicates)]) for table in range(min(len(c.replicates), rounds))),
    )


def _synthetic_rows(c: Comparison, n: int, number: int, stream: str) -> NDArray[np.float64]:
    """Return `n` synthetic rows for one round: replicates in turn, disjoint parts until a replicate is used up."""
    turn, table = divmod(number, len(c.replicates))
    rows = c.replicates[table]
    permutation, part = divmod(turn, len(rows) // n)
    order = c.random_order(table, c.rng(stream, "order", table, permutation))
    return rows[np.sort(order[part * n : (part + 1) * n])]


def fair_size(c: Comparison, most: int) -> int:
    """Return the number of rows of each kind in a comparison.

    At most half of the real rows, unless they are few, and half of a single synthetic table: disjoint parts of that
    size exist then, and the variance is estimated without extrapolation from smaller parts.
    """
    real = len(c.train) + (0 if c.holdout is None else len(c.holdout))
    sizes = [len(rows) for rows in c.replicates]
    if len(sizes) == 1 and sizes[0] >= _FEW_REAL:
        sizes = [sizes[0] // 2]
    return min(len(c.train), real // 2 if real >= _FEW_REAL else real, most, *sizes)


def halved(c: Comparison, n: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return `n` random training rows and at most `n` real rows of other patients, holdout rows first.

    Fewer than 22 real rows are not split, and the second part is empty.
    """
    order = np.argsort(rng.permutation(int(c.train_patients.max()) + 1)[c.train_patients], kind="stable")
    last = c.train_patients[order[n - 1]]
    rest = c.train[order[n:][c.train_patients[order[n:]] != last]]
    if c.holdout is not None:
        rest = np.vstack([subsample(c.holdout, n, rng), rest])
    few = len(c.train) + (0 if c.holdout is None else len(c.holdout)) < _FEW_REAL
    return c.train[order[:n]], rest[: 0 if few else n]


def _means(rounds: list[NDArray[np.float64]]) -> NDArray[np.float64]:
    """(parts,) means over rounds, NaN left out."""
    stacked = np.array(rounds)
    known = ~np.isnan(stacked)
    sums: NDArray[np.float64] = np.where(known, stacked, 0.0).sum(axis=0)
    means: NDArray[np.float64] = np.divide(
        sums, known.sum(axis=0), out=np.full(sums.shape, np.nan), where=known.any(axis=0)
    )
    return means
