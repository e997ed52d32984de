"""Propensity score mean squared error (pMSE) of a logistic model of synthetic against training rows."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from synthclin.evaluation.details import Details, Finite
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.fidelity.estimate import estimate_fidelity, fair_size
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.score import Score
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.features import Features

__all__ = ["PMSE", "PropensityDetails", "pmse", "propensity"]

_MOST_ROWS = 5_000
_ROUNDS = 5
_ROWS_PER_TERM = 10  # fewer, and a logistic model fits noise (Peduzzi et al., J Clin Epidemiol 49:1373-1379, 1996)
_WEAK = 1e4  # a penalty so weak that it only affects terms that separate the rows


class PropensityDetails(Details):
    """Details of the propensity score."""

    s_pmse: Finite | None
    """Ratio of the pMSE to that of a correct model; below 3 is good, below 10 acceptable (synthpop)."""
    s_pmse_reference: Finite | None
    """The same ratio for holdout rows."""
    expected: Finite
    """pMSE of a correct model."""


PMSE = Kind(
    name="fidelity.propensity",
    question="How well does a logistic model tell synthetic rows from real ones?",
    better="lower",
    method=(
        "pMSE: mean squared distance of a logistic model's propensity score from the share of synthetic rows, "
        f"{_MOST_ROWS} rows of each kind at most, main effects and, where there are {_ROWS_PER_TERM} rows per term, "
        f"products of two, missing as a level; against as many training rows, mean of {_ROUNDS} random halves of the "
        "real rows (Snoke, Raab, Nowok, Dibben and Slavkovic, JRSS A 181:663-688, 2018)"
    ),
    section="fidelity",
    label="Propensity (pMSE)",
    unit="propensity mean squared error",
    ideal=0.0,
    details=PropensityDetails,
    is_headline=True,
)


def propensity(c: Comparison) -> Score:
    """Score the pMSE of a logistic model of all columns, synthetic against training rows."""
    ratios = []
    crossed = _crossed(2 * fair_size(c, _MOST_ROWS), _main_effects(c.features, c.train).shape[1])

    def distance(real: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
        value, expected = pmse(c.features, real, other)
        ratios.append(expected)
        return np.array([value])

    found = estimate_fidelity(
        c, lambda real: partial(distance, real), "propensity", rounds=_ROUNDS, most=_MOST_ROWS, high=0.25
    )
    expected = float(np.mean(ratios))
    return found.score(
        PMSE,
        notes=[
            tr("S_pMSE is its ratio to that of a correct model: below 3 is good, below 10 acceptable (synthpop)."),
            "" if crossed else tr("There are too few rows for products of columns, so dependence is not seen."),
        ],
        details={
            "s_pmse": found.value / expected,
            "s_pmse_reference": found.reference / expected,
            "expected": expected,
        },
    )


def pmse(features: Features, real: NDArray[np.float64], other: NDArray[np.float64]) -> tuple[float, float]:
    """Return pMSE and its expectation (k - 1)(1 - c)^2 c / N for synthetic rows of a correct model.

    Arguments:
        features: the columns.
        real: (rows, columns).
        other: (other rows, columns); they are a share c of all N rows.
    """
    values = np.vstack([real, other])
    synthetic = np.arange(len(values)) >= len(real)
    terms = _main_effects(features, values)
    p = terms.shape[1]
    if _crossed(len(values), p):
        first, second = np.triu_indices(p, 1)
        terms = np.hstack([terms, terms[:, first] * terms[:, second]])
    spread = terms.std(axis=0)
    terms = (terms[:, spread > 1e-9] - terms[:, spread > 1e-9].mean(axis=0)) / spread[spread > 1e-9]
    c = synthetic.mean()
    rank = int(np.linalg.matrix_rank(terms.T @ terms, hermitian=True)) if terms.shape[1] else 0
    expected = max(rank, 1) * (1 - c) ** 2 * c / len(values)
    if not rank:
        return 0.0, expected
    model = LogisticRegression(C=_WEAK, solver="newton-cholesky", max_iter=50, tol=1e-3)
    with warnings.catch_warnings():
        # Separating terms have no finite optimum; the propensities are 0 and 1 long before the iterations end.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(terms, synthetic)
    return float(((model.predict_proba(terms)[:, 1] - c) ** 2).mean()), expected


def _crossed(rows: int, terms: int) -> bool:
    """Return whether there are 10 rows per term with all products of two terms."""
    return rows >= _ROWS_PER_TERM * terms * (terms + 1) / 2


def _main_effects(features: Features, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """(rows, terms): numbers with the mean where missing, and an indicator of each level and of missing cells."""
    codebook = Codebook.of(features, values)
    codes = codebook.codes(features, values)
    blocks = []
    for j, feature in enumerate(features.columns):
        missing = np.isnan(values[:, j])
        if feature.kind == "line":
            mean = values[~missing, j].mean() if not missing.all() else 0.0
            blocks += [np.where(missing, mean, values[:, j])[:, None], missing[:, None]]
        else:
            blocks.append(codes[:, [j]] == np.arange(1, codebook.cardinalities[j]))
    return np.hstack(blocks).astype(np.float64)
