"""The facts under the questions of page one: strongest attack, proven privacy loss, weakest part, smallest leak."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.fidelity.marginals import MARGINALS, MarginalDetails
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.privacy.canaries import SMALLEST_LEAK
from synthclin.evaluation.privacy.details import EpsilonDetails
from synthclin.evaluation.privacy.epsilon import EPSILON_LOWER_BOUND, TABLE_EPSILON_LOWER_BOUND
from synthclin.evaluation.privacy.membership import MEMBERSHIP
from synthclin.evaluation.score import details_of
from synthclin.report.pages.subgroup_section import subgroup_results
from synthclin.wording import NOT_ASSESSABLE, interval, number, plain, shorten, typeset

if TYPE_CHECKING:
    from synthclin.report.findings import Findings

__all__ = ["KeyFact", "key_facts"]


@dataclass(frozen=True, slots=True)
class KeyFact:
    """One of the facts under the table."""

    name: str
    value: str
    note: str


def key_facts(report: Findings) -> tuple[KeyFact, ...]:
    """Return the strongest attack, the proven privacy loss, the weakest subgroup or column, and the smallest leak."""
    return (
        _strongest_attack(report),
        _epsilon(report),
        _weakest_group(report) or _weakest_column(report),
        _smallest_leak(report),
    )


def _strongest_attack(report: Findings) -> KeyFact:
    score = report.find(MEMBERSHIP.name)
    if score is None or math.isnan(score.value):
        why = "no attack was run" if score is None else typeset(score.note, 110)
        return KeyFact("Strongest attack on membership", NOT_ASSESSABLE, why)
    details = MEMBERSHIP.read(score)
    attack = plain(details.strongest_attack if details else "membership", 40)
    note = f"{interval(score.low, score.high)}; {attack}, for an attacker with half of the holdout"
    return KeyFact("Strongest attack on membership", f"AUC {number(score.value)}", note)


def _epsilon(report: Findings) -> KeyFact:
    """Return the larger of the lower bounds of epsilon that attacks on the table and on the model file prove."""
    scores = [report.find(kind.name) for kind in (EPSILON_LOWER_BOUND, TABLE_EPSILON_LOWER_BOUND)]
    known = [score for score in scores if score is not None and not math.isnan(score.value)]
    if not known:
        return KeyFact("Privacy loss proven by attacks", NOT_ASSESSABLE, "it takes a holdout")
    most = max(known, key=lambda score: score.value)
    details = details_of(most, EpsilonDetails)
    reach = "" if details is None else f", which could prove at most {number(details.most_certifiable, 1)}"
    where = kind_of(most.name).label.rpartition(" on ")[2]
    value = f"epsilon \u2265 {number(most.value, 2)}" if most.value > 0 else "none"
    limit = "more may be lost" if most.value > 0 else "none proven is no guarantee"
    return KeyFact("Privacy loss proven by attacks", value, f"attacks on {where}{reach}; {limit}")


def _weakest_column(report: Findings) -> KeyFact:
    details = details_of(report.find(MARGINALS.name), MarginalDetails)
    if details is None or not details.columns:
        return KeyFact("Weakest column", NOT_ASSESSABLE, "columns were not compared")
    low = details.columns[0]
    reference = "" if low.reference is None else f"; holdout rows reach {number(low.reference)}"
    return KeyFact(
        "Weakest column",
        f"{column_name(low.column, 26)}, {number(low.value)}",
        f"agreement with the real column{reference}",
    )


def _weakest_group(report: Findings) -> KeyFact | None:
    """Return the subgroup furthest below its real-data reference; None without subgroups."""
    groups = subgroup_results(report, MARGINALS.name)
    if not groups:
        return None
    worst = groups[0].group
    note = f"agreement of columns in the subgroup; its holdout rows reach {number(worst.reference)}"
    return KeyFact("Weakest subgroup of patients", f"{shorten(groups[0].name, 26)}, {number(worst.value)}", note)


def _smallest_leak(report: Findings) -> KeyFact:
    name, score = "Smallest leak this suite detects", report.find(SMALLEST_LEAK.name)
    if score is None:
        return KeyFact(name, "not measured", "no canaries were inserted to test the attacks")
    if math.isnan(score.value):
        return KeyFact(name, NOT_ASSESSABLE, _phrase(typeset(score.note, 200)))
    note = "canaries among synthetic rows, exact and jittered"
    note += f"; {_phrase(typeset(score.note, 200))}" if score.note else ""
    return KeyFact(name, kind_of(score.name).write(score.value), note)


def _phrase(sentence: str) -> str:
    """Return a sentence as a clause: lower case at its start, without its full stop."""
    return sentence[:1].lower() + sentence[1:].removesuffix(".")
