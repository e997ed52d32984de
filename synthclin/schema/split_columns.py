"""Columns that hold two numbers, such as a blood pressure 120/80: read as two columns, and written as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from synthclin.expressions import quote_name
from synthclin.schema.constraints import Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from synthclin.schema.columns import Column

    Bools = NDArray[np.bool_]

__all__ = ["check_splits", "halves", "joined", "joined_names", "missing_together", "separated", "sources"]

_UNREAD = "no two numbers"


def sources(columns: Mapping[str, Column]) -> dict[str, tuple[str, str]]:
    """Return by name of each column with `split` the names of its two parts."""
    return {name: column.parts for name, column in columns.items() if column.parts is not None}


def check_splits(columns: Mapping[str, Column]) -> None:
    """Raise ValueError where a `split` does not name two numbers of the schema."""
    taken: set[str] = set()
    for name, parts in sources(columns).items():
        place = f"columns.{name}.split"
        for part in parts:
            column = columns.get(part)
            if column is None:
                raise ValueError(f"{place}: {part!r} is no column. Declare it, such as `{part}: {{type: integer}}`.")
            if not (column.is_numeric and column.modelled) or column.missing_codes:
                what = f"{part!r} is no modelled number without `missing_codes`"
                raise ValueError(f"{place}: {what}. Declare it `integer` or `number`.")
            if part in taken:
                raise ValueError(f"{place}: {part!r} is a part already. Give each part a name of its own.")
            taken.add(part)
        if columns[parts[0]].may_be_missing != columns[parts[1]].may_be_missing:
            what = "a cell is missing as a whole, and only one of its parts may be"
            raise ValueError(f"{place}: {what}. Declare `missing: allowed` for both.")


def missing_together(columns: Mapping[str, Column], name: str) -> Iterator[Rule]:
    """Yield the rules that both parts of a column are missing, or none."""
    parts = columns[name].parts
    if parts is None or not columns[parts[0]].may_be_missing:
        return
    first, second = map(quote_name, parts)
    for one, other in ((first, second), (second, first)):
        yield Rule(when=f"{one} is missing", then=f"{other} is missing", on_violation="keep")


def separated(table: pd.DataFrame, columns: Mapping[str, Column]) -> tuple[pd.DataFrame, dict[str, Bools]]:
    """Return a table with two columns in the place of each one with `split`, and which cells do not hold two numbers.

    A column with `split` that the table lacks, or whose parts it has, is left as it is. An unread cell is unread in
    both parts.

    Example:
        >>> from synthclin.schema.columns import Integer, Text
        >>> columns = {"bp": Text(split=("sbp", "dbp")), "sbp": Integer(), "dbp": Integer()}
        >>> table, unread = separated(pd.DataFrame({"bp": ["120/80", "95/ 60", None, "120/"]}), columns)
        >>> table["sbp"].tolist()[:3], table["dbp"].tolist()[:3], unread["bp"].tolist()
        (['120', '95', None], ['80', '60', None], [False, False, False, True])
    """
    found: dict[str, Bools] = {}
    for name, parts in sources(columns).items():
        if list(table.columns).count(name) != 1 or not set(parts).isdisjoint(table.columns):
            continue
        place = int(np.flatnonzero(table.columns == name)[0])
        texts = halves(table.iloc[:, place], columns[name].part_separator)
        found[name] = np.array([text == _UNREAD for text in texts[0]], dtype=np.bool_)
        two = pd.DataFrame(dict(zip(parts, texts, strict=True)), index=table.index, dtype=object)
        table = pd.concat([table.iloc[:, :place], two, table.iloc[:, place + 1 :]], axis=1)
    return table, found


def halves(series: pd.Series[Any], separator: str) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Return the (rows,) texts before and after the separator, None where missing; unreadable text for other cells."""
    pairs: list[tuple[str | None, str | None]] = []
    for cell, missing in zip(series.to_numpy(dtype=object), series.isna().to_numpy(), strict=True):
        if missing or (isinstance(cell, str) and not cell.strip()):
            pairs.append((None, None))
            continue
        two = [part.strip() for part in cell.split(separator.strip() or " ")] if isinstance(cell, str) else []
        pairs.append((two[0], two[1]) if len(two) == 2 and all(two) else (_UNREAD, _UNREAD))
    first, second = zip(*pairs, strict=True) if pairs else ((), ())
    return np.array(first, dtype=object), np.array(second, dtype=object)


def joined(texts: Mapping[str, NDArray[np.object_]], columns: Mapping[str, Column]) -> dict[str, NDArray[np.object_]]:
    """Return the (rows,) texts of the columns of a file, with one column in the place of two parts.

    Example:
        >>> from synthclin.schema.columns import Integer, Text
        >>> columns = {"bp": Text(split=("sbp", "dbp")), "sbp": Integer(), "dbp": Integer()}
        >>> parts = {"sbp": np.array(["120", None]), "dbp": np.array(["80", None])}
        >>> {name: cells.tolist() for name, cells in joined(parts, columns).items()}
        {'bp': ['120/80', None]}
    """
    whole: dict[str, NDArray[np.object_]] = {}
    for name in joined_names(texts, columns):
        if name in texts:
            whole[name] = texts[name]
            continue
        first, second = columns[name].parts or ("", "")
        sign = columns[name].part_separator
        whole[name] = np.array(
            [
                None if one is None and other is None else f"{one or ''}{sign}{other or ''}"
                for one, other in zip(texts[first], texts[second], strict=True)
            ],
            dtype=object,
        )
    return whole


def joined_names(names: Iterable[str], columns: Mapping[str, Column]) -> list[str]:
    """Return the names of the columns of a file, with one column in the place of the first of two parts."""
    found = list(names)
    for name, (first, second) in sources(columns).items():
        if name not in found and {first, second} <= set(found):
            found[found.index(first)] = name
            found.remove(second)
    return found
