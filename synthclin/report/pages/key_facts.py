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
from synthclin.language import tr
from synthclin.report.pages.subgroup_section import subgroup_results
from synthclin.report.pages.words import attack_name
from synthclin.report.record.guarantee_data import most_accurate, most_found
from synthclin.wording import interval, not_assessable, number, plain, share, shorten, typeset

if TYPE_CHECKING:
    from synthclin.report.findings import Findings
    from synthclin.report.record.guarantee_data import GuaranteeFacts

__all__ = ["KeyFact", "key_facts"]


@dataclass(frozen=True, slots=True)
class KeyFact:
    """One of the facts under the table; `key` is the same in every language."""

    key: str
    name: str
    value: str
    note: str


def key_facts(report: Findings) -> tuple[KeyFact, ...]:
    """Return the strongest attack, the proven privacy loss, the weakest subgroup or column, and the smallest leak.

    Of a report on synthetic rows alone, what its guarantee means.
    """
    if report.is_of_synthetic_rows and report.guarantee is not None:
        return _of_guarantee(report.guarantee)
    return (
        _strongest_attack(report),
        _epsilon(report),
        _weakest_group(report) or _weakest_column(report),
        _smallest_leak(report),
    )


def _of_guarantee(guarantee: GuaranteeFacts) -> tuple[KeyFact, ...]:
    """Return what the guarantee allows an attacker, and how much of the tables is noise."""
    accuracy = share(most_accurate(guarantee.epsilon, guarantee.delta), 0)
    found = share(most_found(guarantee.epsilon, guarantee.delta, 0.01), 1)
    pairs = share(min(guarantee.noise_share_pairs, 1.0), 0)
    return (
        KeyFact("guesses", tr("Right guesses on membership"), tr("at most {n}", n=accuracy), tr("chance is 50 %")),
        KeyFact(
            "found",
            tr("Members identified"),
            tr("at most {n}", n=found),
            tr("at a false positive rate of 1 %"),
        ),
        KeyFact(
            "noise",
            tr("Noise in a pair of columns"),
            tr("about {n}", n=pairs),
            tr("expected total variation of a two-way table"),
        ),
    )


def _strongest_attack(report: Findings) -> KeyFact:
    key, name, score = "attack", tr("Strongest attack on membership"), report.find(MEMBERSHIP.name)
    if score is None or math.isnan(score.value):
        why = tr("no attack was run") if score is None else typeset(score.note, 150)
        return KeyFact(key, name, not_assessable(), why)
    details = MEMBERSHIP.read(score)
    note = tr(
        "{interval}; {attack}, for an attacker with half of the holdout",
        interval=interval(score.low, score.high),
        attack=plain(attack_name(details.strongest_attack) if details else tr("membership"), 40),
    )
    return KeyFact(key, name, f"AUC {number(score.value)}", note)


def _epsilon(report: Findings) -> KeyFact:
    """Return the larger of the lower bounds of epsilon that attacks on the table and on the model file prove."""
    key, name = "epsilon", tr("Privacy loss proven by attacks")
    scores = [report.find(kind.name) for kind in (EPSILON_LOWER_BOUND, TABLE_EPSILON_LOWER_BOUND)]
    known = [score for score in scores if score is not None and not math.isnan(score.value)]
    if not known:
        return KeyFact(key, name, not_assessable(), tr("it takes a holdout"))
    most = max(known, key=lambda score: score.value)
    details = details_of(most, EpsilonDetails)
    note = (
        tr("attacks on the table") if most.name == TABLE_EPSILON_LOWER_BOUND.name else tr("attacks on the model file")
    )
    if details is not None:
        could = number(details.most_certifiable, 1)
        note = tr("{attacks}, which could prove at most {epsilon}", attacks=note, epsilon=could)
    if most.value > 0:
        value = tr("epsilon \u2265 {epsilon}", epsilon=number(most.value, 2))
        return KeyFact(key, name, value, tr("{attacks}; more may be lost", attacks=note))
    return KeyFact(key, name, tr("none"), tr("{attacks}; none proven is no guarantee", attacks=note))


def _weakest_column(report: Findings) -> KeyFact:
    key, name, details = "column", tr("Weakest column"), details_of(report.find(MARGINALS.name), MarginalDetails)
    if details is None or not details.columns:
        return KeyFact(key, name, not_assessable(), tr("columns were not compared"))
    low = details.columns[0]
    value = f"{column_name(low.column, 26)}, {number(low.value)}"
    if low.reference is None:
        return KeyFact(key, name, value, tr("agreement with the real column"))
    reference = number(low.reference)
    note = tr("agreement with the real column; holdout rows reach {reference}", reference=reference)
    return KeyFact(key, name, value, note)


def _weakest_group(report: Findings) -> KeyFact | None:
    """Return the subgroup furthest below its real-data reference; None without subgroups."""
    groups = subgroup_results(report, MARGINALS.name)
    if not groups:
        return None
    worst = groups[0].group
    return KeyFact(
        "subgroup",
        tr("Weakest subgroup of patients") if len(groups) > 1 else tr("The one subgroup assessed"),
        f"{shorten(groups[0].name, 26)}, {number(worst.value)}",
        tr(
            "agreement of columns in the subgroup; its holdout rows reach {reference}",
            reference=number(worst.reference),
        ),
    )


def _smallest_leak(report: Findings) -> KeyFact:
    key, name, score = "leak", tr("Smallest leak this suite detects"), report.find(SMALLEST_LEAK.name)
    if score is None:
        return KeyFact(key, name, tr("not measured"), tr("no canaries were inserted to test the attacks"))
    if math.isnan(score.value):
        return KeyFact(key, name, not_assessable(), _phrase(typeset(score.note, 280)))
    note = tr("canaries among synthetic rows, exact and jittered")
    note += f"; {_phrase(typeset(score.note, 280))}" if score.note else ""
    return KeyFact(key, name, kind_of(score.name).write(score.value), note)


def _phrase(sentence: str) -> str:
    """Return a sentence as a clause: lower case at its start, without its full stop."""
    return sentence[:1].lower() + sentence[1:].removesuffix(".")
