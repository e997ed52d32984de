"""The kinds of score of a declared analysis: overlap of its confidence intervals, and the effect of the treatment."""

from __future__ import annotations

from functools import partial
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

from synthclin.evaluation import questions
from synthclin.evaluation.analyses.details import AnalysisDetails, TreatmentDetails
from synthclin.evaluation.kind import Kind, Limit, Reason, WorstPart, convention
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score_names import treatment_name
from synthclin.language import tr
from synthclin.wording import number

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.tasks import Analysis

__all__ = ["ANALYSES", "FARTHEST", "analysis_kind", "effect_of", "overlap_of", "treatment_kind"]

FARTHEST = 10.0
"""The largest difference of two estimates, in standard errors."""

_NORMAL = NormalDist()
_DIFFERS, _DIFFERS_CLEARLY = 0.05, 0.005  # error rates of the worst term of an analysis, for all terms together


class _Analysis(NamedTuple):
    """A kind of analysis: its name, its method, and whether its estimates are logarithms of ratios."""

    name: str
    method: str
    is_log_ratio: bool = False


ANALYSES = {
    "linear": _Analysis("Linear regression", "linear regression (least squares, statsmodels)"),
    "logistic": _Analysis("Logistic regression", "logistic regression (maximum likelihood, statsmodels)", True),
    "cox": _Analysis("Cox regression", "Cox regression (Efron's ties, statsmodels)", True),
    "survival": _Analysis(
        "Survival analysis", "restricted mean survival time under the Kaplan-Meier curve, with Greenwood's variance"
    ),
    "compare": _Analysis("Comparison of groups", "difference of means or shares between groups, with Welch's variance"),
}

"""The kinds of analysis, by the name of their task."""


def overlap_of(task: Analysis) -> Kind[AnalysisDetails]:
    """Return the kind of score of a declared analysis."""
    return analysis_kind(f"{task.task}.{task.columns[0]}")


def effect_of(task: Analysis) -> Kind[TreatmentDetails]:
    """Return the kind of score of the effect of the treatment in a declared analysis."""
    return treatment_kind(f"{task.task}.{task.columns[0]}")


def analysis_kind(analysis: str) -> Kind[AnalysisDetails]:
    """Return the kind of score of an analysis.

    Arguments:
        analysis: kind and target, such as ``cox.died``.
    """
    task, target, named, clause = _named(analysis)

    def answer(score: Score) -> str:
        details = score.details
        terms = details.terms if isinstance(details, AnalysisDetails) else []
        changed = sum(term.sign_agrees is False for term in terms)
        clear = sum(term.sign_agrees is not None for term in terms)
        signs = f"{number(clear - changed, 0)} of {number(clear, 0)} clear effects keep their sign" if clear else ""
        return f"Least agreement: {clause}{f'; {signs}' if signs else ''}."

    return Kind(
        name=f"inference.{analysis}",
        question=f"Would the declared analysis of '{column_name(target, 200)}' give the same answer?",
        better="higher",
        method=(
            f"{ANALYSES[task].method} of complete rows: mean over terms of the overlap of the 95 % confidence "
            "intervals, 1 where they are equal, below 0 where they are disjoint (no less than -1), synthetic against "
            "as many training rows, mean of random halves of the real rows, 10 (for Cox regression 4, of at most 1,000 "
            "rows) (Karr et al., Am Stat 60:224-232, 2006); the details combine replicates by Raab, Nowok and Dibben, "
            "J Priv Confid 7:67-97, 2016"
        ),
        section="clinical",
        label=named,
        unit="mean overlap of 95\u00a0% intervals",
        ideal=1.0,
        details=AnalysisDetails,
        asked=questions.STUDIES,
        limit=Limit(">=", 0.6, 0.4, convention("two samples of one distribution overlap by 0.7 on average")),
        needs=frozenset({"task"}),
        fail_text=f"{clause} gives different estimates",
        review_text=f"{clause} may give different estimates",
        action="Check every effect estimate on real rows.",
        answer=answer,
        worst_part=_worst_term,
        shared=partial(
            AnalysisDetails.shared, is_log_ratio=ANALYSES[task].is_log_ratio, hides_levels=task == "compare"
        ),
    )


def treatment_kind(analysis: str) -> Kind[TreatmentDetails]:
    """Return the kind of score of the effect of the treatment in an analysis.

    Arguments:
        analysis: kind and target, such as ``cox.died``.
    """
    task, target, _, _ = _named(analysis)
    shown = column_name(target, 40)
    return Kind(
        name=treatment_name(f"inference.{analysis}"),
        question=f"Is the effect of the treatment on '{column_name(target, 200)}' that of real patients?",
        better="lower",
        method=(
            f"{ANALYSES[task].method} of complete rows: largest difference of an effect of the treatment, synthetic "
            "minus training rows, over the root of the sum of both squared standard errors, mean of the synthetic "
            f"replicates, at most {FARTHEST:g}; an effect that synthetic rows do not allow to estimate counts as "
            f"{FARTHEST:g}; the number holds its sampling error, so its interval is the number itself (project "
            "convention)"
        ),
        section="clinical",
        label=f"Treatment effect on {shown}",
        unit="largest difference in standard errors",
        ideal=0.0,
        details=TreatmentDetails,
        asked=questions.TREATMENT,
        limit=Limit("<=", 1.5, 2.0, convention("a correct model exceeds 2 standard errors in 1 of 200 runs")),
        needs=frozenset({"task", "trial"}),
        fail_text=f"the effect of the treatment on {shown} differs",
        review_text=f"the effect of the treatment on {shown} may differ",
        action="Do not estimate the effect of the treatment on this table.",
        answer=lambda score: (
            f"{ANALYSES[task].name} of {shown}: effects {number(score.value, 1)} standard errors apart."
        ),
        shared=partial(
            TreatmentDetails.shared, is_log_ratio=ANALYSES[task].is_log_ratio, hides_levels=task == "compare"
        ),
    )


def _named(analysis: str) -> tuple[str, str, str, str]:
    """Return the kind of an analysis, its target, its name, and its name as a part of a sentence."""
    task, _, target = analysis.partition(".")
    if task not in ANALYSES:
        raise KeyError(analysis)
    named = f"{ANALYSES[task].name} of {column_name(target, 40)}"
    return task, target, named, named if task == "cox" else f"{named[:1].lower()}{named[1:]}"


def _worst_term(details: AnalysisDetails) -> WorstPart | None:
    """Return the verdict on the largest difference of estimates, limits corrected for the number of terms."""
    worst = details.worst_term
    if worst is not None:
        limit, clear = (_NORMAL.inv_cdf(1 - rate / (2 * worst.terms)) for rate in (_DIFFERS, _DIFFERS_CLEARLY))
        if worst.difference > limit:
            reason = Reason(
                tr(
                    "The estimates of '{term}' are {difference} standard errors apart.",
                    term=worst.term,
                    difference=f"{worst.difference:.1f}",
                ),
                tr("The estimates of a term are far apart."),
            )
            return WorstPart("FAIL" if worst.difference > clear else "REVIEW", reason)
    if details.signs_agree is not None and details.signs_agree < 1:
        text = tr("The sign of a clear effect is reversed.")
        return WorstPart("REVIEW", Reason(text, text))
    return None
