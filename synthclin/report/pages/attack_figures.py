"""The figures of attacks: success on training and unused patients, on the most vulnerable, and on what was planted."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.score_names import MODEL_SCORES, SHADOW_SCORES
from synthclin.report.charts.axes import linear_axis
from synthclin.report.charts.dot_plot import Mark, dot_row
from synthclin.report.pages.figures import DataTable, Figure, Row, StripRow
from synthclin.report.pages.questions import asked
from synthclin.report.record.score_details import AttackDetails, LeakDetails
from synthclin.report.words import interval, listed, number, plain, plural, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.evaluation.score import Score
    from synthclin.report.charts.axes import ChartAxis
    from synthclin.report.charts.dot_plot import Form
    from synthclin.report.findings import Findings
    from synthclin.report.record.score_details import Rate, Risk
    from synthclin.report.record.section_data import Canaries, NegativeControl, SectionData

__all__ = ["attack_figures"]

_NOT_ATTACKS = {"privacy.copies", "privacy.smallest_leak", *MODEL_SCORES, *SHADOW_SCORES}
_NONE = "\u2013"
_NULL = {"privacy.membership": 0.5, "privacy.recognition": 0.01}  # what guessing reaches

Attacks = list[tuple["Score", AttackDetails]]


def attack_figures(report: Findings, data: SectionData) -> list[Figure]:
    """Return the attacks, the most vulnerable tenth, and both controls, as far as there is something to show."""
    attacks = [
        (score, AttackDetails.model_validate(score.details))
        for score in report.scores
        if score.name.startswith("privacy.") and score.name not in _NOT_ATTACKS and not math.isnan(score.value)
    ]
    leak = report.find("privacy.smallest_leak")
    canaries = [] if leak is None else LeakDetails.model_validate(leak.details).spike_in
    figures = [
        _attacks(attacks) if attacks else None,
        _success(attacks),
        _vulnerable(attacks),
        _negative(report, data.controls.negative),
        _spike_in(canaries) if canaries else None,
    ]
    return [figure for figure in figures if figure is not None]


def _attacks(attacks: Attacks) -> Figure:
    rows = tuple(
        Row(
            asked(score.name).name,
            (
                share(details.naive, 1) if details.naive is not None else _NONE,
                _rate(details.control),
                _rate(details.train),
                _number(details.outliers),
                number(score.reference) if score.reference is not None else _NONE,
                interval(score.low, score.high),
                number(score.value),
            ),
        )
        for score, details in attacks
    )
    clear = [score for score, _ in attacks if score.low > _chance(score)]
    head = ("Attack", "Blind guess", "Unused", "Training", "Vulnerable tenth", "Fresh rows", "95 % interval", "Risk")
    return Figure(
        title=f"{plural(len(clear), 'attack finds', 'attacks find')} more than chance explains".capitalize()
        if clear
        else "No attack finds more than chance explains",
        how="Success on patients who were not in training and on patients who were, and the risk that remains. The "
        "vulnerable tenth are patients unlike the others. Fresh rows: the risk with unused real rows in the table's "
        "place.",
        table=DataTable("Attacks on patients", head, rows),
        note="Membership is an AUC, of which 0.5 is chance; every other risk is 0 without a leak, but for identity "
        "disclosure, which luck raises.",
    )


def _success(attacks: Attacks) -> Figure | None:
    told = [pair for pair in attacks if pair[1].train is not None and pair[1].control is not None]
    if not told:
        return None
    axis = linear_axis([0.0, 100.0])
    told.sort(key=lambda one: -one[0].value)
    return Figure(
        title="Success on training patients, beside unused ones",
        how="Share of attempts that succeed on \u25a0 training patients and, in grey, on unused patients, each with "
        "its 95 % interval; \u25cb is a guess without the table. What matters is the step from unused to training "
        "patients; the rest is what anybody could guess.",
        strip=tuple(
            StripRow(
                asked(score.name).name,
                plain(details.attack, 60),
                dot_row(
                    asked(score.name).name,
                    f"Training {_rate(details.train)}, unused {_rate(details.control)}.",
                    axis,
                    [_rate_mark("real", details.train), _rate_mark("unused", details.control)]
                    + ([] if details.naive is None else [Mark("fresh", 100 * details.naive)]),
                ),
                number(score.value),
                interval(score.low, score.high),
            )
            for score, details in told
        ),
        axis=axis.picture("percent of attempts"),
    )


def _rate_mark(form: str, rate: Rate | None) -> Mark:
    assert rate is not None
    return Mark("real" if form == "real" else "unused", 100 * rate.value, 100 * rate.low, 100 * rate.high)


def _vulnerable(attacks: Attacks) -> Figure | None:
    told = [
        (score, risk, _chance(score))
        for score, details in attacks
        if (risk := details.outliers) is not None and risk.value is not None
    ]
    if not told:
        return None
    ends = [
        x - null for score, risk, null in told for x in (score.low, score.high, risk.low, risk.high) if x is not None
    ]
    axis = linear_axis([max(x, -0.5) for x in ends], 0.0)
    clear = [score for score, risk, null in told if risk.low is not None and risk.low > max(null, score.high)]
    names = listed([asked(score.name).name for score in clear])
    told.sort(key=lambda one: -((one[1].low or 0.0) - one[2]))
    return Figure(
        title=f"The most vulnerable patients suffer more: {names}"
        if clear
        else "The most vulnerable tenth is not surely hit harder than the others",
        how="Risk beyond chance of \u25a0 the tenth of patients who are least like the others, above that of \u25cf "
        "all patients, each with its 95 % interval. The dotted line is no risk.",
        strip=tuple(
            _beyond_chance(
                score,
                f"Vulnerable tenth {number(tenth.value)}, all {number(score.value - null)}.",
                axis,
                [tenth, _less_chance("synthetic", score, null)],
                number(tenth.value),
                interval(tenth.low, tenth.high),
            )
            for score, risk, null in told
            for tenth in [_less_chance("real", risk, null)]
        ),
        axis=axis.picture("risk beyond chance"),
    )


def _chance(score: Score) -> float:
    """Return what a table that leaks nothing reaches; luck alone raises identity disclosure to its independence baseline."""
    if score.name == "privacy.identity_disclosure":
        return score.baseline or 0.0
    return _NULL.get(score.name, 0.0)


def _less_chance(form: Form, risk: Score | Risk | NegativeControl, null: float) -> Mark:
    low, high = (None if end is None else end - null for end in (risk.low, risk.high))
    return Mark(form, (risk.value or 0.0) - null, low, high)


def _beyond_chance(
    score: Score, words: str, axis: ChartAxis, marks: Sequence[Mark], value: str, beside: str
) -> StripRow:
    """Return a row of risks beyond chance, which is the dotted line."""
    name = asked(score.name).name
    return StripRow(name, "", dot_row(name, words, axis, marks, lines=(0.0,)), value, beside)


def _negative(report: Findings, negative: dict[str, NegativeControl]) -> Figure | None:
    found = [(report.find(name), negative_control) for name, negative_control in negative.items()]
    told = [
        (score, negative_control, _chance(score))
        for score, negative_control in found
        if score is not None and negative_control.value is not None and not math.isnan(score.value)
    ]
    if not told:
        return None
    alarms = [
        score
        for score, negative_control, null in told
        if negative_control.low is not None and negative_control.low > null
    ]
    ends = [
        x - null
        for score, negative_control, null in told
        for x in (negative_control.low, negative_control.high, score.low, score.high)
        if x is not None
    ]
    axis = linear_axis([max(x, -0.5) for x in ends], 0.0)
    told.sort(key=lambda one: -(one[0].value - one[2]))
    return Figure(
        title=f"The negative control rings a false alarm: {listed([asked(s.name).name for s in alarms])}"
        if alarms
        else "Negative control: the attacks find nothing where nothing is to be found",
        how="The same attacks on \u25cb fresh real rows that pose as synthetic, below the synthetic table \u25cf. "
        "Fresh rows leak nobody, so their interval should hold the dotted line; else the attack cries wolf.",
        strip=tuple(
            _beyond_chance(
                score,
                f"Synthetic {number(score.value - null)}, fresh real rows {number(fresh.value)}.",
                axis,
                [_less_chance("synthetic", score, null), fresh],
                number(fresh.value),
                "fresh real rows",
            )
            for score, negative_control, null in told
            for fresh in [_less_chance("fresh", negative_control, null)]
        ),
        axis=axis.picture("risk beyond chance"),
    )


def _spike_in(canaries: list[Canaries]) -> Figure:
    rows = tuple(
        Row(
            f"{share(one.share, 1)}, {one.kind}",
            (listed([asked(name).name for name in one.seen_by]) or "none", number(one.rows, 0)),
        )
        for one in canaries
    )
    seen = [one.share for one in canaries if one.kind == "jittered" and one.seen_by]
    exact = [one.share for one in canaries if one.kind == "exact" and one.seen_by]
    if exact and seen:
        title = (
            f"Exact copies are noticed from {share(min(exact), 1)} of rows on, altered ones from {share(min(seen), 1)}"
        )
    elif exact:
        title = f"Exact copies are noticed from {share(min(exact), 1)} of rows on, altered ones not at all"
    else:
        title = "Planted rows go unnoticed: a pass of these attacks says little"
    return Figure(
        title=title,
        how="Training rows were planted among the synthetic ones, exact and jittered, three times each. Attacks search "
        "for them in turn: shown is the first that noticed all three times.",
        table=DataTable("Planted rows", ("Planted", "First noticed by", "Rows"), rows, words=1, form="wordy"),
        note="What goes unnoticed here may go unnoticed in the table.",
    )


def _rate(rate: Rate | None) -> str:
    return _NONE if rate is None else share(rate.value, 1)


def _number(risk: Risk | None) -> str:
    return _NONE if risk is None or risk.value is None else number(risk.value)
