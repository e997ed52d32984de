"""Repair of rows by rejection sampling inside bins: offsets are resampled until the rules are satisfied."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from synthclin.encoding import Encoded
from synthclin.expressions import Expression, parse
from synthclin.rules.propagation import source_columns
from synthclin.rules.rules import finish, violations
from synthclin.schema.constraints import Rule

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from synthclin.encoding import TableEncoder
    from synthclin.sampling.cohorts import Condition
    from synthclin.schema import Schema

    Bools = NDArray[np.bool_]

__all__ = ["Repair"]

PROPOSALS = (1, 2, 4, 8)
"""Proposals of a row's offsets in each round, until one of them satisfies the rules."""


@dataclass(frozen=True, slots=True)
class _Equality:
    """Equality rule: a column that equals an expression over other columns wherever `when` is true."""

    column: str
    source: Expression
    when: Expression | None


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
    _equalities: list[_Equality] = field(init=False)
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
        self._equalities = self._equality_rules()
        # Decoded cells are valid; computed cells may not be.
        equated = (equality.column for equality in self._equalities)
        self._computed = {*self.schema.computed, *self.encoder.anchors, *equated}

    def rows(
        self, encoded: Encoded, condition: Condition, generator: np.random.Generator
    ) -> tuple[pd.DataFrame, Bools]:
        """Return complete rows, and the (rows,) that satisfy every rule.

        Arguments:
            encoded: rows whose offsets are already restricted to the condition.
            condition: also restricts the resampled offsets.
            generator: of these offsets.
        """
        table, loose = self._decoded(encoded, judged=None)
        satisfied: Bools = ~loose[:, -1]
        parts, waiting = [table], np.flatnonzero(~satisfied)
        free = self._free(encoded.codes[waiting].numpy())
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
            restricted = condition.restrict(Encoded(codes, offsets), self.encoder, generator)
            table, found = self._decoded(restricted, judged=self._computed)
            repaired, first = np.unique(which[~found[:, -1]], return_index=True)
            chosen = np.flatnonzero(~found[:, -1])[first]
            parts.append(table.iloc[chosen].set_axis(waiting[repaired]))
            satisfied[waiting[repaired]] = True
            np.logical_or.at(loose, which, found[:, :-1] & free[which])
            waiting, loose, free = (np.delete(part, repaired, axis=0) for part in (waiting, loose, free))
        if len(parts) == 1:
            return table, satisfied
        again = pd.concat(parts[1:])
        for mask in violations(again, self.schema).values():
            satisfied[again.index[mask.to_numpy()]] = False
        return pd.concat([parts[0].drop(again.index), again]).sort_index(), satisfied

    def _free(self, codes: NDArray[np.int64]) -> Bools:
        """Return which (rows, columns) codes are no point mass, so that another offset gives another value."""
        point_masses = [column.point_masses[codes[:, j]] for j, column in enumerate(self.encoder.layout.columns)]
        return ~np.stack(point_masses, axis=1)

    def _decoded(self, encoded: Encoded, judged: Collection[str] | None) -> tuple[pd.DataFrame, Bools]:
        """Return complete rows, and the (rows, columns + 1) cells that occur in a violated rule.

        The last column is true if any rule is violated. Only cells of columns `judged` are validated on their own.
        """
        table = self._solved(finish(self.encoder.decode(encoded), self.schema))
        loose = np.zeros((len(table), len(self.encoder.layout) + 1), dtype=np.bool_)
        for rule, mask in violations(table, self.schema, judged).items():
            rows = np.flatnonzero(mask.to_numpy(dtype=np.bool_))
            if len(rows):
                loose[rows[:, None], [*self._places.get(rule, ()), -1]] = True
        return table, loose

    def _solved(self, table: pd.DataFrame) -> pd.DataFrame:
        """Return rows in which each equality rule is solved for its column."""
        changed = False
        for equality in self._equalities:
            column, cells = self.schema.columns[equality.column], table[equality.column]
            if column.is_temporal:
                (source,) = equality.source.columns
                value = table[source]
            else:
                value = equality.source.compute(table)
                if column.decimal_places is not None:
                    value = value.round(column.decimal_places) + 0.0  # no -0.0
            differs = cells.notna() & value.notna() & ~cells.eq(value).fillna(value=False).astype(bool)
            if equality.when is not None:
                differs &= equality.when.evaluate(table).fillna(value=False).astype(bool)
            if not differs.any():
                continue
            typed, unread = column.coerce(value[differs])
            rows = typed.index[typed.notna() & ~unread]
            if not changed:
                table, changed = table.copy(), True
            table.loc[rows, equality.column] = typed[rows]
        return finish(table, self.schema) if changed else table

    def _equality_rules(self) -> list[_Equality]:
        """Return the equality rules, each after those it depends on; the column with more codes is computed."""
        codes = {column.name: (column.cardinality, j) for j, column in enumerate(self.encoder.layout.columns)}
        found = []
        for rule in (rule for rule in self.schema.imposed if isinstance(rule, Rule)):
            for part in parse(rule.then).conjuncts():
                sides = part.equated()
                named = [side for side in sides if side.name is not None and self._computable(side.name)]
                if named and all(side.columns for side in sides):
                    target = max(named, key=lambda side: codes[str(side.name)])
                    source = sides[1] if target is sides[0] else sides[0]
                    when = None if rule.when is None else parse(rule.when)
                    found.append(_Equality(str(target.name), source, when))
        return sorted(found, key=lambda equality: codes[equality.column])

    def _computable(self, name: str) -> bool:
        column = self.schema.columns[name]
        return column.modelled and (column.is_numeric or column.is_temporal)
