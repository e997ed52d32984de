"""Small real tables that ship with the package, each with its schema and its licence."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING

from synthclin.errors import ConfigError
from synthclin.schema import Schema
from synthclin.tables import read_table

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["describe", "file_of", "load", "names"]

FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """Return the names of the tables.

    Example:
        >>> names()
        ('actg175', 'heart_disease')
    """
    return tuple(sorted(path.stem for path in FOLDER.glob("*.csv")))


def file_of(name: str) -> Path:
    """Return the CSV file of a table.

    Raises:
        ConfigError: there is no table of this name.

    Example:
        >>> file_of("actg175").name
        'actg175.csv'
    """
    return _file(name, ".csv")


def load(name: str) -> tuple[pd.DataFrame, Schema]:
    """Return a table and its schema.

    Raises:
        ConfigError: there is no table of this name.

    Example:
        >>> table, schema = load("heart_disease")
        >>> table.shape, schema.columns["num"].role
        ((920, 15), 'outcome')
    """
    schema = Schema.read(_file(name, ".yaml"))
    return read_table(_file(name, ".csv"), schema), schema


def describe(name: str) -> str:
    """Return the description of a table and its columns, its licence, source and citation.

    Raises:
        ConfigError: there is no table of this name.

    Example:
        >>> print(describe("heart_disease").splitlines()[0])
        UCI Heart Disease: 920 patients who had a coronary angiogram at one of four hospitals.
    """
    path = _file(name, ".yaml")
    comments = (
        line.removeprefix("# ") for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")
    )
    columns = Schema.read(path).columns
    width = max(map(len, columns))
    meanings = [
        f"{column:<{width}}  {declared.type:<8}  {declared.meaning}" + (f" [{declared.unit}]" if declared.unit else "")
        for column, declared in columns.items()
    ]
    return "\n".join([*comments, "", *meanings, "", _file(name, ".LICENSE.md").read_text(encoding="utf-8").rstrip()])


def _file(name: str, ending: str) -> Path:
    """Return the path of a file of a table."""
    known = names()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        remedy = f"Did you mean '{close[0]}'?" if close else f"Use one of: {', '.join(known)}."
        raise ConfigError("dataset", f"there is no table named '{name}'", remedy)
    return FOLDER / f"{name}{ending}"
