"""The input of every score: synthetic, training and holdout tables as numeric arrays, with patient numbers."""

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

# Where nine rows in ten are distinct, about one new row in ten repeats another; that half of them do is no coincidence.
_DISTINCT = 0.9
_FEW = 20
_MOST_SHARED = 0.5
_NUMBERS = {"integer", "floating", "mixed-integer-float", "decimal", "boolean", "empty"}  # as pandas infers them
_MOMENTS = {"datetime64", "datetime", "date", "empty"}
_NO_HOLDOUT = "Give real rows that were not used in training, such as the holdout of `synthclin.split`."


@dataclass(frozen=True, slots=True)
class Tables:
    """Typed tables: the first synthetic replicate, training, holdout, and training with each column shuffled."""

    synthetic: pd.DataFrame
    train: pd.DataFrame
    holdout: pd.DataFrame | None
    shuffled: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Comparison:
    """The argument of every score.

    Arguments:
        schema: the schema of all tables.
        features: the evaluated columns.
        tables: the typed tables.
        replicates: (rows, columns) each synthetic replicate, as `Features.values`; the first is released.
        train: (rows, columns) training rows.
        holdout: (rows, columns) real rows that were not used in training, or None.
        shuffled: (rows, columns) training rows, each column shuffled: the independence baseline.
        train_patients: (rows,) patient numbers 0, 1, ...; rows of one patient share a number.
        holdout_patients: (rows,) the same for the holdout.
        synthetic_patients: (rows,) the same for each synthetic replicate; each row is a patient of its own unless the
            schema declares visits.
        seed: seed of all streams of `rng`.
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
    synthetic_patients: tuple[NDArray[np.int64], ...]
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
        """Encode typed tables as arrays; a holdout without rows counts as none.

        Raises:
            DataError: there is no synthetic table, a table has no rows or lacks an evaluated column, a column of
                numbers or dates has values of another type, or the holdout shares patients or rows with training.
        """
        replicates = [synthetic] if isinstance(synthetic, pd.DataFrame) else list(synthetic)
        if not replicates:
            raise DataError("synthetic tables", "there are none", "Give one or more.")
        if holdout is not None and holdout.empty:
            holdout = None
        given = [("training table", train), *(("synthetic table", table) for table in replicates)]
        given += [] if holdout is None else [("holdout table", holdout)]
        evaluated = schema.modelled
        for where, table in given:
            if table.empty:
                raise DataError(where, "it has no rows", "Give a table with rows.")
            absent = [name for name in evaluated if name not in table.columns]
            if absent:
                what = f"{len(absent)} of {len(evaluated)} columns of the schema are absent, '{absent[0]}' first"
                raise DataError(where, what, "Add them, or take them out of the schema.")
            _refuse_untyped(where, table, schema)
        # The allowed combinations are those of any training row.
        schema = schema.observed(train, patients(train, schema), least=1)
        shuffled = _shuffled(train, numpy_generator(random_state, "evaluation", "shuffle"))
        features = Features.of(schema, [table for _, table in given])
        train_values, holdout_values = features.values(train), None if holdout is None else features.values(holdout)
        if holdout is not None and holdout_values is not None:
            _refuse_shared_patients(train, holdout, schema)
            _refuse_shared_rows(train_values, holdout_values)
        return cls(
            schema=schema,
            features=features,
            tables=Tables(replicates[0], train, holdout, shuffled),
            replicates=tuple(features.values(table) for table in replicates),
            train=train_values,
            holdout=holdout_values,
            shuffled=features.values(shuffled),
            train_patients=patients(train, schema),
            holdout_patients=None if holdout is None else patients(holdout, schema),
            synthetic_patients=tuple(_synthetic_patients(table, schema) for table in replicates),
            seed=random_state,
        )

    def where(self, column: int, place: float) -> Comparison:
        """Return the comparison of one subgroup: the rows with the level at `place` of a column."""
        here, masks = self.train[:, column] == place, [rows[:, column] == place for rows in self.replicates]
        train, table, holdout, holdout_patients = self.tables.train[here], None, None, None
        if self.holdout is not None and self.holdout_patients is not None and self.tables.holdout is not None:
            inside = self.holdout[:, column] == place
            if inside.any():
                table, holdout = self.tables.holdout[inside], self.holdout[inside]
                holdout_patients = np.unique(self.holdout_patients[inside], return_inverse=True)[1]
        shuffled = _shuffled(train, self.rng("shuffle", column, int(place)))
        return replace(
            self,
            tables=Tables(self.tables.synthetic[masks[0]], train, table, shuffled),
            replicates=tuple(rows[mask] for rows, mask in zip(self.replicates, masks, strict=True)),
            train=self.train[here],
            holdout=holdout,
            shuffled=self.features.values(shuffled),
            train_patients=np.unique(self.train_patients[here], return_inverse=True)[1],
            holdout_patients=holdout_patients,
            synthetic_patients=tuple(
                np.unique(each[mask], return_inverse=True)[1]
                for each, mask in zip(self.synthetic_patients, masks, strict=True)
            ),
        )

    @property
    def synthetic(self) -> NDArray[np.float64]:
        """(rows, columns) the released synthetic table."""
        return self.replicates[0]

    @property
    def real(self) -> NDArray[np.float64]:
        """(rows, columns) all real rows, training rows first."""
        return self.train if self.holdout is None else np.vstack([self.train, self.holdout])

    def two_halves(self, n: int, rng: np.random.Generator) -> list[NDArray[np.float64]]:
        """Return two disjoint random parts of the real rows, about `n` rows each; no patient is in both."""
        who = self.train_patients
        if self.holdout_patients is not None:
            who = np.concatenate([who, self.holdout_patients + who.max() + 1])
        order = np.argsort(rng.permutation(int(who.max()) + 1)[who], kind="stable")
        later = order[n:]
        return [self.real[part] for part in (order[:n], later[who[later] != who[order[n - 1]]][:n])]

    def two_tables(self, n: int, rng: np.random.Generator) -> list[NDArray[np.float64]]:
        """Return `n` random rows of each of two replicates, or two disjoint parts of a single synthetic table.

        The rows of a patient stay together: only the last one of a part may be cut.
        """
        if len(self.replicates) > 1:
            chosen = rng.choice(len(self.replicates), 2, replace=False)
            return [self.replicates[k][self.some_rows(k, n, rng)] for k in chosen]
        order = self.random_order(0, rng)
        return [self.synthetic[order[:n]], self.synthetic[order[n : 2 * n]]]

    def random_order(self, replicate: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """(rows,) places of the rows of a synthetic replicate in random order, those of a patient together."""
        who = self.synthetic_patients[replicate]
        if not _repeats(who):
            return rng.permutation(len(who))
        return np.argsort(rng.permutation(int(who.max()) + 1)[who], kind="stable")

    def some_rows(self, replicate: int, most: int, rng: np.random.Generator) -> NDArray[np.intp]:
        """Return the places of at most `most` random rows of a synthetic replicate, in their order."""
        rows = len(self.replicates[replicate])
        if rows <= most:
            return np.arange(rows)
        if not _repeats(self.synthetic_patients[replicate]):
            return np.sort(rng.choice(rows, most, replace=False))
        return np.sort(self.random_order(replicate, rng)[:most])

    def rng(self, *path: str | int) -> np.random.Generator:
        """Return the random generator of the stream `path`; equal paths give equal numbers."""
        return numpy_generator(self.seed, "evaluation", *path)


def _synthetic_patients(table: pd.DataFrame, schema: Schema) -> NDArray[np.int64]:
    """(rows,) the patient number of each synthetic row; an identifier has a meaning only where visits are declared."""
    return np.arange(len(table), dtype=np.int64) if schema.visit_time is None else patients(table, schema)


def _repeats(who: NDArray[np.int64]) -> bool:
    """Return whether a patient has several rows."""
    return len(who) > 0 and len(who) > int(who.max()) + 1


def _shuffled(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Return the table with each column shuffled independently."""
    return pd.DataFrame({name: table[name].iloc[rng.permutation(len(table))].array for name in table.columns})


def _refuse_untyped(where: str, table: pd.DataFrame, schema: Schema) -> None:
    """Refuse columns of numbers or dates with values of another type; an error of pandas would quote a cell."""
    for twin in table.columns[table.columns.duplicated()]:
        raise DataError(where, f"column '{twin}' is in it more than once", "Rename or remove the others.")
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
        raise DataError("holdout table", what, _NO_HOLDOUT)


def _refuse_shared_rows(train: NDArray[np.float64], holdout: NDArray[np.float64]) -> None:
    """Refuse a holdout of mostly training rows; in tables of few columns equal rows may be coincidence."""
    again = pd.DataFrame(np.vstack([train, holdout])).duplicated().to_numpy()
    distinct, shared = 1 - again[: len(train)].mean(), again[len(train) :]
    mostly_distinct = len(train) >= _FEW and distinct > _DISTINCT
    if np.array_equal(train, holdout, equal_nan=True) or (mostly_distinct and shared.mean() > _MOST_SHARED):
        what = f"{int(shared.sum())} of {len(shared)} rows are in the training table too"
        raise DataError("holdout table", what, _NO_HOLDOUT)


def subsample(values: NDArray[np.float64], most: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return at most `most` rows, sampled without replacement, in their order."""
    if len(values) <= most:
        return values
    return values[np.sort(rng.choice(len(values), most, replace=False))]
