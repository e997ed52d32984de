"""A report in a notebook: page one as a table, and the report as one line of text."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from synthclin.evaluation.statuses import WORST_FIRST
from synthclin.io.html_card import card
from synthclin.language import tr
from synthclin.report.pages.decision import decision
from synthclin.report.pages.names import showing_labels_of
from synthclin.report.pages.words import edition_name, status_name
from synthclin.wording import plain

if TYPE_CHECKING:
    from synthclin.report.findings import Findings

__all__ = ["one_line", "page_one_html"]


def page_one_html(report: Findings) -> str:
    """Return page one of the report as an HTML table without scripts."""
    with showing_labels_of(report):
        page = decision(report)
        rows = [
            (row.question, row.answer, status_name(row.status), row.value, row.interval, row.limit) for row in page.rows
        ]
        head = (tr("question"), tr("answer"), tr("status"), tr("result"), tr("95 % interval"), tr("limit for PASS"))
        edition = f"{edition_name(page.edition)}. {page.banner} {page.privacy}"
    limits = [f"{limit.headline} {limit.text}" for limit in page.limits]
    opened = [page.release.open_points] if page.release.open_points else []
    return card(
        page.title, lines=[page.sentence.striptags(), edition, *opened, *limits], head=head, rows=rows, longest=400
    )


def one_line(report: Findings) -> str:
    """Return the name of a report and how many gates have each status.

    Example:
        >>> from synthclin.report.findings import Findings
        >>> one_line(Findings((), (), {}, {"name": "toy"}))
        'Report(toy: no gates)'
    """
    counts = Counter[str](verdict.status for verdict in report.verdicts)
    ordered = [status for status in reversed(WORST_FIRST) if counts[status]]
    verdicts = ", ".join(f"{counts[status]} {status}" for status in ordered)
    return f"Report({plain(report.provenance.get('name', 'synthetic table'), 60)}: {verdicts or 'no gates'})"
