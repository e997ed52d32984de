"""One codec per column: cells to codes and offsets, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import Field, TypeAdapter

from synthclin.encoding.bins import fit_line
from synthclin.encoding.codec_states import LevelsState, LineState
from synthclin.encoding.level_codec import LevelsCodec, fit_levels
from synthclin.encoding.line_codec import LineCodec
from synthclin.schema.columns import (
    Boolean,
    Category,
    Code,
    Column,
    Date,
    Datetime,
    Duration,
    Integer,
    Number,
    Ordinal,
    Time,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from synthclin.encoding.layout import ColumnLayout
    from synthclin.encoding.offset_cells import Intervals
    from synthclin.encoding.protection import Limits

__all__ = ["Codec", "codec_from_dict", "fit_codec"]

_STATE: TypeAdapter[LineState | LevelsState] = TypeAdapter(
    Annotated[LineState | LevelsState, Field(discriminator="kind")]
)


class Codec(Protocol):
    """The interface of a column's codec."""

    cardinality: int
    cells: Intervals

    @property
    def column(self) -> Column:
        """The declaration of the column."""

    @property
    def state(self) -> LineState | LevelsState:
        """The fitted parameters, as plain data."""

    def probes_around(self, cells: pd.Series) -> Intervals:
        """Return cells of the codes' unit intervals whose centres represent all values, the given ones among them."""

    def layout(self, name: str) -> ColumnLayout:
        """Return the layout of the codes."""

    def encode(self, column: pd.Series) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the codes and offsets of the (rows,) cells."""

    def decode(self, codes: NDArray[np.int64], offsets: NDArray[np.floating]) -> pd.Series:
        """Return the (rows,) cells; every code must exist."""


def fit_codec(name: str, column: Column, cells: pd.Series, patient: NDArray[np.int64], limits: Limits) -> Codec:
    """Fit the codec of column `name` from its (rows,) training cells; see `fit_line` and `fit_levels`."""
    match column:
        case Number() | Integer() | Duration() | Date() | Datetime() | Time():
            return fit_line(name, column, cells, patient, limits)
        case Boolean() | Category() | Ordinal() | Code():
            return fit_levels(name, column, cells, patient, limits)
    raise TypeError(f"a column of type {column.type} is never encoded")


def codec_from_dict(column: Column, data: object) -> Codec:
    """Return the codec whose state `data` holds.

    Raises:
        ValueError: `data` is no state, or none of a column like this.
    """
    state = _STATE.validate_python(data)
    match column, state:
        case Number() | Integer() | Duration() | Date() | Datetime() | Time(), LineState():
            return LineCodec(column, state)
        case Boolean() | Category() | Ordinal() | Code(), LevelsState():
            return LevelsCodec(column, state)
    raise ValueError(f"a state of kind {state.kind} for a column of type {column.type}")
