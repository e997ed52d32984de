"""Page one, the executive summary: one sentence, one row per question with its verdict, three facts, the limits."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from synthclin.evaluation.catalogue import names_of
from synthclin.evaluation.fidelity.associations import ASSOCIATIONS, AssociationDetails
from synthclin.evaluation.gates import WORST_FIRST
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import details_of
from synthclin.report.charts.charts import GateScale, gate_bar
from synthclin.report.pages.key_facts import KeyFact, key_facts
from synthclin.report.pages.questions import answers, label_of, limit_text, tables_of
from synthclin.report.pages.release_box import ReleaseBox, release_box
from synthclin.report.record.envelope import Provenance
from synthclin.wording import NOT_ASSESSABLE, as_many_digits, listed, number, plain, plural, typeset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.evaluation.questions import Group
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings
    from synthclin.report.pages.questions import Answer

__all__ = ["DEFINITIONS", "LIMITS", "Decision", "decision", "not_measured"]

LIMITS = "limits"
"""The place of the statement that orders the limits of page one."""

_BANNERS = {
    "internal": "Contains figures of real patients, for the custodian of the data.",
    "shareable": "Counts of real patients are rounded to tens, or suppressed below 11; other figures are coarse.",
}
_LOST = -0.10  # a change of an association that is a limit on page one
_MOST_LIMITS = 5
_GROUPS: dict[Group, str] = {"privacy": "Privacy", "use": "Use", "power": "Power of the tests"}
DEFINITIONS = (
    ("PASS", "the whole 95 % interval meets the limit."),
    ("REVIEW", "the interval includes the limit, or misses it narrowly: a person decides."),
    ("FAIL", "the whole interval misses the limit by more than asks for review."),
    ("NOT ASSESSABLE", "the score cannot be computed, or its interval is too wide."),
    ("TOO WEAK", "the attacks miss the canaries, so a pass of them is weak evidence."),
    ("NONE", "no guarantee was asked for."),
)
"""The words of a status and their meaning, as page one prints them."""


@dataclass(frozen=True, slots=True)
class DecisionRow:
    """One question with verdict, result, interval and limit."""

    key: str
    section: str
    group: Group
    question: str
    answer: str
    status: str
    value: str
    interval: str
    unit: str
    bar: Markup | None
    limit: str
    source: str
    score: str | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the table or of this report."""

    headline: str
    text: str


_ALWAYS = (Limit("Valid for this file, this model and one release.", "Another release needs a new run; risks add up."),)


@dataclass(frozen=True, slots=True)
class Decision:
    """Page one."""

    edition: str
    banner: str
    privacy: str
    title: str
    sentence: Markup
    open: str
    meta: tuple[tuple[str, tuple[str, ...]], ...]
    groups: tuple[tuple[str, tuple[DecisionRow, ...]], ...]
    facts: tuple[KeyFact, ...]
    limits: tuple[Limit, ...]
    tool: str
    release: ReleaseBox

    @property
    def rows(self) -> tuple[DecisionRow, ...]:
        """The questions of all groups."""
        return tuple(row for _, rows in self.groups for row in rows)


def decision(report: Findings) -> Decision:
    """Return the content of page one."""
    with as_many_digits(shown=report.edition == "shareable"):
        return _decision(report)


def _decision(report: Findings) -> Decision:
    facts = Provenance.model_validate(report.provenance)
    questions = answers(report.verdicts)
    statuses = [(answer.verdict.status, _clause(answer)) for answer in questions]
    guarantee = _dp_row(facts.dp)
    name = "Synthetic table" if facts.name is None else f"{plain(facts.name, 90)}, synthetic version"
    version = facts.versions.get("synthclin")
    tool = "synthclin" if version is None else f"synthclin {plain(version, 20)}"
    return Decision(
        edition=report.edition,
        banner=_BANNERS[report.edition],
        privacy="Neither this report nor the data are differentially private."
        if facts.dp is None
        else "This report is not differentially private.",
        title=name[:1].upper() + name[1:],
        sentence=sentence(statuses),
        open=_open(questions),
        meta=_meta(facts, tool),
        groups=_grouped([*(_row(report, answer) for answer in questions), guarantee]),
        facts=tuple(_stated(report, fact) for fact in key_facts(report)),
        limits=_stated_limits(report),
        tool=tool,
        release=release_box(report),
    )


def sentence(statuses: Sequence[tuple[str, str]]) -> Markup:
    """Return the counts of statuses, then the questions that need review or fail.

    Arguments:
        statuses: for each question its status, and the reason in a clause where it is not passed.

    Example:
        >>> print(sentence([("PASS", ""), ("FAIL", "rows are copied")]))
        One of two questions passes. One <b>fails</b>: rows are copied.
    """
    fail_texts: dict[str, list[str]] = {
        word: [fail_text for status, fail_text in statuses if status == word] for word in WORST_FIRST
    }
    passed, unknown = len(fail_texts["PASS"]), len(fail_texts["NOT ASSESSABLE"])
    verb = "passes" if passed == 1 else "pass"
    parts = [Markup("{} of {} {}.").format(_start(passed), plural(len(statuses), "question"), verb)]
    for status, one, many in (("REVIEW", "needs", "need"), ("FAIL", "fails", "fail")):
        reasons = fail_texts[status]
        if reasons:
            verb = one if len(reasons) == 1 else many
            marked = Markup("{} <b>review</b>").format(verb) if status == "REVIEW" else Markup("<b>{}</b>").format(verb)
            shown = [*reasons[:3], *([f"{len(reasons) - 3} more"] if len(reasons) > 3 else [])]
            parts.append(Markup("{} {}: {}.").format(_start(len(reasons)), marked, listed(shown)))
    if unknown:
        parts.append(Markup("{} {} not assessable.").format(_start(unknown), "is" if unknown == 1 else "are"))
    if fail_texts["TOO WEAK"]:
        parts.append(Markup("The attacks are too weak to see small leaks."))
    return Markup(" ").join(parts)


def limits(report: Findings) -> tuple[Limit, ...]:
    """Return the main limits: failed gates, gates under review, lost associations, unmeasured properties."""
    asked_for = [(answer, _known(report[answer.verdict.gate.score])) for answer in answers(report.verdicts)]
    found = [
        Limit(f"{_sentence_case(_clause(answer))}.", _action(answer))
        for status in ("FAIL", "NOT ASSESSABLE", "REVIEW")
        for answer, known in asked_for
        if answer.verdict.status == status and known
    ]
    unknown = [answer.kind.label for answer, known in asked_for if not known]
    judged = {verdict.gate.score for verdict in report.verdicts}
    unknown += [
        label_of(score.name)
        for score in report.scores
        if score.name.startswith("inference.") and math.isnan(score.value) and score.name not in judged
    ]
    if unknown:
        found.append(Limit("Not assessable:", f"{listed(unknown)}. Not assessable never counts as passed."))
    changes = details_of(report.find(ASSOCIATIONS.name), AssociationDetails)
    lost = changes.lost[:1] if changes else []
    if lost and lost[0].change <= _LOST:
        names = listed([column_name(name, 24) for name in lost[0].columns])
        strengths = f"{number(lost[0].real, 2)} in real rows, {number(lost[0].synthetic, 2)} in synthetic rows"
        found.append(Limit(f"The association of {names} is too weak.", f"Strength {strengths}."))
    always: tuple[Limit, ...] = _ALWAYS
    unmeasured = not_measured(report)
    if sentences := [*([f"{listed(unmeasured)}."] if unmeasured else []), *report.notes]:
        always = (Limit("Not measured here:", " ".join(sentences)), *always)
    if not any(verdict.gate.score.startswith("privacy.") for verdict in report.verdicts):
        text = "Privacy: no gate of this run judges an attack, so no privacy question is passed."
        always = (Limit("Not judged here:", text), *always)
    return (*found[: _MOST_LIMITS - len(always)], *always)


def not_measured(report: Findings) -> list[str]:
    """Return the properties that this report does not measure."""
    kinds = {score.name.partition(".")[0] for score in report.scores}
    words = {"subgroups": "fidelity in subgroups of patients", "inference": "effect estimates and survival"}
    shadows = [] if any(report.find(name) for name in names_of("shadow models")) else ["shadow-model attacks"]
    return [*shadows, *(text for kind, text in words.items() if kind not in kinds)]


def _clause(answer: Answer) -> str:
    return answer.kind.clause(answer.verdict.status)


def _action(answer: Answer) -> str:
    return answer.kind.action if answer.verdict.status == "FAIL" else typeset(answer.reason, 200)


def _row(report: Findings, answer: Answer) -> DecisionRow:
    gate, kind, status = answer.verdict.gate, answer.kind, answer.verdict.status
    score = report[gate.score]
    known = _known(score)
    scale = GateScale(
        kind.ideal, gate.limit, gate.review, higher=gate.op.startswith(">"), judges_better=gate.limit == gate.null
    )
    answer_text = kind.answer(score) if known else typeset(answer.reason, 240)
    if known and status == "NOT ASSESSABLE":
        answer_text = f"{answer_text} The interval extends from PASS to FAIL: too few rows to decide.".strip()
    if answer.unknown:
        answer_text = f"{answer_text} Not assessable: {listed(answer.unknown)}.".strip()
    question = plain(answer.text, 140)
    return DecisionRow(
        key=f"q-{gate.score}",
        section=kind.section,
        group="use" if kind.asked is None else kind.asked.group,
        question=question,
        answer=_said(report, f"answer/{question}", plain(answer_text, 240) if answer_text else ""),
        status=status,
        value=kind.write(score.value),
        interval=kind.write_interval(score),
        unit=_unit(answer, score),
        bar=gate_bar(scale, score.value, score.low, score.high, kind.write_limit) if known else None,
        limit=limit_text(kind, gate),
        source=plain(gate.source.partition(", because ")[0], 80),  # its reason stands in Methods
        score=gate.score,
    )


def _unit(answer: Answer, score: Score) -> str:
    """Return what the number measures, and of which tables."""
    several = "" if answer.many == 1 else f", worst of {answer.many} {answer.of}"
    return f"{answer.kind.unit}{several}; {tables_of(score)}"


def _grouped(rows: Sequence[DecisionRow]) -> tuple[tuple[str, tuple[DecisionRow, ...]], ...]:
    """Return the rows of each group of questions under its heading; a group without a question is left out."""
    groups = ((name, tuple(row for row in rows if row.group == group)) for group, name in _GROUPS.items())
    return tuple((name, group) for name, group in groups if group)


def _open(questions: Sequence[Answer]) -> str:
    """Return what is open and what would decide it, as one line; empty where every question passes."""
    failed, judged, unknown = (
        [_lower(answer.kind.label) for answer in questions if answer.verdict.status in statuses]
        for statuses in (("FAIL",), ("REVIEW",), ("NOT ASSESSABLE", "TOO WEAK"))
    )
    times = max((answer.verdict.holdout_needed or 0.0 for answer in questions), default=0.0)
    parts = [
        f"a new table or another use decides {listed(failed)}" if failed else "",
        f"people decide {listed(judged)} for the declared use" if judged else "",
        f"a larger holdout decides {listed(unknown)}" if unknown else "",
        f"about {number(times, 1)} times as many holdout patients would narrow the intervals" if times else "",
    ]
    told = "; ".join(part for part in parts if part)
    return f"Open: {told}." if told else ""


def _lower(label: str) -> str:
    """Return a label inside a sentence: lower case at its start, unless it starts with an abbreviation."""
    return label[:1].lower() + label[1:] if label[1:2].islower() else label


def _said(report: Findings, key: str, own: str) -> str:
    """Return what the internal edition says in this place, where it differs from the edition's own text."""
    known = report.statements.get(key)
    return own if known is None or not known.text else known.text


def _stated_limits(report: Findings) -> tuple[Limit, ...]:
    """Return the limits, those of the internal edition where it states them."""
    own = limits(report)
    known = report.statements.get(LIMITS)
    if known is None:
        return own
    texts = {limit.headline: limit.text for limit in own}
    return tuple(Limit(name, texts.get(name) or _said(report, f"{LIMITS}/{name}", "")) for name in known.order)


def _stated(report: Findings, fact: KeyFact) -> KeyFact:
    parts = {part: _said(report, f"fact/{fact.name}/{part}", getattr(fact, part)) for part in ("value", "note")}
    return KeyFact(fact.name, **parts)


def _known(score: Score) -> bool:
    return all(map(math.isfinite, (score.value, score.low, score.high)))


def _dp_row(dp: str | None) -> DecisionRow:
    return DecisionRow(
        key="q-dp",
        section="limits",
        group="privacy",
        question="Is there a differential privacy guarantee?",
        answer="None was requested. This report itself is not differentially private."
        if dp is None
        else f"{plain(dp, 120)} This report itself is not differentially private.",
        status="NONE" if dp is None else "STATED",
        value="none stated" if dp is None else "stated",
        interval="",
        unit="",
        bar=None,
        limit="Declared before the run",
        source="declared use",
    )


def _meta(facts: Provenance, tool: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    rows = facts.rows.get("synthetic")
    size = NOT_ASSESSABLE if rows is None else f"{number(rows, 0)} rows"
    size += "" if facts.columns is None else f", {number(facts.columns, 0)} columns judged"
    holdout = facts.rows.get("holdout")
    reference = "without holdout" if not holdout else f"compared with {number(holdout, 0)} holdout rows"
    seed = facts.seed if facts.seed is not None else facts.random_state
    return (
        ("Rows", (size, reference)),
        ("Run", (tool,) if seed is None else (tool, f"seed {seed}")),
    )


def _start(n: int) -> str:
    return _sentence_case(plural(n, "x").partition(" ")[0] if n else "none")


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]
