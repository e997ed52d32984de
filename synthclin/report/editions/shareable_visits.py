"""Figures of visits in the shareable edition: rounded counts, means and quartiles of real patients."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING, Any

from synthclin.evaluation.disclosure import round_to, rounding_step, shared_count, shared_total

if TYPE_CHECKING:
    from synthclin.report.record.visit_data import CourseCurve, CoursePoint, VisitFacts

__all__ = ["shared_visits"]

_COARSEST = 0.1  # step of a share
_ENOUGH = 44  # patients, so that at least 11 lie beyond each quartile


def shared_visits(facts: VisitFacts) -> dict[str, Any]:
    """Return the data of the figures of visits with rounded figures of real patients.

    Counts are rounded to tens, means to a fifth and quartiles to a tenth of the size of the standard deviation, shares
    to steps of at least 11 patients. A window of a number has figures where 44 patients or more are in it, as Table 1
    has them, and one of shares where the step is a tenth or less. Courses are of synthetic patients.
    """
    counts = facts.counts
    real = [shared_count(count) for count in counts.real]
    return facts.model_dump() | {
        "counts": counts.model_dump() | {"real": real},
        "curves": [_curve(curve) for curve in facts.curves],
    }


def _curve(curve: CourseCurve) -> dict[str, Any]:
    size = 10.0 ** (floor(log10(curve.sd)) - 1) if curve.sd > 0 else 0.0
    if curve.level is None:
        real = [None if point is None else _number(point, size) for point in curve.real]
    else:
        real = [None if point is None else _share(point) for point in curve.real]
    return curve.model_dump() | {"sd": round_to(curve.sd, 2 * size) if size else 0.0, "real": real}


def _share(point: CoursePoint) -> dict[str, Any] | None:
    """Return a rounded share; None where the step would hide the course, or makes 0 or 1 of it."""
    if rounding_step(point.patients) > _COARSEST:
        return None
    mean = min(round_to(point.mean, rounding_step(point.patients)), 1.0)
    if mean in {0.0, 1.0} and mean != point.mean:
        return None
    return {"patients": shared_total(point.patients), "mean": mean, "low": None, "high": None}


def _number(point: CoursePoint, size: float) -> dict[str, Any] | None:
    """Return a rounded point; None where it rests on too few patients, and for a constant."""
    if point.patients < _ENOUGH or not size or point.low is None or point.high is None:
        return None
    return {
        "patients": shared_total(point.patients),
        "mean": round_to(point.mean, 2 * size),
        "low": round_to(point.low, size),
        "high": round_to(point.high, size),
    }
