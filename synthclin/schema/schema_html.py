"""A schema in a notebook: a table with a row per column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.io.html_card import card
from synthclin.schema.columns import Column, MissingReason

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["schema_html"]

_HEAD = ("column", "label", "type", "unit", "range or levels", "missing", "role", "disclosure")


def schema_html(columns: Mapping[str, Column], constraints: int) -> str:
    """Return an HTML table of the declared columns with label, type, unit, extent, missing, role and disclosure.

    Levels are counted, never named.

    Arguments:
        columns: of the schema, by name.
        constraints: how many rules the schema has.
    """
    columns = {name: column for name, column in columns.items() if not isinstance(column, MissingReason)}
    rows = [
        (
            name,
            column.label,
            column.type,
            column.unit,
            _extent(column),
            _missing(column),
            column.role,
            column.disclosure,
        )
        for name, column in columns.items()
    ]
    title = f"Schema: {len(columns):,} columns, {constraints:,} constraints"
    return card(title, head=_HEAD, rows=rows)


def _extent(column: Column) -> str:
    """Return the declared range, or the number of declared levels."""
    if column.is_categorical:
        return "levels of the table" if column.levels is None else f"{len(column.levels):,} levels"
    if column.derive is not None:
        return "computed"
    bounds = column.bounds
    return "" if bounds is None else f"{_plain(bounds[0])} to {_plain(bounds[1])}"


def _plain(bound: object) -> str:
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def _missing(column: Column) -> str:
    """Return whether cells may be missing, and for how many declared reasons."""
    said = ["when a condition holds"] if column.missing_when is not None else []
    said += [column.missing] if column.missing == "allowed" or not said else []
    said += [f"{len(column.missing_codes)} codes"] if column.missing_codes else []
    return ", ".join(said)
