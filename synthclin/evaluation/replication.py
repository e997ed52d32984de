"""Confidence interval overlap of a declared analysis on synthetic and on training rows (Karr et al. 2006)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.analyses import study
from synthclin.evaluation.fidelity import COX_EFFORT, estimate_fidelity
from synthclin.evaluation.score import Definition, Score, Z

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.analyses import Estimates, Study
    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.spread import Against
    from synthclin.evaluation.tasks import Analysis

__all__ = ["combined", "overlap", "overlap_of", "replicate"]

_KINDS = {
    "linear": "linear regression (least squares, statsmodels)",
    "logistic": "logistic regression (maximum likelihood, statsmodels)",
    "cox": "Cox regression (Efron's ties, statsmodels)",
    "survival": "restricted mean survival time under the Kaplan-Meier curve, with Greenwood's variance",
    "compare": "difference of means or shares between groups, with Welch's variance",
}
_NARROW = "Intervals from one synthetic table are too narrow, and more rows than the study had add no information."


def replicate(c: Comparison, task: Analysis, found: Study | None = None) -> Score:
    """Score the confidence interval overlap of one declared analysis, term by term.

    Arguments:
        c: the tables.
        task: the analysis.
        found: the result of `study` for the task, where other scores share its fits.

    Raises:
        ConfigError: the analysis names a column that it cannot use.
    """
    definition = overlap_of(task)
    found = study(c, task) if found is None else found
    if not found.terms:
        return definition.unassessable("No term is left: covariates or groups do not vary, or are too few.")
    real = found.run(c.train)
    if np.isnan(real[0]).all():
        return definition.unassessable("The analysis cannot be run on the training rows.")

    def measure(rows: NDArray[np.float64]) -> Against:
        first = found.run(rows)

        def against(other: NDArray[np.float64]) -> NDArray[np.float64]:
            shares = np.clip(overlap(first, found.run(other)), -1, 1)
            # A term that cannot be estimated in the other table only counts as -1.
            overlaps: NDArray[np.float64] = np.where(np.isnan(shares) & ~np.isnan(first[0]), -1.0, shares)
            return overlaps

        return against

    rows = _terms(c, found, real)
    reversed_terms = [row["term"] for row in rows if row["sign_agrees"] is False]
    effort = {"most": 1_000, **COX_EFFORT} if task.task == "cox" else {}
    return estimate_fidelity(c, measure, task.name, low=-1.0, **effort).score(
        definition,
        notes=[_NARROW, f"The sign of {len(reversed_terms)} clear effects is reversed." if reversed_terms else ""],
        details={
            "terms": rows,
            "replicates": len(c.replicates),
            "horizon": found.horizon,
            "curves": None if found.curves is None else found.curves(c.train, c.synthetic),
            "signs_agree": _share(rows, "sign_agrees"),
            "decisions_agree": _share(rows, "decision_agrees"),
            "estimates_agree": _share(rows, "estimate_agrees"),
        },
    )


def overlap_of(task: Analysis) -> Definition:
    """Return the definition of the score of a declared analysis."""
    return Definition(
        task.name,
        f"Would the declared analysis of '{task.columns[0]}' give the same answer?",
        "higher",
        f"{_KINDS[task.task]} of complete rows: mean over terms of the overlap of the 95 % confidence intervals, "
        "1 where they are equal, below 0 where they are disjoint (no less than -1), synthetic against as many "
        "training rows, mean of random halves of the real rows, 10 (for Cox regression 4, of at most 1,000 rows) "
        "(Karr et al., Am Stat 60:224-232, 2006); the details combine replicates by Raab, Nowok and Dibben, J Priv "
        "Confid 7:67-97, 2016",
    )


def overlap(first: Estimates, second: Estimates) -> NDArray[np.float64]:
    """Return (terms,) confidence interval overlaps: the mean share in common of both 95 % intervals, below 0 if apart.

    Karr et al., Am Stat 60:224-232, 2006.

    Example:
        >>> error = np.array([1.0, 1.0])
        >>> overlap((np.array([0.0, 0.0]), error), (np.array([0.0, 1.96]), error)).round(2)
        array([1. , 0.5])
    """
    (a, a_error), (b, b_error) = first, second
    common = np.minimum(a + Z * a_error, b + Z * b_error) - np.maximum(a - Z * a_error, b - Z * b_error)
    with np.errstate(invalid="ignore", divide="ignore"):
        shares: NDArray[np.float64] = common / (4 * Z) * (1 / a_error + 1 / b_error)
    return np.where(np.isfinite(shares), shares, np.nan)


def combined(tables: list[Estimates], rows: float) -> Estimates:
    """Combine the estimates of several synthetic replicates, with standard errors for the population.

    The variance is u (k / n + 1 / m): u is the mean squared standard error of one replicate, k / n its number of rows
    over that of the training rows, m the number of replicates (Raab, Nowok and Dibben, J Priv Confid 7:67-97, 2016).
    It assumes that the synthesizer is a correct model, which is not known of any network.

    Arguments:
        tables: estimates and standard errors of each replicate.
        rows: k / n.
    """
    estimates, errors = (np.array(part) for part in zip(*tables, strict=True))
    return estimates.mean(axis=0), np.sqrt((errors**2).mean(axis=0) * (rows + 1 / len(tables)))


def _terms(c: Comparison, found: Study, real: Estimates) -> list[dict[str, Any]]:
    """Return for each term the estimates of the training rows and of the combined replicates, and their agreement."""
    tables = [found.run(rows) for rows in c.replicates]
    together = combined(tables, len(c.synthetic) / len(c.train))
    shares = overlap(real, together)
    spread = np.std([estimates for estimates, _ in tables], axis=0, ddof=1) if len(tables) > 1 else None
    rows = []
    for k, term in enumerate(found.terms):
        (a, a_error), (b, b_error) = ((float(part[0][k]), float(part[1][k])) for part in (real, together))
        known = not np.isnan([a, b, a_error, b_error]).any() and a_error > 0 and b_error > 0
        clear = known and bool(found.contrast[k]) and abs(a) > 2 * a_error
        rows.append(
            {
                "term": term,
                "real": [a, a - Z * a_error, a + Z * a_error],
                "synthetic": [b, b - Z * b_error, b + Z * b_error],
                "between_replicates": None if spread is None else spread[k],
                "overlap": shares[k],
                "standardised_difference": abs(b - a) / a_error if known else None,
                "sign_agrees": a * b > 0 if clear else None,
                "decision_agrees": _decision(a, a_error) == _decision(b, b_error)
                if known and found.contrast[k]
                else None,
                "estimate_agrees": abs(b - a) <= Z * a_error if known else None,
            }
        )
    return rows


def _decision(estimate: float, error: float) -> int:
    """Return the decision of a two-sided test at 5 %: 1 or -1 for the sign of a significant effect, else 0."""
    return int(np.sign(estimate)) if abs(estimate) > Z * error else 0


def _share(rows: list[dict[str, Any]], key: str) -> float | None:
    known = [row[key] for row in rows if row[key] is not None]
    return sum(known) / len(known) if known else None
