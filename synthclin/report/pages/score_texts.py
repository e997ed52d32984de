"""How the report speaks of each score: section, unit, ideal, and what is wrong where a gate is missed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthclin.report.record.clinical_details import AnalysisDetails, UtilityDetails
from synthclin.report.record.score_details import AttackDetails, CopyDetails, MarginalDetails, RuleDetails
from synthclin.report.words import interval, number, percent, plain, share

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Gate
    from synthclin.evaluation.score import Score

__all__ = ["NAMES", "QUESTIONS", "SURVIVAL", "Question", "analysis_of", "measure_name", "prediction"]


@dataclass(frozen=True, slots=True)
class Question:
    """How the report speaks of one score, or of all scores of a group.

    Arguments:
        section: key of the section that answers it.
        name: the measure in a few words.
        unit: what the number is, below it.
        ideal: the best value there is.
        fail_text: what is wrong where the gate fails, as a clause.
        review_text: what may be wrong where a person must look, as a clause.
        action: what follows for a user where the gate fails.
        percent: whether the number is a share that reads best in percent.
        answer: one plain sentence from the score, or nothing.
        title: the question on page one, where the score's own is long.
        kind: what several scores of one question are.
    """

    section: str
    name: str
    unit: str
    ideal: float
    fail_text: str
    review_text: str
    action: str
    percent: bool = False
    answer: Callable[[Score], str] = lambda _: ""
    title: str = ""
    kind: str = "measures"

    def write(self, value: float | None) -> str:
        """Return a value of the score as text."""
        return share(value, 1) if self.percent else number(value)

    def write_interval(self, score: Score) -> str:
        """Return the 95 % interval as text, or nothing."""
        if self.percent:
            return interval(100 * score.low, 100 * score.high, 1)
        return interval(score.low, score.high)

    def write_limit(self, value: float) -> str:
        """Return a limit as short as it was set."""
        if self.percent:
            return percent(round(100 * value, 6), 0 if round(100 * value, 6).is_integer() else 1)
        digits = len(f"{value:.6f}".rstrip("0").partition(".")[2])
        return number(value, max(digits, 2))

    def limit(self, gate: Gate) -> str:
        """Return what the gate asks for, as a sentence fragment."""
        # A gate at what rows without a leak reach asks that the table is not surely worse.
        end = "Lower" if gate.op.startswith(">") or gate.limit == gate.null else "Upper"
        sign = {">=": "\u2265", "<=": "\u2264"}.get(gate.op, gate.op)
        return f"{end} bound {sign}\u00a0{self.write_limit(gate.limit)}"


def measure_name(measure: str) -> str:
    """Return the name of a measure of prediction without what stands behind it.

    Example:
        >>> measure_name("AUC (mean of each class against the others)")
        'AUC'
    """
    name = plain(measure.partition(" ")[0], 20)
    return "R\u00b2" if name == "R2" else name


def _chance(score: Score, sentence: str) -> str:
    return sentence.format(share(score.value)) + "; guessing would in 50\u00a0%."


def _marginals(score: Score) -> str:
    columns = MarginalDetails.model_validate(score.details).columns
    if not columns:
        return ""
    low = min(columns, key=lambda column: column.value)
    fresh = "" if score.reference is None else f" On average fresh real rows reach {number(score.reference)}."
    return f"Furthest from real: {plain(low.column, 30)}, at {number(low.value)}.{fresh}"


def _pairs(score: Score) -> str:
    return "" if score.reference is None else f"Fresh real rows reach {number(score.reference)}."


def _copies(score: Score) -> str:
    details = CopyDetails.model_validate(score.details)
    if details.copies is None:
        return ""
    rows = f"{number(details.copies, 0)} of {number(score.n, 0)} synthetic rows equal the row of one training patient"
    return f"{rows}." if score.reference is None else f"{rows}; of fresh real rows {share(score.reference, 1)} do."


def _rules(score: Score) -> str:
    details = RuleDetails.model_validate(score.details)
    broken = score.n - round(score.value * score.n)
    rules = f"{number(details.declared, 0)} declared rules" if details.declared else "ranges and categories"
    if not broken:
        return f"No row breaks any of the {rules}."
    return f"{number(broken, 0)} of {number(score.n, 0)} rows break one of the {rules}."


def prediction(target: str) -> Question:
    """Return how the report speaks of the prediction of a column."""

    def answer(score: Score) -> str:
        details = UtilityDetails.model_validate(score.details)
        real = [one.real for one in details.learners if one.real is not None]
        synthetic = [one.synthetic for one in details.learners if one.synthetic is not None]
        if not real or not synthetic:
            return ""
        reached = number(sum(synthetic) / len(synthetic)), number(sum(real) / len(real))
        measure = measure_name(details.measure)
        return f"{target}: {measure} {reached[0]} when trained on synthetic rows, {reached[1]} on real rows."

    return Question(
        section="utility",
        name=f"Prediction of {target}",
        unit="synthetic minus real training",
        ideal=0.0,
        fail_text=f"models of {target} predict real patients worse",
        review_text=f"models of {target} may predict real patients worse",
        action=f"Models of {target} that learn from it lose accuracy on real patients.",
        answer=answer,
        title="Can models that learn from it predict real patients?",
        kind="targets",
    )


def analysis_of(analysis: str) -> Question:
    """Return how the report speaks of an analysis run again, named by kind and target, such as ``cox.died``."""
    kind, _, target = analysis.partition(".")
    named = f"{kind} analysis of {target}"

    def answer(score: Score) -> str:
        terms = AnalysisDetails.model_validate(score.details).terms
        turned = sum(term.sign_agrees is False for term in terms)
        clear = sum(term.sign_agrees is not None for term in terms)
        signs = f"{number(clear - turned, 0)} of {number(clear, 0)} clear effects keep their sign" if clear else ""
        return f"Least alike: {named}{f'; {signs}' if signs else ''}."

    return Question(
        section="clinical",
        name=f"{named[:1].upper()}{named[1:]}",
        unit="overlap of 95\u00a0% intervals",
        ideal=1.0,
        fail_text=f"the {named} gives other answers",
        review_text=f"the {named} may give other answers",
        action="Do not read effects off this table without checking them on real rows.",
        answer=answer,
        title="Does it give the same clinical answers?",
        kind="analyses",
    )


# Scores that no default gate judges: the measure, and what its number is.
NAMES = {
    "fidelity.wasserstein": ("Distance of numbers", "mean Wasserstein distance, in quartile ranges"),
    "fidelity.tails": ("Tails of numbers", "mean shift, in quartile ranges"),
    "fidelity.heaping": ("Rounding of numbers", "mean difference between shares"),
    "fidelity.rare_levels": ("Rare groups", "mean agreement of shares"),
    "fidelity.triples": ("Three columns at a time", "mean agreement"),
    "fidelity.associations": ("Associations", "mean change"),
    "fidelity.unseen_pairs": ("Unseen pairs of levels", "share of rows"),
    "fidelity.missing_dependence": ("What goes with missing cells", "mean change of correlations"),
    "fidelity.propensity": ("Propensity (pMSE)", "mean squared distance from a guess"),
    "fidelity.precision": ("Precision", "share of synthetic rows among real ones"),
    "fidelity.recall": ("Recall", "share of real patients represented"),
    "fidelity.logistic_detection": ("Linear detection", "the familiar figure, 1 is best"),
}

# Of the time to an event, whose name follows.
SURVIVAL = {
    "curve": ("Survival to {}", "area between the curves"),
    "optimism": ("Optimism on {}", "mean distance of the curves, one side"),
    "short_sight": ("Follow-up for {}", "share that is cut off"),
    "restricted_mean": ("Mean time to {}", "mean difference, in units of time"),
    "censoring": ("Censoring before {}", "area between the curves"),
    "incidence": ("Causes in {}", "mean area between the curves"),
}

# What several attacks answer together, each with what is wrong and what may be wrong.
_WHO = ("Can someone tell who was in the training data?", "patients are recognisable", "patients may be recognisable")
_SENSITIVE = (
    "Can someone learn a secret of a patient?",
    "secrets of patients are told",
    "secrets of patients may be told",
)
_SINGLE = (
    "Can a patient be singled out or linked?",
    "patients can be singled out or linked",
    "patients may be singled out or linked",
)


def _attack(name: str, unit: str, question: tuple[str, str, str], action: str) -> Question:
    def answer(score: Score) -> str:
        details = AttackDetails.model_validate(score.details)
        if details.train is None or details.control is None:
            return f"{name}."
        hit, unused = share(details.train.value, 1), share(details.control.value, 1)
        return f"{name}: succeeds on {hit} of training patients and on {unused} of unused ones."

    title, fail_text, review_text = question
    return Question("privacy", name, unit, 0.0, fail_text, review_text, action, answer=answer, title=title)


QUESTIONS = {
    "privacy.membership": Question(
        section="privacy",
        name="Membership attack",
        unit="AUC of the attack, 0.5 is a coin toss",
        ideal=0.5,
        fail_text="patients are recognisable",
        review_text="patients may be recognisable",
        action="An attacker who holds a reference sample learns who took part more often than by guessing.",
        answer=lambda score: _chance(
            score, "Of one patient who was in and one who was not, it finds the right one in {}"
        ),
    ),
    "privacy.model_membership": _attack(
        "Likelihood under the model", "AUC, 0.5 is a coin toss", _WHO, "Who holds the model file learns who took part."
    ),
    "privacy.shadow_table": _attack("Shadow models, by table", "AUC, 0.5 is a coin toss", _WHO, "Rare patients show."),
    "privacy.shadow_model": _attack("Shadow models, by model", "AUC, 0.5 is a coin toss", _WHO, "Rare patients show."),
    "privacy.recognition": _attack(
        "Recognition",
        "share recognised at 1 % false alarms",
        _WHO,
        "An attacker can be sure of some patients that they took part.",
    ),
    "privacy.relative_f1": _attack(
        "Relative F1", "F1 of a matching attacker, 0 is claiming all", _WHO, "Matching tells who took part."
    ),
    "privacy.attribute_inference": _attack(
        "Attribute inference",
        "risk beyond that of unused patients",
        _SENSITIVE,
        "An attacker who knows some of a patient's values learns others that only this patient's row can tell.",
    ),
    "privacy.identity_disclosure": _attack(
        "Identity disclosure",
        "mean chance to be found and learnt of",
        _SENSITIVE,
        "Patients are found by what is known of them, and something new is learnt.",
    ),
    "privacy.disclosive_keys": _attack(
        "Disclosive keys (DiSCO)",
        "share beyond unused patients",
        _SENSITIVE,
        "All rows that match agree on the secret.",
    ),
    "privacy.singling_out": _attack(
        "Singling out", "risk beyond that of unused patients", _SINGLE, "The table describes single patients."
    ),
    "privacy.linkability": _attack(
        "Linkability", "risk beyond that of unused patients", _SINGLE, "Two data sets of a patient can be joined by it."
    ),
    "privacy.replicated_uniques": _attack(
        "Replicated uniques (RepU)", "share beyond unused patients", _SINGLE, "Unique patients appear as unique rows."
    ),
    "privacy.copies": Question(
        section="privacy",
        name="Copied patients",
        unit="share of synthetic rows",
        ideal=0.0,
        fail_text="rows repeat training rows",
        review_text="rows may repeat training rows",
        action="Some synthetic rows equal the row of one training patient in every column.",
        percent=True,
        answer=_copies,
    ),
    "privacy.near_copies": Question(
        section="privacy",
        name="Near copies",
        unit="share of rows beyond that of unused patients",
        ideal=0.0,
        fail_text="rows come very close to training patients",
        review_text="rows come very close to training patients",
        action="Look at the attacks: distances alone decide nothing.",
        title="Are synthetic rows copies of patients?",
    ),
    "privacy.smallest_leak": Question(
        section="privacy",
        name="Smallest leak seen",
        unit="share of planted training rows",
        ideal=0.0,
        fail_text="the attacks miss leaks",
        review_text="the attacks may miss smaller leaks than this",
        action="A pass of these attacks says little.",
        percent=True,
        answer=lambda score: f"Training rows planted in {share(score.value, 1)} of the table are noticed.",
    ),
    "fidelity.marginals": Question(
        section="fidelity",
        name="Single columns",
        unit="mean agreement of columns",
        ideal=1.0,
        fail_text="columns differ from the real ones",
        review_text="columns may differ from the real ones",
        action="Look at the columns below before using them.",
        answer=_marginals,
    ),
    "fidelity.pairs": Question(
        section="fidelity",
        name="Pairs of columns",
        unit="mean agreement of pairs",
        ideal=1.0,
        fail_text="links between columns differ",
        review_text="links between columns may differ",
        action="Links between columns are weaker or stronger than in real patients.",
        answer=_pairs,
    ),
    "fidelity.missingness": Question(
        section="fidelity",
        name="Missing cells",
        unit="agreement of patterns",
        ideal=1.0,
        fail_text="other cells are missing",
        review_text="other cells may be missing",
        action="What is missing together differs from the real table.",
        answer=_pairs,
    ),
    "fidelity.detection": Question(
        section="detection",
        name="Telling synthetic from real",
        unit="AUC of a classifier, 0.5 is a coin toss",
        ideal=0.5,
        fail_text="synthetic rows can be told from real ones",
        review_text="synthetic rows may be told from real ones",
        action="A classifier sees a difference that single columns may not show.",
        answer=lambda score: _chance(score, "Of one synthetic and one real row, it picks the synthetic one in {}"),
    ),
    "validity.rules": Question(
        section="rules",
        name="Rules kept",
        unit="share of rows that break no rule",
        ideal=1.0,
        fail_text="impossible records remain",
        review_text="impossible records may remain",
        action="Remove or repair rows that break a rule before use.",
        percent=True,
        answer=_rules,
    ),
    "validity.raw_rules": Question(
        section="rules",
        name="Rules learnt",
        unit="share of rows that break the worst rule, none imposed",
        ideal=0.0,
        fail_text="a rule had to be imposed that the model has not learnt",
        review_text="a rule had to be imposed that the model may not have learnt",
        action="No row breaks it, but its columns may not hang together as in real rows.",
        percent=True,
        answer=lambda score: f"Left to itself the model would break one rule in {share(score.value, 1)} of rows.",
    ),
    "sdmetrics.quality": Question(
        section="fidelity",
        name="SDMetrics quality",
        unit="overall score",
        ideal=1.0,
        fail_text="the SDMetrics quality score misses its limit",
        review_text="the SDMetrics quality score may miss its limit",
        action="See the columns and pairs below.",
        answer=_pairs,
    ),
    "sdmetrics.diagnostic": Question(
        section="fidelity",
        name="SDMetrics diagnostic",
        unit="overall score",
        ideal=1.0,
        fail_text="the SDMetrics diagnostic score misses its limit",
        review_text="the SDMetrics diagnostic score may miss its limit",
        action="Cells are outside of ranges or categories.",
        answer=_pairs,
    ),
}
