"""Integrated alpha-precision, beta-recall and authenticity (Alaa et al., ICML 2022)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from sklearn.neighbors import NearestNeighbors

from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.details import Details, Finite, NoDetails
from synthclin.evaluation.features import Coordinates
from synthclin.evaluation.fidelity.estimate import estimate_fidelity
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.score import Score
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against

__all__ = ["PRECISION", "RECALL", "RecallDetails", "authenticity", "precision", "recall"]

_MOST_ROWS = 2_000
_ROUNDS = 5
_LEVELS = np.linspace(0, 1, 31)

_WHERE = (
    "in a fixed embedding (ranks of numbers, levels at distance one, missing flags), not one of a network, "
    f"against as many training rows, at most {_MOST_ROWS}, mean of {_ROUNDS} random halves of the real rows (Alaa, van "
    "Breugel, Saveliev and van der Schaar, ICML 2022, arXiv:2102.08921)"
)


class RecallDetails(Details):
    """Details of the recall."""

    authenticity: dict[Literal["synthetic", "holdout"], Finite | None]
    """Share of rows that are further from the nearest training row than other training rows are from it."""


PRECISION = Kind(
    name="fidelity.precision",
    question="Are synthetic rows as typical as real ones?",
    better="higher",
    method=(
        "integrated alpha-precision: 1 - twice the mean distance from the diagonal of the share of rows in the ball "
        f"around the centre that holds the share alpha of real rows, {_WHERE}"
    ),
    section="fidelity",
    label="Precision",
    unit="share of synthetic rows within the real support",
    ideal=1.0,
    details=NoDetails,
    counts="real",
)
RECALL = Kind(
    name="fidelity.recall",
    question="Is every kind of real patient represented?",
    better="higher",
    method=(
        "integrated beta-recall: 1 - twice the mean distance from the diagonal of the share of real rows that have "
        "one of the rows nearest the centre, a share beta of them, no further away than their nearest real neighbour,"
        f" {_WHERE}"
    ),
    section="fidelity",
    label="Recall",
    unit="share of real patients within the synthetic support",
    ideal=1.0,
    details=RecallDetails,
    counts="real",
)


def precision(c: Comparison) -> Score:
    """Score integrated alpha-precision: synthetic rows are as often near the centre as real ones."""

    def measure(real: NDArray[np.float64]) -> Against:
        space = Coordinates.of(c.features, real)
        placed = space.place(real)
        return lambda other: np.array([_precision(placed, space.place(other))])

    return estimate_fidelity(c, measure, "precision", rounds=_ROUNDS, most=_MOST_ROWS).score(PRECISION)


def recall(c: Comparison) -> Score:
    """Score integrated beta-recall: real rows have synthetic rows near them."""

    def measure(real: NDArray[np.float64]) -> Against:
        space = Coordinates.of(c.features, real)
        placed = space.place(real)
        radius = _own_distance(placed) if len(placed) > 1 else np.full(len(placed), np.nan)
        return lambda other: np.array([_recall(placed, radius, space.place(other))])

    train = subsample(c.train, _MOST_ROWS, c.rng("recall", "train"))
    space = Coordinates.of(c.features, train)
    compared = {"synthetic": c.synthetic} | ({} if c.holdout is None else {"holdout": c.holdout})
    authentic = {
        key: authenticity(space.place(train), space.place(subsample(rows, _MOST_ROWS, c.rng("recall", key))))
        for key, rows in compared.items()
    }
    return estimate_fidelity(c, measure, "recall", rounds=_ROUNDS, most=_MOST_ROWS).score(
        RECALL,
        notes=[tr("The authenticity among the details describes fidelity; it is no evidence of privacy.")],
        details=RecallDetails(authenticity=authentic),
    )


def _precision(real: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the integrated alpha-precision of points."""
    centre = real.mean(axis=0)
    inside, others = (np.linalg.norm(points - centre, axis=1) for points in (real, other))
    shares = (others[None, :] <= np.quantile(inside, _LEVELS)[:, None]).mean(axis=1)
    return float(1 - 2 * np.trapezoid(np.abs(shares - _LEVELS), _LEVELS))


def _recall(real: NDArray[np.float64], radius: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the integrated beta-recall of points; `radius` is the distance of each real point to its neighbour."""
    if len(real) < 2:
        return np.nan
    centre = other.mean(axis=0)
    from_centre = np.linalg.norm(other - centre, axis=1)
    distance, nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(other).kneighbors(real)
    covered = distance[:, 0] <= radius
    depth = from_centre[nearest[:, 0]]
    shares = [(covered & (depth <= limit)).mean() for limit in np.quantile(from_centre, _LEVELS)]
    return float(1 - 2 * np.trapezoid(np.abs(np.array(shares) - _LEVELS), _LEVELS))


def authenticity(real: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return the share of points whose distance to the nearest real point exceeds that point's own neighbour distance.

    The neighbour distance is indexed by the nearest real point. (A widely used implementation indexes it by the
    synthetic point.)

    Example:
        >>> real = np.array([[0.0], [1.0], [9.0]])
        >>> authenticity(real, real), authenticity(real, np.array([[3.0], [9.1]]))
        (0.0, 0.5)
    """
    if len(real) < 2:
        return np.nan
    distance, nearest = NearestNeighbors(n_neighbors=1, algorithm="brute").fit(real).kneighbors(other)
    return float((distance[:, 0] > _own_distance(real)[nearest[:, 0]]).mean())


def _own_distance(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(points,) the distance of each point to the nearest other point; 0 where there is an equal one."""
    own: NDArray[np.float64] = (
        NearestNeighbors(n_neighbors=2, algorithm="brute").fit(points).kneighbors(points)[0][:, 1]
    )
    return own
