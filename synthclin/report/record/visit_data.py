"""Types of the data of figures of visits: numbers of visits, mean curves over time, courses of synthetic patients."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr, model_validator

__all__ = ["CourseCurve", "CoursePoint", "Courses", "VisitCounts", "VisitFacts"]

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Count = Annotated[StrictInt, Field(ge=0)]
_Place = Annotated[list[_Finite], Field(min_length=2, max_length=2)]


class _Open(BaseModel):
    """Base of types that ignore unknown keys."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True)


class VisitCounts(_Open):
    """Patients with at least so many visits."""

    least: list[_Count]
    """The number of visits."""
    most: list[_Count]
    """The largest number of visits that is counted with it."""
    real: list[_Count | None]
    """Training patients with at least so many; null where suppressed."""
    synthetic: list[_Count]
    """Synthetic patients with at least so many."""

    @model_validator(mode="after")
    def _runs_agree(self) -> VisitCounts:
        if len({len(self.least), len(self.most), len(self.real), len(self.synthetic)}) != 1:
            raise ValueError("least, most, real and synthetic differ in their number of runs")
        return self


class CoursePoint(_Open):
    """Mean and quartiles of the patients who were seen in a window of time."""

    patients: _Count
    """Number of patients; each counts once, with the mean of their visits in the window."""
    mean: _Finite
    """Mean; of a level, its share."""
    low: _Finite | None
    """Lower quartile; null for a level, and where suppressed."""
    high: _Finite | None
    """Upper quartile; null for a level, and where suppressed."""


class CourseCurve(_Open):
    """The course of one column over time."""

    column: StrictStr
    """Name of the column."""
    unit: StrictStr | None
    """Unit of the column, in UCUM."""
    level: StrictStr | None
    """The level whose share is shown; null for a number."""
    edges: list[_Finite]
    """Edges of the windows of time."""
    sd: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    """Standard deviation of the training visits."""
    real: list[CoursePoint | None]
    """Training patients in each window; null where fewer than 11 are in it, or 1 to 10 have the level or
    another one."""
    synthetic: list[CoursePoint | None]
    """Synthetic patients in each window; null where there is none."""

    @model_validator(mode="after")
    def _windows_agree(self) -> CourseCurve:
        if not len(self.real) == len(self.synthetic) == len(self.edges) - 1:
            raise ValueError("real, synthetic and edges differ in their number of windows")
        if any(left >= right for left, right in pairwise(self.edges)):
            raise ValueError("edges do not increase")
        return self


class Courses(_Open):
    """Courses of some synthetic patients."""

    column: StrictStr
    """Name of the column."""
    unit: StrictStr | None
    """Unit of the column, in UCUM."""
    levels: list[StrictStr] = Field(default_factory=list)
    """The levels of an ordered column, whose places from 0 are its values; empty for a number."""
    patients: list[list[_Place]]
    """For each patient, time and value of each visit."""


class VisitFacts(_Open):
    """Data of the figures of visits."""

    unit: StrictStr | None = None
    """Unit of the time."""
    since_first: StrictBool = False
    """Whether the time is counted from the first visit of a patient."""
    counts: VisitCounts
    """Patients by number of visits."""
    curves: list[CourseCurve] = Field(default_factory=list)
    """Mean curves of the columns."""
    courses: list[Courses] = Field(default_factory=list)
    """Courses of synthetic patients."""
