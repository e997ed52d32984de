"""What every column can say of itself, and the two questions each type answers: read a series, find its faults."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple, Self, TypeAlias

import numpy as np
import pandas as pd
from pandas.api.extensions import ExtensionDtype
from pydantic import BaseModel, ConfigDict, StrictBool, StrictFloat, StrictInt, StrictStr, model_validator

__all__ = ["Column", "DType", "Disclosure", "Level", "Problem", "Role", "Severity"]

Level = StrictBool | StrictInt | StrictFloat | StrictStr
Role = Literal["baseline", "entity", "event", "outcome", "site", "stratum", "time", "treatment"]
Disclosure = Literal["quasi_identifier", "sensitive"]
Severity = Literal["error", "warning"]
DType: TypeAlias = np.dtype[Any] | ExtensionDtype


class Problem(NamedTuple):
    """Cells of one column that break what its declaration says.

    Arguments:
        mask: (rows,) bool: which cells.
        what: what these cells hold, such as ``a value outside its range``; never a value.
        remedy: what to do about it, as a sentence.
        severity: an ``error`` keeps the table from being used, a ``warning`` does not.
    """

    mask: pd.Series[bool]
    what: str
    remedy: str
    severity: Severity = "error"


class Column(BaseModel):
    """What every column can say of itself; each type adds its own words and its own reading of cells.

    Arguments:
        description: one line for people.
        unit: a UCUM unit string, such as ``mm[Hg]``.
        missing: whether a cell may be empty.
        missing_when: a predicate over other columns; where it is true the cell is always empty.
        derive: an expression over other columns; the cell is computed, never modelled.
        role: what an analysis uses the column for.
        disclosure: what an attacker knows (``quasi_identifier``) or wants (``sensitive``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    type: str
    description: str | None = None
    unit: str | None = None
    missing: Literal["never", "allowed"] = "never"
    missing_when: str | None = None
    derive: str | None = None
    role: Role | None = None
    disclosure: Disclosure | None = None

    @model_validator(mode="after")
    def _time_is_a_quantity(self) -> Self:
        if self.role == "time" and not self.quantity:
            raise ValueError("role: time needs a number, an integer or a duration. Change `type` or `role`.")
        return self

    @property
    def modelled(self) -> bool:
        """Whether a synthesizer learns this column (not ids, text or derived columns)."""
        return self.derive is None

    @property
    def may_be_missing(self) -> bool:
        """Whether an empty cell is valid; a derived one is wherever it cannot be computed."""
        return self.missing == "allowed" or self.missing_when is not None or self.derive is not None

    @property
    def quantity(self) -> bool:
        """Whether cells are numbers on a scale."""
        return False

    @property
    @abstractmethod
    def dtype(self) -> DType:
        """The canonical dtype in a table; a CategoricalDtype without levels where these are learnt."""

    @property
    @abstractmethod
    def unreadable(self) -> tuple[str, str]:
        """What a cell that `coerce` cannot read holds, and the remedy."""

    @abstractmethod
    def coerce(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read a series of any dtype; it is left unchanged.

        Returns:
            typed: (rows,) in the canonical dtype; missing where the cell is missing or could not be read.
            unread: (rows,) bool: the cells that could not be read.
        """

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:  # noqa: ARG002 (most types use it)
        """Yield the faults in a typed series; a missing cell is none of them."""
        yield from ()
