"""Marginal distributions: Kolmogorov-Smirnov and total variation, tails, Wasserstein, heaping, rare levels."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from synthclin.evaluation.cell_suppression import suppressed_share
from synthclin.evaluation.fidelity import estimate_fidelity
from synthclin.evaluation.score import NO_BASELINE, Definition, Score
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.spread import Against
    from synthclin.schema.columns import Column

    Pattern = Callable[[NDArray[np.float64]], NDArray[np.bool_]]

__all__ = ["agreements", "heaping", "marginals", "rare_levels", "tails", "wasserstein"]

_TAILS = np.array([0.01, 0.05, 0.95, 0.99])
_MIN_TAIL = 100  # rows, below which the 1st percentile is the minimum
_RARE = 0.10
_SPIKE = 0.05
_FEWEST_OFTEN = 4  # rows
_EXACT = 2.0**53

MARGINALS = Definition(
    "fidelity.marginals",
    "Does each column look like the real one?",
    "higher",
    "mean over columns of 1 - Kolmogorov-Smirnov distance of observed values (numbers, dates) or 1 - total variation "
    "distance with missing as a level (levels), against as many training rows, mean of 10 random halves of the real "
    "rows (Massey, JASA 46:68-78, 1951)",
)
TAILS = Definition(
    "fidelity.tails",
    "Are extreme values as extreme as in the real table?",
    "lower",
    "mean over numbers and dates, and over the percentiles 1, 5, 95 and 99, of the distance of the percentiles in real "
    "interquartile ranges, one or more of them counted as one, against as many training rows, mean of 10 random halves "
    "of the real rows "
    "(project convention)",
)
WASSERSTEIN = Definition(
    "fidelity.wasserstein",
    "How far apart are the distributions of numbers?",
    "lower",
    "mean over numbers and dates of the Wasserstein distance of the observed values in real interquartile ranges, one "
    "or more of them counted as one, against as many training rows, mean of 10 random halves of the real rows "
    "(Vallender, Theory Probab Appl 18:784-786, 1974; scipy)",
)
HEAPING = Definition(
    "fidelity.heaping",
    "Are round and repeated numbers, weekdays and hours as frequent as in the real table?",
    "lower",
    "mean over numbers and dates of the largest difference in the share of a last digit of 0 or 5 (at the column's "
    "decimals), of multiples of the real rows' common step, of a value that 5 % of the real rows share, of a weekday, "
    "of the weekdays, days of the month and hours that real rows use most, or of quarter-hours, against as many "
    "training rows, mean of 10 random halves of the real rows (heaping: Wang and Heitjan, Stat Med 27:3789-3804, 2008; "
    "the score is a project convention)",
)
RARE_LEVELS = Definition(
    "fidelity.rare_levels",
    "Are rare groups of patients still there?",
    "higher",
    "mean over levels of 11 and more training rows, and less than a tenth of them, of the smaller of both shares over "
    "the larger, against as many training rows, mean of 10 random halves of the real rows; rarer levels do not count, "
    "because a copied singleton is a disclosure, unlike SDMetrics' CategoryCoverage (project convention)",
)


def marginals(c: Comparison) -> Score:
    """Score the similarity of each column's marginal distribution."""
    lines = c.features.is_numeric
    found = estimate_fidelity(c, lambda real: agreements(real, lines), "marginals")
    missing = [np.isnan(rows).mean(axis=0) for rows in (c.train, c.synthetic)]
    columns = [
        {
            "column": name,
            "value": found.parts[j],
            "reference": found.reference_parts[j],
            "measure": "1 - KS" if lines[j] else "1 - TVD",
            "missing_real": suppressed_share(missing[0][j], len(c.train)),
            "missing_synthetic": missing[1][j],
            "constant_synthetic": _varies(c.train[:, j]) and len(np.unique(_observed(c.synthetic, j))) < 2,
        }
        for j, name in enumerate(c.features.names)
    ]
    return found.score(
        MARGINALS,
        baseline=False,
        notes=[NO_BASELINE],
        details={"columns": sorted(columns, key=lambda row: row["value"])},
    )


def _varies(cells: NDArray[np.float64]) -> bool:
    """Return whether 11 observed cells or more differ from the most frequent value."""
    counts = np.unique(cells[~np.isnan(cells)], return_counts=True)[1]
    return bool(len(counts)) and int(counts.sum() - counts.max()) >= MIN_PATIENTS


def agreements(real: NDArray[np.float64], is_numeric: NDArray[np.bool_]) -> Against:
    """Return the comparison of marginal distributions with `real`: 1 - KS or 1 - TVD of each column, 0 to 1.

    Arguments:
        real: (rows, columns).
        is_numeric: (columns,) 1 - KS of the observed values where true, else 1 - TVD with missing as a level.

    Returns:
        From (other rows, columns) to (columns,); 0 where one table has no observed number in a column, 1 where neither
        has one.
    """
    columns = [
        _ks_similarity(_observed(real, j)) if numeric else _tvd_similarity(real[:, j])
        for j, numeric in enumerate(is_numeric)
    ]
    return lambda other: np.array([agreement(other[:, j]) for j, agreement in enumerate(columns)]).clip(0, 1)


def _ks_similarity(real: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], float]:
    """Return the function 1 - KS of other cells; the two distributions are furthest apart at a real step."""
    steps, counts = np.unique(real, return_counts=True)
    upto = np.cumsum(counts) / max(len(real), 1)
    below = upto - counts / max(len(real), 1)

    def agreement(cells: NDArray[np.float64]) -> float:
        other = np.sort(cells[~np.isnan(cells)])
        if not len(real) or not len(other):
            return float(len(real) == len(other))
        before = np.abs(np.searchsorted(other, steps, "left") / len(other) - below)
        after = np.abs(np.searchsorted(other, steps, "right") / len(other) - upto)
        return 1 - float(max(before.max(), after.max()))

    return agreement


def _tvd_similarity(real: NDArray[np.float64]) -> Callable[[NDArray[np.float64]], float]:
    """Return the function 1 - TVD of other cells, missing as a level."""

    def shares(cells: NDArray[np.float64], size: int) -> NDArray[np.float64]:
        return np.bincount(np.nan_to_num(cells, nan=-1).astype(int) + 1, minlength=size) / len(cells)

    first = shares(real, 0)

    def agreement(cells: NDArray[np.float64]) -> float:
        second = shares(cells, len(first))
        return 1 - float(np.abs(np.pad(first, (0, len(second) - len(first))) - second).sum()) / 2

    return agreement


def tails(c: Comparison) -> Score:
    """Score the distance of the outer percentiles of numbers and dates from the real ones."""
    lines = np.flatnonzero(c.features.is_numeric)
    if not len(lines):
        return TAILS.unassessable("No column is a number or a date.")

    def errors(real: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([np.mean(_tail_errors(_observed(real, j), _observed(other, j)).clip(0, 1)) for j in lines])

    found = estimate_fidelity(c, lambda real: partial(errors, real), "tails")
    shifts = {j: _tail_errors(_observed(c.train, j), _observed(c.synthetic, j), signed=True) for j in lines}
    columns = [
        {"column": c.features.names[j], "value": part, "reference": reference, "shifts": shifts[j]}
        for j, part, reference in zip(lines, found.parts, found.reference_parts, strict=True)
    ]
    few = f"With {found.n} rows the percentiles 1 and 99 are the extremes." if found.n < _MIN_TAIL else ""
    return found.score(TAILS, baseline=False, notes=[NO_BASELINE, few], details={"columns": _worst_first(columns)})


def _tail_errors(a: NDArray[np.float64], b: NDArray[np.float64], *, signed: bool = False) -> NDArray[np.float64]:
    """(percentiles,) distances in real interquartile ranges; NaN for fewer than 11 values or a range of 0."""
    if min(len(a), len(b)) < MIN_PATIENTS:
        return np.full(len(_TAILS), np.nan)
    low, high = np.quantile(a, [0.25, 0.75])
    if low == high:
        return np.full(len(_TAILS), np.nan)
    shift: NDArray[np.float64] = (np.quantile(b, _TAILS) - np.quantile(a, _TAILS)) / (high - low)
    return shift if signed else np.abs(shift)


def wasserstein(c: Comparison) -> Score:
    """Score the Wasserstein distance of numbers and dates, over the whole distribution and not its worst place."""
    lines = np.flatnonzero(c.features.is_numeric)
    if not len(lines):
        return WASSERSTEIN.unassessable("No column is a number or a date.")

    def distance(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        spread = float(np.subtract(*np.quantile(a, [0.75, 0.25]))) if min(len(a), len(b)) >= MIN_PATIENTS else 0.0
        return min(1.0, float(stats.wasserstein_distance(a, b)) / spread) if spread > 0 else np.nan

    def distances(real: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.array([distance(_observed(real, j), _observed(other, j)) for j in lines])

    found = estimate_fidelity(c, lambda real: partial(distances, real), "wasserstein")
    columns = [
        {"column": c.features.names[j], "value": part, "reference": reference}
        for j, part, reference in zip(lines, found.parts, found.reference_parts, strict=True)
    ]
    return found.score(WASSERSTEIN, baseline=False, notes=[NO_BASELINE], details={"columns": _worst_first(columns)})


def heaping(c: Comparison) -> Score:
    """Score heaping: the shares of last digits, common steps, frequent values, weekdays and hours."""
    lines = np.flatnonzero(c.features.is_numeric)
    if not len(lines):
        return HEAPING.unassessable("No column is a number or a date.")

    def measure(real: NDArray[np.float64]) -> Against:
        heaps = [_heap(_observed(real, j), c.features.columns[j].column) for j in lines]
        return lambda other: np.array([heap(_observed(other, j)) for j, heap in zip(lines, heaps, strict=True)])

    found = estimate_fidelity(c, measure, "heaping")
    details = [
        {"column": c.features.names[j], "value": part, "reference": reference}
        for j, part, reference in zip(lines, found.parts, found.reference_parts, strict=True)
    ]
    return found.score(HEAPING, baseline=False, notes=[NO_BASELINE], details={"columns": _worst_first(details)})


def _heap(real: NDArray[np.float64], column: Column) -> Callable[[NDArray[np.float64]], float]:
    """Return the function from other cells to the largest difference of a share; NaN for few values."""
    values, counts = np.unique(real, return_counts=True)
    spikes = values[counts >= max(MIN_PATIENTS, _SPIKE * len(real))]

    patterns = _calendar(real, column) if column.is_temporal else _rounding(real, column.decimal_places)

    def shares(cells: NDArray[np.float64]) -> list[float]:
        found = [float(np.mean(cells == spike)) for spike in spikes]
        return [*found, *(float(np.mean(pattern(cells))) for pattern in patterns)]

    of_real = shares(real) if len(real) >= MIN_PATIENTS else []

    def heap(cells: NDArray[np.float64]) -> float:
        if min(len(real), len(cells)) < MIN_PATIENTS:
            return np.nan
        return max((abs(a - b) for a, b in zip(of_real, shares(cells), strict=True)), default=np.nan)

    return heap


def _rounding(real: NDArray[np.float64], decimals: int | None) -> list[Pattern]:
    """Return which values end in 0 or 5, and which are on the common step of the real ones, if they have one."""
    if decimals is None:
        return []

    def whole(cells: NDArray[np.float64]) -> NDArray[np.float64]:
        rounded: NDArray[np.float64] = np.round(cells * 10**decimals)
        return rounded

    places = np.unique(whole(real[np.abs(real) < _EXACT / 10**decimals]))
    step = int(np.gcd.reduce(np.diff(places).astype(np.int64))) if len(places) > 1 else 1
    on_step: list[Pattern] = [lambda cells: (whole(cells) - places[0]) % step == 0] if step > 1 else []
    return [lambda cells: whole(cells) % 5 == 0, *on_step]


def _calendar(real: NDArray[np.float64], column: Column) -> list[Pattern]:
    """Return which dates are on each weekday, and on the weekdays, days of the month and hours that real ones use most.

    Those used most are weekdays with a quarter more rows than by equal shares, days and hours with twice as many.
    """
    unit = 1 if column.resolution == "D" else 86_400

    def day(cells: NDArray[np.float64]) -> NDArray[np.int64]:
        return np.floor(cells / unit).astype(np.int64)

    def day_of_month(cells: NDArray[np.float64]) -> NDArray[np.int64]:
        days = day(cells).astype("datetime64[D]")
        return np.asarray((days - days.astype("datetime64[M]")).astype(np.int64))

    parts: list[tuple[Callable[[NDArray[np.float64]], NDArray[np.int64]], int]] = [
        (lambda cells: day(cells) % 7, 7),
        (day_of_month, 31),
    ]
    patterns: list[Pattern] = [partial(_on, parts[0][0], np.array([weekday])) for weekday in range(7)]
    if unit > 1:
        parts.append((lambda cells: np.floor(cells / 3_600).astype(np.int64) % 24, 24))
        patterns.append(lambda cells: cells % 900 == 0)
    for part, size in parts:
        counts = np.bincount(part(real), minlength=size)
        often = max(_FEWEST_OFTEN, (1.25 if size == 7 else 2.0) * len(real) / size)
        patterns.append(partial(_on, part, np.flatnonzero(counts > often)))
    return patterns


def _on(
    part: Callable[[NDArray[np.float64]], NDArray[np.int64]],
    wanted: NDArray[np.int64],
    cells: NDArray[np.float64],
) -> NDArray[np.bool_]:
    return np.isin(part(cells), wanted)


def rare_levels(c: Comparison) -> Score:
    """Score the frequency of rare levels, those of 11 training rows up to a tenth of them."""
    rare: list[tuple[int, int]] = []
    for j, feature in enumerate(c.features.columns):
        if feature.kind != "line":
            counts = np.bincount(_observed(c.train, j).astype(int), minlength=len(feature.levels))
            rare += [(j, int(k)) for k in np.flatnonzero((counts >= MIN_PATIENTS) & (counts < _RARE * len(c.train)))]
    if not rare:
        return RARE_LEVELS.unassessable("No level has 11 training rows and less than a tenth of them.")
    columns, levels = np.array(rare).T

    def shares(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        found: NDArray[np.float64] = (rows[:, columns] == levels).mean(axis=0)
        return found

    def measure(real: NDArray[np.float64]) -> Against:
        a = shares(real)

        def ratios(other: NDArray[np.float64]) -> NDArray[np.float64]:
            b = shares(other)
            larger = np.maximum(a, b)
            ratio: NDArray[np.float64] = np.divide(
                np.minimum(a, b), larger, out=np.full(len(a), np.nan), where=larger > 0
            )
            return ratio

        return ratios

    found = estimate_fidelity(c, measure, "rare levels")
    synthetic = np.mean([shares(rows) for rows in c.replicates], axis=0)
    # 0.5 is added to each count, so that an absent level has a ratio (Agresti, Categorical Data Analysis, 2002, 3.1).
    n_real, n_synthetic = len(c.train), sum(map(len, c.replicates))
    log_ratio = np.log((synthetic * n_synthetic + 0.5) / (n_synthetic + 1)) - np.log(
        (shares(c.train) * n_real + 0.5) / (n_real + 1)
    )
    details = [
        {"column": c.features.names[j], "level": str(c.features.columns[j].levels[k]), "value": part, "log_ratio": log}
        for (j, k), part, log in zip(rare, found.parts, log_ratio, strict=True)
    ]
    return found.score(
        RARE_LEVELS,
        baseline=False,
        notes=[NO_BASELINE],
        details={
            "coverage": float((synthetic > 0).mean()),
            "levels": sorted(details, key=lambda row: row["log_ratio"])[:20],
        },
    )


def _observed(rows: NDArray[np.float64], j: int | np.intp) -> NDArray[np.float64]:
    """(observed,) the observed values of a column."""
    column = rows[:, j]
    return column[~np.isnan(column)]


def _worst_first(columns: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted((row for row in columns if not np.isnan(row["value"])), key=lambda row: -row["value"])
