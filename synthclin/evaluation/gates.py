"""Gates: limits of scores, and the verdict on each: pass, review, fail or not assessable."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from synthclin.errors import UnknownScoreError
from synthclin.evaluation.catalogue import FAMILIES, KINDS, find_kind
from synthclin.evaluation.gate import Gate
from synthclin.evaluation.kind import Limit, Reason, RelativeLimit, WorstPart, convention
from synthclin.evaluation.leak_free import beyond_leak_free, leak_free
from synthclin.evaluation.privacy.details import AttackDetails
from synthclin.evaluation.privacy.model_membership import MODEL_MEMBERSHIP
from synthclin.evaluation.score import Score
from synthclin.evaluation.statuses import WORST_FIRST, Status, span_of, status_of
from synthclin.evaluation.validity import RAW_RULES, RULES
from synthclin.language import tr

if TYPE_CHECKING:
    from synthclin.evaluation.details import Details

__all__ = ["DEFAULT_GATES", "MODEL_GATE", "Verdict", "default_gates", "judge", "reached"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a gate.

    Arguments:
        gate: the gate, with the full name of its score.
        status: PASS, REVIEW, FAIL, NOT ASSESSABLE, or TOO WEAK for attacks that miss canaries.
        value: the score.
        bound: the end of its interval that was compared with the limit.
        reason: why, in a sentence or two.
        without_figures: the same without figures and names, which the shareable edition says.
        reached: what rows without leakage reach on the same data: the worst of null, baseline and reference for an
            attack, the real-data reference for another score; NaN where it is not known.
        excused: whether the status is less severe than by the limits alone, because such rows miss them too.
        holdout_needed: how many times as many holdout patients would decide the gate if the score stayed the same; None
            where it is decided, and where more would not decide it.
    """

    gate: Gate
    status: Status
    value: float
    bound: float
    reason: str
    without_figures: str
    reached: float = math.nan
    excused: bool = False
    holdout_needed: float | None = None

    def but(self, status: Status, reason: Reason) -> Verdict:
        """Return the verdict with a status that another reason decides, and that real rows do not excuse."""
        return replace(
            self,
            status=status,
            reason=reason.text,
            without_figures=reason.without_figures,
            holdout_needed=reason.holdout_needed,
            excused=False,
        )

    @property
    def missed(self) -> bool:
        """Whether the run did not pass: a FAIL, or a limit set by the user that is NOT ASSESSABLE."""
        return self.status == "FAIL" or (self.gate.review is None and self.status in {"NOT ASSESSABLE", "TOO WEAK"})


DEFAULT_GATES = tuple(
    Gate(name, *limit)
    for name, limit in (
        *((kind.name, kind.limit) for kind in KINDS),
        *((family.pattern, family.limit) for family in FAMILIES),
    )
    if isinstance(limit, Limit)
)
"""The default gates; a name that ends in ``.*`` is for every score of its group."""

MODEL_GATE = Gate(
    MODEL_MEMBERSHIP.name, "<=", 0.55, 0.60, convention("0.05 above chance (0.5) is a weak advantage"), null=0.5
)
"""The gate of a model file before it is shared; it is not about the table, so no report applies it."""


def default_gates(scores: Iterable[Score]) -> tuple[Gate, ...]:
    """Return the default gates of the given scores; an alarm only where its score is beyond the null.

    Limits that follow from the score, as those of lost dependence, are left out where it gives none.
    """
    gates = []
    for score in scores:
        kind = find_kind(score.name)
        limit = None if kind is None else kind.limit
        limit = limit.of(score) if isinstance(limit, RelativeLimit) else limit
        if limit is None:
            continue
        gate = Gate(score.name, *limit)
        if not gate.alarm or beyond_leak_free(score, gate.null or 0.0):
            gates.append(gate)
    return tuple(gates)


def judge(gates: Sequence[Gate], scores: Iterable[Score]) -> tuple[Verdict, ...]:
    """Return the verdict on each score: by the limits of its gate (`status_of`), and by its worst part.

    A default gate does not pass an analysis in which the sign of a significant effect is reversed. The worst term or
    column decides if it is worse than the mean, and so do the top-decile outliers of an attack. Rules that the
    unconstrained model breaks do not fail a table in which no row breaks one. Exact copies never pass.

    Raises:
        UnknownScoreError: a ConfigError; a gate names a score that was not computed.
    """
    by_name = {score.name: score for score in scores}
    for gate in gates:
        if gate.score not in by_name:
            raise UnknownScoreError.of(f"gate '{gate.text}'", gate.score, by_name)
    verdicts = (_by_limits(gate, by_name[gate.score]) for gate in gates)
    return tuple(_excused(_of_worst_part(verdict, by_name[verdict.gate.score]), by_name) for verdict in verdicts)


def _by_limits(gate: Gate, score: Score) -> Verdict:
    """Return the verdict by the limits, with what rows without leakage reach and whether that made it less severe."""
    status, bound, reason = status_of(gate, score)
    alone, _, _ = status_of(gate, replace(score, baseline=None, reference=None, reference_error=None))
    return Verdict(
        gate,
        status,
        score.value,
        bound,
        reason.text,
        reason.without_figures,
        reached=reached(gate, score),
        excused=WORST_FIRST.index(status) > WORST_FIRST.index(alone),
        holdout_needed=reason.holdout_needed,
    )


def reached(gate: Gate, score: Score) -> float:
    """Return what rows without leakage, or real rows, reach on the same data; NaN where it is not known."""
    if gate.null is not None:
        return leak_free(score, gate.null)[0]
    return math.nan if score.reference is None else score.reference


def _of_worst_part(verdict: Verdict, score: Score) -> Verdict:
    """Return the verdict of a default gate, decided by the worst column or term where that is worse than the mean."""
    kind = find_kind(score.name) if verdict.gate.review is not None else None
    details = None if kind is None else kind.read(score)
    parts = [] if kind is None or details is None else [kind.worst_part(details), _outliers(verdict.gate, details)]
    found = min((part for part in parts if part), key=lambda part: WORST_FIRST.index(part.status), default=None)
    if found is None or WORST_FIRST.index(found.status) >= WORST_FIRST.index(verdict.status):
        return verdict
    return verdict.but(found.status, found.reason)


def _outliers(gate: Gate, details: Details) -> WorstPart | None:
    """Return the verdict on the top-decile outliers of an attack; None where they are not clearly beyond the limit."""
    risk = details.top_decile_outliers if isinstance(details, AttackDetails) else None
    if risk is None or risk.low is None or risk.high is None or gate.review is None:
        return None
    if gate.alarm or risk.low <= gate.limit:
        return None
    if risk.members is not None and risk.non_members is not None and risk.members.low <= risk.non_members.value:
        return None
    span = span_of(gate, risk.low, risk.high)
    if risk.low > gate.review:
        reason = Reason(
            tr("The whole interval of the top-decile outliers, {span}, misses the limit.", span=span),
            tr("The whole interval of the top-decile outliers misses the limit."),
        )
        return WorstPart("FAIL", reason)
    reason = Reason(
        tr(
            "The whole interval of the top-decile outliers, {span}, misses the limit, by no more than asks for review.",
            span=span,
        ),
        tr("The whole interval of the top-decile outliers misses the limit, by no more than asks for review."),
    )
    return WorstPart("REVIEW", reason)


def _excused(verdict: Verdict, scores: Mapping[str, Score]) -> Verdict:
    """Return the verdict on rules that the unconstrained model breaks; no FAIL where no released row breaks one."""
    gate, released = verdict.gate, scores.get(RULES.name)
    if gate.score != RAW_RULES.name or gate.review is None or verdict.status != "FAIL" or released is None:
        return verdict
    raw, checked = RAW_RULES.read(scores[gate.score]), RULES.read(released)
    imposed = {row.rule for row in raw.rules} if raw else set()
    broken = {row.rule for row in checked.rules if row.synthetic} if checked else set()
    if imposed & broken or (not imposed and released.value < 1):
        return verdict
    text = tr("The model breaks a rule, but no released row does.")
    return replace(verdict, status="REVIEW", reason=text, without_figures=text, holdout_needed=None)
