"""Reading of given patients: typed visits in order, static cells made one per patient, and the cells to impute."""

from __future__ import annotations

import ast
from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.errors import ConfigError, DataError
from synthclin.expressions import parse
from synthclin.models.visits.given.given_visits import GivenVisits
from synthclin.rules.rules import violations
from synthclin.rules.validation import LINES, judge
from synthclin.rules.visits import examine_visits
from synthclin.sampling.completion import finished
from synthclin.sampling.equalities import Equalities
from synthclin.sampling.observed import Partial
from synthclin.schema.combinations import Combinations
from synthclin.schema.constraints import Rule
from synthclin.schema.patients import patients as patients_of
from synthclin.schema.visit_times import times_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding import TableEncoder
    from synthclin.schema import Schema

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["Reading", "read_visits"]


@dataclass(frozen=True, slots=True)
class Reading:
    """Given patients.

    Arguments:
        visits: their visits, sorted.
        order: (rows,) the row of the table of each visit.
        partial: the typed cells in the order of the table.
    """

    visits: GivenVisits
    order: Ints
    partial: Partial


def read_visits(table: pd.DataFrame, encoder: TableEncoder, columns: Collection[str] | None, what: str) -> Reading:
    """Return the visits of a table, with missing cells of `columns` to be imputed; None for all.

    A static cell that is missing in some rows of a patient is that of the other rows.

    Raises:
        DataError: a visit lacks its patient or time, static cells of a patient differ, or given cells violate a rule.
        ConfigError: a column to impute is not modelled.
    """
    schema, names = encoder.schema, list(encoder.codecs)
    for name in columns or ():
        if name not in names:
            raise ConfigError(
                f"{what}: `columns`", f"{name!r} is not a modelled column", f"Choose from {_listed(names)}."
            )
    asked = set(names if columns is None else columns)
    entity, time = schema.entity, schema.visit_time
    assert entity is not None
    assert time is not None
    for name, role in ((entity, "the patient"), (time, "the time")):
        if name not in table:
            text = f"column {name!r} with {role} of each visit is absent"
            raise DataError("table", text, "Add it: it is never imputed.")
    partial = Partial.read(table, encoder, asked).deduced(encoder, Equalities(encoder, schema))
    cells = partial.cells.assign(**{entity: schema.columns[entity].coerce(table[entity].reset_index(drop=True))[0]})
    holes = pd.DataFrame(partial.holes & partial.unknown, columns=names)
    _refuse_blank(cells, schema)
    patient = patients_of(cells, schema)
    for name in schema.static:
        # Of several rows of a patient, one is enough.
        found = cells[name].groupby(patient).transform("first")
        holes[name] &= found.isna().to_numpy()
        cells[name] = cells[name].where(cells[name].notna(), found.astype(cells[name].dtype))
        asked_here = name in asked
        holes[name] |= cells[name].isna().to_numpy() & asked_here & (name not in table)
    errors = [one for one in examine_visits(cells, schema, complete=False) if one.severity == "error"]
    if errors:
        first, *others = errors
        raise DataError(first.where, first.what, "\n".join([first.remedy, *map(str, others[: LINES - 1])]))
    order = np.lexsort((times_of(cells[time]), patient))
    rows = cells.iloc[order].reset_index(drop=True)
    sorted_holes = holes.iloc[order].reset_index(drop=True)
    rows = finished(schema, rows, rows[names]).assign(**{entity: rows[entity]})
    rows = rows[[name for name in schema.columns if name in rows]]
    broken = _broken(rows, sorted_holes, patient[order], schema)
    return Reading(GivenVisits(rows, patient[order], sorted_holes, broken), order, partial)


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)


def _refuse_blank(cells: pd.DataFrame, schema: Schema) -> None:
    """Raise DataError where a visit lacks its patient or its time."""
    for name, fact in ((schema.entity, "no patient"), (schema.visit_time, "no time of the visit")):
        missing = np.flatnonzero(cells[str(name)].isna()) + 1
        if len(missing):
            listed = ", ".join(map(str, missing[:5])) + (", ..." if len(missing) > 5 else "")
            verb = "holds" if len(missing) == 1 else "hold"
            text = f"{len(missing):,} of {len(cells):,} rows ({listed}) {verb} {fact}, which is never imputed"
            raise DataError(f"column {name!r}", text, "Fill it in, or remove the rows.")


def _broken(table: pd.DataFrame, holes: pd.DataFrame, patient: Ints, schema: Schema) -> dict[str, Bools]:
    """Return by rule the rows whose given cells violate it; DataError where its `on_violation` is an error."""
    found = {text: mask.to_numpy(dtype=np.bool_) for text, mask in violations(table, schema).items()}
    for rule in schema.rules:
        if rule.text not in found:
            continue
        certain = found[rule.text] & ~_open(rule, holes, patient)
        finding = judge(rule, table, certain)
        if finding is not None and rule.on_violation == "error":
            raise DataError(finding.where, finding.what, finding.remedy)
        # Whatever is imputed has to satisfy the rule.
        found[rule.text] = certain
    return found


def _open(rule: Rule | Combinations, holes: pd.DataFrame, patient: Ints) -> Bools:
    """Return (rows,) where a rule that is violated while cells are unknown may be satisfied once they are imputed.

    A comparison with an unknown cell is unknown and violates nothing, so only rules on missingness may be, and those
    that leave out unknown visits.
    """
    leaves_out = bool(rule.visit_functions & {"any", "all"})
    named = [name for name in rule.columns if name in holes]
    if not named or not (leaves_out or isinstance(rule, Combinations) or any(map(_on_missing, rule.expressions))):
        return np.zeros(len(holes), dtype=np.bool_)
    unknown = holes[named].to_numpy(dtype=np.bool_).any(axis=1)
    if rule.visit_functions:
        unknown = pd.Series(unknown).groupby(patient).transform("any").to_numpy()
    return np.asarray(unknown, dtype=np.bool_)


def _on_missing(text: str) -> bool:
    """Whether an expression asks if a cell is missing."""
    return any(isinstance(node, ast.Is | ast.IsNot) for node in ast.walk(parse(text).tree))
