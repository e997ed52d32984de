"""Confidence interval overlap of a declared analysis on synthetic and on training rows (Karr et al. 2006)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.analyses.analysis_fits import fit_notes, study, why_not_run
from synthclin.evaluation.analyses.analysis_kinds import FARTHEST, effect_of, overlap_of
from synthclin.evaluation.analyses.details import AnalysisDetails, Term, TreatmentDetails, WorstTerm
from synthclin.evaluation.fidelity.estimate import COX_EFFORT, estimate_fidelity
from synthclin.evaluation.score import Interval, Score, Z
from synthclin.language import tr, tr_plural

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.analyses.analysis_fits import Estimates, Study
    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.tasks import Analysis

__all__ = ["combined", "overlap", "replicate", "standardised", "treatment_effect"]


def replicate(c: Comparison, task: Analysis, found: Study | None = None) -> Score:
    """Score the confidence interval overlap of one declared analysis, term by term.

    Arguments:
        c: the tables.
        task: the analysis.
        found: the result of `study` for the task, where other scores share its fits.

    Raises:
        ConfigError: the analysis names a column that it cannot use.
    """
    kind = overlap_of(task)
    found = study(c, task) if found is None else found
    if problem := why_not_run(c, found):
        return kind.unassessable(problem)
    real = found.run(c.train)

    def measure(rows: NDArray[np.float64]) -> Against:
        first = found.run(rows)

        def against(other: NDArray[np.float64]) -> NDArray[np.float64]:
            shares = np.clip(overlap(first, found.run(other)), -1, 1)
            # A term that cannot be estimated in the other table only counts as -1.
            overlaps: NDArray[np.float64] = np.where(np.isnan(shares) & ~np.isnan(first[0]), -1.0, shares)
            return overlaps

        return against

    rows = _terms(c, found, real)
    reversed_terms = [row.term for row in rows if row.sign_agrees is False]
    effort = {"most": 1_000, **COX_EFFORT} if task.task == "cox" else {}
    return estimate_fidelity(c, measure, task.name, low=-1.0, **effort).score(
        kind,
        notes=[
            tr(
                "Intervals from one synthetic table are too narrow, and more rows than the study had add no "
                "information."
            ),
            tr_plural(
                "The sign of {n} clear effect is reversed.",
                "The sign of {n} clear effects is reversed.",
                len(reversed_terms),
            )
            if reversed_terms
            else "",
            tr("Standard errors take the visits of a patient as independent; those of `task: mixed` do not.")
            if c.schema.visit_time is not None and task.task != "mixed"
            else "",
            *fit_notes(c, found),
        ],
        details=AnalysisDetails(
            terms=rows,
            worst_term=_worst_term(rows),
            replicates=len(c.replicates),
            horizon=found.horizon,
            time_unit=found.time_unit,
            curves=None if found.curves is None else found.curves(c.train, c.synthetic),
            signs_agree=_share([row.sign_agrees for row in rows]),
            decisions_agree=_share([row.decision_agrees for row in rows]),
            estimates_agree=_share([row.estimate_agrees for row in rows]),
        ),
    )


def treatment_effect(c: Comparison, task: Analysis, found: Study | None = None) -> Score:
    """Score the difference of the effect of the treatment between synthetic and training rows.

    A mean over terms would hide it behind terms of less interest.

    Arguments:
        c: the tables.
        task: the analysis; a column with the role treatment is among its covariates or defines its groups.
        found: the result of `study` for the task, where other scores share its fits.

    Raises:
        ConfigError: the analysis names a column that it cannot use.
    """
    kind = effect_of(task)
    found = study(c, task) if found is None else found
    if problem := why_not_run(c, found):
        return kind.unassessable(problem)
    real = found.run(c.train)
    rows = [row for row, own in zip(_terms(c, found, real), found.treatment, strict=True) if own]
    known = [row for row in rows if None not in row.real]
    if not known:
        notes = [tr("The effect of the treatment cannot be estimated in the training rows."), *fit_notes(c, found)]
        return kind.unassessable(" ".join(filter(None, notes)))
    value = max(row.difference or 0.0 for row in known)
    return kind.score(
        value, Interval(value, value), n=len(c.train), notes=fit_notes(c, found), details=TreatmentDetails(terms=rows)
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
    # An interval without width, as of a group without events, is a point; the other may contain it.
    points = (a_error == 0).astype(int) + (b_error == 0)
    inside = np.where(points == 2, 1.0, 0.5)
    shares = np.where(points > 0, np.where(common >= 0, inside, -1.0), shares)
    return np.where(np.isfinite(shares) & ~np.isnan(common), shares, np.nan)


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


def _terms(c: Comparison, found: Study, real: Estimates) -> list[Term]:
    """Return for each term the estimates of the training rows and of the combined replicates, and their agreement."""
    tables = [found.run(rows) for rows in c.replicates]
    together = combined(tables, len(c.synthetic) / len(c.train))
    shares = overlap(real, together)
    mean, error = (
        np.mean([estimates for estimates, _ in tables], axis=0),
        np.sqrt(np.mean([errors**2 for _, errors in tables], axis=0) / len(tables)),
    )
    apart = standardised(real, (mean, error))
    spread = np.std([estimates for estimates, _ in tables], axis=0, ddof=1) if len(tables) > 1 else None
    rows = []
    for k, term in enumerate(found.terms):
        (a, a_error), (b, b_error) = ((float(part[0][k]), float(part[1][k])) for part in (real, together))
        known = not np.isnan([a, b, a_error, b_error]).any() and a_error > 0 and b_error > 0
        clear = known and bool(found.contrast[k]) and abs(a) > 2 * a_error
        rows.append(
            Term(
                term=term,
                is_contrast=bool(found.contrast[k]),
                real=[a, a - Z * a_error, a + Z * a_error],
                synthetic=[b, b - Z * b_error, b + Z * b_error],
                between_replicates=None if spread is None else spread[k],
                overlap=shares[k],
                difference=apart[k],
                standardised_difference=abs(b - a) / a_error if known else None,
                sign_agrees=a * b > 0 if clear else None,
                decision_agrees=_decision(a, a_error) == _decision(b, b_error) if known and found.contrast[k] else None,
                estimate_agrees=abs(b - a) <= Z * a_error if known else None,
            )
        )
    return rows


def standardised(real: Estimates, synthetic: Estimates) -> NDArray[np.float64]:
    """Return (terms,) absolute differences over the root of the sum of both squared standard errors, at most 10.

    10 where the synthetic estimate is unknown, NaN where the real one is.

    Example:
        >>> error = np.array([0.3, 0.3])
        >>> standardised((np.array([0.0, 1.0]), error), (np.array([0.0, np.nan]), error)).tolist()
        [0.0, 10.0]
    """
    (a, a_error), (b, b_error) = real, synthetic
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(b - a) / np.hypot(a_error, b_error)
    apart = np.where(b == a, 0.0, np.where(np.isnan(apart), FARTHEST, apart))
    found: NDArray[np.float64] = np.where(np.isnan(a) | np.isnan(a_error), np.nan, np.minimum(apart, FARTHEST))
    return found


def _worst_term(rows: list[Term]) -> WorstTerm | None:
    """Return the contrast whose estimates are furthest apart, and how many contrasts there are."""
    known = [(row.difference, row.term) for row in rows if row.is_contrast and row.difference is not None]
    if not known:
        return None
    difference, term = max(known, key=lambda one: one[0])
    return WorstTerm(term=term, difference=difference, terms=len(known))


def _decision(estimate: float, error: float) -> int:
    """Return the decision of a two-sided test at 5 %: 1 or -1 for the sign of a significant effect, else 0."""
    return int(np.sign(estimate)) if abs(estimate) > Z * error else 0


def _share(agrees: list[bool | None]) -> float | None:
    known = [each for each in agrees if each is not None]
    return sum(known) / len(known) if known else None
