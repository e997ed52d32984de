"""Regular visits: the marks by which reviewers know simulated patients, compared with real ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import StrictStr

from synthclin.evaluation import questions
from synthclin.evaluation.details import Details, Share
from synthclin.evaluation.disclosure import Published, round_to, round_to_or_none, rounding_step
from synthclin.evaluation.kind import Kind, Limit, Reason, WorstPart, convention
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import Score
from synthclin.evaluation.visits.details import beyond_holdout
from synthclin.evaluation.visits.pool import AGAINST_PATIENTS, PatientPool
from synthclin.language import tr
from synthclin.schema.visit_times import comparable
from synthclin.wording import sentence_case, share

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.visits.pool import AgainstPatients

__all__ = ["REGULARITY", "Mark", "Regular", "RegularityDetails", "mark_name", "real_share", "regularity"]

_USUAL = 3  # most frequent gaps
_WEEK = 7.0
_CLOSE = 1e-6

Mark = Literal["planned times", "usual gaps", "whole weeks", "one end"]
"""A mark of regular visits."""


class Regular(Details):
    """How often one mark of regular visits occurs."""

    mark: Mark
    """Visits exactly at planned times, gaps that equal one of the three most frequent real ones, gaps of whole weeks,
    or patients whose follow-up without an event ends at the most frequent time."""
    column: StrictStr | None
    """The column with the end of follow-up; None for the other marks."""
    synthetic: Share
    """Share in synthetic patients."""
    real: Share | None
    """Share in training patients; None where suppressed."""
    reference: Share | None
    """Mean absolute difference of holdout patients from training patients; None without a holdout."""
    difference: Share
    """The same of synthetic patients."""


class RegularityDetails(Details):
    """Details of the regularity of visits."""

    marks: list[Regular]
    """The marks, the largest difference first."""

    def shared(self, published: Published) -> RegularityDetails:
        """Return rounded shares of real patients."""
        size, coarser = rounding_step(published.train), rounding_step(published.holdout or published.train)
        return RegularityDetails(
            marks=[
                one.model_copy(
                    update={
                        "real": _shared_share(one.real, size),
                        "difference": min(round_to(one.difference, size), 1.0),
                        "reference": round_to_or_none(one.reference, coarser),
                    }
                )
                for one in self.marks
            ]
        )


def _shared_share(real: float | None, size: float) -> float | None:
    """Return a rounded share; None where rounding makes 0 or 1 of another one."""
    if real is None:
        return None
    rounded = min(round_to(real, size), 1.0)
    return None if rounded in {0.0, 1.0} and rounded != real else rounded


def real_share(one: Regular) -> str:
    """Return the share in training patients as text."""
    return tr("suppressed") if one.real is None else share(one.real)


def mark_name(one: Regular) -> str:
    """Return a mark as text."""
    texts: dict[Mark, str] = {
        "planned times": tr("visits exactly at a planned time"),
        "usual gaps": tr("gaps that equal one of the three most frequent real ones"),
        "whole weeks": tr("gaps of whole weeks"),
        "one end": tr("one end of follow-up without an event ({column})", column=column_name(one.column or "", 30)),
    }
    return texts[one.mark]


def _worst(score: Score) -> str:
    details = REGULARITY.read(score)
    if details is None or not details.marks:
        return ""
    worst = details.marks[0]
    if worst.real is None:
        return tr("Furthest from real: {column}.", column=mark_name(worst))
    return tr(
        "Furthest from real: {mark}, {synthetic} in synthetic and {real} in training patients.",
        mark=mark_name(worst),
        synthetic=share(worst.synthetic),
        real=share(worst.real),
    )


def _worst_part(details: RegularityDetails) -> WorstPart | None:
    """Return the verdict on the mark furthest beyond holdout patients."""
    lost = [(one.difference - one.reference, one) for one in details.marks if one.reference is not None]

    def reason(worst: Regular) -> Reason:
        return Reason(
            tr(
                "{mark}: {synthetic} in synthetic and {real} in training patients.",
                mark=sentence_case(mark_name(worst)),
                synthetic=share(worst.synthetic),
                real=real_share(worst),
            ),
            tr("A mark of regular visits differs from that of holdout patients."),
        )

    return beyond_holdout(lost, reason)


REGULARITY = Kind(
    name="visits.regularity",
    question="Are visits as irregular as those of real patients?",
    better="lower",
    method=(
        "mean absolute difference of the shares of visits exactly at a planned time, of gaps that equal one of the "
        "three most frequent real ones, of gaps of whole weeks, and of patients whose follow-up without an event ends "
        f"at the most frequent time, {AGAINST_PATIENTS} (project convention)"
    ),
    section="visits",
    label="Regularity of visits",
    unit="mean absolute difference of shares",
    ideal=0.0,
    details=RegularityDetails,
    asked=questions.VISITS,
    limit=Limit("<=", 0.10, 0.20, convention("a tenth of the visits or patients are then more regular at most")),
    needs=frozenset({"visits"}),
    fail_text="visits are more or less regular than real ones",
    review_text="visits may be more or less regular than real ones",
    action="Reviewers will recognise simulated visits.",
    answer=_worst,
    worst_part=_worst_part,
    shared=RegularityDetails.shared,
    counts="real",
)


def regularity(c: Comparison) -> Score:
    """Score the differences of the marks of regular visits."""
    pool = PatientPool.of(c)
    marks = _marks(pool)

    def shares(places: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.array([of(places) for of in marks.values()])

    def measure(real: NDArray[np.intp]) -> AgainstPatients:
        of_real = shares(real)
        return lambda other: np.abs(shares(other) - of_real)

    found = pool.estimate(measure, "regularity")
    real, synthetic = np.nan_to_num(shares(pool.train)), np.nan_to_num(shares(pool.synthetic))
    listed = [
        Regular(
            mark=mark,
            column=column,
            synthetic=synthetic[k],
            real=real[k],
            reference=found.reference_parts[k],
            difference=found.parts[k],
        )
        for k, (mark, column) in enumerate(marks)
        if not np.isnan(found.parts[k])
    ]
    return found.score(
        REGULARITY,
        baseline=False,
        details=RegularityDetails(marks=sorted(listed, key=lambda one: -one.difference)),
        problem=tr("No patient has two visits."),
    )


def _marks(pool: PatientPool) -> dict[tuple[Mark, str | None], Callable[[NDArray[np.intp]], float]]:
    """Return by mark the function from patients to their share."""
    visits, schema = pool.visits, pool.c.schema
    assert schema.visit_time is not None
    gaps = np.round(visits.gaps, 6)
    later = ~np.isnan(gaps)
    seen, counts = np.unique(gaps[pool.is_training(known=later)], return_counts=True)
    usual = seen[np.argsort(-counts, kind="stable")[:_USUAL]]

    def of_gaps(mask: NDArray[np.bool_]) -> Callable[[NDArray[np.intp]], float]:
        def share_of(places: NDArray[np.intp]) -> float:
            rows = visits.visits_of(places)
            rows = rows[later[rows]]
            return float(mask[rows].mean()) if len(rows) else float("nan")

        return share_of

    found: dict[tuple[Mark, str | None], Callable[[NDArray[np.intp]], float]] = {
        ("usual gaps", None): of_gaps(np.isin(gaps, usual))
    }
    plan, time = schema.planned, schema.columns[schema.visit_time]
    if plan.schedule:
        near = np.abs(pool.clock[:, None] - np.array(plan.schedule)).min(axis=1)
        found["planned times", None] = of_gaps(near <= _CLOSE)
    if time.is_temporal or time.unit == "d":
        weeks = gaps / _WEEK
        found["whole weeks", None] = of_gaps(np.abs(weeks - np.round(weeks)) <= _CLOSE)
    for name in comparable(schema):
        found["one end", name] = _one_end(pool, name)
    return found


def _one_end(pool: PatientPool, name: str) -> Callable[[NDArray[np.intp]], float]:
    """Return the share of patients without an event whose follow-up ends at the most frequent of their times."""
    visits, features, schema = pool.visits, pool.c.features, pool.c.schema
    ends = visits.values[visits.starts, features.names.index(name)]
    open_ended = ~np.isnan(ends)
    for event in (each for each in schema.static if schema.columns[each].role == "event"):
        if schema.time_of(event) != name:
            continue
        j = features.names.index(event)
        cells, column = visits.values[visits.starts, j], schema.columns[event]
        if features.columns[j].kind != "line":
            levels = list(features.columns[j].levels)
            if column.censored_level in levels:
                open_ended &= cells == levels.index(column.censored_level)
            elif column.event_level in levels:
                open_ended &= cells != levels.index(column.event_level)
            else:
                open_ended &= cells == 0

    def share_of(places: NDArray[np.intp]) -> float:
        known = ends[places[open_ended[places]]]
        if not len(known):
            return float("nan")
        return float(np.unique(known, return_counts=True)[1].max() / len(known))

    return share_of
