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
from synthclin.wording import lower_start, number

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.tasks import Analysis

__all__ = ["ANALYSES", "FARTHEST", "analysis_kind", "effect_of", "overlap_of", "treatment_kind"]

FARTHEST = 10.0
"""The largest difference of two estimates, in standard errors."""

_NORMAL = NormalDist()
_DIFFERS, _DIFFERS_CLEARLY = 0.05, 0.005  # error rates of the worst term of an analysis, for all terms together


class _Analysis(NamedTuple):
    """A kind of analysis: its name and method in English, and whether its estimates are logarithms of ratios."""

    name: str
    method: str
    is_log_ratio: bool = False

    @property
    def within(self) -> str:
        """Its name within a sentence, in the language of the report."""
        return lower_start(tr(self.name))


ANALYSES = {
    "linear": _Analysis("Linear regression", "linear regression (least squares, statsmodels)"),
    "logistic": _Analysis("Logistic regression", "logistic regression (maximum likelihood, statsmodels)", True),
    "cox": _Analysis("Cox regression", "Cox regression (Efron's ties, statsmodels)", True),
    "survival": _Analysis(
        "Survival analysis", "restricted mean survival time under the Kaplan-Meier curve, with Greenwood's variance"
    ),
    "mixed": _Analysis(
        "Mixed model", "linear mixed model with random effects of patients (restricted maximum likelihood)"
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
    task, target = _parts(analysis)
    texts = ANALYSES[task]
    shown = column_name(target, 40)
    named = {"analysis": texts.within, "column": shown}

    def answer(score: Score) -> str:
        details = score.details
        terms = details.terms if isinstance(details, AnalysisDetails) else []
        changed = sum(term.sign_agrees is False for term in terms)
        clear = sum(term.sign_agrees is not None for term in terms)
        if not clear:
            return tr("Least agreement: {analysis} of {column}.", **named)
        return tr(
            "Least agreement: {analysis} of {column}; {kept} of {clear} clear effects keep their sign.",
            kept=number(clear - changed, 0),
            clear=number(clear, 0),
            **named,
        )

    return Kind(
        name=f"inference.{analysis}",
        question=tr("Would the declared analysis of '{column}' give the same answer?", column=column_name(target, 200)),
        better="higher",
        method=tr(
            "{analysis} of complete rows: mean over terms of the overlap of the 95 % confidence intervals, 1 where "
            "they are equal, below 0 where they are disjoint (no less than -1), synthetic against as many training "
            "rows, mean of random halves of the real rows, 10 (for Cox regression 4, of at most 1,000 rows) (Karr "
            "et al., Am Stat 60:224-232, 2006); the details combine replicates by Raab, Nowok and Dibben, J Priv "
            "Confid 7:67-97, 2016",
            analysis=tr(texts.method),
        ),
        section="clinical",
        label=tr("{analysis} of {column}", analysis=tr(texts.name), column=shown),
        unit="mean overlap of 95\u00a0% intervals",
        ideal=1.0,
        details=AnalysisDetails,
        asked=questions.STUDIES,
        limit=Limit(">=", 0.6, 0.4, convention("two samples of one distribution overlap by 0.7 on average")),
        needs=frozenset({"task"}),
        fail_text=tr("{analysis} of {column} gives different estimates", **named),
        review_text=tr("{analysis} of {column} may give different estimates", **named),
        action="Check every effect estimate on real rows.",
        answer=answer,
        worst_part=_worst_term,
        shared=partial(AnalysisDetails.shared, is_log_ratio=texts.is_log_ratio, hides_levels=task == "compare"),
    )


def treatment_kind(analysis: str) -> Kind[TreatmentDetails]:
    """Return the kind of score of the effect of the treatment in an analysis.

    Arguments:
        analysis: kind and target, such as ``cox.died``.
    """
    task, target = _parts(analysis)
    texts = ANALYSES[task]
    shown = column_name(target, 40)
    return Kind(
        name=treatment_name(f"inference.{analysis}"),
        question=tr(
            "Is the effect of the treatment on '{column}' that of real patients?", column=column_name(target, 200)
        ),
        better="lower",
        method=tr(
            "{analysis} of complete rows: largest difference of an effect of the treatment, synthetic minus training "
            "rows, over the root of the sum of both squared standard errors, mean of the synthetic replicates, at most "
            "{farthest}; an effect that synthetic rows do not allow to estimate counts as {farthest}; the number holds "
            "its sampling error, so its interval is the number itself (project convention)",
            analysis=tr(texts.method),
            farthest=f"{FARTHEST:g}",
        ),
        section="clinical",
        label=tr("Treatment effect on {column}", column=shown),
        unit="largest difference in standard errors",
        ideal=0.0,
        details=TreatmentDetails,
        asked=questions.TREATMENT,
        limit=Limit("<=", 1.5, 2.0, convention("a correct model exceeds 2 standard errors in 1 of 200 runs")),
        needs=frozenset({"task", "trial"}),
        fail_text=tr("the effect of the treatment on {column} differs", column=shown),
        review_text=tr("the effect of the treatment on {column} may differ", column=shown),
        action="Do not estimate the effect of the treatment on this table.",
        answer=lambda score: tr(
            "{analysis} of {column}: effects {difference} standard errors apart.",
            analysis=tr(texts.name),
            column=shown,
            difference=number(score.value, 1),
        ),
        shared=partial(TreatmentDetails.shared, is_log_ratio=texts.is_log_ratio, hides_levels=task == "compare"),
    )


def _parts(analysis: str) -> tuple[str, str]:
    """Return the kind of an analysis and its target.

    Raises:
        KeyError: there is no such kind of analysis.
    """
    task, _, target = analysis.partition(".")
    if task not in ANALYSES:
        raise KeyError(analysis)
    return task, target


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
