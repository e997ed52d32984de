"""A linear mixed model of a number at each visit: fixed effects, standard deviations between and within patients."""

from __future__ import annotations

from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.analyses.analysis_study import Study
from synthclin.evaluation.analyses.design import design_of, is_treatment, place_of
from synthclin.evaluation.analyses.mixed_fits import MixedFit, fit_mixed
from synthclin.evaluation.analyses.model_fits import RegressionFit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.tasks import MixedTask

__all__ = ["mixed_study", "with_patients"]

_DAY = 86_400.0  # seconds
_INTERCEPTS, _SLOPES, _WITHIN = "SD of intercepts", "SD of slopes", "SD within patients"


def with_patients(c: Comparison) -> Comparison:
    """Return the comparison with the number of the patient as a last column of all rows, beyond the features.

    Dates of visits become days since the first visit of the patient.
    """
    assert c.schema.visit_time is not None
    time = place_of(c, c.schema.visit_time)
    column = c.features.columns[time].column

    def of(rows: NDArray[np.float64], who: NDArray[np.int64], shift: int = 0) -> NDArray[np.float64]:
        rows = np.column_stack([rows, who + shift])
        if column.is_temporal:
            first = np.full(int(who.max()) + 1, np.inf)
            np.minimum.at(first, who, np.nan_to_num(rows[:, time], nan=np.inf))
            rows[:, time] = (rows[:, time] - first[who]) / (_DAY if column.resolution == "s" else 1.0)
        return rows

    many = int(c.train_patients.max()) + 1
    holdout = None
    if c.holdout is not None and c.holdout_patients is not None:
        holdout = of(c.holdout, c.holdout_patients, many)
    return replace(
        c,
        train=of(c.train, c.train_patients),
        holdout=holdout,
        shuffled=of(c.shuffled, c.train_patients),
        replicates=tuple(of(*table) for table in zip(c.replicates, c.synthetic_patients, strict=True)),
    )


def mixed_study(c: Comparison, task: MixedTask) -> Study:
    """Return a linear mixed model as functions of rows, whose last column is the patient; see `with_patients`."""
    assert c.schema.visit_time is not None
    design = design_of(c, task.fixed)
    outcome, time = place_of(c, task.outcome), place_of(c, c.schema.visit_time)
    moving = [k for k, j in enumerate(design.places) if c.features.names[j] in task.by_time]
    timed = design_of(c, (c.schema.visit_time,))
    start, sd = _scale(c, time)
    terms = [*design.terms, *(f"{design.terms[k]}, per SD of {c.schema.visit_time}" for k in moving)]
    spread = [_INTERCEPTS, *([_SLOPES] if task.slope else []), _WITHIN]
    kept: dict[bytes, MixedFit] = {}

    def matrix(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        x = design.matrix(rows)
        return np.column_stack([x, x[:, moving] * timed.matrix(rows)[:, :1]]) if moving else x

    def fitted(rows: NDArray[np.float64]) -> MixedFit:
        key = blake2b(rows.tobytes()).digest()
        if key not in kept:
            x, y = matrix(rows), rows[:, outcome]
            known = ~np.isnan(x).any(axis=1) & ~np.isnan(y) & ~np.isnan(rows[:, time])
            z = np.ones((int(known.sum()), 1))
            if task.slope:
                z = np.column_stack([z, (rows[known, time] - start) / sd])
            kept[key] = fit_mixed(x[known], y[known], z, rows[known, -1].astype(np.int64))
        return kept[key]

    def as_regression(rows: NDArray[np.float64]) -> RegressionFit:
        found = fitted(rows)
        none = np.zeros(len(found.estimates), dtype=np.bool_)
        return RegressionFit(found.estimates, found.errors, found.errors * np.nan, None, found.problem, none)

    fixed = len(terms)
    effects = [is_treatment(c, c.features.names[j]) for j in design.places]
    return Study(
        (*terms, *spread),
        lambda rows: (fitted(rows).estimates, fitted(rows).errors),
        np.arange(fixed + len(spread)) < fixed,
        matrix=matrix,
        fit=as_regression,
        treatment=(*effects, *(effects[k] for k in moving), *(False for _ in spread)),
    )


def _scale(c: Comparison, time: int) -> tuple[float, float]:
    """Return the mean and the standard deviation of the training visits' times."""
    seen = c.train[:, time]
    return float(np.nanmean(seen)), float(np.nanstd(seen)) or 1.0
