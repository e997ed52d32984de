"""The check that SQL for a database server is one SELECT; what a server allows is for its read-only transaction."""

from __future__ import annotations

import re

from synthclin.errors import ConfigError

__all__ = ["one_select"]

# Comments, texts, quoted names, dollar-quoted texts, and then what is left.
_TOKENS = re.compile(
    r"(?P<skip>--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    r"|(?P<end>;)|(?P<word>\w+)|(?P<sign>[^\s\w])",
    re.DOTALL,
)
_FIRST = {"SELECT", "WITH", "VALUES", "TABLE"}
_WRITING = {"INSERT", "UPDATE", "DELETE", "MERGE", "INTO"}


def one_select(sql: str, where: str) -> str:
    """Return SQL without the semicolon at its end.

    Arguments:
        sql: the text, in any dialect.
        where: the database, for errors.

    Raises:
        ConfigError: it is not one SELECT, or has a word of a statement that writes.

    Example:
        >>> one_select("SELECT ';' AS mark FROM ward; -- all", "ward")
        "SELECT ';' AS mark FROM ward"
    """
    words: list[str] = []
    end: int | None = None
    for token in _TOKENS.finditer(sql):
        if token["end"]:
            end = token.start() if end is None else end
        elif token["word"] or token["sign"] or not sql.startswith(("--", "/*"), token.start()):
            if end is not None:
                raise ConfigError(where, "the query holds several statements", "Write one SELECT.")
            if token["word"] or token["sign"]:
                words.append(token[0].upper())
    first = next((word for word in words if word != "("), "")
    if first not in _FIRST:
        raise ConfigError(where, "the query is no SELECT", "Write one SELECT.")
    found = next((word for word in words if word in _WRITING), None)
    if found is not None:
        remedy = "Write one SELECT; put a column of this name into double quotes."
        raise ConfigError(where, f"the query writes: it has the word {found}", remedy)
    return sql[:end]
