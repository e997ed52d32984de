"""The section on groups of patients: the headline scores and the attacks again in each, the worst group named."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthclin.report.charts.axes import linear_axis
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.fidelity_section import statuses
from synthclin.report.pages.figures import DataTable, Figure, Row, Section, StripRow
from synthclin.report.pages.questions import asked
from synthclin.report.record.clinical_details import GroupScore, SubgroupDetails
from synthclin.report.record.score_details import AttackDetails, Risk
from synthclin.report.words import interval, listed, number, plain, plural, sensible

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["Served", "served", "subgroups_section"]

_MOST = 10
_MOST_GROUPS = 12
_LARGE = 10.0


@dataclass(frozen=True, slots=True)
class Served:
    """One score of one group, held against fresh real rows of that group, or the best there is where there are none.

    Arguments:
        score: the name of the score of the whole table.
        column: whose levels are the groups.
        group: what was found.
        behind: how far it stays behind, below 0 where it does not.
        surely: whether its whole interval does.
    """

    score: str
    column: str
    group: GroupScore
    behind: float
    surely: bool

    @property
    def name(self) -> str:
        """The group as text."""
        return f"{plain(self.column, 30)}: {plain(self.group.group, 30)}"


def served(report: Findings, score: str) -> list[Served]:
    """Return one score of the whole table in every group, the worst first: furthest behind fresh real rows of it."""
    return sorted((one for one in _everybody(report) if one.score == score), key=lambda one: -one.behind)


def _everybody(report: Findings) -> Iterator[Served]:
    """Return every score of every group, in the order of the scores."""
    for score in report.scores:
        if not score.name.startswith("subgroups."):
            continue
        details = SubgroupDetails.model_validate(score.details)
        sign = 1 if score.better == "higher" else -1
        for group in details.groups if details.score else []:
            best = group.reference if group.reference is not None else float(sign == 1)
            end = group.high if sign == 1 else group.low
            surely = end is not None and sign * (best - end) > 0
            yield Served(details.score, details.column, group, sign * (best - group.value), surely)


def subgroups_section(report: Findings) -> Section | None:
    """Return how well each group is served and how it is attacked; None where no column of groups was named."""
    scores = [score for score in report.scores if score.name.startswith("subgroups.")]
    attacked = list(_attacked(report))
    if not scores and not attacked:
        return None
    by_score = {one.score: served(report, one.score) for one in _everybody(report)}
    figures = [_worst_of(by_score), _side_by_side(by_score)] if by_score else []
    membership = report.find("privacy.membership")
    risks = [] if membership is None else AttackDetails.model_validate(membership.details).groups
    known = [risk for risk in risks if risk.value is not None]
    if known:
        figures.append(_membership(known))
    if attacked:
        figures.append(_attacks(attacked))
    return Section(
        "subgroups",
        "Does it hold for groups of patients?",
        "Groups",
        statuses(report, "subgroups"),
        tuple(_left_out(scores)),
        tuple(figures),
    )


def _left_out(scores: list[Score]) -> Iterator[str]:
    """Say which groups are too small, column by column, and which scores could not be told of any, and why."""
    columns: dict[str, int] = {}
    unknown: dict[str, list[str]] = {}
    for score in scores:
        details = SubgroupDetails.model_validate(score.details)
        columns[details.column] = max(columns.get(details.column, 0), details.not_judged or 0)
        if math.isnan(score.value):
            unknown.setdefault(score.note, []).append(asked(score.name).name)
    for column, small in columns.items():
        if small:
            verb = plural(small, "group is", "groups are")
            yield f"{plain(column, 30)}: {verb} too small to judge and left out."
    for note, names in unknown.items():
        yield f"{listed(names)}: not assessable. {plain(note, 200)}"


def _worst_of(by_score: dict[str, list[Served]]) -> Figure:
    worst = [groups[0] for groups in by_score.values()]
    worst.sort(key=lambda one: not one.surely)
    behind = Counter(one.name for groups in by_score.values() for one in groups if one.surely)
    title = "No group stays behind fresh real rows of its own by more than chance"
    if behind:
        name, times = behind.most_common(1)[0]
        share = "every score" if times == len(by_score) else f"{times} of {len(by_score)} scores"
        title = f"{name} stays behind fresh real rows of its own in {share}"
    rows = tuple(Row(f"{_mark(one, one)}{asked(one.score).name}", (one.name, *_cells(one))) for one in worst)
    head = ("Score", "Worst group", "Rows", "Fresh real", "95 % interval", "Synthetic")
    return Figure(
        title=title,
        how="Every score again on the rows of each group alone, and the group that stays furthest behind fresh real "
        "rows of its own. \u25bc by more than chance. Small groups score worse by chance alone, and so do their real "
        "rows.",
        table=DataTable("The worst group of each score", head, rows, words=1),
    )


def _side_by_side(by_score: dict[str, list[Served]]) -> Figure:
    found = {(one.name, score): one for score, groups in by_score.items() for one in groups}
    behind = Counter(one.name for one in found.values() if one.surely)
    names = sorted(dict.fromkeys(name for name, _ in found), key=lambda name: -behind[name])
    rows = tuple(
        Row(
            name,
            tuple(
                "\u2013" if one is None else _mark(one, by_score[score][0]) + _value(one.group.value)
                for score in by_score
                for one in [found.get((name, score))]
            ),
        )
        for name in names
    )
    head = ("Group", *(asked(score).name for score in by_score))
    caption = "Every score in each group"
    each = tuple(
        DataTable(
            f"{asked(score).name} in each group",
            ("Group", "Rows", "Fresh real", "95 % interval", "Synthetic"),
            tuple(Row(one.name, _cells(one)) for one in groups),
        )
        for score, groups in by_score.items()
    )
    folded = len(rows) > _MOST_GROUPS
    return Figure(
        title=caption,
        how="\u25bc furthest behind fresh real rows of its own, \u25bd behind them too, both by more than chance; "
        "\u2013 has too few rows. Groups that are behind most often first; what their real rows reach is in the data "
        "tables.",
        table=DataTable(caption, head, rows[:_MOST_GROUPS], form="beside"),
        note=f"The first {_MOST_GROUPS} of {len(rows)} groups." if folded else "",
        data=(*((DataTable(caption, head, rows),) if folded else ()), *each),
    )


def _mark(one: Served, worst: Served) -> str:
    return "" if not one.surely else "\u25bc " if one is worst else "\u25bd "


def _cells(one: Served) -> tuple[str, str, str, str]:
    """Return rows, fresh real, interval and synthetic."""
    group = one.group
    low, high = ("" if end is None else _value(end) for end in (group.low, group.high))
    return (
        "\u2013" if group.n is None else number(group.n, 0),
        "none" if group.reference is None else _value(group.reference),
        f"{low} to {high}" if low and high else "\u2013",
        _value(group.value),
    )


def _value(value: float) -> str:
    """Return a score; one in units of time may be large."""
    return number(value) if abs(value) < _LARGE else sensible(value)


def _membership(risks: list[Risk]) -> Figure:
    ordered = sorted(risks, key=lambda risk: -(risk.low if risk.low is not None else -math.inf))
    axis = linear_axis([x for risk in ordered for x in (risk.value, risk.low, risk.high) if x is not None], 0.5)
    beyond = [risk for risk in ordered if risk.low is not None and risk.low > 0.5]
    named = f"{plain(ordered[0].column, 30)}: {plain(ordered[0].level, 30)}"
    title = (
        f"Membership: patients of {named} are recognised beyond chance"
        if beyond
        else "Membership: in no group is the attack surely better than chance"
    )
    return Figure(
        title=title,
        how="AUC of the membership attack on the patients of one group, with its 95 % interval. The dotted line is a "
        "coin toss. Highest lower end first.",
        strip=tuple(
            StripRow(
                f"{plain(risk.column, 30)}: {plain(risk.level, 30)}",
                "",
                dot_row(
                    plain(risk.level, 30),
                    f"AUC {number(risk.value)} ({interval(risk.low, risk.high)}).",
                    axis,
                    [Mark("real", risk.value, risk.low, risk.high)],
                    lines=(0.5,),
                ),
                number(risk.value),
                interval(risk.low, risk.high),
            )
            for risk in ordered
        ),
        axis=axis.picture("AUC of the attack"),
        note="Of twenty groups, one is beyond chance by chance alone.",
    )


def _attacked(report: Findings) -> Iterator[tuple[str, Risk]]:
    for score in report.scores:
        if score.name.startswith("privacy.") and score.name != "privacy.membership":
            for risk in AttackDetails.model_validate(score.details).groups:
                yield asked(score.name).name, risk


def _attacks(attacked: list[tuple[str, Risk]]) -> Figure:
    ordered = sorted(attacked, key=lambda one: -(one[1].value if one[1].value is not None else -math.inf))
    rows = tuple(
        Row(
            name,
            (plain(risk.column, 30), plain(risk.level, 30), interval(risk.low, risk.high), number(risk.value)),
        )
        for name, risk in ordered
    )
    head = ("Attack", "Column", "Group", "95 % interval", "Risk")
    return Figure(
        title="Attacks on groups, highest risk first",
        how="The same attacks on patients of one group; groups of few patients are left out. Every risk is 0 without a "
        "leak, but for identity disclosure, which luck raises.",
        table=DataTable("Attacks on groups", head, rows[:_MOST], words=2),
        note=""
        if len(rows) <= _MOST
        else f"The {_MOST} highest of {len(rows)}. Of twenty groups, one is beyond chance by chance alone.",
        data=(DataTable("Risk of groups", head, rows, words=2),) if len(rows) > _MOST else (),
    )
