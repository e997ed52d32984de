"""Ends of files of SAS, SPSS and Stata: some formats have no count of rows, so that a truncated file looks whole."""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["UNCOUNTED", "is_whole"]

UNCOUNTED = frozenset([".por", ".xpt"])
"""Formats without compression and, in most files, without a count of rows."""

_CARD = 80  # bytes of a record of a transport file
_ROWS = re.compile(rb"HEADER RECORD\*{7}OBS(?:V8)? +HEADER RECORD!{7}(.{32})", re.DOTALL)
_MEMBER = b"HEADER RECORD*******MEMB"


def is_whole(content: bytes, suffix: str, widths: Sequence[int]) -> bool:
    """Return whether a file has the end that its format prescribes; True for a format that ReadStat checks itself.

    A transport file of SAS consists of records of 80 bytes, and after its last row there are blanks alone. A portable
    file of SPSS ends in the letter Z, and a Stata file from version 117 on in a closing tag.

    Arguments:
        content: the bytes of the file.
        suffix: its ending.
        widths: (columns,) bytes of a cell of each column.

    Example:
        >>> is_whole(b"<stata_dta>...</stata_dta>", ".dta", [8]), is_whole(b"<stata_dta>...</stat", ".dta", [8])
        (True, False)
    """
    if suffix == ".dta":
        return not content.startswith(b"<stata_dta>") or content.rstrip(b"\0\r\n ").endswith(b"</stata_dta>")
    if suffix == ".por":
        return content.rstrip(b"\r\n ").endswith(b"Z")
    return suffix != ".xpt" or _is_whole_transport(content, sum(widths))


def _is_whole_transport(content: bytes, width: int) -> bool:
    header = _ROWS.search(content)
    if header is None or width == 0 or len(content) % _CARD:
        return False
    rows = content[header.end() :].split(_MEMBER)[0]
    counted = header[1].strip()
    if counted.isdigit() and int(counted):  # of version 8; zeros where the writer left it out
        return len(rows) >= int(counted) * width
    # Without a count the last record is filled up with blanks, and so are rows of texts alone.
    return not rows[len(rows) // width * width :].strip(b" ")
