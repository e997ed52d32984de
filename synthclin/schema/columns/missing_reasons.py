"""The column of missing reasons for a column with `missing_codes`."""

from __future__ import annotations

from typing import Any

import pandas as pd

from synthclin.schema.columns import parsing
from synthclin.schema.columns.column import Column
from synthclin.schema.columns.levels import Category

__all__ = ["MissingReason"]


class MissingReason(Category):
    """The reason why a cell of another column is missing: the name of its missing code, or missing without one.

    A schema adds it after each column with `missing_codes`, under that column's name and ``_missing``. It is modelled,
    sampled, scored and conditioned on like any category; files have the code in the column itself instead.

    Arguments:
        of: the name of that column.

    Example:
        >>> from synthclin.schema.columns import Integer
        >>> sbp = Integer(range=(50, 260), missing_codes={-9: "unknown", -8: "refused"})
        >>> reasons = MissingReason.for_column("sbp", sbp, "sbp is not missing")
        >>> reasons.read_reasons(sbp, pd.DataFrame({"sbp": [120, -8]})).tolist()
        [nan, 'refused']
    """

    of: str

    @property
    def reason_for(self) -> str:
        """The name of that column."""
        return self.of

    @staticmethod
    def name(of: str) -> str:
        """Return the name of the column of missing reasons for column `of`."""
        return f"{of}_missing"

    @classmethod
    def for_column(cls, of: str, column: Column, unless: str) -> MissingReason:
        """Return the column of missing reasons for `column`; it is missing where the predicate `unless` is true."""
        return cls(
            of=of,
            categories=tuple(column.missing_codes.values()),
            missing=column.missing,
            missing_when=unless,
            static=column.static,
            disclosure=column.disclosure,
        )

    def read_reasons(self, column: Column, table: pd.DataFrame) -> pd.Series[Any]:
        """Return the (rows,) reasons from a table with codes in the column, a column of reasons, or both."""
        coded = pd.Series(column.missing_reasons(table[self.of]), index=table.index, dtype=object)
        name = self.name(self.of)
        if name in table:
            empty = table[self.of].isna().to_numpy() & coded.isna().to_numpy()
            coded = coded.mask(empty, table[name].astype(object))
        return self.coerce(coded)[0]

    def codes(self, column: Column, reasons: pd.Series[Any]) -> pd.Series[Any]:
        """Return the (rows,) missing codes for typed reasons, None where there is none."""
        code = {name: code for code, name in column.missing_codes.items()}
        places = parsing.match(reasons, list(code))
        found = pd.Series([*code.values(), None], dtype=object).iloc[places]
        return found.set_axis(reasons.index)
