"""The sections on patients and rules: attacks, copied rows, impossible records."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.report.charts.charts import attack_roc
from synthclin.report.pages.attack_figures import attack_figures
from synthclin.report.pages.fidelity_section import curve_table, statuses
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.model_attack_figures import model_attack_figures
from synthclin.report.pages.questions import asked
from synthclin.report.record.score_details import CopyDetails, MembershipDetails, RuleDetails
from synthclin.report.record.section_data import RuleFacts
from synthclin.report.words import count, interval, listed, number, plain, plural, share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings
    from synthclin.report.record.section_data import SectionData

__all__ = ["privacy_section", "rules_section"]

_FEW_CONTROLS = 6  # a false alarm rate that rests on fewer is not read
_MOST_RULES = 20


def privacy_section(report: Findings, data: SectionData) -> Section:
    """Return what an attacker learns, and whether rows are copied."""
    lead: list[str] = []
    figures = []
    attack = report.find("privacy.membership")
    if attack is None or math.isnan(attack.value):
        why = "No attack was run." if attack is None else f"Not assessable. {plain(attack.note, 400)}"
        lead.append(why)
    elif data.membership.roc:
        figures.append(_attack(attack, data))
    figures += attack_figures(report, data)
    figures += model_attack_figures(report)
    copied = report.find("privacy.copies")
    if copied is not None and not math.isnan(copied.value):
        figures.append(_copies(copied))
    return Section(
        "privacy",
        "Can someone tell who was in the data?",
        "Privacy",
        statuses(report, "privacy"),
        tuple(lead),
        tuple(figures),
    )


def _attack(score: Score, data: SectionData) -> Figure:
    details = MembershipDetails.model_validate(score.details)
    few = None if not details.controls else min(_FEW_CONTROLS / details.controls, 1.0)
    # A rate of false alarms that rests on fewer patients is neither drawn nor listed.
    points = _from(few or 0.0, data.membership.roc)
    each = [(plain(one.name, 40), _from(few or 0.0, one.roc)) for one in data.membership.attacks]
    found = f"AUC {number(score.value)} ({interval(score.low, score.high)})"
    recognised = (
        f"; at 10\u00a0% false alarms it recognises {share(details.tpr_at_10_percent, 1)}"
        if details.tpr_at_10_percent is not None
        else ""
    )
    if score.low > 0.5:
        title = "The attack beats chance"
    elif score.value <= 0.5:
        title = "The attack does no better than chance"
    else:
        title = "The attack beats chance by no more than luck would explain"
    hatch = (
        "" if few is None else f" Hatched: fewer than {_FEW_CONTROLS} unused patients decide, so no figure is given."
    )
    return Figure(
        title=title,
        how="Share of training patients recognised (vertical) for a given rate of false alarms among unused patients "
        f"(horizontal), both on log scales. Dashed: guessing.{hatch}",
        plot=attack_roc(
            "ROC curves of the membership attacks on log axes",
            points,
            [curve for _, curve in each],
            few,
            f"{found}; faint: {listed([name for name, _ in each])}." if each else f"{found}.",
        ),
        note=plain(
            f"{found}{recognised}. The attacker sees the synthetic table and half of the holdout. {score.note} "
            "Evidence against this attack says nothing of stronger ones, such as shadow models.",
            700,
        ),
        data=(curve_table("Points of the ROC curve of the attack", points),),
    )


def _from(start: float, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a rising curve from a rate of false alarms on, with its height there."""
    later = [point for point in points if point[0] >= start]
    earlier = [point for point in points if point[0] < start]
    if not earlier or not later or later[0][0] == start:
        return later
    (x0, y0), (x1, y1) = earlier[-1], later[0]
    return [(start, y0 + (y1 - y0) * (start - x0) / (x1 - x0)), *later]


def _copies(score: Score) -> Figure:
    details = CopyDetails.model_validate(score.details)
    rows = [Row("Synthetic rows", (number(details.copies or 0, 0), share(score.value, 2)))]
    if score.reference is not None:
        rows.append(Row("Unused real rows", ("", share(score.reference, 2))))
    if score.baseline is not None:
        rows.append(Row("Shuffled training rows", ("", share(score.baseline, 2))))
    if not details.copies:
        title = "No synthetic row equals the row of one training patient"
    elif score.reference is not None and score.low <= score.reference:
        title = "Synthetic rows equal training rows no more often than unused real rows do"
    else:
        title = f"{share(score.value, 1)} of synthetic rows equal the row of one training patient"
    return Figure(
        title=title,
        how="A row counts as copied when it equals, in every modelled column and at schema precision, a training row "
        "that no other training patient shares.",
        table=DataTable(
            "Rows that equal the row of one training patient", ("Rows", "Rows found", "Share"), tuple(rows)
        ),
        note=plain(f"An alarm, never an all-clear: rows that are nearly copied do not count. {score.note}", 500),
    )


def rules_section(report: Findings) -> Section:
    """Return which rules synthetic rows break."""
    score = report.find("validity.rules")
    section = ("rules", "Are there impossible records?", "Rules", statuses(report, "rules"))
    if score is None or math.isnan(score.value):
        why = "No rule was checked." if score is None else f"Not assessable. {plain(score.note, 300)}"
        return Section(*section, (why,))
    details = RuleDetails.model_validate(score.details)
    broken = sorted((rule for rule in details.rules if rule.synthetic or rule.real), key=lambda r: -r.synthetic)
    raw = _raw_figures(report)
    if not broken:
        what = "ranges and categories" if not details.declared else f"{number(details.declared, 0)} declared rules"
        return Section(*section, (f"Every one of the {number(score.n, 0)} synthetic rows keeps the {what}.",), raw)
    guilty = [rule for rule in broken if rule.synthetic]
    rows = tuple(
        Row(
            plain(rule.rule, 90),
            (_times(rule.real), number(rule.synthetic, 0), share(rule.synthetic / max(score.n, 1), 1)),
        )
        for rule in broken[:_MOST_RULES]
    )
    more = "" if len(broken) <= _MOST_RULES else f" {len(broken) - _MOST_RULES} more are in report.json."
    rules = plural(len(guilty), "rule is", "rules are")
    figure = Figure(
        title=f"{rules[:1].upper()}{rules[1:]} broken by synthetic rows",
        how="Declared ranges, categories, missing values and rules between columns, most often broken first. A rule "
        "whose outcome is unknown, because a value is missing, counts as held.",
        table=DataTable("Broken rules", ("Rule", "Real rows", "Synthetic rows", "Share"), rows),
        note=f"Share of rows that keep all rules: {asked(score.name).write(score.value)} "
        f"({asked(score.name).write_interval(score)}).{more}",
    )
    return Section(*section, (), (figure, *raw))


def _raw_figures(report: Findings) -> tuple[Figure, ...]:
    """Return how often the model alone would have broken each rule, and what real rows were left out for it."""
    facts = RuleFacts.model_validate(report.sections.get("rules", {}))
    shares = sorted(((rule, part) for rule, part in facts.raw.items() if part), key=lambda one: -one[1])
    dropped = "; ".join(f"{count(n)} for {plain(rule, 90)}" for rule, n in facts.dropped.items())
    if not shares and not dropped:
        return ()
    return (
        Figure(
            title="Rules that the model alone would have broken",
            how=f"Of {number(facts.raw_rows, 0)} rows drawn without imposing any rule, the share whose codes break "
            "each rule for certain. Rules are imposed on every row; a model that breaks them often has not learnt "
            "how its columns hang together.",
            table=DataTable(
                "Rules broken without a guide",
                ("Rule", "Share"),
                tuple(Row(plain(rule, 90), (share(part, 1),)) for rule, part in shares[:_MOST_RULES]),
            ),
            note=f"Real rows left out because they break a rule: {dropped}." if dropped else "",
        ),
    )


def _times(real: int | None) -> str:
    return count(1) if real is None else count(real)
