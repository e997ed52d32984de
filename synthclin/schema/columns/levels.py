"""Columns of a few levels: yes or no, categories and ordered categories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, StrictFloat, StrictInt, StrictStr, model_validator

from synthclin.schema.columns import parsing
from synthclin.schema.columns.column import Column, DType, Label, Level, Problem

__all__ = ["Boolean", "Category", "Levels", "Ordinal", "categorical", "padded"]


class Levels(Column):
    """A categorical column; its levels are declared or taken from the table.

    Arguments:
        time: of a column with the role event: the column with the role time that has the time of the event.
        event_when: the one level that stands for the event, such as 0 of CDISC's CNSR.
        censored: the one level that stands for censoring; each other level is a competing cause.
        administrative: of an event: the administrative end of follow-up, as a time or as an expression over columns. No
            time lies beyond it, and a time equal to it is censored.
        allocation: of a column with the role treatment: the allocation ratio of its levels.
        labels: value labels: the meaning of each level in a few words, such as ``{1: male, 2: female}``, which the
            report shows in the place of the levels. Files keep the levels.
        spellings: other ways to write a level in a file, and the level of each, such as ``{yes: Y, no: N}``.
        randomised: whether the arm is randomised, or the columns of its strata: sampled by `allocation` alone, after
            the columns of the roles baseline, stratum and site, and independently of them.
    """

    labels: dict[Level, Label] = Field(default={})
    spellings: dict[Level, Level] = Field(default={})
    time: str | None = None
    event_when: Level | None = None
    censored: Level | None = None
    administrative: Annotated[StrictInt | StrictFloat, Field(gt=0)] | StrictStr | None = None
    allocation: dict[Level, Annotated[float, Field(gt=0, le=1e6)]] | None = None
    randomised: Literal[True] | Annotated[tuple[str, ...], Field(min_length=1)] | None = None

    @property
    def is_categorical(self) -> bool:
        """True."""
        return True

    @property
    def is_discrete(self) -> bool:
        """True."""
        return True

    @property
    def other_spellings(self) -> Mapping[Level, Level]:
        """The declared `spellings`."""
        return self.spellings

    @property
    def value_labels(self) -> Mapping[Level, str]:
        """The declared `labels`."""
        return self.labels

    @property
    def event_time(self) -> str | None:
        """The declared `time`, or None."""
        return self.time

    @property
    def event_level(self) -> Level | None:
        """The declared `event_when`, or None."""
        return self.event_when

    @property
    def censored_level(self) -> Level | None:
        """The declared `censored`, or None."""
        return self.censored

    @property
    def administrative_end(self) -> float | str | None:
        """The declared `administrative`, or None."""
        return self.administrative

    @property
    def is_randomised(self) -> bool:
        """Whether `randomised` is declared."""
        return self.randomised is not None

    @property
    def strata(self) -> tuple[str, ...]:
        """The columns in `randomised`; none for ``true``."""
        return self.randomised if isinstance(self.randomised, tuple) else ()

    @property
    def allocation_ratio(self) -> Mapping[Level, float]:
        """The declared `allocation`, or an empty one."""
        return self.allocation or {}

    @model_validator(mode="after")
    def _an_endpoint_has_one_reading(self) -> Self:
        words = {word: level for word in ("event_when", "censored") if (level := getattr(self, word)) is not None}
        for word in (*words, *(word for word in ("time", "administrative") if getattr(self, word) is not None)):
            if self.role != "event":
                raise ValueError(f"{word}: only a column with `role: event` has it. Add the role, or remove it.")
        if len(words) == 2:
            raise ValueError("censored: `event_when` already defines it. Keep one of the two.")
        for word, level in words.items():
            if self.levels is not None and not _among(level, self.levels):
                raise ValueError(f"{word}: is none of the levels. Write one of them.")
        return self

    @model_validator(mode="after")
    def _the_end_of_follow_up_has_a_level(self) -> Self:
        if self.administrative is not None and self.type != "boolean" and self.event_when is None is self.censored:
            raise ValueError("administrative: no level stands for censoring. Declare `censored`.")
        return self

    @model_validator(mode="after")
    def _an_arm_is_allocated_whole(self) -> Self:
        if self.allocation is None and self.randomised is None:
            return self
        if self.role != "treatment":
            raise ValueError("allocation: only a column with `role: treatment` has it. Add the role, or remove it.")
        if self.levels is None or self.allocation is None:
            raise ValueError("allocation: is not given for each of its `categories`. Declare both.")
        if len(self.allocation) != len(self.levels) or not all(_among(arm, self.levels) for arm in self.allocation):
            raise ValueError("allocation: its arms are not the levels of the column. Give each level its part.")
        if self.randomised is not None and self.may_be_missing:
            raise ValueError("randomised: a patient who was randomised has an arm. Remove `missing`.")
        return self

    @model_validator(mode="after")
    def _spellings_mean_levels(self) -> Self:
        if not self.spellings:
            return self
        if not self.levels or not all(_among(level, self.levels) for level in self.spellings.values()):
            raise ValueError("spellings: one of them means no level of the column. Write a level after each.")
        written = set(map(parsing.identity, self.spellings))
        if len(written) < len(self.spellings) or written & set(map(parsing.identity, self.levels)):
            raise ValueError("spellings: one is a level itself, or is written twice. Remove it.")
        return self

    @model_validator(mode="after")
    def _labels_are_of_levels(self) -> Self:
        if self.levels is not None and not all(_among(level, self.levels) for level in self.labels):
            what = "labels: one of them labels no level of the column"
            raise ValueError(f"{what}. Write each level before its label as it is declared.")
        if self.levels is None and _read_alike(tuple(self.labels)):
            raise ValueError("labels: two of the levels read the same, as 1, 1.0, '1' and true do. Remove one.")
        if len(set(self.labels.values())) < len(self.labels):
            raise ValueError("labels: two levels have the same label. Give each a label of its own.")
        bare = {str(level) for level in self.levels or () if not _among(level, [*self.labels])}
        if bare.intersection(self.labels.values()):
            raise ValueError("labels: one of them reads like a level without a label. Label that level too.")
        return self

    def _places(self, series: pd.Series[Any], levels: Sequence[Level]) -> NDArray[np.intp]:
        """Return (rows,) the position of each cell's level, also by another spelling; see `parsing.match`."""
        places = parsing.match(series, [*levels, *self.spellings])
        if not self.spellings:
            return places
        meant = parsing.match(pd.Series([*self.spellings.values()], dtype=object), levels)
        at = np.maximum(places - len(levels), 0)
        return np.where(places >= len(levels), meant[at], places)

    @model_validator(mode="after")
    def _levels_are_distinct(self) -> Self:
        if _read_alike(self.levels or ()):
            key = "values" if self.type == "boolean" else "categories"
            raise ValueError(f"{key}: two of them read the same, as 1, 1.0, '1' and true do. Remove one.")
        return self

    def _refuse_valid_codes(self) -> None:
        levels = set(map(parsing.identity, self.levels or ()))
        if levels & set(map(parsing.identity, self.missing_codes)):
            raise ValueError("missing_codes: one of them is a level too. Take it out of the levels.")

    @property
    def dtype(self) -> DType:
        """A CategoricalDtype, without levels where these are taken from the table."""
        return categorical(self.levels, ordered=self.is_ordered)

    @property
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that is no level, and the remedy."""
        return (
            f"a value outside its {len(self.levels or ())} categories",
            "Add it to `categories`, or recode it.",
        )

    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read levels; see `parsing.match` for the matching.

        Example:
            >>> typed, unread = Ordinal(categories=(1, 2, 3)).coerce(pd.Series(["1", "3.0", "4"]))
            >>> typed.tolist(), unread.tolist()
            ([1, 3, nan], [False, False, True])
        """
        dtype = self.dtype
        # Typed cells are levels already; matching them takes most of the time of a check of sampled rows.
        if self.levels and _same_levels(series.dtype, dtype):
            return series.copy(), pd.Series(data=False, index=series.index)
        places = self._places(series, self.levels or ())
        return self._typed(places, dtype, series.index), pd.Series(places == parsing.UNREAD, index=series.index)

    @staticmethod
    def _typed(places: NDArray[np.intp], dtype: DType, index: pd.Index[Any]) -> pd.Series[Any]:
        codes = np.where(places == parsing.UNREAD, parsing.MISSING, places)
        assert isinstance(dtype, pd.CategoricalDtype)
        return pd.Series(pd.Categorical.from_codes(cast("Any", codes), dtype=dtype), index=index)


class Boolean(Levels):
    """A boolean. `values` are false and true as the table writes them, in that order."""

    type: Literal["boolean"] = "boolean"
    values: tuple[Level, Level] = (False, True)

    @model_validator(mode="after")
    def _truth_values_are_in_order(self) -> Self:
        no, yes = self.values
        if (isinstance(no, bool) or isinstance(yes, bool)) and not (no is False and yes is True):
            raise ValueError("values: false and true are allowed only as [false, true]. Use numbers or text otherwise.")
        return self

    @property
    def levels(self) -> tuple[Level, Level]:
        """False and true, as the table writes them."""
        return self.values

    @property
    def truth_values(self) -> tuple[Level, Level]:
        """The declared `values`."""
        return self.values

    @property
    def dtype(self) -> DType:
        """Boolean for [false, true], Int64 for whole numbers, else a CategoricalDtype."""
        if isinstance(self.values[0], bool):
            return pd.BooleanDtype()
        if all(isinstance(value, int) for value in self.values):
            return pd.Int64Dtype()
        return super().dtype

    @property
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that is neither value, and the remedy."""
        return "a value that is neither of its two `values`", "Declare `values`, such as [0, 1], or recode it."

    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read the two values; see `parsing.match` for the matching."""
        if isinstance(self.dtype, pd.CategoricalDtype):
            return super()._read(series)
        if series.dtype == self.dtype and not self.spellings:
            return self._of_typed(series)
        places = self._places(series, self.values)
        values = np.array(self.values)[np.maximum(places, 0)]
        array = pd.arrays.BooleanArray if isinstance(self.dtype, pd.BooleanDtype) else pd.arrays.IntegerArray
        typed = pd.Series(array(values, places < 0), index=series.index)
        return typed, pd.Series(places == parsing.UNREAD, index=series.index)

    def _of_typed(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read cells of the canonical type, which need no matching."""
        no, yes = self.values
        known, cells = series.notna().to_numpy(), series.to_numpy(dtype=np.array(no).dtype, na_value=no)
        valid = known & ((cells == no) | (cells == yes))
        array = pd.arrays.BooleanArray if isinstance(self.dtype, pd.BooleanDtype) else pd.arrays.IntegerArray
        typed = pd.Series(array(np.where(valid, cells, no), ~valid), index=series.index)
        return typed, pd.Series(known & ~valid, index=series.index)


class Category(Levels):
    """A nominal category; undeclared `categories` are taken from the table."""

    type: Literal["category"] = "category"
    categories: Annotated[tuple[Level, ...], Field(min_length=1)] | None = None

    @property
    def levels(self) -> tuple[Level, ...] | None:
        """The declared levels, or None."""
        return self.categories

    @property
    def unreadable(self) -> tuple[str, str]:
        """The fault of a cell that is no level, and the remedy."""
        if self.categories is not None:
            return super().unreadable
        return (
            "a blank, or a value of another type (text, number, true or false) than most others",
            "Declare `categories`, recode it as missing, or write the column in one way.",
        )

    def _read(self, series: pd.Series[Any]) -> tuple[pd.Series[Any], pd.Series[bool]]:
        """Read levels; undeclared ones are the sorted distinct cells of the most frequent type."""
        if self.categories is not None:
            return super()._read(series)
        levels = parsing.infer_levels(series)
        places = parsing.match(series, levels)
        typed = self._typed(places, categorical(levels), series.index)
        return typed, pd.Series(places == parsing.UNREAD, index=series.index)

    def problems(self, typed: pd.Series[Any]) -> Iterator[Problem]:
        """Yield a warning for undeclared levels with surrounding blanks."""
        if self.categories is None:
            yield padded(typed)


class Ordinal(Levels):
    """An ordinal category, its levels in rising order."""

    type: Literal["ordinal"] = "ordinal"
    categories: Annotated[tuple[Level, ...], Field(min_length=2)]

    @property
    def is_ordered(self) -> bool:
        """True."""
        return True

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels, lowest first."""
        return self.categories


def _among(level: object, levels: Sequence[object]) -> bool:
    """Whether a level is one of them; 1 and true are two."""
    return any(level == one and isinstance(level, bool) is isinstance(one, bool) for one in levels)


def _read_alike(levels: Sequence[Level]) -> bool:
    """Whether two levels read the same; texts do where a number or a boolean is among the levels."""
    texts = all(isinstance(level, str) for level in levels)
    return len(set(levels if texts else map(parsing.identity, levels))) < len(levels)


def _same_levels(one: object, other: DType) -> bool:
    """Return whether two dtypes have the same levels, of the same types and in the same order."""
    if not (isinstance(one, pd.CategoricalDtype) and isinstance(other, pd.CategoricalDtype)):
        return False
    if one is other:
        return True
    first, second = one.categories, other.categories
    return (
        one.ordered == other.ordered
        and first.dtype == second.dtype
        and [*map(type, first)] == [*map(type, second)]
        and first.equals(second)
    )


def categorical(levels: Sequence[Any] | None, *, ordered: bool = False) -> pd.CategoricalDtype:
    """Return the dtype of `levels`; levels of several types stay the objects they are (0 does not become 0.0)."""
    if levels is None:
        return pd.CategoricalDtype(ordered=ordered)
    return _categorical(tuple(levels), tuple(map(type, levels)), ordered=ordered)


@lru_cache(maxsize=256)
def _categorical(levels: tuple[Any, ...], types: tuple[type, ...], *, ordered: bool) -> pd.CategoricalDtype:
    """Return the dtype of levels; by their types 1, 1.0 and True are not the same."""
    alike = len(set(types)) == 1
    return pd.CategoricalDtype(pd.Index(levels) if alike else pd.Index(levels, dtype=object), ordered=ordered)


def padded(typed: pd.Series[Any]) -> Problem:
    """Return the warning for levels with surrounding blanks."""
    blank = [level for level in typed.cat.categories if isinstance(level, str) and level != level.strip()]
    return Problem(typed.isin(blank), "text with blanks around it", "Remove them, if they mean nothing.", "warning")
