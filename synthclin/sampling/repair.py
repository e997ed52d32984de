"""Repair of rows by rejection sampling inside bins: offsets are resampled until the rules are satisfied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from synthclin.encoding import Encoded
from synthclin.rules.propagation import source_columns
from synthclin.rules.rules import computed, violations
from synthclin.sampling.equalities import Equalities

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from synthclin.encoding import TableEncoder
    from synthclin.sampling.cohorts import Condition
    from synthclin.schema import Schema

    Bools = NDArray[np.bool_]
    Ints = NDArray[np.int64]

__all__ = ["Repair"]

PROPOSALS = (1, 2, 4, 8)
"""Proposals of a row's offsets in each round, until one of them satisfies the rules."""


@dataclass(slots=True)
class Repair:
    """Decoder that repairs rows by rejection sampling inside bins, so that they satisfy the rules of the schema.

    Rows that satisfy every rule are not changed. In the others the offsets of the columns in a violated rule are
    resampled inside their bins, a few times. A number, date or duration that a rule equates with other cells is
    computed from them. A rule that no offsets satisfy stays violated.

    Arguments:
        encoder: how codes become cells.
        schema: whose rules every row satisfies.
    """

    encoder: TableEncoder
    schema: Schema
    _equalities: Equalities = field(init=False)
    _computed: set[str] = field(init=False)
    _places: dict[str, list[int]] = field(init=False)

    def __post_init__(self) -> None:
        names = self.encoder.layout.names
        self._places = {
            rule.text: [names.index(name) for name in source_columns(rule.columns, self.schema)]
            for rule in self.schema.rules
        }
        for name, column in self.schema.columns.items():
            if column.derive is not None or name in self.encoder.anchors:
                of = source_columns([name], self.schema)
                self._places[f"{name} is valid"] = [names.index(source) for source in of]
        self._equalities = Equalities(self.encoder, self.schema)
        # Decoded cells are valid; computed cells may not be.
        equated = (equality.column for equality in self._equalities.usual)
        self._computed = {*self.schema.computed, *self.encoder.anchors, *equated}

    def rows(
        self, encoded: Encoded, condition: Condition | None, generator: np.random.Generator
    ) -> tuple[pd.DataFrame, Bools]:
        """Return complete rows without identifiers, and the (rows,) that satisfy every rule.

        Arguments:
            encoded: rows whose offsets are already restricted to the condition.
            condition: also restricts the resampled offsets; None where there is no condition.
            generator: of these offsets.
        """
        table, loose = self._decoded(encoded, np.arange(len(encoded)), judged=None)
        satisfied: Bools = ~loose[:, -1]
        parts, waiting = [table], np.flatnonzero(~satisfied)
        free = self._free(encoded.codes[waiting].numpy(), waiting)
        loose, ties = loose[waiting, :-1] & free, len(self.encoder.ties)
        for proposals in PROPOSALS:
            tied = encoded.codes[waiting, len(self.encoder.codecs) :].any(dim=1).numpy()
            movable = np.asarray(loose.any(axis=1)) | tied
            waiting, loose, free = waiting[movable], loose[movable], free[movable]
            if not len(waiting):
                break
            which = np.repeat(np.arange(len(waiting)), proposals)
            codes, resampled = encoded.codes[waiting[which]], loose[which]
            if proposals > 1 and ties:
                # A tie sets two cells equal, which a rule may forbid.
                codes[:, -ties:] = 0
            proposed = generator.random(resampled.shape, dtype=np.float32)
            offsets = torch.from_numpy(np.where(resampled, proposed, encoded.offsets[waiting[which]].numpy()))
            proposal = Encoded(codes, offsets)
            if condition is not None:
                proposal = condition.restrict(proposal, self.encoder, generator)
            table, found = self._decoded(proposal, waiting[which], judged=self._computed)
            repaired, first = np.unique(which[~found[:, -1]], return_index=True)
            chosen = np.flatnonzero(~found[:, -1])[first]
            parts.append(table.iloc[chosen].set_axis(waiting[repaired]))
            satisfied[waiting[repaired]] = True
            np.logical_or.at(loose, which, found[:, :-1] & free[which])
            waiting, loose, free = (np.delete(part, repaired, axis=0) for part in (waiting, loose, free))
        if len(parts) == 1:
            return table, satisfied
        again = pd.concat(parts[1:])
        for broken in self._violations(again, again.index.to_numpy(), judged=None).values():
            satisfied[again.index[broken]] = False
        return pd.concat([parts[0].drop(again.index), again]).sort_index(), satisfied

    def _free(self, codes: NDArray[np.int64], rows: Ints) -> Bools:  # noqa: ARG002 - for completions
        """Return which (rows, columns) codes are no point mass, so that another offset gives another value."""
        point_masses = [column.point_masses[codes[:, j]] for j, column in enumerate(self.encoder.layout.columns)]
        return ~np.stack(point_masses, axis=1)

    def _decoded(self, encoded: Encoded, rows: Ints, judged: Collection[str] | None) -> tuple[pd.DataFrame, Bools]:
        """Return complete rows, and the (rows, columns + 1) cells that occur in a violated rule.

        The last column is true if any rule is violated. Only cells of columns `judged` are validated on their own.
        """
        table = self._whole(encoded, rows)
        loose = np.zeros((len(table), len(self.encoder.layout) + 1), dtype=np.bool_)
        for rule, mask in self._violations(table, rows, judged).items():
            broken = np.flatnonzero(mask)
            if len(broken):
                loose[broken[:, None], [*self._places.get(rule, ()), -1]] = True
        return table, loose

    def _whole(self, encoded: Encoded, rows: Ints) -> pd.DataFrame:  # noqa: ARG002 - for completions
        """Return decoded rows in which each equality rule is solved for its column; `rows` are their numbers."""
        table, changed = self._equalities.solved(computed(self.encoder.decode(encoded), self.schema))
        return computed(table, self.schema) if changed else table

    def _violations(
        self,
        table: pd.DataFrame,
        rows: Ints,  # noqa: ARG002 - for completions
        judged: Collection[str] | None,
    ) -> dict[str, Bools]:
        """Return the (rows,) that violate each rule, by its text."""
        return {rule: mask.to_numpy(dtype=np.bool_) for rule, mask in violations(table, self.schema, judged).items()}
