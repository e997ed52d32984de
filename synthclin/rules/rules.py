"""Rules over whole rows: violations, and the computed cells of a synthetic row."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pandas as pd

from synthclin.expressions import parse
from synthclin.schema import Schema
from synthclin.schema.columns import Column, Id

__all__ = ["computed", "finish", "violations"]


def violations(
    table: pd.DataFrame, schema: Schema, judged: Collection[str] | None = None
) -> dict[str, pd.Series[bool]]:
    """Return which rows violate each rule; a rule with an unknown outcome, for a missing value, counts as satisfied.

    Arguments:
        table: rows to judge; rules over columns that it lacks are left out.
        schema: has the constraints, the rules implied by `missing_when` and `derive`, and the valid values of columns.
        judged: columns whose cells are judged by themselves too; None for all. The others must be typed.

    Returns:
        (rows,) bool per rule, under its text; ``age is valid`` covers type, range, levels and missingness of `age`.

    Example:
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"sbp": {"type": "integer"}, "dbp": {"type": "integer"}},
        ...                                 "constraints": ["dbp < sbp"]})
        >>> broken = violations(pd.DataFrame({"sbp": [120, 80, 120], "dbp": [80, 120, None]}), schema)
        >>> {rule: mask.tolist() for rule, mask in broken.items()}
        {'dbp < sbp': [False, True, False], 'sbp is valid': [False, False, False], 'dbp is valid': [False, False, True]}
    """
    typed: dict[str, pd.Series[Any]] = {}
    invalid: dict[str, pd.Series[bool]] = {}
    for name, column in schema.columns.items():
        if judged is not None and name in table.columns and name not in judged:
            typed[name] = table[name]
        elif name in table.columns and not column.is_free_text:
            typed[name], invalid[f"{name} is valid"] = _judged(column, table[name])
    rows = pd.DataFrame(typed, copy=False)
    return {rule.text: rule.broken(rows) for rule in schema.rules if set(rule.columns) <= set(typed)} | invalid


def finish(table: pd.DataFrame, schema: Schema, id_start: int | None = None) -> pd.DataFrame:
    """Return sampled rows as a whole table: derived columns computed, `missing_when` applied, identifiers numbered.

    Arguments:
        table: the modelled columns, typed.
        schema: what to compute, and the order of columns.
        id_start: the number of the first identifier; by default the `start` of its column.

    Returns:
        a new table with the columns of the schema without free text. The function is idempotent.

    Example:
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {
        ...     "patient": {"type": "id", "format": "P{:03d}"},
        ...     "weight": {"type": "number"}, "height": {"type": "number"},
        ...     "bmi": {"type": "number", "decimals": 1, "derive": "weight / (height / 100) ** 2"}}})
        >>> sampled = pd.DataFrame({"weight": [80.0], "height": [180.0]})
        >>> finish(sampled, schema).to_dict("records")
        [{'patient': 'P001', 'weight': 80.0, 'height': 180.0, 'bmi': 24.7}]
    """
    finished = computed(table, schema)
    for name, column in schema.columns.items():
        if isinstance(column, Id):
            finished[name] = pd.Series(column.fresh(len(table), id_start), index=table.index, dtype=column.dtype)
    return finished[[name for name, column in schema.columns.items() if not column.is_free_text]]


def computed(table: pd.DataFrame, schema: Schema) -> pd.DataFrame:
    """Return sampled rows as `finish` does, but without identifiers, which no rule or condition names.

    Proposals need none: numbering them takes longer than sampling them.
    """
    found = table.copy()
    for name in schema.computed:
        column = schema.columns[name]
        if column.derive is not None:
            found[name] = _derived(column, column.derive, found)
        if column.missing_when is not None and not column.is_free_text:
            empty = parse(column.missing_when).evaluate(found).fillna(False).astype(bool)
            found[name] = found[name].mask(empty)
    kept = [name for name, column in schema.columns.items() if not (column.is_free_text or isinstance(column, Id))]
    return found[kept]


def _judged(column: Column, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
    """Return a column typed, and which of its cells are not valid."""
    typed, unread = column.coerce(series)
    invalid = unread.to_numpy(dtype=bool, copy=True)
    if not column.may_be_missing:
        invalid |= typed.isna().to_numpy()
    for problem in column.problems(typed):
        if problem.severity == "error":
            invalid |= problem.mask.to_numpy(dtype=bool)
    return typed, pd.Series(invalid, index=unread.index)


def _derived(column: Column, text: str, table: pd.DataFrame) -> pd.Series[Any]:
    """Return a computed column, typed and rounded as declared; missing where it cannot be computed."""
    expression = parse(text)
    if column.truth_values is not None:
        no, yes = column.truth_values
        return column.coerce(expression.evaluate(table).astype(object).map({False: no, True: yes}))[0]
    decimals = column.decimal_places
    values = expression.compute(table)
    if decimals is not None:
        values = values.round(decimals) + 0.0  # no -0.0
    return column.coerce(values)[0]
