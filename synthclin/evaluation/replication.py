"""Would the analysis of the study give the same answer on the synthetic table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.analyses import study
from synthclin.evaluation.samples import likeness
from synthclin.evaluation.score import Definition, Score, Z

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.analyses import Estimates, Study
    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.spread import Against
    from synthclin.evaluation.tasks import Analysis

__all__ = ["COX_EFFORT", "combined", "overlap", "overlap_of", "replicate"]

COX_EFFORT = {"rounds": 4, "splits": 4}
"""The library takes a second for a Cox regression of a thousand rows."""

_KINDS = {
    "linear": "linear regression (least squares, statsmodels)",
    "logistic": "logistic regression (maximum likelihood, statsmodels)",
    "cox": "Cox regression (Efron's ties, statsmodels)",
    "survival": "restricted mean survival time under the Kaplan-Meier curve, with Greenwood's variance",
    "compare": "difference of means or shares between groups, with Welch's variance",
}
_NARROW = "Intervals from one synthetic table are too narrow, and more rows than the study had add no information."


def replicate(c: Comparison, task: Analysis, found: Study | None = None) -> Score:
    """Score how far the confidence intervals of one declared analysis overlap, term by term.

    Arguments:
        c: the tables.
        task: the analysis.
        found: what `study` makes of it, where other scores look at the same fits.

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
            # A term that only the other table cannot estimate is lost.
            lost: NDArray[np.float64] = np.where(np.isnan(shares) & ~np.isnan(first[0]), -1.0, shares)
            return lost

        return against

    rows = _terms(c, found, real)
    turned = [row["term"] for row in rows if row["sign_agrees"] is False]
    effort = {"most": 1_000, **COX_EFFORT} if task.task == "cox" else {}
    return likeness(c, measure, task.name, low=-1.0, **effort).score(
        definition,
        notes=[_NARROW, f"The sign of {len(turned)} clear effects turned round." if turned else ""],
        details={
            "terms": rows,
            "tables": len(c.replicates),
            "horizon": found.horizon,
            "curves": None if found.curves is None else found.curves(c.train, c.synthetic),
            "signs_agree": _share(rows, "sign_agrees"),
            "decisions_agree": _share(rows, "decision_agrees"),
            "estimates_agree": _share(rows, "estimate_agrees"),
        },
    )


def overlap_of(task: Analysis) -> Definition:
    """Return what the score of a declared analysis is."""
    return Definition(
        task.name,
        f"Would the declared analysis of '{task.columns[0]}' give the same answer?",
        "higher",
        f"{_KINDS[task.task]} of complete rows: mean over terms of the overlap of the 95 % confidence intervals, "
        "1 where they are the same, below 0 where they are apart (counted as -1 at least), synthetic against as many "
        "training rows, mean of random halves of the real rows, 10 (for Cox regression 4, of at most 1,000 rows) "
        "(Karr et al., Am Stat 60:224-232, 2006); the details combine the tables by Raab, Nowok and Dibben, J Priv "
        "Confid 7:67-97, 2016",
    )


def overlap(first: Estimates, second: Estimates) -> NDArray[np.float64]:
    """Return (terms,) the mean share of both 95 % intervals that they have in common; below 0 where they are apart.

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
    """Return estimates of several synthetic tables as one, with the standard errors of what they say of the real law.

    The variance is u (k / n + 1 / m): u is the mean squared error of one table, k / n its rows over the real
    ones, m the number of tables (Raab, Nowok and Dibben, J Priv Confid 7:67-97, 2016). It holds for synthetic rows
    of a correct model; no network is known to be one.

    Arguments:
        tables: the estimates of each table.
        rows: k / n.
    """
    estimates, errors = (np.array(part) for part in zip(*tables, strict=True))
    return estimates.mean(axis=0), np.sqrt((errors**2).mean(axis=0) * (rows + 1 / len(tables)))


def _terms(c: Comparison, found: Study, real: Estimates) -> list[dict[str, Any]]:
    """Return what the training rows and all synthetic tables together say of each term."""
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
                "between_tables": None if spread is None else spread[k],
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
    """Return what a test at 5 % says: 1 above nothing, -1 below it, 0 undecided."""
    return int(np.sign(estimate)) if abs(estimate) > Z * error else 0


def _share(rows: list[dict[str, Any]], key: str) -> float | None:
    known = [row[key] for row in rows if row[key] is not None]
    return sum(known) / len(known) if known else None
