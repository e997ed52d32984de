"""The order of columns in sequential sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from synthclin.encoding.layout import ColumnLayout
    from synthclin.schema import Schema

__all__ = ["column_order"]


def column_order(schema: Schema, columns: Sequence[ColumnLayout]) -> tuple[int, ...]:
    """Return the indices of the columns in sampling order: small cardinality first.

    A randomised arm follows the columns known before randomisation and precedes all others. A column of missing
    reasons comes right before the column that it explains, which is missing wherever a reason is given.
    """
    codes = {column.name: column.cardinality for column in columns}

    known = set(schema.before_randomisation)

    def key(place: int) -> tuple[int, int, int, int]:
        name = columns[place].name
        stage = 0 if schema.randomised is None or name in known else 1 if name == schema.randomised else 2
        column = schema.columns.get(name)
        if column is not None and (explained := column.reason_for) is not None:
            source = next(i for i, other in enumerate(columns) if other.name == explained)
            return stage, min(codes[explained], columns[place].cardinality), source, 0
        return stage, columns[place].cardinality, place, 1

    return tuple(sorted(range(len(columns)), key=key))
