"""The base class of column types: common keys, type-specific attributes, parsing and validation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.extensions import ExtensionDtype
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    field_validator,
    model_validator,
)

from synthclin.schema.columns import parsing
from synthclin.schema.columns.ucum import refusal

__all__ = [
    "LONGEST_LABEL",
    "Column",
    "DType",
    "Disclosure",
    "Label",
    "Level",
    "MissingCode",
    "Problem",
    "Role",
    "Severity",
]

LONGEST_LABEL = 80  # characters

Level = StrictBool | StrictInt | StrictFloat | StrictStr
MissingCode = StrictInt | StrictFloat | StrictStr
ReasonName = Annotated[str, Field(min_length=1, pattern=r"^\S(.*\S)?$")]


def _one_line(text: str) -> str:
    if not text.strip() or text != text.strip() or not text.isprintable() or len(text) > LONGEST_LABEL:
        what = f"is no label: one line of at most {LONGEST_LABEL} printable characters, without blanks at its ends"
        raise ValueError(f"{what}. Shorten it, and put the rest into `description`.")
    return text


Label = Annotated[StrictStr, AfterValidator(_one_line)]
Role = Literal["baseline", "entity", "event", "outcome", "site", "stratum", "time", "treatment", "visit"]
Disclosure = Literal["quasi_identifier", "sensitive"]
Severity = Literal["error", "warning"]
DType: TypeAlias = np.dtype[Any] | ExtensionDtype


class Problem(NamedTuple):
    """Cells of one column that violate its declaration.

    Arguments:
        mask: (rows,) bool: which cells.
        what: the fault, such as ``a value outside its range``; never a value.
        remedy: what to do about it, as a sentence.
        severity: an ``error`` keeps the table from being used, a ``warning`` does not.
    """

    mask: pd.Series[bool]
    what: str
    remedy: str
    severity: Severity = "error"


class Column(BaseModel):
    """The declaration of a column; each type adds its own keys and its own parsing of cells.

    Arguments:
        label: a short name for people, such as ``Maximum heart rate``, which the report shows in the place of the
            column's name; one line of at most 80 characters.
        description: one line for people.
        unit: a UCUM unit string, such as ``mm[Hg]``.
        missing: whether a cell may be empty.
        missing_codes: codes in a file for values that are missing for a known reason, and the name of each reason, such
            as ``{-9: unknown, -8: refused}``. In a table such a cell is missing, and another column holds the reason
            (`MissingReason`).
        other: ``missing`` reads every cell outside the declaration (a level that is not listed, a value out of range,
            a cell of another type) as missing; without it, such a cell is an error.
        missing_when: a predicate over other columns; where it is true the cell is always missing.
        derive: an expression over other columns; the cell is computed, never modelled.
        role: the use of the column in an analysis; ``visit`` marks the time of a visit.
        static: whether the cells of one patient are the same at each visit, in a table of visits.
        disclosure: known to an attacker (``quasi_identifier``) or the target of an attack (``sensitive``).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True, allow_inf_nan=False)

    type: str
    label: Label | None = None
    description: str | None = None
    unit: str | None = None
    missing: Literal["never", "allowed"] = "never"
    missing_codes: dict[MissingCode, ReasonName] = Field(default={})
    other: Literal["missing"] | None = None
    missing_when: str | None = None
    derive: str | None = None
    role: Role | None = None
    static: bool = False
    disclosure: Disclosure | None = None

    @model_validator(mode="after")
    def _time_is_a_quantity(self) -> Self:
        if self.role == "time" and not self.is_numeric:
            raise ValueError("role: time needs a number, an integer or a duration. Change `type` or `role`.")
        return self

    @model_validator(mode="after")
    def _other_cells_may_be_missing(self) -> Self:
        if self.other is not None and not self.modelled:
            raise ValueError("other: this column is never modelled. Remove it.")
        if self.other is not None and self.missing == "never":
            raise ValueError("other: its cells become missing. Declare `missing: allowed` as well.")
        return self

    @field_validator("unit")
    @classmethod
    def _unit_is_ucum(cls, unit: str | None) -> str | None:
        if unit is not None and (refused := refusal(unit)) is not None:
            raise ValueError(refused)
        return unit

    @model_validator(mode="after")
    def _missing_codes_are_distinct(self) -> Self:
        if not self.missing_codes:
            return self
        if not self.modelled:
            raise ValueError("missing_codes: this column is never modelled. Remove them.")
        if len(set(map(parsing.identity, self.missing_codes))) < len(self.missing_codes):
            raise ValueError("missing_codes: two of them read the same, as 9 and '9' do. Remove one.")
        if len(set(self.missing_codes.values())) < len(self.missing_codes):
            raise ValueError("missing_codes: two of them have the same name. Give each a name of its own.")
        self._refuse_valid_codes()
        return self

    def _refuse_valid_codes(self) -> None:
        """Raise ValueError where a missing code is also a value that the column may hold."""

    @property
    def meaning(self) -> str:
        """Label, description and value labels as text, such as ``Sex (0 = female, 1 = male)``; empty without any."""
        told = ": ".join(text for text in (self.label, self.description) if text)
        levels = ", ".join(f"{level} = {label}" for level, label in self.value_labels.items())
        return f"{told} ({levels})" if told and levels else told or levels

    @property
    def modelled(self) -> bool:
        """Whether a synthesizer models this column (not ids, text or derived columns)."""
        return self.derive is None

    @property
    def may_be_blank(self) -> bool:
        """Whether a cell may be missing without a code; a derived one is missing where it cannot be computed."""
        return self.missing == "allowed" or self.missing_when is not None or self.derive is not None

    @property
    def may_be_missing(self) -> bool:
        """Whether a cell without a value is valid."""
        return self.may_be_blank or bool(self.missing_codes)

    # -- type-specific attributes: here for a type that lacks them, overridden by the types that have them ------------

    @property
    def is_numeric(self) -> bool:
        """Whether cells are numbers on a scale."""
        return False

    @property
    def is_integer(self) -> bool:
        """Whether cells are whole numbers."""
        return False

    @property
    def is_temporal(self) -> bool:
        """Whether cells are dates or datetimes."""
        return False

    @property
    def is_categorical(self) -> bool:
        """Whether cells are levels of a short list; codes of a clinical vocabulary are not."""
        return False

    @property
    def is_ordered(self) -> bool:
        """Whether levels have an order."""
        return False

    @property
    def is_discrete(self) -> bool:
        """Whether cells are levels, codes or whole numbers, so that combinations of them can be listed."""
        return False

    @property
    def is_identifier(self) -> bool:
        """Whether cells are identifiers."""
        return False

    @property
    def is_free_text(self) -> bool:
        """Whether cells are free text, which is left out of synthetic tables."""
        return False

    @property
    def is_written_as_text(self) -> bool:
        """Whether a reader of files keeps the cells as text."""
        return any(isinstance(level, str) for level in self.levels or ())

    @property
    def is_logarithmic(self) -> bool:
        """Whether the scale is logarithmic."""
        return False

    @property
    def bounds(self) -> tuple[Any, Any] | None:
        """The declared `range`, both ends included, or None."""
        return None

    @property
    def decimal_places(self) -> int | None:
        """The number of decimals that cells are rounded to, 0 for whole numbers; None without rounding."""
        return None

    @property
    def value_step(self) -> float | None:
        """The number that all values are multiples of, if one is declared."""
        return None

    @property
    def spike_values(self) -> tuple[float, ...]:
        """The declared `spikes`: values with a point mass."""
        return ()

    @property
    def resolution(self) -> Literal["D", "s"] | None:
        """The NumPy unit of a date (``D``) or datetime (``s``), or None."""
        return None

    @property
    def anchor_name(self) -> str | None:
        """The name of the date that this date is modelled relative to, or None."""
        return None

    @property
    def shift_days(self) -> int | None:
        """The largest number of days by which a patient's dates are shifted, or None."""
        return None

    @property
    def levels(self) -> tuple[Level, ...] | None:
        """The declared levels in order, or None."""
        return None

    @property
    def truth_values(self) -> tuple[Level, Level] | None:
        """How a boolean column writes false and true, or None."""
        return None

    @property
    def reason_for(self) -> str | None:
        """The name of the column whose missing codes this column holds, or None."""
        return None

    @property
    def other_spellings(self) -> Mapping[Level, Level]:
        """The level that each other spelling in a file means; empty without any."""
        return {}

    @property
    def value_labels(self) -> Mapping[Level, str]:
        """The label of each level that has one; empty without any."""
        return {}

    @property
    def parts(self) -> tuple[str, str] | None:
        """The names of the two columns that this column's cells are read as, or None."""
        return None

    @property
    def part_separator(self) -> str:
        """The text between the two numbers of a cell, where there are `parts`."""
        return "/"

    @property
    def event_time(self) -> str | None:
        """The name of the column with the time of this event, or None."""
        return None

    @property
    def event_level(self) -> Level | None:
        """The level that stands for the event, or None."""
        return None

    @property
    def censored_level(self) -> Level | None:
        """The level that stands for censoring, or None."""
        return None

    @property
    def administrative_end(self) -> float | str | None:
        """The administrative end of follow-up, as a time or an expression, or None."""
        return None

    @property
    def is_randomised(self) -> bool:
        """Whether the column is a randomised treatment arm."""
        return False

    @property
    def strata(self) -> tuple[str, ...]:
        """The names of the columns within whose strata the arm is randomised."""
        return ()

    @property
    def allocation_ratio(self) -> Mapping[Level, float]:
        """The weight of each treatment arm in the allocation ratio; empty without one."""
        return {}

    @property
    @abstractmethod
    def dtype(self) -> DType:
        """The canonical dtype in a table; a CategoricalDtype without levels where these are taken from the table."""

    @property
    @abstractmethod
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that `coerce` cannot read, and the remedy."""

    def coerce(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read a series of any dtype; it is left unchanged.

        Returns:
            typed: (rows,) in the canonical dtype; missing where the cell is missing, holds one of the missing codes or
                could not be read.
            unread: (rows,) bool: the cells that could not be read.
        """
        if self.missing_codes:
            coded = self._code_positions(series) >= 0
            series = series.mask(coded) if coded.any() else series
        typed, unread = self._read(series)
        if self.other is None:
            return typed, unread
        faults = [problem.mask.to_numpy(dtype=bool) for problem in self.problems(typed) if problem.severity == "error"]
        outside = np.any(faults, axis=0) if faults else np.zeros(len(typed), dtype=bool)
        return (typed.mask(outside) if outside.any() else typed), pd.Series(data=False, index=series.index)

    def missing_reasons(self, series: pd.Series[Any]) -> NDArray[np.object_]:
        """Return (rows,) the missing reason of each cell, None for a cell without a missing code.

        Example:
            >>> from synthclin.schema.columns import Integer
            >>> Integer(range=(0, 300), missing_codes={-9: "unknown", "REF": "refused"}).missing_reasons(
            ...     pd.Series(["120", "-9", "REF", None], dtype=object)).tolist()
            [None, 'unknown', 'refused', None]
        """
        names = np.array([*self.missing_codes.values(), None], dtype=object)
        return names[np.maximum(self._code_positions(series), -1)]

    def _code_positions(self, series: pd.Series[Any]) -> NDArray[np.intp]:
        """Return (rows,) the position of each cell's missing code, below 0 for a cell without one."""
        return parsing.match(series, [parsing.identity(code) for code in self.missing_codes])

    def pooled(self, cells: pd.Series[Any], patient: NDArray[Any], limit: int) -> pd.Series[Any]:  # noqa: ARG002 (`Code`)
        """Return (rows,) typed cells with rare codes replaced by parent terms; other types return them unchanged."""
        return cells

    def notation(self, typed: pd.Series[Any]) -> NDArray[np.object_] | None:  # noqa: ARG002 (some types use it)
        """Return (rows,) the texts of typed cells in a file, None where missing; None for the usual notation."""
        return None

    @abstractmethod
    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read a series without missing codes; see `coerce`."""

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:  # noqa: ARG002 (most types use it)
        """Yield the problems in a typed series; a missing cell is none of them."""
        yield from ()
