"""Numeric encodings of a typed table: values for trees, bin codes for counting, coordinates for distances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd

from synthclin.schema.columns import Code
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from synthclin.evaluation.summaries import Summary
    from synthclin.schema import Schema
    from synthclin.schema.columns import Column, Level

__all__ = ["Codebook", "Coordinates", "Feature", "Features"]

Kind = Literal["line", "ordinal", "levels"]

_DAY = 86_400e9  # nanoseconds
_SECOND = 1e9


@dataclass(frozen=True, slots=True)
class Feature:
    """One evaluated column.

    Arguments:
        name: the column.
        kind: ``line`` (numeric: numbers and dates), ``ordinal`` (levels in rising order) or ``levels`` (nominal).
        column: its declaration in the schema.
        levels: the levels in any of the tables, in the schema's order first; empty for a numeric column.
        kept: frequent terms of a hierarchy in the first table; rarer terms are mapped to their nearest kept ancestor.
        summary: the summary of a patient's visits that it is, such as ``mean``; None for a column itself.
        summarised: the column that is summarised; empty for a column itself.
    """

    name: str
    kind: Kind
    column: Column
    levels: tuple[Level, ...] = ()
    kept: frozenset[str] = frozenset()
    summary: Summary | None = None
    summarised: str = ""


@dataclass(frozen=True, slots=True)
class Features:
    """The evaluated columns, which are those that a synthesizer models.

    Example:
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"bmi": {"type": "number", "decimals": 1},
        ...                                             "sex": {"type": "category", "categories": ["F", "M"]}}})
        >>> table = pd.DataFrame({"bmi": [21.04, None], "sex": pd.Categorical(["M", "F"], categories=["F", "M"])})
        >>> Features.of(schema, [table]).values(table).tolist()
        [[21.0, 1.0], [nan, 0.0]]
    """

    columns: tuple[Feature, ...]

    @classmethod
    def of(cls, schema: Schema, tables: Sequence[pd.DataFrame]) -> Features:
        """Return the features of `schema`, with the levels of all typed `tables`; the training table is the first."""
        return cls(
            tuple(
                _feature(name, column, [table[name] for table in tables])
                for name, column in schema.columns.items()
                if column.modelled
            )
        )

    def __len__(self) -> int:
        return len(self.columns)

    @property
    def names(self) -> tuple[str, ...]:
        """Column names."""
        return tuple(feature.name for feature in self.columns)

    @property
    def is_numeric(self) -> NDArray[np.bool_]:
        """(columns,) mask of numbers and dates."""
        return np.array([feature.kind == "line" for feature in self.columns], dtype=bool)

    @property
    def ordered(self) -> NDArray[np.bool_]:
        """(columns,) mask of the columns with an order: numeric and ordinal."""
        return np.array([feature.kind != "levels" for feature in self.columns], dtype=bool)

    def values(self, table: pd.DataFrame) -> NDArray[np.float64]:
        """Return (rows, columns) floats; NaN is missing.

        Numbers at schema precision, dates in days, datetimes in seconds, levels as their places.
        """
        out = np.empty((len(table), len(self.columns)))
        for j, feature in enumerate(self.columns):
            out[:, j] = _values(table[feature.name], feature)
        return out + 0.0  # turns -0.0 into 0.0, so that equal cells have equal bytes


def _feature(name: str, column: Column, series: Sequence[pd.Series[Any]]) -> Feature:
    if column.is_numeric or column.is_temporal:
        return Feature(name, "line", column)
    # A dict is an ordered set in which 1 and True are one level, as they are in a table.
    levels: dict[Level, None] = dict.fromkeys(column.levels or ())
    if isinstance(column, Code) and column.hierarchy is not None:
        # Synthetic rows never have a rare term, by design; its nearest frequent ancestor is compared.
        kept = column.frequent(series[0], np.arange(len(series[0])), MIN_PATIENTS)
        met = {column.nearest(term, kept) or term for each in series for term in each.cat.categories}
        return Feature(name, "levels", column, tuple(sorted(kept | met)), kept)
    for each in series:
        found = each.cat.categories if isinstance(each.dtype, pd.CategoricalDtype) else each.dropna().unique()
        levels |= dict.fromkeys(found.tolist())
    return Feature(name, "ordinal" if column.is_ordered else "levels", column, tuple(levels))


def _values(series: pd.Series[Any], feature: Feature) -> NDArray[np.float64]:
    if feature.kind != "line":
        places = {level: float(place) for place, level in enumerate(feature.levels)}
        if feature.kept and isinstance(feature.column, Code):
            terms = series.cat.categories
            series = series.astype(object).map(
                {term: feature.column.nearest(term, feature.kept) or term for term in terms}
            )
        return np.array([places.get(cell, np.nan) for cell in series.astype(object)], dtype=np.float64)
    if feature.column.is_temporal:
        moments = series.to_numpy(dtype="datetime64[ns]")
        unit = _DAY if feature.column.resolution == "D" else _SECOND
        return np.where(np.isnat(moments), np.nan, np.floor(moments.astype(np.int64) / unit))
    values: NDArray[np.float64] = series.to_numpy(dtype=np.float64, na_value=np.nan)
    decimals = feature.column.decimal_places
    return values if decimals is None else np.round(values, decimals)


@dataclass(frozen=True, slots=True)
class Codebook:
    """Discretisation for counting: quantile bins or frequent levels, one code for other levels, the last for missing.

    Arguments:
        edges: per column, upper ends of all bins but the last; empty for levels.
        kept: per column, the places of the levels with a code of their own; empty for numeric columns.
        cardinalities: per column, the number of codes.
    """

    edges: tuple[NDArray[np.float64], ...]
    kept: tuple[NDArray[np.float64], ...]
    cardinalities: tuple[int, ...]

    @classmethod
    def of(
        cls,
        features: Features,
        values: NDArray[np.float64],
        *,
        bins: int = 10,
        min_rows: int = MIN_PATIENTS,
        most: int = 30,
    ) -> Codebook:
        """Fit at most `bins` quantile bins, or the `most` frequent levels with at least `min_rows` rows."""
        edges, kept, cardinalities = [], [], []
        empty = np.empty(0)
        for feature, column in zip(features.columns, values.T, strict=True):
            seen = column[~np.isnan(column)]
            if feature.kind == "line":
                cuts = np.quantile(seen, np.arange(1, bins) / bins, method="inverted_cdf") if len(seen) else empty
                # A cut at the maximum would make an empty last bin.
                cuts = np.unique(cuts[cuts < seen.max()]) if len(seen) else cuts
                edges.append(cuts)
                kept.append(empty)
                cardinalities.append(len(cuts) + 2)
            else:
                counts = np.bincount(seen.astype(int), minlength=len(feature.levels))
                frequent = np.argsort(-counts, kind="stable")[:most]
                places = np.sort(frequent[counts[frequent] >= min_rows]).astype(np.float64)
                edges.append(empty)
                kept.append(places)
                cardinalities.append(len(places) + 2)
        return cls(tuple(edges), tuple(kept), tuple(cardinalities))

    def codes(self, features: Features, values: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return (rows, columns) codes."""
        out = np.empty(values.shape, dtype=np.int64)
        for j, (feature, column) in enumerate(zip(features.columns, values.T, strict=True)):
            if feature.kind == "line":
                codes = np.searchsorted(self.edges[j], column, side="left")
            else:
                kept = self.kept[j]
                place = np.searchsorted(kept, column)
                known = place < len(kept)
                known[known] = kept[place[known]] == column[known]
                codes = np.where(known, place, len(kept))
            out[:, j] = np.where(np.isnan(column), self.cardinalities[j] - 1, codes)
        return out

    def one_hot(self, codes: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return (rows, all codes of all columns) zeros and ones."""
        starts = np.concatenate([[0], np.cumsum(self.cardinalities)])
        out = np.zeros((len(codes), int(starts[-1])), dtype=np.float32)
        np.put_along_axis(out, codes + starts[:-1], 1.0, axis=1)
        return out


@dataclass(frozen=True, slots=True)
class Coordinates:
    """Embedding of mixed columns in a Euclidean space: ranks in [0, 1], levels one-hot at distance 1, missing flags.

    Ranks are within the table that the embedding was fitted to. A level that is not in that table has distance
    1/sqrt(2) from every other level.

    Arguments:
        sorted_values: per column, the sorted observed values; None for levels.
        kept: per column, the places of the levels with a coordinate; empty for ordered columns.
    """

    sorted_values: tuple[NDArray[np.float64] | None, ...]
    kept: tuple[NDArray[np.float64], ...]

    @classmethod
    def of(cls, features: Features, values: NDArray[np.float64], *, most: int = 50) -> Coordinates:
        """Fit ranks and the `most` frequent levels to `values`."""
        sorted_values: list[NDArray[np.float64] | None] = []
        kept: list[NDArray[np.float64]] = []
        for feature, column in zip(features.columns, values.T, strict=True):
            seen = column[~np.isnan(column)]
            if feature.kind == "levels":
                counts = np.bincount(seen.astype(int), minlength=len(feature.levels))
                frequent = np.argsort(-counts, kind="stable")[:most]
                sorted_values.append(None)
                kept.append(np.sort(frequent[counts[frequent] > 0]).astype(np.float64))
            else:
                sorted_values.append(np.sort(seen))
                kept.append(np.empty(0))
        return cls(tuple(sorted_values), tuple(kept))

    def place(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the (rows, coordinates) embedding."""
        blocks: list[NDArray[np.float64]] = []
        for ordered, kept, column in zip(self.sorted_values, self.kept, values.T, strict=True):
            missing = np.isnan(column)
            if ordered is None:
                block = (column[:, None] == kept[None, :]) / np.sqrt(2)
                blocks += [block, missing[:, None] / np.sqrt(2)]
            else:
                below, upto = np.searchsorted(ordered, column, "left"), np.searchsorted(ordered, column, "right")
                rank = np.where(missing, 0.5, (below + upto) / max(2 * len(ordered), 1))
                blocks += [rank[:, None], missing[:, None].astype(np.float64)]
        return np.hstack(blocks)
