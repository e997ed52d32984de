"""The visits of each patient in the order of their times: what functions such as `previous` refer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

__all__ = ["VisitOrder"]


@dataclass(frozen=True, slots=True)
class VisitOrder:
    """Rows of a table of visits by patient and time.

    Arguments:
        patient: (rows,) the number of each row's patient.
        previous: (rows,) the row of the visit before; -1 at a first visit.
        first: (rows,) the row of the patient's first visit.
        last: (rows,) the row of the patient's last visit.
        count: (rows,) the number of the patient's visits.
    """

    patient: Ints
    previous: Ints
    first: Ints
    last: Ints
    count: Ints

    @classmethod
    def of(cls, patient: Ints, time: NDArray[np.float64]) -> Self:
        """Return the order of (rows,) visits, which may stand in any order; a time that is NaN comes last.

        Arguments:
            patient: (rows,) the number of each row's patient, from 0 and without gaps.
            time: (rows,) time of each visit.

        Example:
            >>> VisitOrder.of(np.array([0, 1, 0, 0]), np.array([14.0, 0.0, 0.0, 7.0])).previous.tolist()
            [3, -1, -1, 2]
        """
        rows = np.lexsort((time, patient))
        sorted_patient = patient[rows]
        begins = np.diff(sorted_patient, prepend=-1) != 0
        previous = np.full(len(rows), -1, dtype=np.int64)
        later = np.flatnonzero(~begins)
        previous[rows[later]] = rows[later - 1]
        first = rows[begins]
        last = rows[np.flatnonzero(np.diff(sorted_patient, append=-1) != 0)]
        count = np.bincount(patient, minlength=len(first)).astype(np.int64)
        return cls(patient, previous, first[patient], last[patient], count[patient])
