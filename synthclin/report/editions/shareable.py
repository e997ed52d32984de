"""The shareable edition: a report under statistical disclosure control.

An allow list per score; anything else is left out. Primary suppression hides real counts below 11, secondary
suppression hides others against subtraction. Every other real count, totals and sizes of groups and cohorts included,
is rounded to tens (`shared_count`), so that no difference of two counts is one below 11. Shares of real patients are
rounded to steps of at least 11 patients. Percentages and shares of missing cells are computed from published counts.
Notes, extremes and the figures in reasons of verdicts are removed.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from math import ceil, isnan
from typing import TYPE_CHECKING, Any, TypeVar

from synthclin.evaluation.catalogue import find_kind, kind_of
from synthclin.evaluation.disclosure import (
    Published,
    round_down,
    round_to_or_none,
    round_up,
    rounding_step,
    shared_count,
    shared_total,
)
from synthclin.evaluation.gates import reached, uncomputed
from synthclin.evaluation.groups import GroupDetails
from synthclin.evaluation.labels import Labels
from synthclin.evaluation.privacy.canaries import SMALLEST_LEAK
from synthclin.report.editions.shareable_columns import shared_block, shared_missing, shared_panel
from synthclin.report.record.section_data import SectionData

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synthclin.evaluation.gates import Verdict
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["shareable"]

F = TypeVar("F", bound="Findings")


def shareable(report: F) -> F:
    """Return the shareable edition of a report; a shareable report is returned unchanged."""
    if report.edition == "shareable":
        return report
    data = SectionData.model_validate(report.sections)
    facts = report.provenance.get("rows") or data.rows
    train, holdout = (int(facts.get(key, 0)) for key in ("train", "holdout"))
    published = Published(
        train, holdout, {panel.column: shared_missing(shared_panel(panel)) for panel in data.marginals}
    )
    limits: dict[str, set[float]] = {}
    for gate in (verdict.gate for verdict in report.verdicts):
        limits.setdefault(gate.score, set()).update({gate.limit} if gate.review is None else {gate.limit, gate.review})
    scores = tuple(
        _beside(_score(score, published), score, sorted(limits.get(score.name, ()))) for score in report.scores
    )
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
        "schema_sha256",
        "dp",
        "replicates",
    )
    known = {key: facts[key] for key in shared if key in facts}
    return known | ({"rows": _rows(facts["rows"])} if "rows" in facts else {})


def _rows(rows: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of rows of the tables, those of real rows as `shared_total` gives them."""
    return {key: n if key == "synthetic" else shared_total(n) for key, n in rows.items()}


def _score(score: Score, published: Published) -> Score:
    kind, fewest = kind_of(score.name), min(published.train, published.holdout or published.train)
    if kind.section == "subgroups":
        fewest = min(fewest, score.n)
    size = 0.01 if kind.counts is None else rounding_step(fewest)
    # The value is rounded to the worse side and the interval outward, so that rounding never improves a result.
    worse = round_down if score.better == "higher" or kind.is_lower_bound else round_up
    value, low, high = worse(score.value, size), round_down(score.low, size), round_up(score.high, size)
    if kind.is_lower_bound:
        high = value  # a bound has no interval; rounded up it would claim more than is proven
    if kind.counts == "public":
        value, low, high = score.value, score.low, score.high
    elif kind.counts == "synthetic" and not isnan(score.value):
        value, low, high = _of_synthetic(score)
    # In a subgroup n counts synthetic rows, so the number of real rows behind the references is unknown.
    hidden = kind.section == "subgroups" and isinstance(score.details, GroupDetails) and _is_of_synthetic(score.details)
    note = uncomputed() if isnan(score.value) else ""
    return replace(
        score,
        value=value,
        low=low,
        high=high,
        baseline=None if hidden else _not_emptied(score.baseline, size),
        reference=None if hidden else _not_emptied(score.reference, size),
        n=score.n if kind.counts in {"synthetic", "public"} or hidden else shared_total(score.n),
        note=score.note if score.name == SMALLEST_LEAK.name else note,  # its note concerns canaries only
        details=None if score.details is None else kind.shared(score.details, published),
        replicates=(),
        reference_error=None,
    )


def _not_emptied(value: float | None, size: float) -> float | None:
    """Return a rounded number; None where rounding makes 0 of it."""
    rounded = round_to_or_none(value, size)
    return None if rounded == 0 and value else rounded


def _is_of_synthetic(details: GroupDetails) -> bool:
    """Return whether a score within groups is a share of synthetic rows."""
    of = find_kind(details.score)
    return of is not None and of.counts in {"synthetic", "public"}


def _of_synthetic(score: Score) -> tuple[float, float, float]:
    """Return a share of synthetic rows and its interval, rounded to hundredths on the worse side."""
    if score.better == "higher":
        value, low, high = (int(100 * x) / 100 for x in (score.value, score.low, score.high))
    else:
        value, low, high = (ceil(100 * x - 1e-9) / 100 for x in (score.value, score.low, score.high))
    return value, low, high


def _verdict(verdict: Verdict, score: Score) -> Verdict:
    bound = score.low if verdict.gate.op.startswith(">") else score.high
    # The rounded figures alone: what rows without leakage reach is a figure of real patients.
    without = reached(verdict.gate, score)
    return replace(
        verdict,
        value=score.value,
        bound=bound,
        reason=verdict.without_figures,
        reached=without,
        holdout_needed=None,  # it follows from the exact figures
    )


def _beside(score: Score, internal: Score, limits: Iterable[float]) -> Score:
    """Return a rounded score of which no figure is on another side of a limit than that of the internal edition."""

    def beside(rounded: float, exact: float) -> float:
        for limit in limits:
            if exact <= limit < rounded or rounded < limit <= exact:
                rounded = limit
        return rounded

    return replace(
        score,
        value=beside(score.value, internal.value),
        low=beside(score.low, internal.low),
        high=beside(score.high, internal.high),
    )


def _sections(data: SectionData) -> dict[str, Any]:
    panels = {panel.column: shared_panel(panel) for panel in data.marginals}
    shared: dict[str, Any] = {
        "rows": _rows(data.rows),
        "marginals": [panel.model_dump() for panel in panels.values()],
        "table_one": [
            shared_block(block, panels[block.column]).model_dump() for block in data.table_one if block.column in panels
        ],
        # A part of the schema, which says nothing of any patient.
        "labels": asdict(data.labels) if data.labels != Labels() else {},
        "cohorts": [
            cohort.model_dump(mode="json")
            | {"share_train": None, "few": None, "patients": shared_count(cohort.patients)}
            for cohort in data.cohorts
        ],
        # Shares of sampled rows only; the number of real rows that a rule excluded is not shared.
        "rules": {"unconstrained": data.rules.unconstrained, "unconstrained_rows": data.rules.unconstrained_rows}
        if data.rules.unconstrained
        else {},
    }
    return {key: value for key, value in shared.items() if value}
