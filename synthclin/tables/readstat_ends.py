"""Ends of files of SAS, SPSS and Stata: some formats have no count of rows, so that a truncated file looks whole."""

from __future__ import annotations

import re

__all__ = ["UNCOUNTED", "is_whole"]

UNCOUNTED = frozenset([".por", ".xpt"])
"""Formats without compression and, in most files, without a count of rows."""

_CARD = 80  # bytes of a record of a transport file
_ROWS = re.compile(rb"HEADER RECORD\*{7}OBS(?:V8)? +HEADER RECORD!{7}(.{32})", re.DOTALL)
_NAMES = re.compile(rb"HEADER RECORD\*{7}(?:NAMESTR |NAMSTV8 )HEADER RECORD!{7}.{32}", re.DOTALL)
_SIZE = re.compile(rb"HEADER RECORD\*{7}MEMB(?:ER|V8)  HEADER RECORD!{7}[0-9]{26}([0-9]{4})")
_LENGTH = 4, 6  # the place of its length in the record of a column
_MEMBER = b"HEADER RECORD*******MEMB"


def is_whole(content: bytes, suffix: str, columns: int) -> bool:
    """Return whether a file has the end that its format prescribes; True for a format that ReadStat checks itself.

    A transport file of SAS consists of records of 80 bytes, and after its last row there are blanks alone; where it has
    no count and a row ends with a record, a cut there cannot be seen. A portable file of SPSS ends in the letter Z, and
    a Stata file from version 117 on in a closing tag.

    Arguments:
        content: the bytes of the file.
        suffix: its ending.
        columns: how many it has.

    Example:
        >>> is_whole(b"<stata_dta>...</stata_dta>", ".dta", 1), is_whole(b"<stata_dta>...</stat", ".dta", 1)
        (True, False)
    """
    if suffix == ".dta":
        return not content.startswith(b"<stata_dta>") or content.rstrip(b"\0\r\n ").endswith(b"</stata_dta>")
    if suffix == ".por":
        return content.rstrip(b"\r\n ").endswith(b"Z")
    return suffix != ".xpt" or _is_whole_transport(content, columns)


def _is_whole_transport(content: bytes, columns: int) -> bool:
    width = _row_width(content, columns)
    header = _ROWS.search(content)
    if header is None or not width or len(content) % _CARD:
        return False
    rows = content[header.end() :].split(_MEMBER)[0]
    counted = header[1].strip()
    if counted.isdigit() and int(counted):  # of version 8; zeros where the writer left it out
        return len(rows) >= int(counted) * width
    # Without a count the last record is filled up with blanks, and so are rows of texts alone.
    return not rows[len(rows) // width * width :].strip(b" ")


def _row_width(content: bytes, columns: int) -> int:
    """Return the bytes of a row, by the record of each column; numbers take from 2 to 8."""
    names, member = _NAMES.search(content), _SIZE.search(content)
    if names is None or member is None:
        return 0
    records = content[names.end() : names.end() + columns * int(member[1])]
    return sum(
        int.from_bytes(records[at + _LENGTH[0] : at + _LENGTH[1]], "big")
        for at in range(0, len(records), max(1, int(member[1])))
    )
