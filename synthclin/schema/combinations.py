"""A rule that no comparison spells: which levels of several columns may stand together in a row."""

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
"""What becomes of real rows that break a rule: refuse the table, leave them out, or learn from them all the same."""


class Combinations(BaseModel):
    """Combinations of levels that may stand in a row; a row in which one of the columns is missing counts as held.

    Arguments:
        columns: two or more.
        combinations: the allowed ones, a level for each column; ``observed`` stands for those of the rows learnt,
            without the ones that too few patients hold.
        on_violation: what becomes of real rows that break the rule.

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
            raise ValueError("columns: one stands there twice. Name each once.")
        if self.combinations != "observed" and any(len(one) != len(self.columns) for one in self.combinations):
            raise ValueError("combinations: one has not a level for each column. Complete it.")
        return self

    @property
    def text(self) -> str:
        """The rule as one line, without a level."""
        return f"combinations of {', '.join(self.columns)}"

    @property
    def expressions(self) -> tuple[str, ...]:
        """There are none."""
        return ()

    def broken(self, table: pd.DataFrame) -> pd.Series[bool]:
        """Return (rows,) which rows of a typed table hold a combination that is not allowed; none while unlearnt."""
        if self.combinations == "observed":
            return pd.Series(data=False, index=table.index)
        cells = table[list(self.columns)].astype(object)
        known = pd.MultiIndex.from_frame(cells).isin(list(self.combinations))
        return pd.Series(~known & cells.notna().all(axis=1).to_numpy(), index=table.index)

    def learnt(self, table: pd.DataFrame, patient: NDArray[np.int64], least: int) -> Combinations:
        """Return the rule with the combinations that `least` patients or more of a typed table hold.

        Arguments:
            table: (rows, columns) to learn from.
            patient: (rows,) whose row it is.
            least: a combination held by fewer is never drawn.

        Raises:
            DataError: no combination is held by so many.

        Example:
            >>> rows = pd.DataFrame({"a": ["x", "x", "y"], "b": [1, 1, 2]})
            >>> Combinations(columns=("a", "b")).learnt(rows, np.arange(3), least=2).combinations
            (('x', 1),)
        """
        if self.combinations != "observed":
            return self
        cells = table[list(self.columns)].astype(object).assign(**{"": patient})
        held = cells.dropna().drop_duplicates().groupby(list(self.columns), sort=False).size()
        kept = [tuple(map(_plain, one)) for one in held.index[held >= least]]
        if not kept:
            what = f"no combination is held by {least:,} patients, so that none could be drawn"
            raise DataError(f"rule '{self.text}'", what, "Take a column out of it, or list combinations.")
        return self.model_copy(update={"combinations": tuple(sorted(kept, key=str))})


def _plain(level: object) -> object:
    return level.item() if isinstance(level, np.generic) else level
