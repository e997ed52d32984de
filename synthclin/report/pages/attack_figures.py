"""Figures of privacy attacks: members and non-members, top-decile outliers, negative control and canaries."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.privacy.canaries import SMALLEST_LEAK
from synthclin.evaluation.privacy.details import AttackDetails, CopyDetails, LeakDetails, RiskOnly
from synthclin.evaluation.privacy.identity_disclosure import IDENTITY_DISCLOSURE
from synthclin.evaluation.score import details_of
from synthclin.report.charts.axes import linear_axis
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.figures import DataTable, Figure, Row, StripRow
from synthclin.report.pages.questions import label_of
from synthclin.wording import interval, listed, number, plain, plural, share

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
        _success_rates(attacks),
        _outliers(attacks),
        _negative(report),
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
                _number(details.top_decile_outliers),
                number(score.reference) if score.reference is not None else _NONE,
                interval(score.low, score.high),
                number(score.value),
            ),
        )
        for score, details in attacks
    )
    clear = [score for score, _ in attacks if score.low > _chance(score)]
    head = (
        "Attack",
        "Naive baseline",
        "Non-members",
        "Members",
        "Top-decile outliers",
        "Reference",
        "95 % interval",
        "Risk",
    )
    return Figure(
        title=f"{plural(len(clear), 'attack succeeds', 'attacks succeed')} beyond chance".capitalize()
        if clear
        else "No attack succeeds beyond chance",
        how="Success rates on non-members (holdout patients) and members (training patients), and the risk: the excess "
        "on members. Top-decile outliers: the tenth of the members with the largest nearest-neighbour distance. "
        "Reference: the risk with holdout rows in the place of the synthetic table.",
        table=DataTable("Attacks on patients", head, rows),
        note="Membership is an AUC, with 0.5 at chance, and TPR at 1 % FPR is 0.01 at chance. Every other risk is 0 "
        "without leakage, except identity disclosure, which is above 0 by chance.",
    )


def _success_rates(attacks: Attacks) -> Figure | None:
    shown = [pair for pair in attacks if pair[1].members is not None and pair[1].non_members is not None]
    if not shown:
        return None
    axis = linear_axis([0.0, 100.0])
    shown.sort(key=lambda one: -one[0].value)
    return Figure(
        title="Success rates on members and non-members",
        how="Success rate on \u25a0 members (training patients) and, in grey, on non-members (holdout patients), each "
        "with its 95 % interval; \u25cb is the naive baseline without the table. The difference between members and "
        "non-members is the leak; success on non-members needs no leak.",
        strip=tuple(
            StripRow(
                label_of(score.name),
                plain(details.strongest_attack, 60),
                dot_row(
                    label_of(score.name),
                    f"Members {_rate(details.members)}, non-members {_rate(details.non_members)}.",
                    axis,
                    [_rate_mark("real", details.members), _rate_mark("non_member", details.non_members)]
                    + ([] if details.naive_baseline is None else [Mark("reference", 100 * details.naive_baseline)]),
                ),
                number(score.value),
                interval(score.low, score.high),
            )
            for score, details in shown
        ),
        axis=axis.picture("success rate, percent"),
    )


def _rate_mark(form: Form, rate: Rate | None) -> Mark:
    assert rate is not None
    return Mark(form, 100 * rate.value, 100 * rate.low, 100 * rate.high)


def _outliers(attacks: Attacks) -> Figure | None:
    shown = [
        (score, risk, _chance(score))
        for score, details in attacks
        if (risk := details.top_decile_outliers) is not None and risk.value is not None
    ]
    if not shown:
        return None
    ends = [
        x - null for score, risk, null in shown for x in (score.low, score.high, risk.low, risk.high) if x is not None
    ]
    axis = linear_axis([max(x, -0.5) for x in ends], 0.0)
    clear = [score for score, risk, null in shown if risk.low is not None and risk.low > max(null, score.high)]
    names = listed([label_of(score.name) for score in clear])
    shown.sort(key=lambda one: -((one[1].low or 0.0) - one[2]))
    return Figure(
        title=f"The risk is higher for top-decile outliers: {names}"
        if clear
        else "The risk of top-decile outliers is not clearly higher",
        how="Risk beyond chance of \u25a0 the top-decile outliers by nearest-neighbour distance, above that of \u25cf "
        "all members, each with its 95 % interval. The dotted line is no risk.",
        strip=tuple(
            _beyond_chance(
                score,
                f"Top-decile outliers {number(outlier.value)}, all {number(score.value - null)}.",
                axis,
                [outlier, _less_chance("synthetic", score, null)],
                number(outlier.value),
                interval(outlier.low, outlier.high),
            )
            for score, risk, null in shown
            for outlier in [_less_chance("real", risk, null)]
        ),
        axis=axis.picture("risk beyond chance"),
    )


def _chance(score: Score) -> float:
    """Return the score without leakage; for identity disclosure it is the risk of non-members."""
    if score.name == IDENTITY_DISCLOSURE.name:
        return score.reference or 0.0
    return score.details.null if isinstance(score.details, AttackDetails | CopyDetails) else 0.0


def _less_chance(form: Form, risk: Score | RiskOnly, null: float) -> Mark:
    low, high = (None if end is None else end - null for end in (risk.low, risk.high))
    return Mark(form, (risk.value or 0.0) - null, low, high)


def _beyond_chance(
    score: Score, words: str, axis: ChartAxis, marks: Sequence[Mark], value: str, beside: str
) -> StripRow:
    """Return a row of risks beyond chance, with a dotted line at chance."""
    name = label_of(score.name)
    return StripRow(name, "", dot_row(name, words, axis, marks, lines=(0.0,)), value, beside)


def _negative(report: Findings) -> Figure | None:
    found = [
        (score, score.details.negative_control)
        for score in report.scores
        if isinstance(score.details, AttackDetails | CopyDetails) and not math.isnan(score.value)
    ]
    shown = [
        (score, negative_control, _chance(score))
        for score, negative_control in found
        if negative_control is not None and negative_control.value is not None
    ]
    if not shown:
        return None
    alarms = [
        score
        for score, negative_control, null in shown
        if negative_control.low is not None and negative_control.low > null
    ]
    ends = [
        x - null
        for score, negative_control, null in shown
        for x in (negative_control.low, negative_control.high, score.low, score.high)
        if x is not None
    ]
    axis = linear_axis([max(x, -0.5) for x in ends], 0.0)
    shown.sort(key=lambda one: -(one[0].value - one[2]))
    return Figure(
        title=f"The negative control is positive: {listed([label_of(s.name) for s in alarms])}"
        if alarms
        else "Negative control: no attack succeeds on holdout rows in the place of the table",
        how="The same attacks on \u25cb holdout rows in the place of the synthetic table, below the synthetic table "
        "\u25cf. Holdout rows leak no member, so their interval should include the dotted line; otherwise the attack "
        "gives false positives.",
        strip=tuple(
            _beyond_chance(
                score,
                f"Synthetic {number(score.value - null)}, holdout rows {number(control.value)}.",
                axis,
                [_less_chance("synthetic", score, null), control],
                number(control.value),
                "holdout rows",
            )
            for score, negative_control, null in shown
            for control in [_less_chance("reference", negative_control, null)]
        ),
        axis=axis.picture("risk beyond chance"),
    )


def _canaries(canaries: list[Canaries]) -> Figure:
    rows = tuple(
        Row(
            f"{share(one.share, 1)}, {one.kind}",
            (listed([label_of(name) for name in one.detected_by]) or "none", number(one.rows, 0)),
        )
        for one in canaries
    )
    jittered = [one.share for one in canaries if one.kind == "jittered" and one.detected_by]
    exact = [one.share for one in canaries if one.kind == "exact" and one.detected_by]
    if exact and jittered:
        shares = f"{share(min(exact), 1)} of rows on, jittered ones from {share(min(jittered), 1)}"
        title = f"Exact canaries are detected from {shares}"
    elif exact:
        title = f"Exact canaries are detected from {share(min(exact), 1)} of rows on, jittered ones are not"
    else:
        title = "Canaries are not detected: a pass of these attacks is weak evidence"
    return Figure(
        title=title,
        how="Positive control: training rows (canaries) were inserted into the synthetic table, exact and jittered, "
        "three times each. The table shows the first attack that detected them all three times.",
        table=DataTable("Canaries", ("Share and kind", "First detected by", "Rows"), rows, words=1, form="wordy"),
        note="A leak that is not detected here may also be missed in the synthetic table.",
    )


def _rate(rate: Rate | None) -> str:
    return _NONE if rate is None else share(rate.value, 1)


def _number(risk: Risk | None) -> str:
    return _NONE if risk is None or risk.value is None else number(risk.value)
