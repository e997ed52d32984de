"""The status that the limits of a gate give a score, and the reason: pass, review, fail, not assessable or too weak."""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Literal

from synthclin.evaluation.catalogue import find_kind
from synthclin.evaluation.kind import Reason
from synthclin.evaluation.leak_free import beyond_leak_free, difference, leak_free
from synthclin.evaluation.privacy.details import LeakDetails
from synthclin.evaluation.score import Z
from synthclin.language import tr
from synthclin.wording import interval, number

if TYPE_CHECKING:
    from synthclin.evaluation.gate import Gate
    from synthclin.evaluation.score import Score

__all__ = ["WORST_FIRST", "Status", "span_of", "status_of", "uncomputed"]

Status = Literal["PASS", "REVIEW", "FAIL", "NOT ASSESSABLE", "TOO WEAK"]

WORST_FIRST: tuple[Status, ...] = ("FAIL", "REVIEW", "NOT ASSESSABLE", "TOO WEAK", "PASS")
"""The statuses of gates, the most severe first: the one order of terminal, pages and files."""

_HOLDS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_MOST_TIMES = 20.0


def status_of(gate: Gate, score: Score) -> tuple[Status, float, Reason]:
    """Return the status that the limits of a gate give a score, the end of its interval that is judged, and the reason.

    A strict gate is passed or failed by that end alone. A default gate gives FAIL only where the whole interval misses
    the limit and its worse end the limit for review, REVIEW where the interval includes the limit, and NOT ASSESSABLE
    where it reaches from pass to fail. What rows without leakage or real rows reach can make a FAIL less severe.
    """
    worse, better = (score.low, score.high) if gate.op in {">=", ">"} else (score.high, score.low)
    if math.isnan(score.value) or math.isnan(worse):
        status: Status = "TOO WEAK" if _misses_canaries(score) else "NOT ASSESSABLE"
        known = score.note or tr("The score has no interval.")
        without = tr("The attacks miss canaries.") if status == "TOO WEAK" else uncomputed()
        return status, worse, Reason(known, without)
    met = _HOLDS[gate.op](worse, gate.limit)
    if score.low == score.high and (met or gate.review is None):
        status, reason = _without_interval("PASS" if met else "FAIL")
        return status, worse, reason
    if met:
        reason = Reason(
            tr("The worse end of its interval, {end}, meets the limit.", end=_write(gate, worse)),
            tr("The worse end of its interval meets the limit."),
        )
        return "PASS", worse, reason
    if gate.review is None:
        reason = Reason(
            tr("The worse end of its interval, {end}, misses the limit.", end=_write(gate, worse)),
            tr("The worse end of its interval misses the limit."),
        )
        return "FAIL", worse, reason
    weigh = _none_allowed if gate.limit == gate.null else _beyond
    status, reason = weigh(gate, gate.review, score, (worse, better))
    return status, worse, reason


def uncomputed() -> str:
    """Return what the shareable edition says of a score without a value."""
    return tr("It cannot be computed on these rows.")


def _as_good_as_real(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> bool:
    """Return whether holdout rows miss the limit too, and the score is no worse than they, with the same margin."""
    worse, better = ends
    reference, holds = score.reference, _HOLDS[gate.op]
    if reference is None or holds(reference, gate.limit):
        return False
    as_good: bool = holds(better, reference) or holds(worse, reference + review - gate.limit)
    return as_good


def _against_leak_free(gate: Gate, review: float, score: Score) -> tuple[Status, Reason] | None:
    """Return status and reason of an attack that misses its limit, where rows without leakage may miss it too.

    The difference from them decides: an interval that contains 0 is no evidence of a leak, and it excludes one only
    where its upper end is within the limit for review. None where the difference is above chance, and where rows
    without leakage meet the limit.
    """
    if gate.null is None or score.reference is None:
        return None
    value, error = leak_free(score, gate.null)
    low, high = difference(score, gate.null)
    # Chance of an AUC or a TPR is known; a rate of non-members is only estimated.
    reached = value if gate.null else value + Z * error
    if low > 0 or reached <= gate.limit:
        return None
    if value > gate.limit and high <= review - gate.null:
        return "REVIEW", _not_above(gate, value)
    return "NOT ASSESSABLE", Reason(
        tr(
            "Not significantly above its value without leakage, {value} ({span}), which is too imprecise to exclude a "
            "leak.",
            value=_write(gate, score.reference),
            span=span_of(gate, score.reference - Z * error, score.reference + Z * error),
        ),
        tr("Not significantly above its value without leakage, which is too imprecise to exclude a leak."),
    )


def _misses_canaries(score: Score) -> bool:
    """Return whether a score has no value because the attacks, silent on the table itself, miss the canaries."""
    return isinstance(score.details, LeakDetails) and not score.details.false_alarms_on_table


def _none_allowed(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> tuple[Status, Reason]:
    """Return status and reason of a gate whose limit is the null; holdout rows can avert a FAIL and not a REVIEW."""
    assert gate.null is not None
    null, _ = leak_free(score, gate.null)
    if ends[1] <= gate.null or (gate.alarm and not beyond_leak_free(score, gate.null)):
        return "PASS", _not_above(gate, null)
    if difference(score, gate.null).low > review:
        return "FAIL", Reason(
            tr(
                "Significantly more than {margin} above its value without leakage, {value}.",
                margin=f"{review:g}",
                value=_write(gate, null),
            ),
            tr("Significantly above its value without leakage, by more than asks for review."),
        )
    facts = {"span": span_of(gate, score.low, score.high), "value": _write(gate, null)}
    if ends[0] <= review:
        return "REVIEW", Reason(
            tr("The whole interval, {span}, misses the limit; its value without leakage is {value}.", **facts),
            tr("The whole interval misses the limit, by no more than asks for review."),
        )
    return "REVIEW", Reason(
        tr(
            "The whole interval, {span}, misses the limit; the difference from its value without leakage, {value}, is "
            "not clearly more than {margin}.",
            margin=_write(gate, review),
            **facts,
        ),
        tr("The whole interval misses the limit; the difference from its value without leakage may be small."),
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
    span = span_of(gate, score.low, score.high)
    if not holds(better, limit) and (found := _against_leak_free(gate, review, score)):
        return found
    if gate.null is None and _as_good_as_real(gate, review, score, ends):
        return "REVIEW", Reason(
            tr("The real-data reference, {value}, misses the limit too.", value=_write(gate, score.reference)),
            tr("The real-data reference misses the limit too."),
        )
    if holds(better, limit):
        return _around(gate, review, score, ends)
    if score.low == score.high:
        return _without_interval("REVIEW" if holds(worse, review) else "FAIL")
    if holds(worse, review):
        return "REVIEW", Reason(
            tr("The whole interval, {span}, misses the limit, by no more than asks for review.", span=span),
            tr("The whole interval misses the limit, by no more than asks for review."),
        )
    return "FAIL", Reason(
        tr("The whole interval, {span}, misses the limit.", span=span), tr("The whole interval misses the limit.")
    )


def _without_interval(status: Status) -> tuple[Status, Reason]:
    """Return status and reason of a score without an interval, such as a census."""
    texts: dict[Status, str] = {
        "PASS": tr("The value meets the limit."),
        "REVIEW": tr("The value narrowly misses the limit."),
        "FAIL": tr("The value misses the limit."),
    }
    return status, Reason(texts[status], texts[status])


def _around(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> tuple[Status, Reason]:
    """Return status and reason of a default gate whose limit is within the interval."""
    worse, better = ends
    holds = _HOLDS[gate.op]
    span = span_of(gate, score.low, score.high)
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


def span_of(gate: Gate, low: float, high: float) -> str:
    """Return an interval of the score of a gate, each end as `_write` does."""
    kind = find_kind(gate.score)
    return interval(low, high) if kind is None else kind.span(low, high)


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
