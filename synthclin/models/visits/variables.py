"""The columns of a longitudinal table as numbers: transformed values on a line, and codes of levels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pandas as pd

from synthclin.encoding.axis import Axis
from synthclin.encoding.level_codec import LevelsCodec
from synthclin.encoding.line_codec import LineCodec
from synthclin.schema.visit_times import times_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthclin.encoding import TableEncoder
    from synthclin.encoding.axis import OnALine
    from synthclin.schema import Schema

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["MISSING", "POOLED", "Levels", "Line", "Variables"]

MISSING = -1
"""Code of a missing level."""

POOLED = -2
"""Code of a level of too few patients, which is never sampled."""

BEYOND = 0.5
"""Share of the distance from the centre to a protected extreme by which sampled values may exceed it."""

_DAY = 86_400.0
_SHIFTS = (0.0, 0.5)
"""Added to positions before a logarithm: nothing, or half a position where 0 occurs."""


@dataclass(frozen=True, slots=True)
class Line:
    """A numeric or temporal column whose cells differ between visits, on a scale on which it is about symmetric.

    Arguments:
        name: of the column.
        axis: from cells to positions and back.
        step: positions between neighbouring values of a declared step; 1 otherwise.
        shift: added to positions before the logarithm; None for a linear scale.
        centre: a typical value on that scale.
        low: least value on that scale that is sampled.
        high: greatest value on that scale that is sampled.
        days: days per position of a date that is described by its distance from the visit; None for other columns.
    """

    name: str
    axis: Axis
    step: float
    shift: float | None
    centre: float
    low: float
    high: float
    days: float | None = None

    @classmethod
    def fit(cls, plain: Line, cells: pd.Series, times: Floats, patient: Ints, limit: int, logarithmic: bool) -> Line:
        """Return the line of a column: the scale of the least skewness, and bounds beyond its protected extremes.

        Arguments:
            plain: its axis.
            cells: (rows,) typed cells of the training rows.
            times: (rows,) times of the visits.
            patient: (rows,) number of each row's patient.
            limit: smallest number of patients beyond a stored bound.
            logarithmic: whether the schema says that ratios matter.
        """
        position = plain.axis.positions(cells)
        if plain.days is not None:
            position = position * plain.days - times
        known = np.isfinite(position)
        position, patient = position[known], patient[known]
        shift = None if plain.days is not None else _best_shift(position, logarithmic)
        scaled = position if shift is None else np.log(position + shift)
        least, greatest = _extremes(scaled, patient, limit)
        centre = float(f"{np.median(scaled):.3g}") if len(scaled) else 0.0
        # The tails beyond are synthetic: the residuals have protected tails of their own.
        low, high = (end + BEYOND * (end - centre) for end in (least, greatest))
        return replace(plain, shift=shift, centre=centre, low=float(f"{low:.3g}"), high=float(f"{high:.3g}"))

    @classmethod
    def plain(cls, name: str, schema: Schema, encoder: TableEncoder) -> Self:
        """Return the line of a column without fitted numbers."""
        column, codec = schema.columns[name], cast("LineCodec", encoder.codecs[name])
        anchored = name in encoder.anchors
        axis = Axis.of(cast("OnALine", column), codec.state.step) if anchored else codec.axis
        step = (column.value_step or 0.0) * axis.per_unit if axis.support is None else 0.0
        dated = column.is_temporal and schema.columns[cast("str", schema.visit_time)].is_temporal
        if dated:
            axis = Axis.of(cast("OnALine", column), codec.state.step)
        days = (1.0 if axis.kind == "date" else axis.step / _DAY) if dated else None
        return cls(name, axis, step or 1.0, None, 0.0, 0.0, 0.0, days)

    def with_state(self, state: Mapping[str, Any]) -> Line:
        """Return the line with the plain data of `state`."""
        shift = None if state["shift"] is None else float(state["shift"])
        centre, low, high = (float(state[key]) for key in ("centre", "low", "high"))
        return replace(self, shift=shift, centre=centre, low=low, high=high)

    @property
    def state(self) -> dict[str, Any]:
        """The fitted numbers, as plain data."""
        return {"shift": self.shift, "centre": self.centre, "low": self.low, "high": self.high}

    def read(self, cells: pd.Series, times: Floats) -> Floats:
        """Return (rows,) values on the scale, NaN where a cell is missing; `times` are those of the visits."""
        position = self.axis.positions(cells)
        if self.days is not None:
            position = position * self.days - times
        if self.shift is None:
            return position - self.centre
        with np.errstate(invalid="ignore"):
            return np.asarray(np.log(np.maximum(position + self.shift, 1e-9)) - self.centre, dtype=np.float64)

    def possible(self, values: Floats, times: Floats) -> NDArray[np.bool_]:
        """Return (rows,) whether values on the scale are inside the bounds and the declared range."""
        position = self._positions(values, times)
        scaled = values + self.centre
        return (
            (scaled >= self.low)
            & (scaled <= self.high)
            & (position >= self.axis.low - 0.5 * self.axis.lattice)
            & (position <= self.axis.high + 0.5 * self.axis.lattice)
        )

    def write(self, values: Floats, times: Floats) -> pd.Series:
        """Return the typed cells of (rows,) values on the scale, at declared decimals and inside the range."""
        position = self._positions(np.clip(values, self.low - self.centre, self.high - self.centre), times)
        low, high = self.axis.low, self.axis.high
        if self.axis.lattice:
            position = np.rint(position / self.step) * self.step
            low, high = np.ceil(low / self.step) * self.step, np.floor(high / self.step) * self.step
        return self.axis.cells(np.clip(position, low, high))

    def _positions(self, values: Floats, times: Floats) -> Floats:
        scaled = values + self.centre
        if self.days is not None:
            return np.asarray((scaled + times) / self.days)
        return scaled if self.shift is None else np.exp(np.minimum(scaled, 300.0)) - self.shift


def _best_shift(position: Floats, logarithmic: bool) -> float | None:
    """Return what to add before the logarithm, None where the linear scale is less skewed."""
    if len(position) < 3 or (least := position.min()) < 0:
        return None
    shift = _SHIFTS[0] if least > 0 else _SHIFTS[1]
    return shift if logarithmic or abs(_skewness(np.log(position + shift))) < abs(_skewness(position)) else None


def _skewness(values: Floats) -> float:
    apart = values - values.mean()
    return float((apart**3).mean() / max(apart.std() ** 3, 1e-12))


def _extremes(values: Floats, patient: Ints, limit: int) -> tuple[float, float]:
    """Return values below and above which `limit` patients have one, or the median where there are fewer patients."""
    if not len(values):
        return 0.0, 0.0
    ends = []
    for sign in (1, -1):
        by_patient = pd.Series(sign * values).groupby(patient).min().to_numpy()
        kept = min(max(limit, 1), len(by_patient)) - 1
        ends.append(sign * float(np.sort(by_patient)[kept]))
    low, high = ends
    return (low, high) if low <= high else (float(np.median(values)),) * 2


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
