"""The seal of a written page, HTML or Markdown: the table it is about, and a checksum against accidental changes."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from synthclin.report.record.release import TableFile

__all__ = ["Seal", "open_seal", "sealed", "unsigned"]

_OPEN = "0" * 64
_NO_TABLE = "none"
# Text from outside is escaped on both kinds of pages, so that no other text is such a comment.
_SEAL = re.compile(r"<!-- synthclin report: table (none|[0-9a-f]{64}), gates (\w+), checksum ([0-9a-f]{64}) -->")


@dataclass(frozen=True, slots=True)
class Seal:
    """What the seal of a page says.

    Arguments:
        table: SHA-256 of the table that the page is about; None where it is not bound to a file.
        passed: whether no gate was missed.
        intact: whether the page is as it was written.
    """

    table: str | None
    passed: bool
    intact: bool


def unsigned(table: TableFile | None, *, passed: bool) -> str:
    """Return the comment that `sealed` completes."""
    digest = _NO_TABLE if table is None else table.sha256
    return f"<!-- synthclin report: table {digest}, gates {'passed' if passed else 'missed'}, checksum {_OPEN} -->"


def sealed(page: str) -> str:
    """Return a page with the SHA-256 of its text, checksum of zeros, in its comment.

    Example:
        >>> page = sealed("A page. " + unsigned(None, passed=True))
        >>> open_seal(page).intact, open_seal(page.replace("A", "The")).intact
        (True, False)
    """
    found = _SEAL.search(page)
    return page if found is None else _with_checksum(page, found, hashlib.sha256(page.encode()).hexdigest())


def open_seal(page: str) -> Seal | None:
    """Return what the seal of a page says; None where it has none."""
    found = _SEAL.search(page)
    if found is None:
        return None
    table, gates, checksum = found.groups()
    intact = hashlib.sha256(_with_checksum(page, found, _OPEN).encode()).hexdigest() == checksum
    return Seal(None if table == _NO_TABLE else table, gates == "passed", intact)


def _with_checksum(page: str, found: re.Match[str], checksum: str) -> str:
    return page[: found.start(3)] + checksum + page[found.end(3) :]
