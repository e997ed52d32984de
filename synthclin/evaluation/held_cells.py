"""Cells of a histogram and the patients in each: a cell of many visits of few patients is a small one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.disclosure import is_small, merged_cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["HeldCells"]


@dataclass(frozen=True, slots=True)
class HeldCells:
    """The cells of a histogram of real rows, and which patients have rows in each.

    Arguments:
        patients: (cells,) number of patients with a row in each cell.
        members: (patients, cells) whether a patient has a row in a cell; None where each patient has one row, so that
            numbers of patients add up.
    """

    patients: NDArray[np.int64]
    members: NDArray[np.bool_] | None

    @classmethod
    def of(cls, cell: NDArray[np.intp], who: NDArray[np.int64], cells: int) -> HeldCells:
        """Count the patients of each cell.

        Arguments:
            cell: (rows,) the cell of each row.
            who: (rows,) the patient of each row.
            cells: the number of cells.

        Example:
            >>> held = HeldCells.of(np.array([0, 0, 1]), np.array([4, 4, 4]), 2)
            >>> held.patients.tolist(), held.holders(slice(0, 2))
            ([1, 1], 1)
        """
        found, place = np.unique(who, return_inverse=True)
        if len(found) == len(who):
            return cls(np.bincount(cell, minlength=cells).astype(np.int64), None)
        members = np.zeros((len(found), cells), dtype=bool)
        members[place, cell] = True
        return cls(members.sum(axis=0, dtype=np.int64), members)

    def ordered(self, order: NDArray[np.intp]) -> HeldCells:
        """Return the cells in an order, or some of them."""
        members = None if self.members is None else self.members[:, order]
        return replace(self, patients=self.patients[order], members=members)

    def holders(self, cells: slice) -> int:
        """Return the number of patients with a row in one of the cells."""
        if self.members is None:
            return int(self.patients[cells].sum())
        return int(self.members[:, cells].any(axis=1).sum())

    def merged(self) -> list[slice]:
        """Return runs of neighbouring cells, none of few patients unless all cells together have few."""
        if self.members is None:
            return merged_cells(self.patients.tolist())
        runs: Sequence[slice] = [slice(i, i + 1) for i in range(len(self.patients))]
        while len(runs) > 1 and any(few := [is_small(self.holders(run)) for run in runs]):
            left = min(few.index(True), len(runs) - 2)
            runs = [*runs[:left], slice(runs[left].start, runs[left + 1].stop), *runs[left + 2 :]]
        return list(runs)
