"""Types of the details of scores of patients with visits."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from pydantic import Field, StrictInt, StrictStr

from synthclin.evaluation.details import Correlation, Details
from synthclin.evaluation.disclosure import CORRELATION_STEP, Published, round_to_or_none
from synthclin.evaluation.kind import Reason, WorstPart
from synthclin.evaluation.labels import column_name
from synthclin.evaluation.score import Score, details_of
from synthclin.language import tr
from synthclin.wording import number

__all__ = ["VisitColumn", "VisitColumns", "beyond_holdout", "judged", "named_distance", "named_worst"]

Part = TypeVar("Part")

_BEYOND, _FAR_BEYOND = 0.2, 0.3  # difference of a column or part beyond that of holdout patients


class VisitColumn(Details):
    """One column: a figure of training and of synthetic patients, and how far others are from training patients."""

    column: StrictStr
    """Name of the column."""
    part: Annotated[StrictInt, Field(ge=0)] | None
    """Which figure of the column: the lag in visits, the window of time from 1, or 1 for cells after a missing one and
    0 for others; None where the column has one figure."""
    real: Correlation | None
    """The figure of training patients, of several levels their mean; None where it is not known."""
    synthetic: Correlation | None
    """The figure of synthetic patients; None likewise."""
    difference: Annotated[float, Field(ge=0, le=2)] | None
    """Mean absolute difference of synthetic from training patients, in halves of the real ones."""
    reference: Annotated[float, Field(ge=0, le=2)] | None
    """The same of holdout patients in the place of synthetic ones."""


class VisitColumns(Details):
    """Details of a score of patients, column by column."""

    columns: list[VisitColumn]
    """The columns, the largest difference first."""

    def shared(self, _published: Published) -> VisitColumns:
        """Return rounded figures of real patients."""
        return VisitColumns(
            columns=[
                one.model_copy(
                    update={
                        "real": round_to_or_none(one.real, CORRELATION_STEP),
                        "difference": round_to_or_none(one.difference, CORRELATION_STEP),
                        "reference": round_to_or_none(one.reference, CORRELATION_STEP),
                    }
                )
                for one in self.columns
            ]
        )

    @property
    def worst(self) -> VisitColumn | None:
        """The column with the largest difference; None without one."""
        return next((one for one in self.columns if one.difference is not None), None)


def named_worst(score: Score) -> str:
    """Return the column with the largest difference as a sentence; empty where none has one."""
    details = details_of(score, VisitColumns)
    worst = None if details is None else details.worst
    if worst is None:
        return ""
    if worst.real is None or worst.synthetic is None:
        return named_distance(score)
    return tr(
        "Furthest from real: {column}, {synthetic} in synthetic and {real} in training patients.",
        column=column_name(worst.column, 30),
        synthetic=number(worst.synthetic),
        real=number(worst.real),
    )


def named_distance(score: Score) -> str:
    """Return the column with the largest difference and this difference as a sentence; empty where none has one.

    For scores whose difference is not one of the figures of real and of synthetic patients.
    """
    details = details_of(score, VisitColumns)
    worst = None if details is None else details.worst
    if worst is None:
        return ""
    return tr(
        "Furthest from real: {column}, by {difference}.",
        column=column_name(worst.column, 30),
        difference=number(worst.difference),
    )


def judged(details: Any) -> WorstPart | None:  # noqa: ANN401 (details of several kinds)
    """Return the verdict on the column furthest beyond holdout patients, which a mean over columns would hide."""
    lost = [
        (one.difference - one.reference, one)
        for one in details.columns
        if one.difference is not None and one.reference is not None
    ]

    def reason(worst: VisitColumn) -> Reason:
        return Reason(
            tr(
                "Column '{column}' differs by {value}; holdout patients differ by {reference}.",
                column=worst.column,
                value=f"{worst.difference:.2f}",
                reference=f"{worst.reference:.2f}",
            ),
            tr("A column differs more than in holdout patients."),
        )

    return beyond_holdout(lost, reason)


def beyond_holdout(lost: Iterable[tuple[float, Part]], reason: Callable[[Part], Reason]) -> WorstPart | None:
    """Return the verdict on the part furthest beyond holdout patients; None where none is far.

    Arguments:
        lost: by how much each part is further from training patients than holdout patients are, and the part.
        reason: of the verdict on a part.
    """
    gap, worst = max(lost, key=lambda one: one[0], default=(0.0, None))
    if worst is None or gap <= _BEYOND:
        return None
    return WorstPart("FAIL" if gap > _FAR_BEYOND else "REVIEW", reason(worst))
