"""What the model file tells of the patients it was learnt from: a row for each attack on it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.score_names import MODEL_SCORES, SHADOW_SCORES
from synthclin.report.pages.figures import DataTable, Figure, Row
from synthclin.report.pages.questions import asked
from synthclin.report.record.score_details import MembershipDetails
from synthclin.report.words import interval, number, share

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["model_attack_figures"]

_NONE = "\u2013"


def model_attack_figures(report: Findings) -> list[Figure]:
    """Return the table of attacks on the model, or nothing where none was run."""
    scores = [
        score
        for name in (*MODEL_SCORES, *SHADOW_SCORES)
        if (score := report.find(name)) and not math.isnan(score.value)
    ]
    if not scores:
        return []
    clear = any(score.low > 0.5 for score in scores)
    head = ("Attack", "At 1 % false alarms", "At 10 %", "Vulnerable tenth", "95 % interval", "AUC")
    return [
        Figure(
            title="The model tells who was in training" if clear else "No attack on the model beats chance for sure",
            how="Attacks by somebody who holds the model folder, or trains models of their own. AUC: 0.5 is a coin "
            "toss. Share of training patients recognised at a rate of false alarms among unused ones.",
            table=DataTable("Attacks on the model", head, tuple(_row(score) for score in scores)),
            note="No gate judges the table by an attack on the model file. Before that file is shared, `synthclin "
            "export --for-sharing` holds it against a limit of its own. Shadow models are aimed at rare patients.",
        )
    ]


def _row(score: Score) -> Row:
    details = MembershipDetails.model_validate(score.details)
    outliers = None if details.outliers is None else details.outliers.value
    rates = (details.tpr_at_1_percent, details.tpr_at_10_percent)
    return Row(
        asked(score.name).name,
        (
            *(_NONE if rate is None else share(rate, 1) for rate in rates),
            _NONE if outliers is None else number(outliers),
            interval(score.low, score.high),
            number(score.value),
        ),
    )
