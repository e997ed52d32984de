"""Validation of a table of visits: times, static columns and follow-up of each patient. Findings hold no value."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.errors import DataError
from synthclin.rules.validation import LINES, LISTED_ROWS, PRINTED_ROWS, Finding
from synthclin.schema.patients import patients
from synthclin.schema.visit_times import comparable, times_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.schema import Schema

__all__ = [
    "early_follow_up",
    "examine_visits",
    "in_order",
    "refuse_rows_as_patients",
    "refuse_visits",
    "rows_as_patients",
]

_FEW_WRONG = 0.01
"""Share of the rows without a time of their own, up to which a column is named as nearly the time of the visit."""

_RISING = 0.95
"""Share of the steps between rows of a patient that rise in such a column."""


def rows_as_patients(table: pd.DataFrame, schema: Schema) -> Finding | None:
    """Return a warning where patients have several rows and the schema does not say what these are, else None.

    Example:
        >>> from synthclin.schema import Schema
        >>> columns = {"who": {"type": "id", "role": "entity"}, "day": {"type": "integer"}}
        >>> schema = Schema.model_validate({"columns": columns})
        >>> rows_as_patients(pd.DataFrame({"who": ["a", "a", "b"], "day": [0, 9, 0]}), schema).where
        'schema.visits'
    """
    if schema.entity is None or schema.visits is not None or schema.visit_time is not None:
        return None
    counts = np.bincount(patients(table, schema)) if schema.entity in table and len(table) else np.zeros(0)
    several = int((counts > 1).sum())
    if not several:
        return None
    verb = "has" if several == 1 else "have"
    what = f"{several:,} of {len(counts):,} patients {verb} several rows, and no column has the time of a visit"
    name, rows = _nearly_the_time(table, schema)
    if name is not None:
        what += f"; column {name!r} would be it but for {rows}"
    remedy = (
        "Give that column `role: visit` and the columns of the patient `static: true`; or declare "
        "`visits: independent`, which treats each row as a patient of its own."
    )
    return Finding("schema.visits", what, remedy, severity="warning")


def _nearly_the_time(table: pd.DataFrame, schema: Schema) -> tuple[str | None, str]:
    """Return the column that would tell the visits of each patient apart but for a few rows, and these in words."""
    patient = patients(table, schema)
    for name in schema.modelled:
        if name not in table or table[name].dtype.kind not in "iufM":
            continue
        time = times_of(table[name])
        keys = pd.DataFrame({"patient": patient, "time": time})
        wrong = ~np.isfinite(time) | keys.duplicated(keep=False).to_numpy()
        if not 0 < wrong.sum() <= max(2, _FEW_WRONG * len(table)):
            continue
        steps = keys[~wrong].groupby("patient")["time"].diff().dropna()
        if len(steps) and (steps > 0).mean() >= _RISING:
            some = ", ".join(f"{row:,}" for row in np.flatnonzero(wrong)[:PRINTED_ROWS] + 1)
            more = ", ..." if wrong.sum() > PRINTED_ROWS else ""
            noun, verb = ("row", "holds") if wrong.sum() == 1 else ("rows", "hold")
            return name, f"{noun} {some}{more}, which {verb} no time or that of another row of the patient"
    return None, ""


def refuse_rows_as_patients(table: pd.DataFrame, schema: Schema) -> None:
    """Raise DataError where patients have several rows and the schema does not say what these are."""
    if (finding := rows_as_patients(table, schema)) is not None:
        raise DataError(finding.where, finding.what, finding.remedy)


def in_order(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return typed visits sorted by patient, in the order of their first rows, and by time.

    Raises:
        DataError: they are not visits of patients; see `examine_visits`.
    """
    if schema.visit_time is None:
        return table
    refuse_visits(table, schema)
    order = np.lexsort((times_of(table[schema.visit_time]), patients(table, schema)))
    return table.iloc[order].reset_index(drop=True)


def refuse_visits(table: pd.DataFrame, schema: Schema) -> None:
    """Raise DataError, naming every problem, where typed rows are no visits of patients."""
    errors = [finding for finding in examine_visits(table, schema) if finding.severity == "error"]
    if errors:
        first, *others = errors
        raise DataError(first.where, first.what, "\n".join([first.remedy, *map(str, others[: LINES - 1])]))


def examine_visits(table: pd.DataFrame, schema: Schema, *, complete: bool = True) -> Iterator[Finding]:
    """Yield the findings on the visits of typed rows; none where each row is a patient of its own.

    Arguments:
        table: the rows.
        schema: of the table.
        complete: whether patients have all their visits, as in training; else their number is not judged.

    Example:
        >>> from synthclin.schema import Schema
        >>> columns = {"who": {"type": "id", "role": "entity"}, "day": {"type": "integer", "role": "visit"},
        ...            "sex": {"type": "category", "static": True}}
        >>> rows = pd.DataFrame({"who": ["a", "a", "b"], "day": [0, 0, 7], "sex": ["F", "M", "F"]})
        >>> for finding in examine_visits(rows, Schema.model_validate({"columns": columns})):
        ...     print(finding)
        column 'day': 2 of 3 rows (1, 2) are visits of one patient at the same time. Remove one of them, or correct ...
        column 'sex': differs between the visits of 1 of 2 patients. Correct the rows, or remove `static` from it.
    """
    name = schema.visit_time
    if name is None or schema.entity not in table or name not in table or not len(table):
        return
    where, patient, time = f"column {name!r}", patients(table, schema), times_of(table[name])
    unknown = table[schema.entity].isna().to_numpy()
    if unknown.any():
        fact = "of a visit hold no patient" if unknown.sum() > 1 else "of a visit holds no patient"
        yield _rows(f"column {schema.entity!r}", unknown, fact, "Fill in the identifier, or remove the rows.")
    missing = ~np.isfinite(time)
    if missing.any():
        fact = "hold no time of the visit" if missing.sum() > 1 else "holds no time of the visit"
        yield _rows(where, missing, fact, "Fill it in, or remove the rows.")
        return
    doubled = pd.DataFrame({"patient": patient, "time": time}).duplicated(keep=False).to_numpy()
    if doubled.any():
        remedy = "Remove one of them, or correct the times."
        yield _rows(where, doubled, "are visits of one patient at the same time", remedy)
    counts = np.bincount(patient)
    if complete:
        if (counts == 1).all():
            remedy = "Remove `role: visit`, or check the patient identifiers."
            yield Finding(where, "no patient has more than one visit", remedy)
            return
        yield from _counts(counts, schema)
    order = np.lexsort((time, patient))
    if (
        not doubled.any()
        and (np.diff(patient) != 0).sum() + 1 == len(counts)
        and (order != np.arange(len(order))).any()
    ):
        moved = np.arange(len(order)) != order
        fact = "are not in the order of the visit time"
        yield _rows(where, moved, fact, "They are sorted before the fit.", severity="warning")
    yield from _static(table, patient, schema)
    yield from _schedule(time, patient, schema)
    yield from _follow_up(table, patient, schema)


def _static(table: pd.DataFrame, patient: NDArray[np.int64], schema: Schema) -> Iterator[Finding]:
    """Yield a finding on each static column that differs between the visits of a patient."""
    first = np.unique(patient, return_index=True)[1]
    for column in schema.static:
        if column in table:
            codes = pd.factorize(table[column])[0]
            varying = len(np.unique(patient[codes != codes[first][patient]]))
            if varying:
                what = f"differs between the visits of {varying:,} of {len(first):,} patients"
                yield Finding(f"column {column!r}", what, "Correct the rows, or remove `static` from it.")


def _counts(counts: NDArray[np.int64], schema: Schema) -> Iterator[Finding]:
    plan = schema.planned
    few, many = int((counts < plan.least).sum()), 0 if plan.highest is None else int((counts > plan.highest).sum())
    for number, fact, key in ((few, f"fewer visits than {plan.least}", "least"), (many, "more visits than", "most")):
        if number:
            limit = "" if key == "least" else f" {plan.highest}"
            what = f"{number:,} of {len(counts):,} patients {'has' if number == 1 else 'have'} {fact}{limit}"
            yield Finding(f"schema.visits.{key}", what, f"Correct the rows, or change `{key}`.")


def _schedule(time: NDArray[np.float64], patient: NDArray[np.int64], schema: Schema) -> Iterator[Finding]:
    plan = schema.planned
    if not plan.schedule or schema.visit_time is None:
        return
    if schema.columns[schema.visit_time].is_temporal:
        time = time - pd.Series(time).groupby(patient).transform("min").to_numpy()
    slots = [plan.slot(each) for each in time.tolist()]
    outside = np.array([slot is None for slot in slots])
    where = f"column {schema.visit_time!r}"
    if outside.any():
        fact = "are outside the windows of the schedule" if outside.sum() > 1 else "is outside the windows"
        yield _rows(where, outside, fact, "Widen `visits.window`, or add to `visits.schedule`.")
        return
    twice = pd.DataFrame({"patient": patient, "slot": slots}).duplicated(keep=False).to_numpy()
    if twice.any():
        yield _rows(where, twice, "share a planned visit with another row of the patient", "Add to `visits.schedule`.")


def _follow_up(table: pd.DataFrame, patient: NDArray[np.int64], schema: Schema) -> Iterator[Finding]:
    """Yield a finding where the only time of an event lies before the last visit of a patient."""
    names = [name for name in comparable(schema) if name in table]
    finding = early_follow_up(names[0], table, patient, schema) if len(names) == 1 else None
    if finding is not None:
        yield finding


def early_follow_up(name: str, table: pd.DataFrame, patient: NDArray[np.int64], schema: Schema) -> Finding | None:
    """Return a finding where a time of an event lies before the last visit of a patient, else None.

    With dates it counts in days from the first visit of the patient.

    Arguments:
        name: of the time of the event.
        table: typed visits.
        patient: (rows,) number of each row's patient.
        schema: with a visit time.
    """
    assert schema.visit_time is not None
    time = times_of(table[schema.visit_time])
    remedy = "Correct the times, write both in one `unit`, or remove visits after the end."
    if schema.columns[schema.visit_time].is_temporal:
        time = time - pd.Series(time).groupby(patient).transform("min").to_numpy()
        remedy = "Correct the times, count them in days from the first visit, or remove visits after the end."
    # Differences of decimals are exact to twelve digits.
    early = len(np.unique(patient[np.round(times_of(table[name]) - time, 9) < 0]))
    if not early:
        return None
    what = f"the follow-up of {early:,} of {int(patient.max()) + 1:,} patients ends before their last visit"
    return Finding(f"column {name!r}", what, remedy)


def _rows(where: str, mask: NDArray[np.bool_], fact: str, remedy: str, severity: str = "error") -> Finding:
    rows = np.flatnonzero(mask) + 1
    listed = ", ".join(map(str, rows[:PRINTED_ROWS])) + (", ..." if len(rows) > PRINTED_ROWS else "")
    what = f"{len(rows):,} of {len(mask):,} rows ({listed}) {fact}"
    return Finding(
        where, what, remedy, len(rows), len(mask), tuple(rows[:LISTED_ROWS].tolist()),
        "warning" if severity == "warning" else "error",
    )  # fmt: skip
