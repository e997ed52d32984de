"""A folder that one process at a time writes into."""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

try:
    import fcntl
except ImportError:  # no POSIX system
    fcntl = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["held_folder"]

_WAIT = 1.0  # seconds in which the processes of a killed one end


@contextmanager
def held_folder(path: str | Path) -> Iterator[bool]:
    """Hold a folder that exists against other processes until the block ends, or the process does.

    Yields:
        whether it is held: False where another process holds or has removed it. On a system or disk without locks it
        always is.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, held_folder(folder) as first, held_folder(folder) as second:
        ...     first, second
        (True, False)
    """
    if fcntl is None:
        yield True
        return
    try:
        handle = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        yield False
        return
    try:
        yield _locked(handle) and _is_at(handle, Path(path))
    finally:
        os.close(handle)


def _is_at(handle: int, path: Path) -> bool:
    """Return whether an open folder is still the one of this name."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _locked(handle: int) -> bool:
    """Return whether an open folder could be locked."""
    end = time.monotonic() + _WAIT
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        except OSError:
            return True  # a disk without locks
        else:
            return True
