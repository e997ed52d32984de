"""The section on all gates: value, interval, limits, the rule that was applied, its source and the reason."""

from __future__ import annotations

from collections import Counter
from math import isnan
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.labels import with_labels
from synthclin.evaluation.statuses import WORST_FIRST
from synthclin.language import tr, tr_plural
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.questions import label_of, limit_text, tables_of
from synthclin.report.pages.words import status_name
from synthclin.wording import listed, typeset

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Verdict
    from synthclin.report.findings import Findings

__all__ = ["gates_section"]


def gates_section(report: Findings) -> Section | None:
    """Return the table of every gate, worst first; None without a gate."""
    if not report.verdicts:
        return None
    counts: Counter[str] = Counter(verdict.status for verdict in report.verdicts)
    told = listed([f"{counts[status]} {status_name(status)}" for status in WORST_FIRST if counts[status]])
    ordered = sorted(report.verdicts, key=lambda verdict: WORST_FIRST.index(verdict.status))
    head = (
        tr("Score"),
        tr("Status"),
        tr("Result, 95 % interval"),
        tr("Limits"),
        tr("Reason, and source of the limits"),
    )
    figure = Figure(
        title=tr_plural("One gate: {statuses}", "{n} gates: {statuses}", len(ordered), statuses=told),
        how=tr(
            "Every limit that this report applies. Each question of page one has the status of its worst gate. A gate "
            "of an attack judges the difference from non-members; its source says who set the limits."
        ),
        table=DataTable(
            tr("All gates"), head, tuple(_row(report, verdict) for verdict in ordered), words=4, form="gates"
        ),
    )
    return Section("gates", tr("All gates"), tr("Gates"), figures=(figure,))


def _row(report: Findings, verdict: Verdict) -> Row:
    gate, score = verdict.gate, report[verdict.gate.score]
    kind = kind_of(score.name)
    ends = kind.write_interval(score)
    result = f"{kind.write(score.value)}{f' ({ends})' if ends else ''}; {tables_of(score)}"
    limits = [limit_text(kind, gate)]
    if gate.review is not None and not isnan(gate.review):
        limits.append(tr("REVIEW to {limit}", limit=kind.write_limit(gate.review)))
    if not isnan(verdict.reached):
        reached = kind.write(verdict.reached)
        limits.append(
            tr("without leakage {value}", value=reached)
            if gate.null is not None
            else tr("holdout rows {value}", value=reached)
        )
    reason = [
        typeset(with_labels(verdict.reason), 300),
        *([tr("The status is less severe than by the limits alone.")] if verdict.excused else []),
        tr("Limits: {source}.", source=typeset(tr(gate.source), 320)),
    ]
    return Row(label_of(score.name), (status_name(verdict.status), result, "; ".join(limits), " ".join(reason)))
