"""The section on privacy: membership inference, other attacks, controls, attacks on the model and exact copies."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from synthclin.evaluation.privacy.copies import COPIES
from synthclin.evaluation.privacy.details import MembershipDetails
from synthclin.evaluation.privacy.membership import MEMBERSHIP
from synthclin.evaluation.score import details_of
from synthclin.language import tr
from synthclin.report.charts.roc_plot import attack_roc_plot
from synthclin.report.pages.attack_figures import attack_figures
from synthclin.report.pages.fidelity_section import curve_table
from synthclin.report.pages.figures import DataTable, Figure, Row, Section
from synthclin.report.pages.model_attack_figures import model_attack_figures
from synthclin.report.pages.questions import section_status
from synthclin.report.pages.words import attack_name
from synthclin.wording import interval, listed, number, plain, share, typeset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.evaluation.score import Score
    from synthclin.report.findings import Findings

__all__ = ["privacy_section"]

_FEW_NON_MEMBERS = 6  # fewer non-members do not determine an FPR


def privacy_section(report: Findings) -> Section:
    """Return the figures of all attacks and of exact copies."""
    lead: list[str] = []
    figures = []
    attack = report.find(MEMBERSHIP.name)
    ranked = details_of(attack, MembershipDetails)
    if attack is None or math.isnan(attack.value):
        lead.append(
            tr("No attack was run.")
            if attack is None
            else tr("Not assessable. {reason}", reason=typeset(attack.note, 500))
        )
    elif ranked is not None and ranked.roc:
        figures.append(_attack(attack, ranked))
    figures += attack_figures(report)
    figures += model_attack_figures(report)
    copied = report.find(COPIES.name)
    if copied is not None and not math.isnan(copied.value):
        figures.append(_copies(copied))
    return Section(
        "privacy",
        tr("Can someone infer who was in the training data?"),
        tr("Privacy"),
        section_status(report, "privacy"),
        tuple(lead),
        tuple(figures),
    )


def _attack(score: Score, details: MembershipDetails) -> Figure:
    few = None if not details.n_non_members else min(_FEW_NON_MEMBERS / details.n_non_members, 1.0)
    # The part of the curve that rests on fewer non-members is neither drawn nor listed.
    points = _from(few or 0.0, details.roc)
    each = [(plain(attack_name(one.name), 40), _from(few or 0.0, one.roc)) for one in details.curves]
    found = f"AUC {number(score.value)} ({interval(score.low, score.high)})"
    curves = tr("{result}; faint: {attacks}.", result=found, attacks=listed([name for name, _ in each]))
    if details.tpr_at_10_percent is not None:
        tpr = share(details.tpr_at_10_percent, 1)
        found_too = tr("{result}; TPR at 10\u00a0% FPR {tpr}", result=found, tpr=tpr)
    else:
        found_too = found
    if score.low > 0.5:
        title = tr("Membership inference is above chance")
    elif score.value <= 0.5:
        title = tr("Membership inference is at chance")
    else:
        title = tr("Membership inference is not clearly above chance")
    how = tr(
        "True positive rate, the share of members identified (vertical), against false positive rate, the share of "
        "non-members called members (horizontal), both on log scales. Dashed: chance."
    )
    if few is not None:
        hatched = tr("Hatched: fewer than {n} non-members determine the rate, so it is not shown.", n=_FEW_NON_MEMBERS)
        how = f"{how} {hatched}"
    return Figure(
        title=title,
        how=how,
        plot=attack_roc_plot(
            tr("ROC curves of the membership attacks on log axes"),
            points,
            [curve for _, curve in each],
            few,
            curves if each else f"{found}.",
        ),
        note=plain(
            tr(
                "{result}. The attacker has the synthetic table and half of the holdout. {note} The result does not "
                "cover stronger attacks, such as shadow models.",
                result=found_too,
                note=score.note,
            ),
            900,
        ),
        data=(curve_table(tr("Points of the ROC curve of the attack"), points),),
    )


def _from(start: float, points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return the part of a ROC curve from an FPR on, interpolated at its start."""
    later = [point for point in points if point[0] >= start]
    earlier = [point for point in points if point[0] < start]
    if not earlier or not later or later[0][0] == start:
        return later
    (x0, y0), (x1, y1) = earlier[-1], later[0]
    return [(start, y0 + (y1 - y0) * (start - x0) / (x1 - x0)), *later]


def _copies(score: Score) -> Figure:
    details = COPIES.read(score)
    copies = details.copies if details else None
    rows = [Row(tr("Synthetic rows"), (number(copies or 0, 0), share(score.value, 2)))]
    if score.reference is not None:
        rows.append(Row(tr("Holdout rows"), ("", share(score.reference, 2))))
    if not copies:
        title = tr("No synthetic row equals the row of one training patient")
    elif score.reference is not None and score.low <= score.reference:
        title = tr("Synthetic rows equal training rows no more often than holdout rows do")
    else:
        part = share(score.value, 1)
        title = tr("{share} of synthetic rows equal the row of one training patient", share=part)
    return Figure(
        title=title,
        how=tr(
            "An exact copy equals, in every modelled column and at schema precision, a training row that occurs for "
            "one patient only."
        ),
        table=DataTable(
            tr("Rows that equal the row of one training patient"),
            (tr("Rows"), tr("Rows found"), tr("Share")),
            tuple(rows),
        ),
        note=plain(
            tr("Near copies are not counted: a share of 0 does not prove privacy. {note}", note=score.note), 500
        ),
    )
