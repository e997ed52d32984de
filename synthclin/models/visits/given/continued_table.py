"""The table of given patients with further visits, and the marks of what is sampled in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.expressions import parse
from synthclin.models.visits.trajectories import WHO
from synthclin.rules.rules import finish
from synthclin.schema.dtypes import dtype_names, restored
from synthclin.schema.visit_times import of_patients

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from numpy.typing import NDArray

    from synthclin.models.visits.given.given_visits import GivenVisits
    from synthclin.models.visits.given.reading import Reading
    from synthclin.schema import Schema

    Ints = NDArray[np.int64]

__all__ = ["assembled"]


def assembled(
    table: pd.DataFrame,
    changed: pd.DataFrame,
    schema: Schema,
    reading: Reading,
    visits: pd.DataFrame,
    changes: Collection[str],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the given rows and the new ones after those of their patient, and which cells are sampled.

    Arguments:
        table: the given one.
        changed: the same with replaced static columns.
        schema: of the table.
        reading: of the changed one.
        visits: all visits of each patient, given ones first, numbered in `WHO`.
        changes: the replaced columns.
    """
    given, entity = reading.visits, str(schema.entity)
    fresh = np.ones(len(visits), dtype=np.bool_)
    fresh[_given_places(visits, given)] = False
    whole = finish(visits, schema)
    first = visits[~fresh].groupby(WHO).head(1)
    new = whole[fresh].reset_index(drop=True)
    owner = visits[WHO].to_numpy()
    names = given.table[entity].iloc[given.first].array
    new[entity] = pd.Series(names[owner[fresh]], dtype=whole[entity].dtype)
    rows = changed.reset_index(drop=True).copy()
    marks = pd.DataFrame(data=False, index=rows.index, columns=list(table))
    for name in changes:
        marks[name] = (table[name].reset_index(drop=True).astype(object) != rows[name].astype(object)).to_numpy()
    patient = np.empty(len(rows), dtype=np.int64)
    patient[reading.order] = given.patient
    ends = first.set_index(WHO)
    for name in map(str, given.holes):
        hole = np.empty(len(rows), dtype=np.bool_)
        hole[reading.order] = given.holes[name].to_numpy()
        if name in rows and hole.any():
            cells = restored(pd.DataFrame({name: ends[name].reindex(patient).reset_index(drop=True)}),
                             dtype_names(table, schema))[name]  # fmt: skip
            rows[name] = rows[name].astype(object).where(~hole, cells.astype(object)).astype(cells.dtype)
            marks[name] |= hole
    _recompute(rows, marks, whole[~fresh], reading, dtype_names(table, schema), schema)
    new = restored(new, dtype_names(table, schema))
    told = pd.DataFrame(data=True, index=new.index, columns=list(table))
    told[entity] = False
    for name in (name for name in of_patients(schema) if name in told):
        told[name] = marks[name].groupby(patient).any().to_numpy()[owner[fresh]]
    both = pd.concat([rows, new.reindex(columns=list(rows))], ignore_index=True)
    sampled = pd.concat([marks, told.reindex(columns=list(rows), fill_value=False)], ignore_index=True)
    order = np.argsort(np.concatenate([patient, owner[fresh]]), kind="stable")
    return both.iloc[order].reset_index(drop=True), sampled.iloc[order].reset_index(drop=True)


def _recompute(
    rows: pd.DataFrame,
    marks: pd.DataFrame,
    whole: pd.DataFrame,
    reading: Reading,
    dtypes: Mapping[str, str],
    schema: Schema,
) -> None:
    """Compute derived cells of given rows again where a cell that they are computed from was replaced."""
    back = np.empty(len(rows), dtype=np.int64)
    back[reading.order] = np.arange(len(rows))
    for name in schema.computed:
        formula = schema.columns[name].derive
        sources = [] if formula is None else [one for one in parse(formula).columns if one in marks]
        moved = np.zeros(len(rows), dtype=np.bool_)
        for source in sources:
            moved |= marks[source].to_numpy(dtype=np.bool_)
        if name in rows and moved.any():
            again = restored(pd.DataFrame({name: whole[name].iloc[back].reset_index(drop=True)}), dtypes)[name]
            rows[name] = rows[name].astype(object).where(~moved, again.astype(object)).astype(again.dtype)
            marks[name] |= moved


def _given_places(visits: pd.DataFrame, given: GivenVisits) -> Ints:
    """Return the places of the given visits among all, which are sorted by patient and time."""
    number = visits.groupby(WHO).cumcount().to_numpy()
    return np.flatnonzero(number < given.count[visits[WHO].to_numpy()])
