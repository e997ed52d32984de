"""The figure of membership attacks on the model file and of shadow-model attacks."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import names_of
from synthclin.evaluation.privacy.details import MembershipDetails
from synthclin.evaluation.score import details_of
from synthclin.language import tr
from synthclin.report.pages.figures import DataTable, Figure, Row
from synthclin.report.pages.questions import label_of
from synthclin.wording import interval, number, share

if TYPE_CHECKING:
    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["model_attack_figures"]

_NONE = "\u2013"


def model_attack_figures(report: Findings) -> list[Figure]:
    """Return the table of attacks on the model; empty where none was run."""
    scores = [
        score
        for name in (*names_of("model"), *names_of("shadow models"))
        if (score := report.find(name)) and isinstance(score.details, MembershipDetails)
        if not math.isnan(score.value)
    ]
    if not scores:
        return []
    clear = any(score.low > 0.5 for score in scores)
    head = (
        tr("Attack"),
        tr("TPR at 1 % FPR"),
        tr("TPR at 10 % FPR"),
        tr("Top-decile outliers"),
        tr("95 % interval"),
        "AUC",
    )
    return [
        Figure(
            title=tr("Membership can be inferred from the model")
            if clear
            else tr("No attack on the model is clearly above chance"),
            how=tr(
                "Attacks with access to the model folder, or with shadow models. AUC: 0.5 is chance. TPR at a given "
                "FPR: share of members identified where that share of non-members is called members."
            ),
            table=DataTable(tr("Attacks on the model"), head, tuple(_row(score) for score in scores)),
            note=tr(
                "No gate judges the table by an attack on the model file. Before that file is shared, synthclin "
                "export --for-sharing judges it by a limit of its own. Shadow-model attacks target rare patients."
            ),
        )
    ]


def _row(score: Score) -> Row:
    details = details_of(score, MembershipDetails)
    risk = details.top_decile_outliers if details else None
    outliers = None if risk is None else risk.value
    rates = (details.tpr_at_1_percent, details.tpr_at_10_percent) if details else (None, None)
    return Row(
        label_of(score.name),
        (
            *(_NONE if rate is None else share(rate, 1) for rate in rates),
            _NONE if outliers is None else number(outliers),
            interval(score.low, score.high),
            number(score.value),
        ),
    )
