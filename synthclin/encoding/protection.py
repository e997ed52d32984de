"""How many patients must stand behind whatever is kept of a table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Limits", "Rows", "protected_shares"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How many patients must stand behind what is kept.

    Arguments:
        value: behind a value or level that is kept as such (`rare_category`).
        statistic: behind a bin, an average or a share (`trim_extremes`, and at least `value`).
    """

    value: int
    statistic: int

    @classmethod
    def of(cls, rare_category: int, trim_extremes: int) -> Limits:
        """Return the limits that these settings mean; 0 and 1 both mean no protection."""
        value = max(rare_category, 1)
        return cls(value, max(trim_extremes, value))


@dataclass(frozen=True, slots=True)
class Rows:
    """Observed rows of one column, by rising position, and whose they are.

    Arguments:
        position: (rows,) on the column's line, rising.
        patient: (rows,) the patient's number.
    """

    position: NDArray[np.float64]
    patient: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.position)

    def __getitem__(self, rows: NDArray[np.bool_] | slice) -> Rows:
        return Rows(self.position[rows], self.patient[rows])

    @property
    def patients(self) -> int:
        """How many patients there are."""
        return len(np.unique(self.patient))

    def held(self, limit: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the values held by at least `limit` patients, rising, and the rows of each.

        Example:
            >>> Rows(np.array([1.0, 1.0, 2.0, 2.0]), np.array([0, 1, 2, 2])).held(2)[0].tolist()
            [1.0]
        """
        values, first, counts = np.unique(self.position, return_index=True, return_counts=True)
        # Only values on enough rows are worth counting the patients of.
        enough = [i for i in np.flatnonzero(counts >= limit) if self[first[i] : first[i] + counts[i]].patients >= limit]
        return values[enough], counts[enough]


def protected_shares(codes: NDArray[np.int64], cardinality: int, limit: int) -> NDArray[np.float64]:
    """Return how often each code occurs, (cardinality,), such that no share tells a count below `limit`.

    A code on fewer rows counts for half the limit, whether none or almost `limit` rows hold it; shares are rounded to
    three significant digits.

    Example:
        >>> protected_shares(np.array([0] * 90 + [1] * 3), 3, limit=11).tolist()
        [0.891, 0.0545, 0.0545]
    """
    counts = np.bincount(codes, minlength=cardinality).astype(np.float64)
    counts = np.where(counts < limit, limit / 2, counts)
    return np.array([float(f"{share:.3g}") for share in counts / counts.sum()])
