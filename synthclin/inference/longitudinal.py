"""Inference of visits: the patient of each row, the time of a visit, and what is the same at each visit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from synthclin.inference import name_hints
from synthclin.schema.columns import Integer, Number
from synthclin.schema.patients import MIN_PATIENTS, numbered
from synthclin.schema.visit_times import times_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from synthclin.inference.guesses import Guess
    from synthclin.schema import Schema
    from synthclin.schema.columns import AnyColumn

__all__ = ["VisitGuess", "guess_visits", "numbered_entity"]

_VISIT = "visit|vis|visits|day|days|week|weeks|month|months|year|years|yr|time|date|dt|dtm|age|wave|occasion|cycle|seq"
_LEAST_STATIC = 2
"""Columns that must be constant within the values of a whole number before it counts as a patient's number."""

_RISING = 0.95
"""Share of patients whose times rise in the order of the file, for a column whose name does not tell a time."""

_LEAST_LATE, _SHARE_LATE = 10.0, 0.1
"""Patients, and share of them, who by chance would have a visit after a column that is taken for the follow-up time."""


class VisitGuess(NamedTuple):
    """What a table tells about visits.

    Arguments:
        time: name of the visit time, None where no column is one.
        static: names of the columns that are the same at each visit.
        evidence: by column the reason.
        column: the visit time as a number, where its few values were read as levels.
        follow_up: name of the static time that no visit is after; None without one.
        schedule: the planned times, where each of few values has enough patients; empty otherwise.
    """

    time: str | None
    static: tuple[str, ...]
    evidence: dict[str, str]
    column: AnyColumn | None = None
    follow_up: str | None = None
    schedule: tuple[int | float, ...] = ()

    def reasons(self, name: str) -> list[str]:
        """Return the evidence on one column, as a list of at most one."""
        return [self.evidence[name]] if name in self.evidence else []


def numbered_entity(table: pd.DataFrame, guesses: Mapping[str, Guess], declared: Iterable[str]) -> str | None:
    """Return whole numbers or text that identify the patient though no name says so; None without such a column.

    Each of its values has its rows side by side, several columns are constant within all values, and another column
    never repeats within one.

    Example:
        >>> from synthclin.inference.guesses import Guess
        >>> from synthclin.schema.columns import Integer
        >>> who = np.repeat(np.arange(1, 31), 3)
        >>> table = pd.DataFrame({"nr": who, "day": [0, 30, 60] * 30, "sex": who % 2, "age": 40 + who * 7 % 23})
        >>> numbered_entity(table, {name: Guess(Integer(), []) for name in table}, ())
        'nr'
    """
    for name, guess in guesses.items():
        suits = guess.column.is_integer or (
            guess.column.type in {"text", "code", "id"} and pd.api.types.infer_dtype(table[name]) == "string"
        )
        if name in declared or name not in table or not suits or table[name].isna().any():
            continue
        patient = numbered(table[name])
        if not _repeats(patient) or not _side_by_side(patient):
            continue
        others = [other for other in table if other != name]
        constant = sum(_constant(table[other], patient) and _varies(table[other]) for other in others)
        if constant >= _LEAST_STATIC and any(_distinct(table[other], patient) for other in others):
            return name
    return None


def guess_visits(table: pd.DataFrame, schema: Schema, declared: Iterable[str] = ()) -> VisitGuess:
    """Return the visit time and the static columns of a table whose patients have several rows.

    Arguments:
        table: typed by `schema`, in the order of the file.
        schema: what its columns mean.
        declared: columns whose declaration stays unchanged.

    Example:
        >>> from synthclin.schema import Schema
        >>> columns = {"who": {"type": "id", "role": "entity"}, "day": {"type": "integer"}, "sex": {"type": "category"}}
        >>> who, sex = [i // 2 for i in range(44)], ["F", "F", "M", "M"] * 11
        >>> table = pd.DataFrame({"who": who, "day": [0, 7] * 22, "sex": sex})
        >>> guess_visits(table, Schema.model_validate({"columns": columns})).time
        'day'
    """
    nothing = VisitGuess(None, (), {})
    if schema.entity is None or schema.entity not in table or table[schema.entity].isna().any():
        return nothing
    patient = numbered(table[schema.entity])
    if not _repeats(patient):
        return nothing
    known = set(declared)
    several = int((np.bincount(patient) > 1).sum())
    declared_time = schema.visit_time
    time = declared_time or _time(table, schema, patient, known)
    if time is None:
        return nothing
    evidence: dict[str, str] = {}
    if declared_time is None:
        evidence[time] = f"tells the visits apart: no two rows of one of {several} patients share a value"
    static = tuple(
        name
        for name in schema.modelled
        if name in table and name not in known and name != time and schema.columns[name].reason_for is None
        if _constant(table[name], patient) and _varies(table[name])
    )
    evidence |= {name: f"the same in all rows of each of {len(np.unique(patient))} patients" for name in static}
    end, by_chance = _follow_up(table, schema, patient, time, static)
    if end is not None:
        told = f"no visit is after it; by chance {by_chance:.0f} of {len(np.unique(patient))} patients would have one"
        evidence[end] = f"{evidence[end]}; {told}: the follow-up time"
    schedule = () if declared_time is not None else _schedule(schema.columns[time])
    if schedule:
        evidence[time] += f"; {len(schedule)} planned times: all visits are at one of them"
    return VisitGuess(time, static, evidence, _as_number(schema.columns[time]), end, schedule)


def _follow_up(
    table: pd.DataFrame, schema: Schema, patient: NDArray[np.int64], time: str, static: tuple[str, ...]
) -> tuple[str | None, float]:
    """Return the static time that no visit is after though by chance many would be, and how many patients."""
    if any(column.role == "time" for column in schema.columns.values()):
        return None, 0.0
    dated = schema.columns[time].is_temporal
    cells = table[time].astype(float) if isinstance(table[time].dtype, pd.CategoricalDtype) else table[time]
    groups = pd.Series(times_of(cells)).groupby(patient)
    last = (groups.max() - groups.min() if dated else groups.max()).to_numpy()
    first = np.unique(patient, return_index=True)[1]
    found: list[tuple[float, str, float]] = []
    for name in static:
        column = schema.columns[name]
        bounds = column.bounds
        if not column.is_numeric or column.role is not None or bounds is None or not float(str(bounds[0])) >= 0:
            continue
        if dated and not column.is_integer:
            continue
        ends = times_of(table[name].iloc[first])
        known = np.isfinite(ends)
        ends, visited = ends[known], last[known]
        if not len(ends) or (ends < visited).any():
            continue
        by_chance = float(np.searchsorted(np.sort(ends), visited, side="left").mean())
        if by_chance >= max(_LEAST_LATE, _SHARE_LATE * len(ends)):
            found.append((float(np.median(ends - visited)), name, by_chance))
    return (None, 0.0) if not found else min(found)[1:]


def _time(table: pd.DataFrame, schema: Schema, patient: NDArray[np.int64], known: set[str]) -> str | None:
    """Return the visit time: distinct within each patient, by its name or rising in the file; the finest one."""
    found: list[tuple[bool, int, str]] = []
    for name in schema.modelled:
        column = schema.columns[name]
        suits = column.type in {"integer", "number"} or column.is_temporal or _as_number(column) is not None
        if (
            not suits
            or column.may_be_missing
            or name not in table
            or name in known
            or column.role is not None
            or column.anchor_name is not None
        ):
            continue
        if not _distinct(table[name], patient):
            continue
        named, rising = _named(name), _rising(table[name], patient)
        # Two levels that rise may be any pair, such as the left and the right eye.
        few = column.levels is not None and not column.is_ordered and len(column.levels) <= 2
        if named or (rising >= _RISING and not few):
            found.append((rising >= _RISING and named, rising >= _RISING, name))
    # The finest one: a number of the visit beside a day is a column like others.
    return max(found, key=lambda each: (each[0], each[1], table[each[2]].nunique()), default=(False, 0, None))[2]


def _schedule(column: AnyColumn) -> tuple[int | float, ...]:
    """Return the planned times of visits: the levels of a column of numbers that has no others; else none."""
    if _as_number(column) is None or column.other is not None:
        return ()
    return tuple(sorted(level for level in column.levels or () if isinstance(level, int | float)))


def _as_number(column: AnyColumn) -> AnyColumn | None:
    """Return a column whose levels are numbers, such as planned days, as a number; None for any other."""
    levels = column.levels
    if not levels or not all(isinstance(level, int | float) and not isinstance(level, bool) for level in levels):
        return None
    numbers = [float(level) for level in levels if isinstance(level, int | float)]
    whole = all(number.is_integer() for number in numbers)
    low, high = min(numbers), max(numbers)
    return Integer(range=(int(low), int(high))) if whole else Number(range=(low, high))


def _named(name: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|[^A-Za-z0-9]+", " ", name).lower().split()
    return any(re.fullmatch(_VISIT, word) for word in words) and not name_hints.identifies_person(name)


def _repeats(patient: NDArray[np.int64]) -> bool:
    """Whether enough patients have several rows."""
    counts = np.bincount(patient)
    return len(counts) >= 2 * MIN_PATIENTS and int((counts > 1).sum()) >= MIN_PATIENTS


def _side_by_side(patient: NDArray[np.int64]) -> bool:
    """Whether all rows of each patient are neighbours."""
    return int((np.diff(patient) != 0).sum()) + 1 == int(patient.max()) + 1


def _constant(cells: pd.Series, patient: NDArray[np.int64]) -> bool:
    codes = pd.factorize(cells)[0]
    first = np.unique(patient, return_index=True)[1]
    return bool((codes == codes[first][patient]).all())


def _varies(cells: pd.Series) -> bool:
    return len(pd.unique(cells)) > 1


def _distinct(cells: pd.Series, patient: NDArray[np.int64]) -> bool:
    """Whether no two rows of a patient share a value, and patients share values or have many."""
    if cells.isna().any():
        return False
    return not pd.DataFrame({"patient": patient, "value": pd.factorize(cells)[0]}).duplicated().any()


def _rising(cells: pd.Series, patient: NDArray[np.int64]) -> float:
    """Return the share of patients with several rows whose times rise in the order of the file."""
    numbers = cells.astype(float) if isinstance(cells.dtype, pd.CategoricalDtype) else cells
    steps = pd.Series(times_of(numbers)).groupby(patient).diff()
    several = np.bincount(patient) > 1
    falls = np.unique(patient[(steps <= 0).to_numpy()])
    return 1 - len(falls) / max(int(several.sum()), 1)
