"""The tables that a score compares, on one footing: as numbers, at schema precision, with their patients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.errors import DataError
from synthclin.evaluation.features import Features
from synthclin.schema.patients import patients
from synthclin.seeds import numpy_generator

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.schema import Schema

__all__ = ["Comparison", "Tables", "subsample"]

# In a table of which nine rows in ten are distinct, one fresh row in ten repeats another: half of them is no chance.
_DISTINCT = 0.9
_FEW = 20
_MOST_MET = 0.5
_NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal", "boolean", "empty"}  # as pandas infers them
_MOMENTS = {"datetime64", "datetime", "date", "empty"}
_UNSEEN = "Give real rows that the model never saw, such as the holdout of `synthclin.split`."


@dataclass(frozen=True, slots=True)
class Tables:
    """The typed tables as given, the first of the synthetic ones, and the training table with each column shuffled."""

    synthetic: pd.DataFrame
    train: pd.DataFrame
    holdout: pd.DataFrame | None
    shuffled: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Comparison:
    """What every score gets.

    Arguments:
        schema: what the columns mean.
        features: the columns that are judged.
        tables: the typed tables.
        replicates: (rows, columns) of each synthetic table of one model, as `Features.values`; the first is released.
        train: (rows, columns) the rows that the model learnt from.
        holdout: (rows, columns) real rows that the model never saw, or None.
        shuffled: (rows, columns) the training rows, each column shuffled on its own: the independence baseline.
        train_patients: (rows,) numbers 0, 1, ... of the patients; rows of one patient share it.
        holdout_patients: (rows,) the same for the holdout.
        seed: the seed that all streams of `rng` come from.
    """

    schema: Schema
    features: Features
    tables: Tables
    replicates: tuple[NDArray[np.float64], ...]
    train: NDArray[np.float64]
    holdout: NDArray[np.float64] | None
    shuffled: NDArray[np.float64]
    train_patients: NDArray[np.int64]
    holdout_patients: NDArray[np.int64] | None
    seed: int

    @classmethod
    def of(
        cls,
        synthetic: pd.DataFrame | Sequence[pd.DataFrame],
        *,
        train: pd.DataFrame,
        holdout: pd.DataFrame | None,
        schema: Schema,
        random_state: int = 0,
    ) -> Comparison:
        """Put typed tables on one footing; a holdout without rows counts as none.

        Raises:
            DataError: there is no synthetic table, a table has no rows or lacks a column that is judged, a column of
                numbers or dates holds something else, or the holdout has patients or rows of the training table.
        """
        replicates = [synthetic] if isinstance(synthetic, pd.DataFrame) else list(synthetic)
        if not replicates:
            raise DataError("synthetic tables", "there are none", "Give one or more.")
        if holdout is not None and holdout.empty:
            holdout = None
        given = [("training table", train), *(("synthetic table", draw) for draw in replicates)]
        given += [] if holdout is None else [("holdout table", holdout)]
        judged = schema.modelled
        for where, table in given:
            if table.empty:
                raise DataError(where, "it has no rows", "Give a table with rows.")
            absent = [name for name in judged if name not in table.columns]
            if absent:
                what = f"{len(absent)} of {len(judged)} columns of the schema are absent, '{absent[0]}' first"
                raise DataError(where, what, "Add them, or take them out of the schema.")
            _refuse_untyped(where, table, schema)
        # Combinations that are to be observed are those of any row learnt.
        schema = schema.observed(train, patients(train, schema), least=1)
        shuffled = _shuffled(train, numpy_generator(random_state, "evaluation", "shuffle"))
        features = Features.of(schema, [table for _, table in given])
        learnt, held = features.values(train), None if holdout is None else features.values(holdout)
        if holdout is not None and held is not None:
            _refuse_shared_patients(train, holdout, schema)
            _refuse_shared_rows(learnt, held)
        return cls(
            schema=schema,
            features=features,
            tables=Tables(replicates[0], train, holdout, shuffled),
            replicates=tuple(features.values(draw) for draw in replicates),
            train=learnt,
            holdout=held,
            shuffled=features.values(shuffled),
            train_patients=patients(train, schema),
            holdout_patients=None if holdout is None else patients(holdout, schema),
            seed=random_state,
        )

    def where(self, column: int, place: float) -> Comparison:
        """Return the comparison of those rows whose column has the level at `place`."""
        here, drawn = self.train[:, column] == place, [rows[:, column] == place for rows in self.replicates]
        train, held, holdout, holdout_patients = self.tables.train[here], None, None, None
        if self.holdout is not None and self.holdout_patients is not None and self.tables.holdout is not None:
            unseen = self.holdout[:, column] == place
            if unseen.any():
                held, holdout = self.tables.holdout[unseen], self.holdout[unseen]
                holdout_patients = np.unique(self.holdout_patients[unseen], return_inverse=True)[1]
        shuffled = _shuffled(train, self.rng("shuffle", column, int(place)))
        return replace(
            self,
            tables=Tables(self.tables.synthetic[drawn[0]], train, held, shuffled),
            replicates=tuple(rows[mask] for rows, mask in zip(self.replicates, drawn, strict=True)),
            train=self.train[here],
            holdout=holdout,
            shuffled=self.features.values(shuffled),
            train_patients=np.unique(self.train_patients[here], return_inverse=True)[1],
            holdout_patients=holdout_patients,
        )

    @property
    def synthetic(self) -> NDArray[np.float64]:
        """(rows, columns) the synthetic table that is released."""
        return self.replicates[0]

    @property
    def real(self) -> NDArray[np.float64]:
        """(rows, columns) all real rows, those learnt first."""
        return self.train if self.holdout is None else np.vstack([self.train, self.holdout])

    def two_halves(self, n: int, rng: np.random.Generator) -> list[NDArray[np.float64]]:
        """Return two random parts of the real rows, of `n` rows each, or few less: no patient is in both."""
        who = self.train_patients
        if self.holdout_patients is not None:
            who = np.concatenate([who, self.holdout_patients + who.max() + 1])
        order = np.argsort(rng.permutation(int(who.max()) + 1)[who], kind="stable")
        later = order[n:]
        return [self.real[part] for part in (order[:n], later[who[later] != who[order[n - 1]]][:n])]

    def two_tables(self, n: int, rng: np.random.Generator) -> list[NDArray[np.float64]]:
        """Return `n` random rows of each of two synthetic tables, or two parts of the only one."""
        if len(self.replicates) > 1:
            return [subsample(self.replicates[k], n, rng) for k in rng.choice(len(self.replicates), 2, replace=False)]
        order = rng.permutation(len(self.synthetic))
        return [self.synthetic[order[:n]], self.synthetic[order[n : 2 * n]]]

    def rng(self, *path: str | int) -> np.random.Generator:
        """Return the generator of the stream `path`; the same path gives the same numbers."""
        return numpy_generator(self.seed, "evaluation", *path)


def _shuffled(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table, each column shuffled on its own."""
    return pd.DataFrame({name: table[name].iloc[rng.permutation(len(table))].array for name in table.columns})


def _refuse_untyped(where: str, table: pd.DataFrame, schema: Schema) -> None:
    """Refuse columns of numbers or dates that hold something else: what pandas says of it would tell a cell."""
    for twin in table.columns[table.columns.duplicated()]:
        raise DataError(where, f"column '{twin}' stands in it more than once", "Rename or remove the others.")
    for name in schema.modelled:
        column = schema.columns[name]
        moments = column.is_temporal
        if not (moments or column.is_numeric):
            continue
        if pd.api.types.infer_dtype(table[name], skipna=True) not in (_MOMENTS if moments else _NUMBERS):
            what = f"column '{name}' should hold {'dates' if moments else 'numbers'}, and does not"
            raise DataError(where, what, "Read the table with `synthclin.read_table` and the schema, which types it.")


def _refuse_shared_patients(train: pd.DataFrame, holdout: pd.DataFrame, schema: Schema) -> None:
    if schema.entity is None or not {schema.entity} <= {*train.columns} & {*holdout.columns}:
        return
    known = holdout[schema.entity].dropna()
    shared = known[known.isin(train[schema.entity])].nunique()
    if shared:
        what = f"{shared} of {known.nunique()} patients are in the training table too"
        raise DataError("holdout table", what, _UNSEEN)


def _refuse_shared_rows(train: NDArray[np.float64], holdout: NDArray[np.float64]) -> None:
    """Refuse a holdout most of whose rows were learnt from; rows of few columns may be alike by chance."""
    again = pd.DataFrame(np.vstack([train, holdout])).duplicated().to_numpy()
    distinct, met = 1 - again[: len(train)].mean(), again[len(train) :]
    telling = len(train) >= _FEW and distinct > _DISTINCT
    if np.array_equal(train, holdout, equal_nan=True) or (telling and met.mean() > _MOST_MET):
        what = f"{int(met.sum())} of {len(met)} rows are in the training table too"
        raise DataError("holdout table", what, _UNSEEN)


def subsample(values: NDArray[np.float64], most: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return at most `most` rows, drawn without replacement, in their order."""
    if len(values) <= most:
        return values
    return values[np.sort(rng.choice(len(values), most, replace=False))]
