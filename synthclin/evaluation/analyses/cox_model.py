"""Cox regression of statsmodels with sums over risk sets of all event times at once, not one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from statsmodels.duration.hazard_regression import PHReg

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["CoxModel"]


class _Events(NamedTuple):
    """What the likelihood needs of each event, for one vector of coefficients.

    Arguments:
        linear: (events,) linear predictor, relative to the largest of all rows.
        hazards: (rows,) relative hazards.
        total: (events,) summed hazards of the risk set; by Efron's method less a part of those of tied events.
        mean: (events, terms) mean covariates of that set, weighted by hazard.
    """

    linear: Floats
    hazards: Floats
    total: Floats
    mean: Floats


class CoxModel(PHReg):  # type: ignore[misc]
    """`PHReg` of one stratum without late entries: the same likelihood and fit in a few operations on arrays.

    Ties as in Breslow, Biometrics 30:89-99, 1974, and Efron, JASA 72:557-565, 1977.

    Arguments:
        time: (rows,) to the event or to censoring.
        x: (rows, terms) covariates.
        events: (rows,) 1 for an event, 0 for censoring; at least one event.

    Example:
        >>> x, time = np.array([[0.0], [1.0], [0.0], [1.0]]), np.array([2.0, 1.0, 3.0, 3.0])
        >>> CoxModel(time, x, np.array([1.0, 1.0, 1.0, 0.0])).score(np.zeros(1)).round(3).tolist()
        [-0.333]
    """

    def __init__(self, time: Floats, x: Floats, events: Floats) -> None:
        # Without ties both methods are equal.
        tied = len(np.unique(time[events == 1])) < events.sum()
        super().__init__(time, x, status=events, ties="efron" if tied else "breslow")
        surv = self.surv  # rows in the order of time, without those that are censored before the first event
        self._x: Floats = surv.exog_s[0]
        self._set = np.searchsorted(surv.ufailt[0], surv.time_s[0], side="right") - 1
        self._begins = np.searchsorted(self._set, np.arange(len(surv.ufailt[0])))
        self._event = surv.status_s[0] == 1
        self._at = self._set[self._event]
        first = np.searchsorted(self._at, self._at)
        size = np.bincount(self._at)[self._at]
        self._part: Floats = (np.arange(len(first)) - first) / size if tied else np.zeros(len(first))

    def loglike(self, params: Floats) -> float:
        """Return the log partial likelihood."""
        found = self._events(params)
        return float(found.linear.sum() - np.log(found.total).sum())

    def score(self, params: Floats) -> Floats:
        """Return its (terms,) gradient."""
        gradient: Floats = (self._x[self._event] - self._events(params).mean).sum(axis=0)
        return gradient

    def hessian(self, params: Floats) -> Floats:
        """Return its (terms, terms) Hessian."""
        found, sets = self._events(params), len(self._begins)
        share = np.cumsum(np.bincount(self._at, 1 / found.total, sets))[self._set]
        share[self._event] -= np.bincount(self._at, self._part / found.total, sets)[self._at]
        second = (self._x * (found.hazards * share)[:, None]).T @ self._x
        information: Floats = second - found.mean.T @ found.mean
        return -information

    def weighted_covariate_averages(self, params: Floats) -> list[Floats]:
        """Return the (event times, terms) mean covariates of each risk set, weighted by hazard, in a list of one."""
        hazards = self._hazards(params)[1]
        return [self._sums(hazards[:, None] * self._x) / self._sums(hazards)[:, None]]

    def _hazards(self, params: Floats) -> tuple[Floats, Floats]:
        linear: Floats = self._x @ params
        linear = linear - linear.max()
        return linear, np.exp(linear)

    def _sums(self, values: Floats) -> Floats:
        """Return sums over the risk set of each event time: the rows from its own on."""
        return np.cumsum(np.add.reduceat(values, self._begins, axis=0)[::-1], axis=0)[::-1]

    def _events(self, params: Floats) -> _Events:
        linear, hazards = self._hazards(params)
        weighted = hazards[:, None] * self._x
        total, whole = self._sums(hazards)[self._at], self._sums(weighted)[self._at]
        if self._part.any():
            failed = np.where(self._event, hazards, 0.0)
            total = total - self._part * np.add.reduceat(failed, self._begins)[self._at]
            of_tied = np.add.reduceat(failed[:, None] * self._x, self._begins, axis=0)[self._at]
            whole = whole - self._part[:, None] * of_tied
        return _Events(linear[self._event], hazards, total, whole / total[:, None])
