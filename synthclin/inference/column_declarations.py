"""Columns declared on the command line, before the others are guessed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.errors import ConfigError
from synthclin.io.documents import validate
from synthclin.schema import Schema

if TYPE_CHECKING:
    from collections.abc import Iterable

    from synthclin.schema.columns import AnyColumn

__all__ = ["declared_columns"]


def declared_columns(texts: Iterable[str]) -> dict[str, AnyColumn]:
    """Return the columns declared by texts such as ``diary=text``, by name.

    Raises:
        ConfigError: a text is not COLUMN=TYPE, or there is no such type.

    Example:
        >>> declared_columns(["diary=text"])["diary"].type
        'text'
    """
    columns = {}
    for text in texts:
        name, equals, kind = text.rpartition("=")
        if not equals or not name:
            raise ConfigError(f"--declare {text}", "is not COLUMN=TYPE", "Write it as `--declare diary=text`.")
        columns[name] = {"type": kind.strip()}
    return dict(validate(Schema, {"columns": columns}, "--declare").columns) if columns else {}
