"""The tables of attacks: success on training and unused patients, subgroups, and what the attacks could have seen."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.report.details import AttackDetails, LeakDetails
from synthclin.report.figures import DataTable, Figure, Row
from synthclin.report.questions import asked
from synthclin.report.words import interval, listed, number, plain, plural, share

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.report.details import Rate, Risk
    from synthclin.report.report import Report

__all__ = ["attack_figures"]

_NOT_ATTACKS = {"privacy.copies", "privacy.smallest_leak"}
_NONE = "\u2013"


def attack_figures(report: Report) -> list[Figure]:
    """Return the table of all attacks, that of subgroups and that of planted rows, as far as there is one."""
    attacks = [
        (score, AttackDetails.model_validate(score.details))
        for score in report.scores
        if score.name.startswith("privacy.") and score.name not in _NOT_ATTACKS and not math.isnan(score.value)
    ]
    figures = []
    if attacks:
        figures.append(_attacks(attacks))
    groups = [
        Row(
            asked(score.name).name,
            (plain(risk.column, 30), plain(risk.level, 30), interval(risk.low, risk.high), _number(risk)),
        )
        for score, details in attacks
        for risk in details.groups
    ]
    if groups:
        figures.append(
            Figure(
                title="Risk of subgroups",
                how="The same attacks on patients of one group; groups of few patients are left out.",
                table=DataTable(
                    "Risk of subgroups", ("Attack", "Column", "Group", "95 % interval", "Risk"), tuple(groups), words=2
                ),
            )
        )
    leak = report.find("privacy.smallest_leak")
    planted = [] if leak is None else LeakDetails.model_validate(leak.details).spike_in
    if planted:
        rows = tuple(
            Row(
                f"{share(one.share, 1)}, {one.kind}",
                (listed([asked(name).name for name in one.seen_by]) or "none", number(one.rows, 0)),
            )
            for one in planted
        )
        figures.append(
            Figure(
                title="What the attacks could have seen",
                how="Training rows were planted among the synthetic ones, exact and jittered, three times each.",
                table=DataTable("Planted rows", ("Planted", "Noticed every time by", "Rows"), rows, words=1),
                note="What goes unnoticed here may go unnoticed in the table.",
            )
        )
    return figures


def _attacks(attacks: list[tuple[Score, AttackDetails]]) -> Figure:
    rows = tuple(
        Row(
            asked(score.name).name,
            (
                share(details.naive, 1) if details.naive is not None else _NONE,
                _rate(details.control),
                _rate(details.train),
                _number(details.vulnerable),
                number(score.ceiling) if score.ceiling is not None else _NONE,
                interval(score.low, score.high),
                number(score.value),
            ),
        )
        for score, details in attacks
    )
    clear = [score for score, _ in attacks if score.low > score.details.get("null", 0.0)]
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


def _rate(rate: Rate | None) -> str:
    return _NONE if rate is None else share(rate.value, 1)


def _number(risk: Risk | None) -> str:
    return _NONE if risk is None or risk.value is None else number(risk.value)
