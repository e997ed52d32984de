"""CSV files in batches of whole records, in bounded memory."""

from __future__ import annotations

import codecs
import re
from itertools import chain
from typing import TYPE_CHECKING

from synthclin.errors import DataError
from synthclin.tables.csv_format import (
    MAX_CELL,
    decoded,
    header,
    line_ends,
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
        for block in _whole_records(_in_utf8(blocks, where, notation.encoding), where, notation.sign):
            body, first_line = decoded(block, where, plain, line), line
            line += line_ends(block)
            if names is None:
                names, body, first_line = header(body, where, notation.sign)
            table = rows_of(names, body, first_line, where, schema, plain, as_text=schema is None)
            rows += len(table)
            if len(table):
                yield table, file.tell() / size
    refuse_no_rows(rows, where)


def _in_utf8(blocks: Iterator[bytes], where: str, encoding: str | None) -> Iterator[bytes]:
    """Yield a text of the declared encoding as UTF-8, and of none as it is; without a byte-order mark."""
    decoder = None if encoding is None else codecs.getincrementaldecoder(encoding)()
    begin: bytes | None = b""  # of the text, shorter than a byte-order mark
    try:
        for block in chain(blocks, [b""]):
            text = block if decoder is None else decoder.decode(block, final=not block).encode()
            if begin is not None and (block and len(begin + text) < len(codecs.BOM_UTF8)):
                begin += text
                continue
            yield text if begin is None else (begin + text).removeprefix(codecs.BOM_UTF8)
            begin = None
    except (UnicodeError, ValueError):
        raise other_encoding(where, str(encoding)) from None


def _whole_records(blocks: Iterator[bytes], where: str, separator: str) -> Iterator[bytes]:
    """Yield blocks that end where a record ends, at a line end outside of quotes; the last one ends with the file."""
    records = _records(separator)
    rest, line, begun = b"", 1, False
    for block in blocks:
        rest += block
        cut = _end_of_records(rest, records)
        blank = not begun and not rest[:cut].strip()  # lines before the header
        if cut and not blank:
            yield rest[:cut]
            begun = True
            line += line_ends(rest[:cut])
            rest = rest[cut:]
        elif len(rest) > BLOCK + 4 * MAX_CELL:
            raise long_cell(f"{where}: line {line}")
    if rest or not begun:
        yield rest


def _records(separator: str) -> re.Pattern[bytes]:
    """Return the pattern of whole records: a quote that begins a cell quotes it, and any other one is a sign of it."""
    sign = re.escape(separator).encode()
    rest = b"[^" + sign + rb"\r\n]*+"
    cell = b'(?:"(?:[^"]++|"")*+"' + rest + b'|(?!")' + rest + b")"
    # A return at the end of a block may be half of a line end.
    return re.compile(b"(?:(?:" + cell + sign + b")*+" + cell + rb"(?:\r(?!\Z)\n?+|\n))*+")


def _end_of_records(text: bytes, records: re.Pattern[bytes]) -> int:
    """Return the length of the whole records at the beginning of a text, 0 where there is none."""
    if b'"' not in text:
        return max(text.rfind(b"\n"), text.rfind(b"\r", 0, -1)) + 1
    found = records.match(text)
    return 0 if found is None else found.end()
