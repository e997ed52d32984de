"""One row per patient of a longitudinal table: what is static, the number of visits and the first visit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

from synthclin.errors import DataError
from synthclin.expressions import parse
from synthclin.rules.visits import early_follow_up
from synthclin.schema import Schema
from synthclin.schema.columns import Column, Integer, Number
from synthclin.schema.combinations import Combinations
from synthclin.schema.constraints import AnyRule, Rule
from synthclin.schema.visit_times import comparable, times_of
from synthclin.schema.visits import MOST_VISITS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["PatientRows", "follow_up_of", "refuse_early_follow_up", "slacks"]

_ENDPOINT = ("time", "event_when", "censored", "administrative")


@dataclass(frozen=True, slots=True)
class PatientRows:
    """The table of patients: its schema, and the names of the columns that a table of visits lacks.

    Arguments:
        schema: of the patients; the columns of a visit are those of the first one.
        count: name of the column with the number of visits.
        slack: name of the column with the follow-up after the last visit; None without follow-up.
        follow_up: name of the follow-up time.
        between: texts of the rules of its schema that are about the first visit alone, and the rules that they are of.
    """

    schema: Schema
    count: str
    slack: str | None
    follow_up: str | None
    between: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, schema: Schema, follow_up: str | None, constant: tuple[str, ...] = ()) -> Self:
        """Return the table of patients of a longitudinal schema; columns in `constant` have no known first value."""
        count = _free("visits", schema)
        slack = None if follow_up is None else _free("slack", schema)
        kept = {name for name in schema.modelled if name not in {follow_up, *constant}}
        kept -= {name for name in kept if (of := schema.columns[name].reason_for) is not None and of not in kept}
        kept |= set(_computable(schema, kept))
        columns: dict[str, Column] = {}
        for name in schema.columns:
            if name in kept and schema.columns[name].reason_for is None:
                columns[name] = _plain(schema.columns[name], kept, _anchor(name, schema))
        planned = schema.planned
        columns[count] = Integer(range=(planned.least, planned.highest or MOST_VISITS))
        if slack is not None and follow_up is not None:
            columns[slack] = _slack_column(schema, follow_up)
        rules, between, of_rows = list[AnyRule](), dict[str, str](), set[str]()
        for rule in schema.constraints:
            here = _at_first_visit(rule, count)
            if here is not None and set(here.columns) <= kept | {count}:
                rules.append(here)
                if rule.visit_functions:
                    between[here.text] = rule.text
                else:
                    of_rows.add(here.text)
        whole = Schema.model_validate({"columns": columns, "constraints": rules})
        alone = {text: rule for text, rule in between.items() if text not in of_rows}
        return cls(whole, count, slack, follow_up, alone)

    def table(self, visits: pd.DataFrame, patient: Ints, slack: Floats) -> pd.DataFrame:
        """Return the (patients, columns) table of typed visits, sorted by patient and time."""
        first, counts = np.unique(patient, return_index=True, return_counts=True)[1:]
        rows = visits.iloc[first].reset_index(drop=True)
        rows[self.count] = pd.Series(counts, dtype="Int64")
        if self.slack is not None:
            rows[self.slack] = self.schema.columns[self.slack].coerce(pd.Series(slack))[0]
        return rows[list(self.schema.columns)]

    def of_any_visit(self) -> Schema:
        """Return the schema with those rules alone that hold in the row of any visit, the first or a later one."""
        rules = tuple(rule for rule in self.schema.constraints if rule.text not in self.between)
        return self.schema.model_copy(update={"constraints": rules})

    def known_columns(self) -> set[str]:
        """Return the names of columns on which a condition can be imposed while patients are sampled."""
        return {name for name in self.schema.columns if name != self.slack}


def follow_up_of(schema: Schema, table: pd.DataFrame, patient: Ints) -> str | None:
    """Return the follow-up time of which none lies before a patient's last visit; None without such a column.

    Arguments:
        schema: of visits.
        table: typed visits.
        patient: (rows,) number of each row's patient.
    """
    for name in comparable(schema):
        slack = slacks(schema, name, table, patient)
        if np.isfinite(slack).any() and not (slack < 0).any():
            return name
    return None


def refuse_early_follow_up(schema: Schema, follow_up: str | None, table: pd.DataFrame, patient: Ints) -> None:
    """Raise DataError where the given follow-up of a patient ends before the last visit; arguments as of `slacks`."""
    finding = None if follow_up is None else early_follow_up(follow_up, table, patient, schema)
    if finding is not None:
        raise DataError(finding.where, finding.what, finding.remedy)


def slacks(schema: Schema, follow_up: str | None, table: pd.DataFrame, patient: Ints) -> Floats:
    """Return (patients,) the follow-up after the last visit, from the first visit on where visits have dates."""
    assert schema.visit_time is not None
    time = pd.Series(times_of(table[schema.visit_time])).groupby(patient)
    if follow_up is None:
        return np.full(time.ngroups, np.nan)
    last = time.max().to_numpy() - (time.min().to_numpy() if schema.columns[schema.visit_time].is_temporal else 0.0)
    ends = pd.Series(times_of(table[follow_up])).groupby(patient).first().to_numpy()
    # Differences of decimals are exact to twelve digits.
    return np.asarray(np.round(ends - last, 9))


def _at_first_visit(rule: AnyRule, count: str) -> AnyRule | None:
    """Return what a rule says of a patient's row; None where it depends on further visits."""
    if isinstance(rule, Combinations) or not rule.visit_functions:
        return rule
    parts = [None if text is None else parse(text).at_first_visit(count) for text in (rule.when, rule.then)]
    if parts[1] is None or (parts[0] is None) != (rule.when is None):
        return None
    return Rule(when=None if parts[0] is None else parts[0].text, then=parts[1].text)


def _computable(schema: Schema, kept: set[str]) -> Iterator[str]:
    """Yield the derived columns whose sources, derived ones among them, are all kept."""
    known = set(kept)
    for name in schema.computed:
        column = schema.columns[name]
        if column.derive is not None and parse(column.derive).columns <= known:
            known.add(name)
            yield name


def _anchor(name: str, schema: Schema) -> str | None:
    """Return the visit time for a date of the visit without an anchor, where it is a date too; else None."""
    column, time = schema.columns[name], schema.visit_time
    if time is None or name == time or column.static or not (column.is_temporal and schema.columns[time].is_temporal):
        return None
    return time if column.anchor_name is None else None


def _plain(column: Column, kept: set[str], anchor: str | None) -> Column:
    """Return a column without what only a table of visits, or one with all columns, can declare."""
    changes: dict[str, Any] = {"static": False} | ({} if anchor is None else {"anchor": anchor})
    if column.role in {"time", "event", "visit", "entity"}:
        changes |= {"role": None}
        changes |= {key: None for key in _ENDPOINT if key in type(column).model_fields}
    if column.missing_when is not None and not parse(column.missing_when).columns <= kept:
        changes |= {"missing_when": None, "missing": "allowed"}
    if column.anchor_name is not None and column.anchor_name not in kept:
        changes["anchor"] = None
    if column.shift_days is not None:
        changes["shift"] = None
    if column.strata and not set(column.strata) <= kept:
        changes["randomised"] = True
    return column.model_copy(update=changes)


def _slack_column(schema: Schema, follow_up: str) -> Column:
    assert schema.visit_time is not None
    end, time = schema.columns[follow_up], schema.columns[schema.visit_time]
    missing = "allowed" if end.may_be_missing else "never"
    decimals = (end.decimal_places, 0 if time.is_temporal and time.resolution == "D" else time.decimal_places)
    if None not in decimals and not any(decimals):
        return Integer(range=(0, 10**9), missing=missing)
    places = None if None in decimals else max(decimals)  # type: ignore[type-var]
    return Number(range=(0, 1e9), decimals=places, missing=missing)


def _free(name: str, schema: Schema) -> str:
    while name in schema.columns:
        name += "_"
    return name
