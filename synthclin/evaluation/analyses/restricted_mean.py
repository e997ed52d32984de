"""Restricted mean survival time (RMST), and Kaplan-Meier curves whose small numbers at risk are suppressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.analyses.survival_estimators import at_risk, event_times
from synthclin.evaluation.score import Z
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["Followed", "curves", "rmst"]

_STEPS = 40

Followed = tuple["NDArray[np.float64]", "NDArray[np.bool_]"]
"""(rows,) times to the event or to censoring, and (rows,) whether the event happened."""


@dataclass(frozen=True, slots=True)
class _Steps:
    """(events,) the distinct event times, numbers at risk and of events, and survival from each on."""

    at: NDArray[np.float64]
    risk: NDArray[np.intp]
    deaths: NDArray[np.intp]
    survival: NDArray[np.float64]

    @property
    def greenwood(self) -> NDArray[np.float64]:
        """(events,) terms of Greenwood's sum; 0 where nobody remains at risk."""
        left = self.risk > self.deaths
        return np.divide(self.deaths, self.risk * (self.risk - self.deaths), out=np.zeros(len(self.at)), where=left)


def _steps(followed: Followed, until: float) -> _Steps:
    at, deaths, risk = event_times(*followed)
    early = at <= until
    at, deaths, risk = at[early], deaths[early], risk[early]
    return _Steps(at, risk, deaths, np.cumprod(1 - deaths / risk).astype(np.float64))


def rmst(followed: Followed, horizon: float) -> tuple[float, float]:
    """Return the RMST, the area under the Kaplan-Meier curve up to a horizon, and its standard error.

    Greenwood's variance (Royston and Parmar, BMC Med Res Methodol 13:152, 2013).

    Arguments:
        followed: times, and whether the event happened.
        horizon: in the unit of the times.

    Example:
        >>> rmst((np.array([1.0, 2.0, 3.0]), np.array([True, True, False])), 3.0)[0]
        2.0
    """
    times, _ = followed
    if not len(times) or np.isnan(horizon):
        return np.nan, np.nan
    steps = _steps(followed, horizon)
    survival = np.concatenate([[1.0], steps.survival])
    areas = survival * np.diff(np.concatenate([[min(0.0, times.min())], steps.at, [horizon]]))
    later = np.cumsum(areas[::-1])[::-1][1:]
    return float(areas.sum()), float(np.sqrt((later**2 * steps.greenwood).sum()))


def curves(arms: Sequence[tuple[str, Followed, Followed]], horizon: float) -> list[dict[str, Any]]:
    """Return the real and the synthetic curve of each arm on a grid of times that all arms share.

    Each curve ends where fewer than 11 are at risk, so that no time or count of few patients is disclosed. An arm
    without 11 at risk at the second time is left out.

    Arguments:
        arms: name, real rows and synthetic rows of each.
        horizon: the last time of the grid.

    Returns:
        A mapping per arm: ``group``, ``times`` and the two curves. A curve has, for each of its times,
        ``survival``, the ends ``low`` and ``high`` of its 95 % interval (log-log: Kalbfleisch and Prentice, 2002),
        ``at_risk``, and ``censored``: whether 11 or more were censored since the time before.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> rows = rng.exponential(5, 200), rng.random(200) < 0.7
        >>> arm, = curves([("all", rows, rows)], 10.0)
        >>> float(arm["real"]["survival"][0]), int(arm["real"]["at_risk"][0]), bool(min(arm["real"]["at_risk"]) >= 11)
        (1.0, 200, True)
    """
    if np.isnan(horizon):
        return []
    grid = np.linspace(0.0, horizon, _STEPS + 1)
    by_arm = [(name, _curve(real, grid), _curve(synthetic, grid)) for name, real, synthetic in arms]
    return [
        {"group": name, "times": grid.tolist(), "real": real, "synthetic": synthetic}
        for name, real, synthetic in by_arm
        if len(real["survival"]) > 1
    ]


def _curve(followed: Followed, grid: NDArray[np.float64]) -> dict[str, Any]:
    times, events = followed
    risk = at_risk(times, grid)
    shown = grid[: int((risk >= MIN_PATIENTS).sum())]
    steps = _steps(followed, float(shown[-1]) if len(shown) else -np.inf)
    place = np.searchsorted(steps.at, shown, "right")
    survival = np.concatenate([[1.0], steps.survival])[place]
    spread = np.sqrt(np.concatenate([[0.0], np.cumsum(steps.greenwood)])[place])
    low, high = _band(survival, spread)
    leaving = np.bincount(np.searchsorted(shown, times[~events]), minlength=len(shown) + 1)[: len(shown)]
    return {
        "survival": survival,
        "low": low,
        "high": high,
        "at_risk": risk[: len(shown)],
        "censored": leaving >= MIN_PATIENTS,
    }


def _band(survival: NDArray[np.float64], spread: NDArray[np.float64]) -> Sequence[NDArray[np.float64]]:
    """Return both ends of the log-log interval; at survival 0 and 1 it is the value itself."""
    inside = (survival > 0) & (survival < 1)
    logs = np.log(survival, out=np.full(len(survival), -1.0), where=inside)
    factor = np.exp(Z * spread / np.abs(logs))
    return [np.where(inside, np.exp(logs * power), survival) for power in (factor, 1 / factor)]
