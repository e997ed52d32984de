"""The section on subgroups of patients: headline scores and attacks in each subgroup, worst first."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from synthclin.evaluation.groups import GroupDetails, GroupScore
from synthclin.evaluation.labels import column_level, column_name, level_name, with_labels
from synthclin.evaluation.privacy.details import AttackDetails, Risk
from synthclin.evaluation.privacy.membership import MEMBERSHIP
from synthclin.evaluation.score import details_of
from synthclin.language import tr
from synthclin.report.charts.axes import linear_axis
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.figures import DataTable, Figure, Row, Section, StripRow
from synthclin.report.pages.questions import label_of, section_status
from synthclin.report.pages.statements import in_order
from synthclin.wording import interval, listed, number, plural, significant, typeset

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["SubgroupResult", "clear_key", "order_key", "subgroup_results", "subgroups_section"]

_MOST = 10
_MOST_GROUPS = 12
_LARGE = 10.0


@dataclass(frozen=True, slots=True)
class SubgroupResult:
    """One score of one subgroup against its real-data reference, or against the ideal value where there is none.

    Arguments:
        score: name of the whole-table score.
        column: the column whose levels are the subgroups.
        group: the result.
        value: its score.
        gap: how much worse it is than the reference; negative where it is better.
        clear: whether its whole interval is worse.
    """

    score: str
    column: str
    group: GroupScore
    value: float
    gap: float
    clear: bool

    @property
    def name(self) -> str:
        """The subgroup as text."""
        return column_level(self.column, self.group.group, 30)


def subgroup_results(report: Findings, score: str) -> list[SubgroupResult]:
    """Return one score in every subgroup, largest gap to the real-data reference first."""
    found = sorted((one for one in _results(report) if one.score == score), key=lambda one: -one.gap)
    order, clear = (report.statements.get(key) for key in (order_key(score), clear_key(score)))
    if order is not None and clear is not None:
        found = [replace(one, clear=one.name in clear.order) for one in found]
        found = in_order(found, order.order, lambda one: one.name)
    return found


def order_key(score: str) -> str:
    """Return the place of the statement that orders the groups of a score."""
    return f"groups/{score}"


def clear_key(score: str) -> str:
    """Return the place of the statement that names the groups with a clearly worse score."""
    return f"groups/{score}/clear"


def _results(report: Findings) -> Iterator[SubgroupResult]:
    """Yield every score of every subgroup, in the order of the scores."""
    for score in report.scores:
        if not score.name.startswith("subgroups."):
            continue
        details = details_of(score, GroupDetails)
        if details is None or not details.score:
            continue
        sign = 1 if score.better == "higher" else -1
        for group in details.groups:
            if group.value is None:
                continue
            best = group.reference if group.reference is not None else float(sign == 1)
            end = group.high if sign == 1 else group.low
            clear = end is not None and sign * (best - end) > 0
            yield SubgroupResult(details.score, details.column, group, group.value, sign * (best - group.value), clear)


def subgroups_section(report: Findings) -> Section | None:
    """Return fidelity and attack risk per subgroup; None where no column of subgroups was declared."""
    scores = [score for score in report.scores if score.name.startswith("subgroups.")]
    risks_by_attack = list(_risks_by_attack(report))
    if not scores and not risks_by_attack:
        return None
    by_score = {one.score: subgroup_results(report, one.score) for one in _results(report)}
    figures = [_worst_subgroups(by_score), _side_by_side(by_score)] if by_score else []
    membership = report.find(MEMBERSHIP.name)
    attacked = details_of(membership, AttackDetails)
    known = [risk for risk in attacked.groups if risk.value is not None] if attacked else []
    if known:
        figures.append(_membership(known))
    if risks_by_attack:
        figures.append(_attacks(risks_by_attack))
    return Section(
        "subgroups",
        tr("Does it hold for subgroups of patients?"),
        tr("Subgroups"),
        section_status(report, "subgroups"),
        tuple(_left_out(scores)),
        tuple(figures),
    )


def _left_out(scores: list[Score]) -> Iterator[str]:
    """Yield sentences: subgroups that are too small, by column, and scores that could not be computed, with reason."""
    columns: dict[str, int] = {}
    unknown: dict[str, list[str]] = {}
    for score in scores:
        details = details_of(score, GroupDetails)
        if details is not None:
            columns[details.column] = max(columns.get(details.column, 0), details.not_judged or 0)
        if math.isnan(score.value):
            unknown.setdefault(score.note, []).append(label_of(score.name))
    for column, small in columns.items():
        if small:
            yield plural(
                small,
                "{column}: one subgroup is too small and left out.",
                "{column}: {n} subgroups are too small and left out.",
                column=column_name(column, 30),
            )
    for note, names in unknown.items():
        yield tr(
            "{scores}: not assessable. {note}",
            scores=listed(names),
            note=typeset(with_labels(note), 200),
        )


def _worst_subgroups(by_score: dict[str, list[SubgroupResult]]) -> Figure:
    worst = [groups[0] for groups in by_score.values()]
    worst.sort(key=lambda one: not one.clear)
    gaps = Counter(one.name for groups in by_score.values() for one in groups if one.clear)
    title = tr("No subgroup is clearly worse than its real-data reference")
    if gaps:
        name, times = gaps.most_common(1)[0]
        share = tr("all scores") if times == len(by_score) else tr("{n} of {all} scores", n=times, all=len(by_score))
        title = tr("{name} is clearly worse than its real-data reference in {share}", name=name, share=share)
    rows = tuple(Row(f"{_mark(one, one)}{label_of(one.score)}", (one.name, *_cells(one))) for one in worst)
    head = (tr("Score"), tr("Worst subgroup"), tr("Rows"), tr("Reference"), tr("95 % interval"), tr("Synthetic"))
    return Figure(
        title=title,
        how=tr(
            "Each score on the rows of each subgroup, and the subgroup furthest below its real-data "
            "reference (holdout rows of the same subgroup). \u25bc the whole interval is worse. Small "
            "subgroups score worse by chance alone, and so does their reference."
        ),
        table=DataTable(tr("The worst subgroup of each score"), head, rows, words=1),
    )


def _side_by_side(by_score: dict[str, list[SubgroupResult]]) -> Figure:
    found = {(one.name, score): one for score, groups in by_score.items() for one in groups}
    gaps = Counter(one.name for one in found.values() if one.clear)
    names = sorted(dict.fromkeys(name for name, _ in found), key=lambda name: -gaps[name])
    rows = tuple(
        Row(
            name,
            tuple(
                "\u2013" if one is None else _mark(one, by_score[score][0]) + _value(one.value)
                for score in by_score
                for one in [found.get((name, score))]
            ),
        )
        for name in names
    )
    head = (tr("Subgroup"), *(label_of(score) for score in by_score))
    caption = tr("All scores by subgroup")
    each = tuple(
        DataTable(
            tr("{score} by subgroup", score=label_of(score)),
            (tr("Subgroup"), tr("Rows"), tr("Reference"), tr("95 % interval"), tr("Synthetic")),
            tuple(Row(one.name, _cells(one)) for one in groups),
        )
        for score, groups in by_score.items()
    )
    folded = len(rows) > _MOST_GROUPS
    return Figure(
        title=caption,
        how=tr(
            "\u25bc the largest gap to the real-data reference, \u25bd other gaps, both with the whole interval "
            "worse; \u2013 too few rows. Subgroups with most gaps first; the references are in the data "
            "tables."
        ),
        table=DataTable(caption, head, rows[:_MOST_GROUPS], form="beside"),
        note=tr("The first {n} of {all} subgroups.", n=_MOST_GROUPS, all=len(rows)) if folded else "",
        data=(*((DataTable(caption, head, rows),) if folded else ()), *each),
    )


def _mark(one: SubgroupResult, worst: SubgroupResult) -> str:
    return "" if not one.clear else "\u25bc " if one is worst else "\u25bd "


def _cells(one: SubgroupResult) -> tuple[str, str, str, str]:
    """Return rows, reference, interval and synthetic value as text."""
    group = one.group
    low, high = ("" if end is None else _value(end) for end in (group.low, group.high))
    return (
        "\u2013" if group.n is None else number(group.n, 0),
        tr("none") if group.reference is None else _value(group.reference),
        tr("{low} to {high}", low=low, high=high) if low and high else "\u2013",
        _value(one.value),
    )


def _value(value: float) -> str:
    """Return a score as text; a score in units of time may be large."""
    return number(value) if abs(value) < _LARGE else significant(value)


def _membership(risks: list[Risk]) -> Figure:
    ordered = sorted(risks, key=lambda risk: -(risk.low if risk.low is not None else -math.inf))
    axis = linear_axis([x for risk in ordered for x in (risk.value, risk.low, risk.high) if x is not None], 0.5)
    beyond = [risk for risk in ordered if risk.low is not None and risk.low > 0.5]
    named = column_level(ordered[0].column, ordered[0].level, 30)
    title = (
        tr("Membership inference is above chance for {subgroup}", subgroup=named)
        if beyond
        else tr("Membership inference is not clearly above chance in any subgroup")
    )
    return Figure(
        title=title,
        how=tr(
            "AUC of the membership attack on the patients of one subgroup, with its 95 % interval. The "
            "dotted line is chance. Highest lower bound first."
        ),
        strip=tuple(
            StripRow(
                column_level(risk.column, risk.level, 30),
                "",
                dot_row(
                    level_name(risk.column, risk.level, 30),
                    tr("AUC {value} ({interval}).", value=number(risk.value), interval=interval(risk.low, risk.high)),
                    axis,
                    [Mark("real", risk.value, risk.low, risk.high)],
                    lines=(0.5,),
                ),
                number(risk.value),
                interval(risk.low, risk.high),
            )
            for risk in ordered
        ),
        axis=axis.picture(tr("AUC of the attack")),
        note=tr("Without leakage, about one of twenty subgroups is above chance (multiple comparisons)."),
    )


def _risks_by_attack(report: Findings) -> Iterator[tuple[str, Risk]]:
    for score in report.scores:
        if score.name.startswith("privacy.") and score.name != MEMBERSHIP.name:
            details = details_of(score, AttackDetails)
            for risk in details.groups if details else []:
                yield label_of(score.name), risk


def _attacks(risks_by_attack: list[tuple[str, Risk]]) -> Figure:
    ordered = sorted(risks_by_attack, key=lambda one: -(one[1].value if one[1].value is not None else -math.inf))
    rows = tuple(
        Row(
            name,
            (
                column_name(risk.column, 30),
                level_name(risk.column, risk.level, 30),
                interval(risk.low, risk.high),
                number(risk.value),
            ),
        )
        for name, risk in ordered
    )
    head = (tr("Attack"), tr("Column"), tr("Subgroup"), tr("95 % interval"), tr("Risk"))
    return Figure(
        title=tr("Attacks by subgroup, highest risk first"),
        how=tr(
            "The same attacks on patients of one subgroup; small subgroups are left out. Every risk is 0 "
            "without a leak, except identity disclosure, which is above 0 by chance."
        ),
        table=DataTable(tr("Attacks by subgroup"), head, rows[:_MOST], words=2),
        note=""
        if len(rows) <= _MOST
        else tr(
            "The {n} highest of {all}. Without leakage, about one of twenty is above chance.",
            n=_MOST,
            all=len(rows),
        ),
        data=(DataTable(tr("Risk by subgroup"), head, rows, words=2),) if len(rows) > _MOST else (),
    )
