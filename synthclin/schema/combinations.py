"""A table constraint: the allowed combinations of levels of several columns."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Annotated, Literal, Self

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from synthclin.errors import DataError
from synthclin.schema.columns import Level
from synthclin.schema.min_patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from synthclin.expressions.visit_order import VisitOrder

__all__ = ["Combinations", "OnViolation"]

OnViolation = Literal["error", "drop", "keep"]
"""The treatment of real rows that violate a rule: refuse the table, drop the rows, or keep them for training."""


class Combinations(BaseModel):
    """Allowed combinations of levels in a row, where missing may be a level.

    Arguments:
        columns: two or more.
        combinations: the allowed ones, a level for each column, None for a missing cell; ``observed`` stands for those
            of the training rows, missing cells among them, without the ones of too few patients.
        missing: whether a missing cell is a ``level``, or satisfies the rule as ``any`` level does. In a list that
            names a missing cell it is a level.
        on_violation: the treatment of real rows that violate the rule.

    Example:
        >>> rule = Combinations(columns=("dzgroup", "dzclass"), combinations=(("CHF", "organ"), ("Coma", "brain")))
        >>> rows = pd.DataFrame({"dzgroup": ["CHF", "CHF", None], "dzclass": ["organ", "brain", "brain"]})
        >>> rule.broken(rows).tolist()
        [False, True, False]
        >>> rule = Combinations(columns=("ward", "site"), combinations=(("ICU", "S1"), (None, "HOME")))
        >>> rule.broken(pd.DataFrame({"ward": [None, None], "site": ["HOME", "S1"]})).tolist()
        [False, True]
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    columns: Annotated[tuple[str, ...], Field(min_length=2, max_length=10)]
    combinations: Literal["observed"] | Annotated[tuple[tuple[Level | None, ...], ...], Field(min_length=1)] = (
        "observed"
    )
    missing: Literal["any", "level"] = "any"
    on_violation: OnViolation = "error"

    @model_validator(mode="after")
    def _one_level_per_column(self) -> Self:
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("columns: one is listed twice. Name each once.")
        if self.combinations != "observed" and any(len(one) != len(self.columns) for one in self.combinations):
            raise ValueError("combinations: one lacks a level for a column. Complete it.")
        return self

    @property
    def missing_is_level(self) -> bool:
        """Whether a missing cell is a level of its own."""
        listed = () if self.combinations == "observed" else self.combinations
        return self.missing == "level" or any(level is None for one in listed for level in one)

    @property
    def text(self) -> str:
        """The rule as one line, without a level."""
        return f"combinations of {', '.join(self.columns)}"

    @property
    def expressions(self) -> tuple[str, ...]:
        """None: the rule has no expression."""
        return ()

    @property
    def visit_functions(self) -> frozenset[str]:
        """None: the rule is on single rows."""
        return frozenset()

    def broken(self, table: pd.DataFrame, visits: VisitOrder | None = None) -> pd.Series[bool]:  # noqa: ARG002 - as of a `Rule`
        """Return (rows,) which rows of a typed table have a forbidden combination; none before `fitted`."""
        if self.combinations == "observed":
            return pd.Series(data=False, index=table.index)
        cells = table[list(self.columns)].astype(object)
        present = cells.notna()
        known = pd.MultiIndex.from_frame(cells).isin(list(self.combinations))
        judged = present.all(axis=1).to_numpy() | self.missing_is_level
        return pd.Series(~known & judged, index=table.index)

    def fitted(self, table: pd.DataFrame, patient: NDArray[np.int64], least: int) -> Combinations:
        """Return the rule with the combinations of at least `least` patients of a typed table.

        Missing is a level. Where cells are missing at random, each combination with a missing cell may be rare: if the
        rare ones that lack the same columns have enough patients together, these columns may be missing beside every
        pair of levels that is allowed.

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
        names = list(self.columns)
        cells = table[names].astype(object)
        cells = cells.mask(cells.isna(), other=None).assign(**{"": patient})
        distinct = cells.drop_duplicates()
        size = distinct.groupby(names, sort=False, dropna=False)[""].transform("size")
        kept = {tuple(map(_plain, one)) for one in distinct.loc[size >= least, names].itertuples(index=False)}
        whole = [one for one in kept if None not in one]
        enough = max(least, MIN_PATIENTS)
        rare = distinct[size < enough]
        lacking = rare[names].isna()
        for absent in _subsets(names):
            here = (lacking == [name in absent for name in names]).all(axis=1)
            if len(absent) < len(names) and rare.loc[here, ""].nunique() >= enough:
                pairs = (zip(names, one, strict=True) for one in whole)
                kept |= {tuple(None if name in absent else level for name, level in pair) for pair in pairs}
        if not kept:
            what = f"no combination has {least:,} patients, so that none can be sampled"
            raise DataError(f"rule '{self.text}'", what, "Take a column out of it, or list combinations.")
        return self.model_copy(update={"combinations": tuple(sorted(kept, key=str)), "missing": "level"})


def _plain(level: object) -> object:
    if level is None or pd.isna(level):  # type: ignore[call-overload]
        return None
    return level.item() if isinstance(level, np.generic) else level


def _subsets(names: list[str]) -> Iterator[tuple[str, ...]]:
    """Yield every choice of one or more names."""
    for count in range(1, len(names) + 1):
        yield from combinations(names, count)
