"""Passwords in addresses of servers, which no message and no file repeats."""

from __future__ import annotations

import re

from synthclin.errors import ConfigError

__all__ = ["address_refused", "holds_password"]

_PASSWORD = re.compile(r"\w:/+[^/?\s]*:[^/?\s]*@")


def holds_password(text: str) -> bool:
    """Return whether a text has an address with a password.

    Example:
        >>> holds_password("data.source=postgresql://ward:secret@host/ward"), holds_password("duckdb:////data/a@b.db")
        (True, False)
    """
    return _PASSWORD.search(text) is not None


def address_refused(where: str) -> ConfigError:
    """Return the error for the address of a server, which does not repeat it."""
    what = "the address of a database may hold a password, so it is not written here"
    return ConfigError(where, what, "Put it into an environment variable, and write `env:DATABASE_URL` here.")
