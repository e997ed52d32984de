"""The shareable edition: a report under statistical disclosure control.

An allow list per score; anything else is left out. Primary suppression hides real counts below 11, secondary
suppression hides others against subtraction. Every other real count, totals and sizes of groups and cohorts included,
is rounded to tens (`shared_count`), so that no difference of two counts is one below 11. Shares of real patients are
rounded to steps of at least 11 patients. Percentages and shares of missing cells are computed from published counts.
Notes, extremes and the figures in reasons of verdicts are removed.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from math import floor, isnan, log10, nan
from typing import TYPE_CHECKING, Any, TypeVar

from synthclin.evaluation.catalogue import find_kind, kind_of
from synthclin.evaluation.disclosure import (
    Published,
    round_down,
    round_unless_emptied,
    round_up,
    rounding_step,
    shared_count,
    shared_total,
)
from synthclin.evaluation.gates import reached
from synthclin.evaluation.groups import GroupDetails
from synthclin.evaluation.kind import RelativeLimit
from synthclin.evaluation.labels import Labels
from synthclin.evaluation.privacy.canaries import SMALLEST_LEAK
from synthclin.evaluation.statuses import uncomputed
from synthclin.language import speaking
from synthclin.report.editions.shareable_columns import shared_block, shared_missing, shared_panel
from synthclin.report.editions.shareable_visits import shared_visits
from synthclin.report.editions.synthetic_alone import with_synthetic_alone
from synthclin.report.record.section_data import SectionData

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from synthclin.evaluation.gate import Gate
    from synthclin.evaluation.gates import Verdict
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings
    from synthclin.report.record.section_data import FewEvents

__all__ = ["shareable"]

F = TypeVar("F", bound="Findings")


def shareable(report: F) -> F:
    """Return the shareable edition of a report; a shareable report is returned unchanged."""
    if report.edition == "shareable":
        return report
    with speaking(report.language):
        return _shared(report)


def _shared(report: F) -> F:
    data = SectionData.model_validate(report.sections)
    if data.guarantee is not None:
        return with_synthetic_alone(report, data)
    facts = data.patients or report.provenance.get("rows") or data.rows
    train, holdout = (int(facts.get(key, 0)) for key in ("train", "holdout"))
    published = Published(
        train, holdout, {panel.column: shared_missing(shared_panel(panel)) for panel in data.marginals}
    )
    gates = [_gate(verdict.gate) for verdict in report.verdicts]
    scores = tuple(
        _beside(_score(score, published), score, [gate for gate in gates if gate.score == score.name])
        for score in report.scores
    )
    found = {score.name: score for score in scores}
    return replace(
        report,
        edition="shareable",
        scores=scores,
        verdicts=tuple(
            _verdict(verdict, gate, found[gate.score]) for verdict, gate in zip(report.verdicts, gates, strict=True)
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
        "source_rows",
        "columns",
        "schema_sha256",
        "dp",
        "replicates",
    )
    known = {key: facts[key] for key in shared if key in facts}
    known |= {"rows": _rows(facts["rows"])} if "rows" in facts else {}
    return known | ({"source_rows": shared_total(facts["source_rows"])} if facts.get("source_rows") else {})


def _rows(rows: Mapping[str, int]) -> dict[str, int]:
    """Return the numbers of rows of the tables, those of real rows as `shared_total` gives them."""
    return {key: n if key == "synthetic" else shared_total(n) for key, n in rows.items()}


def _steps(score: Score, published: Published) -> tuple[float, float]:
    """Return the rounding steps of a score and of its real-data reference."""
    kind, fewest = kind_of(score.name), min(published.train, published.holdout or published.train)
    if kind.counts is None:
        return 0.01, 0.01
    if kind.section == "subgroups":
        fewest = min(fewest, score.n)
    # Fidelity compares with training rows alone; holdout rows take part in the reference.
    own = published.train if kind.section == "fidelity" else fewest
    return rounding_step(own), rounding_step(fewest)


def _gate(gate: Gate) -> Gate:
    """Return a gate, without its limits where they follow from holdout rows, whose figures they would tell."""
    kind = find_kind(gate.score)
    if gate.review is None or kind is None or not isinstance(kind.limit, RelativeLimit):
        return gate
    return replace(gate, limit=nan, review=nan)


def _score(score: Score, published: Published) -> Score:
    kind, (size, of_reference) = kind_of(score.name), _steps(score, published)
    # The value is rounded to the worse side and the interval outward, so that rounding never improves a result.
    worse = round_down if score.better == "higher" or kind.is_lower_bound else round_up
    value, low, high = worse(score.value, size), round_down(score.low, size), round_up(score.high, size)
    if kind.is_lower_bound:
        high = value  # a bound has no interval; rounded up it would claim more than is proven
    elif score.low == score.high:
        low = high = value
    if kind.counts == "public":
        value, low, high = score.value, score.low, score.high
    elif kind.counts == "synthetic" and not isnan(score.value):
        value, low, high = _of_synthetic(score)
    # In a subgroup n counts synthetic rows, so the number of real rows behind the references is unknown.
    hidden = kind.section == "subgroups" and isinstance(score.details, GroupDetails) and _is_of_synthetic(score.details)
    note = uncomputed() if isnan(score.value) else ""
    details = None if score.details is None else kind.shared(score.details, published)
    reference = round_unless_emptied(score.reference, of_reference)
    if isinstance(details, GroupDetails) and (worst := details.worst_group) is not None and worst.value is not None:
        # The score is that of the worst group: it is rounded once.
        value, reference = worst.value, worst.reference
        low, high = (value if end is None else end for end in (worst.low, worst.high))
    return replace(
        score,
        value=value,
        low=low,
        high=high,
        baseline=None if hidden else round_unless_emptied(score.baseline, size),
        reference=None if hidden else reference,
        n=score.n if kind.counts in {"synthetic", "public"} or hidden else shared_total(score.n),
        note=score.note if score.name == SMALLEST_LEAK.name else note,  # its note concerns canaries only
        details=details,
        replicates=(),
        reference_error=None,
    )


def _is_of_synthetic(details: GroupDetails) -> bool:
    """Return whether a score within groups is a share of synthetic rows."""
    of = find_kind(details.score)
    return of is not None and of.counts in {"synthetic", "public"}


def _of_synthetic(score: Score) -> tuple[float, float, float]:
    """Return a share of synthetic rows, rounded to hundredths on the worse side, and its interval, rounded outward."""
    worse = round_down if score.better == "higher" else round_up
    low = round_down(score.low, 0.01)
    if low == 0 < score.low:
        low = 10.0 ** floor(log10(score.low))  # above 0, as a limit of 0 has it
    return worse(score.value, 0.01), low, round_up(score.high, 0.01)


def _verdict(verdict: Verdict, gate: Gate, score: Score) -> Verdict:
    bound = score.low if verdict.gate.op.startswith(">") else score.high
    # The rounded figures alone: what rows without leakage reach is a figure of real patients.
    without = reached(gate, score)
    return replace(
        verdict,
        gate=gate,
        value=score.value,
        bound=bound,
        reason=verdict.without_figures,
        reached=without,
        holdout_needed=None,  # it follows from the exact figures
    )


def _beside(score: Score, internal: Score, gates: Iterable[Gate]) -> Score:
    """Return a rounded score of which no figure is on another side of a limit than that of the internal edition."""
    limits = {limit for gate in gates for limit in (gate.limit, gate.review) if limit is not None}

    def beside(rounded: float, exact: float) -> float:
        for limit in sorted(limits):
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
    first = {panel.column: shared_panel(panel) for panel in data.first_visits} or panels
    shared: dict[str, Any] = {
        "rows": _rows(data.rows),
        "patients": _rows(data.patients),
        "visits": {} if data.visits is None else shared_visits(data.visits),
        "marginals": [panel.model_dump() for panel in panels.values()],
        "table_one": [
            shared_block(block, first[block.column]).model_dump() for block in data.table_one if block.column in first
        ],
        # A part of the schema, which says nothing of any patient.
        "labels": asdict(data.labels) if data.labels != Labels() else {},
        "cohorts": [
            cohort.model_dump(mode="json")
            | {"share_train": None, "few": _few(cohort.few), "patients": shared_count(cohort.patients)}
            for cohort in data.cohorts
        ],
        # Shares of sampled rows only; the number of real rows that a rule excluded is not shared.
        "rules": {"unconstrained": data.rules.unconstrained, "unconstrained_rows": data.rules.unconstrained_rows}
        if data.rules.unconstrained
        else {},
    }
    return {key: value for key, value in shared.items() if value}


def _few(few: FewEvents | None) -> dict[str, Any] | None:
    """Return on how few patients a part of a cohort rests, to tens, without the evidence of the model."""
    if few is None:
        return None
    return few.model_dump(mode="json") | {"patients": shared_count(few.patients), "dependences": []}
