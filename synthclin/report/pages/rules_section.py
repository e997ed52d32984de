"""The section on rules: broken rules of the schema, and rules that the unconstrained model would break."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.validity import RULES, RuleDetails
from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.questions import section_status
from synthclin.report.record.section_data import RuleFacts
from synthclin.wording import count, number, plain, plural, sentence_case, share, typeset

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["rules_section"]

_MOST_RULES = 20


def rules_section(report: Findings) -> Section:
    """Return the rules that synthetic rows break, and those that the unconstrained model would break."""
    score = report.find(RULES.name)
    section = ("rules", tr("Are there impossible records?"), tr("Rules"), section_status(report, "rules"))
    if score is None or math.isnan(score.value):
        why = (
            tr("No rule was checked.")
            if score is None
            else tr("Not assessable. {reason}", reason=typeset(score.note, 400))
        )
        return Section(*section, (why,))
    details = RULES.read(score) or RuleDetails(rules=[], declared=0)
    broken = sorted((rule for rule in details.rules if rule.synthetic or rule.real), key=lambda r: -r.synthetic)
    unconstrained = _unconstrained_figures(report)
    if not broken:
        n = number(score.n, 0)
        lead = (
            tr(
                "Every one of the {n} synthetic rows satisfies the {rules} rules and ranges of the schema.",
                n=n,
                rules=number(details.declared, 0),
            )
            if details.declared
            else tr("Every one of the {n} synthetic rows satisfies the ranges and categories.", n=n)
        )
        return Section(*section, (lead,), unconstrained)
    violated = [rule for rule in broken if rule.synthetic]
    rows = tuple(
        Row(
            plain(rule.rule, 90),
            (_real_count(rule.real), number(rule.synthetic, 0), share(rule.synthetic / max(score.n, 1), 1)),
        )
        for rule in broken[:_MOST_RULES]
    )
    figure = Figure(
        title=tr("No rules are broken by synthetic rows")
        if not violated
        else sentence_case(
            plural(
                len(violated),
                "one rule is broken by synthetic rows",
                "{n} rules are broken by synthetic rows",
            )
        ),
        how=tr(
            "Declared ranges, categories, missing values and rules between columns, most often broken first. A rule "
            "that is undefined because of a missing value counts as satisfied."
        ),
        table=DataTable(tr("Broken rules"), (tr("Rule"), tr("Real rows"), tr("Synthetic rows"), tr("Share")), rows),
        note=_share_note(score, len(broken) - _MOST_RULES),
    )
    return Section(*section, (), (figure, *unconstrained))


def _share_note(score: Score, more: int) -> str:
    """Return the share of rows that satisfy all rules, and how many rules the table leaves out."""
    kind = kind_of(score.name)
    note = tr(
        "Share of rows that satisfy all rules: {share} ({interval}).",
        share=kind.write(score.value),
        interval=kind.write_interval(score),
    )
    return note if more <= 0 else f"{note} {tr('{n} more are in report.json.', n=more)}"


def _unconstrained_figures(report: Findings) -> tuple[Figure, ...]:
    """Return the share of unconstrained rows that break each rule, and the number of real rows excluded by rules."""
    facts = RuleFacts.model_validate(report.sections.get("rules", {}))
    shares = sorted(((rule, part) for rule, part in facts.unconstrained.items() if part), key=lambda one: -one[1])
    excluded = "; ".join(
        tr("{n} for {rule}", n=count(n), rule=plain(rule, 90)) for rule, n in facts.excluded_rows.items()
    )
    if not shares and not excluded:
        return ()
    return (
        Figure(
            title=tr("Rules that the unconstrained model would break"),
            how=tr(
                "Of {n} rows sampled without imposing any rule, the share that breaks each rule. Rules are imposed on "
                "every released row; a high share means that the model has not captured the dependence of the columns.",
                n=number(facts.unconstrained_rows, 0),
            ),
            table=DataTable(
                tr("Rules broken without constraints"),
                (tr("Rule"), tr("Share")),
                tuple(Row(plain(rule, 90), (share(part, 1),)) for rule, part in shares[:_MOST_RULES]),
            ),
            note=tr("Real rows excluded because they break a rule: {excluded}.", excluded=excluded) if excluded else "",
        ),
    )


def _real_count(real: int | None) -> str:
    return count(1) if real is None else count(real)
