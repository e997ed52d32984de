"""The check that SQL for a database server is one SELECT; what a server allows is for its read-only transaction."""

from __future__ import annotations

import re
from itertools import pairwise

from synthclin.errors import ConfigError

__all__ = ["one_select"]

# Comments, texts, quoted names, dollar-quoted texts, and then what is left.
_TOKENS = (
    r"(?P<skip>--[^\n]*|/\*.*?\*/|{text}|`[^`]*`|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    r"|(?P<name>\"(?:[^\"]|\"\")*\")|(?P<end>;)|(?P<word>\w+)|(?P<sign>[^\s\w])"
)
# A backslash in a text is a sign, or escapes the next sign: by the database, its settings, and E before the text.
_READINGS = [re.compile(_TOKENS.format(text=text), re.DOTALL) for text in (r"'(?:[^']|'')*'", r"'(?:[^'\\]|\\.|'')*'")]
_FIRST = {"SELECT", "WITH", "VALUES", "TABLE"}
_WRITING = {"INSERT", "UPDATE", "DELETE", "MERGE", "INTO"}
# Functions that act outside of a transaction or of its tables: on files, servers, sessions and settings.
_ACTING = re.compile(
    r"(pg_(?!typeof|input_is_valid)|lo_|dblink|set_config|query_to_xml|table_to_xml|schema_to_xml|"
    r"database_to_xml|cursor_to_xml|load_extension|load_file|sys_exec|sys_eval|xp_|sp_|openrowset|utl_|dbms_)\w*",
    re.IGNORECASE,
)


def one_select(sql: str, where: str) -> str:
    """Return SQL without the semicolon at its end.

    Arguments:
        sql: the text, in any dialect.
        where: the database, for errors.

    Raises:
        ConfigError: it is not one SELECT, has a word of a statement that writes, or calls a function that acts on more
            than the tables.

    Example:
        >>> one_select("SELECT ';' AS mark FROM ward; -- all", "ward")
        "SELECT ';' AS mark FROM ward"
    """
    if "/*!" in sql or re.search(r"\bU&\"", sql, re.IGNORECASE):
        what = "the query has a comment that is run, or a name with escapes"
        raise ConfigError(where, what, "Write it plainly.")
    ends = [_end_of_select(sql, tokens, where) for tokens in _READINGS]
    return sql[: ends[0]]


def _end_of_select(sql: str, tokens: re.Pattern[str], where: str) -> int | None:
    """Return the place of the semicolon at the end of one SELECT, read in one way."""
    words: list[str] = []
    end: int | None = None
    for token in tokens.finditer(sql):
        if token["end"]:
            end = token.start() if end is None else end
        elif not token["skip"] or not sql.startswith(("--", "/*"), token.start()):
            if end is not None:
                raise ConfigError(where, "the query holds several statements", "Write one SELECT.")
            if not token["skip"]:
                words.append(token[0] if token["name"] else token[0].upper())
    first = next((word for word in words if word != "("), "")
    if first not in _FIRST:
        raise ConfigError(where, "the query is no SELECT", "Write one SELECT.")
    found = next((word for word in words if word in _WRITING), None)
    if found is not None:
        remedy = "Write one SELECT; put a column of this name into double quotes."
        raise ConfigError(where, f"the query writes: it has the word {found}", remedy)
    for word, after in pairwise(words):
        if after == "(" and _ACTING.fullmatch(word.strip('"')):
            what = f"the query calls {word.strip(chr(34)).lower()}, which acts on more than the tables"
            raise ConfigError(where, what, "Select from tables and views alone.")
    return end
