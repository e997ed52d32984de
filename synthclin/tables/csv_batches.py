"""CSV files in batches of whole records, in bounded memory."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from synthclin.errors import DataError
from synthclin.tables.csv_format import (
    MAX_CELL,
    decoded,
    header,
    long_cell,
    other_encoding,
    refuse_no_rows,
    rows_of,
)
from synthclin.tables.file_notation import FileNotation
from synthclin.tables.packed_csv import unpacked

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

    from synthclin.schema import Schema

__all__ = ["csv_batches"]

BLOCK = 1 << 24
"""Bytes of a batch, about; a record that is longer makes it longer."""


def csv_batches(
    path: Path, suffix: str, schema: Schema | None = None, notation: FileNotation | None = None
) -> Iterator[tuple[pd.DataFrame, float]]:
    r"""Yield the rows of a CSV file in batches, and the share of the file that is read so far.

    The file is read as strictly as by `synthclin.tables.read_table`.

    Arguments:
        path: of the file.
        suffix: ``.csv``, ``.csv.gz`` or ``.csv.zst``.
        schema: as for `read_table`. Without one every cell stays as it is written: the type of a column shows in all
            batches together.
        notation: separator, decimal sign, encoding and date format, where they are not the usual ones.

    Raises:
        DataError: naming the line.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> path = Path(tempfile.mkdtemp()) / "toy.csv"
        >>> _ = path.write_text("sex,ldl\nF,3.1\nM,NA\n")
        >>> [(len(rows), share) for rows, share in csv_batches(path, ".csv")]
        [(2, 1.0)]
    """
    notation = FileNotation() if notation is None else notation
    where = str(path)
    names: list[str] | None = None
    line, rows = 1, 0
    plain = notation.model_copy(update={"encoding": None})
    try:
        file, size = path.open("rb"), max(path.stat().st_size, 1)
    except OSError as error:
        raise DataError(where, f"cannot be read ({error.strerror})", "Check the path and its permissions.") from None
    with file:
        blocks = unpacked(file, size, suffix, where, BLOCK)
        for block in _whole_records(_in_utf8(blocks, where, notation.encoding), where):
            body, first_line = decoded(block, where, plain, line), line
            line += block.count(b"\n")
            if names is None:
                names, body, first_line = header(body, where, notation.sign)
            table = rows_of(names, body, first_line, where, schema, plain, as_text=schema is None)
            rows += len(table)
            if len(table):
                yield table, file.tell() / size
    refuse_no_rows(rows, where)


def _in_utf8(blocks: Iterator[bytes], where: str, encoding: str | None) -> Iterator[bytes]:
    """Yield a text of the declared encoding as UTF-8, and of none as it is; without a byte-order mark."""
    first = True
    decoder = None if encoding is None else codecs.getincrementaldecoder(encoding)()
    try:
        for block in blocks:
            text = block if decoder is None else decoder.decode(block).encode()
            yield text.removeprefix(codecs.BOM_UTF8) if first else text
            first = first and not text
        if decoder is not None:
            yield decoder.decode(b"", final=True).encode()
    except (UnicodeError, ValueError):
        raise other_encoding(where, str(encoding)) from None


def _whole_records(blocks: Iterator[bytes], where: str) -> Iterator[bytes]:
    """Yield blocks that end where a record ends, at a line end outside of quotes; the last one ends with the file."""
    rest, line, end = b"", 1, b""
    for block in blocks:
        rest += block
        if not end and len(rest) > 1:
            end = b"\r" if b"\n" not in rest else b"\n"
        cut = _end_of_record(rest, end)
        if cut:
            if line == 1 and not rest[:cut].strip() and len(rest) < 2 * BLOCK:
                continue  # blank lines before the header
            yield rest[:cut]
            line += rest.count(b"\n", 0, cut)
            rest = rest[cut:]
        elif len(rest) > BLOCK + 4 * MAX_CELL:
            raise long_cell(f"{where}: line {line}")
    if rest or line == 1:
        yield rest


def _end_of_record(text: bytes, end: bytes) -> int:
    """Return the length of the whole records at the beginning of a text, 0 where there is none.

    A quote inside a cell is doubled, so that an even number of quotes precedes each end of a record.
    """
    place = text.rfind(end) if end else -1
    quotes = text.count(b'"', 0, place + 1)
    while place >= 0 and quotes % 2:
        before = text.rfind(end, 0, place)
        quotes -= text.count(b'"', before + 1, place + 1)
        place = before
    return place + 1
