"""The questions of page one: which score answers which, and which verdict decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite
from typing import TYPE_CHECKING

from synthclin.report.measures import NAMES, QUESTIONS, Question, analysis_of, prediction
from synthclin.report.words import plain

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Verdict

__all__ = ["Answer", "answers", "asked", "worst"]

_GROUPS = ("inference", "utility")  # of which all scores together answer one question
_SECTIONS = {"calibration": "utility", "importance": "utility", "survival": "utility", "subgroups": "subgroups"}
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
    told, unit = NAMES.get(name) or _grouped(name)
    said = told[:1].lower() + told[1:] if name in NAMES else told
    return Question(
        section=_SECTIONS.get(name.partition(".")[0], "fidelity"),
        name=told,
        unit=unit,
        ideal=1.0,
        trouble=f"{said} misses its limit",
        doubt=f"{said} may miss its limit",
        advice="See its note.",
    )


def _grouped(name: str) -> tuple[str, str]:
    """Return measure and unit of a score whose name ends in a column; a name nobody knows stands as it is."""
    group, _, rest = name.partition(".")
    if group == "subgroups":
        column, _, headline = rest.rpartition(".")
        return f"Groups of {plain(column, 30)}, {plain(headline, 20)}", "of the worst group"
    words = {
        "calibration": ("Calibration of {}", "Brier score beyond real"),
        "importance": ("What predicts {}", "rank correlation"),
    }
    measure, unit = words.get(group, (plain(name, 40).replace("{", "{{").replace("}", "}}"), plain(name, 40)))
    return measure.format(plain(rest, 30)), unit


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
