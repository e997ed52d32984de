"""CSV files compressed by gzip or Zstandard, unpacked block by block, with a limit against decompression bombs."""

from __future__ import annotations

import gzip
import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

import pyarrow as pa

from synthclin.errors import DataError
from synthclin.tables.csv_format import MAX_BYTES, MAX_RATIO, from_csv

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from synthclin.schema import Schema
    from synthclin.tables.file_notation import FileNotation

__all__ = ["PACKED", "from_packed_csv", "unpacked"]

PACKED = {".csv.gz": "gzip", ".csv.zst": "Zstandard"}
"""The kinds of compression, by the ending of a file."""

BLOCK = 1 << 24
"""Unpacked bytes of a block."""


def from_packed_csv(
    content: bytes, where: str, schema: Schema | None = None, notation: FileNotation | None = None, *, suffix: str
) -> pd.DataFrame:
    """Read compressed CSV text; see `synthclin.tables.csv_format.from_csv`. `suffix` is a key of `PACKED`."""
    return from_csv(b"".join(unpacked(io.BytesIO(content), len(content), suffix, where)), where, schema, notation)


def unpacked(file: BinaryIO, size: int, suffix: str, where: str, block: int = BLOCK) -> Iterator[bytes]:
    """Yield the bytes of a file, unpacked where it is compressed.

    Arguments:
        file: open for reading.
        size: its size in bytes.
        suffix: the ending of its name.
        where: its name, for errors.
        block: unpacked bytes of a block.

    Raises:
        DataError: the file is damaged or unpacks to far more than its size.
    """
    kind, stream, read = PACKED.get(suffix), file, 0
    try:
        if kind == "gzip":
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=file))
        elif kind is not None:
            stream = cast("BinaryIO", pa.CompressedInputStream(pa.PythonFile(file, "r"), "zstd"))
        while part := stream.read(block):
            read += len(part)
            if kind is not None and read > MAX_BYTES + MAX_RATIO * size:
                what = f"unpacks to more than {MAX_RATIO} times its size, as no table does"
                raise DataError(where, what, "If it is one all the same, unpack it yourself.")
            yield part
    except (OSError, EOFError, zlib.error, pa.ArrowException):
        if kind is None:
            raise DataError(where, "cannot be read to its end", "Copy it to a sound disk.") from None
        raise DataError(where, f"is not a whole {kind} file", "Copy it or compress it again.") from None
