"""The shareable edition: a report under statistical disclosure control.

An allow list per score; anything else is left out. Primary suppression hides real counts below 11, secondary
suppression hides others against subtraction. Shares of real patients are rounded to steps of at least 11 patients.
Figures of a column are computed again from its published counts. Notes, reasons of verdicts and extremes are removed.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from math import ceil, isnan
from typing import TYPE_CHECKING, Any, TypeVar

from synthclin.evaluation.catalogue import find_kind, kind_of
from synthclin.evaluation.disclosure import Published, round_down, round_to_or_none, round_up, rounding_step
from synthclin.evaluation.groups import GroupDetails
from synthclin.evaluation.labels import Labels
from synthclin.evaluation.privacy.canaries import SMALLEST_LEAK
from synthclin.report.editions.shareable_columns import agreement, shared_block, shared_panel
from synthclin.report.record.section_data import SectionData
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Verdict
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["shareable"]

F = TypeVar("F", bound="Findings")

_REASONS = {
    "PASS": "The worse end of its interval meets the limit, or the value without leakage.",
    "REVIEW": "The interval includes the limit, or the limit is missed narrowly.",
    "FAIL": "The limit is missed.",
    "NOT ASSESSABLE": "It cannot be computed on these rows.",
    "TOO WEAK": "The attacks miss canaries.",
}


def shareable(report: F) -> F:
    """Return the shareable edition of a report; a shareable report is returned unchanged."""
    if report.edition == "shareable":
        return report
    data = SectionData.model_validate(report.sections)
    facts = report.provenance.get("rows") or data.rows
    train, holdout = (int(facts.get(key, 0)) for key in ("train", "holdout"))
    agreements = tuple(agreement(shared_panel(panel)) for panel in data.marginals)
    published = Published(train, holdout, agreements)
    scores = tuple(_score(score, published) for score in report.scores)
    return replace(
        report,
        edition="shareable",
        scores=scores,
        verdicts=tuple(
            _verdict(verdict, next(score for score in scores if score.name == verdict.gate.score))
            for verdict in report.verdicts
        ),
        sections=_sections(data),
        provenance=_provenance(report.provenance),
    )


def _provenance(facts: dict[str, Any]) -> dict[str, Any]:
    shared = (
        "name",
        "seed",
        "random_state",
        "versions",
        "rows",
        "columns",
        "intended_use",
        "recipient",
        "dp",
        "replicates",
    )
    return {key: facts[key] for key in shared if key in facts}


def _score(score: Score, published: Published) -> Score:
    kind, fewest = kind_of(score.name), min(published.train, published.holdout or published.train)
    if kind.section == "subgroups":
        fewest = min(fewest, score.n)
    size = 0.01 if kind.counts is None else rounding_step(fewest)
    # The value is rounded to the worse side and the interval outward, so that rounding never improves a result.
    worse = round_down if score.better == "higher" else round_up
    value, low, high = worse(score.value, size), round_down(score.low, size), round_up(score.high, size)
    if kind.counts == "synthetic" and not isnan(score.value):
        value, low, high = _of_synthetic(score)
    # In a subgroup n counts synthetic rows, so the number of real rows behind the references is unknown.
    hidden = kind.section == "subgroups" and isinstance(score.details, GroupDetails) and _is_of_synthetic(score.details)
    note = "It cannot be computed on these rows." if isnan(score.value) else ""
    return replace(
        score,
        value=value,
        low=low,
        high=high,
        baseline=None if hidden else round_to_or_none(score.baseline, size),
        reference=None if hidden else round_to_or_none(score.reference, size),
        n=score.n if score.n >= MIN_PATIENTS else 0,
        note=score.note if score.name == SMALLEST_LEAK.name else note,  # its note concerns canaries only
        details=None if score.details is None else kind.shared(score.details, published),
        replicates=(),
        reference_error=None,
    )


def _is_of_synthetic(details: GroupDetails) -> bool:
    """Return whether a score within groups is a share of synthetic rows."""
    of = find_kind(details.score)
    return of is not None and of.counts == "synthetic"


def _of_synthetic(score: Score) -> tuple[float, float, float]:
    """Return a share of synthetic rows and its interval, rounded to hundredths on the worse side."""
    if score.better == "higher":
        value, low, high = (int(100 * x) / 100 for x in (score.value, score.low, score.high))
    else:
        value, low, high = (ceil(100 * x - 1e-9) / 100 for x in (score.value, score.low, score.high))
    return value, low, high


def _verdict(verdict: Verdict, score: Score) -> Verdict:
    bound = score.low if verdict.gate.op.startswith(">") else score.high
    return replace(verdict, value=score.value, bound=bound, reason=_REASONS[verdict.status])


def _sections(data: SectionData) -> dict[str, Any]:
    panels = {panel.column: shared_panel(panel) for panel in data.marginals}
    shared: dict[str, Any] = {
        "rows": {key: n if key == "synthetic" or n >= MIN_PATIENTS else 0 for key, n in data.rows.items()},
        "marginals": [panel.model_dump() for panel in panels.values()],
        "table_one": [
            shared_block(block, panels[block.column]).model_dump() for block in data.table_one if block.column in panels
        ],
        # A part of the schema, which says nothing of any patient.
        "labels": asdict(data.labels) if data.labels != Labels() else {},
        "cohorts": [cohort.model_dump(mode="json") | {"share_train": None} for cohort in data.cohorts],
        # Shares of sampled rows only; the number of real rows that a rule excluded is not shared.
        "rules": {"unconstrained": data.rules.unconstrained, "unconstrained_rows": data.rules.unconstrained_rows}
        if data.rules.unconstrained
        else {},
    }
    return {key: value for key, value in shared.items() if value}
