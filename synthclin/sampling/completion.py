"""Completion of partially observed rows: given cells stay, the others are decoded from sampled codes and repaired."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.encoding.level_codec import LevelsCodec
from synthclin.expressions import parse
from synthclin.rules.rules import computed, violations
from synthclin.sampling.observed import Partial
from synthclin.sampling.repair import Repair
from synthclin.sampling.row_domains import RowDomains

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthclin.encoding import Encoded, TableEncoder
    from synthclin.schema import Schema

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

__all__ = ["Completion", "finished"]


@dataclass(slots=True)
class Completion(Repair):
    """Repair of completed rows: only the cells that are not given may change.

    Arguments:
        partial: the rows that are completed.
        domains: of their cells.
        broken: by text of a rule, the (rows,) whose given cells alone violate it: there it is not demanded.

    Attributes:
        violated: how many completions violated each rule so far.
    """

    partial: Partial
    domains: RowDomains
    broken: Mapping[str, Bools]
    violated: Counter[str] = field(init=False, default_factory=Counter)
    _owner: Ints = field(init=False)
    _may_be_empty: dict[str, Bools] = field(init=False)

    def complete(self, encoded: Encoded, owner: Ints, generator: np.random.Generator) -> tuple[pd.DataFrame, Bools]:
        """Return whole rows, and the (candidates,) that satisfy every rule.

        Arguments:
            encoded: candidates.
            owner: (candidates,) the row that each completes.
            generator: of offsets inside bins.
        """
        self._owner = owner
        return self.rows(self._within(encoded, owner, generator), None, generator)

    def _within(self, encoded: Encoded, owner: Ints, generator: np.random.Generator) -> Encoded:
        """Return candidates whose offsets name, among levels that share a code, one that filtering has left."""
        offsets = encoded.offsets.numpy().copy()
        codes = encoded.codes.numpy()
        for j, (name, codec) in enumerate(self.encoder.codecs.items()):
            if not isinstance(codec, LevelsCodec) or len(codec.cells.code) == codec.cardinality:
                continue
            left = self.domains.possible_cells(name)
            wrong = np.flatnonzero(
                self.partial.unknown[owner, j] & ~left[owner, codec.cells.find(codes[:, j], offsets[:, j])]
            )
            patterns, which = np.unique(left[owner[wrong]], axis=0, return_inverse=True)
            for i, pattern in enumerate(patterns):
                some = wrong[which.ravel() == i]
                cell, sampled = codec.cells.sample(codes[some, j], pattern, generator)
                offsets[some[cell >= 0], j] = sampled[cell >= 0]
        return type(encoded)(encoded.codes, encoded.offsets.new_tensor(offsets))

    def _free(self, codes: NDArray[np.int64], rows: Ints) -> Bools:
        free = Repair._free(self, codes, rows)  # noqa: SLF001 - a slotted dataclass has no zero-argument super
        free[:, : len(self.encoder.codecs)] &= self.partial.unknown[self._owner[rows]]
        return free

    def _whole(self, encoded: Encoded, rows: Ints) -> pd.DataFrame:
        partial = self.partial.part(self._owner[rows])
        filled = _filled(self.encoder, partial, encoded)
        table = finished(self.schema, partial.cells, filled)
        names = list(self.encoder.codecs)
        free = {name: partial.unknown[:, j] for j, name in enumerate(names)}
        solved, changed = self._equalities.solved(table, free)
        return finished(self.schema, partial.cells, solved[names]) if changed else table

    def _violations(self, table: pd.DataFrame, rows: Ints, judged: Collection[str] | None) -> dict[str, Bools]:
        owner = self._owner[rows]
        found = {
            rule: mask.to_numpy(dtype=np.bool_)
            for rule, mask in violations(table, self.schema, self._computed if judged is None else judged).items()
        }
        for rule in self.schema.rules:
            if self.broken[rule.text].any():
                found[rule.text] = found[rule.text] & ~self.broken[rule.text][owner]
        for j, name in enumerate(self.encoder.codecs):
            hole, cells = self.partial.holes[owner, j], table[name]
            if (valid := f"{name} is valid") in found:
                found[valid] = found[valid] & hole & cells.notna().to_numpy()
            empty = hole & cells.isna().to_numpy() & ~self.domains.stays_missing[owner, j]
            if empty.any():
                text = self.schema.empty_when(name)
                if text is not None:
                    empty &= ~parse(text).evaluate(table).fillna(value=False).to_numpy(dtype=np.bool_)
                found[f"{name} is not missing"] = empty
        for name in self.schema.computed:
            # Given cells have been validated; a derived cell may be missing where its formula cannot be computed.
            if name not in self.encoder.codecs and (valid := f"{name} is valid") in found:
                found[valid] = found[valid] & table[name].notna().to_numpy()
                if name in self.partial.cells:
                    found[valid] = found[valid] & self.partial.cells[name].isna().to_numpy()[owner]
        self.violated.update({rule: int(mask.sum()) for rule, mask in found.items() if mask.any()})
        return found


def finished(schema: Schema, cells: pd.DataFrame, filled: pd.DataFrame) -> pd.DataFrame:
    """Return modelled and derived columns; `missing_when` and `derive` never override a given cell."""
    table = computed(filled, schema)
    for name in schema.computed:
        if name in cells:
            table[name] = cells[name].where(cells[name].notna(), table[name].astype(cells[name].dtype))
    return table


def _filled(encoder: TableEncoder, partial: Partial, proposal: Encoded) -> pd.DataFrame:
    """Return the modelled columns of rows: given cells unchanged, the others decoded from sampled codes."""
    cells, codes, offsets = partial.cells, proposal.codes.numpy(), proposal.offsets.numpy()
    filled = {}
    for j, (name, codec) in enumerate(encoder.codecs.items()):
        if name in encoder.anchors:
            filled[name] = codec.decode(codes[:, j], offsets[:, j])
            continue
        filled[name] = cells[name].copy()
        free = np.flatnonzero(cells[name].isna())
        sampled = codec.decode(codes[free, j], offsets[free, j])
        filled[name].iloc[free] = sampled.astype(cells[name].dtype).array
    whole = encoder.tied(pd.DataFrame(filled), codes, given=cells.notna())
    return encoder.placed(whole, given=cells[[*encoder.anchors]])
