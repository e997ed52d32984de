"""A number or date that differs between visits: values on a scale on which it is about symmetric, and its spikes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pandas as pd

from synthclin.encoding.axis import Axis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthclin.encoding import TableEncoder
    from synthclin.encoding.axis import OnALine
    from synthclin.encoding.line_codec import LineCodec
    from synthclin.schema import Schema

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["MOST_SPIKES", "Line", "spikes_of"]

BEYOND = 0.5
"""Share of the distance from the centre to a protected extreme by which sampled values may exceed it."""

MOST_SPIKES = 3
"""Spikes of a column at most."""

_LEAST_SHARE, _STANDING_OUT = 0.05, 3.0
"""Least share of the values at a spike, and how many times as many as at the neighbouring values."""

_SAME = 1e-9
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
        spikes: values on that scale, relative to the centre, that are far more frequent than their neighbours.
    """

    name: str
    axis: Axis
    step: float
    shift: float | None
    centre: float
    low: float
    high: float
    days: float | None = None
    spikes: tuple[float, ...] = ()

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
        found = replace(plain, shift=shift, centre=centre, low=float(f"{low:.3g}"), high=float(f"{high:.3g}"))
        later = np.concatenate([np.zeros(1, dtype=np.bool_), patient[1:] == patient[:-1]])[: len(patient)]
        return replace(found, spikes=spikes_of(scaled[later] - centre, patient[later], limit))

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
        spikes = tuple(float(spike) for spike in state["spikes"])
        if len(spikes) > MOST_SPIKES:
            raise ValueError("too many spikes")
        return replace(self, shift=shift, centre=centre, low=low, high=high, spikes=spikes)

    @property
    def state(self) -> dict[str, Any]:
        """The fitted numbers, as plain data."""
        return {
            "shift": self.shift,
            "centre": self.centre,
            "low": self.low,
            "high": self.high,
            "spikes": list(self.spikes),
        }

    def at_spike(self, values: Floats) -> Ints:
        """Return (rows,) the index of the spike that each value on the scale is at; -1 at none."""
        found = np.full(len(values), -1, dtype=np.int64)
        for i, spike in enumerate(self.spikes):
            found[np.abs(values - spike) < _SAME] = i
        return found

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

    def write(self, values: Floats, times: Floats, away: NDArray[np.bool_] | None = None) -> pd.Series:
        """Return the typed cells of (rows,) values on the scale, at declared decimals and inside the range.

        A value in a row of `away` is not rounded to a spike, but to its neighbour.
        """
        position = self._positions(np.clip(values, self.low - self.centre, self.high - self.centre), times)
        low, high = self.axis.low, self.axis.high
        if self.axis.lattice:
            exact, position = position, np.rint(position / self.step) * self.step
            low, high = np.ceil(low / self.step) * self.step, np.floor(high / self.step) * self.step
            position = np.clip(position, low, high)
            if away is not None and self.days is None:
                spikes = self._positions(np.array(self.spikes), np.zeros(len(self.spikes)))
                here = away & np.isin(position, np.rint(spikes / self.step) * self.step)
                up = ((exact >= position) | (position <= low)) & (position < high)
                position = np.where(here, position + np.where(up, self.step, -self.step), position)
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


def spikes_of(values: Floats, patient: Ints, limit: int) -> tuple[float, ...]:
    """Return the values that stand out among their neighbours, in the order of their size.

    Arguments:
        values: (rows,), finite.
        patient: (rows,) number of each row's patient.
        limit: fewest patients at a spike.

    Example:
        >>> values = np.concatenate([np.zeros(40), np.arange(1, 61)])
        >>> spikes_of(values, np.arange(100), 11)
        (0.0,)
    """
    places, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    found: list[float] = []
    for place in np.argsort(-counts, kind="stable")[:MOST_SPIKES]:
        around = np.argsort(np.abs(np.arange(len(places)) - place), kind="stable")[1:5]
        people = len(np.unique(patient[number == place]))
        enough = counts[place] >= _LEAST_SHARE * len(values) and people >= max(limit, 1)
        if enough and len(around) and counts[place] >= _STANDING_OUT * counts[around].mean():
            found.append(float(places[place]))
    return tuple(sorted(found))
