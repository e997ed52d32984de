"""A synthetic table in shards: a folder of Parquet files, and the list of them with the SHA-256 of each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from synthclin.errors import DataError
from synthclin.io.documents import dump_json, read_json, validate
from synthclin.io.files import inside, sha256, write_atomic
from synthclin.io.version import VERSION
from synthclin.schema import Schema
from synthclin.schema.visit_times import numbered
from synthclin.tables.parquet_folder import parquet_files
from synthclin.tables.table_sources import read_table

__all__ = [
    "INDEX",
    "SHARDS",
    "Shard",
    "ShardIndex",
    "first_rows",
    "is_sharded",
    "read_shards",
    "shard_name",
    "write_index",
]

INDEX = "_shards.json"
"""The name of the list, which begins as readers of such folders expect of a file that is no part of the table. Its own
SHA-256 stands for the whole table."""

SHARDS = "part-*.parquet"
"""The names of the files."""

_MAX_BYTES = 1 << 26

Digest = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class Shard(BaseModel):
    """One file: its number of rows and the SHA-256 of its bytes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    rows: Annotated[int, Field(ge=0)]
    sha256: Digest


class ShardIndex(BaseModel):
    """The list of all files of a table in shards.

    Arguments:
        format: of this list.
        synthclin: the version that wrote it.
        rows: of all files.
        files: by name, in the order of the rows.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    format: Literal["synthclin shards 1"] = "synthclin shards 1"
    synthclin: str = VERSION
    rows: Annotated[int, Field(ge=0)]
    files: Annotated[dict[str, Shard], Field(min_length=1)]


def shard_name(number: int) -> str:
    """Return the name of a file, which sorts by its number.

    Example:
        >>> shard_name(7)
        'part-00007.parquet'
    """
    return f"part-{number:05d}.parquet"


def first_rows(folder: Path, patients: int, schema: Schema, *, judged: bool = False) -> pd.DataFrame:
    """Return the rows of the first patients of a table in shards: a random sample, because no row depends on its place.

    Arguments:
        folder: of the shards, one row or one patient with all visits after the other.
        patients: how many, or rows where no column identifies patients with visits.
        schema: what the columns mean.
        judged: also accept violations of the schema; see `synthclin.tables.read_table`.
    """
    parts: list[pd.DataFrame] = []
    for path in parquet_files(folder):
        rows = read_table(path, schema, judged=judged)
        who = np.arange(len(rows)) if schema.visit_time is None else numbered(rows[str(schema.entity)])
        parts.append(rows[who < patients])
        patients -= int(who.max()) + 1
        if patients <= 0:
            break
    return pd.concat(parts, ignore_index=True)


def write_index(folder: Path, shards: dict[str, Shard]) -> None:
    """Write the list of the files in a folder."""
    index = ShardIndex(rows=sum(shard.rows for shard in shards.values()), files=shards)
    write_atomic(folder / INDEX, dump_json(index.model_dump()))


def is_sharded(path: Path) -> bool:
    """Return whether a folder is a table in shards."""
    return path.is_dir() and (path / INDEX).is_file()


def read_shards(folder: Path) -> ShardIndex:
    """Return the list of the files of a table in shards, once each file is seen to be as it was written.

    Raises:
        DataError: the list is damaged, or a file is absent, changed or not in it.
    """
    place = inside(folder, INDEX, error=DataError)
    index = validate(ShardIndex, read_json(place, error=DataError, most=_MAX_BYTES), str(place))
    present = {path.relative_to(folder).as_posix() for path in parquet_files(folder)}
    for name in sorted(present - set(index.files)):
        raise DataError(str(folder / name), f"is not listed in {INDEX}", "Remove it, or sample the table again.")
    for name, shard in index.files.items():
        if name not in present or sha256(inside(folder, name, error=DataError)) != shard.sha256:
            what = f"is absent or was changed after {INDEX} was written"
            raise DataError(str(folder / name), what, "Copy the folder again, or sample the table again.")
    return index
