"""Fitted parameters of a codec: plain data, validated when they are read back."""

from __future__ import annotations

from typing import Annotated, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from synthclin.schema.columns import Level

__all__ = ["Grid", "Heap", "LevelGroup", "LevelsState", "LineState", "Monthly", "Periodic", "Support", "Tail"]

Position = Annotated[float, Field(ge=-1e200, le=1e200)]
Share = Annotated[float, Field(gt=0, le=1)]


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)


class Tail(_Kept):
    """The density beyond an outermost edge: exponential, truncated at `limit`.

    Arguments:
        mean: mean distance of the bin's rows from the edge (of logarithms, on a log scale).
        limit: the position where it is truncated.
    """

    mean: Annotated[float, Field(gt=0, le=1e200)]
    limit: Position


class Heap(_Kept):
    """A position inside a bin with a point mass, held by enough patients.

    Arguments:
        at: the position.
        share: its share of the bin's mass.
    """

    at: Position
    share: Share


class Grid(_Kept):
    """A coarser lattice that a share of the values in wide bins lies on, such as whole pounds written in kg.

    Arguments:
        step: its step in positions.
        share: the share of values that lie on it and on no grid before it.
    """

    step: Annotated[int, Field(gt=1, le=10**15)]
    share: Share


class Periodic(_Kept):
    """A periodic support: the positions that a column uses recur, such as multiples of 5 or the hours from 8 to 17.

    Arguments:
        blocks: blocks in one period: the step of a lattice, 7 days, 24 hours or the 168 hours of a week.
        kept: the blocks whose positions are used, counted from position 0.
        unit: positions in a block.
    """

    kind: Literal["periodic"] = "periodic"
    blocks: Annotated[int, Field(gt=1, le=10**15)]
    kept: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1, max_length=168, strict=False)]
    unit: Annotated[int, Field(ge=1, le=86_400)] = 1

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (np.diff(self.kept) <= 0).any() or self.kept[-1] >= self.blocks:
            raise ValueError("blocks of a period must rise")
        if len(self.kept) * self.unit > 604_800 or self.blocks * self.unit > 10**15:
            raise ValueError("a period is too long")
        return self


class Monthly(_Kept):
    """A support of fixed days of fixed months, such as the first of every month or 1 July of every year.

    Arguments:
        days: days of the month, from 1; of its end, from -27 to 0, where 0 is the last day.
        months: the months that are used.
    """

    kind: Literal["monthly"] = "monthly"
    days: Annotated[tuple[Annotated[int, Field(ge=-27, le=28)], ...], Field(min_length=1, max_length=28, strict=False)]
    months: Annotated[tuple[Annotated[int, Field(ge=1, le=12)], ...], Field(min_length=1, max_length=12, strict=False)]

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if (np.diff(self.days) <= 0).any() or (np.diff(self.months) <= 0).any():
            raise ValueError("days and months must rise")
        if self.days[0] < 1 <= self.days[-1]:
            raise ValueError("days count from the start or from the end of a month")
        return self


Support = Annotated[Periodic | Monthly, Field(discriminator="kind")]


class LineState(_Kept):
    """Fitted parameters of a numeric or temporal column; positions as in `Axis`.

    Arguments:
        point_masses: positions with a code of their own, each held by enough patients.
        edges: where one bin ends and the next begins, each an average over enough patients.
        lower: the density below the first edge; None if no bin lies there.
        upper: the density above the last edge; None if no bin lies there.
        joined: whether the two tails of a single edge are one bin.
        merged: how many consecutive pieces of the line each bin has; empty where each has one. Pieces lie between two
            edges, or beyond an outer one.
        shares: of merged bins the share of each piece in the mass of its bin; empty where its pieces have equal shares.
        heaps: point masses inside bins, each held by enough patients.
        rounding: relative weight of each last digit (weekday of a date, remainder of another period) inside narrow
            bins; empty for none.
        grids: coarser lattices inside wide bins, coarsest first.
        logarithmic: whether densities are densities of the logarithm.
        step: seconds per position of a datetime; 1 otherwise.
        support: the values that are sampled, if all but a few patients' values recur; see `fit_support`.
        missing: whether the last code is *missing*.
        commonest: the code of most rows.
    """

    kind: Literal["line"] = "line"
    point_masses: Annotated[tuple[Position, ...], Field(max_length=100_000, strict=False)] = ()
    edges: Annotated[tuple[Position, ...], Field(max_length=256, strict=False)] = ()
    lower: Tail | None = None
    upper: Tail | None = None
    joined: bool = False
    merged: Annotated[tuple[Annotated[int, Field(ge=1)], ...], Field(max_length=256, strict=False)] = ()
    shares: Annotated[tuple[Annotated[float, Field(ge=0, le=1)], ...], Field(max_length=257, strict=False)] = ()
    heaps: Annotated[tuple[Heap, ...], Field(max_length=100_000, strict=False)] = ()
    rounding: Annotated[tuple[Annotated[float, Field(gt=1e-6, lt=1e6)], ...], Field(max_length=60, strict=False)] = ()
    grids: Annotated[tuple[Grid, ...], Field(max_length=6, strict=False)] = ()
    logarithmic: bool = False
    step: Annotated[int, Field(ge=1, le=86_400)] = 1
    support: Support | None = None
    missing: bool = False
    commonest: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        if any(
            (np.diff(rising) <= 0).any() for rising in (self.point_masses, self.edges, [heap.at for heap in self.heaps])
        ):
            raise ValueError("point masses, edges and heaps must rise")
        if sum(grid.share for grid in self.grids) > 1:
            raise ValueError("the shares of grids must not exceed 1")
        if self.logarithmic and self.edges and self.edges[0] <= 0:
            raise ValueError("a logarithmic edge must be positive")
        if self.lower and not (self.edges and (0 if self.logarithmic else -np.inf) < self.lower.limit < self.edges[0]):
            raise ValueError("the lower limit must lie below the first edge")
        if self.upper and not (self.edges and self.upper.limit > self.edges[-1]):
            raise ValueError("the upper limit must lie above the last edge")
        if self.joined and not (len(self.edges) == 1 and self.lower and self.upper):
            raise ValueError("a joined bin has one edge and two tails")
        if len(self.edges) == 1 and not (self.lower or self.upper):
            raise ValueError("an edge needs a bin")
        return self

    @model_validator(mode="after")
    def _merged_bins_have_all_pieces(self) -> Self:
        pieces = max(len(self.edges) - 1, 0) + (self.lower is not None) + (self.upper is not None)
        if self.merged and (self.joined or sum(self.merged) != pieces):
            raise ValueError("merged bins must have all pieces")
        if self.shares:
            if not self.merged or len(self.shares) != pieces:
                raise ValueError("each piece of a merged bin needs a share")
            ends = np.cumsum(self.merged)
            whole = np.add.reduceat(np.array(self.shares), ends - np.array(self.merged))
            if (np.abs(whole - 1) > 1e-6).any():
                raise ValueError("the shares of a merged bin must sum to 1")
        return self


class LevelGroup(_Kept):
    """The levels that share a code.

    Arguments:
        levels: their names; for a pool of rare levels, declared names only.
        weights: relative probabilities of the levels given the code.
    """

    levels: Annotated[tuple[Level, ...], Field(min_length=1, max_length=100_000, strict=False)]
    weights: Annotated[tuple[Annotated[float, Field(gt=0, le=1)], ...], Field(strict=False)]


class LevelsState(_Kept):
    """Fitted parameters of a column of levels.

    Arguments:
        groups: one per code, in order.
        unnamed: whether one more code pools rare levels whose names are not stored.
        missing: whether the last code is *missing*.
        commonest: the code of most rows.
    """

    kind: Literal["levels"] = "levels"
    groups: Annotated[tuple[LevelGroup, ...], Field(max_length=100_000, strict=False)] = ()
    unnamed: bool = False
    missing: bool = False
    commonest: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [level for group in self.groups for level in group.levels]
        if len(set(names)) != len(names):
            raise ValueError("a level has two codes")
        if any(len(group.levels) != len(group.weights) for group in self.groups):
            raise ValueError("a group needs a weight per level")
        return self
