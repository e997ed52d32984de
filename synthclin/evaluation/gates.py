"""Limits that scores are held against, and the verdict on each: pass, review, fail or not assessable."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from synthclin.errors import ConfigError
from synthclin.evaluation.score import Score

__all__ = ["DEFAULT_GATES", "Gate", "Verdict", "default_gates", "judge", "parse_gate"]

Status = Literal["PASS", "REVIEW", "FAIL", "NOT ASSESSABLE"]

_HOLDS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_GATE = re.compile(r"(?P<score>\S.*?[^\s<>=!])\s*(?P<op>>=|<=|>|<)\s*(?P<limit>[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)")
_BY_USER = "set by user"


@dataclass(frozen=True, slots=True)
class Gate:
    """One score held against one limit.

    Arguments:
        score: the name of the score; one that ends in ``.*`` stands for every score of its group.
        op: one of ``>= <= > <``.
        limit: what the score must meet for PASS.
        review: what it must meet for REVIEW; None for a strict gate, which knows only PASS and FAIL.
        source: where the limit comes from.
    """

    score: str
    op: str
    limit: float
    review: float | None = None
    source: str = _BY_USER

    @property
    def text(self) -> str:
        """The gate as it is written."""
        return f"{self.score} {self.op} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a gate.

    Arguments:
        gate: the gate, with the full name of its score.
        status: PASS, REVIEW, FAIL or NOT ASSESSABLE.
        value: the score.
        bound: the end of its interval that was held against the limit.
        reason: why, as a sentence.
    """

    gate: Gate
    status: Status
    value: float
    bound: float
    reason: str

    @property
    def missed(self) -> bool:
        """Whether a run must not count as passed: a FAIL, or a limit set by the user that could not be judged."""
        return self.status == "FAIL" or (self.status == "NOT ASSESSABLE" and self.gate.review is None)


_CONVENTION = "project convention"
DEFAULT_GATES = (
    Gate("validity.rules", ">=", 0.99, 0.95, f"{_CONVENTION}: at most 1 % of rows break a rule"),
    Gate("fidelity.marginals", ">=", 0.90, 0.80, _CONVENTION),
    Gate("fidelity.detection", "<=", 0.75, 0.90, _CONVENTION),
    Gate("utility.*", ">=", -0.03, -0.07, f"{_CONVENTION}: a loss of 0.03 in AUC"),
    Gate("inference.*", ">=", 0.6, 0.4, f"{_CONVENTION}: two samples of one law overlap by 0.7 on average"),
    Gate("privacy.copies", "<=", 0.01, 0.02, _CONVENTION),
    Gate("privacy.membership", "<=", 0.55, 0.60, f"{_CONVENTION}: 0.5 is a coin toss"),
)


def parse_gate(text: str) -> Gate:
    """Read a gate as a config writes it.

    Raises:
        ConfigError: the text is no score, comparison and number.

    Example:
        >>> parse_gate("fidelity.marginals >= 0.90")
        Gate(score='fidelity.marginals', op='>=', limit=0.9, review=None, source='set by user')
    """
    found = _GATE.fullmatch(text.strip()) if isinstance(text, str) else None
    limit = float(found["limit"]) if found else math.nan
    if found is None or not math.isfinite(limit) or "." not in found["score"].strip("."):
        what = "it is no score, comparison and number" if isinstance(text, str) else "it is no text"
        raise ConfigError(f"gate {text!r}"[:200], what, "Write one such as 'fidelity.marginals >= 0.90'.")
    return Gate(found["score"], found["op"], limit)


def default_gates(scores: Iterable[Score]) -> tuple[Gate, ...]:
    """Return the default gates for the scores that there are."""
    names = [score.name for score in scores]
    return tuple(
        Gate(name, gate.op, gate.limit, gate.review, gate.source)
        for gate in DEFAULT_GATES
        for name in names
        if name == gate.score or (gate.score.endswith(".*") and name.startswith(gate.score[:-1]))
    )


def judge(gates: Sequence[Gate], scores: Iterable[Score]) -> tuple[Verdict, ...]:
    """Hold each gate's score against its limit, at the unfavourable end of its interval.

    A strict gate is passed or failed by that end alone. A default gate is failed only by a
    table that is surely worse than its limit. It asks for review where the interval holds the
    limit, or where real rows that the model never saw miss the limit too; where the interval
    reaches from pass to fail, it decides nothing.

    Raises:
        ConfigError: a gate names a score that was not computed.
    """
    by_name = {score.name: score for score in scores}
    for gate in gates:
        if gate.score not in by_name:
            near = difflib.get_close_matches(gate.score, by_name, n=1)
            remedy = f"Did you mean '{near[0]}'?" if near else f"Scores of this run: {', '.join(sorted(by_name))}."
            raise ConfigError(f"gate '{gate.text}'", f"no score is called '{gate.score}'", remedy)
    return tuple(_judge(gate, by_name[gate.score]) for gate in gates)


def _judge(gate: Gate, score: Score) -> Verdict:
    worse, better = (score.low, score.high) if gate.op in {">=", ">"} else (score.high, score.low)
    if math.isnan(score.value) or math.isnan(worse):
        return Verdict(gate, "NOT ASSESSABLE", score.value, worse, score.note or "The score has no interval.")
    if _HOLDS[gate.op](worse, gate.limit):
        reason = f"The worse end of its interval, {worse:.3f}, meets the limit."
        return Verdict(gate, "PASS", score.value, worse, reason)
    if gate.review is None:
        reason = f"The worse end of its interval, {worse:.3f}, misses the limit."
        return Verdict(gate, "FAIL", score.value, worse, reason)
    status, reason = _beyond(score, _HOLDS[gate.op], gate.limit, gate.review, (worse, better))
    return Verdict(gate, status, score.value, worse, reason)


def _beyond(
    score: Score, holds: Callable[[float, float], bool], limit: float, review: float, ends: tuple[float, float]
) -> tuple[Status, str]:
    """Return status and reason of a default gate whose limit the worse of both `ends` of the interval misses."""
    worse, better = ends
    span = f"{score.low:.3f} to {score.high:.3f}"
    fresh = score.ceiling
    status: Status = "FAIL"
    reason = f"The whole interval, {span}, misses the limit."
    # The limit may ask more than real rows give; then the table is held against them, with the same room for review.
    if fresh is not None and not holds(fresh, limit) and (holds(better, fresh) or holds(worse, fresh + review - limit)):
        status, reason = "REVIEW", f"Real rows that the model never saw reach {fresh:.3f}, so they miss the limit too."
    elif holds(better, limit) and not holds(worse, review):
        status, reason = "NOT ASSESSABLE", f"The interval, {span}, reaches from pass to fail: there are too few rows."
    elif holds(better, limit):
        status, reason = "REVIEW", f"The interval, {span}, holds the limit."
    elif holds(worse, review):
        status, reason = "REVIEW", f"The whole interval, {span}, misses the limit, by no more than asks for review."
    return status, reason
