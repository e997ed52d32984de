"""Heaping: round and repeated numbers, steps, weekdays and hours, as frequent as in the real table or not."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation import questions
from synthclin.evaluation.answers import reference_reached
from synthclin.evaluation.fidelity.columns import ColumnsDetails, observed, worst_first
from synthclin.evaluation.fidelity.estimate import estimate_fidelity
from synthclin.evaluation.kind import Kind, Limit, RelativeLimit, convention
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import no_baseline
from synthclin.language import tr
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.score import Score
    from synthclin.schema.columns import Column

    Pattern = Callable[[NDArray[np.float64]], NDArray[np.bool_]]

__all__ = ["HEAPING", "heaping"]

_SPIKE = 0.05
_PASS, _REVIEW = 0.10, 0.20  # above the real-data reference
_FEWEST_OFTEN = 4  # rows
_EXACT = 2.0**53
_SOURCE = convention("shares a tenth further apart than in holdout rows are visible")


def _worst_heap(score: Score) -> str:
    details = HEAPING.read(score)
    if not details or not details.columns:
        return reference_reached(score)
    worst = tr("Furthest from real: {column}.", column=column_name(details.columns[0].column, 30))
    return f"{worst} {reference_reached(score)}"


def _limit(score: Score) -> Limit:
    """Return limits above the real-data reference, which few rows make large."""
    reached = score.reference or 0.0
    return Limit("<=", round(reached + _PASS, 4), round(reached + _REVIEW, 4), _SOURCE)


HEAPING = Kind(
    name="fidelity.heaping",
    question="Are round and repeated numbers, weekdays and hours as frequent as in the real table?",
    better="lower",
    method=(
        "mean over numbers and dates of the largest difference in the share of a last digit of 0 or 5 (at the "
        "column's decimals), of multiples of the real rows' common step, of a value that 5 % of the real rows share, "
        "of a weekday, of the weekdays, days of the month and hours that real rows use most, or of quarter-hours, "
        "against as many training rows, mean of 10 random halves of the real rows (heaping: Wang and Heitjan, Stat "
        "Med 27:3789-3804, 2008; the score is a project convention)"
    ),
    section="fidelity",
    label="Heaping",
    unit="mean difference between shares",
    ideal=0.0,
    details=ColumnsDetails,
    asked=questions.HEAPING,
    limit=RelativeLimit("0.1, for review 0.2, above that of holdout rows", _SOURCE, _limit),
    fail_text="numbers or dates are rounded otherwise than in the real table",
    review_text="numbers or dates may be rounded otherwise than in the real table",
    action="Declare step or spikes of the column that is named first, or check its type.",
    answer=_worst_heap,
    shared=ColumnsDetails.shared,
    counts="real",
)


def heaping(c: Comparison) -> Score:
    """Score heaping: the shares of last digits, common steps, frequent values, weekdays and hours."""
    lines = np.flatnonzero(c.features.is_numeric)
    if not len(lines):
        return HEAPING.unassessable(tr("No column is a number or a date."))

    def measure(real: NDArray[np.float64]) -> Against:
        heaps = [_heap(observed(real, j), c.features.columns[j].column) for j in lines]
        return lambda other: np.array([heap(observed(other, j)) for j, heap in zip(lines, heaps, strict=True)])

    found = estimate_fidelity(c, measure, "heaping")
    details = [
        {"column": c.features.names[j], "value": part, "reference": reference}
        for j, part, reference in zip(lines, found.parts, found.reference_parts, strict=True)
    ]
    return found.score(HEAPING, baseline=False, notes=[no_baseline()], details={"columns": worst_first(details)})


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
