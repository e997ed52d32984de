"""Figures of privacy attacks: members and non-members, top-decile outliers, negative control and canaries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.kind import Limit
from synthclin.evaluation.leak_free import difference
from synthclin.evaluation.privacy.canaries import SMALLEST_LEAK
from synthclin.evaluation.privacy.details import AttackDetails, CopyDetails, LeakDetails, RiskOnly
from synthclin.evaluation.privacy.identity_disclosure import IDENTITY_DISCLOSURE
from synthclin.evaluation.score import details_of
from synthclin.language import tr
from synthclin.report.charts.axes import linear_axis
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.figures import DataTable, Figure, Row, StripRow
from synthclin.report.pages.questions import label_of
from synthclin.wording import listed, number, plural, sentence_case, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.evaluation.privacy.details import Canaries, Rate, Risk
    from synthclin.evaluation.score import Score
    from synthclin.report.charts.axes import ChartAxis
    from synthclin.report.charts.dot_plot import Form
    from synthclin.report.findings import Findings

__all__ = ["attack_figures"]

_NONE = "\u2013"

Attacks = list[tuple["Score", AttackDetails]]


def attack_figures(report: Findings) -> list[Figure]:
    """Return the figures of the attacks, of the top-decile outliers and of both controls, without empty ones."""
    attacks = [
        (score, details)
        for score in report.scores
        if not kind_of(score.name).needs - {"holdout"} and not math.isnan(score.value)
        if (details := details_of(score, AttackDetails)) is not None
    ]
    leak = details_of(report.find(SMALLEST_LEAK.name), LeakDetails)
    canaries = [] if leak is None else leak.canaries
    figures = [
        _attacks(attacks) if attacks else None,
        _risks(report, attacks),
        _canaries(canaries) if canaries else None,
    ]
    return [figure for figure in figures if figure is not None]


def _attacks(attacks: Attacks) -> Figure:
    rows = tuple(
        Row(
            label_of(score.name),
            (
                share(details.naive_baseline, 1) if details.naive_baseline is not None else _NONE,
                _rate(details.non_members),
                _rate(details.members),
                _written(score, details.top_decile_outliers),
                kind_of(score.name).write(score.reference) if score.reference is not None else _NONE,
                kind_of(score.name).write_interval(score),
                kind_of(score.name).write(score.value),
            ),
        )
        for score, details in attacks
    )
    clear = sum(_is_clear(score) for score, _ in attacks)
    head = (
        tr("Attack"),
        tr("Naive baseline"),
        tr("Non-members"),
        tr("Members"),
        tr("Top-decile outliers"),
        tr("Reference"),
        tr("95 % interval"),
        tr("Risk"),
    )
    return Figure(
        title=sentence_case(
            plural(clear, "one attack succeeds beyond non-members", "{n} attacks succeed beyond non-members")
        )
        if clear
        else tr("No attack clearly succeeds beyond non-members"),
        how=tr(
            "Success rates on non-members (holdout patients) and members (training patients), and the risk: the excess "
            "on members. Top-decile outliers: the tenth of the members with the largest nearest-neighbour distance. "
            "Reference: the risk with holdout rows in the place of the synthetic table."
        ),
        table=DataTable(tr("Attacks on patients"), head, rows),
        note=tr(
            "Membership is an AUC, with 0.5 at chance, and TPR at 1 % FPR is 0.01 at chance. Every other risk is 0 "
            "without leakage, except identity disclosure, which is above 0 by chance."
        ),
    )


def _risks(report: Findings, attacks: Attacks) -> Figure | None:
    """Return the risk beyond chance of all members, of top-decile outliers and of the negative control."""
    rows = [_AttackRisks.of(score) for score in report.scores if _is_shown(score, attacks)]
    if not rows:
        return None
    ends = [x for row in rows for mark in row.marks for x in (mark.low, mark.high) if x is not None]
    axis = linear_axis([min(max(x, -0.2), 1.0) for x in ends], 0.0)
    rows.sort(key=lambda row: -(row.members.value or 0.0))
    return Figure(
        title=_risks_title(rows),
        how=tr(
            "Risk beyond chance, each with its 95 % interval, largest first: \u25cf all members, \u25a0 the top-decile "
            "outliers by nearest-neighbour distance, \u25cb holdout rows in the place of the synthetic table (negative "
            "control), which leak no member. The dotted line is chance."
        ),
        strip=tuple(row.strip(axis) for row in rows),
        axis=axis.picture(tr("risk beyond chance")),
    )


@dataclass(frozen=True, slots=True)
class _AttackRisks:
    """The risks of one attack beyond chance: of members, outliers and holdout rows; None where they are not known.

    `told` is the risk of members and its interval as text.
    """

    name: str
    told: tuple[str, str]
    members: Mark
    outliers: Mark | None
    control: Mark | None
    limit: float | None

    @classmethod
    def of(cls, score: Score) -> _AttackRisks:
        """Return the risks of the attack behind a score."""
        details, null, limit = score.details, _chance(score), kind_of(score.name).limit
        risk = details.top_decile_outliers if isinstance(details, AttackDetails) else None
        control = details.negative_control if isinstance(details, AttackDetails | CopyDetails) else None
        return cls(
            label_of(score.name),
            (kind_of(score.name).write(score.value), kind_of(score.name).write_interval(score)),
            _less_chance("synthetic", score, null),
            None if risk is None or risk.value is None else _less_chance("real", risk, null),
            None if control is None or control.value is None else _less_chance("reference", control, null),
            limit.review - null if isinstance(limit, Limit) and not limit.alarm else None,
        )

    @property
    def marks(self) -> list[Mark]:
        """The marks of its row."""
        return [mark for mark in (self.outliers, self.members, self.control) if mark is not None]

    def strip(self, axis: ChartAxis) -> StripRow:
        """Return its row."""
        told = [tr("All members {value}", value=number(self.members.value))]
        if self.outliers:
            told.append(tr("top-decile outliers {value}", value=number(self.outliers.value)))
        if self.control:
            told.append(tr("holdout rows {value}", value=number(self.control.value)))
        picture = dot_row(self.name, f"{', '.join(told)}.", axis, self.marks, lines=(0.0,))
        return StripRow(self.name, "", picture, *self.told)


def _is_shown(score: Score, attacks: Attacks) -> bool:
    copies = isinstance(score.details, CopyDetails) and not math.isnan(score.value)
    return copies or any(score is attack for attack, _ in attacks)


def _risks_title(rows: Sequence[_AttackRisks]) -> str:
    """Return what the figure shows: risks of outliers beyond the limit for FAIL first, then above all members."""
    beyond = [
        row.name
        for row in rows
        if row.outliers and row.limit is not None and row.outliers.low is not None and row.outliers.low > row.limit
    ]
    higher = [
        row.name
        for row in rows
        if row.outliers and row.outliers.low is not None and row.outliers.low > max(0.0, row.members.high or 0.0)
    ]
    alarms = [row.name for row in rows if row.control and row.control.low is not None and row.control.low > 0]
    if beyond:
        outliers = tr("Top-decile outliers are beyond the limit for FAIL: {attacks}", attacks=listed(beyond))
    elif higher:
        outliers = tr("The risk is higher for top-decile outliers: {attacks}", attacks=listed(higher))
    else:
        outliers = tr("The risk of top-decile outliers is not clearly higher")
    if alarms:
        control = tr("the negative control is positive: {attacks}", attacks=listed(alarms))
    else:
        control = tr("the negative control is silent")
    return f"{outliers}; {control}"


def _chance(score: Score) -> float:
    """Return the score without leakage; for identity disclosure it is the risk of non-members."""
    if score.name == IDENTITY_DISCLOSURE.name:
        return score.reference or 0.0
    return score.details.null if isinstance(score.details, AttackDetails | CopyDetails) else 0.0


def _is_clear(score: Score) -> bool:
    """Return whether an attack is significantly beyond chance, and beyond its value without leakage."""
    chance = _chance(score)
    return score.low > chance and difference(score, chance).low > 0


def _less_chance(form: Form, risk: Score | RiskOnly, null: float) -> Mark:
    low, high = (None if end is None else end - null for end in (risk.low, risk.high))
    return Mark(form, (risk.value or 0.0) - null, low, high)


def _canaries(canaries: list[Canaries]) -> Figure:
    rows = tuple(
        Row(
            _canaries_name(one),
            (listed([label_of(name) for name in one.detected_by]) or tr("none"), number(one.rows, 0)),
        )
        for one in canaries
    )
    jittered = [one.share for one in canaries if one.kind == "jittered" and one.detected_by]
    exact = [one.share for one in canaries if one.kind == "exact" and one.detected_by]
    if exact and jittered:
        title = tr(
            "Exact canaries are detected from {exact} of rows on, jittered ones from {jittered}",
            exact=share(min(exact), 1),
            jittered=share(min(jittered), 1),
        )
    elif exact:
        least = share(min(exact), 1)
        title = tr("Exact canaries are detected from {exact} of rows on, jittered ones are not", exact=least)
    else:
        title = tr("Canaries are not detected: a pass of these attacks is weak evidence")
    return Figure(
        title=title,
        how=tr(
            "Positive control: training rows (canaries) were inserted into the synthetic table, exact and jittered, "
            "three times each. The table shows the first attack that detected them all three times."
        ),
        table=DataTable(
            tr("Canaries"),
            (tr("Share and kind"), tr("First detected by"), tr("Rows")),
            rows,
            words=1,
            form="wordy",
        ),
        note=tr("A leak that is not detected here may also be missed in the synthetic table."),
    )


def _canaries_name(canaries: Canaries) -> str:
    part = share(canaries.share, 1)
    return tr("{share}, exact", share=part) if canaries.kind == "exact" else tr("{share}, jittered", share=part)


def _rate(rate: Rate | None) -> str:
    return _NONE if rate is None else share(rate.value, 1)


def _written(score: Score, risk: Risk | None) -> str:
    return _NONE if risk is None or risk.value is None else kind_of(score.name).write(risk.value)
