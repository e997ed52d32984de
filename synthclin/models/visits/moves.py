"""Moves of a column between two visits, and the codes that they allow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from synthclin.models.visits.line import MOST_SPIKES, Line
from synthclin.models.visits.transitions import label
from synthclin.models.visits.variables import MISSING, POOLED, Variables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthclin.encoding import TableEncoder

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["MOVES", "SPIKES", "VisitMask", "kept_moves", "moves_of", "values_after"]

SPIKES = tuple(f"at {i}" for i in range(MOST_SPIKES))
"""A number at one of its spikes, whatever it was before."""

MOVES = ("new", "stay", "missing", *SPIKES)
"""Another value than the last observed one, the same, none, or a spike."""


def kept_moves(
    variables: Variables, values: Floats, codes: Ints, number: Ints, patient: Ints, limit: int
) -> dict[str, tuple[str, ...]]:
    """Return by column the moves that at least `limit` patients have, of (rows, columns) values and codes of visits."""
    found: dict[str, tuple[str, ...]] = {}
    for j, levels in enumerate(variables.levels):
        now = codes[:, j]
        last = _carried(np.where(now == MISSING, -9, now), now != MISSING, number)
        stays = (now == last) | ((now == POOLED) & (last != -9))
        found[levels.name] = _frequent(moves_of(now == MISSING, stays), number, patient, limit, "stay")
    for j, line in enumerate(variables.lines):
        value = values[:, j]
        missing = ~np.isfinite(value)
        stays = value == _carried(value, ~missing, number)
        found[line.name] = _frequent(moves_of(missing, stays, line.at_spike(value)), number, patient, limit, "new")
    return found


def moves_of(missing: NDArray[np.bool_], stays: NDArray[np.bool_], spike: Ints | None = None) -> NDArray[np.object_]:
    """Return the (rows,) moves.

    Arguments:
        missing: (rows,) whether there is no value.
        stays: (rows,) whether it is the last one.
        spike: (rows,) the index of the spike it is at, -1 at none.
    """
    moves = np.where(stays, "stay", "new").astype(object)
    if spike is not None:
        moves = np.where(spike >= 0, np.array([*SPIKES, ""], dtype=object)[spike], moves)
    return np.where(missing, "missing", moves)


def values_after(move: NDArray[np.object_], last: Floats, new: Floats, line: Line) -> Floats:
    """Return the (rows,) values of a number after its moves, NaN where it is missing.

    Arguments:
        move: (rows,).
        last: (rows,) last observed values.
        new: (rows,) values where the move is new.
        line: the column.
    """
    value = np.where(move == "stay", last, np.where(move == "new", new, np.nan))
    for spike, at in zip(line.spikes, SPIKES, strict=False):
        value = np.where(move == at, spike, value)
    return value


def _carried(now: NDArray[np.generic], known: NDArray[np.bool_], number: Ints) -> NDArray[np.generic]:
    """Return (rows,) the last known value before each visit of the same patient; the row's own where there is none."""
    rows = np.arange(len(now))
    first = rows - number
    place = np.maximum.accumulate(np.where(known, rows, -1))
    before = np.concatenate([[-1], place[:-1]])
    inside = before >= first
    blank = np.full(len(now), np.nan if now.dtype.kind == "f" else -9)
    return np.where(inside, now[np.maximum(before, 0)], blank)


def _frequent(moves: NDArray[np.object_], number: Ints, patient: Ints, limit: int, usual: str) -> tuple[str, ...]:
    """Return the moves that enough patients have, the most frequent first."""
    later = number > 0
    people = {move: len(np.unique(patient[later & (moves == move)])) for move in MOVES}
    kept = [move for move in MOVES if people[move] >= max(limit, 1)]
    return tuple(sorted(kept, key=lambda move: -people[move])) or (usual,)


class VisitMask:
    """Constraint mask of a visit: moves and levels that contradict the last level or each other are never sampled.

    A `synthclin.sampling.sequential.CodeMask`.

    Arguments:
        variables: the columns.
        encoder: of the rows of the visit model.
        moves: by column the moves that occur.
    """

    def __init__(self, variables: Variables, encoder: TableEncoder, moves: Mapping[str, tuple[str, ...]]) -> None:
        names = encoder.layout.names
        self.place = {name: j for j, name in enumerate(names)}
        self.layout, self.moves = encoder.layout, moves
        self.column = {j: name for j, name in enumerate(names) if name.startswith(("move ", "level ", "value "))}
        # By column of moves: the code of each move.
        self.move_code: dict[str, dict[str, int]] = {}
        for name in moves:
            if f"move {name}" in self.place:
                layout = encoder.codecs[f"move {name}"]
                codes = layout.encode(_texts(moves[name]))[0]
                self.move_code[name] = {move: int(code) for move, code in zip(moves[name], codes, strict=True)}
        # By column of levels: (codes of the last level, codes of the new one) which change is possible.
        self.change: dict[str, Tensor] = {}
        for levels in variables.levels:
            if f"level {levels.name}" in self.place:
                self.change[levels.name] = self._changes(levels.name, sorted(levels.codes), encoder)

    def _changes(self, name: str, codes: list[int], encoder: TableEncoder) -> Tensor:
        """Return the (last codes + 1, new codes) changes that are possible."""
        target = self.layout.columns[self.place[f"level {name}"]]
        texts = [label(code) for code in codes]
        new = encoder.codecs[f"level {name}"].encode(_texts(texts))[0]
        fit = torch.zeros(1, target.cardinality, dtype=torch.bool)
        fit[0, torch.from_numpy(new)] = True
        fit[0, torch.from_numpy(target.never)] = False
        if target.missing is not None:
            fit[0, target.missing] = False
        if f"last {name}" not in self.place:
            return fit
        last = self.layout.columns[self.place[f"last {name}"]]
        before = encoder.codecs[f"last {name}"].encode(_texts(texts))[0]
        table = fit.expand(last.cardinality + 1, -1).clone()
        for old, same in zip(before.tolist(), new.tolist(), strict=True):
            if not last.never[old] and old != last.missing:
                table[old, same] = False
        return table

    def __call__(self, column: int, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return the (codes, rows) mask of the next column; None where nothing is masked."""
        if column not in self.column:
            return None
        kind, _, name = self.column[column].partition(" ")
        layout = self.layout.columns[column]
        allowed = self._moves(name, sampled) if kind == "move" else self._values(kind, name, layout.missing, sampled)
        return None if allowed is None else torch.where(allowed, 0.0, -torch.inf)

    def rows(self, part: slice) -> VisitMask:  # noqa: ARG002 (the contract's)
        """Return the mask of some of the rows: the same, because all that it needs are sampled codes."""
        return self

    def _last(self, name: str, sampled: Mapping[int, Tensor]) -> Tensor | None:
        place = self.place.get(f"last {name}")
        return None if place is None else sampled[place]

    def _moves(self, name: str, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return which (codes, rows) moves are possible: a stay needs a last value, a change another level."""
        last, code = self._last(name, sampled), self.move_code[name]
        place = self.place[f"move {name}"]
        rows = next(iter(sampled.values()))
        allowed = torch.ones(self.layout.columns[place].cardinality, len(rows), dtype=torch.bool, device=rows.device)
        if last is not None and "stay" in code:
            unseen = self.layout.columns[self.place[f"last {name}"]].missing
            if unseen is not None:
                allowed[code["stay"]] &= last != unseen
        if name in self.change and "new" in code:
            table = self.change[name].to(rows.device)
            some = table.any(1)
            allowed[code["new"]] &= some[last] if last is not None else some[0]
        # Rather any move than none.
        return torch.where(allowed.any(0), allowed, torch.ones_like(allowed))

    def _values(self, kind: str, name: str, missing: int | None, sampled: Mapping[int, Tensor]) -> Tensor | None:
        """Return which (codes, rows) are possible: a value where the move is new, else none."""
        place = self.place[f"{kind} {name}"]
        codes = self.layout.columns[place].cardinality
        rows = next(iter(sampled.values()))
        if name in self.move_code:
            new = sampled[self.place[f"move {name}"]] == self.move_code[name].get("new", -1)
        else:
            new = torch.full_like(rows, self.moves[name][0] == "new", dtype=torch.bool)
        present = torch.ones(codes, len(rows), dtype=torch.bool, device=rows.device)
        if kind == "level":
            last = self._last(name, sampled)
            table = self.change[name].to(rows.device)
            present = (table[last] if last is not None else table[:1].expand(len(rows), -1)).T.clone()
        if missing is None:
            return torch.where(new, present, torch.ones_like(present))
        present[missing] = False
        blank = torch.zeros_like(present)
        blank[missing] = True
        return torch.where(new, present, blank)


def _texts(values: list[str] | tuple[str, ...]) -> pd.Series:
    return pd.Series(list(values), dtype=object)
