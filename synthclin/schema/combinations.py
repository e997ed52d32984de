"""A table constraint: the allowed combinations of levels of several columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from synthclin.errors import DataError
from synthclin.schema.columns import Level

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Combinations", "OnViolation"]

OnViolation = Literal["error", "drop", "keep"]
"""The treatment of real rows that violate a rule: refuse the table, drop the rows, or keep them for training."""


class Combinations(BaseModel):
    """Allowed combinations of levels in a row; a row with a missing cell in one of the columns satisfies the rule.

    Arguments:
        columns: two or more.
        combinations: the allowed ones, a level for each column; ``observed`` stands for those of the training rows,
            without the ones of too few patients.
        on_violation: the treatment of real rows that violate the rule.

    Example:
        >>> rule = Combinations(columns=("dzgroup", "dzclass"), combinations=(("CHF", "organ"), ("Coma", "brain")))
        >>> rows = pd.DataFrame({"dzgroup": ["CHF", "CHF", None], "dzclass": ["organ", "brain", "brain"]})
        >>> rule.broken(rows).tolist()
        [False, True, False]
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    columns: Annotated[tuple[str, ...], Field(min_length=2, max_length=10)]
    combinations: Literal["observed"] | Annotated[tuple[tuple[Level, ...], ...], Field(min_length=1)] = "observed"
    on_violation: OnViolation = "error"

    @model_validator(mode="after")
    def _one_level_per_column(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("columns: one is listed twice. Name each once.")
        if self.combinations != "observed" and any(len(one) != len(self.columns) for one in self.combinations):
            raise ValueError("combinations: one lacks a level for a column. Complete it.")
        return self

    @property
    def text(self) -> str:
        """The rule as one line, without a level."""
        return f"combinations of {', '.join(self.columns)}"

    @property
    def expressions(self) -> tuple[str, ...]:
        """None: the rule has no expression."""
        return ()

    def broken(self, table: pd.DataFrame) -> pd.Series[bool]:
        """Return (rows,) which rows of a typed table have a forbidden combination; none before `fitted`."""
        if self.combinations == "observed":
            return pd.Series(data=False, index=table.index)
        cells = table[list(self.columns)].astype(object)
        known = pd.MultiIndex.from_frame(cells).isin(list(self.combinations))
        return pd.Series(~known & cells.notna().all(axis=1).to_numpy(), index=table.index)

    def fitted(self, table: pd.DataFrame, patient: NDArray[np.int64], least: int) -> Combinations:
        """Return the rule with the combinations of at least `least` patients of a typed table.

        Arguments:
            table: (rows, columns), the training rows.
            patient: (rows,) the number of each row's patient.
            least: a combination of fewer patients is never sampled.

        Raises:
            DataError: no combination has that many patients.

        Example:
            >>> rows = pd.DataFrame({"a": ["x", "x", "y"], "b": [1, 1, 2]})
            >>> Combinations(columns=("a", "b")).fitted(rows, np.arange(3), least=2).combinations
            (('x', 1),)
        """
        if self.combinations != "observed":
            return self
        cells = table[list(self.columns)].astype(object).assign(**{"": patient})
        counts = cells.dropna().drop_duplicates().groupby(list(self.columns), sort=False).size()
        kept = [tuple(map(_plain, one)) for one in counts.index[counts >= least]]
        if not kept:
            what = f"no combination has {least:,} patients, so that none can be sampled"
            raise DataError(f"rule '{self.text}'", what, "Take a column out of it, or list combinations.")
        return self.model_copy(update={"combinations": tuple(sorted(kept, key=str))})


def _plain(level: object) -> object:
    return level.item() if isinstance(level, np.generic) else level
