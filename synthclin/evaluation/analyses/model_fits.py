"""Regression fits by maximum likelihood: estimates, standard errors, and the reason where a fit or a term fails."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from scipy import stats

from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["RegressionFit", "fit_regression"]

_DIVERGED = 50.0  # standard error of a log odds or hazard ratio, per standard deviation or level
_STEEPEST = 10.0  # log hazard ratio of a diverged term in predictions
_STEPS = 100
_HALVINGS = 40
_TOLERANCE = 1e-8  # Newton decrement at convergence


def halved() -> str:
    """Return the note of a Cox regression by the fallback method."""
    return tr("The Newton method of statsmodels failed, as on skewed covariates; one with step halving was used.")


@dataclass(frozen=True, slots=True)
class RegressionFit:
    """A fitted regression.

    Arguments:
        estimates: (terms,) NaN where a term does not vary or diverges, everywhere if the fit fails.
        errors: (terms,) standard errors.
        drift: (terms,) z statistics of the proportional hazards test; NaN but for a Cox regression.
        slopes: (terms,) for predictions: 0 where a term does not vary, limited where it diverges; None if the fit
            fails.
        problem: the reason why the fit fails, as a sentence; empty if it does not.
        diverged: (terms,) whether the estimate of a term diverges.
        note: how the estimates were found, where the usual method failed.
    """

    estimates: NDArray[np.float64]
    errors: NDArray[np.float64]
    drift: NDArray[np.float64]
    slopes: NDArray[np.float64] | None
    problem: str
    diverged: NDArray[np.bool_]
    note: str = ""

    @classmethod
    def failed(cls, terms: int, problem: str, diverged: NDArray[np.bool_] | None = None) -> RegressionFit:
        """Return a fit without estimates."""
        unknown = np.full(terms, np.nan)
        none = np.zeros(terms, dtype=np.bool_) if diverged is None else diverged
        return cls(unknown, unknown, unknown, None, problem, none)


def fit_regression(
    kind: Literal["linear", "logistic", "cox"],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    time: NDArray[np.float64] | None = None,
) -> RegressionFit:
    """RegressionFit a regression by maximum likelihood.

    A term whose standard error is beyond every plausible effect diverges: the covariates separate the outcome
    (Albert and Anderson, Biometrika 71:1-10, 1984), or they are linearly dependent.

    Arguments:
        kind: of the regression.
        x: (rows, terms) design matrix without missing values.
        y: (rows,) the outcome; 1 or 0 for a logistic regression and for the event of a Cox regression.
        time: (rows,) to the event or to censoring, of a Cox regression.

    Example:
        >>> x = np.arange(40.0)[:, None]
        >>> fit_regression("logistic", x, (x[:, 0] > 20).astype(float)).problem
        'All estimates diverge: the covariates separate the outcome or depend on each other.'
    """
    terms = x.shape[1]
    varies = np.ptp(x, axis=0) > 0 if len(x) else np.zeros(terms, dtype=np.bool_)
    if problem := _problem(varies, y, time):
        return RegressionFit.failed(terms, problem)
    # On import the library adds a filter that shows its warnings.
    import statsmodels.tools.sm_exceptions  # noqa: F401, PLC0415

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # Separation is found from the standard errors.
        warnings.simplefilter("ignore")
        try:
            estimates, errors, drift, note = _fitted(kind, x[:, varies], y, time)
        except (np.linalg.LinAlgError, ValueError, FloatingPointError):
            return RegressionFit.failed(terms, tr("The maximum of the likelihood was not found."))
    known = np.isfinite(estimates)
    bad = ~known if kind == "linear" else ~known | ~(np.abs(errors) < _DIVERGED)
    diverged = np.zeros(terms, dtype=np.bool_)
    diverged[varies] = bad
    if bad.all():
        what = tr("All estimates diverge: the covariates separate the outcome or depend on each other.")
        return RegressionFit.failed(terms, what, diverged)
    whole = np.full((3, terms), np.nan)
    whole[:, varies] = np.where(bad, np.nan, [estimates, errors, drift])
    slopes = np.zeros(terms)
    slopes[varies] = np.where(bad, np.nan_to_num(estimates).clip(-_STEEPEST, _STEEPEST), estimates)
    return RegressionFit(whole[0], whole[1], whole[2], slopes, "", diverged, note)


def _problem(varies: NDArray[np.bool_], y: NDArray[np.float64], time: NDArray[np.float64] | None) -> str:
    """Return why a regression of these rows cannot be fitted; empty where it may be."""
    if len(y) <= len(varies) + 1:
        return tr("There are too few complete rows for its terms.")
    if not varies.any():
        return tr("No covariate varies.")
    if time is not None and not y.any():
        return tr("No complete row has the event.")
    # A Cox regression needs no censored row: the order of the times is its outcome.
    return tr("The outcome does not vary.") if time is None and np.ptp(y) == 0 else ""


_Found = tuple["NDArray[np.float64]", "NDArray[np.float64]", "NDArray[np.float64]", str]


def _fitted(kind: str, x: NDArray[np.float64], y: NDArray[np.float64], time: NDArray[np.float64] | None) -> _Found:
    """Return estimates, standard errors and z statistics of the proportional hazards test, by statsmodels, and a note.

    Raises:
        LinAlgError: the maximum of the likelihood was not found.
    """
    from statsmodels.genmod.families import Binomial  # noqa: PLC0415 (takes a second, and few runs need it)
    from statsmodels.genmod.generalized_linear_model import GLM  # noqa: PLC0415
    from statsmodels.regression.linear_model import OLS  # noqa: PLC0415

    if time is not None:
        return _cox(x, y, time)
    both = np.column_stack([np.ones(len(x)), x])
    found = OLS(y, both).fit() if kind == "linear" else GLM(y, both, family=Binomial()).fit()
    estimates = np.asarray(found.params)[1:]
    return estimates, np.asarray(found.bse)[1:], np.full(len(estimates), np.nan), ""


def _cox(x: NDArray[np.float64], events: NDArray[np.float64], time: NDArray[np.float64]) -> _Found:
    from statsmodels.duration.hazard_regression import PHRegResults  # noqa: PLC0415

    from synthclin.evaluation.analyses.cox_model import CoxModel  # noqa: PLC0415 (loads statsmodels)

    model, note = CoxModel(time, x, events), ""
    try:
        found = model.fit(disp=0)
        usual = bool(np.isfinite(found.params).all())
    except (np.linalg.LinAlgError, ValueError):
        usual = False
    if not usual:
        estimates = _maximum(model, x.shape[1])
        found, note = PHRegResults(model, estimates, np.linalg.inv(-model.hessian(estimates))), halved()
    return np.asarray(found.params), np.asarray(found.bse), _drift(found, time), note


def _maximum(model: Any, terms: int) -> NDArray[np.float64]:  # noqa: ANN401 (the library has no types)
    """Return the maximum of a log likelihood by Newton's method with step halving, from 0.

    Raises:
        LinAlgError: it is not found.
    """
    at = np.zeros(terms)
    height = float(model.loglike(at))
    for _ in range(_STEPS):
        gradient = model.score(at)
        step = np.linalg.solve(-model.hessian(at), gradient)
        if not abs(float(gradient @ step)) >= _TOLERANCE:
            break
        for halving in range(_HALVINGS):
            tried = at + step * 0.5**halving
            reached = float(model.loglike(tried))
            if reached > height:
                at, height = tried, reached
                break
        else:
            raise np.linalg.LinAlgError("no step rises")
    else:
        raise np.linalg.LinAlgError("no convergence")
    if not np.isfinite(at).all() or not np.isfinite(step).all():
        raise np.linalg.LinAlgError("no finite maximum")
    return at


def _drift(found: Any, time: NDArray[np.float64]) -> NDArray[np.float64]:  # noqa: ANN401 (the library has no types)
    """Return (terms,) z statistics of the proportional hazards test: scaled Schoenfeld residuals on the rank of time.

    Grambsch and Therneau, Biometrika 81:515-526, 1994.
    """
    residuals = np.asarray(found.schoenfeld_residuals)
    events = ~np.isnan(residuals).any(axis=1)
    ranks = stats.rankdata(time[events])
    ranks -= ranks.mean()
    scaled = events.sum() * residuals[events] @ np.asarray(found.cov_params())
    z: NDArray[np.float64] = ranks @ scaled / np.sqrt(events.sum() * np.asarray(found.bse) ** 2 * (ranks**2).sum())
    return z
