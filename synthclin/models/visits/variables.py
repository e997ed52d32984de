"""The columns of a longitudinal table as numbers: values on a scale, and codes of levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pandas as pd

from synthclin.encoding.axis import Axis
from synthclin.encoding.level_codec import LevelsCodec
from synthclin.encoding.line_codec import LineCodec
from synthclin.models.visits.line import Line
from synthclin.schema.visit_times import times_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthclin.encoding import TableEncoder
    from synthclin.encoding.axis import OnALine
    from synthclin.schema import Schema

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["MISSING", "POOLED", "Levels", "Variables"]

MISSING = -1
"""Code of a missing level."""

POOLED = -2
"""Code of a level of too few patients, which is never sampled."""


@dataclass(frozen=True, slots=True)
class Levels:
    """A column of levels as codes.

    Arguments:
        name: of the column.
        codec: of the column.
        blank: whether a missing cell is a level of its own, as in a column of missing reasons.
    """

    name: str
    codec: LevelsCodec
    blank: bool

    @property
    def codes(self) -> tuple[int, ...]:
        """The codes that can be sampled; a missing cell is one of them where it is a level."""
        layout = self.codec.layout(self.name)
        missing = -1 if layout.missing is None else layout.missing
        return tuple(code for code in range(layout.cardinality) if code != missing and not layout.never[code]) + (
            (missing,) if self.blank and missing >= 0 else ()
        )

    @property
    def ordered(self) -> bool:
        """Whether the levels have an order."""
        return self.codec.column.is_ordered and not self.blank

    def read(self, cells: pd.Series) -> Ints:
        """Return (rows,) codes, MISSING or POOLED."""
        codes = self.codec.encode(cells)[0]
        layout = self.codec.layout(self.name)
        missing = cells.isna().to_numpy()
        pooled = layout.never[codes] & ~missing
        blank = MISSING if layout.missing is None or not self.blank else layout.missing
        return np.where(missing, blank, np.where(pooled, POOLED, codes)).astype(np.int64)

    def write(self, codes: Ints, generator: np.random.Generator) -> pd.Series:
        """Return the typed cells of (rows,) codes; MISSING and POOLED are missing."""
        known = codes >= 0
        offsets = generator.random(len(codes))
        cells = self.codec.decode(np.where(known, codes, self.codec.state.commonest), offsets)
        return cells.mask(~known)


@dataclass(frozen=True, slots=True)
class Variables:
    """The columns of a longitudinal table, by what differs between visits.

    Arguments:
        time: name of the visit time.
        follow_up: name of the follow-up time, which is not before the last visit; None without one.
        lines: numbers and dates that differ between visits.
        levels: levels that differ between visits.
        static_lines: numbers and dates of the patient, with the (2,) mean and standard deviation of their positions.
        static_levels: levels of the patient.
        dated: whether visit times are dates, as days since 1970; a schedule then counts from the first visit.
    """

    time: str
    follow_up: str | None
    lines: tuple[Line, ...]
    levels: tuple[Levels, ...]
    static_lines: tuple[tuple[str, Axis, float, float], ...]
    static_levels: tuple[Levels, ...]
    dated: bool

    @classmethod
    def fit(
        cls,
        table: pd.DataFrame,
        schema: Schema,
        encoder: TableEncoder,
        patient: Ints,
        follow_up: str | None,
        limit: int,
    ) -> Self:
        """Return the variables of typed training rows whose encoder is fitted."""
        lines = []
        times = times_of(table[cast("str", schema.visit_time)])
        for name in _differing(schema):
            if isinstance(encoder.codecs[name], LineCodec):
                plain, logarithmic = Line.plain(name, schema, encoder), schema.columns[name].is_logarithmic
                lines.append(Line.fit(plain, table[name], times, patient, limit, logarithmic))
        static = []
        first = np.unique(patient, return_index=True)[1]
        for name in _constant(schema, follow_up):
            codec = encoder.codecs[name]
            if isinstance(codec, LineCodec):
                axis = Axis.of(cast("OnALine", schema.columns[name]), codec.state.step)
                position = axis.positions(table[name].iloc[first])
                known = position[np.isfinite(position)]
                spread = float(f"{known.std():.3g}") if len(known) > 1 else 1.0
                static.append((name, axis, float(f"{known.mean():.4g}") if len(known) else 0.0, spread or 1.0))
        return cls._with(schema, encoder, follow_up, tuple(lines), tuple(static))

    @classmethod
    def of(cls, schema: Schema, encoder: TableEncoder, state: Mapping[str, Any]) -> Self:
        """Return the variables from the plain data of `state`; raises LookupError, TypeError or ValueError."""
        lines = [
            Line.plain(name, schema, encoder).with_state(state["lines"][name])
            for name in _differing(schema)
            if isinstance(encoder.codecs[name], LineCodec)
        ]
        static = []
        for name in _constant(schema, state["follow_up"]):
            codec = encoder.codecs[name]
            if isinstance(codec, LineCodec):
                mean, spread = map(float, state["static"][name])
                axis = Axis.of(cast("OnALine", schema.columns[name]), codec.state.step)
                static.append((name, axis, mean, spread))
        return cls._with(schema, encoder, state["follow_up"], tuple(lines), tuple(static))

    @classmethod
    def _with(
        cls,
        schema: Schema,
        encoder: TableEncoder,
        follow_up: str | None,
        lines: tuple[Line, ...],
        static: Any,  # noqa: ANN401
    ) -> Self:
        def levels(names: list[str]) -> tuple[Levels, ...]:
            return tuple(
                Levels(name, codec, schema.columns[name].reason_for is not None)
                for name in names
                if isinstance(codec := encoder.codecs[name], LevelsCodec)
            )

        time = cast("str", schema.visit_time)
        names, dated = _constant(schema, follow_up), schema.columns[time].is_temporal
        return cls(time, follow_up, lines, levels(_differing(schema)), static, levels(names), dated)

    @property
    def state(self) -> dict[str, Any]:
        """The fitted numbers, as plain data."""
        return {
            "follow_up": self.follow_up,
            "lines": {line.name: line.state for line in self.lines},
            "static": {name: [mean, spread] for name, _, mean, spread in self.static_lines},
        }

    def statics(self, patients: pd.DataFrame) -> tuple[Floats, Ints]:
        """Return (patients, lines) standardised static numbers, 0 where missing, and (patients, levels) codes."""
        numbers = np.zeros((len(patients), len(self.static_lines)))
        for j, (name, axis, mean, spread) in enumerate(self.static_lines):
            numbers[:, j] = np.clip(np.nan_to_num((axis.positions(patients[name]) - mean) / spread), -5, 5)
        codes = np.full((len(patients), len(self.static_levels)), MISSING, dtype=np.int64)
        for j, levels in enumerate(self.static_levels):
            codes[:, j] = levels.read(patients[levels.name])
        return numbers, codes

    def read(self, rows: pd.DataFrame) -> tuple[Floats, Ints]:
        """Return (rows, lines) values on their scales and (rows, levels) codes of typed visits."""
        times = times_of(rows[self.time])
        values = np.full((len(rows), len(self.lines)), np.nan)
        for j, line in enumerate(self.lines):
            values[:, j] = line.read(rows[line.name], times)
        codes = np.full((len(rows), len(self.levels)), MISSING, dtype=np.int64)
        for j, levels in enumerate(self.levels):
            codes[:, j] = levels.read(rows[levels.name])
        return values, codes


def _differing(schema: Schema) -> list[str]:
    """Return the modelled columns that differ between visits, without the visit time."""
    return [name for name in schema.modelled if not schema.columns[name].static and name != schema.visit_time]


def _constant(schema: Schema, follow_up: str | None) -> list[str]:
    """Return the static columns without the follow-up time."""
    return [name for name in schema.static if name != follow_up]
