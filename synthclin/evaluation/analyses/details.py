"""Types of the details of repeated analyses: estimates of terms, survival curves, and their shareable form."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, log10, sqrt
from typing import Annotated

from pydantic import Field, StrictBool, StrictStr, model_validator

from synthclin.evaluation.details import Count, Details, Finite, Share
from synthclin.evaluation.disclosure import (
    CORRELATION_STEP,
    Published,
    round_to,
    round_to_or_none,
    rounding_step,
    shared_total,
)
from synthclin.evaluation.score import Z
from synthclin.schema.patients import MIN_PATIENTS

__all__ = ["AnalysisDetails", "Arm", "SurvivalCurve", "Term", "TreatmentDetails", "WorstTerm"]

_SURE = 1 / sqrt(MIN_PATIENTS)  # with a smaller standard error of a log ratio, no cell is below 11

Ends = Annotated[list[Finite | None], Field(min_length=3, max_length=3)]


class Term(Details):
    """One estimate of an analysis, on real and on synthetic rows."""

    term: StrictStr
    """Name of the term."""
    is_contrast: StrictBool
    """Whether it is an effect or a difference; false for the level of a group."""
    real: Ends
    """Estimate of the training rows, lower and upper end of its 95 % interval; None where it diverges."""
    synthetic: Ends
    """The same of the synthetic rows, replicates combined."""
    between_replicates: Finite | None
    """Standard deviation of the estimate across synthetic replicates; None for one replicate."""
    overlap: Finite | None
    """Overlap of both intervals: 1 where they are equal, below 0 where they are disjoint."""
    difference: Finite | None
    """Absolute difference over the root of the sum of both squared standard errors, at most 10."""
    standardised_difference: Finite | None
    """Absolute difference over the real standard error."""
    sign_agrees: StrictBool | None
    """Whether the sign is that of real rows; None unless the real effect is clear."""
    decision_agrees: StrictBool | None
    """Whether a two-sided test at 5 % decides as on real rows; None for a level."""
    estimate_agrees: StrictBool | None
    """Whether the synthetic estimate lies in the real interval."""

    def shared(self, *, is_log_ratio: bool) -> Term | None:
        """Return the term rounded to a part of its standard error; None where it may rest on fewer than 11 patients."""
        value, low, high = self.real
        if value is None or low is None or high is None:
            return None
        error = (high - low) / (2 * Z)
        if error <= 0 or (is_log_ratio and error > _SURE):
            return None
        size = 10.0 ** ceil(log10(error / 4))
        size = next(part * size for part in (0.2, 0.5, 1.0) if part * size >= error / 4)
        rounded = {
            "real": [round_to(x, size) for x in (value, low, high)],
            "overlap": round_to_or_none(self.overlap, CORRELATION_STEP),
            "difference": round_to_or_none(self.difference, CORRELATION_STEP),
            "standardised_difference": round_to_or_none(self.standardised_difference, CORRELATION_STEP),
        }
        return self.model_copy(update=rounded)


class SurvivalCurve(Details):
    """A Kaplan-Meier curve at the first times of a grid."""

    survival: list[Share]
    """Survival at each time."""
    low: list[Share]
    """Lower end of the 95 % interval."""
    high: list[Share]
    """Upper end of the 95 % interval."""
    at_risk: list[Count]
    """Patients at risk."""
    censored: list[StrictBool]
    """Whether patients were censored since the time before."""

    @model_validator(mode="after")
    def _same_times(self) -> SurvivalCurve:
        if len({len(self.survival), len(self.low), len(self.high), len(self.at_risk), len(self.censored)}) != 1:
            raise ValueError("the parts of the curve differ in their number of times")
        return self

    def shared(self) -> SurvivalCurve:
        """Return the curve rounded to steps of 11 patients, with numbers at risk to tens."""
        size = rounding_step(self.at_risk[0]) if self.at_risk else 0.01
        ends = {key: [min(round_to(x, size), 1.0) for x in self[key]] for key in ("survival", "low", "high")}
        at_risk = [shared_total(n) for n in self.at_risk]
        return SurvivalCurve(**ends, at_risk=at_risk, censored=self.censored)


class Arm(Details):
    """Kaplan-Meier curves of one group."""

    group: StrictStr
    """Name of the group."""
    times: Annotated[list[Finite], Field(min_length=2)]
    """Times of the curves, in units of the time column."""
    real: SurvivalCurve
    """Curve of the training rows, up to the last time with 11 at risk."""
    synthetic: SurvivalCurve
    """Curve of the synthetic rows."""

    @model_validator(mode="after")
    def _within_times(self) -> Arm:
        if max(len(self.real.survival), len(self.synthetic.survival)) > len(self.times):
            raise ValueError("a curve has more points than there are times")
        if any(left >= right for left, right in pairwise(self.times)):
            raise ValueError("times do not increase")
        return self


class WorstTerm(Details):
    """The effect whose estimates are furthest apart."""

    term: StrictStr
    """Name of the term."""
    difference: Finite
    """Its difference, in standard errors."""
    terms: Count
    """Number of effects of the analysis."""


class AnalysisDetails(Details):
    """Details of an analysis on real and on synthetic rows."""

    terms: list[Term]
    """The estimates."""
    worst_term: WorstTerm | None
    """The effect whose estimates are furthest apart; None without an effect that is known."""
    replicates: Count
    """Number of synthetic replicates."""
    horizon: Finite | None
    """Last time of a survival analysis."""
    time_unit: StrictStr | None
    """UCUM unit of its times; None where the schema declares none."""
    curves: list[Arm] | None
    """Survival curves of each group; None for other analyses."""
    signs_agree: Share | None
    """Share of clear effects whose sign agrees."""
    decisions_agree: Share | None
    """Share of effects whose decision agrees."""
    estimates_agree: Share | None
    """Share of estimates within the real interval."""

    def shared(self, _published: Published, *, is_log_ratio: bool, hides_levels: bool) -> AnalysisDetails:
        """Return rounded estimates and curves.

        Arguments:
            is_log_ratio: whether the estimates are logarithms of ratios, whose standard errors tell of small counts.
            hides_levels: whether terms of single levels of the outcome are left out.
        """
        curves = [arm.model_copy(update={"real": arm.real.shared()}) for arm in self.curves or []]
        return AnalysisDetails(
            terms=_shared_terms(self.terms, is_log_ratio=is_log_ratio, hides_levels=hides_levels),
            worst_term=None,
            replicates=self.replicates,
            horizon=self.horizon,
            time_unit=self.time_unit,
            curves=curves or None,
            signs_agree=None,
            decisions_agree=None,
            estimates_agree=None,
        )


class TreatmentDetails(Details):
    """Details of the effect of the treatment."""

    terms: list[Term]
    """The effects of the treatment."""

    def shared(self, _published: Published, *, is_log_ratio: bool, hides_levels: bool) -> TreatmentDetails:
        """Return rounded effects; the arguments are those of `AnalysisDetails.shared`."""
        return TreatmentDetails(terms=_shared_terms(self.terms, is_log_ratio=is_log_ratio, hides_levels=hides_levels))


def _shared_terms(terms: list[Term], *, is_log_ratio: bool, hides_levels: bool) -> list[Term]:
    """Return the rounded terms that rest on 11 patients or more; none where single levels would tell of counts."""
    if hides_levels and any(", " in term.term for term in terms):
        return []
    shared = [term.shared(is_log_ratio=is_log_ratio) for term in terms]
    return [term for term in shared if term is not None]
