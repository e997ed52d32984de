"""Limits that scores are held against, and the verdict on each: pass, review, fail or not assessable."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from synthclin.errors import ConfigError
from synthclin.evaluation.score import Score

__all__ = ["DEFAULT_GATES", "MODEL_GATE", "Gate", "Verdict", "default_gates", "judge", "parse_gate"]

Status = Literal["PASS", "REVIEW", "FAIL", "NOT ASSESSABLE"]

_HOLDS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_GATE = re.compile(r"(?P<score>\S.*?[^\s<>=!])\s*(?P<op>>=|<=|>|<)\s*(?P<limit>[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)")
_BY_USER = "set by user"
_MOST_TIMES = 20.0


@dataclass(frozen=True, slots=True)
class Gate:
    """One score held against one limit.

    Arguments:
        score: the name of the score; one that ends in ``.*`` stands for every score of its group.
        op: one of ``>= <= > <``.
        limit: what the score must meet for PASS.
        review: what it must meet for REVIEW; None for a strict gate, which knows only PASS and FAIL.
        source: where the limit comes from.
        null: what a table that leaks nothing reaches, for an attack; a score that beats it for sure is never too
            unsure to tell. Where the limit is the null itself, an interval that holds it passes.
        alarm: whether the gate is only there when its score beats the null: it can trouble a table and never clear it.
    """

    score: str
    op: str
    limit: float
    review: float | None = None
    source: str = _BY_USER
    null: float | None = None
    alarm: bool = False

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
_NO_STANDARD = f"{_CONVENTION}; CNIL and Anonymeter (Giomi et al. 2023) set none"
_PRIVACY = (
    Gate("privacy.copies", "<=", 0.0, 0.005, f"{_CONVENTION}: no more than among unused patients", null=0.0),
    Gate("privacy.near_copies", "<=", 0.0, 1.0, f"{_CONVENTION}: an alarm, never decisive", null=0.0, alarm=True),
    Gate("privacy.membership", "<=", 0.55, 0.60, f"{_CONVENTION}: 0.5 is a coin toss", null=0.5),
    Gate("privacy.recognition", "<=", 0.03, 0.05, f"{_CONVENTION}: epsilon 1 allows 0.027", null=0.01),
    Gate("privacy.relative_f1", "<=", 0.2, 0.3, f"0.2: El Emam et al. 2022; 0.3: {_CONVENTION}", null=0.0),
    Gate("privacy.singling_out", "<=", 0.05, 0.10, _NO_STANDARD, null=0.0),
    Gate("privacy.linkability", "<=", 0.05, 0.10, _NO_STANDARD, null=0.0),
    Gate("privacy.attribute_inference", "<=", 0.05, 0.10, _NO_STANDARD, null=0.0),
    Gate(
        "privacy.identity_disclosure",
        "<=",
        0.05,
        0.09,
        f"0.09: El Emam et al. 2020, EMA policy 0070, Health Canada; 0.05: {_CONVENTION}",
        null=0.0,
    ),
    Gate("privacy.replicated_uniques", "<=", 0.01, 0.03, f"{_CONVENTION}: 1 percentage point", null=0.0),
    Gate("privacy.disclosive_keys", "<=", 0.01, 0.03, f"{_CONVENTION}: 1 percentage point", null=0.0),
    Gate("privacy.shadow_table", "<=", 0.65, 0.80, f"{_CONVENTION}: of the rarest patients; 0.5 is chance", null=0.5),
    Gate("privacy.smallest_leak", "<=", 0.01, 0.05, f"{_CONVENTION}: who cannot see 5 % copied rows cannot pass them"),
)
DEFAULT_GATES = (
    Gate("validity.rules", ">=", 0.99, 0.95, f"{_CONVENTION}: at most 1 % of rows break a rule"),
    Gate("validity.raw_rules", "<=", 0.01, 0.05, f"{_CONVENTION}: rules are imposed, but a good model knows them"),
    Gate("fidelity.marginals", ">=", 0.90, 0.80, _CONVENTION),
    Gate("fidelity.heaping", "<=", 0.10, 0.20, f"{_CONVENTION}: real rows reach 0.02 to 0.06 from 600 rows on"),
    Gate("fidelity.detection", "<=", 0.75, 0.90, _CONVENTION),
    Gate("utility.*", ">=", -0.03, -0.07, f"{_CONVENTION}: a loss of 0.03 in AUC"),
    Gate("inference.*", ">=", 0.6, 0.4, f"{_CONVENTION}: two samples of one law overlap by 0.7 on average"),
    *_PRIVACY,
)

MODEL_GATE = Gate("privacy.model_membership", "<=", 0.55, 0.60, f"{_CONVENTION}: 0.5 is a coin toss", null=0.5)
"""What a model file is held against before it is shared; it says nothing of the table, so no report applies it."""


def parse_gate(text: str) -> Gate:
    """Read a gate as a config writes it.

    Raises:
        ConfigError: the text is no score, comparison and number.

    Example:
        >>> gate = parse_gate("fidelity.marginals >= 0.90")
        >>> gate.score, gate.op, gate.limit
        ('fidelity.marginals', '>=', 0.9)
    """
    found = _GATE.fullmatch(text.strip()) if isinstance(text, str) else None
    limit = float(found["limit"]) if found else math.nan
    if found is None or not math.isfinite(limit) or "." not in found["score"].strip("."):
        what = "it is no score, comparison and number" if isinstance(text, str) else "it is no text"
        raise ConfigError(f"gate {text!r}"[:200], what, "Write one such as 'fidelity.marginals >= 0.90'.")
    return Gate(found["score"], found["op"], limit)


def default_gates(scores: Iterable[Score]) -> tuple[Gate, ...]:
    """Return the default gates for the scores that there are; an alarm only where it rings."""
    known = tuple(scores)
    return tuple(
        replace(gate, score=score.name)
        for gate in DEFAULT_GATES
        for score in known
        if score.name == gate.score or (gate.score.endswith(".*") and score.name.startswith(gate.score[:-1]))
        if not gate.alarm or score.low > _null_reached(gate, score)
    )


def judge(gates: Sequence[Gate], scores: Iterable[Score]) -> tuple[Verdict, ...]:
    """Hold each gate's score against its limit, at the unfavourable end of its interval.

    A strict gate is passed or failed by that end alone. A default gate is failed only by a table that is surely worse
    than its limit, and not passed by an analysis one of whose clear effects turns round. It asks for review where the
    interval holds the limit, or where real rows that the model never saw miss the limit too; where the interval
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
        if gate.review is not None and _turned(score):
            return Verdict(gate, "REVIEW", score.value, worse, "The sign of a clear effect turned round.")
        reason = f"The worse end of its interval, {worse:.3f}, meets the limit."
        return Verdict(gate, "PASS", score.value, worse, reason)
    if gate.review is None:
        reason = f"The worse end of its interval, {worse:.3f}, misses the limit."
        return Verdict(gate, "FAIL", score.value, worse, reason)
    weigh = _none_allowed if gate.limit == gate.null else _beyond
    status, reason = weigh(gate, gate.review, score, (worse, better))
    return Verdict(gate, status, score.value, worse, reason)


def _turned(score: Score) -> bool:
    """Return whether an analysis gives a clear effect of the real rows another sign, which a mean over terms hides."""
    agree = score.details.get("signs_agree")
    return agree is not None and agree < 1


def _null_reached(gate: Gate, score: Score) -> float:
    """Return what rows without a leak reach on the same table; NaN where that is not known.

    Attacks: the worst of chance, shuffled rows and fresh real rows. Other scores: fresh real rows.
    """
    known = [score.reference] if gate.null is None else [gate.null, score.baseline, score.reference]
    return max((value for value in known if value is not None), default=math.nan)


def _none_allowed(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> tuple[Status, str]:
    """Return status and reason of a gate whose limit is what rows without a leak reach."""
    better, null = ends[1], _null_reached(gate, score)
    if better <= null:
        return "PASS", f"No more than rows without a leak reach, {null:.3f}, for all that can be told."
    if better > review + null - gate.limit:
        return "FAIL", f"Surely more than {review:g} beyond rows without a leak, which reach {null:.3f}."
    return "REVIEW", f"Surely more than rows without a leak, which reach {null:.3f}."


def _beyond(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> tuple[Status, str]:
    """Return status and reason of a default gate whose limit the worse of both `ends` of the interval misses."""
    worse, better = ends
    limit, holds = gate.limit, _HOLDS[gate.op]
    span = f"{score.low:.3f} to {score.high:.3f}"
    fresh = _null_reached(gate, score)
    status: Status = "FAIL"
    reason = f"The whole interval, {span}, misses the limit."
    # The limit may ask more than real rows give; then the table is held against them, with the same room for review.
    excused = not math.isnan(fresh) and not holds(fresh, limit)
    if excused and (holds(better, fresh) or holds(worse, fresh + review - limit)):
        whose = "Real rows that the model never saw" if gate.null is None else "Rows without a leak"
        status, reason = "REVIEW", f"{whose} reach {fresh:.3f}, so they miss the limit too."
    elif holds(better, limit) and not holds(worse, review) and gate.null is not None and not holds(better, gate.null):
        status, reason = "REVIEW", f"The interval, {span}, holds the limit, but it is surely beyond {gate.null:g}."
    elif holds(better, limit) and not holds(worse, review):
        reason = f"The interval, {span}, reaches from pass to fail: there are too few rows."
        status, reason = "NOT ASSESSABLE", reason + _settled(gate, score, worse)
    elif holds(better, limit):
        status, reason = "REVIEW", f"The interval, {span}, holds the limit.{_settled(gate, score, worse)}"
    elif holds(worse, review):
        status, reason = "REVIEW", f"The whole interval, {span}, misses the limit, by no more than asks for review."
    return status, reason


def _settled(gate: Gate, score: Score, worse: float) -> str:
    """Return how many more held-out patients would clear an attack that seems harmless; nothing where they would not.

    An interval narrows by the square root of their number.
    """
    room, reach = gate.limit - score.value, worse - score.value
    if gate.null is None or room <= 0 or (times := (reach / room) ** 2) > _MOST_TIMES:
        return ""
    return f" About {times:.1f} times as many held-out patients would settle it if the score stayed."
