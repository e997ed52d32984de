"""Survival estimators: Kaplan-Meier, Aalen-Johansen, Breslow, and the IPCW concordance and Brier scores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["StepCurve", "at_risk", "breslow", "brier", "concordance", "event_times", "gap", "incidence", "survival"]


@dataclass(frozen=True, slots=True)
class StepCurve:
    """A step function.

    Arguments:
        at: (steps,) the times at which it changes, rising.
        values: (steps + 1,) its value before the first of them, and from each of them on.
    """

    at: NDArray[np.float64]
    values: NDArray[np.float64]

    def __call__(self, times: NDArray[np.float64], side: str = "right") -> NDArray[np.float64]:
        """Return the values at some times; with ``side="left"`` those just before."""
        places = np.searchsorted(self.at, times, "left" if side == "left" else "right")
        values: NDArray[np.float64] = self.values[places]
        return values


def survival(times: NDArray[np.float64], events: NDArray[np.bool_]) -> StepCurve:
    """Return the Kaplan-Meier estimate of the survival function (JASA 53:457-481, 1958).

    Arguments:
        times: (rows,) to the event or to censoring.
        events: (rows,) whether the event happened.

    Example:
        >>> survival(np.array([1.0, 2.0, 3.0]), np.array([True, False, True])).values.round(3).tolist()
        [1.0, 0.667, 0.0]
    """
    at, deaths, risk = event_times(times, events)
    return StepCurve(at, np.concatenate([[1.0], np.cumprod(1 - deaths / risk)]))


def incidence(times: NDArray[np.float64], causes: NDArray[np.float64], cause: float) -> StepCurve:
    """Return the Aalen-Johansen estimate of the cumulative incidence of one cause (Scand J Stat 5:141-150, 1978).

    Arguments:
        times: (rows,) to the first event or to censoring.
        causes: (rows,) the event; NaN for censoring.
        cause: the cause.

    Example:
        >>> incidence(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 0.0]), 0.0).values.round(3).tolist()
        [0.0, 0.333, 0.667]
    """
    at, deaths, risk = event_times(times, causes == cause)
    free = survival(times, ~np.isnan(causes))
    return StepCurve(at, np.concatenate([[0.0], np.cumsum(free(at, "left") * deaths / risk)]))


def event_times(
    times: NDArray[np.float64], events: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.intp], NDArray[np.intp]]:
    """Return the distinct times of events, how many there are at each, and how many are at risk."""
    at, deaths = np.unique(times[events], return_counts=True)
    return at, deaths, at_risk(times, at)


def at_risk(times: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return how many of (rows,) times are at risk at each time of `at`."""
    return len(times) - np.searchsorted(np.sort(times), at, "left")


def gap(first: StepCurve, second: StepCurve, horizon: float, *, signed: bool = False) -> float:
    """Return the mean absolute distance of two curves from 0 to a horizon; signed, the mean of second minus first.

    Example:
        >>> always = StepCurve(np.empty(0), np.ones(1))
        >>> gap(always, survival(np.array([1.0]), np.array([True])), 2.0)
        0.5
    """
    inner = np.union1d(first.at, second.at)
    starts = np.concatenate([[0.0], inner[(inner > 0) & (inner < horizon)]])
    widths = np.diff(starts, append=horizon)
    heights = second(starts) - first(starts)
    return float((heights if signed else np.abs(heights)) @ widths / horizon)


def concordance(
    scores: NDArray[np.float64],
    times: NDArray[np.float64],
    events: NDArray[np.bool_],
    weights: NDArray[np.float64],
    horizon: float,
) -> NDArray[np.float64]:
    """Return Uno's concordance: the probability that the patient of the higher score has the event first.

    Pairs are inverse probability of censoring weighted, so that the result does not depend on the censoring
    distribution (Uno et al., Stat Med 30:1105-1117, 2011). 0.5 is chance.

    Arguments:
        scores: (rows,) of risk.
        times: (rows,) to the event or to censoring.
        events: (rows,) whether the event happened.
        weights: (samples, rows) bootstrap weights.
        horizon: events from here on do not count.

    Returns:
        (samples,); NaN where no pair is comparable.
    """
    uncensored = survival(times, ~events)(times, "left")
    counts = events & (times < horizon) & (uncensored > 0)
    first, chance = np.flatnonzero(counts), np.maximum(uncensored[counts], 1e-12)
    pairs = (times[first, None] < times[None, :]) / chance[:, None] ** 2
    higher = (scores[first, None] > scores[None, :]) + 0.5 * (scores[first, None] == scores[None, :])
    total, won = (((weights @ (part).T) * weights[:, first]).sum(axis=1) for part in (pairs, pairs * higher))
    areas: NDArray[np.float64] = np.divide(won, total, out=np.full(len(weights), np.nan), where=total > 0)
    return areas


def breslow(scores: NDArray[np.float64], times: NDArray[np.float64], events: NDArray[np.bool_]) -> StepCurve:
    """Return the Breslow estimate of the cumulative baseline hazard (JRSS B 34:216-217, 1972).

    Arguments:
        scores: (rows,) logarithms of the hazard ratios.
        times: (rows,) to the event or to censoring.
        events: (rows,) whether the event happened.

    Example:
        >>> breslow(np.zeros(3), np.array([1.0, 2.0, 3.0]), np.array([True, False, True])).values.round(3).tolist()
        [0.0, 0.333, 1.333]
    """
    at, deaths, _ = event_times(times, events)
    order = np.argsort(times, kind="stable")
    left = np.concatenate([np.cumsum(np.exp(scores[order])[::-1])[::-1], [np.inf]])
    return StepCurve(at, np.concatenate([[0.0], np.cumsum(deaths / left[np.searchsorted(times[order], at, "left")])]))


def brier(
    alive: NDArray[np.float64],
    times: NDArray[np.float64],
    events: NDArray[np.bool_],
    weights: NDArray[np.float64],
    grid: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return the integrated Brier score: mean squared error of predicted survival probabilities over a grid of times.

    Inverse probability of censoring weighted (Graf et al., Stat Med 18:2529-2545, 1999).

    Arguments:
        alive: (rows, times) predicted survival probabilities.
        times: (rows,) to the event or to censoring.
        events: (rows,) whether the event happened.
        weights: (samples, rows) bootstrap weights.
        grid: (times,).

    Returns:
        (samples,)

    Example:
        >>> at, ones = np.array([1.0, 3.0]), np.ones((1, 2))
        >>> brier(np.array([[0.5], [0.5]]), at, np.array([True, True]), ones, np.array([2.0]))
        array([0.25])
    """
    uncensored = survival(times, ~events)
    gone = (times[:, None] <= grid) & events[:, None]
    stay = times[:, None] > grid
    errors = gone * alive**2 / np.maximum(uncensored(times, "left"), 1e-12)[:, None]
    errors += stay * (1 - alive) ** 2 / np.maximum(uncensored(grid), 1e-12)
    mean: NDArray[np.float64] = weights @ errors.mean(axis=1) / weights.sum(axis=1)
    return mean
