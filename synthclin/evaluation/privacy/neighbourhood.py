"""Features of a membership inference attack: log distances to the nearest synthetic and to the nearest real rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.privacy.distances import nearest

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.privacy.attack_data import AttackData

__all__ = ["Neighbourhood"]

_NEIGHBOURS = 5
_RANDOM_SPACES = 3
_OFFSET = 1e-3  # added to distances, so that the logarithm is finite for copies


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """Logarithms of distances, in several sets of columns, all columns first.

    Arguments:
        synthetic: (sets, rows, neighbours) to the nearest synthetic rows.
        reference: (sets, rows) to the nearest real rows that the attacker knows, mean of 5.
    """

    synthetic: NDArray[np.float64]
    reference: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        data: AttackData,
        synthetic: NDArray[np.float64],
        known: NDArray[np.float64],
        rows: NDArray[np.float64],
        *,
        closest: NDArray[np.float64] | None = None,
    ) -> Neighbourhood:
        """Compute the distances of `rows`; ranks are among synthetic rows, which favours neither members nor others.

        Arguments:
            data: the columns and the column sets.
            synthetic: the published rows.
            known: the real rows that the attacker knows; none of `rows` is among them.
            rows: (rows, columns) the patients.
            closest: the result of `closest`, where it is known.
        """
        if closest is None:
            closest = cls.closest(data, synthetic, rows)
        reference = [
            _logarithm(nearest(data.features, space, known, rows, _NEIGHBOURS, ranked=synthetic)[0]).mean(axis=1)
            for space in spaces(data)
        ]
        return cls(closest, np.stack(reference))

    @staticmethod
    def closest(data: AttackData, synthetic: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (sets, rows, neighbours) logarithms of the distances to the nearest synthetic rows."""
        return np.stack(
            [_logarithm(nearest(data.features, each, synthetic, rows, _NEIGHBOURS)[0]) for each in spaces(data)]
        )

    @property
    def density_ratio(self) -> NDArray[np.float64]:
        """(rows,) log density ratio of synthetic to real rows around a patient (DOMIAS)."""
        ratio: NDArray[np.float64] = self.reference[0] - self.synthetic[0, :, 0]
        return ratio

    @property
    def nearness(self) -> NDArray[np.float64]:
        """(rows,) negative log distance to the nearest synthetic row."""
        near: NDArray[np.float64] = -self.synthetic[0, :, 0]
        return near

    @property
    def features(self) -> NDArray[np.float64]:
        """(rows, features) input of the ensemble."""
        first, mean = self.synthetic[:, :, 0], self.synthetic.mean(axis=2)
        gap = mean - first  # large for a copy without other near rows
        return np.vstack([first, self.reference - first, self.reference - mean, gap]).T


def spaces(data: AttackData) -> list[tuple[int, ...]]:
    """Return the column sets: all, ordered, unordered, and three random halves."""
    columns = np.arange(len(data.features))
    ordered = data.features.ordered
    rng = data.rng("spaces")
    halves = [np.sort(rng.permutation(columns)[: max(1, len(columns) // 2)]) for _ in range(_RANDOM_SPACES)]
    parts = [columns, columns[ordered], columns[~ordered], *halves]
    return list(dict.fromkeys(tuple(part.tolist()) for part in parts if len(part)))


def _logarithm(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    logarithm: NDArray[np.float64] = np.log(distances + _OFFSET)
    return logarithm
