"""Partial rows completed: what is known of a row is clamped, and what is missing is drawn given all of it."""

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
"""Rows completed at a time: bounds the memory of any request."""

AT_ONCE = 64_000
"""Candidates that are drawn, and completions that are decoded, at a time."""

START = 16
"""Candidates that a row begins with; half of them is the effective sample size at which it has enough."""

MOST = 1_024
"""Candidates in the last helping of a row whose known cells the first ones hardly explain."""

PROPOSALS_PER_ROUND = (1, 8, 64, 512)
"""How many completions are picked for a row at a time, until one keeps the rules."""

RETRIES = 3
"""How often a row gets more candidates because all that were picked break rules."""

NEGLIGIBLE = 20.0
"""Nats below a row's best candidate at which another one is forgotten."""

LISTED = 10
"""Row numbers in an error."""


@dataclass(slots=True)
class _Candidates:
    """Completions of some rows, weighed by how likely what is known of a row is given the cells drawn before it.

    Arguments:
        source: a family's `_sample`.
        known: (rows, columns) codes, -1 where one is to be sampled.
        forbidden: column -> (codes,) bool, codes that are never sampled.
        allocations: column -> (codes,) allocation probabilities of randomised arms.
        mask: rules codes out that no completion can hold.
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
        """Draw so many more candidates for each of `rows`, and forget those of no weight to keep hard rows small."""
        for some in _pieces(rows, amount):
            owner = np.repeat(some, amount)
            codes, log_weight = self._sampled(owner, self.mask)
            # What is given may lie beyond all that its code stands for, and keep a rule that no code does.
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
        imposed = Imposed(forbidden=self.forbidden, allocations=self.allocations, code_mask=mask, known=known)
        encoded, log_weight = self.source(len(owner), self.generator, imposed)
        return encoded.codes.numpy(), log_weight.double().numpy()

    def effective(self) -> Floats:
        """Return the effective sample size of each row's candidates, (rows,)."""
        weight = self._weight()
        sums = [np.bincount(self.owner, power, len(self.known)) for power in (weight, weight**2)]
        return sums[0] ** 2 / sums[1]

    def pick(self, rows: Ints, generator: np.random.Generator) -> Ints:
        """Return for each of `rows`, which may repeat, the codes of a candidate picked by weight, (rows, columns)."""
        total = np.cumsum(self._weight())
        first = np.searchsorted(self.owner, rows, side="left")
        last = np.searchsorted(self.owner, rows, side="right") - 1
        below = np.where(first > 0, total[first - 1], 0.0)
        wanted = below + generator.random(len(rows)) * (total[last] - below)
        return self.codes[np.clip(np.searchsorted(total, wanted, side="right"), first, last)]

    def _weight(self) -> Floats:
        """Return each candidate's weight; the best one of a row has 1."""
        best = np.full(len(self.known), -np.inf)
        np.maximum.at(best, self.owner, self.log_weight)
        weight: Floats = np.exp(self.log_weight - best[self.owner])
        return weight


@dataclass(frozen=True, slots=True)
class Imputer:
    """Completes tables from any model that draws codes.

    Arguments:
        source: a family's `_sample`.
        encoder: how codes become cells.
        schema: whose rules every completed row keeps.
        seed: of everything random in the completion.
    """

    source: Source
    encoder: TableEncoder
    schema: Schema
    seed: int

    def complete(self, table: pd.DataFrame, imputations: int, columns: Collection[str] | None) -> list[pd.DataFrame]:
        """Return `imputations` completed copies of `table`; see `Synthesizer.impute`.

        Each row gets candidates that are drawn column by column with its known cells clamped, and weighed by how
        likely these are given the cells drawn before them (sequential importance sampling). One candidate is picked
        by weight for each copy (resampling); rows whose weight rests on few candidates get more of them first, and
        a pick that breaks a rule of the schema is picked again.
        """
        names = list(self.encoder.codecs)
        for name in columns or ():
            if name not in names:
                what = f"{name!r} is not a learnt column"
                raise ConfigError("impute: `columns`", what, f"Choose from {', '.join(names)}.")
        asked = set(names if columns is None else columns)
        partial = Partial.read(table, self.encoder, asked)
        broken = self._broken(partial)
        left_out = [broken[rule.text] for rule in self.schema.rules if rule.on_violation == "drop"]
        if np.any(left_out):
            return self.complete(table[~np.any(left_out, axis=0)], imputations, columns)
        # A rule that given cells break by themselves says nothing of the others.
        idle = {text for text, mask in broken.items() if mask.any()}
        constraints = [
            constraint for constraint in constraints_of(self.schema) if idle.isdisjoint(constraint.text.split("; "))
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
            raise _stuck(rows[stuck] + 1, len(table))
        return [
            self._assembled(table, asked, partial, Encoded(torch.from_numpy(code).long(), torch.from_numpy(offset)))
            for code, offset in zip(codes, offsets, strict=True)
        ]

    def _forbidden(self, asked: set[str], partial: Partial) -> dict[int, Tensor]:
        """Return per column which codes are never drawn: pooled rare levels, and *missing* where a value is asked."""
        forbidden = {}
        for j, column in enumerate(self.encoder.layout.columns):
            masked = column.never.copy()
            # Where a rule may empty the cell, an empty cell can be the answer; the rules tell it from a hole.
            if column.missing is not None and column.name in asked and self.schema.empty_when(column.name) is None:
                masked[column.missing] = True
            if masked.all() and partial.holes[:, j].any():
                what = "every level is too rare to be named, so that none can be drawn"
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
        """Return codes and offsets, (draws, rows, columns), of a few rows, and the (rows,) that found no completion."""
        rng = numpy_generator(self.seed, "pick", int(rows[0]))
        generator = torch_generator(self.seed, "impute", int(rows[0]))
        candidates = _Candidates(
            self.source, partial.codes[torch.from_numpy(rows)], forbidden, allocations_of(self.encoder), mask, generator
        )
        start = max(START, 4 * imputations)
        wanting, amount = np.arange(len(rows)), start
        while len(wanting) and amount <= max(MOST, start):
            candidates.add(wanting, amount)
            wanting, amount = np.flatnonzero(candidates.effective() < start / 2), 4 * amount

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
                    code = candidates.pick(row[wanted], rng)
                    offset = rng.random(code.shape, dtype=np.float32)
                    picked = Encoded(torch.from_numpy(code), torch.from_numpy(offset))
                    good = np.flatnonzero(self._keeps_rules(partial, rows[row[wanted]], picked, broken))
                    served, first = np.unique(wanted[good], return_index=True)
                    codes[copy[served], row[served]] = code[good[first]]
                    offsets[copy[served], row[served]] = offset[good[first]]
                    done.append(served)
                copy, row = (np.delete(index, np.concatenate(done)) for index in (copy, row))
                if not len(row):
                    return codes, offsets, np.zeros(len(rows), dtype=np.bool_)
        return codes, offsets, np.isin(np.arange(len(rows)), row)

    def _broken(self, partial: Partial) -> dict[str, Bools]:
        """Return which rows break a rule by given cells alone, without any hole to complete, by its text.

        Raises:
            DataError: they do, and the rule says that this is an error.
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

    def _keeps_rules(self, partial: Partial, rows: Ints, picked: Encoded, settled: dict[str, Bools]) -> Bools:
        """Return which completed rows keep every rule that is not settled by given cells alone."""
        cells = partial.cells.iloc[rows].reset_index(drop=True)
        table = self._finished(cells, self._filled(cells, picked))
        satisfied = np.ones(len(rows), dtype=np.bool_)
        broken = {rule: mask.to_numpy(dtype=np.bool_) for rule, mask in violations(table, self.schema).items()}
        for rule in self.schema.rules:
            satisfied &= ~broken[rule.text] | settled[rule.text][rows]
        for j, name in enumerate(self.encoder.codecs):
            hole = partial.holes[rows, j]
            satisfied &= ~(hole & broken[f"{name} is valid"])
            if (text := self.schema.empty_when(name)) is not None:
                empty = parse(text).evaluate(table).fillna(value=False).to_numpy(dtype=np.bool_)
                satisfied &= ~hole | empty | table[name].notna().to_numpy()
        return satisfied

    def _filled(self, cells: pd.DataFrame, picked: Encoded) -> pd.DataFrame:
        """Return the learnt columns of some rows: given cells as they are, the others as they were drawn."""
        codes, offsets = picked.codes.numpy(), picked.offsets.numpy()
        filled = {}
        for j, (name, codec) in enumerate(self.encoder.codecs.items()):
            if name in self.encoder.anchors:
                filled[name] = codec.decode(codes[:, j], offsets[:, j])
                continue
            filled[name] = cells[name].copy()
            free = np.flatnonzero(cells[name].isna())
            drawn = codec.decode(codes[free, j], offsets[free, j])
            filled[name].iloc[free] = drawn.astype(cells[name].dtype).array
        whole = self.encoder.tied(pd.DataFrame(filled), codes, given=cells.notna())
        return self.encoder.placed(whole, given=cells[[*self.encoder.anchors]])

    def _finished(self, cells: pd.DataFrame, filled: pd.DataFrame) -> pd.DataFrame:
        """Return learnt and derived columns; what `missing_when` and `derive` imply never overrides a given cell."""
        finished = finish(filled, self.schema)
        for name in self.schema.computed:
            if name in cells:
                finished[name] = _joined(cells[name], finished[name])
        return finished

    def _assembled(self, table: pd.DataFrame, asked: set[str], partial: Partial, picked: Encoded) -> pd.DataFrame:
        """Return the whole table with its holes filled, and the columns that it lacked last."""
        rows, cells = partial.rows, partial.cells
        drawn = self._filled(cells.iloc[rows].reset_index(drop=True), picked)
        filled = {name: cells[name].copy() for name in drawn}
        for j, name in enumerate(drawn):
            hole = np.flatnonzero(partial.holes[rows, j])
            filled[name].iloc[rows[hole]] = drawn[name].array[hole]
        finished = self._finished(cells, pd.DataFrame(filled)).set_axis(table.index)
        added = [
            name
            for name, column in self.schema.columns.items()
            if name not in table and (name in asked or column.derive is not None or column.reason_for in table)
        ]
        learnt = {*self.encoder.codecs, *self.schema.computed} & set(finished)
        return pd.DataFrame(
            {name: finished[name] if name in learnt else table[name] for name in [*table, *added]}, index=table.index
        )


def stacked(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return completed tables below each other, as mice's ``complete(imp, "long")`` does.

    Returns:
        a table whose first columns are ``.imp``, the number of the completed table, and ``.id``, that of the row in
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
    """Return `rows` in pieces that are worked on at once, where each row stands for `amount` of them."""
    return np.array_split(rows, max(1, -(-len(rows) * amount // AT_ONCE)))


def _joined(given: pd.Series, drawn: pd.Series) -> pd.Series:
    """Return given cells where there are any, drawn ones elsewhere, in the type of the given ones."""
    return given.where(given.notna(), drawn.astype(given.dtype))


def _stuck(rows: Ints, total: int) -> DataError:
    listed = ", ".join(map(str, rows[:LISTED])) + (", ..." if len(rows) > LISTED else "")
    return DataError(
        "table",
        f"{len(rows):,} of {total:,} rows ({listed}) could not be completed so that the rules of the schema hold",
        "Check their given cells against the rules, or empty those that contradict the model.",
    )
