"""The schedule of visits: how many, how far apart, and how long patients are followed after the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import Field, StrictStr

from synthclin.evaluation import questions
from synthclin.evaluation.details import Details, Share
from synthclin.evaluation.disclosure import Published, round_to, round_to_or_none, rounding_step
from synthclin.evaluation.fidelity.marginals import ks_similarity
from synthclin.evaluation.kind import Kind, Limit, Reason, WorstPart, convention
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import Score, no_baseline
from synthclin.evaluation.visits.details import beyond_holdout
from synthclin.evaluation.visits.pool import AGAINST_PATIENTS, PatientPool
from synthclin.language import tr
from synthclin.schema.visit_times import comparable
from synthclin.wording import number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.visits.pool import AgainstPatients

__all__ = ["SCHEDULE", "ScheduleDetails", "SchedulePart", "schedule", "schedule_part_name"]

_MOST_PATIENTS = 2_000

What = Literal["visits", "gaps", "follow-up"]


class SchedulePart(Details):
    """Agreement of one part of the schedule."""

    what: What
    """Number of visits, gaps between visits, or follow-up after the last visit."""
    column: StrictStr | None
    """The column with the end of follow-up; None for the other parts."""
    value: Share
    """One minus the Kolmogorov-Smirnov distance from training patients."""
    reference: Share | None
    """The same of holdout patients; None without a holdout."""
    median_real: Annotated[float, Field(allow_inf_nan=False)] | None
    """Median of training patients; None where fewer than 11 have it."""
    median_synthetic: Annotated[float, Field(allow_inf_nan=False)] | None
    """Median of synthetic patients."""


class ScheduleDetails(Details):
    """Details of the schedule."""

    parts: list[SchedulePart]
    """The parts, furthest from real first."""

    def shared(self, published: Published) -> ScheduleDetails:
        """Return rounded agreements without medians of real patients, but for the number of visits."""
        size, coarser = rounding_step(published.train), rounding_step(published.holdout or published.train)
        return ScheduleDetails(
            parts=[
                one.model_copy(
                    update={
                        "value": min(round_to(one.value, size), 1.0),
                        "reference": round_to_or_none(one.reference, coarser),
                        "median_real": None,
                    }
                )
                for one in self.parts
            ]
        )


def schedule_part_name(part: SchedulePart) -> str:
    """Return a part of the schedule as text."""
    if part.what == "follow-up":
        return tr("follow-up after the last visit ({column})", column=column_name(part.column or "", 30))
    return tr("number of visits") if part.what == "visits" else tr("gaps between visits")


def _furthest(score: Score) -> str:
    details = SCHEDULE.read(score)
    if details is None or not details.parts:
        return ""
    worst = details.parts[0]
    return tr("Furthest from real: {column}, at {value}.", column=schedule_part_name(worst), value=number(worst.value))


def _worst_part(details: ScheduleDetails) -> WorstPart | None:
    lost = [(part.reference - part.value, part) for part in details.parts if part.reference is not None]

    def reason(worst: SchedulePart) -> Reason:
        return Reason(
            tr(
                "{part}: synthetic patients agree by {value}, holdout patients by {reference}.",
                part=schedule_part_name(worst),
                value=f"{worst.value:.2f}",
                reference=f"{worst.reference:.2f}",
            ),
            tr("A part of the schedule agrees less than in holdout patients."),
        )

    return beyond_holdout(lost, reason)


SCHEDULE = Kind(
    name="visits.schedule",
    question="Are visits as many and as far apart as in real patients?",
    better="higher",
    method=(
        "mean of 1 - Kolmogorov-Smirnov distance of the number of visits, the gaps between visits and the follow-up "
        f"after the last visit, {AGAINST_PATIENTS}, at most {_MOST_PATIENTS} (Massey, JASA 46:68-78, 1951)"
    ),
    section="visits",
    label="Schedule of visits",
    unit="mean agreement of its parts",
    ideal=1.0,
    details=ScheduleDetails,
    asked=questions.VISITS,
    limit=Limit(">=", 0.85, 0.75, convention("parts of a table of 100 patients agree by 0.9 between real patients")),
    needs=frozenset({"visits"}),
    fail_text="the schedule of visits differs",
    review_text="the schedule of visits may differ",
    action="Do not plan visits or follow-up from this table.",
    answer=_furthest,
    worst_part=_worst_part,
    shared=ScheduleDetails.shared,
    counts="real",
)


def schedule(c: Comparison) -> Score:
    """Score the numbers of visits, the gaps between them, and the follow-up after the last one."""
    pool = PatientPool.of(c)
    visits = pool.visits
    gaps, counts = visits.gaps, visits.counts.astype(np.float64)
    ends = _after_the_last(pool)
    follow_up: What = "follow-up"
    named: list[tuple[What, str | None]] = [
        ("visits", None),
        ("gaps", None),
        *((follow_up, name) for name in ends),
    ]

    def cells(patients: NDArray[np.intp]) -> list[NDArray[np.float64]]:
        each = [counts[patients], gaps[visits.visits_of(patients)], *(end[patients] for end in ends.values())]
        return [part[~np.isnan(part)] for part in each]

    def measure(real: NDArray[np.intp]) -> AgainstPatients:
        agreement = [ks_similarity(part) for part in cells(real)]
        return lambda other: np.array([of(part) for of, part in zip(agreement, cells(other), strict=True)]).clip(0, 1)

    found = pool.estimate(measure, "schedule", most=_MOST_PATIENTS)
    real, synthetic = cells(pool.train), cells(pool.synthetic)
    parts: list[dict[str, Any]] = [
        {
            "what": what,
            "column": column,
            "value": found.parts[k],
            "reference": found.reference_parts[k],
            "median_real": _median(real[k], 11),
            "median_synthetic": _median(synthetic[k], 1),
        }
        for k, (what, column) in enumerate(named)
    ]
    return found.score(
        SCHEDULE,
        baseline=False,
        notes=[no_baseline()],
        details={"parts": sorted(parts, key=lambda part: part["value"])},
    )


def _after_the_last(pool: PatientPool) -> dict[str, NDArray[np.float64]]:
    """Return by column of the role time the (patients,) follow-up after the last visit."""
    visits, names = pool.visits, pool.c.features.names
    last = pool.clock[visits.starts + visits.counts - 1]
    return {name: visits.values[visits.starts, names.index(name)] - last for name in comparable(pool.c.schema)}


def _median(cells: NDArray[np.float64], least: int) -> float | None:
    return float(np.median(cells)) if len(cells) >= least else None
