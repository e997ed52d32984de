"""The questions of page one: the scores that answer each, and the verdict that decides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, isfinite, isnan
from typing import TYPE_CHECKING, Any

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.labels import with_labels
from synthclin.evaluation.questions import QUESTIONS, Question
from synthclin.evaluation.statuses import WORST_FIRST
from synthclin.language import tr
from synthclin.wording import plain

if TYPE_CHECKING:
    from synthclin.evaluation.gate import Gate
    from synthclin.evaluation.gates import Verdict
    from synthclin.evaluation.kind import Kind
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.statuses import Status
    from synthclin.report.findings import Findings

__all__ = ["Answer", "answers", "label_of", "limit_text", "section_status", "tables_of", "worst"]

_BY_TASK = ("treatment", "inference", "utility")  # groups of scores of which a study may have several


@dataclass(frozen=True, slots=True)
class Answer:
    """One question of page one and the verdict that decides it, the worst of `many`.

    Arguments:
        verdict: it decides.
        kind: the kind of its score.
        text: the question.
        many: the number of scores that answer it.
        of: plural noun for these scores.
        unknown: labels of the scores among them that are not assessable, where another decides.
    """

    verdict: Verdict
    kind: Kind[Any]
    text: str
    many: int
    of: str
    unknown: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """The reason of the verdict."""
        return with_labels(self.verdict.reason)

    @property
    def clause(self) -> str:
        """What the verdict means where it is not PASS, as a clause."""
        return self.kind.clause(self.verdict.status)


def answers(verdicts: Iterable[Verdict]) -> list[Answer]:
    """Return the questions of page one in their order; the worst verdict decides a question with several scores.

    A score without a question of page one is a question of its own, if a gate judges it. So is an analysis that could
    not be run: no other analysis hides it.
    """
    asked: dict[Question | str, list[Verdict]] = {}
    for verdict in verdicts:
        asked.setdefault(_question_of(verdict), []).append(verdict)

    def place(question: Question | str) -> float:
        if isinstance(question, Question):
            return QUESTIONS.index(question)
        known = kind_of(question).asked
        return len(QUESTIONS) if known is None else QUESTIONS.index(known) + 0.5

    found = []
    for question in sorted(asked, key=place):
        decides = min(asked[question], key=_severity_key)
        kind = kind_of(decides.gate.score)
        if isinstance(question, Question):
            text, of = tr(question.text), tr(question.kind)
        else:
            text, of = kind.question, tr("measures")
        unknown = tuple(
            kind_of(each.gate.score).label
            for each in asked[question]
            if each.status in {"NOT ASSESSABLE", "TOO WEAK"} and decides.status in {"PASS", "REVIEW"}
        )
        found.append(Answer(decides, kind, text, len(asked[question]), of, unknown))
    return found


def limit_text(kind: Kind[Any], gate: Gate) -> str:
    """Return the condition of a gate as text: the end of the interval that is compared, and the limit."""
    sign = {">=": "\u2265", "<=": "\u2264"}.get(gate.op, gate.op)
    known = tr("a limit from holdout rows") if isnan(gate.limit) else kind.write_limit(gate.limit)
    limit = f"{sign}\u00a0{known}"
    # A gate at the value without leakage fails only where the interval excludes that value.
    if gate.op.startswith(">") or gate.limit == gate.null:
        return tr("Lower bound {limit}", limit=limit)
    return tr("Upper bound {limit}", limit=limit)


def _question_of(verdict: Verdict) -> Question | str:
    """Return the question that a verdict answers; the name of its score where it is a question of its own."""
    name = verdict.gate.score
    asked = kind_of(name).asked
    alone = name.partition(".")[0] in {"treatment", "inference"} and isnan(verdict.value)
    return name if asked is None or alone else asked


def _severity_key(verdict: Verdict) -> tuple[int, float]:
    """Return a sort key, worst first: by status, then, for predictions and analyses, by bound."""
    lost = verdict.gate.score.partition(".")[0] in _BY_TASK and isfinite(verdict.bound)
    sign = 1 if verdict.gate.op.startswith(">") else -1
    return WORST_FIRST.index(verdict.status), sign * verdict.bound if lost else inf


def worst(statuses: list[Status]) -> Status | None:
    """Return the worst status, or None where there is none; NOT ASSESSABLE is worse than PASS."""
    return min(statuses, key=WORST_FIRST.index, default=None)


def section_status(report: Findings, section: str) -> str | None:
    """Return the worst status of the gates of a section, or None where no gate judges it."""
    return worst([v.status for v in report.verdicts if kind_of(v.gate.score).section == section])


def tables_of(score: Score) -> str:
    """Return which synthetic tables a number is of: this file, or the mean of several replicates.

    Example:
        >>> from synthclin.evaluation.score import Score
        >>> tables_of(Score("a.b", "?", 0.9, 0.8, 1.0, "higher", None, None, 9, "toy", tables=2))
        'mean of 2 replicates'
    """
    return tr("mean of {n} replicates", n=score.tables) if score.tables > 1 else tr("this file")


def label_of(name: str) -> str:
    """Return the short name of a score, safe as text."""
    return plain(kind_of(name).label, 80)
