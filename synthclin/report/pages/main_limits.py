"""The main limits on page one: of the table, of this report, and what was not measured or judged."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of, names_of
from synthclin.evaluation.fidelity.associations import ASSOCIATIONS, AssociationDetails
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import details_of
from synthclin.evaluation.statuses import WORST_FIRST
from synthclin.language import tr
from synthclin.report.pages.questions import answers, label_of
from synthclin.report.pages.statements import said
from synthclin.wording import listed, number, sentence_case, typeset

if TYPE_CHECKING:
    from synthclin.report.findings import Findings
    from synthclin.report.pages.questions import Answer

__all__ = ["LIMITS", "Limit", "limits", "not_measured", "stated_limits"]

LIMITS = "limits"
"""The place of the statement that orders the limits of page one."""

_LOST = -0.10  # a change of an association that is a limit on page one
_MOST_LIMITS = 5
_MISSED = WORST_FIRST[: WORST_FIRST.index("NOT ASSESSABLE") + 1]


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit of the table or of this report."""

    headline: str
    text: str


def stated_limits(report: Findings) -> tuple[Limit, ...]:
    """Return the limits, those of the internal edition where it states them."""
    own = limits(report)
    known = report.statements.get(LIMITS)
    if known is None:
        return own
    texts = {limit.headline: limit.text for limit in own}
    return tuple(Limit(name, texts.get(name) or said(report, f"{LIMITS}/{name}", "")) for name in known.order)


def limits(report: Findings) -> tuple[Limit, ...]:
    """Return the main limits: failed gates, gates under review, lost associations, unmeasured properties."""
    asked_for = [(answer, report[answer.verdict.gate.score].is_assessable) for answer in answers(report.verdicts)]
    missed = [answer for answer, known in asked_for if known and answer.verdict.status in _MISSED]
    missed.sort(key=lambda answer: (_MISSED.index(answer.verdict.status), not _is_certain(report, answer)))
    found = [Limit(f"{sentence_case(answer.clause)}.", _action(answer)) for answer in missed]
    unknown = [answer.kind.label for answer, known in asked_for if not known]
    judged = {verdict.gate.score for verdict in report.verdicts}
    unknown += [
        label_of(score.name)
        for score in report.scores
        if score.name.startswith("inference.") and math.isnan(score.value) and score.name not in judged
    ]
    if unknown:
        told = tr("{scores}. Not assessable never counts as passed.", scores=listed(unknown))
        found.append(Limit(tr("Not assessable:"), told))
    changes = details_of(report.find(ASSOCIATIONS.name), AssociationDetails)
    lost = changes.lost[:1] if changes else []
    if lost and lost[0].change <= _LOST:
        names = listed([column_name(name, 24) for name in lost[0].columns])
        headline = tr("The association of {names} is too weak.", names=names)
        real, synthetic = number(lost[0].real, 2), number(lost[0].synthetic, 2)
        strengths = tr("Strength {real} in real rows, {synthetic} in synthetic rows.", real=real, synthetic=synthetic)
        found.append(Limit(headline, strengths))
    always: tuple[Limit, ...] = (
        Limit(
            tr("Valid for this file, this model and one release."),
            tr("Another release needs a new run; risks add up."),
        ),
    )
    if report.is_of_synthetic_rows:
        text = tr("Similarity to the real rows, because the guarantee covers no figure of real rows.")
        return (*found[: _MOST_LIMITS - 2], Limit(tr("Not shown here:"), text), *always)
    unmeasured = not_measured(report)
    if sentences := [*([f"{listed(unmeasured)}."] if unmeasured else []), *report.notes]:
        always = (Limit(tr("Not measured here:"), " ".join(sentences)), *always)
    if unjudged := _not_judged(report):
        text = tr("{scores}, because no limit applies to these tables.", scores=listed(unjudged))
        always = (Limit(tr("Not judged here:"), text), *always)
    if not any(verdict.gate.score.startswith("privacy.") for verdict in report.verdicts):
        text = tr("Privacy: no gate of this run judges an attack, so no privacy question is passed.")
        always = (Limit(tr("Not judged here:"), text), *always)
    return (*found[: _MOST_LIMITS - len(always)], *always)


def _is_certain(report: Findings, answer: Answer) -> bool:
    """Return whether the whole interval of the score that decides misses its limit."""
    gate, score = answer.verdict.gate, report[answer.verdict.gate.score]
    return score.high < gate.limit if gate.op.startswith(">") else score.low > gate.limit


def _not_judged(report: Findings) -> list[str]:
    """Return the measures of questions of page one that were computed and that no gate judges."""
    asked = {kind_of(verdict.gate.score).asked for verdict in report.verdicts}
    kinds = ((score, kind_of(score.name)) for score in report.scores)
    return [
        kind.label
        for score, kind in kinds
        if kind.asked is not None and kind.limit is not None and kind.asked not in asked and score.is_assessable
    ]


def not_measured(report: Findings) -> list[str]:
    """Return the properties that this report does not measure."""
    kinds = {score.name.partition(".")[0] for score in report.scores}
    words = {
        "subgroups": tr("fidelity in subgroups of patients"),
        "inference": tr("effect estimates and survival"),
    }
    shadows = [] if any(report.find(name) for name in names_of("shadow models")) else [tr("shadow-model attacks")]
    return [*shadows, *(text for kind, text in words.items() if kind not in kinds)]


def _action(answer: Answer) -> str:
    return answer.kind.action if answer.verdict.status == "FAIL" else typeset(answer.reason, 300)
