"""A declared analysis as functions of any rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from synthclin.evaluation.analyses.model_fits import RegressionFit

__all__ = ["Estimates", "Study"]

Estimates = tuple["NDArray[np.float64]", "NDArray[np.float64]"]
"""(terms,) estimates and (terms,) standard errors; NaN where they cannot be computed."""


@dataclass(frozen=True, slots=True)
class Study:
    """One analysis as functions of any rows.

    Arguments:
        terms: names of the estimated parameters.
        run: from (rows, columns) to estimates.
        contrast: (terms,) whether 0 is the null hypothesis, so that sign and significance have a meaning.
        horizon: last time of a survival analysis; else None.
        curves: from real and synthetic (rows, columns) to the data of a survival plot; else None.
        matrix: from (rows, columns) to the (rows, terms) design matrix of a regression; else None.
        fit: from (rows, columns) to the fit of a regression, computed once for the same rows; else None.
        treatment: (terms,) whether a term is an effect of a column with the role treatment.
        time_unit: UCUM unit of the times of a survival analysis; None where there is none.
    """

    terms: tuple[str, ...]
    run: Callable[[NDArray[np.float64]], Estimates]
    contrast: NDArray[np.bool_]
    horizon: float | None = None
    curves: Callable[[NDArray[np.float64], NDArray[np.float64]], list[dict[str, Any]]] | None = None
    matrix: Callable[[NDArray[np.float64]], NDArray[np.float64]] | None = None
    fit: Callable[[NDArray[np.float64]], RegressionFit] | None = None
    treatment: tuple[bool, ...] = ()
    time_unit: str | None = None
