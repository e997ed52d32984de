"""A kind of score: all that is known of a score before any table is scored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import nan
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

import numpy as np

from synthclin.evaluation.details import Details
from synthclin.evaluation.disclosure import Published, nothing_shared
from synthclin.evaluation.score import Direction, Interval, Score, details_of
from synthclin.language import language, tr
from synthclin.wording import interval, lower_start, number, one_in, percent, share

if TYPE_CHECKING:
    from synthclin.evaluation.questions import Question

__all__ = [
    "CONVENTION",
    "TEXTS",
    "Kind",
    "Limit",
    "Need",
    "Reason",
    "RelativeLimit",
    "Section",
    "WorstPart",
    "convention",
]

D = TypeVar("D", bound=Details)

Section = Literal["privacy", "clinical", "utility", "rules", "fidelity", "subgroups", "visits"]
"""The sections of the report that show scores."""

Need = Literal["holdout", "model", "shadow models", "rules", "trial", "task", "groups", "visits"]
"""What a score needs beside a synthetic table and the training table."""

TEXTS = ("question", "method", "label", "unit", "fail_text", "review_text", "action")
"""The fields of a kind that are texts of the report."""

CONVENTION = "project convention"
"""The source of a limit that no publication sets."""


def convention(reason: str) -> str:
    """Return the source of a limit that no publication sets, with the reason for it as a clause.

    Example:
        >>> convention("0.5 is chance")
        'project convention, because 0.5 is chance'
    """
    return f"{CONVENTION}, because {reason}"


class Limit(NamedTuple):
    """The default limits of a score.

    Arguments:
        op: one of ``>= <= > <``.
        limit: the limit for PASS.
        review: the limit for REVIEW.
        source: the origin of the limits: a publication, or what `convention` returns.
        null: the value of an attack without leakage; where it is the limit itself, an interval that contains it passes.
        alarm: whether the gate applies only to a score beyond the null, so that it can fail a table and never pass one.
    """

    op: Literal[">=", "<=", ">", "<"]
    limit: float
    review: float
    source: str
    null: float | None = None
    alarm: bool = False


class RelativeLimit(NamedTuple):
    """Default limits that follow from the score.

    Arguments:
        text: what they are relative to, as a phrase.
        source: the origin of the limits, as that of `Limit`.
        of: the limits of a score; None where it gives none.
    """

    text: str
    source: str
    of: Callable[[Score], Limit | None]


class Reason(NamedTuple):
    """Why a verdict is what it is.

    Arguments:
        text: the reason, in a sentence or two.
        without_figures: the same without figures and names, which the shareable edition says.
        holdout_needed: how many times as many holdout patients would decide the gate if the score stayed the same; None
            where it is decided, and where more would not decide it.
    """

    text: str
    without_figures: str
    holdout_needed: float | None = None


class WorstPart(NamedTuple):
    """The verdict on the worst part of a score, and its reason."""

    status: Literal["REVIEW", "FAIL"]
    reason: Reason


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[D]):
    """A kind of score.

    Its texts are English literals, which `in_language` translates. Those with the name of a column, and of kinds that
    are made for a task, are made by `tr` where the kind is.

    Arguments:
        name: ``group.name``, such as ``fidelity.marginals``; gates and the report use it.
        question: the question that the score answers, in plain words.
        better: whether ``higher`` or ``lower`` is better.
        method: how it is computed, in one line, with its source.
        section: the section of the report that shows it.
        label: its short name.
        unit: what the number measures.
        ideal: the best possible value.
        details: the type of its details.
        asked: the question of page one that it answers, alone or with others; None where it stands in the annex only.
        limit: its default limits; None where no default gate judges it.
        needs: what it needs beside a synthetic table and the training table.
        fail_text: clause for FAIL.
        review_text: clause for REVIEW.
        action: consequence for a user where the gate fails.
        scale: how the number is shown: as it is, in percent, or as one patient in so many.
        answer: one plain sentence from a score, or "".
        worst_part: the verdict on the worst column or term, which a mean over many would hide.
        shared: the details in the shareable edition, without figures that rest on fewer than 11 patients; None where
            nothing is shared.
        counts: the rows whose shares the score is a mean of; None where it is no share of patients. The shareable
            edition rounds it accordingly. ``public`` is a share of synthetic rows that no real row takes part in: its
            readers can compute it.
        is_headline: whether it is repeated in each subgroup.
        is_lower_bound: whether the value is itself a proven lower bound, which no rounding may raise.
    """

    name: str
    question: str
    better: Direction
    method: str
    section: Section
    label: str
    unit: str
    ideal: float
    details: type[D]
    asked: Question | None = None
    limit: Limit | RelativeLimit | None = None
    needs: frozenset[Need] = frozenset()
    fail_text: str = ""
    review_text: str = ""
    action: str = "See its note."
    scale: Literal["number", "percent", "one in"] = "number"
    answer: Callable[[Score], str] = lambda _: ""
    worst_part: Callable[[D], WorstPart | None] = lambda _: None
    shared: Callable[[D, Published], D | None] = nothing_shared
    counts: Literal["real", "synthetic", "public"] | None = None
    is_headline: bool = False
    is_lower_bound: bool = False

    def score(
        self,
        value: float,
        interval: Interval,
        *,
        n: int,
        details: Details | Mapping[str, Any],
        baseline: float | None = None,
        reference: float | None = None,
        notes: Sequence[str] = (),
        replicates: Sequence[float] = (),
        reference_error: float | None = None,
        beyond_reference: bool = False,
    ) -> Score:
        """Return the score of a synthetic table, or of several replicates.

        A baseline or reference of NaN becomes None. Empty notes are left out, and `replicates` unless all are finite.

        Arguments:
            value: the number.
            interval: its 95 % interval.
            n: the number of rows behind the score.
            details: the details, or their fields.
            baseline: independence baseline.
            reference: real-data reference.
            notes: caveats.
            replicates: the score of each synthetic replicate.
            reference_error: standard error of the reference.
            beyond_reference: whether the score is better than its reference beyond sampling error.
        """
        kept = tuple(map(float, replicates)) if len(replicates) > 1 and np.isfinite(replicates).all() else ()
        return Score(
            name=self.name,
            question=tr(self.question),
            value=float(value),
            low=float(interval.low),
            high=float(interval.high),
            better=self.better,
            baseline=_number_or_none(baseline),
            reference=_number_or_none(reference),
            n=int(n),
            method=tr(self.method),
            note=" ".join(note for note in notes if note),
            details=details if isinstance(details, Details) else self.details.model_validate(details),
            replicates=kept,
            reference_error=_number_or_none(reference_error),
            beyond_reference=bool(beyond_reference),
            tables=max(len(kept), 1),
        )

    def unassessable(self, note: str, *, n: int = 0, details: Details | Mapping[str, Any] | None = None) -> Score:
        """Return a score without a value; `note` gives the reason."""
        question, method = tr(self.question), tr(self.method)
        empty = Score(self.name, question, nan, nan, nan, self.better, None, None, n, method, note)
        if details is None:
            return empty
        return self.score(nan, Interval(nan, nan), n=n, notes=[note], details=details)

    def in_language(self) -> Kind[D]:
        """Return the kind with its texts in the language of the report."""
        texts: dict[str, Any] = {name: tr(getattr(self, name)) for name in TEXTS}
        return self if language() == "en" else replace(self, **texts)

    def read(self, score: Score) -> D | None:
        """Return the details of a score of this kind; None where it has none."""
        return details_of(score, self.details)

    def clause(self, status: str) -> str:
        """Return what a missed gate means, as a clause."""
        label = lower_start(self.label)
        if status == "FAIL":
            return self.fail_text or tr("{label} misses its limit", label=label)
        return self.review_text or tr("{label} may miss its limit", label=label)

    def write(self, value: float | None) -> str:
        """Return a value of the score as text."""
        if self.scale == "one in":
            return one_in(value)
        return share(value, 1) if self.scale == "percent" else number(value)

    def span(self, low: float, high: float) -> str:
        """Return the ends of an interval as text, each as `write` does."""
        if self.scale == "one in" and low <= 0 < high:
            return tr("none to {high}", high=self.write(high))
        return tr("{low} to {high}", low=self.write(low), high=self.write(high))

    def write_interval(self, score: Score) -> str:
        """Return the 95 % interval as text, or nothing; a census has none."""
        if score.low == score.high:
            return ""
        if self.scale == "one in":
            ends = {one_in(score.low), one_in(score.high)}
            return "" if np.isnan(score.low) or ends == {self.write(score.value)} else self.span(score.low, score.high)
        if self.scale == "percent":
            return interval(100 * score.low, 100 * score.high, 1)
        return interval(score.low, score.high)

    def write_limit(self, value: float) -> str:
        """Return a limit with no more decimals than it has."""
        if self.scale == "one in" and value > 0:
            return one_in(value)
        if self.scale in {"percent", "one in"}:
            return percent(round(100 * value, 6), 0 if round(100 * value, 6).is_integer() else 1)
        digits = len(f"{value:.6f}".rstrip("0").partition(".")[2])
        return number(value, max(digits, 2))


def _number_or_none(value: float | None) -> float | None:
    return None if value is None or np.isnan(value) else float(value)
