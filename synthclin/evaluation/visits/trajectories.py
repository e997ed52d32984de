"""Trajectories: the visits of patients in the order of time, as arrays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.features import Features
    from synthclin.schema import Schema

__all__ = ["Trajectories", "visit_times"]

_DAY = 86_400.0  # seconds


@dataclass(frozen=True, slots=True)
class Trajectories:
    """The visits of patients; those of one patient stand together, in the order of time.

    Arguments:
        values: (visits, columns) as `Features.values`.
        time: (visits,) in the unit of the visit time, in days for dates; NaN where missing, which is last.
        patient: (visits,) the place of the patient, from 0 and rising.
        places: (visits,) the place of each visit in its table.

    Example:
        >>> values = np.array([[7.0], [5.0], [6.0]])
        >>> found = Trajectories.of(values, np.array([30.0, 0.0, 0.0]), np.array([0, 0, 1]))
        >>> found.values[:, 0].tolist(), found.counts.tolist(), found.gaps.tolist()
        ([5.0, 7.0, 6.0], [2, 1], [nan, 30.0, nan])
    """

    values: NDArray[np.float64]
    time: NDArray[np.float64]
    patient: NDArray[np.int64]
    places: NDArray[np.intp]

    @classmethod
    def of(cls, values: NDArray[np.float64], time: NDArray[np.float64], patients: NDArray[np.int64]) -> Trajectories:
        """Sort visits by patient and time; patients have the numbers 0, 1, ... without gaps."""
        order = np.lexsort((time, patients))
        return cls(values[order], time[order], patients[order].astype(np.int64), order)

    @classmethod
    def joined(cls, parts: Sequence[Trajectories]) -> Trajectories:
        """Return all patients of several tables, one table after the other."""
        shifts = np.cumsum([0, *(len(part.counts) for part in parts[:-1])])
        return cls(
            np.vstack([part.values for part in parts]),
            np.concatenate([part.time for part in parts]),
            np.concatenate([part.patient + shift for part, shift in zip(parts, shifts, strict=True)]),
            np.concatenate([part.places for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def starts(self) -> NDArray[np.intp]:
        """(patients,) the place of each patient's first visit."""
        return np.flatnonzero(np.diff(self.patient, prepend=-1))

    @property
    def counts(self) -> NDArray[np.int64]:
        """(patients,) the number of visits."""
        return np.bincount(self.patient).astype(np.int64)

    @property
    def number(self) -> NDArray[np.int64]:
        """(visits,) the number of a visit among those of its patient, from 0."""
        return np.arange(len(self.patient)) - self.starts[self.patient]

    @property
    def gaps(self) -> NDArray[np.float64]:
        """(visits,) the time since the visit before; NaN at the first visit."""
        return np.where(self.number > 0, np.diff(self.time, prepend=np.nan), np.nan)

    @property
    def since_first(self) -> NDArray[np.float64]:
        """(visits,) the time since the first visit of the patient."""
        since: NDArray[np.float64] = self.time - self.time[self.starts][self.patient]
        return since

    def before(self, x: NDArray[np.float64], lag: int = 1) -> NDArray[np.float64]:
        """Return (visits, ...) the values `lag` visits before, of the same patient; NaN where there is none.

        Arguments:
            x: (visits, ...) one row per visit.
            lag: how many visits before.
        """
        out = np.full(x.shape, np.nan)
        out[lag:] = x[:-lag] if lag < len(x) else x[:0]
        out[self.number < lag] = np.nan
        return out

    def sums(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """(patients, ...) sums over the visits of each patient, NaN counting as 0.

        Arguments:
            x: (visits, ...) one row per visit.
        """
        return np.add.reduceat(np.nan_to_num(x), self.starts, axis=0) if len(x) else x

    def visits_of(self, patients: NDArray[np.intp]) -> NDArray[np.intp]:
        """Return the places of all visits of some patients, patient after patient."""
        counts = self.counts[patients]
        ends = np.cumsum(counts)
        return np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(self.starts[patients] - ends + counts, counts)

    def shuffled(self, columns: Sequence[int], rng: np.random.Generator) -> Trajectories:
        """Return trajectories whose cells of some columns are shuffled over all visits of all patients."""
        values = self.values.copy()
        for j in columns:
            values[:, j] = values[rng.permutation(len(values)), j]
        return replace(self, values=values)


def visit_times(features: Features, schema: Schema, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (visits,) the times of visits: days for dates and datetimes, else the numbers of the column."""
    assert schema.visit_time is not None
    j = features.names.index(schema.visit_time)
    seconds = features.columns[j].column.resolution == "s"
    return values[:, j] / _DAY if seconds else values[:, j]
