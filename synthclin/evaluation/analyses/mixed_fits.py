"""Linear mixed models by restricted maximum likelihood (REML): random intercept and slope of each patient."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import minimize

from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["MixedFit", "fit_mixed"]

_STARTS = (0.0, -1.5)  # logarithms of the random effects' standard deviations over the residual one
_BOUND = 7.0  # of these logarithms: a smaller random effect is none
_STEP = 1e-3
_NONE = 1e-2  # ratio to the residual standard deviation below which the likelihood is flat
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class MixedFit:
    """A fitted linear mixed model.

    Arguments:
        estimates: (fixed + random effects + 1,) fixed effects, without the intercept, then the standard deviations of
            the random effects and of the residuals; NaN where the fit fails.
        errors: their standard errors.
        problem: the reason why the fit fails, as a sentence; empty if it does not.
    """

    estimates: NDArray[np.float64]
    errors: NDArray[np.float64]
    problem: str = ""


def fit_mixed(
    x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], patient: NDArray[np.int64]
) -> MixedFit:
    """Fit a linear mixed model with correlated random effects of patients by REML.

    The likelihood is that of Laird and Ware, Biometrics 38:963-974, 1982; fixed effects and residual variance are
    profiled out, so that at most three parameters are searched for. Standard errors of fixed effects are those of
    generalised least squares, those of standard deviations come from the curvature of the likelihood.

    Arguments:
        x: (rows, fixed) design matrix without missing values and without a constant.
        y: (rows,) outcome without missing values.
        z: (rows, random) design of the random effects: a constant, and a time for a random slope.
        patient: (rows,) patient of each row.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> who = np.repeat(np.arange(200), 5)
        >>> x = rng.normal(size=(1000, 1))
        >>> y = 2 * x[:, 0] + rng.normal(0, 3, 200)[who] + rng.normal(0, 1, 1000)
        >>> fit_mixed(x, y, np.ones((1000, 1)), who).estimates.round().tolist()
        [2.0, 3.0, 1.0]
    """
    count = x.shape[1] + z.shape[1] + 1
    whole = np.column_stack([np.ones(len(x)), x])
    unknown = np.full(count, np.nan)
    varies = np.ptp(whole, axis=0) > 0 if len(whole) else np.zeros(whole.shape[1], dtype=bool)
    varies[0] = True
    numbers = np.unique(patient, return_inverse=True)[1]
    if problem := _problem(whole[:, varies], y, numbers):
        return MixedFit(unknown, unknown, problem)
    moments = _Moments.of(whole[:, varies], y, z, numbers)
    found = min((_searched(moments, start) for start in _STARTS), key=lambda each: each[1])[0]
    factor = moments.factor(found)
    beta, covariance, variance = moments.solved(factor)
    deviations, errors = _deviations(moments, found, float(np.sqrt(variance)))
    estimates, all_errors = unknown.copy(), unknown.copy()
    fixed = np.flatnonzero(varies)[1:] - 1
    estimates[fixed], all_errors[fixed] = beta[1:], np.sqrt(np.diag(covariance) * variance)[1:]
    estimates[x.shape[1] :], all_errors[x.shape[1] :] = deviations, errors
    return MixedFit(estimates, all_errors)


def _problem(x: NDArray[np.float64], y: NDArray[np.float64], patient: NDArray[np.int64]) -> str:
    """Return why a model of these rows cannot be fitted; empty where it may be."""
    patients = int(patient.max()) + 1 if len(patient) else 0
    if patients <= x.shape[1] + 1 or len(y) <= patients:
        return tr("There are too few complete visits or patients for its terms.")
    if np.ptp(y) == 0:
        return tr("The outcome does not vary.")
    if np.linalg.matrix_rank(x) < x.shape[1]:
        return tr("The terms depend on each other.")
    return ""


@dataclass(frozen=True, slots=True)
class _Moments:
    """Sums of products of each patient, from which the likelihood of any variances follows.

    Arguments:
        rows: the number of rows.
        zz: (patients, random, random).
        zx: (patients, random, fixed and the outcome).
        xx: (fixed and the outcome, the same), over all patients.
    """

    rows: int
    zz: NDArray[np.float64]
    zx: NDArray[np.float64]
    xx: NDArray[np.float64]

    @classmethod
    def of(
        cls, x: NDArray[np.float64], y: NDArray[np.float64], z: NDArray[np.float64], patient: NDArray[np.int64]
    ) -> _Moments:
        """Sum up the rows of each patient."""
        order = np.argsort(patient, kind="stable")
        both, z = np.column_stack([x, y])[order], z[order]
        starts = np.flatnonzero(np.diff(patient[order], prepend=-1))

        def sums(left: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
            return np.add.reduceat(left[:, :, None] * right[:, None, :], starts, axis=0)

        return cls(len(y), sums(z, z), sums(z, both), both.T @ both)

    @property
    def fixed(self) -> int:
        """The number of fixed effects, the constant included."""
        return len(self.xx) - 1

    def factor(self, parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the Cholesky factor of the random effects' covariance over the residual variance."""
        scales = np.exp(np.clip(parameters[: self.zz.shape[1]], -_BOUND, _BOUND))
        if len(scales) == 1:
            return np.array([[scales[0]]])
        rho = np.tanh(parameters[2])
        return np.array([[scales[0], 0.0], [scales[1] * rho, scales[1] * np.sqrt(1 - rho**2)]])

    def weighted(self, factor: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
        """Return the products of fixed effects and outcome, weighted by the inverse covariance, and its log det."""
        inner = np.eye(len(factor)) + factor.T @ self.zz @ factor
        scaled = factor.T @ self.zx
        matrix: NDArray[np.float64] = self.xx - np.einsum("iqa,iqb->ab", scaled, np.linalg.solve(inner, scaled))
        return matrix, float(np.linalg.slogdet(inner)[1].sum())

    def solved(self, factor: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
        """Return fixed effects, their covariance over the residual variance, and the residual variance."""
        matrix, _ = self.weighted(factor)
        p = self.fixed
        inverse = np.asarray(np.linalg.inv(matrix[:p, :p]), dtype=np.float64)
        beta = inverse @ matrix[:p, p]
        rest = max(float(matrix[p, p] - matrix[:p, p] @ beta), 1e-300)
        return beta, inverse, rest / (self.rows - p)

    def deviance(self, parameters: NDArray[np.float64], log_sd: float | None = None) -> float:
        """Return minus twice the restricted log likelihood, at the best residual variance without `log_sd`."""
        matrix, log_det = self.weighted(self.factor(parameters))
        p = self.fixed
        log_fixed = float(np.linalg.slogdet(matrix[:p, :p])[1])
        beta = np.linalg.solve(matrix[:p, :p], matrix[:p, p])
        rest = max(float(matrix[p, p] - matrix[:p, p] @ beta), 1e-300)
        freedom = self.rows - p
        if log_sd is None:
            return freedom * float(np.log(rest / freedom)) + freedom + log_det + log_fixed
        return 2 * freedom * log_sd + rest * float(np.exp(-2 * log_sd)) + log_det + log_fixed


def _searched(moments: _Moments, start: float) -> tuple[NDArray[np.float64], float]:
    """Return the parameters of the least deviance from one start, and the deviance."""
    random = moments.zz.shape[1]
    first = np.array([start, start, 0.0][: 1 if random == 1 else 3])
    bounds = [(-_BOUND, _BOUND), (-_BOUND, _BOUND), (-3.0, 3.0)][: len(first)]
    found = minimize(moments.deviance, first, method="L-BFGS-B", bounds=bounds, options={"maxiter": _MOST_STEPS})
    return found.x, float(found.fun)


def _deviations(
    moments: _Moments, parameters: NDArray[np.float64], residual: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the standard deviations of random effects and residuals, and their standard errors.

    A random effect at the boundary of 0 has the standard error at which the deviance has risen by 1.
    """
    random = moments.zz.shape[1]
    logs = np.concatenate([parameters, [np.log(residual)]])

    def deviance(at: NDArray[np.float64]) -> float:
        return moments.deviance(at[:-1], float(at[-1]))

    ratios = np.exp(np.clip(parameters[:random], -_BOUND, _BOUND))
    free = [k for k in range(len(logs)) if not (k < random and ratios[k] < _NONE)]
    # Without a random effect its correlation has no meaning.
    free = [k for k in free if not (k == random and random > 1 and (ratios < _NONE).any())]
    hessian = _curvature(deviance, logs, free)
    # The logarithm of a standard deviation is that of its ratio plus that of the residual one.
    of_deviation = np.zeros((random + 1, len(free)))
    for row in range(random + 1):
        for column, k in enumerate(free):
            of_deviation[row, column] = float(k == len(logs) - 1 or k == row < random)
    try:
        covariance = of_deviation @ (2 * np.linalg.inv(hessian)) @ of_deviation.T
        variances = np.diag(covariance)
    except np.linalg.LinAlgError:
        variances = np.full(random + 1, np.nan)
    values = np.concatenate([ratios * residual, [residual]])
    with np.errstate(invalid="ignore"):
        errors = values * np.sqrt(np.where(variances > 0, variances, np.nan))
    for k in range(random):
        if ratios[k] < _NONE:
            values[k], errors[k] = 0.0, residual * _rise(moments, parameters, k)
    return values, errors


def _curvature(deviance: object, at: NDArray[np.float64], free: list[int]) -> NDArray[np.float64]:
    """Return the matrix of second derivatives by central differences, of the free parameters."""
    assert callable(deviance)
    matrix = np.empty((len(free), len(free)))
    steps = np.eye(len(at)) * _STEP
    for a, i in enumerate(free):
        for b, j in enumerate(free[: a + 1]):
            ways = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
            values = [deviance(at + s * steps[i] + t * steps[j]) for s, t in ways]
            matrix[a, b] = matrix[b, a] = (values[0] - values[1] - values[2] + values[3]) / (4 * _STEP**2)
    return matrix


def _rise(moments: _Moments, parameters: NDArray[np.float64], k: int) -> float:
    """Return the ratio of a random effect's standard deviation at which the deviance has risen by 1."""
    least = moments.deviance(parameters)
    low, high = -_BOUND, _BOUND
    for _ in range(40):
        middle = (low + high) / 2
        at = parameters.copy()
        at[k] = middle
        low, high = (low, middle) if moments.deviance(at) - least > 1 else (middle, high)
    return float(np.exp(low))
