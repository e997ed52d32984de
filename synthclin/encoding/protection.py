"""Disclosure limits: the smallest number of patients behind a stored value or statistic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Limits", "Rows", "protected_counts", "protected_shares"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The smallest numbers of patients behind stored values and statistics.

    Arguments:
        value: per value or level that is stored as such (`rare_category`).
        statistic: per bin, average or share (`trim_extremes`, and at least `value`).
    """

    value: int
    statistic: int

    @classmethod
    def of(cls, rare_category: int, trim_extremes: int) -> Limits:
        """Return the limits for these settings; 0 and 1 both mean no protection."""
        value = max(rare_category, 1)
        return cls(value, max(trim_extremes, value))


@dataclass(frozen=True, slots=True)
class Rows:
    """Observed rows of one column, sorted by position, and their patients.

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
        """The number of patients."""
        return len(np.unique(self.patient))

    def frequent(self, limit: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the values with at least `limit` patients, rising, and the number of rows of each.

        Example:
            >>> Rows(np.array([1.0, 1.0, 2.0, 2.0]), np.array([0, 1, 2, 2])).frequent(2)[0].tolist()
            [1.0]
        """
        values, first, counts = np.unique(self.position, return_index=True, return_counts=True)
        # A value with fewer rows has fewer patients.
        enough = [i for i in np.flatnonzero(counts >= limit) if self[first[i] : first[i] + counts[i]].patients >= limit]
        return values[enough], counts[enough]


def protected_counts(counts: NDArray[np.float64] | NDArray[np.int64], limit: int) -> NDArray[np.float64]:
    """Return the (cells,) counts of a partition in which no count below `limit` shows, from 0 up to it.

    Small counts become half the limit each. Beside one, the others become multiples of the limit, so that no
    subtraction from a known total gives it; if only one is left, it is rounded from the total.

    Example:
        >>> protected_counts(np.array([90, 3, 0]), limit=11).tolist()
        [88.0, 5.5, 5.5]
        >>> protected_counts(np.array([90, 13, 20]), limit=11).tolist()
        [90.0, 13.0, 20.0]
    """
    exact = np.asarray(counts, dtype=np.float64)
    small = exact < limit
    if limit <= 1 or not small.any():
        return exact
    whole = np.where(~small, exact.sum(), 0.0) if (~small).sum() == 1 else exact
    return np.where(small, limit / 2, np.maximum(np.rint(whole / limit), 1) * limit)


def protected_shares(codes: NDArray[np.int64], cardinality: int, limit: int) -> NDArray[np.float64]:
    """Return the (cardinality,) relative frequency of each code, in which no count below `limit` shows.

    A code with fewer rows, or none, counts for half the limit, and the others share the rest in proportion to their
    `protected_counts`; shares are rounded to three significant digits.

    Example:
        >>> protected_shares(np.array([0] * 90 + [1] * 3), 3, limit=11).tolist()
        [0.882, 0.0591, 0.0591]
    """
    rows = np.bincount(codes, minlength=cardinality)
    small, counts = rows < limit, protected_counts(rows, limit)
    counts = np.where(small, limit / 2, counts)
    left = len(codes) - counts[small].sum()
    if left > counts[small].sum() and not small.all():
        counts[~small] *= left / counts[~small].sum()
    return np.array([float(f"{share:.3g}") for share in counts / counts.sum()])
