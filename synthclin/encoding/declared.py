"""Codecs that read no cell: every code follows from the declaration of a column alone.

A model with differential privacy must not learn its codes from the rows. Numbers and dates get fine bins of their
declared range, which are merged once noisy counts of them are known; levels are the declared ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.encoding.axis import Axis, OnALine
from synthclin.encoding.codec_states import LevelGroup, LevelsState, LineState, Periodic
from synthclin.encoding.level_codec import LevelsCodec
from synthclin.encoding.line_codec import LineCodec
from synthclin.encoding.table import TableEncoder
from synthclin.errors import ConfigError
from synthclin.schema.combinations import Combinations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from synthclin.encoding.codec_states import Support
    from synthclin.encoding.codecs import Codec
    from synthclin.schema import Schema
    from synthclin.schema.columns import Column

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

__all__ = ["FINE_BINS", "declared_codec", "declared_encoder", "merged_codec", "merged_encoder", "refuse_undeclared"]

FINE_BINS = 128
"""Bins of a range at most, before they are merged: one per value where there are so few, else half of equal width and
half of equal ratio, because many clinical measurements have a long upper tail."""


def refuse_undeclared(schema: Schema) -> None:
    """Raise ConfigError that names everything that codes need and the schema does not declare.

    Example:
        >>> from synthclin.schema import Schema
        >>> columns = {"age": {"type": "integer"}, "sex": {"type": "category"}}
        >>> refuse_undeclared(Schema.model_validate({"columns": columns}))
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: column 'age': has no `range`, and differential privacy ... Declare `range`.
        column 'sex': has no `categories`. Declare `categories`.
    """
    found = [*_undeclared(schema)]
    if found:
        (where, what, remedy), *others = found
        lines = [remedy, *(f"{each[0]}: {each[1]}. {each[2]}" for each in others)]
        raise ConfigError(where, f"{what}, and differential privacy learns none from rows", "\n".join(lines))


def _undeclared(schema: Schema) -> Iterator[tuple[str, str, str]]:
    """Yield where, what and remedy of everything that is to be declared."""
    for name in schema.modelled:
        column, where = schema.columns[name], f"column {name!r}"
        if isinstance(column, OnALine):
            if column.bounds is None:
                yield where, "has no `range`", "Declare `range`."
            if column.is_numeric and column.decimal_places is None:
                yield where, "has no precision", "Declare `decimals` or `step`."
            if column.anchor_name is not None:
                what = "has an `anchor`, and no range of distances can be declared"
                yield where, what, "Remove `anchor`, and state the order of the dates as a constraint."
        elif column.type == "code":
            what = "has codes of a vocabulary that the schema does not list"
            yield where, what, "Declare `type: category` with `categories`, such as chapters, or `type: text`."
        elif column.levels is None:
            yield where, "has no `categories`", "Declare `categories`."
    for rule in schema.constraints:
        if isinstance(rule, Combinations) and rule.combinations == "observed":
            yield f"rule {rule.text!r}", "has combinations that are read from rows", "List `combinations`."


def declared_encoder(schema: Schema) -> TableEncoder:
    """Return an encoder of the declared levels and of fine bins, without a look at any row.

    Raises:
        ConfigError: something is not declared; it names all that lacks.

    Example:
        >>> from synthclin.schema import Schema
        >>> columns = {"age": {"type": "integer", "range": [0, 127]}, "old": {"type": "boolean", "missing": "allowed"}}
        >>> declared_encoder(Schema.model_validate({"columns": columns})).layout.cardinalities
        (128, 3)
    """
    refuse_undeclared(schema)
    return TableEncoder(schema, {name: declared_codec(schema.columns[name]) for name in schema.modelled})


def declared_codec(column: Column) -> Codec:
    """Return the codec of a declared column: a code per level, or per spike and fine bin of the range.

    Cells outside the range go to the nearest bin. Cells that are no value are missing, or the first code where none
    may be missing.
    """
    if not isinstance(column, OnALine):
        groups = tuple(LevelGroup(levels=(level,), weights=(1.0,)) for level in column.levels or ())
        return LevelsCodec(column, LevelsState(groups=groups, missing=column.may_be_missing))  # type: ignore[arg-type]
    step = _clock_step(column)
    axis = Axis.of(column, step)
    support: Support | None = None
    if column.value_step is not None and (blocks := round(column.value_step * axis.per_unit)) > 1:
        support = Periodic(blocks=blocks, kept=(0,))
        axis = Axis.of(column, step, support)
    spikes = pd.Series(column.spike_values, dtype=np.float64)
    point_masses = np.unique(axis.positions(spikes)) if len(spikes) else np.empty(0)
    edges = _edges(axis, point_masses, logarithmic=column.is_logarithmic)
    if not len(edges):  # every value of the range is a spike, or it is a single value
        point_masses = np.union1d(point_masses, [axis.low, axis.high])
    return LineCodec(
        column,
        LineState(
            point_masses=tuple(point_masses.tolist()),
            edges=tuple(edges.tolist()),
            logarithmic=column.is_logarithmic and len(edges) > 0 and bool(edges[0] > 0),
            step=step,
            support=support,
            missing=column.may_be_missing,
        ),
    )


def _clock_step(column: OnALine) -> int:
    """Return the seconds between two values of a datetime as its `format` writes it; 1 for other columns."""
    form = getattr(column, "format", None)
    return 60 if column.resolution == "s" and form is not None and "%S" not in form else 1


def _edges(axis: Axis, point_masses: Floats, *, logarithmic: bool) -> Floats:
    """Return the edges of fine bins, between lattice points, each around a value that is no point mass.

    Without a look at the rows, nobody knows whether bins of equal width or of equal ratio serve better: both are there.
    """
    count = axis.high - axis.low + 1
    if count <= FINE_BINS:
        edges = np.arange(axis.low, axis.high + 2) - 0.5
    else:
        first = max(axis.low, 1.0)
        ratios = np.geomspace(first, axis.high + 1, FINE_BINS // 2) if axis.high >= first else np.empty(0)
        equal = np.linspace(axis.low, axis.high + 1, FINE_BINS // 2 + 1)
        if logarithmic:
            equal = equal[[0, -1]]
        edges = np.floor(np.concatenate([equal, ratios])) - 0.5
    edges = np.unique(np.clip(edges, axis.low - 0.5, axis.high + 0.5))
    inside = point_masses[point_masses % 1 == 0]
    taken = np.histogram(inside, edges)[0] if len(edges) > 1 else np.zeros(0)
    empty = np.diff(edges) - taken <= 0
    if empty.all():
        return np.empty(0)
    # A bin without a value of its own joins the next one, the last ones the bin before them.
    keep = np.concatenate([[True], ~empty[:-1], [True]])
    last = len(empty) - 1
    while empty[last]:
        keep[last] = False
        last -= 1
    kept: Floats = edges[keep]
    return kept


def merged_codec(codec: LineCodec, groups: Ints, counts: Floats) -> tuple[LineCodec, Ints]:
    """Return the codec with consecutive fine bins merged, and the merged code of each fine code.

    Arguments:
        codec: with one bin per piece of the line.
        groups: (bins,) rising number of the merged bin that each bin is part of.
        counts: (bins,) how often each bin occurs, not below 0: the distribution inside a merged bin. Bins that never
            occur share theirs equally.
    """
    sizes = np.unique(groups, return_counts=True)[1]
    whole = np.add.reduceat(counts, np.cumsum(sizes) - sizes)
    shares = np.where(np.repeat(whole, sizes) > 0, counts, 1.0) / np.repeat(np.where(whole > 0, whole, sizes), sizes)
    merged = codec.state.model_copy(update={"merged": tuple(sizes.tolist()), "shares": tuple(shares.tolist())})
    result = LineCodec(codec.column, merged)
    mapping = np.empty(codec.cardinality, dtype=np.int64)
    mapping[codec.bin_code] = result.bin_code[result.bins]
    mapping[codec.point_mass_code] = result.point_mass_code
    if codec.state.missing:
        mapping[-1] = result.cardinality - 1
    return result, mapping


def merged_encoder(encoder: TableEncoder, merged: Mapping[str, tuple[Ints, Floats]]) -> tuple[TableEncoder, list[Ints]]:
    """Return the encoder with bins of the named columns merged, and per column the merged code of each fine code.

    Arguments:
        encoder: of `declared_encoder`.
        merged: by column the groups and counts of its bins; see `merged_codec`.
    """
    codecs, maps = dict(encoder.codecs), []
    for name, codec in encoder.codecs.items():
        if name in merged and isinstance(codec, LineCodec):
            codecs[name], mapping = merged_codec(codec, *merged[name])
        else:
            mapping = np.arange(codec.cardinality)
        maps.append(mapping)
    return TableEncoder(encoder.schema, codecs), maps
