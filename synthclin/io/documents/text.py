"""Shared parts of YAML and JSON: decoding of files, and conversion to plain values."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.io.files import path_of, refuse_special

if TYPE_CHECKING:
    from pathlib import Path

    from synthclin.errors import SynthclinError

__all__ = ["MAX_DEPTH", "plain", "read_text"]

MAX_DEPTH = 32


def read_text(path: str | Path, limit: int, error: type[SynthclinError]) -> str:
    """Return the text of a UTF-8 file of at most `limit` bytes; a byte order mark is dropped.

    Raises:
        SynthclinError: of class `error`, when the file cannot be read, is larger, or is not UTF-8.
    """
    refuse_special(path, error)
    try:
        with path_of(path).open("rb") as file:
            data = file.read(limit + 1)
    except OSError as problem:
        raise error(str(path), f"cannot be read ({problem.strerror})", "Check the path and its permissions.") from None
    except ValueError:
        raise error(repr(str(path)), "holds a null character", "Check the path.") from None
    if len(data) > limit:
        raise error(str(path), f"larger than {limit // 2**20} MiB", "Check that this is the file you mean.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = data[: problem.start].count(b"\n") + 1
        raise error(f"{path}: line {line}", "not UTF-8", "Save the file as UTF-8.") from None


def plain(
    value: Any,  # noqa: ANN401
    real: Callable[[float], object],
    date: Callable[[dt.date], object],
) -> Any:  # noqa: ANN401
    """Return `value` made of dicts, lists, text, int, bool, None, and what `real` and `date` return."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {
            key.item() if isinstance(key, np.generic) else key: plain(item, real, date) for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(item, real, date) for item in value]
    if isinstance(value, dt.date):
        return date(value)
    return real(value) if isinstance(value, float) else value
