"""What the report says of a score, as a type: section, name, unit, ideal value, and clauses for missed gates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from synthclin.report.words import interval, number, percent, plain, share

if TYPE_CHECKING:
    from synthclin.evaluation.gates import Gate
    from synthclin.evaluation.score import Score

__all__ = ["ScoreTexts", "measure_name"]


@dataclass(frozen=True, slots=True)
class ScoreTexts:
    """Texts for one score, or for all scores of a group.

    Arguments:
        section: key of its section.
        name: short name of the score.
        unit: what the number measures, shown below it.
        ideal: the best possible value.
        fail_text: clause for FAIL.
        review_text: clause for REVIEW.
        action: consequence for a user where the gate fails.
        percent: whether the number is shown in percent.
        answer: one plain sentence from the score, or "".
        title: the question on page one, where it differs from the question of the score.
        kind: plural noun for several scores of one question.
    """

    section: str
    name: str
    unit: str
    ideal: float
    fail_text: str
    review_text: str
    action: str
    percent: bool = False
    answer: Callable[[Score], str] = lambda _: ""
    title: str = ""
    kind: str = "measures"

    def write(self, value: float | None) -> str:
        """Return a value of the score as text."""
        return share(value, 1) if self.percent else number(value)

    def write_interval(self, score: Score) -> str:
        """Return the 95 % interval as text, or nothing."""
        if self.percent:
            return interval(100 * score.low, 100 * score.high, 1)
        return interval(score.low, score.high)

    def write_limit(self, value: float) -> str:
        """Return a limit with no more decimals than it has."""
        if self.percent:
            return percent(round(100 * value, 6), 0 if round(100 * value, 6).is_integer() else 1)
        digits = len(f"{value:.6f}".rstrip("0").partition(".")[2])
        return number(value, max(digits, 2))

    def limit(self, gate: Gate) -> str:
        """Return the condition of the gate as text."""
        # A gate at the value without leakage fails only where the interval excludes that value.
        end = "Lower" if gate.op.startswith(">") or gate.limit == gate.null else "Upper"
        sign = {">=": "\u2265", "<=": "\u2264"}.get(gate.op, gate.op)
        return f"{end} bound {sign}\u00a0{self.write_limit(gate.limit)}"


def measure_name(measure: str) -> str:
    """Return the short name of a measure of prediction.

    Example:
        >>> measure_name("AUC (mean of each class against the others)")
        'AUC'
    """
    name = plain(measure.partition(" ")[0], 20)
    return "R\u00b2" if name == "R2" else name
