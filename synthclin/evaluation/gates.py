"""Gates: limits of scores, and the verdict on each: pass, review, fail or not assessable."""

from __future__ import annotations

import difflib
import math
import operator
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from synthclin.errors import ConfigError
from synthclin.evaluation.leak_free import above_leak_free, beyond_leak_free, leak_free
from synthclin.evaluation.score import Score, Z
from synthclin.evaluation.worst_parts import worst_part

__all__ = ["DEFAULT_GATES", "DEPENDENCE", "MODEL_GATE", "Gate", "Verdict", "default_gates", "judge", "parse_gate"]

Status = Literal["PASS", "REVIEW", "FAIL", "NOT ASSESSABLE"]

_HOLDS = {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
_GATE = re.compile(r"(?P<score>\S.*?[^\s<>=!])\s*(?P<op>>=|<=|>|<)\s*(?P<limit>[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?)")
_BY_USER = "set by user"
_MOST_TIMES = 20.0
_SHARES, _NO_SHARE = {"fidelity", "inference", "privacy", "utility", "validity"}, 10.0
_WORSE = ("PASS", "NOT ASSESSABLE", "REVIEW", "FAIL")


@dataclass(frozen=True, slots=True)
class Gate:
    """A limit of one score.

    Arguments:
        score: the name of the score; a name that ends in ``.*`` is for every score of its group.
        op: one of ``>= <= > <``.
        limit: the limit for PASS.
        review: the limit for REVIEW; None for a strict gate, which gives only PASS or FAIL.
        source: the origin of the limit.
        null: the value of an attack without leakage; a score significantly beyond it is never NOT ASSESSABLE. Where the
            limit is the null itself, an interval that contains it passes.
        alarm: whether the gate applies only to a score beyond the null, so that it can fail a table and never pass one.
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
        """The gate as text."""
        return f"{self.score} {self.op} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of a gate.

    Arguments:
        gate: the gate, with the full name of its score.
        status: PASS, REVIEW, FAIL or NOT ASSESSABLE.
        value: the score.
        bound: the end of its interval that was compared with the limit.
        reason: why, as a sentence.
    """

    gate: Gate
    status: Status
    value: float
    bound: float
    reason: str

    @property
    def missed(self) -> bool:
        """Whether the run did not pass: a FAIL, or a limit set by the user that is NOT ASSESSABLE."""
        return self.status == "FAIL" or (self.status == "NOT ASSESSABLE" and self.gate.review is None)


_CONVENTION = "project convention"
_NO_STANDARD = f"{_CONVENTION}; CNIL and Anonymeter (Giomi et al. 2023) set none"
_PRIVACY = (
    Gate("privacy.copies", "<=", 0.0, 0.005, f"{_CONVENTION}: no more than among non-members", null=0.0),
    Gate("privacy.near_copies", "<=", 0.0, 1.0, f"{_CONVENTION}: an alarm, never decisive", null=0.0, alarm=True),
    Gate("privacy.membership", "<=", 0.55, 0.60, f"{_CONVENTION}: 0.5 is chance", null=0.5),
    Gate("privacy.membership_tpr", "<=", 0.03, 0.05, f"{_CONVENTION}: epsilon 1 allows 0.027", null=0.01),
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
    Gate("privacy.shadow_table", "<=", 0.65, 0.80, f"{_CONVENTION}: of outliers; 0.5 is chance", null=0.5),
    Gate(
        "privacy.smallest_leak",
        "<=",
        0.01,
        0.05,
        f"{_CONVENTION}: no pass where the attacks miss canaries of 5 % of the rows",
    ),
)
DEFAULT_GATES = (
    Gate("validity.rules", ">=", 0.99, 0.95, f"{_CONVENTION}: at most 1 % of rows break a rule"),
    Gate(
        "validity.raw_rules", "<=", 0.01, 0.05, f"{_CONVENTION}: rules are imposed, but a good model rarely breaks them"
    ),
    Gate("fidelity.marginals", ">=", 0.90, 0.80, _CONVENTION),
    Gate("fidelity.heaping", "<=", 0.10, 0.20, f"{_CONVENTION}: a share one tenth apart"),
    Gate("fidelity.detection", "<=", 0.75, 0.90, _CONVENTION),
    Gate("utility.*", ">=", -0.03, -0.07, f"{_CONVENTION}: a loss of 0.03 in AUC"),
    Gate("treatment.*", "<=", 1.5, 2.0, f"{_CONVENTION}: a correct model exceeds 2 standard errors in 1 of 200 runs"),
    Gate("inference.*", ">=", 0.6, 0.4, f"{_CONVENTION}: two samples of one distribution overlap by 0.7 on average"),
    *_PRIVACY,
)

DEPENDENCE = "fidelity.associations"
"""The score whose default limits lie between its real-data reference and its independence baseline."""

_PASS_LOST, _REVIEW_LOST = 0.25, 0.5  # share of the way from the reference to the baseline
_LEAST_DEPENDENCE = 0.005  # a smaller distance from the reference to the baseline is no dependence to lose
_DEPENDENCE_SOURCE = f"{_CONVENTION}: a quarter, for review half, of the way from holdout rows to shuffled rows"

MODEL_GATE = Gate("privacy.model_membership", "<=", 0.55, 0.60, f"{_CONVENTION}: 0.5 is chance", null=0.5)
"""The gate of a model file before it is shared; it is not about the table, so no report applies it."""


def parse_gate(text: str) -> Gate:
    """Parse a gate from its text.

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
        if isinstance(text, str) and text.rstrip().endswith("%"):
            what = "the limit is a percentage"
            raise ConfigError(f"gate {text!r}"[:200], what, "Write a share, such as 0.9 for 90 %.")
        what = "it is no score, comparison and number" if isinstance(text, str) else "it is no text"
        raise ConfigError(f"gate {text!r}"[:200], what, "Write one such as 'fidelity.marginals >= 0.90'.")
    if abs(limit) >= _NO_SHARE and found["score"].split(".")[0] in _SHARES:
        what = f"the limit {found['limit']} is no share"
        raise ConfigError(f"gate {text!r}"[:200], what, f"Write {limit / 100:g} for {limit:g} %.")
    return Gate(found["score"], found["op"], limit)


def default_gates(scores: Iterable[Score]) -> tuple[Gate, ...]:
    """Return the default gates of the given scores; an alarm only where its score is beyond the null.

    The gate on dependence takes its limits from its own score, and is left out where the real columns are independent.
    """
    known = tuple(scores)
    dependence = (_dependence_gate(score) for score in known if score.name == DEPENDENCE)
    fixed = tuple(
        replace(gate, score=score.name)
        for gate in DEFAULT_GATES
        for score in known
        if score.name == gate.score or (gate.score.endswith(".*") and score.name.startswith(gate.score[:-1]))
        if not gate.alarm or beyond_leak_free(score, gate.null or 0.0)
    )
    return fixed + tuple(gate for gate in dependence if gate is not None)


def _dependence_gate(score: Score) -> Gate | None:
    """Return the gate on lost dependence: limits between holdout rows and the same rows with shuffled columns."""
    if score.baseline is None or score.reference is None:
        return None
    whole = score.baseline - score.reference
    clear = whole > max(_LEAST_DEPENDENCE, Z * (score.reference_error or 0.0))
    if not clear and worst_part(score) is None:
        return None
    whole = max(whole, _LEAST_DEPENDENCE)
    limit, review = (round(score.reference + part * whole, 4) for part in (_PASS_LOST, _REVIEW_LOST))
    return Gate(DEPENDENCE, "<=", limit, review, _DEPENDENCE_SOURCE)


def judge(gates: Sequence[Gate], scores: Iterable[Score]) -> tuple[Verdict, ...]:
    """Compare the unfavourable end of each score's interval with the limit of its gate.

    A strict gate is passed or failed by that end alone. A default gate fails only a table that is significantly worse
    than its limit, and does not pass an analysis in which the sign of a significant effect is reversed. The worst term
    or column decides if it is worse than the mean. Rules that the unconstrained model breaks do not fail
    a table in which no row breaks one. The result is
    REVIEW where the interval includes the limit, or where holdout rows miss the limit too, and NOT ASSESSABLE where the
    interval reaches from pass to fail. Holdout rows excuse an attack only where its difference from them is not
    significant. Exact copies never pass.

    Raises:
        ConfigError: a gate names a score that was not computed.
    """
    by_name = {score.name: score for score in scores}
    for gate in gates:
        if gate.score not in by_name:
            near = difflib.get_close_matches(gate.score, by_name, n=1)
            remedy = f"Did you mean '{near[0]}'?" if near else f"Scores of this run: {', '.join(sorted(by_name))}."
            raise ConfigError(f"gate '{gate.text}'", f"no score is called '{gate.score}'", remedy)
    verdicts = (_judge(gate, by_name[gate.score]) for gate in gates)
    return tuple(_excused(_of_worst_part(verdict, by_name[verdict.gate.score]), by_name) for verdict in verdicts)


def _of_worst_part(verdict: Verdict, score: Score) -> Verdict:
    """Return the verdict of a default gate, decided by the worst column or term where that is worse than the mean."""
    found = worst_part(score) if verdict.gate.review is not None else None
    if found is None or _WORSE.index(found.status) <= _WORSE.index(verdict.status):
        return verdict
    return replace(verdict, status=found.status, reason=found.reason)


def _excused(verdict: Verdict, scores: Mapping[str, Score]) -> Verdict:
    """Return the verdict on rules that the unconstrained model breaks; no FAIL where no released row breaks one."""
    gate, released = verdict.gate, scores.get("validity.rules")
    if gate.score != "validity.raw_rules" or gate.review is None or verdict.status != "FAIL" or released is None:
        return verdict
    imposed = {row["rule"] for row in scores[gate.score].details.get("rules", [])}
    broken = {row["rule"] for row in released.details.get("rules", []) if row["synthetic"]}
    if imposed & broken or (not imposed and released.value < 1):
        return verdict
    return replace(verdict, status="REVIEW", reason="The model breaks a rule, but no released row does.")


def _judge(gate: Gate, score: Score) -> Verdict:
    worse, better = (score.low, score.high) if gate.op in {">=", ">"} else (score.high, score.low)
    if math.isnan(score.value) or math.isnan(worse):
        return Verdict(gate, "NOT ASSESSABLE", score.value, worse, score.note or "The score has no interval.")
    if _HOLDS[gate.op](worse, gate.limit):
        if gate.review is not None and _turned(score):
            return Verdict(gate, "REVIEW", score.value, worse, "The sign of a clear effect is reversed.")
        reason = f"The worse end of its interval, {worse:.3f}, meets the limit."
        return Verdict(gate, "PASS", score.value, worse, reason)
    if gate.review is None:
        reason = f"The worse end of its interval, {worse:.3f}, misses the limit."
        return Verdict(gate, "FAIL", score.value, worse, reason)
    weigh = _none_allowed if gate.limit == gate.null else _beyond
    status, reason = weigh(gate, gate.review, score, (worse, better))
    return Verdict(gate, status, score.value, worse, reason)


def _turned(score: Score) -> bool:
    """Return whether a significant effect has another sign on synthetic rows; a mean over terms would hide it."""
    agree = score.details.get("signs_agree")
    return agree is not None and agree < 1


def _none_allowed(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> tuple[Status, str]:
    """Return status and reason of a gate whose limit is the null; holdout rows can avert a FAIL and not a REVIEW."""
    assert gate.null is not None
    null, _ = leak_free(score, gate.null)
    if ends[1] <= gate.null or (gate.alarm and not beyond_leak_free(score, gate.null)):
        return "PASS", f"Not significantly above its value without leakage, {null:.3f}."
    if above_leak_free(score, gate.null) > review:
        return "FAIL", f"Significantly more than {review:g} above its value without leakage, {null:.3f}."
    return "REVIEW", f"Above {gate.null:g}; its value without leakage is {null:.3f}."


def _beyond(gate: Gate, review: float, score: Score, ends: tuple[float, float]) -> tuple[Status, str]:
    """Return status and reason of a default gate where the worse of both `ends` of the interval misses the limit."""
    worse, better = ends
    limit, holds = gate.limit, _HOLDS[gate.op]
    span = f"{score.low:.3f} to {score.high:.3f}"
    status: Status = "FAIL"
    reason = f"The whole interval, {span}, misses the limit."
    if _excused_by_real(gate, review, score, ends):
        status, reason = "REVIEW", f"The real-data reference, {score.reference:.3f}, misses the limit too."
        if gate.null is not None:
            reason = f"Not significantly above its value without leakage, {score.reference:.3f}."
    elif holds(better, limit) and not holds(worse, review) and gate.null is not None and not holds(better, gate.null):
        status, reason = "REVIEW", f"The interval, {span}, includes the limit, but is entirely beyond {gate.null:g}."
    elif holds(better, limit) and not holds(worse, review):
        reason = f"The interval, {span}, reaches from pass to fail: there are too few rows."
        status, reason = "NOT ASSESSABLE", reason + _rows_needed(gate, score, worse)
    elif holds(better, limit):
        status, reason = "REVIEW", f"The interval, {span}, includes the limit.{_rows_needed(gate, score, worse)}"
    elif holds(worse, review):
        status, reason = "REVIEW", f"The whole interval, {span}, misses the limit, by no more than asks for review."
    return status, reason


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


def _rows_needed(gate: Gate, score: Score, worse: float) -> str:
    """Return, as a sentence, how large a holdout would decide the gate of an attack; empty where none would.

    The width of the interval is inversely proportional to the square root of the number of patients.
    """
    room, reach = gate.limit - score.value, worse - score.value
    if gate.null is None or room <= 0 or (times := (reach / room) ** 2) > _MOST_TIMES:
        return ""
    return f" About {times:.1f} times as many holdout patients would decide it if the score stayed the same."
