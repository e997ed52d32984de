"""Gates: limits of scores, and the verdict on each: pass, review, fail or not assessable."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from synthclin.errors import UnknownScoreError
from synthclin.evaluation.catalogue import FAMILIES, KINDS, find_kind
from synthclin.evaluation.gate import Gate
from synthclin.evaluation.kind import Limit, Reason, RelativeLimit, WorstPart, convention
from synthclin.evaluation.leak_free import above_leak_free, beyond_leak_free, leak_free
from synthclin.evaluation.privacy.details import AttackDetails, LeakDetails
from synthclin.evaluation.privacy.model_membership import MODEL_MEMBERSHIP
from synthclin.evaluation.score import Score, Z
from synthclin.evaluation.validity import RAW_RULES, RULES
from synthclin.language import tr
from synthclin.wording import number

if TYPE_CHECKING:
    from synthclin.evaluation.details import Details

__all__ = ["DEFAULT_GATES", "MODEL_GATE", "WORST_FIRST", "Verdict", "default_gates", "judge", "reached", "uncomputed"]

Status = Literal["PASS", "REVIEW", "FAIL", "NOT ASSESSABLE", "TOO WEAK"]

_HOLDS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_MOST_TIMES = 20.0

WORST_FIRST: tuple[Status, ...] = ("FAIL", "REVIEW", "NOT ASSESSABLE", "TOO WEAK", "PASS")
"""The statuses of gates, the most severe first: the one order of terminal, pages and files."""


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

    @classmethod
    def of(cls, gate: Gate, status: Status, score: Score, bound: float, reason: Reason) -> Verdict:
        """Return the verdict on a score, before what rows without leakage reach is known."""
        needed = reason.holdout_needed
        return cls(gate, status, score.value, bound, reason.text, reason.without_figures, holdout_needed=needed)

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
    """Compare the unfavourable end of each score's interval with the limit of its gate.

    A strict gate is passed or failed by that end alone. A default gate fails only a table that is significantly worse
    than its limit, and does not pass an analysis in which the sign of a significant effect is reversed. The worst term
    or column decides if it is worse than the mean, and so do the top-decile outliers of an attack. Rules that the
    unconstrained model breaks do not fail a table in which no row breaks one. The result is REVIEW where the interval
    includes the limit, or where holdout rows miss the limit too, NOT ASSESSABLE where the interval reaches from pass to
    fail, and TOO WEAK where the attacks miss every canary. Holdout rows excuse an attack only where its difference from
    them is not significant. Exact copies never pass.

    Raises:
        UnknownScoreError: a ConfigError; a gate names a score that was not computed.
    """
    by_name = {score.name: score for score in scores}
    for gate in gates:
        if gate.score not in by_name:
            raise UnknownScoreError.of(f"gate '{gate.text}'", gate.score, by_name)
    verdicts = (_traced(_judge(gate, by_name[gate.score]), by_name[gate.score]) for gate in gates)
    return tuple(_excused(_of_worst_part(verdict, by_name[verdict.gate.score]), by_name) for verdict in verdicts)


def _traced(verdict: Verdict, score: Score) -> Verdict:
    """Return the verdict with what rows without leakage reach, and whether that made its status less severe."""
    by_limits = _judge(verdict.gate, replace(score, baseline=None, reference=None, reference_error=None))
    excused = WORST_FIRST.index(verdict.status) > WORST_FIRST.index(by_limits.status)
    return replace(verdict, reached=reached(verdict.gate, score), excused=excused)


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
    if risk is None or risk.low is None or gate.review is None or gate.alarm or risk.low <= gate.limit:
        return None
    if risk.members is not None and risk.non_members is not None and risk.members.low <= risk.non_members.value:
        return None
    span = tr("{low} to {high}", low=_write(gate, risk.low), high=_write(gate, risk.high))
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


def _judge(gate: Gate, score: Score) -> Verdict:
    worse, better = (score.low, score.high) if gate.op in {">=", ">"} else (score.high, score.low)
    if math.isnan(score.value) or math.isnan(worse):
        status: Status = "TOO WEAK" if _misses_canaries(score) else "NOT ASSESSABLE"
        known = score.note or tr("The score has no interval.")
        without = tr("The attacks miss canaries.") if status == "TOO WEAK" else uncomputed()
        return Verdict.of(gate, status, score, worse, Reason(known, without))
    if _HOLDS[gate.op](worse, gate.limit):
        reason = Reason(
            tr("The worse end of its interval, {end}, meets the limit.", end=_write(gate, worse)),
            tr("The worse end of its interval meets the limit."),
        )
        return Verdict.of(gate, "PASS", score, worse, reason)
    if gate.review is None:
        reason = Reason(
            tr("The worse end of its interval, {end}, misses the limit.", end=_write(gate, worse)),
            tr("The worse end of its interval misses the limit."),
        )
        return Verdict.of(gate, "FAIL", score, worse, reason)
    weigh = _none_allowed if gate.limit == gate.null else _beyond
    status, reason = weigh(gate, gate.review, score, (worse, better))
    return Verdict.of(gate, status, score, worse, reason)


def uncomputed() -> str:
    """Return what the shareable edition says of a score without a value."""
    return tr("It cannot be computed on these rows.")


def _excused_by_real(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> bool:
    """Return whether real rows miss the limit too, and the score is no worse than they.

    Of an attack, the reference must miss it (the upper end of its interval, where the null is a rate of non-members),
    and the difference not be significant. For another score they replace the limit, with the same margin for review.
    """
    worse, better = ends
    reference, limit, holds = score.reference, gate.limit, _HOLDS[gate.op]
    if reference is None:
        return False
    if gate.null is not None:
        least, error = leak_free(score, gate.null)
        # Chance of an AUC or a TPR is known; a rate of non-members is only estimated.
        reached = least if gate.null else least + Z * error
        return not holds(better, limit) and not holds(reached, limit) and above_leak_free(score, gate.null) <= 0
    if holds(reference, limit):
        return False
    as_good: bool = holds(better, reference) or holds(worse, reference + review - limit)
    return as_good


def _misses_canaries(score: Score) -> bool:
    """Return whether a score has no value because the attacks, silent on the table itself, miss the canaries."""
    return isinstance(score.details, LeakDetails) and not score.details.false_alarms_on_table


def _none_allowed(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> tuple[Status, Reason]:
    """Return status and reason of a gate whose limit is the null; holdout rows can avert a FAIL and not a REVIEW."""
    assert gate.null is not None
    null, _ = leak_free(score, gate.null)
    if ends[1] <= gate.null or (gate.alarm and not beyond_leak_free(score, gate.null)):
        return "PASS", _not_above(gate, null)
    if above_leak_free(score, gate.null) > review:
        return "FAIL", Reason(
            tr(
                "Significantly more than {margin} above its value without leakage, {value}.",
                margin=f"{review:g}",
                value=_write(gate, null),
            ),
            tr("Significantly above its value without leakage, by more than asks for review."),
        )
    return "REVIEW", Reason(
        tr(
            "Above {limit}; its value without leakage is {value}.",
            limit=_write(gate, gate.null),
            value=_write(gate, null),
        ),
        tr("The whole interval misses the limit, by no more than asks for review."),
    )


def _not_above(gate: Gate, reached: float | None) -> Reason:
    """Return the reason of a verdict on an attack that gains nothing on members."""
    return Reason(
        tr("Not significantly above its value without leakage, {value}.", value=_write(gate, reached)),
        tr("Not significantly above its value without leakage."),
    )


def _beyond(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> tuple[Status, Reason]:
    """Return status and reason of a default gate where the worse of both `ends` of the interval misses the limit."""
    worse, better = ends
    limit, holds = gate.limit, _HOLDS[gate.op]
    span = tr("{low} to {high}", low=_write(gate, score.low), high=_write(gate, score.high))
    if _excused_by_real(gate, review, score, ends):
        if gate.null is not None:
            return "REVIEW", _not_above(gate, score.reference)
        return "REVIEW", Reason(
            tr("The real-data reference, {value}, misses the limit too.", value=_write(gate, score.reference)),
            tr("The real-data reference misses the limit too."),
        )
    if holds(better, limit):
        return _around(gate, review, score, ends)
    if holds(worse, review):
        return "REVIEW", Reason(
            tr("The whole interval, {span}, misses the limit, by no more than asks for review.", span=span),
            tr("The whole interval misses the limit, by no more than asks for review."),
        )
    return "FAIL", Reason(
        tr("The whole interval, {span}, misses the limit.", span=span), tr("The whole interval misses the limit.")
    )


def _around(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> tuple[Status, Reason]:
    """Return status and reason of a default gate whose limit is within the interval."""
    worse, better = ends
    holds = _HOLDS[gate.op]
    span = tr("{low} to {high}", low=_write(gate, score.low), high=_write(gate, score.high))
    if not holds(worse, review) and gate.null is not None and not holds(better, gate.null):
        return "REVIEW", Reason(
            tr(
                "The interval, {span}, includes the limit, but is entirely beyond {null}.",
                span=span,
                null=_write(gate, gate.null),
            ),
            tr("The interval includes the limit, but is entirely beyond chance."),
        )
    if not holds(worse, review):
        return "NOT ASSESSABLE", _with_need(
            tr("The interval, {span}, reaches from pass to fail: there are too few rows.", span=span),
            tr("The interval reaches from pass to fail: there are too few rows."),
            _holdout_needed(gate, score, worse),
        )
    return "REVIEW", _with_need(
        tr("The interval, {span}, includes the limit.", span=span),
        tr("The interval includes the limit."),
        _holdout_needed(gate, score, worse),
    )


def _write(gate: Gate, value: float | None) -> str:
    """Return a value of the score of a gate in its natural scale, as the report shows it."""
    kind = find_kind(gate.score)
    return number(value) if kind is None or value is None else kind.write(value)


def _holdout_needed(gate: Gate, score: Score, worse: float) -> float | None:
    """Return how many times as many holdout patients would decide the gate of an attack; None where none would.

    The width of the interval is inversely proportional to the square root of the number of patients.
    """
    room, reach = gate.limit - score.value, worse - score.value
    if gate.null is None or room <= 0 or (times := (reach / room) ** 2) > _MOST_TIMES:
        return None
    return math.ceil(10 * times) / 10  # never "1.0 times", which would already decide it


def _with_need(text: str, without_figures: str, needed: float | None) -> Reason:
    """Return a reason that ends in how large a holdout would decide the gate, where that is known."""
    if needed is None:
        return Reason(text, without_figures)
    more = tr(
        "About {times} times as many holdout patients would decide it if the score stayed the same.",
        times=f"{needed:.1f}",
    )
    return Reason(f"{text} {more}", without_figures, needed)
