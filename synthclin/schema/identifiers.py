"""New identifiers of synthetic rows: none is one of the training rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.schema.columns import Id

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.schema.schema import Schema

__all__ = ["first_id", "with_new_identifiers"]


def with_new_identifiers(schema: Schema, table: pd.DataFrame) -> Schema:
    """Return the schema in which identifiers start beyond those of a typed table; see `Id.beyond`.

    Example:
        >>> import pandas as pd
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"id": {"type": "id", "format": "P{:03d}"}}})
        >>> first_id(with_new_identifiers(schema, pd.DataFrame({"id": ["P007"]})))
        101
    """
    columns = dict(schema.columns)
    for name, column in schema.columns.items():
        if isinstance(column, Id) and name in table:
            columns[name] = column.model_copy(update={"start": column.beyond(table[name])})
    return schema if columns == schema.columns else schema.model_copy(update={"columns": columns})


def first_id(schema: Schema) -> int:
    """Return the least number from which identifiers are new in every column; 1 without identifiers."""
    return max((column.start for column in schema.columns.values() if isinstance(column, Id)), default=1)
