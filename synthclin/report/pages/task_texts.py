"""Texts of the scores of tasks: predictions, repeated analyses and the effect of the treatment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.report.pages.score_labels import ANALYSES
from synthclin.report.pages.score_texts import ScoreTexts, measure_name
from synthclin.report.record.clinical_details import AnalysisDetails, UtilityDetails
from synthclin.report.words import number

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score

__all__ = ["analysis_of", "prediction", "treatment_of"]


def prediction(target: str) -> ScoreTexts:
    """Return the texts for the prediction of a column."""

    def answer(score: Score) -> str:
        details = UtilityDetails.model_validate(score.details)
        real = [one.real for one in details.learners if one.real is not None]
        synthetic = [one.synthetic for one in details.learners if one.synthetic is not None]
        if not real or not synthetic:
            return ""
        reached = number(sum(synthetic) / len(synthetic)), number(sum(real) / len(real))
        measure = measure_name(details.measure)
        return f"{target}: {measure} {reached[0]} when trained on synthetic rows, {reached[1]} on real rows."

    return ScoreTexts(
        section="utility",
        name=f"Prediction of {target}",
        unit="trained on synthetic minus on real rows",
        ideal=0.0,
        fail_text=f"models of {target} predict real patients worse",
        review_text=f"models of {target} may predict real patients worse",
        action=f"Models of {target} trained on it lose accuracy on real patients.",
        answer=answer,
        title="Do models trained on it predict real patients?",
        kind="targets",
    )


def analysis_of(analysis: str) -> ScoreTexts:
    """Return the texts for a repeated analysis, named by kind and target, such as ``cox.died``."""
    kind, _, target = analysis.partition(".")
    named = f"{ANALYSES.get(kind, kind)} of {target}"
    clause = named if kind == "cox" else f"{named[:1].lower()}{named[1:]}"

    def answer(score: Score) -> str:
        terms = AnalysisDetails.model_validate(score.details).terms
        changed = sum(term.sign_agrees is False for term in terms)
        clear = sum(term.sign_agrees is not None for term in terms)
        signs = f"{number(clear - changed, 0)} of {number(clear, 0)} clear effects keep their sign" if clear else ""
        return f"Least agreement: {clause}{f'; {signs}' if signs else ''}."

    return ScoreTexts(
        section="clinical",
        name=named,
        unit="mean overlap of 95\u00a0% intervals",
        ideal=1.0,
        fail_text=f"{clause} gives different estimates",
        review_text=f"{clause} may give different estimates",
        action="Check every effect estimate on real rows.",
        answer=answer,
        title="Does it give the same clinical answers?",
        kind="analyses",
    )


def treatment_of(analysis: str) -> ScoreTexts:
    """Return the texts for the effect of the treatment in a repeated analysis, named such as ``cox.died``."""
    kind, _, target = analysis.partition(".")
    named = f"Treatment effect on {target}"

    def answer(score: Score) -> str:
        return f"{ANALYSES.get(kind, kind)} of {target}: effects {number(score.value, 1)} standard errors apart."

    return ScoreTexts(
        section="clinical",
        name=named,
        unit="largest difference in standard errors",
        ideal=0.0,
        fail_text=f"the effect of the treatment on {target} differs",
        review_text=f"the effect of the treatment on {target} may differ",
        action="Do not estimate the effect of the treatment on this table.",
        answer=answer,
        title="Is the effect of the treatment that of real patients?",
        kind="analyses",
    )
