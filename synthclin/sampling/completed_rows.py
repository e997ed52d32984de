"""Completed rows: multiple imputation of partially observed rows by sequential importance resampling."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from synthclin.encoding import Encoded
from synthclin.errors import DataError
from synthclin.progress import track
from synthclin.sampling.borders import with_borders
from synthclin.sampling.candidates import AT_ONCE, START, Candidates
from synthclin.sampling.completion import Completion
from synthclin.sampling.equalities import Equalities
from synthclin.sampling.row_domains import RowDomains
from synthclin.sampling.sequential import allocations_of
from synthclin.seeds import numpy_generator, torch_generator

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from numpy.typing import NDArray
    from torch import Tensor

    from synthclin.encoding import TableEncoder
    from synthclin.sampling.masks import ConstraintMask
    from synthclin.sampling.observed import Partial
    from synthclin.sampling.sampler import Source

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

__all__ = ["CompletedRows", "no_completion"]

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
class CompletedRows:
    """Multiple imputation of rows; see `Imputer.complete`.

    Arguments:
        source: a family's `_sample`.
        mask: of the rules; see `completion_constraints`.
        encoder: of the modelled columns.
        seed: of everything random.
        asked: the columns whose missing cells are imputed.
        broken: by text of a rule, the (rows,) whose given cells alone violate it.
        forbidden: column -> (codes,) bool, codes that are never sampled.
        total: rows of the table, for messages.
    """

    source: Source
    mask: ConstraintMask
    encoder: TableEncoder
    seed: int
    asked: Collection[str]
    broken: Mapping[str, Bools]
    forbidden: dict[int, Tensor]
    total: int

    def complete(self, partial: Partial, imputations: int) -> tuple[Partial, list[pd.DataFrame]]:
        """Return the rows with the cells that rules determine, and `imputations` tables of the rows to complete.

        Where training cells of a column are missing, whether a cell would be missing is sampled first, together with
        the other cells; then each cell that would be is imputed given the others. In one pass the other cells of the
        row would be those of patients in whom every column was measured, and such patients differ.

        Raises:
            DataError: some rows have no completion.
        """
        partial, allowed_missing = self._possible(partial)
        rows, relaxed = partial.rows, partial.letting_missing(self.encoder)
        twice = rows[relaxed.optional[rows].any(axis=1)]
        once = np.setdiff1d(rows, twice)
        with track("imputing", total=len(rows), unit="rows") as step:
            tables = self._sampled(partial, once, imputations, "", step)
            firsts = self._sampled(relaxed, twice, imputations, "first", step, strict=False)
            for i, first in enumerate(firsts):
                tables[i] = pd.concat([tables[i], self._second(partial, first, twice, allowed_missing, i)])
        return partial, [table.sort_index().reset_index(drop=True) for table in tables]

    def _second(
        self, partial: Partial, first: pd.DataFrame, rows: Ints, allowed_missing: Bools, i: int
    ) -> pd.DataFrame:
        """Return rows of the first pass, with the cells imputed that it has left missing.

        A row that cannot be completed so is completed in one pass.

        Arguments:
            partial: the rows before the first pass.
            first: rows of the first pass, by their number.
            rows: numbers of all rows that it should have completed.
            allowed_missing: (rows, columns) the cells that rules leave no value.
            i: number of the imputation.
        """
        names = list(self.encoder.codecs)
        cells, at = partial.cells.copy(), first.index.to_numpy()
        for j, name in enumerate(names):
            hole = at[partial.unknown[at, j]]
            cells.loc[hole, name] = first.loc[hole, name].astype(cells[name].dtype)
        known = partial.filled(cells, self.encoder)
        lacking = known.holes & known.unknown & ~known.may_be_empty & ~allowed_missing
        again = at[lacking[at].any(axis=1)]
        done = [first.drop(index=again)]
        if len(again):
            domains = RowDomains(self.mask, self.encoder, known.part(again), self.asked)
            # What the first pass has chosen must leave every cell a value that it would have had otherwise.
            fits = ~domains.impossible & ~(domains.stays_missing & ~allowed_missing[again]).any(axis=1)
            done += self._sampled(known, again[fits], 1, f"second {i}", None, strict=False)
        left = np.setdiff1d(rows, np.concatenate([table.index.to_numpy() for table in done]))
        return pd.concat([*done, *self._sampled(partial, left, 1, f"whole {i}", None)])

    def _possible(self, partial: Partial) -> tuple[Partial, Bools]:
        """Return the rows with the cells that rules determine, and the (rows, columns) that rules leave no value.

        Raises:
            DataError: rules leave some cell to impute no value, and it may not be missing.
        """
        parts = _batches(partial.rows)
        domains = [RowDomains(self.mask, self.encoder, partial.part(part), self.asked) for part in parts]
        stuck = np.concatenate(
            [part[each.impossible] for part, each in zip(parts, domains, strict=True)] or [partial.rows]
        )
        if len(stuck):
            equalities = Equalities(self.encoder, self.encoder.schema)
            partial = with_borders(partial, stuck, self.mask, self.encoder, self.asked, equalities)
            domains = [RowDomains(self.mask, self.encoder, partial.part(part), self.asked) for part in parts]
        self._check_possible(parts, domains)
        none_left = np.zeros_like(partial.holes)
        for part, each in zip(parts, domains, strict=True):
            none_left[part] = each.stays_missing
        return partial, none_left

    def _check_possible(self, parts: list[Ints], domains: list[RowDomains]) -> None:
        """Raise where rules leave a cell without any value."""
        rows = [part[each.impossible] for part, each in zip(parts, domains, strict=True)]
        if any(map(len, rows)):
            i = next(i for i, found in enumerate(rows) if len(found))
            name, rules = domains[i].blamed(int(np.flatnonzero(domains[i].impossible)[0]))
            raise no_completion(np.concatenate(rows) + 1, self.total, Counter(dict.fromkeys(rules, 1)), name)

    def _sampled(
        self,
        partial: Partial,
        rows: Ints,
        imputations: int,
        stage: str,
        step: Callable[[int], None] | None,
        *,
        strict: bool = True,
    ) -> list[pd.DataFrame]:
        """Return `imputations` tables of completed rows, by the number of the row.

        Arguments:
            partial: the rows.
            rows: numbers of those to complete.
            imputations: how many.
            stage: names the random streams.
            step: told how many rows are done.
            strict: whether a row without a completion is an error; else it is left out.
        """
        empty = partial.cells.iloc[:0]
        tables = [[empty] for _ in range(imputations)]
        for part in _batches(rows):
            for copies, copy in zip(tables, self._part(partial, part, imputations, stage, strict=strict), strict=True):
                copies.append(copy)
            if step is not None:
                step(len(part))
        return [pd.concat(copies[1:] or copies) for copies in tables]

    def _part(self, partial: Partial, rows: Ints, imputations: int, stage: str, *, strict: bool) -> list[pd.DataFrame]:
        """Return tables of a batch of rows; see `_sampled`.

        Raises:
            DataError: some rows have no completion among all that were sampled.
        """
        domains = RowDomains(self.mask, self.encoder, partial.part(rows), self.asked)
        rng = numpy_generator(self.seed, f"pick {stage}", int(rows[0]))
        generator = torch_generator(self.seed, f"impute {stage}", int(rows[0]))
        candidates = Candidates(self.source, domains, self.forbidden, allocations_of(self.encoder), generator)
        start = max(START, 4 * imputations)
        candidates.fill(start)
        candidates.add_unmasked(start)

        broken = {rule: violated[rows] for rule, violated in self.broken.items()}
        completion = Completion(self.encoder, self.encoder.schema, domains.partial, domains, broken)
        copy, row = (index.ravel() for index in np.indices((imputations, len(rows))))
        parts: list[list[pd.DataFrame]] = [[] for _ in range(imputations)]
        # Rows that may be left out are sampled again by other means: they need no last effort.
        for proposals in PROPOSALS_PER_ROUND if strict else PROPOSALS_PER_ROUND[:-1]:
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
                    raise no_completion(rows[stuck] + 1, self.total, completion.violated)
            copy, row = (np.delete(index, np.concatenate(done)) for index in (copy, row))
            if not len(row):
                break
        return [table.set_axis(rows[table.index]) for each in parts for table in [pd.concat(each).sort_index()]]


def _batches(rows: Ints) -> list[Ints]:
    """Return rows in batches of at most `ROWS`."""
    return [rows[start : start + ROWS] for start in range(0, len(rows), ROWS)]


def _pieces(rows: Ints, amount: int) -> list[Ints]:
    """Return `rows` in batches, where each row has `amount` candidates."""
    return np.array_split(rows, max(1, -(-len(rows) * amount // AT_ONCE)))


def no_completion(rows: Ints, total: int, violated: Counter[str], column: str = "") -> DataError:
    """Return the error of rows that cannot be completed, with the rules that exclude their completions."""
    listed = ", ".join(map(str, rows[:LISTED])) + (", ..." if len(rows) > LISTED else "")
    rules = " and ".join(f"`{rule}`" for rule, _ in violated.most_common(MOST_RULES))
    cells = f"column {column!r}" if column else "their missing cells"
    what = f"{len(rows):,} of {total:,} rows ({listed}) cannot be imputed: no value of {cells} satisfies {rules}"
    remedy = "Correct the given cells of these rows that the rules compare, or empty them; or correct the rules."
    return DataError("table", what, remedy)
