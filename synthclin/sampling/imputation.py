"""Multiple imputation by sequential importance resampling: known cells are clamped, missing ones are sampled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthclin.encoding import TableEncoder
from synthclin.errors import ConfigError, DataError
from synthclin.rules.propagation import source_columns
from synthclin.rules.rules import violations
from synthclin.rules.validation import judge
from synthclin.sampling.completed_rows import CompletedRows, no_completion
from synthclin.sampling.completion import finished
from synthclin.sampling.equalities import Equalities
from synthclin.sampling.masks import ConstraintMask
from synthclin.sampling.observed import Partial
from synthclin.sampling.row_domains import completion_constraints
from synthclin.sampling.sampler import Source
from synthclin.schema import Schema

__all__ = ["Imputer", "stacked"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Imputer:
    """Multiple imputation of tables from any model of codes (Rubin 1987, doi:10.1002/9780470316696).

    Arguments:
        source: a family's `_sample`.
        encoder: how codes become cells.
        schema: whose rules every imputed row satisfies.
        seed: of everything random in the imputation.
    """

    source: Source
    encoder: TableEncoder
    schema: Schema
    seed: int

    def complete(self, table: pd.DataFrame, imputations: int, columns: Collection[str] | None) -> list[pd.DataFrame]:
        """Return `imputations` completed copies of `table`; see `Synthesizer.impute`.

        Candidates of each row are sampled column by column with its known cells clamped; their weight is the likelihood
        of the known cells given the cells sampled before them (sequential importance sampling). One candidate is
        resampled by weight for each imputation. Rows with a small effective sample size get more candidates first, and
        a candidate that violates a rule of the schema is rejected.
        """
        names = list(self.encoder.codecs)
        for name in columns or ():
            if name not in names:
                what = f"{name!r} is not a modelled column"
                raise ConfigError("impute: `columns`", what, f"Choose from {', '.join(names)}.")
        asked = set(names if columns is None else columns)
        partial = Partial.read(table, self.encoder, asked)
        broken = self._broken(partial)
        left_out = [broken[rule.text] for rule in self.schema.rules if rule.on_violation == "drop"]
        if np.any(left_out):
            return self.complete(table[~np.any(left_out, axis=0)], imputations, columns)
        equalities = Equalities(self.encoder, self.schema)
        partial = partial.deduced(self.encoder, equalities)
        self._check_deduced(partial, broken)
        mask = ConstraintMask(self.encoder, completion_constraints(self.schema, asked, partial.cells))
        rows = CompletedRows(
            self.source, mask, self.encoder, self.seed, asked, broken, self._forbidden(asked, partial), len(table)
        )
        partial, completed = rows.complete(partial, imputations)
        return [self._assembled(table, asked, partial, copy) for copy in completed]

    def _forbidden(self, asked: set[str], partial: Partial) -> dict[int, Tensor]:
        """Return the never-sampled codes per column: those of pooled rare levels."""
        forbidden = {}
        for j, column in enumerate(self.encoder.layout.columns):
            masked = column.never
            values = ~masked & (np.arange(column.cardinality) != column.missing)
            empty = column.name in asked and self.schema.empty_when(column.name) is None
            if j < len(self.encoder.codecs) and empty and not values.any() and partial.holes[:, j].any():
                what = "all its levels are too rare to be named, so none can be sampled"
                raise ConfigError(f"column {column.name!r}", what, "Leave it out of `columns`.")
            if masked.any() and not masked.all():
                forbidden[j] = torch.from_numpy(masked)
        return forbidden

    def _check_deduced(self, partial: Partial, broken: dict[str, Bools]) -> None:
        """Raise where a cell that an equality rule determines violates another rule."""
        names = list(self.encoder.codecs)
        table = finished(self.schema, partial.cells, partial.cells[names])
        for rule, mask in violations(table, self.schema, ()).items():
            of = self._sources(rule)
            fresh = mask.to_numpy(dtype=np.bool_) & ~broken[rule] & ~partial.unknown[:, of].any(axis=1)
            if fresh.any():
                raise no_completion(np.flatnonzero(fresh) + 1, len(fresh), Counter({rule: 1}))

    def _sources(self, rule: str) -> list[int]:
        """Return the indices of the modelled columns that a rule depends on."""
        names = list(self.encoder.codecs)
        (columns,) = {each.columns for each in self.schema.rules if each.text == rule}
        return [names.index(name) for name in source_columns(columns, self.schema)]

    def _broken(self, partial: Partial) -> dict[str, Bools]:
        """Return the rows whose given cells alone violate a rule, by its text.

        Raises:
            DataError: they do, and the rule's `on_violation` is an error.
        """
        names = list(self.encoder.codecs)
        table = finished(self.schema, partial.cells, partial.cells[names])
        broken = {rule: mask.to_numpy(dtype=np.bool_) for rule, mask in violations(table, self.schema, ()).items()}
        for rule in self.schema.rules:
            broken[rule.text] &= ~partial.holes[:, self._sources(rule.text)].any(axis=1)
            found = judge(rule, table, broken[rule.text])
            if found is not None and rule.on_violation == "error":
                raise DataError(found.where, found.what, found.remedy)
        return broken

    def _assembled(
        self, table: pd.DataFrame, asked: set[str], partial: Partial, completed: pd.DataFrame
    ) -> pd.DataFrame:
        """Return the imputed table, with the columns that it lacked last."""
        rows, cells = partial.rows, partial.cells
        filled = {name: cells[name].copy() for name in self.encoder.codecs}
        for j, name in enumerate(self.encoder.codecs):
            hole = np.flatnonzero(partial.holes[rows, j])
            if len(hole):
                filled[name].iloc[rows[hole]] = completed[name].astype(cells[name].dtype).array[hole]
        whole = finished(self.schema, cells, pd.DataFrame(filled)).set_axis(table.index)
        added = [
            name
            for name, column in self.schema.columns.items()
            if name not in table and (name in asked or column.derive is not None or column.reason_for in table)
        ]
        modelled = {*self.encoder.codecs, *self.schema.computed} & set(whole)
        return pd.DataFrame(
            {name: whole[name] if name in modelled else table[name] for name in [*table, *added]}, index=table.index
        )


def stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return completed tables in long format, as mice's ``complete(imp, "long")`` does.

    Returns:
        a table whose first columns are ``.imp``, the number of the imputation, and ``.id``, the number of the row in
        it, both from 1.

    Example:
        >>> stacked([pd.DataFrame({"age": [61]}), pd.DataFrame({"age": [64]})]).to_dict("list")
        {'.imp': [1, 2], '.id': [1, 1], 'age': [61, 64]}
    """
    numbered = []
    for i, table in enumerate(tables, start=1):
        keys = pd.DataFrame({".imp": i, ".id": np.arange(1, len(table) + 1)})
        numbered.append(pd.concat([keys, table.reset_index(drop=True)], axis=1))
    return pd.concat(numbered, ignore_index=True)
