"""Longitudinal tables: the declaration of visits, and what it asks of the columns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictInt, model_validator

from synthclin.schema.columns import Column

__all__ = ["MOST_VISITS", "AnyVisits", "Visits", "check_visits"]

MOST_VISITS = 1_000
"""Visits of one patient at most."""


class Visits(BaseModel):
    """The visits of a longitudinal table: their schedule and how many a patient has.

    Arguments:
        schedule: nominal times of the visits, rising, in the unit of the visit time; for dates, days after the first.
        window: how far a visit may lie from its nominal time, before or after it.
        least: fewest visits of a patient.
        most: most visits of a patient.

    Example:
        >>> Visits(schedule=(0, 28, 56), window=3).slot(27.0)
        1
        >>> Visits(schedule=(0, 28, 56), window=3).slot(14.0) is None
        True
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    schedule: Annotated[tuple[StrictInt | StrictFloat, ...], Field(max_length=MOST_VISITS)] = ()
    window: Annotated[StrictInt | StrictFloat, Field(ge=0)] = 0
    least: Annotated[StrictInt, Field(ge=1, le=MOST_VISITS)] = 1
    most: Annotated[StrictInt, Field(ge=2, le=MOST_VISITS)] | None = None

    @model_validator(mode="after")
    def _schedule_rises(self) -> Self:
        apart = [later - earlier for earlier, later in zip(self.schedule, self.schedule[1:], strict=False)]
        if any(distance <= 0 for distance in apart):
            raise ValueError("schedule: the times do not rise. Write them in order, each once.")
        if any(distance <= 2 * self.window for distance in apart):
            raise ValueError("window: the windows of two planned visits overlap. Make it smaller.")
        if self.window and not self.schedule:
            raise ValueError("window: there is no schedule that it belongs to. Add `schedule`.")
        return self

    @model_validator(mode="after")
    def _numbers_are_possible(self) -> Self:
        if self.most is not None and self.most < self.least:
            raise ValueError(f"most: {self.most} visits are fewer than `least`, {self.least}. Swap them.")
        if self.schedule and len(self.schedule) < max(self.least, 2):
            raise ValueError("schedule: it has fewer visits than a patient must have. Add visits, or lower `least`.")
        return self

    @property
    def highest(self) -> int | None:
        """The most visits that a patient may have, by `most` and the schedule; None without either."""
        limits = [limit for limit in (self.most, len(self.schedule) or None) if limit is not None]
        return min(limits, default=None)

    def slot(self, time: float) -> int | None:
        """Return the index of the planned visit in whose window a time lies, or None."""
        near = (i for i, planned in enumerate(self.schedule) if abs(time - planned) <= self.window + 1e-9)
        return next(near, None)


AnyVisits = Visits | Literal["independent"]


def check_visits(columns: Mapping[str, Column], visits: AnyVisits | None) -> None:
    """Raise ValueError where the columns and the declaration of visits do not fit each other.

    Arguments:
        columns: of the schema.
        visits: its `visits`; ``independent`` treats each row as a patient of its own.
    """
    timed = [name for name, column in columns.items() if column.role == "visit"]
    static = [name for name, column in columns.items() if column.static]
    if len(timed) > 1:
        raise ValueError(f"columns: {' and '.join(timed)} both have the role visit. Keep it on one.")
    if visits == "independent":
        return
    for name in timed:
        _check_time(name, columns[name], has_patients=any(column.role == "entity" for column in columns.values()))
    if timed:
        for name, column in columns.items():
            _check_static(name, column)
    elif isinstance(visits, Visits):
        raise ValueError("visits: no column has the time of a visit. Give one `role: visit`.")
    elif static:
        what = f"columns.{static[0]}.static: no column has the time of a visit"
        raise ValueError(f"{what}. Give one `role: visit`, or remove `static`.")


def _check_time(name: str, column: Column, *, has_patients: bool) -> None:
    """Raise ValueError where a column cannot be the time of visits."""
    if not has_patients:
        what = f"columns.{name}.role: `visit` needs the patient of each row, and no column has `role: entity`"
        raise ValueError(f"{what}. Give it to the column of patient identifiers.")
    if not column.modelled or not (column.type in {"integer", "number"} or column.is_temporal):
        what = f"columns.{name}.role: a visit time is an integer, a number, a date or a datetime that is modelled"
        raise ValueError(f"{what}. Change `type`, or remove the role.")
    if column.may_be_missing:
        raise ValueError(f"columns.{name}: a visit time may not be missing. Remove `missing` from it.")
    if column.static or column.anchor_name is not None:
        key = "static" if column.static else "anchor"
        raise ValueError(f"columns.{name}.{key}: the visit time differs between visits. Remove `{key}`.")


def _check_static(name: str, column: Column) -> None:
    """Raise ValueError where a column of visits has to be static, or needs no such key."""
    if not column.static and (column.role == "time" or column.is_randomised):
        what = "the follow-up time" if column.role == "time" else "a randomised arm"
        raise ValueError(f"columns.{name}: {what} is the same at each visit. Declare `static: true`.")
    if column.static and (column.is_identifier or column.derive is not None):
        what = "an identifier" if column.is_identifier else "a derived column"
        raise ValueError(f"columns.{name}.static: {what} needs no such key. Remove it.")
