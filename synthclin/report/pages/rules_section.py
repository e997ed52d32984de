"""The section on rules: broken rules of the schema, and rules that the unconstrained model would break."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.validity import RULES, RuleDetails
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.questions import section_status
from synthclin.report.record.section_data import RuleFacts
from synthclin.wording import count, number, plain, plural, share

if TYPE_CHECKING:
    from synthclin.report.findings import Findings

__all__ = ["rules_section"]

_MOST_RULES = 20


def rules_section(report: Findings) -> Section:
    """Return the rules that synthetic rows break, and those that the unconstrained model would break."""
    score = report.find(RULES.name)
    section = ("rules", "Are there impossible records?", "Rules", section_status(report, "rules"))
    if score is None or math.isnan(score.value):
        why = "No rule was checked." if score is None else f"Not assessable. {plain(score.note, 300)}"
        return Section(*section, (why,))
    details = RULES.read(score) or RuleDetails(rules=[], declared=0)
    broken = sorted((rule for rule in details.rules if rule.synthetic or rule.real), key=lambda r: -r.synthetic)
    unconstrained = _unconstrained_figures(report)
    if not broken:
        what = (
            "ranges and categories"
            if not details.declared
            else f"{number(details.declared, 0)} rules and ranges of the schema"
        )
        return Section(
            *section, (f"Every one of the {number(score.n, 0)} synthetic rows satisfies the {what}.",), unconstrained
        )
    violated = [rule for rule in broken if rule.synthetic]
    rows = tuple(
        Row(
            plain(rule.rule, 90),
            (_real_count(rule.real), number(rule.synthetic, 0), share(rule.synthetic / max(score.n, 1), 1)),
        )
        for rule in broken[:_MOST_RULES]
    )
    more = "" if len(broken) <= _MOST_RULES else f" {len(broken) - _MOST_RULES} more are in report.json."
    rules = plural(len(violated), "rule is", "rules are")
    figure = Figure(
        title=f"{rules[:1].upper()}{rules[1:]} broken by synthetic rows",
        how="Declared ranges, categories, missing values and rules between columns, most often broken first. A rule "
        "that is undefined because of a missing value counts as satisfied.",
        table=DataTable("Broken rules", ("Rule", "Real rows", "Synthetic rows", "Share"), rows),
        note=f"Share of rows that satisfy all rules: {kind_of(score.name).write(score.value)} "
        f"({kind_of(score.name).write_interval(score)}).{more}",
    )
    return Section(*section, (), (figure, *unconstrained))


def _unconstrained_figures(report: Findings) -> tuple[Figure, ...]:
    """Return the share of unconstrained rows that break each rule, and the number of real rows excluded by rules."""
    facts = RuleFacts.model_validate(report.sections.get("rules", {}))
    shares = sorted(((rule, part) for rule, part in facts.unconstrained.items() if part), key=lambda one: -one[1])
    excluded = "; ".join(f"{count(n)} for {plain(rule, 90)}" for rule, n in facts.excluded_rows.items())
    if not shares and not excluded:
        return ()
    return (
        Figure(
            title="Rules that the unconstrained model would break",
            how=f"Of {number(facts.unconstrained_rows, 0)} rows sampled without imposing any rule, the share that "
            "breaks each rule. Rules are imposed on every released row; a high share means that the model has not "
            "captured the dependence of the columns.",
            table=DataTable(
                "Rules broken without constraints",
                ("Rule", "Share"),
                tuple(Row(plain(rule, 90), (share(part, 1),)) for rule, part in shares[:_MOST_RULES]),
            ),
            note=f"Real rows excluded because they break a rule: {excluded}." if excluded else "",
        ),
    )


def _real_count(real: int | None) -> str:
    return count(1) if real is None else count(real)
