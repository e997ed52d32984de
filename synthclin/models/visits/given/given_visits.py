"""Given visits of patients: typed, in order, with the cells that are to be imputed and the rules that they break."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.models.visits.given.visit_completion import KnownVisits
from synthclin.sampling.completion import finished
from synthclin.schema.visit_times import times_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthclin.models.visits.variables import Variables
    from synthclin.sampling.equalities import Equalities
    from synthclin.schema import Schema

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

__all__ = ["GivenVisits"]


@dataclass(frozen=True, slots=True)
class GivenVisits:
    """Typed visits, sorted by patient and time.

    Arguments:
        table: (rows, columns) of the schema, typed; missing where a cell is to be imputed.
        patient: (rows,) number of each row's patient, from 0 and rising.
        holes: (rows, columns) cells to impute; a static column has them in all rows of a patient.
        broken: by text of a rule, (rows,) whether the given cells violate it: such rows are exempt from it.
    """

    table: pd.DataFrame
    patient: Ints
    holes: pd.DataFrame
    broken: Mapping[str, Bools]

    @property
    def first(self) -> Ints:
        """(patients,) row of the first visit of each patient."""
        return np.asarray(np.unique(self.patient, return_index=True)[1])

    @property
    def count(self) -> Ints:
        """(patients,) number of visits of each patient."""
        return np.bincount(self.patient).astype(np.int64)

    def of(self, chosen: Ints) -> GivenVisits:
        """Return the visits of some patients, given by their rising numbers, and numbered anew."""
        rows = np.flatnonzero(np.isin(self.patient, chosen))
        return GivenVisits(
            self.table.iloc[rows].reset_index(drop=True),
            np.searchsorted(chosen, self.patient[rows]).astype(np.int64),
            self.holes.iloc[rows].reset_index(drop=True),
            {text: mask[rows] for text, mask in self.broken.items()},
        )

    def known(self, variables: Variables) -> KnownVisits:
        """Return what is known of each visit."""
        values, codes = variables.read(self.table)
        lines, levels = (
            np.column_stack([np.zeros((len(self.table), 0), dtype=np.bool_), self.holes[[one.name for one in each]]])
            for each in (variables.lines, variables.levels)
        )
        return KnownVisits(times_of(self.table[variables.time]), values, codes, lines, levels)

    def fresh(self, broken: Mapping[str, Bools], rows: Ints) -> dict[str, Bools]:
        """Return by rule which of (rows,) violate it, where their given cells do not violate it by themselves.

        Arguments:
            broken: by text of a rule, which of the rows, completed, violate it.
            rows: their numbers.
        """
        none = np.zeros(len(self.table), dtype=np.bool_)
        return {text: mask & ~self.broken.get(text, none)[rows] for text, mask in broken.items()}

    def solved(self, filled: pd.DataFrame, rows: Ints, equalities: Equalities, schema: Schema) -> pd.DataFrame:
        """Return completed rows in which imputed cells satisfy the equality rules, and given derived cells.

        Arguments:
            filled: the modelled columns of the rows, completed.
            rows: their numbers.
            equalities: of the schema.
            schema: of the table.
        """
        holes = self.holes.iloc[rows].reset_index(drop=True)
        given = self.table.iloc[rows].reset_index(drop=True)
        whole = finished(schema, given, filled[list(schema.modelled)].reset_index(drop=True))
        solved, changed = equalities.solved(whole, {name: holes[name].to_numpy() for name in map(str, holes)})
        if not changed:
            return filled
        names = [name for name in map(str, holes) if holes[name].any()]
        return filled.assign(**{name: solved[name].array for name in names})
