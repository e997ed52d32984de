"""The figure of the gates: each limit, its source with the reason, and how the score was judged by it."""

from __future__ import annotations

from math import isnan
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.report.pages.figures import DataTable, Figure, Row
from synthclin.wording import plain

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Verdict
    from synthclin.report.findings import Findings

__all__ = ["gate_figure"]


def gate_figure(report: Findings) -> Figure:
    """Return the table of all gates: limits, bound, what rows without leakage reach, status, source and reason."""
    return Figure(
        title="Each limit, its source, and how it was applied",
        how="Bound: the end of the 95 % interval that is compared with the limit. Without leakage: what rows that leak "
        "nothing, or real rows, reach on the same data. Where they miss the limit too, the status may be less severe; "
        "the reason states it.",
        table=DataTable(
            "Limits and how they were applied",
            ("Score", "Source of the limits", "Reason of the status", "Limit", "Review", "Bound", "Without leakage"),
            tuple(_row(verdict) for verdict in report.verdicts),
            words=2,
            form="wordy",
        ),
        note="Figures of the shareable edition are rounded, so a status may not follow from them to the last digit."
        if report.edition == "shareable"
        else "",
    )


def _row(verdict: Verdict) -> Row:
    gate, kind = verdict.gate, kind_of(verdict.gate.score)
    excused = " The status is less severe than by the limits alone." if verdict.excused else ""
    return Row(
        plain(gate.score, 60),
        (
            plain(gate.source, 200),
            plain(f"{verdict.status}. {verdict.reason}{excused}", 400),
            f"{_sign(gate.op)}\u00a0{kind.write_limit(gate.limit)}",
            "none" if gate.review is None else kind.write_limit(gate.review),
            kind.write(verdict.bound),
            "\u2013" if isnan(verdict.reached) else kind.write(verdict.reached),
        ),
    )


def _sign(op: str) -> str:
    return {">=": "\u2265", "<=": "\u2264"}.get(op, op)
