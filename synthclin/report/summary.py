"""The summary of a report: page one as Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from synthclin.language import tr
from synthclin.report.pages.decision import decision
from synthclin.report.pages.names import showing_labels_of
from synthclin.report.pages.words import edition_name, status_name
from synthclin.report.record.seal import sealed, unsigned

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.report.findings import Findings

__all__ = ["escaped", "markdown_table", "summary"]


def summary(report: Findings) -> str:
    """Return page one of the report as Markdown.

    Example:
        >>> from synthclin.report.findings import Findings
        >>> print(summary(Findings((), (), {}, {"name": "toy"})).splitlines()[0])
        # Toy, synthetic version: validation report, summary
    """
    with showing_labels_of(report):
        return sealed(_summary(report))


def _summary(report: Findings) -> str:
    page = decision(report)
    rows = [
        (row.question, status_name(row.status), row.value, row.interval or "\u2013", f"{row.limit} ({row.source})")
        for row in page.rows
    ]
    facts = [f"- **{escaped(fact.name)}:** {escaped(fact.value)}; {escaped(fact.note)}." for fact in page.facts]
    limits = [f"1. **{escaped(limit.headline)}** {escaped(limit.text)}" for limit in page.limits]
    meta = [f"- **{escaped(item.name)}:** {escaped(item.text)}" for item in page.release.items]
    meta += [f"- **{escaped(name)}:** {escaped('; '.join(lines))}" for name, lines in page.meta]
    head = (tr("Question"), tr("Status"), tr("Result"), tr("95 % interval"), tr("Limit for PASS, source"))
    may, may_not = escaped(page.release.may.text), escaped(" ".join(page.release.may_not))
    parts = [
        f"# {tr('{title}: validation report, summary', title=escaped(page.title))}",
        escaped(page.sentence.striptags()),
        f"**{edition_name(page.edition)}.** {page.banner} {page.privacy}",
        "\n".join(meta),
        *([f"**{escaped(page.release.open_points)}**"] if page.release.open_points else []),
        markdown_table(head, rows),
        "\n".join(facts),
        f"**{tr('May be used for:')}** {may}",
        f"**{tr('May not be used for:')}** {may_not}",
        f"## {tr('Biggest limits')}",
        "\n".join(limits),
        tr(
            "A summary of evidence, not a legal determination; people decide. The data come from patients and may "
            "still be personal data. Not for care decisions about any person."
        ),
        unsigned(report.table, passed=report.passed),
    ]
    return "\n\n".join(parts) + "\n"


def markdown_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    r"""Return a Markdown table with escaped cells.

    Example:
        >>> print(markdown_table(("a", "b"), [("x|y", "<b>")]))
        | a | b |
        |---|---|
        | x\|y | \<b\> |
    """
    lines = [head, ["---"] * len(head), *([escaped(cell) for cell in row] for row in rows)]
    written = ["| " + " | ".join(line) + " |" for line in lines]
    written[1] = "|" + "---|" * len(head)
    return "\n".join(written)


def escaped(text: str) -> str:
    """Return text on one line with Markdown characters escaped."""
    return re.sub(r"([\\`*_\[\]<>|#~])", r"\\\1", " ".join(text.split()))
