"""The section on all gates: value, interval, limits, the rule that was applied, its source and the reason."""

from __future__ import annotations

from collections import Counter
from math import isnan
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.gates import WORST_FIRST
from synthclin.evaluation.labels import with_labels
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.questions import label_of, limit_text, tables_of
from synthclin.wording import listed, plain, typeset

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Verdict
    from synthclin.report.findings import Findings

__all__ = ["gates_section"]

_HEAD = ("Score", "Status", "Result, 95 % interval", "Limits", "Reason, and source of the limits")


def gates_section(report: Findings) -> Section | None:
    """Return the table of every gate, worst first; None without a gate."""
    if not report.verdicts:
        return None
    counts: Counter[str] = Counter(verdict.status for verdict in report.verdicts)
    told = listed([f"{counts[status]} {status}" for status in WORST_FIRST if counts[status]])
    ordered = sorted(report.verdicts, key=lambda verdict: WORST_FIRST.index(verdict.status))
    figure = Figure(
        title=f"{len(report.verdicts)} gates: {told}" if len(report.verdicts) > 1 else f"One gate: {told}",
        how="Every limit that this report applies. Each question of page one has the status of its worst gate. A gate "
        "of an attack judges the difference from non-members; its source says who set the limits.",
        table=DataTable("All gates", _HEAD, tuple(_row(report, verdict) for verdict in ordered), words=4, form="gates"),
    )
    return Section("gates", "All gates", "Gates", figures=(figure,))


def _row(report: Findings, verdict: Verdict) -> Row:
    gate, score = verdict.gate, report[verdict.gate.score]
    kind = kind_of(score.name)
    ends = kind.write_interval(score)
    what = "without leakage" if gate.null is not None else "holdout rows"
    result = f"{kind.write(score.value)}{f' ({ends})' if ends else ''}; {tables_of(score)}"
    limits = limit_text(kind, gate)
    limits += "" if gate.review is None else f"; REVIEW to {kind.write_limit(gate.review)}"
    limits += "" if isnan(verdict.reached) else f"; {what} {kind.write(verdict.reached)}"
    excused = " The status is less severe than by the limits alone." if verdict.excused else ""
    reason = f"{typeset(with_labels(verdict.reason), 200)}{excused} Limits: {plain(gate.source, 240)}."
    return Row(label_of(score.name), (verdict.status, result, limits, reason))
