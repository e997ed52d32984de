"""DuckDB database files: their addresses, the library without network and extensions, and the check of a file."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from synthclin.errors import ConfigError, DataError
from synthclin.tables.addresses import DUCKDB

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LOCKED", "OFFLINE", "duckdb_library", "duckdb_path", "refuse_other_file"]

_MAGIC = slice(8, 12), b"DUCK"
# No extension is downloaded or loaded, nothing is spilled to a disk, and no variable of the program is a table.
OFFLINE = {
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_community_extensions": "false",
    "allow_persistent_secrets": "false",
    "python_enable_replacements": "false",
    "temp_directory": "",
}
"""Settings of every connection."""
LOCKED = {"enable_external_access": "false", "lock_configuration": "true"}
"""Settings of a connection that reads and writes no other file; they cannot be changed again."""


def duckdb_path(place: str) -> str:
    """Return the path in a source, relative after three slashes and absolute after four; a point for none.

    Raises:
        ConfigError: the source is written in another way.

    Example:
        >>> duckdb_path("duckdb:///ward.db"), duckdb_path("duckdb:////data/ward.db"), duckdb_path("duckdb:")
        ('ward.db', '/data/ward.db', '.')
    """
    rest = place.removeprefix(DUCKDB)
    if rest in {"", "//", "///", "///:memory:"}:
        return "."
    if not rest.startswith("///"):
        what, remedy = "a source of DuckDB has three slashes", "Write duckdb:///ward.db, or duckdb:////data/ward.db."
        raise ConfigError(DUCKDB, what, remedy)  # the rest may hold a password
    return rest[3:]


def duckdb_library(place: str) -> Any:  # noqa: ANN401 (duckdb is optional, and so are its types)
    """Return duckdb.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        return importlib.import_module("duckdb")
    except ImportError:
        remedy = 'Install it: pip install -c constraints.txt ".[duckdb]"'
        raise ConfigError(
            place, "files are queried, and DuckDB databases read and written, by duckdb, which is absent", remedy
        ) from None


def refuse_other_file(path: Path, place: str) -> None:
    """Refuse a file that is no DuckDB database.

    Raises:
        DataError: it is none, or cannot be read.
    """
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise DataError(place, f"cannot be read ({error.strerror})", "Check the path and its permissions.") from None
    if head[_MAGIC[0]] != _MAGIC[1]:
        remedy = f"Name a file that DuckDB wrote; a table file is queried by its folder, `duckdb:///{path.parent.as_posix()}`."
        raise DataError(place, "is no DuckDB database", remedy)
