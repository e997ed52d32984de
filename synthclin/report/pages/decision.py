"""Page one, the executive summary: one sentence, one row per question with its verdict, three facts, the limits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from synthclin.evaluation.statuses import WORST_FIRST
from synthclin.language import tr
from synthclin.report.charts.charts import GateScale, gate_bar
from synthclin.report.pages.key_facts import KeyFact, key_facts
from synthclin.report.pages.main_limits import Limit, stated_limits
from synthclin.report.pages.questions import answers, limit_text, tables_of
from synthclin.report.pages.release_box import ReleaseBox, release_box
from synthclin.report.pages.statements import said
from synthclin.report.pages.words import shown_first, status_name
from synthclin.report.record.envelope import Provenance
from synthclin.wording import (
    as_many_digits,
    listed,
    lower_start,
    not_assessable,
    number,
    number_word,
    plain,
    plural,
    sentence_case,
    typeset,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from synthclin.evaluation.questions import Group
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings
    from synthclin.report.pages.questions import Answer

__all__ = ["Decision", "decision", "definitions"]


def definitions() -> tuple[tuple[str, str], ...]:
    """Return the words of a status and their meaning, as page one prints them."""
    return (
        (status_name("PASS"), tr("the end of the 95 % interval that is judged meets the limit.")),
        (
            status_name("REVIEW"),
            tr("a person decides: the interval includes the limit or misses it narrowly, or real rows miss it too."),
        ),
        (
            status_name("FAIL"),
            tr(
                "the whole interval misses the limit, and its worse end the limit for REVIEW too; the worst column, "
                "term or tenth of the patients can decide."
            ),
        ),
        (
            status_name("NOT ASSESSABLE"),
            tr("the score cannot be computed, or its interval, or that without leakage, is too wide."),
        ),
        (status_name("TOO WEAK"), tr("the attacks miss the canaries, so a pass of them is weak evidence.")),
        (status_name("NONE"), tr("no guarantee was asked for.")),
    )


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
    statuses = [(answer.verdict.status, answer.clause) for answer in questions]
    guarantee = _dp_row(facts.dp, covers_report=report.is_of_synthetic_rows)
    name = tr("Synthetic table") if facts.name is None else tr("{name}, synthetic version", name=plain(facts.name, 90))
    version = facts.versions.get("synthclin")
    tool = "synthclin" if version is None else f"synthclin {plain(version, 20)}"
    return Decision(
        edition=report.edition,
        banner=_banner(report),
        privacy=_privacy(report, facts.dp),
        title=sentence_case(name),
        sentence=sentence(statuses),
        open=_open(questions),
        meta=_meta(
            facts, tool, report.sections.get("patients") or {}, 0 if report.table is None else report.table.rows
        ),
        groups=_grouped([*(_row(report, answer) for answer in questions), guarantee]),
        facts=tuple(_stated(report, fact) for fact in key_facts(report)),
        limits=stated_limits(report),
        tool=tool,
        release=release_box(report),
    )


def _privacy(report: Findings, dp: str | None) -> str:
    """Return whether the report and the data are differentially private."""
    if dp is None:
        return tr("Neither this report nor the data are differentially private.")
    if report.is_of_synthetic_rows:
        return tr("The differential privacy of the data covers this report too.")
    return tr("This report is not differentially private.")


def _banner(report: Findings) -> str:
    """Return whom an edition is for, or how its figures are protected."""
    if report.is_of_synthetic_rows:
        return tr("Contains no figure of real patients.")
    if report.edition == "internal":
        return tr("Contains figures of real patients, for the custodian of the data.")
    return tr(
        "Counts of real patients are rounded to tens, or suppressed below 11; other figures are coarse, and one that "
        "rounding would move across a limit is shown as the limit."
    )


def sentence(statuses: Sequence[tuple[str, str]]) -> Markup:
    """Return the counts of statuses, then the questions that need review or fail.

    Arguments:
        statuses: for each question its status, and the reason in a clause where it is not passed.

    Example:
        >>> print(sentence([("PASS", ""), ("FAIL", "rows are copied")]))
        One of two questions passes. One <b>fails</b>: rows are copied.
    """
    clauses = {word: [clause for status, clause in statuses if status == word] for word in WORST_FIRST}
    questions = plural(len(statuses), "one question", "{n} questions")
    passed = len(clauses["PASS"])
    parts = [
        plural(passed, "One of {questions} passes.", "{n} of {questions} pass.", n=_start(passed), questions=questions)
        if passed
        else tr("None of {questions} pass.", questions=questions)
    ]
    reasons = {status: escape(listed(shown_first(found))) for status, found in clauses.items()}
    if n := len(clauses["REVIEW"]):
        parts.append(
            plural(
                n,
                "One needs <b>review</b>: {reasons}.",
                "{n} need <b>review</b>: {reasons}.",
                n=_start(n),
                reasons=reasons["REVIEW"],
            )
        )
    if n := len(clauses["FAIL"]):
        parts.append(
            plural(
                n,
                "One <b>fails</b>: {reasons}.",
                "{n} <b>fail</b>: {reasons}.",
                n=_start(n),
                reasons=reasons["FAIL"],
            )
        )
    if n := len(clauses["NOT ASSESSABLE"]):
        parts.append(plural(n, "One is not assessable.", "{n} are not assessable.", n=_start(n)))
    if clauses["TOO WEAK"]:
        parts.append(tr("The attacks are too weak to see small leaks."))
    return Markup(" ".join(parts))  # noqa: S704 (the reasons are escaped; the rest is our own words)


def _start(n: int) -> str:
    """Return a count at the start of a sentence."""
    return sentence_case(number_word(n))


def _row(report: Findings, answer: Answer) -> DecisionRow:
    gate, kind, status = answer.verdict.gate, answer.kind, answer.verdict.status
    score = report[gate.score]
    known = score.is_assessable
    scale = GateScale(
        kind.ideal, gate.limit, gate.review, higher=gate.op.startswith(">"), judges_better=gate.limit == gate.null
    )
    answer_text = kind.answer(score) if known else typeset(answer.reason, 320)
    if known and answer.verdict.excused:
        answer_text = f"{answer_text} {typeset(answer.reason, 320)}".strip()
    elif known and status == "NOT ASSESSABLE":
        wide = tr("The interval extends from PASS to FAIL: too few rows to decide.")
        answer_text = f"{answer_text} {wide}".strip()
    if answer.unknown:
        unknown = tr("Not assessable: {scores}.", scores=listed(answer.unknown))
        answer_text = f"{answer_text} {unknown}".strip()
    if answer.also:
        also = tr("Also above their limits or to review: {scores}.", scores=listed(answer.also))
        answer_text = f"{answer_text} {also}".strip()
    question = plain(answer.text, 180)
    return DecisionRow(
        key=f"q-{gate.score}",
        section=kind.section,
        group="use" if kind.asked is None else kind.asked.group,
        question=question,
        answer=said(report, f"answer/{gate.score}", plain(answer_text, 400) if answer_text else ""),
        status=status,
        value=kind.write(score.value),
        interval=kind.write_interval(score),
        unit=_unit(answer, score),
        bar=gate_bar(scale, score.value, score.low, score.high, kind.write_limit)
        if known and not math.isnan(gate.limit)
        else None,
        limit=limit_text(kind, gate),
        source=typeset(tr(gate.source.partition(", because ")[0]), 120),  # its reason stands in Methods
        score=gate.score,
    )


def _unit(answer: Answer, score: Score) -> str:
    """Return what the number measures, and of which tables."""
    unit, tables = answer.kind.unit, tables_of(score)
    if answer.many == 1:
        return f"{unit}; {tables}"
    return tr("{unit}, worst of {n} {scores}; {tables}", unit=unit, n=answer.many, scores=answer.of, tables=tables)


def _grouped(rows: Sequence[DecisionRow]) -> tuple[tuple[str, tuple[DecisionRow, ...]], ...]:
    """Return the rows of each group of questions under its heading; a group without a question is left out."""
    names: dict[Group, str] = {"privacy": tr("Privacy"), "use": tr("Use"), "power": tr("Power of the tests")}
    groups = ((name, tuple(row for row in rows if row.group == group)) for group, name in names.items())
    return tuple((name, group) for name, group in groups if group)


def _open(questions: Sequence[Answer]) -> str:
    """Return what is open and what would decide it, as one line; empty where every question passes."""
    failed, judged, unknown = (
        [lower_start(answer.kind.label) for answer in questions if answer.verdict.status in statuses]
        for statuses in (("FAIL",), ("REVIEW",), ("NOT ASSESSABLE", "TOO WEAK"))
    )
    times = max((answer.verdict.holdout_needed or 0.0 for answer in questions), default=0.0)
    parts = [
        tr("a new table or another use decides {scores}", scores=listed(failed)) if failed else "",
        tr("people decide {scores} for the declared use", scores=listed(judged)) if judged else "",
        tr("a larger holdout decides {scores}", scores=listed(unknown)) if unknown else "",
        tr("about {times} times as many holdout patients would narrow the intervals", times=number(times, 1))
        if times
        else "",
    ]
    points = "; ".join(part for part in parts if part)
    return tr("Open: {points}.", points=points) if points else ""


def _stated(report: Findings, fact: KeyFact) -> KeyFact:
    parts = {part: said(report, f"fact/{fact.key}/{part}", getattr(fact, part)) for part in ("value", "note")}
    return replace(fact, **parts)


def _dp_row(dp: str | None, *, covers_report: bool) -> DecisionRow:
    guarantee = "" if dp is None else plain(dp, 120)
    if dp is None:
        answer = tr("None was requested. This report itself is not differentially private.")
    elif covers_report:
        answer = tr("{guarantee} It covers this report too.", guarantee=guarantee)
    else:
        answer = tr("{guarantee} This report itself is not differentially private.", guarantee=guarantee)
    return DecisionRow(
        key="q-dp",
        section="limits" if dp is None else "guarantee",
        group="privacy",
        question=tr("Is there a differential privacy guarantee?"),
        answer=answer,
        status="NONE" if dp is None else "STATED",
        value=tr("none stated") if dp is None else tr("stated"),
        interval="",
        unit="",
        bar=None,
        limit=tr("Declared before the run"),
        source=tr("declared use"),
    )


def _meta(
    facts: Provenance, tool: str, patients: Mapping[str, int], released: int
) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the sizes of the tables and the run.

    `patients` are their numbers where rows are visits, `released` the rows of the file where fewer are scored.
    """
    rows = facts.rows.get("synthetic")
    size = not_assessable() if rows is None else tr("{n} rows", n=number(rows, 0))
    if rows is not None and rows < released:
        size = tr("{n} of {total} rows", n=number(rows, 0), total=number(released, 0))
    if rows is not None and "synthetic" in patients:
        size = tr(
            "{visits} visits of {patients} patients", visits=number(rows, 0), patients=number(patients["synthetic"], 0)
        )
    if facts.columns is not None:
        size = tr("{rows}, {n} columns judged", rows=size, n=number(facts.columns, 0))
    holdout = facts.rows.get("holdout")
    reference = tr("compared with {n} holdout rows", n=number(holdout, 0)) if holdout else tr("without holdout")
    if set(facts.rows) == {"synthetic"}:
        reference = tr("compared with no real row in this edition")
    if holdout and patients.get("holdout"):
        reference = tr("compared with {n} holdout patients", n=number(patients["holdout"], 0))
    seed = facts.seed if facts.seed is not None else facts.random_state
    return (
        (tr("Rows"), (size, reference)),
        (tr("Run"), (tool,) if seed is None else (tool, tr("seed {seed}", seed=seed))),
    )
