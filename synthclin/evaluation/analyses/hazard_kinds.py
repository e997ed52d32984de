"""The kinds of score of a Cox regression: hazard ratios, their constancy, and prediction of real patients."""

from __future__ import annotations

from pydantic import StrictBool, StrictStr

from synthclin.evaluation.details import Count, Details, Finite, Share, TermValue
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score_names import hazard_names
from synthclin.language import tr

__all__ = [
    "BOOTSTRAP",
    "MOST_ROWS",
    "AccuracyDetails",
    "ConstancyDetails",
    "RatioDetails",
    "TermTest",
    "brier_kind",
    "concordance_kind",
    "constancy_kind",
    "ratio_kind",
]

MOST_ROWS = 1_000
"""Rows of a Cox regression; one of so many takes a second."""

BOOTSTRAP = 200
"""Bootstrap samples of the holdout's patients."""

_TRAINED = (
    "of a Cox regression trained on synthetic rows minus one trained on as many real rows, at most "
    f"{MOST_ROWS:,}; interval from {BOOTSTRAP} paired bootstrap samples of the holdout's patients, and from the "
    "variance between models of halves of the training rows, or of several synthetic replicates"
)


class RatioDetails(Details):
    """Details of the hazard ratios."""

    terms: list[TermValue]
    """Absolute difference of the log hazard ratio of each term."""


class TermTest(Details):
    """Test of proportional hazards for one term, on whole tables."""

    term: StrictStr
    """Name of the term."""
    real: Finite
    """z of the training rows."""
    synthetic: Finite
    """z of the synthetic rows."""
    verdict_agrees: StrictBool
    """Whether the test at 5 % decides alike."""


class ConstancyDetails(Details):
    """Details of the proportional hazards."""

    terms: list[TermTest]
    """The tests."""
    verdicts_agree: Share | None
    """Share of terms on which the test decides alike."""


class AccuracyDetails(Details):
    """Details of the prediction of real patients by a Cox regression."""

    real: Finite
    """The figure, trained on real rows."""
    synthetic: Finite
    """The figure, trained on synthetic rows."""
    rows: Count
    """Number of training rows."""


def ratio_kind(event: str) -> Kind[RatioDetails]:
    """Return the kind of score of the hazard ratios for an event."""
    return Kind(
        name=hazard_names(event)[0],
        question=tr("Are the hazard ratios for '{column}' those of real patients?", column=column_name(event, 200)),
        better="lower",
        method=(
            "mean over terms of the absolute difference of the log hazard ratios of a Cox regression (Efron's ties, "
            f"statsmodels), numbers per real standard deviation, at most {MOST_ROWS:,} rows against as many training "
            "rows, mean of 4 random halves of the real rows (Cox, JRSS B 34:187-220, 1972)"
        ),
        section="utility",
        label=tr("Hazard ratios for {column}", column=column_name(event, 30)),
        unit="mean absolute difference of log hazard ratios",
        ideal=0.0,
        details=RatioDetails,
        needs=frozenset({"task"}),
    )


def constancy_kind(event: str) -> Kind[ConstancyDetails]:
    """Return the kind of score of the proportional hazards test for an event."""
    names = hazard_names(event)
    return Kind(
        name=names[1],
        question=tr(
            "Do hazard ratios for '{column}' change over time as in real patients?", column=column_name(event, 200)
        ),
        better="lower",
        method=tr(
            "mean over terms of the absolute difference of the correlation of scaled Schoenfeld residuals with the "
            "rank of time: z of the test of proportional hazards, over the root of the number of rows, rows as for "
            "{score}; the details have the decisions of the test at 5 % on whole tables (Grambsch and Therneau, "
            "Biometrika 81:515-526, 1994)",
            score=names[0],
        ),
        section="utility",
        label=tr("Proportional hazards, {column}", column=column_name(event, 30)),
        unit="mean absolute difference of correlations",
        ideal=0.0,
        details=ConstancyDetails,
        needs=frozenset({"task"}),
    )


def concordance_kind(event: str) -> Kind[AccuracyDetails]:
    """Return the kind of score of the concordance of a Cox regression for an event."""
    return Kind(
        name=hazard_names(event)[2],
        question=tr(
            "Does a Cox regression trained on the synthetic table rank real patients by the time to '{column}'?",
            column=column_name(event, 200),
        ),
        better="higher",
        method=(
            f"concordance on the holdout, inverse probability of censoring weighted, {_TRAINED} (Uno et al., Stat Med "
            "30:1105-1117, 2011)"
        ),
        section="utility",
        label=tr("Concordance for {column}", column=column_name(event, 30)),
        unit="trained on synthetic minus on real rows",
        ideal=0.0,
        details=AccuracyDetails,
        needs=frozenset({"task", "holdout"}),
    )


def brier_kind(event: str) -> Kind[AccuracyDetails]:
    """Return the kind of score of the integrated Brier score of a Cox regression for an event."""
    return Kind(
        name=hazard_names(event)[3],
        question=tr("Does it predict when real patients reach '{column}'?", column=column_name(event, 200)),
        better="lower",
        method=(
            "integrated Brier score on the holdout, inverse probability of censoring weighted, up to the last time at "
            f"which 10 training patients are at risk, {_TRAINED} (Graf et al., Stat Med 18:2529-2545, 1999; Breslow's "
            "baseline hazard)"
        ),
        section="utility",
        label=tr("Integrated Brier score, {column}", column=column_name(event, 30)),
        unit="trained on synthetic minus on real rows",
        ideal=0.0,
        details=AccuracyDetails,
        needs=frozenset({"task", "holdout"}),
    )
