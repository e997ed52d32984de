"""Plain data of the figures of visits: patients by number of visits, and the course of each column over time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.details import plain
from synthclin.evaluation.disclosure import suppressed_count
from synthclin.evaluation.held_cells import HeldCells
from synthclin.evaluation.visits.pool import PatientPool
from synthclin.evaluation.visits.terms import FEW_VISITS
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Feature

__all__ = ["visit_facts"]

_BINS = 8
_LAST = 0.95  # quantile of the training visits up to which time is shown
_COURSES = 12
_FEWEST_VISITS = 3
_NICE = (1, 2, 5, 10)


def visit_facts(c: Comparison) -> dict[str, Any]:
    """Return the data of the figures of visits as JSON types.

    ``counts``: patients with at least so many visits, without steps of few real patients. ``curves``: for each
    column mean and quartiles of the patients seen in each window of time, real and synthetic; of real patients None
    where fewer than 11 are seen, or 1 to 10 have the level or another one. ``courses``: some synthetic patients, visit
    by visit; none of real ones. ``unit``: of the time.
    """
    pool = PatientPool.of(c)
    assert c.schema.visit_time is not None
    time = c.schema.columns[c.schema.visit_time]
    edges = _windows(pool)
    shown = [j for j in pool.columns if (~np.isnan(pool.visits.values[pool.is_training(), j])).sum() >= FEW_VISITS]
    checked: dict[str, Any] = plain(
        {
            "unit": "d" if time.is_temporal else time.unit,
            "since_first": time.is_temporal,
            "counts": _counts(pool),
            "curves": [_curve(pool, j, edges) for j in shown] if len(edges) > 1 else [],
            "courses": [_courses(pool, j) for j in shown if c.features.columns[j].kind != "levels"],
        }
    )
    return checked


def _counts(pool: PatientPool) -> dict[str, Any]:
    """Return the patients with at least so many visits.

    The steps are such that no difference of two real numbers is that of 1 to 10 patients.
    """
    counts = pool.visits.counts
    real, synthetic = counts[pool.train], counts[pool.synthetic]
    cells = int(max(real.max(), synthetic.max()))
    held = HeldCells.of(real - 1, np.arange(len(real), dtype=np.int64), cells)
    runs = held.merged()
    return {
        "least": [run.start + 1 for run in runs],
        "most": [run.stop for run in runs],
        "real": [suppressed_count(int((real > run.start).sum())) for run in runs],
        "synthetic": [int((synthetic > run.start).sum()) for run in runs],
    }


def _windows(pool: PatientPool) -> NDArray[np.float64]:
    """Return the edges of about eight windows of time with round ends, from the first to nearly the last visit."""
    seen = pool.clock[pool.is_training()]
    low, high = float(np.floor(np.nanmin(seen))), float(np.nanquantile(seen, _LAST))
    if not high > low:
        return np.empty(0)
    raw = (high - low) / _BINS
    power = 10.0 ** np.floor(np.log10(raw))
    step = power * next(m for m in _NICE if m * power >= raw * 0.999)
    start = np.floor(low / step) * step
    edges: NDArray[np.float64] = start + step * np.arange(int(np.ceil((high - start) / step - 1e-9)) + 1)
    return edges.round(9)


def _curve(pool: PatientPool, j: int, edges: NDArray[np.float64]) -> dict[str, Any]:
    """Return mean and quartiles of one column in each window; of levels the share of the level of the curve."""
    feature, cells = pool.c.features.columns[j], pool.visits.values[:, j]
    level = _level(feature, cells[pool.is_training()])
    x = cells if level is None else np.where(np.isnan(cells), np.nan, cells == level)
    window = np.searchsorted(edges, pool.clock, side="right") - 1
    window[(pool.clock > edges[-1]) | np.isnan(pool.clock)] = -1
    window[pool.clock == edges[-1]] = len(edges) - 2
    real, synthetic = (
        _points(pool, places, x, window, len(edges) - 1, share=level is not None, fewest=fewest)
        for places, fewest in ((pool.train, MIN_PATIENTS), (pool.synthetic, 1))
    )
    sd = float(np.nanstd(x[pool.is_training()]))
    return {
        "column": feature.name,
        "unit": None if level is not None else feature.column.unit,
        "level": None if level is None else str(feature.levels[level]),
        "edges": edges,
        "sd": sd,
        "real": real,
        "synthetic": synthetic,
    }


def _level(feature: Feature, cells: NDArray[np.float64]) -> int | None:
    """Return the level whose share is shown: the last of ordered or two levels, else the most frequent."""
    if feature.kind == "line":
        return None
    if feature.kind == "ordinal" or len(feature.levels) == 2:
        return len(feature.levels) - 1
    return int(np.argmax(np.bincount(cells[~np.isnan(cells)].astype(int), minlength=len(feature.levels))))


def _points(
    pool: PatientPool,
    patients: NDArray[np.intp],
    x: NDArray[np.float64],
    window: NDArray[np.intp],
    windows: int,
    *,
    share: bool,
    fewest: int,
) -> list[dict[str, Any] | None]:
    """Return mean and quartiles in each window over patients, each with the mean of their visits in it.

    None where there are fewer than `fewest` patients, or as few, but not none, with or without the level of a share.
    """
    visits = pool.visits.visits_of(patients)
    known = visits[~np.isnan(x[visits]) & (window[visits] >= 0)]
    place = pool.visits.patient[known] * windows + window[known]
    cell, each = np.unique(place, return_inverse=True)
    means = np.bincount(each, weights=x[known]) / np.bincount(each) if len(known) else np.empty(0)
    points: list[dict[str, Any] | None] = []
    for w in range(windows):
        here = means[cell % windows == w]
        parts = [int((here > 0).sum()), int((here < 1).sum())] if share else []
        if len(here) < fewest or any(0 < part < fewest for part in parts):
            points.append(None)
            continue
        low, high = (None, None) if share else np.quantile(here, [0.25, 0.75])
        points.append({"patients": len(here), "mean": here.mean(), "low": low, "high": high})
    return points


def _courses(pool: PatientPool, j: int) -> dict[str, Any]:
    """Return the known values of some synthetic patients with three visits or more, by time."""
    visits, cells = pool.visits, pool.visits.values[:, j]
    known = visits.sums((~np.isnan(cells)).astype(np.float64))[pool.synthetic] >= _FEWEST_VISITS
    rng = pool.c.rng("visits", "courses")
    chosen = rng.permutation(pool.synthetic[known])[:_COURSES]
    courses = []
    for one in chosen:
        rows = visits.visits_of(np.array([one]))
        rows = rows[~np.isnan(cells[rows])]
        courses.append([[float(t), float(v)] for t, v in zip(pool.clock[rows], cells[rows], strict=True)])
    feature = pool.c.features.columns[j]
    levels = [str(level) for level in feature.levels]
    return {"column": feature.name, "unit": feature.column.unit, "levels": levels, "patients": courses}
