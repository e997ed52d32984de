"""The codec of levels: categories, ordinals, booleans and clinical codes, with rare ones pooled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pandas as pd

from synthclin.encoding.codec_states import LevelGroup, LevelsState
from synthclin.encoding.layout import ColumnLayout
from synthclin.encoding.offset_cells import Intervals
from synthclin.errors import DataError
from synthclin.schema.columns import Boolean, Category, Code, Level, Ordinal

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.encoding.protection import Limits

    Ints = NDArray[np.int64]

__all__ = ["LevelsCodec", "OfLevels", "fit_levels"]

OfLevels = Boolean | Category | Ordinal | Code

# A pool of two levels with enough patients would show that both are held.
_LEAST_LEVELS = 3


class LevelsCodec:
    """Codes and offsets of a column of levels; an offset distinguishes the levels that share a code.

    Arguments:
        column: its declaration in the schema.
        state: the fitted parameters; see `fit_levels`.

    Raises:
        ValueError: the state does not fit the column.
    """

    def __init__(self, column: OfLevels, state: LevelsState) -> None:
        self.column, self.state = column, state
        self._names = [level for group in state.groups for level in group.levels]
        declared = column.levels
        known = {_key(level) for level in declared or ()}
        if declared is None:
            if any(isinstance(name, str) is not isinstance(self._names[0], str) for name in self._names):
                raise ValueError("levels of several types")
        elif any(_key(name) not in known for name in self._names):
            raise ValueError("a level is not among the declared categories")
        if isinstance(column, Code) and not all(isinstance(name, str) for name in self._names):
            raise ValueError("a clinical code is text")
        code = [i for i, group in enumerate(state.groups) for _ in group.levels]
        weight = [weight for group in state.groups for weight in group.weights]
        # Level -1 is a pooled level without a name, or missing.
        level = list(range(len(self._names)))
        for extra in range(state.unnamed + state.missing):
            code.append(len(state.groups) + extra)
            weight.append(1.0)
            level.append(-1)
        self.cardinality = len(state.groups) + state.unnamed + state.missing
        if not 0 <= state.commonest < max(self.cardinality, 1):
            raise ValueError("the commonest code does not exist")
        self._level = np.array(level, dtype=np.int64)
        self.cells = Intervals.from_weights(code, weight)
        observed = pd.CategoricalDtype(sorted(self._names))
        self._palette = pd.Series(self._names, dtype=observed if declared is None else column.dtype).array
        self._cell_of = {_key(name): i for i, name in enumerate(self._names)}
        self._terms = {str(name) for name in self._names}

    def layout(self, name: str) -> ColumnLayout:
        """Return the layout of the codes."""
        never = np.zeros(self.cardinality, dtype=np.bool_)
        if self.state.unnamed:
            never[len(self.state.groups)] = True
        missing = self.cardinality - 1 if self.state.missing else None
        if missing is not None:
            never[missing] = not self.column.may_be_missing
        point_masses = np.bincount(self.cells.code, minlength=self.cardinality) == 1
        kind: Literal["ordered", "levels"] = "ordered" if self.column.is_ordered else "levels"
        return ColumnLayout(name, self.cardinality, kind, missing, point_masses, never)

    def encode(self, column: pd.Series) -> tuple[Ints, NDArray[np.float32]]:
        """Return (rows,) codes and offsets; an unknown level goes to the unnamed code, else to the commonest."""
        index, found = pd.factorize(column)
        unknown = len(self.state.groups) if self.state.unnamed else self.state.commonest
        missing = self.cardinality - 1 if self.state.missing else self.state.commonest
        shared = self.layout("").point_masses
        code = np.empty(len(found) + 1, dtype=np.int64)
        offset = np.zeros(len(found) + 1, dtype=np.float32)
        for i, level in enumerate(found):
            cell = self._cell_index(level)
            code[i] = unknown if cell is None else self.cells.code[cell]
            if cell is not None and not shared[code[i]]:
                offset[i] = self.cells.centre[cell]
        code[-1] = missing
        return code[index], offset[index]

    def has_code(self, cells: pd.Series) -> NDArray[np.bool_]:
        """Return (rows,) whether a code has the cell's level or a parent term of it; False for missing cells."""
        index, found = pd.factorize(cells)
        return np.array([*(self._cell_index(level) is not None for level in found), False])[index]

    def _cell_index(self, level: object) -> int | None:
        """Return the index of the cell of a level, or of its nearest parent term; None where there is none."""
        if isinstance(self.column, Code):
            level = self.column.nearest(str(level), self._terms)
        return self._cell_of.get(_key(level))

    @property
    def level_names(self) -> tuple[Level, ...]:
        """The levels that a code has by name, in the order of the codes."""
        return tuple(self._names)

    def level_shares(self, levels: Sequence[Level]) -> NDArray[np.float64]:
        """Return the share of each of `levels` in the mass of each code, (levels, codes)."""
        place = {_key(level): i for i, level in enumerate(levels)}
        shares = np.zeros((len(levels), self.cardinality))
        for code, level, width in zip(self.cells.code, self._level, self.cells.width, strict=True):
            if level >= 0:
                shares[place[_key(self._names[level])], code] += width
        return shares

    def decode(self, codes: Ints, offsets: NDArray[np.floating]) -> pd.Series:
        """Return the (rows,) cells in the column's canonical type."""
        level = self._level[self.cells.find(codes, offsets)]
        return pd.Series(self._palette.take(level, allow_fill=True))

    def probes_around(self, cells: pd.Series) -> Intervals:  # noqa: ARG002 - each level has its own cell
        """Return cells whose centres represent all values: one per level, and missing."""
        return self.cells


def fit_levels(name: str, column: OfLevels, cells: pd.Series, patient: Ints, limits: Limits) -> LevelsCodec:
    """Fit the codec of a column of levels.

    A declared level that fewer than `limits.value` patients hold shares a code, and its weight there is the same for
    none of them and for one less than the limit; see `_groups`. Undeclared levels of so few patients have no name: they
    share a code that is never sampled. It is there whether any patient has it or not.

    Arguments:
        name: the column's name, for errors.
        column: its declaration.
        cells: (rows,) the training cells in canonical type.
        patient: (rows,) the number of each row's patient.
        limits: the smallest number of patients with a level whose name or share is stored.

    Raises:
        DataError: no level can be named.
    """
    cells = column.pooled(cells, patient, limits.value)
    index, found = pd.factorize(cells)
    pairs = pd.DataFrame({"level": index, "patient": patient})[index >= 0].drop_duplicates()
    index_of = {_key(level): i for i, level in enumerate(found)}
    names: list[Level] = list(column.levels) if column.levels is not None else sorted(_plain(level) for level in found)
    place = np.full(len(found), -1, dtype=np.int64)
    for i, level in enumerate(names):
        if (at := index_of.get(_key(level))) is not None:
            place[at] = i
    level, holder = place[pairs["level"].to_numpy()], pairs["patient"].to_numpy()
    enough = np.bincount(level, minlength=len(names)) >= limits.value

    unnamed = column.levels is None and limits.value > 1
    if column.levels is None:
        groups = [_group(names, {int(i): 1.0}) for i in np.flatnonzero(enough)]
    else:
        held = _Held(level, holder, limits.value)
        groups = _groups(names, enough, held, max(len(cells), 1), ordered=column.is_ordered)
    missing = column.may_be_missing or len(np.unique(patient[index < 0])) >= limits.value
    if not groups and not column.may_be_missing:
        raise DataError(
            f"column {name!r}",
            f"none of its {len(found)} levels has {limits.value} patients, so that none may be stored",
            "Declare `categories`, lower `protect.rare_category`, or leave it out with `type: text`.",
        )
    codec = LevelsCodec(column, LevelsState(groups=tuple(groups), unnamed=unnamed, missing=missing))
    codes, _ = codec.encode(cells)
    counts = np.where(codec.layout(name).never, -1, np.bincount(codes, minlength=codec.cardinality))
    return LevelsCodec(column, codec.state.model_copy(update={"commonest": int(counts.argmax())}))


class _Held(NamedTuple):
    """Which patients hold which declared level.

    Arguments:
        level: (pairs,) the level's index.
        patient: (pairs,) the number of a patient with it.
        limit: the smallest number of patients with a pool of levels.
    """

    level: Ints
    patient: Ints
    limit: int

    def enough(self, pools: Sequence[Ints]) -> bool:
        """Return whether at least `limit` patients hold a level of each of the pools."""
        return all(len(np.unique(self.patient[np.isin(self.level, pool)])) >= self.limit for pool in pools)


def _groups(
    names: list[Level], enough: NDArray[np.bool_], held: _Held, rows: int, *, ordered: bool
) -> list[LevelGroup]:
    """Return the groups of declared levels: one code each, with no figure that shows the count of a rare level.

    Three rare levels or more form a pool, with equal weights, where they are enough patients together; of two, the pool
    would show that both are held. Every other rare level shares the code of the nearest frequent level, of two that
    before it. Rare levels next to each other (of a nominal column, all) count there for half the limit together, as if
    every frequent level had equally many rows, rounded to a power of 2: that depends neither on their count nor on
    their neighbour's.

    Arguments:
        names: the declared levels, in order.
        enough: (levels,) whether enough patients hold it; if not, it is rare.
        held: which patients hold which level.
        rows: the number of training rows.
        ordered: whether only neighbours form a pool.
    """
    frequent, rare = np.flatnonzero(enough), np.flatnonzero(~enough)
    runs = np.split(rare, np.flatnonzero(np.diff(rare) > 1) + 1) if ordered else [rare]
    share = min(2.0 ** np.rint(np.log2(held.limit / 2 * max(len(frequent), 1) / rows)), 0.5)
    members = {int(i): {int(i): 1.0} for i in frequent}
    pools: list[Ints] = []
    for run in runs:
        if not len(run):
            continue
        found = _pools(run, held, ordered=ordered)
        pools += [run] if not found and not len(frequent) else found
        for i in run if len(frequent) and not found else ():
            members[int(frequent[np.argmin(np.abs(frequent - i))])][int(i)] = float(f"{share / len(run):.5e}")
    groups = {i: _group(names, weights) for i, weights in members.items()}
    # The pool of a nominal column comes last.
    groups |= {int(pool[0]) + (0 if ordered else len(names)): _group(names, dict.fromkeys(pool, 1.0)) for pool in pools}
    return [groups[i] for i in sorted(groups)]


def _pools(run: Ints, held: _Held, *, ordered: bool) -> list[Ints]:
    """Return pools of equally many rare levels, as small as can be; none where they are too few patients or levels.

    Their size alone is chosen by the patients: a border that follows the counts would show some of them.
    """
    size = _LEAST_LEVELS if ordered else len(run)
    while len(run) >= max(size, _LEAST_LEVELS):
        pools = [run[at * size :][: size if at < len(run) // size - 1 else None] for at in range(len(run) // size)]
        if held.enough(pools):
            return pools
        size = min(2 * size, len(run)) if size < len(run) else len(run) + 1
    return []


def _group(names: list[Level], weights: Mapping[int, float]) -> LevelGroup:
    """Return the group of the levels with these weights, by index."""
    return LevelGroup(
        levels=tuple(names[i] for i in sorted(weights)), weights=tuple(weights[i] for i in sorted(weights))
    )


def _plain(level: object) -> Level:
    """Return a level as a plain Python value: numpy's own types are no JSON."""
    return level.item() if isinstance(level, np.generic) else level  # type: ignore[return-value]


def _key(level: object) -> tuple[bool, object]:
    """Return a key under which 1 and 1.0 are one level, and 1 and True are two."""
    return isinstance(level, bool | np.bool_), level
