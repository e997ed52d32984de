"""Addresses of databases, which stand where the name of a file can stand, and no password in them."""

from __future__ import annotations

import re
from pathlib import Path

from synthclin.errors import ConfigError
from synthclin.io.passwords import address_refused, holds_password

__all__ = ["DUCKDB", "ENVIRONMENT", "is_database", "refuse_address"]

DUCKDB = "duckdb:"
"""The beginning of the address of a DuckDB file, or of a folder that DuckDB queries."""
ENVIRONMENT = "env:"
"""The beginning of a source whose address is in an environment variable."""

_VARIABLE = re.compile(r"[A-Za-z_]\w*")


def is_database(source: str | Path) -> bool:
    """Return whether a source is a database, not a file.

    Example:
        >>> is_database("duckdb:///ward.db"), is_database("ward.csv")
        (True, False)
    """
    return str(source).startswith((DUCKDB, ENVIRONMENT))


def refuse_address(source: str | Path, where: str) -> None:
    """Refuse the address of a server in the place of a source, without repeating it: it may hold a password.

    Raises:
        ConfigError: it is one, or follows ``env:`` in the place of the name of a variable.

    Example:
        >>> refuse_address("postgresql://ward:secret@host/ward", "--train")
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: --train: the address of a database may hold a password, so it is not written ...
    """
    text = str(source)
    name = text.partition("?")[0].removeprefix(ENVIRONMENT)
    if text.startswith(ENVIRONMENT) and not _VARIABLE.fullmatch(name):
        what = f"what follows `{ENVIRONMENT}` is not the name of an environment variable"
        raise ConfigError(where, what, "Put the address into a variable, and write `env:DATABASE_URL` here.")
    if ("://" in text and not is_database(text)) or holds_password(text):
        raise address_refused(where)
