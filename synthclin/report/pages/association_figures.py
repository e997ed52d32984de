"""Figures of associations: heat maps of real rows, synthetic rows and their difference, with the largest changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.evaluation.fidelity.associations import ASSOCIATIONS, AssociationDetails, change_of
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import details_of
from synthclin.language import tr
from synthclin.report.charts.charts import heat_map
from synthclin.report.pages.figures import DataTable, Figure, Panel, Row
from synthclin.wording import number, plural, sentence_case, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.evaluation.fidelity.associations import Change
    from synthclin.report.findings import Findings

__all__ = ["associations_figure"]

_MOST_MAPPED = 12
_CHANGED = 0.10  # a change of an association that counts as lost or invented


def associations_figure(report: Findings) -> Figure | None:
    """Return heat maps of the associations and their difference, with the largest changes."""
    score = report.find(ASSOCIATIONS.name)
    details = details_of(score, AssociationDetails)
    if score is None or details is None or len(details.columns) < 2:
        return None
    names, real, synthetic = details.columns, details.real, details.synthetic
    gaps = [[change_of(real[i][j], synthetic[i][j]) for j in range(i)] for i in range(len(names))]
    chosen = _most_changed(gaps)
    labels = [column_name(names[i], 40) for i in chosen]

    def lower(cells: Sequence[Sequence[float | None]]) -> list[list[float | None]]:
        return [[cells[max(i, j)][min(i, j)] for j in chosen[:row]] for row, i in enumerate(chosen)]

    listing = tr("The largest changes are listed beside the map.")
    panels = (
        Panel(
            tr("Difference"),
            heat_map(tr("Difference of associations"), labels, lower(gaps), "difference", listing),
            room="map",
            keys=(("hr", tr("weaker in synthetic")), ("hs", tr("stronger in synthetic"))),
        ),
    )
    shown = (
        ""
        if len(chosen) == len(names)
        else tr(
            " {n} of {all} columns: those with the largest changes.",
            n=len(chosen),
            all=len(names),
        )
    )
    return Figure(
        title=_changes_finding(details),
        how=tr(
            "Difference of the strength of association of pairs of columns (Spearman correlation, Cramér "
            "V or correlation ratio, by type), in the direction of the real association. Differences of "
            "0.10 and more are printed.{shown}",
            shown=shown,
        ),
        panels=panels,
        wide=True,
        aside=_largest(details),
        note=_change_note(details, len(names)),
        data=(
            DataTable(
                tr("Largest changes of associations"),
                (tr("Pair"), tr("Real"), tr("Synthetic"), tr("Change")),
                tuple(
                    Row(_pair(c), (number(c.real, 2), number(c.synthetic, 2), signed(c.change)))
                    for c in (*details.lost, *details.invented)
                ),
            ),
        ),
    )


def _most_changed(gaps: Sequence[Sequence[float | None]]) -> list[int]:
    """Return at most twelve columns: those of the largest changes, in their order in the table."""
    size = len(gaps)
    pairs = sorted(
        ((abs(value), i, j) for i, row in enumerate(gaps) for j, value in enumerate(row) if value is not None),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    chosen: list[int] = []
    for _, i, j in pairs:
        added = [k for k in (i, j) if k not in chosen]
        if len(chosen) + len(added) <= _MOST_MAPPED:
            chosen += added
    chosen += [k for k in range(size) if k not in chosen][: max(0, min(size, _MOST_MAPPED) - len(chosen))]
    return sorted(chosen)


def _changes_finding(details: AssociationDetails) -> str:
    lost = [change for change in details.lost if change.change <= -_CHANGED]
    invented = [change for change in details.invented if change.change >= _CHANGED]
    opposite = [one for one in (*lost, *invented) if one.real * one.synthetic < 0 and abs(one.synthetic) >= _CHANGED]
    lost = [one for one in lost if one not in opposite]
    if not lost and not invented and not opposite:
        return tr("No association is lost or invented by 0.10 or more")
    more = tr("at least ") if max(len(lost), len(invented)) >= 10 else ""
    parts = []
    if opposite:
        first = _pair(opposite[0])
        parts.append(
            plural(
                len(opposite),
                "one association has the opposite sign ({first})",
                "{n} associations have the opposite sign ({first})",
                first=first,
            )
        )
    if lost:
        parts.append(plural(len(lost), "one association is weakened", "{n} associations are weakened"))
    if invented:
        parts.append(plural(len(invented), "one association is invented", "{n} associations are invented"))
    return sentence_case(more + "; ".join(parts))


def _largest(details: AssociationDetails) -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    return tuple(
        (heading, tuple((_pair(c), f"{number(c.real, 2)} \u2192 {number(c.synthetic, 2)}") for c in changes[:5]))
        for heading, changes in ((tr("Lost most"), details.lost), (tr("Invented most"), details.invented))
        if changes
    )


def _pair(change: Change) -> str:
    return " \u2013 ".join(column_name(name, 22) for name in change.columns)


def _change_note(details: AssociationDetails, columns: int) -> str:
    if details.mean_change_synthetic is None:
        return ""
    pairs = columns * (columns - 1) // 2
    note = tr(
        "Mean absolute difference {mean} over {pairs}, in halves of the rows",
        mean=number(details.mean_change_synthetic),
        pairs=plural(pairs, "one pair", "{n} pairs"),
    )
    if details.mean_change_reference is None:
        return f"{note}."
    return tr("{note}; for holdout rows {reference}.", note=note, reference=number(details.mean_change_reference))
