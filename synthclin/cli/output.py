"""Results of commands as text and JSON: findings, plans, verdicts and facts about samples."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from synthclin import log
from synthclin.cli.error_boundary import DONE, GATES_MISSED
from synthclin.cli.terminal import show_status, show_table, show_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.report import Report
    from synthclin.report.record.guarantee_data import AuditFacts
    from synthclin.report.record.section_data import CohortFacts
    from synthclin.rules.survey import Survey
    from synthclin.rules.validation import Finding
    from synthclin.sampling.sample_facts import SampleFacts

__all__ = [
    "exit_code",
    "show_audits",
    "show_cohort",
    "show_plan",
    "show_sample_facts",
    "show_survey",
    "show_verdict",
    "survey_record",
    "verdict_record",
    "warn_of_interpolation",
]

SHOWN_ROWS = 5  # row numbers per line


def _finding_record(finding: Finding) -> dict[str, Any]:
    """Return a finding as a JSON object."""
    return {
        "severity": finding.severity,
        "where": finding.where,
        "what": finding.what,
        "rows": list(finding.rows),
        "count": finding.count,
        "remedy": finding.remedy,
    }


def survey_record(seen: Survey) -> dict[str, Any]:
    """Return a survey as a JSON object of counts and row numbers."""
    return {
        "valid": seen.valid,
        "rows": seen.rows,
        "patients": seen.patients,
        "columns": [asdict(column) for column in seen.columns],
        "rules": [asdict(rule) for rule in seen.rules],
        "findings": [_finding_record(finding) for finding in seen.findings],
    }


def show_survey(seen: Survey) -> None:
    """Print a line per column and rule of a survey, then its errors."""
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


def exit_code(report: Report) -> int:
    """Return the exit code of a report: 0 where no gate is missed, else 3."""
    return DONE if report.passed else GATES_MISSED


def verdict_record(report: Report) -> dict[str, Any]:
    """Return verdict, gates, score values and notes of a report as a JSON object; report.json holds the rest."""
    document = report.to_dict()
    scores = {score["name"]: {key: score[key] for key in ("value", "low", "high")} for score in document["scores"]}
    return {"passed": report.passed, "gates": document["gates"], "scores": scores, "notes": list(report.notes)}


def show_verdict(report: Report) -> None:
    """Print the verdict on each gate, worst first, what the report does not answer, and the counts of verdicts."""
    for line in report.verdict:
        show_status(line)
    counts = Counter(verdict.status for verdict in report.verdicts)
    summed = ", ".join(f"{count} {status}" for status, count in counts.items())
    for note in report.notes:
        show_text(f"note: {note}")
    show_text(f"{'no gate failed' if report.passed else 'NOT PASSED'}: {summed or 'no gates'}")


def show_plan(plan: dict[str, Any]) -> None:
    """Print the plan of a run."""
    rows = plan["rows"]
    show_text(f"{plan['name']}: {rows['train']:,} training rows, {rows['holdout']:,} holdout rows, seed {plan['seed']}")
    show_text("")
    columns = [
        [
            column["name"],
            column["type"],
            "modelled" if column["modelled"] else "not modelled",
            "yes" if column["missing"] else "no",
            column["role"] or "",
        ]
        for column in plan["columns"]
    ]
    show_table(["column", "type", "use", "may be missing", "role"], columns)
    show_text("")
    show_text("model: " + ", ".join(f"{key} {value}" for key, value in plan["model"].items()))
    show_text("")
    tables = [["synthetic", f"{rows['synthetic']:,}", "", ""]]
    for cohort in plan["cohorts"]:
        wanted = cohort["where"] or "; ".join(f"{name} {shares}" for name, shares in (cohort["mix"] or {}).items())
        tables.append([cohort["name"], f"{cohort['rows']:,}", wanted, cohort["support"]])
    show_table(["table", "rows", "condition", "supporting patients, to tens"], tables)
    show_text("")
    for analysis in plan["analyses"]:
        show_text(f"analysis: {analysis['task']} of {', '.join(analysis['columns'])}: {', '.join(analysis['scores'])}")
    for by in plan["by"]:
        show_text(f"subgroups of column {by!r}")
    show_text("")
    for gate in plan["gates"]:
        show_text(f"gate: {gate}")
    outputs = plan["outputs"]
    show_text(f"would write {', '.join(outputs['files'])} to {outputs['folder']}/")
    if outputs["exists"]:
        show_text("the folder exists: add --overwrite to replace it")


def show_audits(audits: Sequence[AuditFacts]) -> None:
    """Print a line per audit of differential privacy, and the verdict."""
    names = {
        "tables": "tables of one column",
        "mechanism": "the whole mechanism",
        "selection": "the first selection",
    }
    rows = [
        [names[each.part], f"{each.claimed:.3g}", f"{each.bound:.2f}", f"{each.most:.2f}", f"{each.trials:,}"]
        for each in audits
    ]
    show_table(["part", "claimed epsilon", "lower bound", "at most provable", "canaries or runs"], rows)
    if any(each.refutes for each in audits):
        show_text("REFUTED: a lower bound exceeds the claimed epsilon. Do not release; see SECURITY.md.")
    else:
        show_text("not refuted: no lower bound exceeds the claimed epsilon. An audit never proves a claim.")


def show_cohort(cohort: CohortFacts) -> None:
    """Print the rows of a cohort, their share in a sample without the condition, and the effective sample size."""
    data = "suppressed, for too few patients" if cohort.share_train is None else f"{cohort.share_train:.3g}"
    behind = "" if cohort.patients is None else f" ({cohort.patients:,} patients)"
    show_text(
        f"cohort {cohort.name}: {cohort.rows:,} rows; share of such rows without the condition "
        f"{cohort.probability_model:.3g}, in the data {data}{behind}; "
        f"effective sample size {cohort.effective_sample_size:,.0f}"
    )


def show_sample_facts(facts: SampleFacts) -> None:
    """Print on stderr the share of such rows in a sample without the condition, and the effective sample size."""
    log.emit(
        log.Note(
            f"share of such rows without the condition: {facts.probability:.3g}; "
            f"effective sample size {facts.effective:,.0f} of {facts.proposed:,} rows proposed"
        )
    )


def warn_of_interpolation(facts: SampleFacts) -> None:
    """Warn of a condition that is narrower than the bins of the model."""
    what = (
        "the condition lies inside bins of the model, so its values are interpolated, and no training patient need "
        "have one"
    )
    for name in facts.interpolated:
        remedy = "A cohort in a study is checked against the training rows."
        log.emit(log.Warned(f"column {name!r}", what, remedy))
