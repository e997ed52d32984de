"""Paths of a study: its table, schema and privacy ledger, and the query of a database."""

from __future__ import annotations

import os
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from synthclin.errors import ConfigError
from synthclin.io.files import path_of
from synthclin.study.config.blocks import DATASET
from synthclin.tables import is_database, refuse_address
from synthclin.tables.addresses import DUCKDB, ENVIRONMENT
from synthclin.tables.database_queries import query_text
from synthclin.tables.duckdb_files import duckdb_path

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthclin.study.config.blocks import Config

__all__ = ["from_run", "name_of", "seen_from", "unrooted", "with_inputs_placed", "with_query"]


def with_inputs_placed(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return `raw` with its inputs relative to the current folder instead of the study's.

    These are the table or database, the file of a query, the schema and the privacy ledger.
    """
    placed, data, protect = dict(raw), raw.get("data"), raw.get("protect")
    if isinstance(raw.get("schema"), str):
        placed["schema"] = _placed(raw["schema"], folder)
    if isinstance(data, dict):
        placed["data"] = dict(data)
        if isinstance(data.get("source"), str):
            placed["data"]["source"] = _source_placed(data["source"], folder)
        if isinstance(data.get("query"), str) and _is_file(data["query"]):
            placed["data"]["query"] = _placed(data["query"], folder)
    dp = protect.get("dp") if isinstance(protect, dict) else None
    if isinstance(protect, dict) and isinstance(dp, dict) and isinstance(dp.get("ledger"), str):
        placed["protect"] = {**protect, "dp": {**dp, "ledger": _placed(dp["ledger"], folder)}}
    return placed


def with_query(raw: dict[str, Any], where: str) -> dict[str, Any]:
    """Return `raw` with the text of the query instead of its file, so that the study is self-contained.

    Raises:
        ConfigError: the source is the address of a server, or a file, which is read without a query.
        DataError: there is no such file.
    """
    data = raw.get("data")
    source = data.get("source") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(source, str):
        return raw
    refuse_address(source, f"{where}: data.source")
    asked = [key for key in ("query", "table") if isinstance(data.get(key), str)]
    if asked and not is_database(source):
        what = "a table file is read as a whole"
        raise ConfigError(f"{where}: data.{asked[0]}", what, "Remove it, or query the files of a folder: `duckdb:`.")
    if "query" in asked:
        return {**raw, "data": {**data, "query": query_text(data["query"])}}
    return raw


def from_run(config: Config) -> str:
    """Return the source as a path from the run folder, so that the file there can be run again."""
    source = config.data.source
    if source.startswith(DUCKDB):
        place, mark, asked = source.partition("?")
        path = duckdb_path(place)
        return _duckdb(unrooted(path) if _fixed(path, config) else _relative(path, config)) + mark + asked
    if config.data.dataset is not None or is_database(source) or _fixed(source, config):
        return unrooted(source)
    return _relative(source, config)


def seen_from(folder: Path, source: str, reading: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of `data` in a study of `folder` for a source that is named from the current folder.

    Arguments:
        folder: of the study.
        source: a file or database.
        reading: keyword arguments of `synthclin.read_table`.
    """

    def moved(path: str) -> str:
        if os.path.isabs(path) and source.startswith(DUCKDB):  # noqa: PTH117
            return path
        return Path(os.path.relpath(path_of(path).absolute(), folder.absolute())).as_posix()

    keys = dict(reading)
    if isinstance(keys.get("query"), str) and _is_file(keys["query"]):
        keys["query"] = moved(keys["query"])
    if source.startswith(DUCKDB):
        place, mark, asked = source.partition("?")
        return {"source": _duckdb(moved(duckdb_path(place))) + mark + asked, **keys}
    return {"source": source if is_database(source) else moved(source), **keys}


def name_of(source: str) -> str:
    """Return a name for a study of a source.

    Example:
        >>> name_of("data/ward.csv.gz"), name_of("duckdb:///ward.db?table=visits")
        ('ward', 'ward')
    """
    place = source.partition("?")[0] if is_database(source) else source
    path = duckdb_path(place) if place.startswith(DUCKDB) else place.removeprefix(ENVIRONMENT)
    return path_of(path).absolute().name.split(".")[0]


def unrooted(path: str) -> str:
    """Return the last part of an absolute path, which reveals the machine and its user, and any other as it is."""
    return PurePath(path).name if PurePath(path).is_absolute() else path


def _fixed(path: str, config: Config) -> bool:
    return os.path.isabs(path) or config.folder.is_absolute()  # noqa: PTH117


def _relative(path: str, config: Config) -> str:
    return Path(os.path.relpath(path, config.folder)).as_posix()


def _duckdb(path: str) -> str:
    return f"{DUCKDB}///{path}"


def _is_file(query: str) -> bool:
    return query.lower().endswith(".sql") and "\n" not in query


def _source_placed(source: str, folder: Path) -> str:
    """Return a source in a study of `folder` as one from the current folder."""
    if source.startswith(DUCKDB):
        place, mark, asked = source.partition("?")
        return _duckdb(_placed(duckdb_path(place), folder)) + mark + asked
    return source if source.startswith(DATASET) or is_database(source) or "://" in source else _placed(source, folder)


def _placed(path: str, folder: Path) -> str:
    """Return a path in a file of `folder` as one from the current folder, absolute where it lies outside of both."""
    if not path:
        return path
    # Lexical: a link to a table is still seen as a link.
    found = os.path.normpath(folder / path_of(path))
    here = os.getcwd()  # noqa: PTH109 - text, as the line before
    inside = os.path.isabs(found) and os.path.commonpath([found, here]) == here and not os.path.isabs(path)  # noqa: PTH117
    return Path(os.path.relpath(found, here) if inside else found).as_posix()
