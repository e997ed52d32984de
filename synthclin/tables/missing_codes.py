"""Missing reasons in files: missing codes in the column itself, without a column of reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.schema.columns import MissingReason

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.schema import Schema

__all__ = ["missing_codes", "names_in_file"]


def names_in_file(table: pd.DataFrame, schema: Schema) -> list[str]:
    """Return the columns of a typed table that a file has."""
    return [name for name in table.columns if (column := schema.columns.get(name)) is None or column.reason_for is None]


def missing_codes(table: pd.DataFrame, schema: Schema) -> dict[str, pd.Series]:
    """Return by column the (rows,) codes to write, missing where a cell has a value or is missing without a code.

    Example:
        >>> import pandas as pd
        >>> from synthclin.schema import Schema
        >>> sbp = {"type": "integer", "range": [50, 260], "missing_codes": {-9: "unknown"}}
        >>> schema = Schema.model_validate({"columns": {"sbp": sbp}})
        >>> table = pd.DataFrame({"sbp": [120, None], "sbp_missing": [None, "unknown"]})
        >>> missing_codes(table, schema)["sbp"].tolist()
        [nan, -9]
    """
    codes = {}
    for name in table.columns:
        reasons = schema.columns.get(name)
        if isinstance(reasons, MissingReason) and reasons.of in table:
            coded = reasons.codes(schema.columns[reasons.of], table[name])
            codes[reasons.of] = coded.mask(table[reasons.of].notna())
    return codes
