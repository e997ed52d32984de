"""The questions of page one: texts of each score, scores per question, and the verdict that decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf, isfinite, isnan
from typing import TYPE_CHECKING

from synthclin.evaluation.score_names import HEADLINES
from synthclin.report.pages.question_texts import QUESTIONS
from synthclin.report.pages.score_labels import NAMES, SURVIVAL
from synthclin.report.pages.score_texts import ScoreTexts
from synthclin.report.pages.task_texts import analysis_of, prediction, treatment_of
from synthclin.report.record.clinical_details import SubgroupDetails
from synthclin.report.words import number, plain

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Verdict
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["Answer", "answers", "section_status", "texts_of", "worst"]

_GROUPS = ("treatment", "inference", "utility")  # groups whose scores answer one question together
_SECTIONS = {"calibration": "utility", "importance": "utility", "survival": "utility"}
_SHARED = {
    "privacy.membership_tpr": "privacy.membership",
    "privacy.relative_f1": "privacy.membership",
    "privacy.shadow_table": "privacy.membership",
    "privacy.identity_disclosure": "privacy.attribute_inference",
    "privacy.disclosive_keys": "privacy.attribute_inference",
    "privacy.linkability": "privacy.singling_out",
    "privacy.replicated_uniques": "privacy.singling_out",
    "privacy.near_copies": "privacy.copies",
}
_SEVERITY = ("FAIL", "REVIEW", "NOT ASSESSABLE", "PASS")


def texts_of(name: str) -> ScoreTexts:
    """Return the texts for the score `name`; an unknown score gets neutral texts.

    Example:
        >>> texts_of("utility.died").section, texts_of("house.own").unit
        ('utility', 'house.own')
    """
    if name.startswith("utility."):
        return prediction(plain(name.removeprefix("utility."), 40))
    if name.startswith("inference."):
        return analysis_of(plain(name.removeprefix("inference."), 40))
    if name.startswith("treatment."):
        return treatment_of(plain(name.removeprefix("treatment."), 40))
    if name in QUESTIONS:
        return QUESTIONS[name]
    if name.startswith("subgroups."):
        return _of_groups(name)
    title, unit = NAMES.get(name) or _grouped(name)
    clause = title[:1].lower() + title[1:] if name in NAMES and title[1:2].islower() else title
    return ScoreTexts(
        section=_SECTIONS.get(name.partition(".")[0], "fidelity"),
        name=title,
        unit=unit,
        ideal=1.0,
        fail_text=f"{clause} misses its limit",
        review_text=f"{clause} may miss its limit",
        action="See its note.",
    )


def _grouped(name: str) -> tuple[str, str]:
    """Return name and unit of a score whose name ends in a column; an unknown name is returned unchanged."""
    group, _, rest = name.partition(".")
    if group == "survival" and rest.partition(".")[0] in SURVIVAL:
        group, _, rest = rest.partition(".")
    words = SURVIVAL | {
        "calibration": ("Calibration of {}", "Brier score minus that of real training"),
        "importance": ("Feature importance for {}", "rank correlation"),
    }
    measure, unit = words.get(group, (plain(name, 40).replace("{", "{{").replace("}", "}}"), plain(name, 40)))
    return measure.format(plain(rest, 30)), unit


def _of_groups(name: str) -> ScoreTexts:
    """Return the texts for a score that is computed per subgroup of a column."""
    rest = name.removeprefix("subgroups.")
    tails = {f".{score.partition('.')[2]}": score for score in HEADLINES}
    tail = next((tail for tail in tails if rest.endswith(tail)), "")
    column, headline = rest.removesuffix(tail), tails.get(tail)
    clause = f"fidelity in a subgroup of {plain(column, 30)}"
    of = ScoreTexts("", "", "value", 1.0, "", "", "") if headline is None else texts_of(headline)
    title = f"Subgroups of {plain(column, 40)}" if headline is None else f"{of.name}, {plain(column, 30)}"
    return replace(
        of,
        section="subgroups",
        name=title,
        unit=f"{of.unit}, worst subgroup",
        fail_text=f"{clause} is low",
        review_text=f"{clause} may be low",
        action="Do not use the table for this subgroup.",
        answer=_worst_group,
        title="",
    )


def _worst_group(score: Score) -> str:
    details = SubgroupDetails.model_validate(score.details)
    if details.worst is None:
        return ""
    reference = "" if score.reference is None else f" Holdout rows of this subgroup reach {number(score.reference)}."
    return f"Furthest from real: {plain(details.worst, 30)}, at {number(score.value)}.{reference}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One question of page one and the verdict that decides it, the worst of `many`."""

    verdict: Verdict
    question: ScoreTexts
    many: int = 1


def answers(verdicts: Iterable[Verdict]) -> list[Answer]:
    """Return the questions of page one in their order; the worst verdict decides a question with several scores.

    An analysis that could not be run is a question of its own, so that no other analysis hides it.
    """
    names = list(QUESTIONS)
    asked_by: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        name = verdict.gate.score
        group = name.partition(".")[0]
        asked_by.setdefault(_question_of(verdict, group), []).append(verdict)

    def place(question: str) -> float:
        group = question.partition(".")[0]
        if group in _GROUPS:
            return names.index("validity.rules") - 1 / (2 + _GROUPS.index(group))
        return names.index(question) if question in names else len(names)

    found = []
    for question in sorted(asked_by, key=place):
        decides = min(asked_by[question], key=_severity_key)
        texts = texts_of(decides.gate.score)
        # The title of a group is taken by the analyses that could be run.
        alone = question not in _GROUPS and question.partition(".")[0] in _GROUPS
        found.append(Answer(decides, replace(texts, title="") if alone else texts, len(asked_by[question])))
    return found


def _question_of(verdict: Verdict, group: str) -> str:
    """Return the key of the question that a verdict answers: its group, a related score, or the score itself."""
    name = verdict.gate.score
    if group in _GROUPS:
        return name if group != "utility" and isnan(verdict.value) else group
    return _SHARED.get(name, name)


def _severity_key(verdict: Verdict) -> tuple[int, float]:
    """Return a sort key, worst first: by status, then, for predictions and analyses, by bound."""
    lost = verdict.gate.score.partition(".")[0] in _GROUPS and isfinite(verdict.bound)
    sign = 1 if verdict.gate.op.startswith(">") else -1
    return _SEVERITY.index(verdict.status), sign * verdict.bound if lost else inf


def worst(statuses: list[str]) -> str | None:
    """Return the worst status, or None where there is none; NOT ASSESSABLE is worse than PASS."""
    return min(statuses, key=_SEVERITY.index, default=None)


def section_status(report: Findings, section: str) -> str | None:
    """Return the worst status of the gates of a section, or None where no gate judges it."""
    return worst([v.status for v in report.verdicts if texts_of(v.gate.score).section == section])
