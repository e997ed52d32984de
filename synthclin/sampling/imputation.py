"""Multiple imputation by sequential importance resampling: known cells are clamped, missing ones are sampled."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthclin.encoding import Encoded, TableEncoder
from synthclin.errors import ConfigError, DataError
from synthclin.expressions import parse
from synthclin.progress import track
from synthclin.rules.propagation import constraints_of, source_columns
from synthclin.rules.rules import finish, violations
from synthclin.rules.validation import judge
from synthclin.sampling.masks import ConstraintMask
from synthclin.sampling.observed import Partial
from synthclin.sampling.sampler import Source
from synthclin.sampling.sequential import Imposed, allocations_of
from synthclin.schema import Schema
from synthclin.seeds import numpy_generator, torch_generator

__all__ = ["Imputer", "stacked"]

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

ROWS = 2_000
"""Rows imputed at a time: bounds the memory of any request."""

AT_ONCE = 64_000
"""Candidates that are sampled, and completions that are decoded, at a time."""

START = 16
"""Candidates per row in the first round; half of them is the effective sample size that suffices."""

MOST = 1_024
"""Candidates per row in the last round, for rows whose effective sample size is small."""

PROPOSALS_PER_ROUND = (1, 8, 64, 512)
"""Completions proposed for a row in each round, until one satisfies the rules."""

RETRIES = 3
"""Retries with more candidates for a row whose proposals all violate rules."""

NEGLIGIBLE = 20.0
"""Difference in log-weight from a row's best candidate beyond which a candidate is discarded."""

LISTED = 10
"""Row numbers in an error at most."""


@dataclass(slots=True)
class _Candidates:
    """Weighted candidates of some rows: completions with their log importance weights.

    The weight is the likelihood of a row's known cells given the cells sampled before them, under the rules.

    Arguments:
        source: a family's `_sample`.
        known: (rows, columns) codes, -1 where one is to be sampled.
        forbidden: column -> (codes,) bool, codes that are never sampled.
        allocations: column -> (codes,) allocation probabilities of randomised arms.
        mask: constraint mask of codes that violate a rule.
        generator: of the candidates.
    """

    source: Source
    known: Tensor
    forbidden: dict[int, Tensor]
    allocations: dict[int, Tensor]
    mask: ConstraintMask
    generator: torch.Generator
    owner: Ints = field(init=False)
    codes: Ints = field(init=False)
    log_weight: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.owner = np.empty(0, dtype=np.int64)
        self.codes = np.empty((0, self.known.shape[1]), dtype=np.int64)
        self.log_weight = np.empty(0)

    def add(self, rows: Ints, amount: int) -> None:
        """Sample `amount` more candidates for each of `rows`, and discard those of negligible weight."""
        for some in _pieces(rows, amount):
            owner = np.repeat(some, amount)
            codes, log_weight = self._sampled(owner, self.mask)
            # A given value may lie outside the range of its code, and so satisfy a rule that no code satisfies.
            lost = np.flatnonzero(~np.isin(owner, owner[np.isfinite(log_weight)]))
            if len(lost):
                codes[lost], log_weight[lost] = self._sampled(owner[lost], None)
            order = np.argsort(np.concatenate([self.owner, owner]), kind="stable")
            self.owner = np.concatenate([self.owner, owner])[order]
            self.codes = np.concatenate([self.codes, codes])[order]
            self.log_weight = np.concatenate([self.log_weight, log_weight])[order]
            kept = self._weight() > np.exp(-NEGLIGIBLE)
            self.owner, self.codes, self.log_weight = self.owner[kept], self.codes[kept], self.log_weight[kept]

    def _sampled(self, owner: Ints, mask: ConstraintMask | None) -> tuple[Ints, Floats]:
        """Return a candidate for each of `owner`: its codes and its log-weight."""
        known = self.known[torch.from_numpy(owner)]
        imposed = Imposed({}, self.forbidden, self.allocations, code_mask=mask, reference_mask=mask, known=known)
        encoded, log_weight = self.source(len(owner), self.generator, imposed)
        return encoded.codes.numpy(), log_weight.double().numpy()

    def effective(self) -> Floats:
        """Return the effective sample size of each row's candidates, (rows,)."""
        weight = self._weight()
        sums = [np.bincount(self.owner, power, len(self.known)) for power in (weight, weight**2)]
        return sums[0] ** 2 / sums[1]

    def resample(self, rows: Ints, generator: np.random.Generator) -> Ints:
        """Return for each of `rows`, which may repeat, the (rows, columns) codes of a candidate resampled by weight."""
        total = np.cumsum(self._weight())
        first = np.searchsorted(self.owner, rows, side="left")
        last = np.searchsorted(self.owner, rows, side="right") - 1
        below = np.where(first > 0, total[first - 1], 0.0)
        wanted = below + generator.random(len(rows)) * (total[last] - below)
        return self.codes[np.clip(np.searchsorted(total, wanted, side="right"), first, last)]

    def _weight(self) -> Floats:
        """Return each candidate's weight, relative to the best one of its row."""
        best = np.full(len(self.known), -np.inf)
        np.maximum.at(best, self.owner, self.log_weight)
        weight: Floats = np.exp(self.log_weight - best[self.owner])
        return weight


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
        # A rule that given cells alone violate does not constrain the other cells.
        violated = {text for text, mask in broken.items() if mask.any()}
        constraints = [
            constraint for constraint in constraints_of(self.schema) if violated.isdisjoint(constraint.text.split("; "))
        ]
        mask = ConstraintMask(self.encoder, constraints)
        forbidden, rows = self._forbidden(asked, partial), partial.rows
        codes = np.empty((imputations, len(rows), len(self.encoder.layout)), dtype=np.int32)
        offsets = np.empty(codes.shape, dtype=np.float32)
        stuck = np.zeros(len(rows), dtype=np.bool_)
        with track("imputing", total=len(rows), unit="rows") as step:
            for start in range(0, len(rows), ROWS):
                part = slice(start, min(start + ROWS, len(rows)))
                codes[:, part], offsets[:, part], stuck[part] = self._part(
                    partial, rows[part], forbidden, mask, broken, imputations
                )
                step(part.stop - part.start)
        if stuck.any():
            raise _no_completion(rows[stuck] + 1, len(table))
        return [
            self._assembled(table, asked, partial, Encoded(torch.from_numpy(code).long(), torch.from_numpy(offset)))
            for code, offset in zip(codes, offsets, strict=True)
        ]

    def _forbidden(self, asked: set[str], partial: Partial) -> dict[int, Tensor]:
        """Return the never-sampled codes per column: pooled rare levels, and *missing* in columns to impute."""
        forbidden = {}
        for j, column in enumerate(self.encoder.layout.columns):
            masked = column.never.copy()
            # Where a rule may empty the cell, *missing* is allowed; the rules decide which cells stay empty.
            if column.missing is not None and column.name in asked and self.schema.empty_when(column.name) is None:
                masked[column.missing] = True
            if masked.all() and partial.holes[:, j].any():
                what = "all its levels are too rare to be named, so none can be sampled"
                raise ConfigError(f"column {column.name!r}", what, "Leave it out of `columns`.")
            if masked.any() and not masked.all():
                forbidden[j] = torch.from_numpy(masked)
        return forbidden

    def _part(
        self,
        partial: Partial,
        rows: Ints,
        forbidden: dict[int, Tensor],
        mask: ConstraintMask,
        broken: dict[str, Bools],
        imputations: int,
    ) -> tuple[Ints, NDArray[np.float32], Bools]:
        """Return (imputations, rows, columns) codes and offsets of a few rows, and the (rows,) without a completion."""
        rng = numpy_generator(self.seed, "pick", int(rows[0]))
        generator = torch_generator(self.seed, "impute", int(rows[0]))
        candidates = _Candidates(
            self.source, partial.codes[torch.from_numpy(rows)], forbidden, allocations_of(self.encoder), mask, generator
        )
        start = max(START, 4 * imputations)
        short, amount = np.arange(len(rows)), start
        while len(short) and amount <= max(MOST, start):
            candidates.add(short, amount)
            short, amount = np.flatnonzero(candidates.effective() < start / 2), 4 * amount

        codes = np.empty((imputations, *candidates.known.shape), dtype=np.int32)
        offsets = np.empty(codes.shape, dtype=np.float32)
        copy, row = (index.ravel() for index in np.indices((imputations, len(rows))))
        for retry in range(RETRIES + 1):
            if retry:
                candidates.add(np.unique(row), MOST)
            for proposals in PROPOSALS_PER_ROUND:
                done = []
                for some in _pieces(np.arange(len(row)), proposals):
                    wanted = np.repeat(some, proposals)
                    code = candidates.resample(row[wanted], rng)
                    offset = rng.random(code.shape, dtype=np.float32)
                    proposal = Encoded(torch.from_numpy(code), torch.from_numpy(offset))
                    good = np.flatnonzero(self._keeps_rules(partial, rows[row[wanted]], proposal, broken))
                    served, first = np.unique(wanted[good], return_index=True)
                    codes[copy[served], row[served]] = code[good[first]]
                    offsets[copy[served], row[served]] = offset[good[first]]
                    done.append(served)
                copy, row = (np.delete(index, np.concatenate(done)) for index in (copy, row))
                if not len(row):
                    return codes, offsets, np.zeros(len(rows), dtype=np.bool_)
        return codes, offsets, np.isin(np.arange(len(rows)), row)

    def _broken(self, partial: Partial) -> dict[str, Bools]:
        """Return the rows whose given cells alone violate a rule, by its text.

        Raises:
            DataError: they do, and the rule's `on_violation` is an error.
        """
        names = list(self.encoder.codecs)
        table = self._finished(partial.cells, partial.cells[names])
        broken = {rule: mask.to_numpy(dtype=np.bool_) for rule, mask in violations(table, self.schema, ()).items()}
        for rule in self.schema.rules:
            holes = partial.holes[:, [names.index(name) for name in source_columns(rule.columns, self.schema)]]
            broken[rule.text] &= ~holes.any(axis=1)
            found = judge(rule, table, broken[rule.text])
            if found is not None and rule.on_violation == "error":
                raise DataError(found.where, found.what, found.remedy)
        return broken

    def _keeps_rules(self, partial: Partial, rows: Ints, proposal: Encoded, violated_before: dict[str, Bools]) -> Bools:
        """Return the completed rows that satisfy every rule, except rules that given cells alone violate."""
        cells = partial.cells.iloc[rows].reset_index(drop=True)
        table = self._finished(cells, self._filled(cells, proposal))
        satisfied = np.ones(len(rows), dtype=np.bool_)
        broken = {rule: mask.to_numpy(dtype=np.bool_) for rule, mask in violations(table, self.schema).items()}
        for rule in self.schema.rules:
            satisfied &= ~broken[rule.text] | violated_before[rule.text][rows]
        for j, name in enumerate(self.encoder.codecs):
            hole = partial.holes[rows, j]
            satisfied &= ~(hole & broken[f"{name} is valid"])
            if (text := self.schema.empty_when(name)) is not None:
                empty = parse(text).evaluate(table).fillna(value=False).to_numpy(dtype=np.bool_)
                satisfied &= ~hole | empty | table[name].notna().to_numpy()
        return satisfied

    def _filled(self, cells: pd.DataFrame, proposal: Encoded) -> pd.DataFrame:
        """Return the modelled columns of some rows: given cells unchanged, the others decoded from sampled codes."""
        codes, offsets = proposal.codes.numpy(), proposal.offsets.numpy()
        filled = {}
        for j, (name, codec) in enumerate(self.encoder.codecs.items()):
            if name in self.encoder.anchors:
                filled[name] = codec.decode(codes[:, j], offsets[:, j])
                continue
            filled[name] = cells[name].copy()
            free = np.flatnonzero(cells[name].isna())
            sampled = codec.decode(codes[free, j], offsets[free, j])
            filled[name].iloc[free] = sampled.astype(cells[name].dtype).array
        whole = self.encoder.tied(pd.DataFrame(filled), codes, given=cells.notna())
        return self.encoder.placed(whole, given=cells[[*self.encoder.anchors]])

    def _finished(self, cells: pd.DataFrame, filled: pd.DataFrame) -> pd.DataFrame:
        """Return modelled and derived columns; `missing_when` and `derive` never override a given cell."""
        finished = finish(filled, self.schema)
        for name in self.schema.computed:
            if name in cells:
                finished[name] = _joined(cells[name], finished[name])
        return finished

    def _assembled(self, table: pd.DataFrame, asked: set[str], partial: Partial, proposal: Encoded) -> pd.DataFrame:
        """Return the imputed table, with the columns that it lacked last."""
        rows, cells = partial.rows, partial.cells
        imputed = self._filled(cells.iloc[rows].reset_index(drop=True), proposal)
        filled = {name: cells[name].copy() for name in imputed}
        for j, name in enumerate(imputed):
            hole = np.flatnonzero(partial.holes[rows, j])
            filled[name].iloc[rows[hole]] = imputed[name].array[hole]
        finished = self._finished(cells, pd.DataFrame(filled)).set_axis(table.index)
        added = [
            name
            for name, column in self.schema.columns.items()
            if name not in table and (name in asked or column.derive is not None or column.reason_for in table)
        ]
        modelled = {*self.encoder.codecs, *self.schema.computed} & set(finished)
        return pd.DataFrame(
            {name: finished[name] if name in modelled else table[name] for name in [*table, *added]}, index=table.index
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


def _joined(given: pd.Series, imputed: pd.Series) -> pd.Series:
    """Return given cells where there are any, imputed ones elsewhere, in the type of the given ones."""
    return given.where(given.notna(), imputed.astype(given.dtype))


def _no_completion(rows: Ints, total: int) -> DataError:
    listed = ", ".join(map(str, rows[:LISTED])) + (", ..." if len(rows) > LISTED else "")
    return DataError(
        "table",
        f"{len(rows):,} of {total:,} rows ({listed}) could not be imputed so that they satisfy all rules of the schema",
        "Check their given cells against the rules, or empty those that contradict the model.",
    )
