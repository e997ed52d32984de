"""What commands print of their results: findings, plans, verdicts and draws."""

from __future__ import annotations

import sys
from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from synthclin.cli.terminal import show_status, show_table, show_text

if TYPE_CHECKING:
    from synthclin.report import Report
    from synthclin.report.record.parts import CohortFacts
    from synthclin.rules.survey import Survey
    from synthclin.rules.validation import Finding
    from synthclin.sampling.sampler import SampleFacts

__all__ = [
    "show_cohort",
    "show_plan",
    "show_sample_facts",
    "show_survey",
    "show_verdict",
    "survey_record",
    "verdict_record",
]

SHOWN_ROWS = 5  # how many row numbers a line tells


def _finding_record(finding: Finding) -> dict[str, Any]:
    """Return a finding in the words of JSON."""
    return {
        "severity": finding.severity,
        "where": finding.where,
        "what": finding.what,
        "rows": list(finding.rows),
        "count": finding.count,
        "remedy": finding.remedy,
    }


def survey_record(seen: Survey) -> dict[str, Any]:
    """Return a survey in the words of JSON; counts and row numbers alone."""
    return {
        "valid": seen.valid,
        "rows": seen.rows,
        "patients": seen.patients,
        "columns": [asdict(column) for column in seen.columns],
        "rules": [asdict(rule) for rule in seen.rules],
        "findings": [_finding_record(finding) for finding in seen.findings],
    }


def show_survey(seen: Survey) -> None:
    """Print each column and rule of a survey in a line, and below them what is wrong."""
    patients = "" if seen.patients in {None, seen.rows} else f" of {seen.patients:,} patients"
    show_text(f"{seen.rows:,} rows{patients}")
    show_text("")
    columns = [
        [
            column.name,
            column.type,
            column.unit or "",
            column.declared,
            column.observed,
            _part(column.missing, column.share),
            f"{column.violations:,}" if column.violations else "",
            "; ".join(column.notes),
        ]
        for column in seen.columns
    ]
    show_table(["column", "type", "unit", "declared", "used", "missing", "wrong", "notes"], columns)
    if seen.rules:
        show_text("")
        rules = [[f"{rule.violations:,}", _first(rule.rows), rule.text] for rule in seen.rules]
        show_table(["broken by", "row numbers", "rule"], rules)
    show_text("")
    for finding in seen.findings:
        if finding.severity == "error" or not finding.where.startswith("rule "):
            show_text(f"{finding.severity}: {finding}")
    show_text("the table satisfies its schema" if seen.valid else "the table does not satisfy its schema")


def _part(count: int, share: float) -> str:
    """Return a count with its share of the rows, nothing for none."""
    percent = f"{100 * share:.1f}" if share >= 0.0005 else "< 0.1"
    return f"{count:,} ({percent} %)" if count else ""


def _first(rows: tuple[int, ...]) -> str:
    return ", ".join(map(str, rows[:SHOWN_ROWS])) + (", ..." if len(rows) > SHOWN_ROWS else "")


def verdict_record(report: Report) -> dict[str, Any]:
    """Return what a script wants to know of a report; the rest is in report.json."""
    document = report.to_dict()
    scores = {score["name"]: {key: score[key] for key in ("value", "low", "high")} for score in document["scores"]}
    return {"passed": report.passed, "gates": document["gates"], "scores": scores}


def show_verdict(report: Report) -> None:
    """Print what became of each gate, worst first, and the sum of it."""
    for line in report.verdict:
        show_status(line)
    counts = Counter(verdict.status for verdict in report.verdicts)
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    show_text(f"{'no gate failed' if report.passed else 'NOT PASSED'}: {told or 'no gates'}")


def show_plan(plan: dict[str, Any]) -> None:
    """Print what a run would do."""
    rows = plan["rows"]
    show_text(
        f"{plan['name']}: {rows['train']:,} rows to learn from, {rows['holdout']:,} held out, seed {plan['seed']}"
    )
    show_text("")
    columns = [
        [
            column["name"],
            column["type"],
            "learnt" if column["modelled"] else "not learnt",
            "yes" if column["missing"] else "no",
        ]
        for column in plan["columns"]
    ]
    show_table(["column", "type", "use", "may be missing"], columns)
    show_text("")
    show_text("model: " + ", ".join(f"{key} {value}" for key, value in plan["model"].items()))
    show_text("")
    tables = [["synthetic", f"{rows['synthetic']:,}", "", ""]]
    for cohort in plan["cohorts"]:
        wanted = cohort["where"] or "; ".join(f"{name} {shares}" for name, shares in (cohort["mix"] or {}).items())
        tables.append([cohort["name"], f"{cohort['rows']:,}", wanted, cohort["support"]])
    show_table(["table", "rows", "condition", "real patients behind it"], tables)
    show_text("")
    for gate in plan["gates"]:
        show_text(f"gate: {gate}")
    outputs = plan["outputs"]
    show_text(f"would write {', '.join(outputs['files'])} to {outputs['folder']}/")
    if outputs["exists"]:
        show_text("which exists: a run needs --overwrite")


def show_cohort(cohort: CohortFacts) -> None:
    """Print how many rows a cohort has and how common they are."""
    data = "suppressed, for too few patients" if cohort.data is None else f"{cohort.data:.3g}"
    behind = "" if cohort.patients is None else f" ({cohort.patients:,} patients)"
    show_text(
        f"cohort {cohort.name}: {cohort.rows:,} rows; probability of such a row {cohort.model:.3g} to the model, "
        f"share in the data {data}{behind}; effective sample size {cohort.effective:,.0f}"
    )


def show_sample_facts(draw: SampleFacts) -> None:
    """Print on stderr how probable the rows of a draw are to the model, and what they were taken from."""
    sys.stderr.write(
        f"the model's probability of such a row: {draw.probability:.3g}; "
        f"effective sample size {draw.effective:,.0f} of {draw.proposed:,} rows drawn\n"
    )
