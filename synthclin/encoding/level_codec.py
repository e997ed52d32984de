"""The codec of levels: categories, ordinals, booleans and clinical codes, with rare ones pooled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

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

    def decode(self, codes: Ints, offsets: NDArray[np.floating]) -> pd.Series:
        """Return the (rows,) cells in the column's canonical type."""
        level = self._level[self.cells.find(codes, offsets)]
        return pd.Series(self._palette.take(level, allow_fill=True))

    def probes_around(self, cells: pd.Series) -> Intervals:  # noqa: ARG002 - each level has its own cell
        """Return cells whose centres represent all values: one per level, and missing."""
        return self.cells


def fit_levels(name: str, column: OfLevels, cells: pd.Series, patient: Ints, limits: Limits) -> LevelsCodec:
    """Fit the codec of a column of levels.

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
    patients = np.bincount(pairs["level"], minlength=len(found))
    rows = np.bincount(index[index >= 0], minlength=len(found))
    index_of = {_key(level): i for i, level in enumerate(found)}
    names: list[Level] = list(column.levels) if column.levels is not None else sorted(_plain(level) for level in found)
    at = [index_of.get(_key(level)) for level in names]
    enough = np.array([i is not None and patients[i] >= limits.value for i in at], dtype=np.bool_)
    counts = np.array([0 if i is None else rows[i] for i in at], dtype=np.float64)

    unnamed = False
    if column.is_ordered:
        people = np.array([0 if i is None else patients[i] for i in at])
        groups = _neighbours(names, counts, people, enough, limits.value)
    else:
        groups = [
            LevelGroup(levels=(level,), weights=(1.0,)) for level, kept in zip(names, enough, strict=True) if kept
        ]
        rare = [level for level, kept in zip(names, enough, strict=True) if not kept]
        if counts[~enough].any():
            few = [i for i, kept in zip(at, enough, strict=True) if i is not None and not kept]
            pooled = pairs.loc[pairs["level"].isin(few), "patient"].nunique()
            if column.levels is None:
                unnamed = True
            elif not groups or (len(rare) > 1 and pooled >= limits.value):
                groups.append(LevelGroup(levels=tuple(rare), weights=(1.0,) * len(rare)))
            else:
                # A pool of few patients would single them out: it shares the code of the rarest level above the limit.
                i = int(np.argmin(counts[enough]))
                groups[i] = _shared(
                    groups[i].levels + tuple(rare), [counts[enough][i]] + [0.0] * len(rare), limits.value
                )
    missing = column.may_be_missing or bool((index < 0).any())
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


def _neighbours(
    names: list[Level], counts: NDArray[np.float64], people: Ints, enough: NDArray[np.bool_], limit: int
) -> list[LevelGroup]:
    """Merge rare levels with their rarer neighbour until every group has `limit` patients."""
    spans = [[i] for i in range(len(names))]
    while len(spans) > 1 and min(people[span].sum() for span in spans) < limit:
        fewest = int(np.argmin([people[span].sum() for span in spans]))
        neighbours = [i for i in (fewest - 1, fewest + 1) if 0 <= i < len(spans)]
        other = min(neighbours, key=lambda i: int(people[spans[i]].sum()))
        low, high = sorted((fewest, other))
        spans[low : high + 1] = [spans[low] + spans[high]]
    return [_shared([names[i] for i in span], np.where(enough[span], counts[span], 0.0), limit) for span in spans]


def _shared(levels: Sequence[Level], counts: Sequence[float] | NDArray[np.float64], limit: int) -> LevelGroup:
    """Return the group of levels that share a code; a count of 0 stands for a rare level.

    Rare levels have fewer than `limit` patients in any case: together they count for half the limit.
    """
    weights = np.asarray(counts, dtype=np.float64)
    rare = weights == 0
    weights = np.ones(len(weights)) if rare.all() else np.where(rare, limit / 2 / max(rare.sum(), 1), weights)
    return LevelGroup(levels=tuple(levels), weights=tuple(float(f"{w:.5e}") for w in weights / weights.max()))


def _plain(level: object) -> Level:
    """Return a level as a plain Python value: numpy's own types are no JSON."""
    return level.item() if isinstance(level, np.generic) else level  # type: ignore[return-value]


def _key(level: object) -> tuple[bool, object]:
    """Return a key under which 1 and 1.0 are one level, and 1 and True are two."""
    return isinstance(level, bool | np.bool_), level
