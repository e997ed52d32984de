"""Type checks of tables and schemas that are passed as arguments."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike

import numpy as np
import pandas as pd

from synthclin.errors import ConfigError
from synthclin.schema.schema import Schema

__all__ = ["require_schema", "require_table"]


def require_table(value: object, where: str = "table") -> None:
    """Raise ConfigError if an argument is no pandas DataFrame, with the way to make one.

    Example:
        >>> require_table("ward.csv")
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: table: this is a path, not a DataFrame. Read it first: sc.read_table(path).
    """
    if not isinstance(value, pd.DataFrame):
        what, remedy = _kind(value), "Make one of it: pd.DataFrame(...)."
        if isinstance(value, str | PathLike):
            remedy = "Read it first: sc.read_table(path)."
        elif isinstance(value, np.ndarray):
            remedy = "Name its columns: pd.DataFrame(array, columns=[...])."
        elif isinstance(value, pd.Series):
            remedy = "Write series.to_frame()."
        elif isinstance(value, Schema):
            remedy = "Give the table first and the schema second."
        raise ConfigError(where, f"this is {what}, not a DataFrame", remedy)


def require_schema(value: object, where: str = "schema") -> None:
    """Raise ConfigError if an argument is no `Schema`, with the way to make one.

    Example:
        >>> require_schema("ward.yaml")
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: schema: this is a path, not a Schema. Read it first: sc.Schema.read(path).
    """
    if not isinstance(value, Schema):
        remedy = "Write one to a file and read it: sc.Schema.read(path)."
        if isinstance(value, str | PathLike):
            remedy = "Read it first: sc.Schema.read(path)."
        elif isinstance(value, Mapping):
            remedy = "Make one of it: sc.Schema.model_validate(...)."
        elif isinstance(value, pd.DataFrame):
            remedy = "Infer one from it: sc.Schema.infer(table)."
        raise ConfigError(where, f"this is {_kind(value)}, not a Schema", remedy)


def _kind(value: object) -> str:
    """Return the kind of a value in words; never the value."""
    if isinstance(value, str | PathLike):
        return "a path"
    if value is None:
        return "None"
    name = {np.ndarray: "array", pd.DataFrame: "DataFrame", pd.Series: "Series"}.get(type(value), type(value).__name__)
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"
