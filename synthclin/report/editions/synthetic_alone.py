"""The shareable edition of a model with differential privacy: its guarantee, and figures of synthetic rows alone.

The guarantee covers whatever is computed from synthetic rows, and nothing that is computed from real ones, however
rounded. So this edition has no score that compares, and no figure whose bins or levels follow from real rows.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from synthclin.evaluation.catalogue import find_kind
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import judge
from synthclin.evaluation.sections import marginal_panels, table_one

if TYPE_CHECKING:
    from synthclin.report.findings import Findings
    from synthclin.report.record.section_data import SectionData

__all__ = ["synthetic_alone", "with_synthetic_alone"]

F = TypeVar("F", bound="Findings")


def synthetic_alone(c: Comparison) -> dict[str, Any]:
    """Return the panels and the Table 1 of the synthetic rows of a comparison, as JSON types, without real counts."""
    rows = c.tables.synthetic
    alone = Comparison.of([rows], train=rows, holdout=None, schema=c.schema, random_state=c.seed)
    panels = [
        panel | {"real": [None] * len(panel["synthetic"]), "missing": panel["missing"] | {"real": None}}
        for panel in marginal_panels(alone)
    ]
    blocks = [_without_real(block) for block in table_one(alone)]
    return {"marginals": panels, "table_one": blocks}


def _without_real(block: dict[str, Any]) -> dict[str, Any]:
    levels = [row | {"real": {"n": None, "percent": None}} for row in block.get("levels", ())]
    kept = block | {"missing": block["missing"] | {"real": None}, "difference": None}
    return kept | ({"levels": levels} if levels else {}) | ({"real": None} if "real" in block else {})


def with_synthetic_alone(report: F, data: SectionData) -> F:
    """Return the shareable edition of a report with a guarantee of differential privacy."""
    scores = tuple(
        replace(score, baseline=None, reference=None, reference_error=None, note="", details=None)
        for score in report.scores
        if (kind := find_kind(score.name)) and kind.counts == "public"
    )
    names = {score.name for score in scores}
    # Judged again: what holdout rows reach may have decided, and stands in the verdicts.
    verdicts = judge([verdict.gate for verdict in report.verdicts if verdict.gate.score in names], scores)
    facts = {key: report.provenance[key] for key in _FACTS if key in report.provenance}
    rows = {"synthetic": data.rows.get("synthetic", 0)}
    sections: dict[str, Any] = {
        "rows": rows,
        "guarantee": None if data.guarantee is None else data.guarantee.model_dump(mode="json"),
        "marginals": [] if data.alone is None else [panel.model_dump(mode="json") for panel in data.alone.marginals],
        "table_one": [] if data.alone is None else [block.model_dump(mode="json") for block in data.alone.table_one],
        "labels": report.sections.get("labels", {}),
        "cohorts": [
            cohort.model_dump(mode="json") | {"share_train": None, "few": None, "patients": None}
            for cohort in data.cohorts
        ],
        # Shares of sampled rows only.
        "rules": {"unconstrained": data.rules.unconstrained, "unconstrained_rows": data.rules.unconstrained_rows},
    }
    return replace(
        report,
        edition="shareable",
        scores=scores,
        verdicts=verdicts,
        sections={key: value for key, value in sections.items() if value},
        provenance=facts | {"rows": rows},
    )


_FACTS = ("name", "versions", "columns", "schema_sha256", "dp")
"""What the edition keeps of the provenance: no seed, from which somebody could repeat what is not noise."""
