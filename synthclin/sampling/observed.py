"""Partially observed rows: given cells, cells to impute, and the codes of known cells."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthclin.encoding import TableEncoder
from synthclin.encoding.level_codec import LevelsCodec
from synthclin.errors import DataError
from synthclin.expressions import parse
from synthclin.rules.propagation import Constraint, constraint_of, constraint_of_rule, forbidden_codes
from synthclin.rules.validation import check
from synthclin.sampling.cell_values import any_value, as_column, points_of
from synthclin.sampling.equalities import Equalities
from synthclin.schema import Schema
from synthclin.schema.columns import MissingReason
from synthclin.schema.constraints import Rule
from synthclin.schema.split_columns import separated

__all__ = ["Partial"]

Bools = NDArray[np.bool_]

_LINES = 10  # findings in an error at most


@dataclass(frozen=True, slots=True)
class Partial:
    """Partially observed table: typed cells, codes of known cells, and the cells to impute.

    Arguments:
        cells: (rows, columns) all modelled columns and the derived ones of the table, typed, rows numbered.
        codes: (rows, modelled columns) int64 codes of known cells, -1 where a code is to be sampled.
        holes: (rows, modelled columns) the cells to impute.
        unknown: (rows, modelled columns) the cells without a value that is known, not even as missing.
        may_be_empty: (rows, modelled columns) the cells to impute that a rule may empty.
        optional: (rows, modelled columns) the cells to impute that may be missing for any reason.
    """

    cells: pd.DataFrame
    codes: Tensor
    holes: Bools
    unknown: Bools
    may_be_empty: Bools
    optional: Bools

    @classmethod
    def read(cls, table: pd.DataFrame, encoder: TableEncoder, asked: Collection[str]) -> Self:
        """Return the known cells of each row of a table, and the cells to impute.

        A missing cell is imputed if its column is `asked` and no rule keeps it empty. In other columns missingness is a
        known value, unless the table lacks the column: then its cells are unknown.

        Raises:
            DataError: the table has no rows, a column is unknown or there twice, or a given cell is not valid.
        """
        table, _ = separated(table, encoder.schema.columns)
        cells = _typed(table, encoder)
        kinds = {name: of for name, column in encoder.schema.columns.items() if (of := column.reason_for) is not None}
        # An imputed cell holds a value, so the reason for its missingness no longer applies.
        filled = {name: (cells[of].isna() & (of in asked)).to_numpy() for name, of in kinds.items()}
        for name, mask in filled.items():
            cells[name] = cells[name].mask(mask)
        codes, names = encoder.encode(cells).codes, list(encoder.codecs)
        given = np.stack([cells[name].notna().to_numpy() for name in names], axis=1)
        stays = np.zeros_like(given)
        for j, name in enumerate(names):
            if name not in asked and (name in table or (name in kinds and kinds[name] in table)):
                stays[:, j] = ~given[:, j]
            elif name in asked and name in filled:
                stays[:, j] = ~given[:, j] & filled[name]
        imputed = np.array([name in asked for name in names])
        may_be_empty, must_be_empty = _emptied(cells, encoder, ~given & ~stays, imputed)
        stays |= must_be_empty
        for j, name in enumerate(names):
            known = given[:, j] & ~_unseen_levels(name, cells[name], encoder)
            if name in encoder.anchors:
                known &= cells[encoder.anchors[name]].notna().to_numpy()
            known |= stays[:, j] & (encoder.layout.columns[j].missing is not None)
            codes[torch.from_numpy(~known), j] = -1
        for j, tie in enumerate(encoder.ties, start=len(encoder.codecs)):
            both = cells[[*tie.sources, tie.second]].notna().all(axis=1).to_numpy()
            codes[torch.from_numpy(~both), j] = -1
        unknown = ~given & ~stays
        return cls(cells, codes, unknown & imputed, unknown, may_be_empty & unknown, np.zeros_like(unknown))

    def part(self, rows: NDArray[np.int64]) -> Partial:
        """Return some of the rows, numbered anew."""
        cells = self.cells.iloc[rows].reset_index(drop=True)
        masks = (mask[rows] for mask in (self.holes, self.unknown, self.may_be_empty, self.optional))
        return Partial(cells, self.codes[torch.from_numpy(rows)], *masks)

    def deduced(self, encoder: TableEncoder, equalities: Equalities) -> Partial:
        """Return the table with those cells to impute given that equality rules determine from given cells."""
        free = {name: self.holes[:, j] for j, name in enumerate(encoder.codecs)}
        return self.filled(equalities.deduced(self.cells, free), encoder)

    def filled(self, cells: pd.DataFrame, encoder: TableEncoder) -> Partial:
        """Return the table with cells to impute given; `cells` are all cells, of which some more hold a value."""
        names = list(encoder.codecs)
        found = np.stack([(cells[name].notna() & self.cells[name].isna()).to_numpy() for name in names], axis=1)
        if not found.any():
            return self
        rows = np.flatnonzero(found.any(axis=1))
        codes, encoded = self.codes.clone(), encoder.encode(cells.iloc[rows].reset_index(drop=True)).codes
        for j, name in enumerate(names):
            at = found[rows, j]
            if name in encoder.anchors:
                at = at & cells[encoder.anchors[name]].notna().to_numpy()[rows]
            codes[torch.from_numpy(rows[at]), j] = encoded[torch.from_numpy(at), j]
        for j, tie in enumerate(encoder.ties, start=len(names)):
            both = cells[[*tie.sources, tie.second]].notna().all(axis=1).to_numpy()[rows]
            codes[torch.from_numpy(rows[both]), j] = encoded[torch.from_numpy(both), j]
        return replace(self, cells=cells, codes=codes, unknown=self.unknown & ~found)

    def letting_missing(self, encoder: TableEncoder) -> Partial:
        """Return the table in which cells to impute may be missing as often as those of the training data."""
        optional = self.holes & self.unknown
        for j, name in enumerate(encoder.codecs):
            column = encoder.layout.columns[j]
            if column.missing is None or column.never[column.missing] or encoder.schema.empty_when(name) is not None:
                optional[:, j] = False
        return replace(self, may_be_empty=self.may_be_empty | optional, optional=optional)

    @property
    def rows(self) -> NDArray[np.int64]:
        """The rows with a cell to impute."""
        return np.flatnonzero(self.holes.any(axis=1))


def _emptied(cells: pd.DataFrame, encoder: TableEncoder, unknown: Bools, imputed: Bools) -> tuple[Bools, Bools]:
    """Return the (rows, columns) cells to impute that rules may empty, and those that rules empty in any case.

    A cell that is imputed is missing only where rules empty it: the smallest such set is found, from none upwards. So
    where an empty cell would empty another one, both hold a value.

    Arguments:
        cells: typed, missing where they are unknown.
        encoder: of the modelled columns.
        unknown: (rows, columns) cells without a known value.
        imputed: (columns,) whether missing cells are imputed.
    """
    schema, names = encoder.schema, list(encoder.codecs)
    rules = {j: text for j, name in enumerate(names) if imputed[j] and (text := schema.empty_when(name)) is not None}
    may, must = np.zeros_like(unknown), np.zeros_like(unknown)
    if not any(unknown[:, j].any() for j in rules):
        return may, must
    points = {name: points_of(cells[name]) for name in names}
    derived = {
        name: (as_column(points_of(cells[name])), cells[name].notna().to_numpy()[:, None])
        for name, column in schema.columns.items()
        if column.derive is not None and name in cells
    }

    def violated(constraint: Constraint) -> Bools:
        domains = {}
        for name in constraint.columns:
            j = names.index(name)
            free = any_value(points[name], may[:, j] if imputed[j] else np.ones(len(cells), dtype=np.bool_))
            domains[name] = as_column(points[name]).chosen(~unknown[:, [j]], as_column(free))  # type: ignore[arg-type]
        return np.broadcast_to(forbidden_codes(constraint, schema, domains, derived), (len(cells), 1))[:, 0]

    for _ in rules:
        before = may.copy()
        for j, text in rules.items():
            may[:, j] |= unknown[:, j] & ~violated(constraint_of(parse(text), schema))
        if np.array_equal(before, may):
            break
    for j, text in rules.items():
        must[:, j] = unknown[:, j] & violated(constraint_of_rule(Rule(then=f"not ({text})"), schema))
    return may, must


def _unseen_levels(name: str, cells: pd.Series, encoder: TableEncoder) -> Bools:
    """Return the (rows,) cells whose level is not in the training data: their code would be the most frequent one's."""
    codec = encoder.codecs[name]
    if not isinstance(codec, LevelsCodec):
        return np.zeros(len(cells), dtype=np.bool_)
    return cells.notna().to_numpy() & ~codec.has_code(cells)


def _typed(table: pd.DataFrame, encoder: TableEncoder) -> pd.DataFrame:
    """Return modelled and derived columns in canonical types; absent modelled ones are all missing."""
    schema = encoder.schema
    _check(table, schema)
    nothing = pd.Series([None] * len(table), dtype=object)
    typed = {}
    for name, column in schema.columns.items():
        if isinstance(column, MissingReason) and column.of in table:
            typed[name] = column.read_reasons(schema.columns[column.of], table).reset_index(drop=True)
            continue
        if column.is_identifier or column.is_free_text or (column.derive is not None and name not in table):
            continue
        cells, _ = column.coerce(table[name].reset_index(drop=True) if name in table else nothing)
        if name in encoder.codecs and isinstance(cells.dtype, pd.CategoricalDtype):
            # Undeclared levels: those of the table and those of the model.
            none = encoder.codecs[name].decode(np.empty(0, dtype=np.int64), np.empty(0))
            if len(more := none.cat.categories.difference(cells.cat.categories)):
                # Adding none may still change the type of the others.
                cells = cells.cat.add_categories(more)
        typed[name] = cells
    return pd.DataFrame(typed)


def _check(table: pd.DataFrame, schema: Schema) -> None:
    """Validate the given cells of a table against the schema; see `Partial.read`."""
    if not len(table):
        raise DataError("table", "has no rows", "Give at least one.")
    if not table.columns.is_unique:
        raise DataError("table", "two of its columns have the same name", "Rename or remove one of them.")
    unknown = sum(name not in schema.columns for name in table)
    if unknown:
        # Counted, not named: without a header line their names would be the cells of a patient.
        what = f"{unknown:,} of its {table.shape[1]:,} columns {'is' if unknown == 1 else 'are'} not in the schema"
        raise DataError("table", what, "Remove them, and check that the first line holds the names.")
    # Without references to columns that the table may lack.
    plain = {"missing": "allowed"} | dict.fromkeys(("missing_when", "derive", "anchor", "time", "randomised"))
    columns = {
        name: column.model_copy(update={word: plain[word] for word in plain.keys() & type(column).model_fields.keys()})
        for name, column in schema.columns.items()
        if name in table and not (column.is_identifier or column.is_free_text)
    }
    if not columns:
        raise DataError("table", "none of its columns is modelled", "Check that this is the right table.")
    found = check(table[list(columns)], Schema(columns=columns, visits="independent"))
    # Findings without rows concern training tables only.
    wrong = [finding for finding in found if finding.severity == "error" and finding.count]
    if wrong:
        raise DataError(wrong[0].where, wrong[0].what, "\n".join([wrong[0].remedy, *map(str, wrong[1:_LINES])]))
