"""The texts of each score that every run has: question, answer, unit, and what a missed gate means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.report.pages.score_texts import ScoreTexts
from synthclin.report.record.score_details import (
    AttackDetails,
    CopyDetails,
    EpsilonDetails,
    MarginalDetails,
    RuleDetails,
)
from synthclin.report.words import number, plain, share

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score

__all__ = ["QUESTIONS"]


def _chance(score: Score, sentence: str) -> str:
    return sentence.format(share(score.value)) + "; 50\u00a0% is chance."


def _marginals(score: Score) -> str:
    columns = MarginalDetails.model_validate(score.details).columns
    if not columns:
        return ""
    low = min(columns, key=lambda column: column.value)
    reference = "" if score.reference is None else f" Holdout rows reach {number(score.reference)} on average."
    return f"Furthest from real: {plain(low.column, 30)}, at {number(low.value)}.{reference}"


def _reference(score: Score) -> str:
    return "" if score.reference is None else f"Holdout rows reach {number(score.reference)}."


def _heaping(score: Score) -> str:
    columns = score.details.get("columns") or []
    worst = f"Furthest from real: {plain(columns[0]['column'], 30)}. " if columns else ""
    return worst + _reference(score)


def _dependence(score: Score) -> str:
    if score.reference is None or score.baseline is None:
        return _reference(score)
    return f"Holdout rows reach {number(score.reference)}, rows with shuffled columns {number(score.baseline)}."


def _copies(score: Score) -> str:
    details = CopyDetails.model_validate(score.details)
    if details.copies is None:
        return ""
    rows = f"{number(details.copies, 0)} of {number(score.n, 0)} synthetic rows equal the row of one training patient"
    return f"{rows}." if score.reference is None else f"{rows}; of holdout rows {share(score.reference, 1)} do."


def _rules(score: Score) -> str:
    details = RuleDetails.model_validate(score.details)
    broken = score.n - round(score.value * score.n)
    rules = f"{number(details.declared, 0)} declared rules" if details.declared else "ranges and categories"
    if not broken:
        return f"No row breaks any of the {rules}."
    verb = "breaks" if broken == 1 else "break"
    return f"{number(broken, 0)} of {number(score.n, 0)} rows {verb} one of the {rules}."


# Questions shared by several attacks: title, clause for FAIL, clause for REVIEW.
_MEMBERSHIP = (
    "Can someone infer who was in the training data?",
    "membership of patients can be inferred",
    "membership of patients may be inferred",
)
_ATTRIBUTE = (
    "Can a sensitive attribute be inferred?",
    "sensitive attributes can be inferred",
    "sensitive attributes may be inferred",
)
_SINGLE = (
    "Can a patient be singled out or linked?",
    "patients can be singled out or linked",
    "patients may be singled out or linked",
)


def _attack(name: str, unit: str, question: tuple[str, str, str], action: str) -> ScoreTexts:
    def answer(score: Score) -> str:
        details = AttackDetails.model_validate(score.details)
        if details.members is None or details.non_members is None:
            return f"{name}."
        members, non_members = share(details.members.value, 1), share(details.non_members.value, 1)
        return f"{name}: succeeds on {members} of members (in training), {non_members} of non-members."

    title, fail_text, review_text = question
    return ScoreTexts("privacy", name, unit, 0.0, fail_text, review_text, action, answer=answer, title=title)


def _epsilon(what: str) -> ScoreTexts:
    def answer(score: Score) -> str:
        details = EpsilonDetails.model_validate(score.details)
        proven = f"Attacks on the {what} prove an epsilon of at least {number(score.value)}"
        if details.most_certifiable is None:
            return f"{proven}."
        return f"{proven}; with as many patients they could prove {number(details.most_certifiable)} at most."

    return ScoreTexts(
        section="privacy",
        name=f"Epsilon proven on the {what}",
        unit="lower bound of epsilon, 95 %",
        ideal=0.0,
        fail_text="attacks prove a privacy loss",
        review_text="attacks prove a privacy loss",
        action="Attacks prove a privacy loss; differential privacy with a smaller epsilon is excluded.",
        answer=answer,
    )


def _sdmetrics(kind: str, action: str) -> ScoreTexts:
    name = f"SDMetrics {kind}"
    fail_text, review_text = f"the {name} score misses its limit", f"the {name} score may miss its limit"
    return ScoreTexts("fidelity", name, "overall score", 1.0, fail_text, review_text, action, answer=_reference)


QUESTIONS = {
    "privacy.membership": ScoreTexts(
        section="privacy",
        name="Membership inference",
        unit="AUC of the attack, 0.5 is chance",
        ideal=0.5,
        fail_text=_MEMBERSHIP[1],
        review_text=_MEMBERSHIP[2],
        action="An attacker with a reference sample infers membership better than chance.",
        answer=lambda score: _chance(
            score, "Of one member (training patient) and one non-member, the attack scores the member higher in {}"
        ),
        title=_MEMBERSHIP[0],
    ),
    "privacy.model_membership": _attack(
        "Likelihood under the model", "AUC, 0.5 is chance", _MEMBERSHIP, "The model file reveals membership."
    ),
    "privacy.epsilon_lower_bound": _epsilon("model file"),
    "privacy.table_epsilon_lower_bound": _epsilon("table"),
    "privacy.shadow_table": _attack(
        "Shadow models, by table", "AUC, 0.5 is chance", _MEMBERSHIP, "Membership of rare patients can be inferred."
    ),
    "privacy.shadow_model": _attack(
        "Shadow models, by model", "AUC, 0.5 is chance", _MEMBERSHIP, "Membership of rare patients can be inferred."
    ),
    "privacy.membership_tpr": _attack(
        "TPR at 1 % FPR",
        "true positive rate of the membership attack",
        _MEMBERSHIP,
        "Membership of some patients can be inferred with high confidence.",
    ),
    "privacy.relative_f1": _attack(
        "Relative F1", "F1 of a matching attack, 0 is claiming all", _MEMBERSHIP, "Matching rows reveal membership."
    ),
    "privacy.attribute_inference": _attack(
        "Attribute inference",
        "risk in excess of non-members",
        _ATTRIBUTE,
        "An attacker with some values of a member infers others better than for non-members.",
    ),
    "privacy.identity_disclosure": _attack(
        "Identity disclosure",
        "mean probability of identification",
        _ATTRIBUTE,
        "Patients can be identified by known values, with new information.",
    ),
    "privacy.disclosive_keys": _attack(
        "Disclosive keys (DiSCO)",
        "share in excess of non-members",
        _ATTRIBUTE,
        "All synthetic rows that match a patient agree on the sensitive attribute.",
    ),
    "privacy.singling_out": _attack(
        "Singling out", "risk in excess of non-members", _SINGLE, "The table describes single patients."
    ),
    "privacy.linkability": _attack(
        "Linkability", "risk in excess of non-members", _SINGLE, "Two data sets of a patient can be linked by it."
    ),
    "privacy.replicated_uniques": _attack(
        "Replicated uniques (RepU)",
        "share in excess of non-members",
        _SINGLE,
        "Unique patients appear as unique rows.",
    ),
    "privacy.copies": ScoreTexts(
        section="privacy",
        name="Exact copies",
        unit="share of synthetic rows",
        ideal=0.0,
        fail_text="rows are copies of training rows",
        review_text="rows may be copies of training rows",
        action="Some synthetic rows equal the row of one training patient in every column.",
        percent=True,
        answer=_copies,
    ),
    "privacy.near_copies": ScoreTexts(
        section="privacy",
        name="Near copies",
        unit="share of rows in excess of non-members",
        ideal=0.0,
        fail_text="rows are very close to training rows",
        review_text="rows may be very close to training rows",
        action="See the attacks: distances alone decide nothing.",
        title="Are synthetic rows copies of patients?",
    ),
    "privacy.smallest_leak": ScoreTexts(
        section="privacy",
        name="Smallest leak detected",
        unit="share of canaries among synthetic rows",
        ideal=0.0,
        fail_text="the attacks miss leaks",
        review_text="the attacks may miss smaller leaks than this",
        action="A pass of these attacks is weak evidence.",
        percent=True,
        answer=lambda score: f"Canaries are detected from {share(score.value, 1)} of rows on.",
        title="How small a leak is detected?",
    ),
    "fidelity.marginals": ScoreTexts(
        section="fidelity",
        name="Marginals",
        unit="mean agreement of columns",
        ideal=1.0,
        fail_text="columns differ from the real ones",
        review_text="columns may differ from the real ones",
        action="Check these columns before use.",
        answer=_marginals,
    ),
    "fidelity.pairs": ScoreTexts(
        section="fidelity",
        name="Pairs of columns",
        unit="mean agreement of pairs",
        ideal=1.0,
        fail_text="associations of columns differ",
        review_text="associations of columns may differ",
        action="Associations of columns are weaker or stronger than in real patients.",
        answer=_reference,
    ),
    "fidelity.associations": ScoreTexts(
        section="fidelity",
        name="Associations",
        unit="mean absolute difference",
        ideal=0.0,
        fail_text="associations of columns are lost",
        review_text="associations of columns may be lost",
        action="Columns depend on each other less, or otherwise, than in real patients.",
        answer=_dependence,
        title="Do columns depend on each other as in the real table?",
    ),
    "fidelity.missingness": ScoreTexts(
        section="fidelity",
        name="Missingness",
        unit="agreement of patterns",
        ideal=1.0,
        fail_text="missingness patterns differ",
        review_text="missingness patterns may differ",
        action="Missingness patterns differ from the real table.",
        answer=_reference,
    ),
    "fidelity.heaping": ScoreTexts(
        section="fidelity",
        name="Heaping",
        unit="mean difference between shares",
        ideal=0.0,
        fail_text="numbers or dates are rounded otherwise than in the real table",
        review_text="numbers or dates may be rounded otherwise than in the real table",
        action="Declare `step` or `spikes` of the column that is named first, or check its type.",
        answer=_heaping,
        title="Are numbers and dates rounded as in the real table?",
    ),
    "fidelity.detection": ScoreTexts(
        section="detection",
        name="Detection AUC (C2ST)",
        unit="synthetic against holdout, 0.5 is chance",
        ideal=0.5,
        fail_text="a classifier separates synthetic from real rows",
        review_text="a classifier may separate synthetic from real rows",
        action="The joint distribution differs in ways that marginals may not show.",
        answer=lambda score: _chance(
            score, "Of one synthetic and one holdout row, a classifier scores the synthetic one higher in {}"
        ),
        title="Can a classifier separate synthetic from real rows?",
    ),
    "validity.rules": ScoreTexts(
        section="rules",
        name="Rules satisfied",
        unit="share of rows that break no rule",
        ideal=1.0,
        fail_text="impossible records remain",
        review_text="impossible records may remain",
        action="Remove or repair rows that break a rule before use.",
        percent=True,
        answer=_rules,
    ),
    "validity.raw_rules": ScoreTexts(
        section="rules",
        name="Rules without constraints",
        unit="share of rows that break the worst rule",
        ideal=0.0,
        fail_text="the unconstrained model breaks a rule",
        review_text="the unconstrained model may break a rule too often",
        action="Sampled rows satisfy it, but the dependence of its columns may differ.",
        percent=True,
        answer=lambda score: f"Without constraints, {share(score.value, 1)} of sampled rows break one rule.",
        title="Are rules met without constraints?",
    ),
    "sdmetrics.quality": _sdmetrics("quality", "See the columns and pairs below."),
    "sdmetrics.diagnostic": _sdmetrics("diagnostic", "Cells are outside of ranges or categories."),
}
