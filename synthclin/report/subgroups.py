"""The section on groups of patients: the headline scores and the attacks again in each, the worst group named."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthclin.report.axes import straight_axis
from synthclin.report.clinical_details import GroupScore, SubgroupDetails
from synthclin.report.details import AttackDetails, Risk
from synthclin.report.figures import DataTable, Figure, Row, Section, StripRow
from synthclin.report.likeness import statuses
from synthclin.report.questions import asked
from synthclin.report.strips import Mark, marks_row
from synthclin.report.words import interval, number, plain, plural

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.report.report import Report

__all__ = ["Served", "served", "subgroups_section"]

_HEADLINES = {
    "marginals": ("Single columns", "mean agreement of columns"),
    "pairs": ("Pairs of columns", "mean agreement of pairs"),
    "detection": ("Detection", "AUC of a classifier, 0.5 is a coin toss"),
}
_MOST = 10
_BEHIND = 0.01  # by which a group may miss fresh real rows without a word


@dataclass(frozen=True, slots=True)
class Served:
    """One score of one group: how far it stays behind fresh real rows of that group, below 0 where it does not."""

    headline: str
    column: str
    group: GroupScore
    behind: float

    @property
    def name(self) -> str:
        """The group as text."""
        return f"{plain(self.column, 30)}: {plain(self.group.group, 30)}"


def served(report: Report, headline: str) -> list[Served]:
    """Return one headline score of every group, the worst first: furthest behind fresh real rows of it."""
    found = []
    for score in report.scores:
        _, _, rest = score.name.partition(".")
        column, _, kind = rest.rpartition(".")
        if score.name.startswith("subgroups.") and kind == headline:
            sign = 1 if score.better == "higher" else -1
            found += [
                Served(headline, column, group, sign * ((group.ceiling or 0.0) - group.value))
                for group in SubgroupDetails.model_validate(score.details).groups
                if group.ceiling is not None
            ]
    return sorted(found, key=lambda one: -one.behind)


def subgroups_section(report: Report) -> Section | None:
    """Return how well each group is served and how it is attacked; None where no column of groups was named."""
    scores = [score for score in report.scores if score.name.startswith("subgroups.")]
    attacked = list(_attacked(report))
    if not scores and not attacked:
        return None
    small = sum(SubgroupDetails.model_validate(score.details).not_judged or 0 for score in scores if _is_first(score))
    lead = [f"{plural(small, 'group is', 'groups are')} too small to judge and left out.".capitalize()] if small else []
    lead += [
        f"{plain(score.name, 60)}: not assessable. {plain(score.note, 200)}"
        for score in scores
        if math.isnan(score.value)
    ]
    figures = [_likeness(headline, groups) for headline in _HEADLINES if (groups := served(report, headline))]
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
        tuple(lead),
        tuple(figures),
    )


def _is_first(score: Score) -> bool:
    """Whether a score is the one that counts the small groups of its column: each headline names the same ones."""
    return score.name.endswith(".marginals")


def _likeness(headline: str, groups: list[Served]) -> Figure:
    name, unit = _HEADLINES[headline]
    axis = straight_axis(
        [
            x
            for one in groups
            for x in (one.group.value, one.group.low, one.group.high, one.group.ceiling)
            if x is not None
        ]
    )
    worst = groups[0]
    title = (
        f"{name}: {worst.name} stays furthest behind"
        if worst.behind > _BEHIND
        else f"{name}: no group stays behind fresh real rows of its own"
    )
    return Figure(
        title=title,
        how="\u25cf the synthetic rows of a group with the 95 % interval, against \u25cb fresh real rows of the same "
        "group. Furthest behind first. Small groups score worse by chance alone, and so do their real rows.",
        strip=tuple(
            StripRow(
                one.name + (", worst" if place == 0 and worst.behind > _BEHIND else ""),
                f"n = {number(one.group.n, 0)}",
                marks_row(
                    one.name,
                    f"Synthetic {number(one.group.value)}, fresh real {number(one.group.ceiling)}.",
                    axis,
                    [
                        Mark("fresh", one.group.ceiling),
                        Mark("synthetic", one.group.value, one.group.low, one.group.high),
                    ],
                    joined=True,
                ),
                number(one.group.value),
                interval(one.group.low, one.group.high),
                worst=place == 0 and worst.behind > _BEHIND,
            )
            for place, one in enumerate(groups)
        ),
        axis=axis.picture(unit),
        data=(
            DataTable(
                f"{name} in each group",
                ("Group", "Rows", "Fresh real", "95 % interval", "Synthetic"),
                tuple(
                    Row(
                        one.name,
                        (
                            number(one.group.n, 0),
                            number(one.group.ceiling),
                            interval(one.group.low, one.group.high),
                            number(one.group.value),
                        ),
                    )
                    for one in groups
                ),
            ),
        ),
    )


def _membership(risks: list[Risk]) -> Figure:
    ordered = sorted(risks, key=lambda risk: -(risk.low if risk.low is not None else -math.inf))
    axis = straight_axis([x for risk in ordered for x in (risk.value, risk.low, risk.high) if x is not None], 0.5)
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
                marks_row(
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


def _attacked(report: Report) -> Iterator[tuple[str, Risk]]:
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
