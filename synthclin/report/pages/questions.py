"""The questions of page one: which score answers which, and which verdict decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import TYPE_CHECKING

from synthclin.evaluation.score_names import HEADLINES
from synthclin.report.pages.score_texts import NAMES, QUESTIONS, SURVIVAL, Question, analysis_of, prediction
from synthclin.report.record.clinical_details import SubgroupDetails
from synthclin.report.words import number, plain

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Verdict
    from synthclin.evaluation.score import Score

__all__ = ["Answer", "answers", "asked", "worst"]

_GROUPS = ("inference", "utility")  # of which all scores together answer one question
_SECTIONS = {"calibration": "utility", "importance": "utility", "survival": "utility"}
_SHARED = {
    "privacy.recognition": "privacy.membership",
    "privacy.relative_f1": "privacy.membership",
    "privacy.shadow_table": "privacy.membership",
    "privacy.identity_disclosure": "privacy.attribute_inference",
    "privacy.disclosive_keys": "privacy.attribute_inference",
    "privacy.linkability": "privacy.singling_out",
    "privacy.replicated_uniques": "privacy.singling_out",
    "privacy.near_copies": "privacy.copies",
}
_SEVERITY = ("FAIL", "REVIEW", "NOT ASSESSABLE", "PASS")


def asked(name: str) -> Question:
    """Return how the report speaks of the score `name`; a score it does not know gets neutral words.

    Example:
        >>> asked("utility.died").section, asked("house.own").unit
        ('utility', 'house.own')
    """
    if name.startswith("utility."):
        return prediction(plain(name.removeprefix("utility."), 40))
    if name.startswith("inference."):
        return analysis_of(plain(name.removeprefix("inference."), 40))
    if name in QUESTIONS:
        return QUESTIONS[name]
    if name.startswith("subgroups."):
        return _of_groups(name)
    told, unit = NAMES.get(name) or _grouped(name)
    said = told[:1].lower() + told[1:] if name in NAMES else told
    return Question(
        section=_SECTIONS.get(name.partition(".")[0], "fidelity"),
        name=told,
        unit=unit,
        ideal=1.0,
        fail_text=f"{said} misses its limit",
        review_text=f"{said} may miss its limit",
        action="See its note.",
    )


def _grouped(name: str) -> tuple[str, str]:
    """Return measure and unit of a score whose name ends in a column; a name nobody knows stands as it is."""
    group, _, rest = name.partition(".")
    if group == "survival" and rest.partition(".")[0] in SURVIVAL:
        group, _, rest = rest.partition(".")
    words = SURVIVAL | {
        "calibration": ("Calibration of {}", "Brier score beyond real"),
        "importance": ("What predicts {}", "rank correlation"),
    }
    measure, unit = words.get(group, (plain(name, 40).replace("{", "{{").replace("}", "}}"), plain(name, 40)))
    return measure.format(plain(rest, 30)), unit


def _of_groups(name: str) -> Question:
    """Return how the report speaks of a score that is computed again in each group of a column."""
    rest = name.removeprefix("subgroups.")
    tails = {f".{score.partition('.')[2]}": score for score in HEADLINES}
    tail = next((tail for tail in tails if rest.endswith(tail)), "")
    column, headline = rest.removesuffix(tail), tails.get(tail)
    told = f"Groups of {plain(column, 40)}" if headline is None else f"{asked(headline).name}, {plain(column, 30)}"
    said = f"some group of {plain(column, 30)}"
    of = Question("", "", "value", 1.0, "", "", "") if headline is None else asked(headline)
    return replace(
        of,
        section="subgroups",
        name=told,
        unit=f"{of.unit}, worst group",
        fail_text=f"{said} is served badly",
        review_text=f"{said} may be served badly",
        action="Do not use the table for this group.",
        answer=_worst_group,
        title="",
    )


def _worst_group(score: Score) -> str:
    details = SubgroupDetails.model_validate(score.details)
    if details.worst is None:
        return ""
    fresh = "" if score.reference is None else f" Fresh real rows of it reach {number(score.reference)}."
    return f"Furthest from real: {plain(details.worst, 30)}, at {number(score.value)}.{fresh}"


@dataclass(frozen=True, slots=True)
class Answer:
    """One question of page one: the verdict that decides it, out of `many` of its kind."""

    verdict: Verdict
    question: Question
    many: int = 1


def answers(verdicts: Iterable[Verdict]) -> list[Answer]:
    """Return the questions of page one in their order; scores that answer one question are decided by the worst."""
    names = list(QUESTIONS)
    asked_by: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        name = verdict.gate.score
        group = name.partition(".")[0]
        asked_by.setdefault(group if group in _GROUPS else _SHARED.get(name, name), []).append(verdict)

    def place(question: str) -> float:
        if question in _GROUPS:
            return names.index("validity.rules") - 1 / (2 + _GROUPS.index(question))
        return names.index(question) if question in names else len(names)

    told = []
    for question in sorted(asked_by, key=place):
        decides = min(asked_by[question], key=_badness)
        told.append(Answer(decides, asked(decides.gate.score), len(asked_by[question])))
    return told


def _badness(verdict: Verdict) -> tuple[int, float]:
    """Rank verdicts, worst first: by status, then, of predictions and analyses, by what is lost."""
    lost = verdict.gate.score.partition(".")[0] in _GROUPS and isfinite(verdict.bound)
    return _SEVERITY.index(verdict.status), verdict.bound if lost else inf


def worst(statuses: list[str]) -> str | None:
    """Return the status that a section shows; one that cannot be judged never counts as PASS."""
    return min(statuses, key=_SEVERITY.index, default=None)
