"""Columns that another column determines by the schema alone, such as the rank of an education by its name.

A rule that lists combinations of two columns makes one a function of the other where each level of that one is listed
once. Differential privacy then measures one of the two and computes the other: noise on both would only break the rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.encoding.level_codec import LevelsCodec
from synthclin.schema.combinations import Combinations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from synthclin.encoding.codecs import Codec
    from synthclin.schema import Schema
    from synthclin.schema.columns import Level

    Ints = NDArray[np.int64]

__all__ = ["determined_columns"]


def determined_columns(schema: Schema, codecs: Mapping[str, Codec]) -> dict[str, tuple[str, Ints]]:
    """Return by determined column the column that determines it, and the (codes,) code that follows from each code.

    The column that determines has levels, and is determined by none itself.

    Example:
        >>> from synthclin.encoding.declared import declared_codec
        >>> columns = {"school": {"type": "category", "categories": ["BSc", "PhD"]}, "rank": {"type": "integer",
        ...            "range": [1, 2]}}
        >>> rule = {"columns": ["rank", "school"], "combinations": [[1, "BSc"], [2, "PhD"]]}
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": columns, "constraints": [rule]})
        >>> found = determined_columns(schema, {name: declared_codec(schema.columns[name]) for name in columns})
        >>> {name: (source, codes.tolist()) for name, (source, codes) in found.items()}
        {'rank': ('school', [0, 1])}
    """
    found: dict[str, tuple[str, Ints]] = {}
    for rule in schema.constraints:
        if not isinstance(rule, Combinations) or rule.combinations == "observed" or len(rule.columns) != 2:
            continue
        for source, target in (rule.columns, rule.columns[::-1]):
            place = rule.columns.index(source)
            listed = [(one[place], one[1 - place]) for one in rule.combinations]
            if {source, target} & found.keys() or target in {known for known, _ in found.values()}:
                continue
            codes = _codes(codecs.get(source), codecs.get(target), listed)
            if codes is not None:
                found[target] = (source, codes)
                break
    return found


def _codes(source: Codec | None, target: Codec | None, listed: list[tuple[Level | None, Level | None]]) -> Ints | None:
    """Return the code of the target that follows from each code of the source; None where it does not follow."""
    if not isinstance(source, LevelsCodec) or target is None or len(listed) != source.cardinality:
        return None
    given, following = (
        codec.column.coerce(pd.Series([one[side] for one in listed], dtype=object))[0]
        for side, codec in enumerate((source, target))
    )
    given_codes, codes = source.encode(given)[0], target.encode(following)[0]
    if not np.array_equal(np.sort(given_codes), np.arange(source.cardinality)):
        return None
    # A code of several values does not decode to the one that is listed.
    if not target.decode(codes, np.full(len(codes), 0.5, dtype=np.float32)).equals(following):
        return None
    return codes[np.argsort(given_codes)]
