"""Strict CSV reading and writing: malformed input is refused with its line number, never repaired."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from synthclin.errors import DataError
from synthclin.schema.split_columns import joined
from synthclin.tables.arrow_columns import refuse_wide
from synthclin.tables.file_notation import FileNotation
from synthclin.tables.missing_codes import missing_codes, names_in_file
from synthclin.tables.spreadsheet_formulas import escaped, unescaped

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from numpy.typing import NDArray

    from synthclin.schema import Schema
    from synthclin.schema.columns import Column
    from synthclin.tables.spreadsheet_formulas import CsvSafe

__all__ = [
    "MAX_BYTES",
    "MAX_CELL",
    "MAX_RATIO",
    "cell_texts",
    "decoded",
    "from_csv",
    "header",
    "line_ends",
    "long_cell",
    "other_encoding",
    "refuse_no_rows",
    "rows_of",
    "to_csv",
    "to_csv_gz",
    "typed_cells",
]

MISSING = ("", "NA", "N/A", "NaN", "nan", "NULL", "null")
# No plus sign, no leading zeros and at most 18 digits: other digits are identifiers, not numbers.
INTEGER = r"^-?(0|[1-9][0-9]{0,17})$"
NUMBER = r"^-?((0|[1-9][0-9]{0,17})(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?$|^-?[iI][nN][fF]([iI][nN][iI][tT][yY])?$"
BLOCK_BYTES = 1 << 24
MAX_CELL = 1 << 17  # characters; the limit of Python's csv module
MAX_BYTES, MAX_RATIO = 1 << 26, 200  # bytes, and the ratio to the packed size: limits against decompression bombs


def from_csv(
    content: bytes, where: str, schema: Schema | None = None, notation: FileNotation | None = None
) -> pd.DataFrame:
    r"""Read CSV text; see `synthclin.tables.read_table`.

    Arguments:
        content: the bytes of the file, UTF-8 with or without a byte-order mark unless `notation` has another encoding.
        where: the file's name, for errors.
        schema: keeps ids, codes, dates and texts as they are written, and levels such as ``NA`` apart from missing.
        notation: separator, decimal sign, encoding and date format, where they are not the usual ones.

    Returns:
        one column per name of the header: Int64, float64, or object holding str and None.

    Raises:
        DataError: naming the line.

    Example:
        >>> from_csv(b"sex,ldl\nF,3.1\nM,NA\n", "toy.csv")["ldl"].tolist()
        [3.1, nan]
    """
    notation = FileNotation() if notation is None else notation
    text = decoded(content.removeprefix(codecs.BOM_UTF8), where, notation)
    names, body, first_line = header(text, where, notation.sign)
    table = rows_of(names, body, first_line, where, schema, notation)
    refuse_no_rows(len(table), where)
    return table


def to_csv(table: pd.DataFrame, schema: Schema, csv_safe: CsvSafe = "warn") -> bytes:
    r"""Return a typed table as CSV text in UTF-8; see `synthclin.tables.write_table`.

    Example:
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"ldl": {"type": "number", "decimals": 2}}})
        >>> to_csv(pd.DataFrame({"ldl": [3.1, 2.756]}), schema)
        b'ldl\n3.1\n2.76\n'
    """
    safe = escaped if csv_safe == "escape" else str
    codes = missing_codes(table, schema)
    texts = {name: cell_texts(table[name], schema.columns.get(name), safe) for name in names_in_file(table, schema)}
    for name, coded in codes.items():
        texts[name] = np.where(coded.isna(), texts[name], coded.map(str))
    written = pd.DataFrame(joined(texts, schema.columns)).rename(columns=safe)
    for name in map(str, written):
        if any("\0" in text for text in written[name].unique() if isinstance(text, str)):
            what = "holds a zero byte, which no CSV file has"
            raise DataError(f"column {name!r}", what, "Recode it, or write Parquet.")
    returns = any("\r" in text for name in written for text in (str(name), *written[name].dropna().unique()))
    # A return inside a cell is quoted only where lines end by one.
    return written.to_csv(index=False, lineterminator="\r\n" if returns else "\n").encode()


def to_csv_gz(table: pd.DataFrame, schema: Schema, csv_safe: CsvSafe = "warn") -> bytes:
    """Return a typed table as CSV text compressed by gzip, without a time; see `to_csv`."""
    return gzip.compress(to_csv(table, schema, csv_safe), mtime=0)


def rows_of(
    names: list[str],
    body: str,
    first_line: int,
    where: str,
    schema: Schema | None,
    notation: FileNotation,
    *,
    as_text: bool = False,
) -> pd.DataFrame:
    """Return the rows of whole lines of CSV text, none for an empty text.

    Arguments:
        names: of the columns, from the header.
        body: the lines.
        first_line: the number of the first of them in the file, for errors.
        where: the file's name, for errors.
        schema: as for `from_csv`.
        notation: of the file.
        as_text: keep every cell as it is written.

    Raises:
        DataError: naming the line.
    """
    columns = _columns(names, body, first_line, where, notation.sign)
    if as_text:
        return pd.DataFrame({name: cells.to_numpy(zero_copy_only=False) for name, cells in columns.items()})
    declared = {} if schema is None else schema.columns
    names = [_declared_spelling(name, declared) for name in names]
    cells = zip(names, columns.values(), strict=True)
    return pd.DataFrame(
        {name: typed_cells(column, declared.get(name), notation) for name, column in cells}, columns=names
    )


def line_ends(text: bytes) -> int:
    """Return how many lines of a text have ended, each by a line feed, a return, or both."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def refuse_no_rows(rows: int, where: str) -> None:
    """Raise DataError for a file without rows."""
    if not rows:
        raise DataError(where, "has a line of column names and no rows", "Give a table with at least two rows.")


def _refuse_long_cells(content: bytes, where: str, separator: str, first_line: int) -> None:
    """Refuse a stretch without separator or line end that is longer than a cell may be; one look at each length."""
    start, most = 0, 4 * MAX_CELL  # a character has at most four bytes
    while start + most < len(content):
        end = max(content.rfind(mark, start, start + most) for mark in (separator.encode(), b"\n", b"\r"))
        if end < 0:
            raise long_cell(f"{where}: line {line_ends(content[:start]) + first_line}")
        start = end + 1


def long_cell(place: str) -> DataError:
    """Return the error for a cell that is longer than a cell may be."""
    what = f"a cell holds more than {MAX_CELL:,} characters"
    return DataError(place, what, "Shorten it, leave the column out, or check the separators and line ends.")


def _refused(error: csv.Error, place: str) -> DataError:
    """Return the error for a record that the csv module cannot read."""
    if "field limit" in str(error):
        return long_cell(place)
    what = "holds a quote that is not closed, or not followed by a comma"
    return DataError(place, what, 'Close it, or double it ("") inside a cell.')


def decoded(content: bytes, where: str, notation: FileNotation, first_line: int = 1) -> str:
    """Return the text of a file, or of a part of it from a line on: UTF-8 unless another encoding is declared.

    Raises:
        DataError: it is empty, of another encoding, or has an overlong cell.
    """
    _refuse_long_cells(content, where, notation.sign, first_line)
    if not content.strip() and first_line == 1:
        raise DataError(where, "is empty", "Give a table with column names and at least two rows.")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and notation.encoding is None:
        raise DataError(where, "is UTF-16 text", "Declare `encoding: utf-16`, or save it as UTF-8.")
    try:
        text = content.decode(notation.encoding or "utf-8")
    except UnicodeDecodeError as error:
        if notation.encoding is not None:
            raise other_encoding(where, notation.encoding) from None
        before = content[: error.start]
        place = error.start - max(before.rfind(b"\n"), before.rfind(b"\r"))
        remedy = "Declare its encoding, such as `encoding: cp1252` (`--encoding cp1252`), or save it as UTF-8."
        what = f"byte {place} of the line is not UTF-8"
        raise DataError(f"{where}: line {line_ends(before) + first_line}", what, remedy) from None
    except ValueError:
        raise other_encoding(where, str(notation.encoding)) from None
    if (zero := text.find("\0")) >= 0:
        line = line_ends(text[:zero].encode(errors="replace")) + first_line
        raise DataError(
            f"{where}: line {line}", "holds a zero byte, so the file is no CSV text", "Save it as UTF-8 CSV."
        )
    return text if notation.encoding is None else text.removeprefix("\ufeff")


def other_encoding(where: str, encoding: str) -> DataError:
    """Return the error for a file that is not written in the declared encoding."""
    return DataError(where, f"is not written in {encoding}", "Declare another `encoding`.")


def header(text: str, where: str, separator: str) -> tuple[list[str], str, int]:
    """Return the column names, the text after them, and the number of its first line.

    Raises:
        DataError: the first line does not name the columns, each by a name of its own.
    """
    stream = io.StringIO(text, newline="")
    records = csv.reader(stream, strict=True, delimiter=separator)
    try:
        names = next(records)
        while not names:
            names = next(records)
    except csv.Error as error:
        raise _refused(error, f"{where}: line {records.line_num}") from None
    place = f"{where}: line {records.line_num}"
    refuse_wide(len(names), place)
    if sum(_is_number(name) for name in names) > len(names) / 2:
        raise DataError(place, "holds numbers instead of column names", "Put the names into the first line.")
    for number, name in enumerate(names, start=1):
        if not name.strip():
            what = f"column {number} has no name"
            raise DataError(place, what, "Name it, or write the file without its row numbers.")
        if name != name.strip():
            raise DataError(place, f"the name of column {number} begins or ends with a space", "Remove the space.")
        if names.index(name) != number - 1:
            # Without a header line this would be a cell of a patient: the message has positions, not names.
            what = f"columns {names.index(name) + 1} and {number} have the same name"
            raise DataError(place, what, "Give each column a name of its own, in the first line.")
    if len(names) == 1 and (other := next((mark for mark in ",;\t|" if mark in names[0]), None)):
        kind, sign = {",": ("commas", ","), ";": ("semicolons", ";"), "\t": ("tabs", "tab"), "|": ("bars", "|")}[other]
        remedy = f"Declare `separator: '{sign}'` (`--separator '{sign}'`), or separate them by commas."
        raise DataError(place, f"the cells seem to be separated by {kind}", remedy)
    return names, text[stream.tell() :], records.line_num + 1


def _is_number(text: str) -> bool:
    """Whether a text is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _columns(names: list[str], body: str, first_line: int, where: str, separator: str) -> dict[str, pa.Array]:
    """Return the cells of each column as Arrow strings."""
    quoted = '"' in body
    if quoted:
        # Arrow accepts a quote that is never closed.
        _check_records(body, len(names), first_line, where, separator)
    if not body.strip("\r\n"):
        return {name: pa.array([], pa.string()) for name in names}
    # Arrow drops a byte-order mark at the beginning, which here may be that of the first cell.
    encoded = codecs.BOM_UTF8 + body.encode()
    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(encoded),
            # Threads that still parse after an error can abort the process at its end.
            read_options=arrow_csv.ReadOptions(column_names=names, block_size=BLOCK_BYTES, use_threads=False),
            parse_options=arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=quoted),
            convert_options=arrow_csv.ConvertOptions(
                column_types={name: pa.string() for name in names}, strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid:
        # Arrow's message quotes the line.
        _check_records(body, len(names), first_line, where, separator)
        raise DataError(where, "cannot be read as CSV", "Write it again, cells separated by commas.") from None
    columns = {name: table[name].combine_chunks() for name in names}
    if any(pc.max(pc.utf8_length(cells)).as_py() > MAX_CELL for cells in columns.values()):
        _check_records(body, len(names), first_line, where, separator)  # it names the line
    return columns


def _check_records(body: str, width: int, first_line: int, where: str, separator: str) -> None:
    """Refuse ragged rows and open quotes, naming the line; slower than Arrow."""
    records = csv.reader(io.StringIO(body, newline=""), strict=True, delimiter=separator)
    start = first_line
    try:
        for record in records:
            if record and len(record) != width:
                what = f"has {len(record)} cells where the first line has {width}"
                raise DataError(
                    f"{where}: line {start}", what, "Quote cells that hold the separator; fill up short lines."
                )
            start = first_line + records.line_num
    except csv.Error as error:
        raise _refused(error, f"{where}: line {start}") from None


def typed_cells(cells: pa.Array, column: Column | None, notation: FileNotation) -> pd.Series:
    """Return the cells of one column as whole numbers, else as numbers, else as text."""
    encoded = cells.dictionary_encode()
    levels = _named(column)
    texts = encoded.dictionary
    if levels:
        texts = pa.array([_declared_spelling(text, levels) for text in texts.to_pylist()], pa.string())
    codes = encoded.indices.to_numpy()
    trimmed = pc.utf8_trim_whitespace(texts)
    missing = pc.is_in(trimmed, pa.array([token for token in MISSING if token not in levels], pa.string()))
    blank = [level for level in levels if isinstance(level, str) and not level.strip()]
    missing = pc.and_(missing, pc.invert(pc.is_in(texts, pa.array(blank, pa.string()))))
    present = trimmed.filter(pc.invert(missing))
    absent = missing.to_numpy(zero_copy_only=False)
    if len(present) and not (column is not None and column.is_written_as_text):
        if notation.decimal == ",":
            present, trimmed = map(_with_points, (present, trimmed))
        for pattern, kind in ((INTEGER, pa.int64()), (NUMBER, pa.float64())):
            if pc.all(pc.match_substring_regex(present, pattern)).as_py():
                numbers = pc.if_else(missing, "0", trimmed).cast(kind).to_numpy()[codes]
                gone = absent[codes]
                whole = kind == pa.int64()
                return pd.Series(pd.arrays.IntegerArray(numbers, gone) if whole else np.where(gone, np.nan, numbers))
        if column is not None:
            # Cell by cell: how one is read must not depend on other rows.
            spelled = pc.match_substring_regex(pc.utf8_trim_whitespace(texts), NUMBER)
            numeric = pc.match_substring_regex(trimmed, NUMBER)
            values = pc.if_else(spelled, trimmed, texts).to_numpy(zero_copy_only=False)
            values[numeric.to_numpy(zero_copy_only=False)] = trimmed.filter(numeric).cast(pa.float64()).to_numpy()
            return pd.Series(np.where(absent, None, values)[codes], dtype=object)
    values = texts.to_numpy(zero_copy_only=False)
    if notation.date_format is not None and (column is None or column.resolution is not None):
        values = _dates(values, absent, notation, every=column is None)
    return pd.Series(np.where(absent, None, values)[codes], dtype=object)


def _with_points(texts: pa.Array) -> pa.Array:
    """Return texts with points for commas, and commas for points, which no number has."""
    return pc.replace_substring(pc.replace_substring(pc.replace_substring(texts, ".", "\x00"), ",", "."), "\x00", ",")


def _dates(
    texts: NDArray[np.object_], absent: NDArray[np.bool_], notation: FileNotation, *, every: bool
) -> NDArray[np.object_]:
    """Return distinct cells with dates as ISO 8601 text; with `every`, only where each present cell is a date."""
    found = np.array([*notation.iso(texts.tolist()), None], dtype=object)[:-1]
    dated = np.array([text is not None for text in found], dtype=bool)
    if every and not (dated | absent).all():
        return texts
    return np.where(dated, found, texts)


def _named(column: Column | None) -> Sequence[object]:
    """Return the levels and missing codes of a column."""
    return [] if column is None else [*(column.levels or ()), *column.other_spellings, *column.missing_codes]


def _declared_spelling(text: str, known: Container[object]) -> str:
    """Return an escaped text in its declared spelling, and any other text unchanged."""
    return plain if text not in known and (plain := unescaped(text)) in known else text


def cell_texts(series: pd.Series, column: Column | None, safe: Callable[[str], str] = str) -> NDArray[np.object_]:
    """Return a column's cells as texts, None where missing; each distinct cell is written once."""
    if column is not None and (notated := column.notation(series)) is not None:
        return np.array([None if text is None else safe(text) for text in notated], dtype=object)
    decimals = None if column is None or column.is_integer else column.decimal_places
    if pd.api.types.is_float_dtype(series.dtype):
        series = (series if decimals is None else series.round(decimals)) + 0.0  # no -0.0
    codes, distinct = pd.factorize(series)
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        unit = "datetime64[D]" if column is not None and column.resolution == "D" else "datetime64[s]"
        texts = np.datetime_as_string(distinct.to_numpy(dtype=unit)).tolist()
    elif decimals is not None:
        texts = [_trimmed(f"{number:.{decimals}f}") for number in distinct.tolist()]
    elif pd.api.types.is_numeric_dtype(series.dtype):
        texts = [_trimmed(str(cell)) for cell in distinct.tolist()]
    else:
        texts = [safe(str(cell)) for cell in distinct.tolist()]
    return np.array([*texts, None], dtype=object)[codes]


def _trimmed(text: str) -> str:
    """Return the text of a number without trailing zeros after the decimal point."""
    return text.rstrip("0").rstrip(".") if "." in text and "e" not in text else text
