"""A number or date that differs between visits: its values as normal scores, and its spikes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import pandas as pd
from scipy.stats import norm

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

LEAST_KNOTS, MOST_KNOTS = 5, 16
"""Knots of normal scores: with fewer the scale is the value or its logarithm."""

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
    """A numeric or temporal column whose cells differ between visits, on a scale on which it is about normal.

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
        knots: values, or their logarithms, between which the normal scores `scores` are linear; none for no scores.
        scores: normal scores of the knots.
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
    knots: tuple[float, ...] = ()
    scores: tuple[float, ...] = ()

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
        later = np.concatenate([np.zeros(1, dtype=np.bool_), patient[1:] == patient[:-1]])[: len(patient)]
        spikes = np.array(spikes_of(position[later], patient[later], limit))
        rest = ~np.isin(position, spikes)
        shift = None if plain.days is not None else _best_shift(position, rest, logarithmic)
        scaled = position if shift is None else np.log(position + shift)
        knots, scores = normal_knots(scaled[rest], patient[rest], limit)
        found = replace(plain, shift=shift, knots=knots, scores=scores)
        scaled = found._scored(scaled)  # noqa: SLF001 (its own)
        least, greatest = _extremes(scaled, patient, limit)
        centre = float(f"{np.median(scaled):.3g}") if len(scaled) else 0.0
        # The tails beyond are synthetic: the residuals have protected tails of their own.
        low, high = (end + BEYOND * (end - centre) for end in (least, greatest))
        at = found._scored(spikes if shift is None else np.log(spikes + shift)) - centre  # noqa: SLF001
        found = replace(found, low=float(f"{low:.3g}"), high=float(f"{high:.3g}"))
        return replace(found, centre=centre, spikes=tuple(at.tolist()))

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
        knots, scores = (tuple(float(each) for each in state[key]) for key in ("knots", "scores"))
        if len(knots) != len(scores) or len(knots) in range(1, LEAST_KNOTS):
            raise ValueError("other scores than knots")
        if any(not np.isfinite(each).all() or (np.diff(each) <= 0).any() for each in (knots, scores)):
            raise ValueError("scores that do not rise")
        found = replace(self, shift=shift, centre=centre, low=low, high=high)
        return replace(found, spikes=spikes, knots=knots, scores=scores)

    @property
    def state(self) -> dict[str, Any]:
        """The fitted numbers, as plain data."""
        return {
            "shift": self.shift,
            "centre": self.centre,
            "low": self.low,
            "high": self.high,
            "spikes": list(self.spikes),
            "knots": list(self.knots),
            "scores": list(self.scores),
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
        if self.shift is not None:
            with np.errstate(invalid="ignore"):
                position = np.log(np.maximum(position + self.shift, 1e-9))
        return np.asarray(self._scored(position) - self.centre, dtype=np.float64)

    def _scored(self, values: Floats) -> Floats:
        """Return the normal scores of (rows,) values or their logarithms; these themselves without knots."""
        return linear(values, self.knots, self.scores) if self.knots else values

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
        if self.knots:
            scaled = linear(scaled, self.scores, self.knots)
        if self.days is not None:
            return np.asarray((scaled + times) / self.days)
        return scaled if self.shift is None else np.exp(np.minimum(scaled, 300.0)) - self.shift


def _best_shift(position: Floats, rest: NDArray[np.bool_], logarithmic: bool) -> float | None:
    """Return what to add before the logarithm, None where the linear scale is less skewed for those at no spike."""
    if rest.sum() < 3 or (least := position.min()) < 0:
        return None
    shift = _SHIFTS[0] if least > 0 else _SHIFTS[1]
    position = position[rest]
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
        usual = _STANDING_OUT * counts[around].mean() if len(around) else np.inf
        if enough and counts[place] >= usual + 3 * np.sqrt(usual):
            found.append(float(places[place]))
    return tuple(sorted(found))


def linear(values: Floats, places: tuple[float, ...], targets: tuple[float, ...]) -> Floats:
    """Return the piecewise linear interpolation of (rows,) values, beyond the ends with the slope of the outer pieces.

    Example:
        >>> linear(np.array([0.5, 3.0, -1.0]), (0.0, 1.0, 2.0), (0.0, 1.0, 3.0)).tolist()
        [0.5, 5.0, -1.0]
    """
    x, y = np.array(places), np.array(targets)
    found = np.interp(values, x, y)
    slopes = np.diff(y) / np.diff(x)
    with np.errstate(invalid="ignore"):
        found = np.where(values < x[0], y[0] + slopes[0] * (values - x[0]), found)
        return np.asarray(np.where(values > x[-1], y[-1] + slopes[-1] * (values - x[-1]), found))


def normal_knots(values: Floats, patient: Ints, limit: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return averages of neighbouring values, each of at least `limit` patients, and their normal scores.

    A linear mean of normal scores has residuals of about the same spread everywhere (van der Waerden 1952).

    Arguments:
        values: (rows,), finite.
        patient: (rows,) number of each row's patient.
        limit: fewest patients of an average.

    Example:
        >>> knots, scores = normal_knots(np.exp(np.linspace(-2, 2, 400)), np.arange(400), 11)
        >>> len(knots), scores[0] == -scores[-1]
        (16, True)
    """
    order = np.argsort(values, kind="stable")
    count = min(MOST_KNOTS, len(np.unique(patient)) // max(2 * limit, 1))
    knots: list[float] = []
    scores: list[float] = []
    begin = 0
    for k in range(1, count + 1):
        end = round(len(values) * k / count)
        part = order[begin:end]
        if len(np.unique(patient[part])) < max(limit, 1):
            continue
        low, high = begin / len(values), end / len(values)
        # The mean of the normal distribution between two quantiles.
        score = float((norm.pdf(norm.ppf(low)) - norm.pdf(norm.ppf(high))) / (high - low))
        knot, begin = float(f"{values[part].mean():.4g}"), end
        if not knots or (knot > knots[-1] + _SAME and float(f"{score:.4g}") > scores[-1]):
            knots.append(knot)
            scores.append(float(f"{score:.4g}"))
    return (tuple(knots), tuple(scores)) if len(knots) >= LEAST_KNOTS else ((), ())
