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

from synthclin.encoding import Encoded, TableEncoder
from synthclin.errors import ConfigError, DataError
from synthclin.progress import track
from synthclin.rules.propagation import source_columns
from synthclin.rules.rules import violations
from synthclin.rules.validation import judge
from synthclin.sampling.borders import with_borders
from synthclin.sampling.candidates import AT_ONCE, START, Candidates
from synthclin.sampling.completion import Completion, finished
from synthclin.sampling.equalities import Equalities
from synthclin.sampling.masks import ConstraintMask
from synthclin.sampling.observed import Partial
from synthclin.sampling.row_domains import RowDomains, completion_constraints
from synthclin.sampling.sampler import Source
from synthclin.sampling.sequential import allocations_of
from synthclin.schema import Schema
from synthclin.seeds import numpy_generator, torch_generator

__all__ = ["Imputer", "stacked"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

ROWS = 2_000
"""Rows imputed at a time: bounds the memory of any request."""

PROPOSALS_PER_ROUND = (1, 4, 16, 64)
"""Completions proposed for a row in each round, until one satisfies the rules; each is repaired inside its bins."""

FEW = 32
"""Divisor of the rows of a batch in the last round: it shows soon which rows have no completion."""

LISTED = 10
"""Row numbers in an error at most."""

MOST_RULES = 3
"""Rules in an error at most."""


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
        forbidden, rows = self._forbidden(asked, partial), partial.rows
        parts = [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]
        domains = [RowDomains(mask, self.encoder, partial.part(part), asked) for part in parts]
        stuck = np.concatenate([part[each.impossible] for part, each in zip(parts, domains, strict=True)] or [rows])
        if len(stuck):
            partial = with_borders(partial, stuck, mask, self.encoder, asked, equalities)
            domains = [RowDomains(mask, self.encoder, partial.part(part), asked) for part in parts]
        self._check_possible(parts, domains, len(table))
        tables: list[list[pd.DataFrame]] = [[] for _ in range(imputations)]
        with track("imputing", total=len(rows), unit="rows") as step:
            for part, each in zip(parts, domains, strict=True):
                violated_before = {rule: mask[part] for rule, mask in broken.items()}
                completed = self._part(each, part, forbidden, violated_before, imputations, len(table))
                for copies, copy in zip(tables, completed, strict=True):
                    copies.append(copy)
                step(len(part))
        return [self._assembled(table, asked, partial, copies) for copies in tables]

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

    def _part(
        self,
        domains: RowDomains,
        rows: Ints,
        forbidden: dict[int, Tensor],
        broken: dict[str, Bools],
        imputations: int,
        total: int,
    ) -> list[pd.DataFrame]:
        """Return `imputations` tables of completed rows, in their order.

        Raises:
            DataError: some rows have no completion among all that were sampled.
        """
        rng = numpy_generator(self.seed, "pick", int(rows[0]))
        generator = torch_generator(self.seed, "impute", int(rows[0]))
        candidates = Candidates(self.source, domains, forbidden, allocations_of(self.encoder), generator)
        start = max(START, 4 * imputations)
        candidates.fill(start)
        candidates.add_unmasked(start)

        completion = Completion(self.encoder, self.schema, domains.partial, domains, broken)
        copy, row = (index.ravel() for index in np.indices((imputations, len(rows))))
        parts: list[list[pd.DataFrame]] = [[] for _ in range(imputations)]
        for proposals in PROPOSALS_PER_ROUND:
            completion.violated.clear()
            done = []
            # A row that no proposal of the last round completes ends the imputation: a few of them suffice.
            last = proposals == PROPOSALS_PER_ROUND[-1]
            for some in _pieces(np.arange(len(row)), proposals * (FEW if last else 1)):
                wanted = np.repeat(some, proposals)
                code = torch.from_numpy(candidates.resample(row[wanted], rng))
                offset = torch.from_numpy(rng.random(code.shape, dtype=np.float32))
                table, satisfied = completion.complete(Encoded(code, offset), row[wanted], rng)
                good = np.flatnonzero(satisfied)
                served, first = np.unique(wanted[good], return_index=True)
                for i in range(imputations):
                    of = copy[served] == i
                    parts[i].append(table.iloc[good[first[of]]].set_axis(row[served[of]]))
                done.append(served)
                if last and len(served) < len(some):
                    stuck = np.unique(row[np.setdiff1d(some, served)])
                    raise _no_completion(rows[stuck] + 1, total, completion.violated)
            copy, row = (np.delete(index, np.concatenate(done)) for index in (copy, row))
            if not len(row):
                break
        return [pd.concat(each).sort_index().reset_index(drop=True) for each in parts]

    def _check_deduced(self, partial: Partial, broken: dict[str, Bools]) -> None:
        """Raise where a cell that an equality rule determines violates another rule."""
        names = list(self.encoder.codecs)
        table = finished(self.schema, partial.cells, partial.cells[names])
        for rule, mask in violations(table, self.schema, ()).items():
            of = self._sources(rule)
            fresh = mask.to_numpy(dtype=np.bool_) & ~broken[rule] & ~partial.unknown[:, of].any(axis=1)
            if fresh.any():
                raise _no_completion(np.flatnonzero(fresh) + 1, len(fresh), Counter({rule: 1}))

    def _check_possible(self, parts: list[Ints], domains: list[RowDomains], total: int) -> None:
        """Raise where rules leave a cell without any value."""
        rows = [part[each.impossible] for part, each in zip(parts, domains, strict=True)]
        if any(map(len, rows)):
            i = next(i for i, found in enumerate(rows) if len(found))
            name, rules = domains[i].blamed(int(np.flatnonzero(domains[i].impossible)[0]))
            raise _no_completion(np.concatenate(rows) + 1, total, Counter(dict.fromkeys(rules, 1)), name)

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
        self, table: pd.DataFrame, asked: set[str], partial: Partial, completed: list[pd.DataFrame]
    ) -> pd.DataFrame:
        """Return the imputed table, with the columns that it lacked last."""
        rows, cells = partial.rows, partial.cells
        filled = {name: cells[name].copy() for name in self.encoder.codecs}
        for j, name in enumerate(self.encoder.codecs):
            hole = np.flatnonzero(partial.holes[rows, j])
            if len(hole):
                imputed = pd.concat([part[name] for part in completed], ignore_index=True)
                filled[name].iloc[rows[hole]] = imputed.astype(cells[name].dtype).array[hole]
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


def _pieces(rows: Ints, amount: int) -> list[Ints]:
    """Return `rows` in batches, where each row has `amount` candidates."""
    return np.array_split(rows, max(1, -(-len(rows) * amount // AT_ONCE)))


def _no_completion(rows: Ints, total: int, violated: Counter[str], column: str = "") -> DataError:
    """Return the error of rows that cannot be completed, with the rules that exclude their completions."""
    listed = ", ".join(map(str, rows[:LISTED])) + (", ..." if len(rows) > LISTED else "")
    rules = " and ".join(f"`{rule}`" for rule, _ in violated.most_common(MOST_RULES))
    cells = f"column {column!r}" if column else "their missing cells"
    what = f"{len(rows):,} of {total:,} rows ({listed}) cannot be imputed: no value of {cells} satisfies {rules}"
    remedy = "Correct the given cells of these rows that the rules compare, or empty them; or correct the rules."
    return DataError("table", what, remedy)
