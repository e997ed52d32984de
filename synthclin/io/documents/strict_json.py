"""Strict JSON: no duplicate key, no NaN, and the same bytes for the same value."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from synthclin.errors import ConfigError, SynthclinError
from synthclin.io.documents.text import MAX_DEPTH, plain, read_text

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["dump_json", "load_json", "read_json"]

_BYTES = 64 * 2**20
_REMEDY = "Write the file again."


def read_json(path: str | Path, error: type[SynthclinError] = ConfigError, *, most: int = _BYTES) -> Any:  # noqa: ANN401
    """Return the value that a JSON file holds.

    Arguments:
        path: the file.
        error: the class of error to raise, such as ModelFormatError for a file of a model folder.
        most: how many bytes it may have, by default 64 MiB.

    Raises:
        SynthclinError: of class `error`, when the file cannot be read, is larger, not UTF-8, nested deeper
            than 32 levels, holds NaN, Infinity or a number beyond float64, or has a key twice.
    """
    return load_json(read_text(path, most, error), str(path), error)


def load_json(text: str, where: str, error: type[SynthclinError] = ConfigError) -> Any:  # noqa: ANN401
    """Return the value that a JSON text holds, as strictly as `read_json`.

    Arguments:
        text: the document.
        where: the name of its place in errors.
        error: the class of error to raise.

    Raises:
        SynthclinError: of class `error`, as of `read_json`.

    Example:
        >>> load_json('{"rho": 0.5}', "line 1")
        {'rho': 0.5}
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_float=_finite, parse_constant=_finite)
    except json.JSONDecodeError as problem:
        raise error(f"{where}: line {problem.lineno}", "not JSON", _REMEDY) from None
    except RecursionError:
        raise error(where, f"nested deeper than {MAX_DEPTH} levels", _REMEDY) from None
    except _RefusedError as problem:
        raise error(where, str(problem), _REMEDY) from None
    except ValueError:
        raise error(where, "holds a number with too many digits", _REMEDY) from None
    if _deeper_than(value, MAX_DEPTH):
        raise error(where, f"nested deeper than {MAX_DEPTH} levels", _REMEDY)
    return value


class _RefusedError(ValueError):
    """Valid JSON that `read_json` refuses."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for name, value in pairs:
        if name in mapping:
            raise _RefusedError(f"duplicate key {name!r}")
        mapping[name] = value
    return mapping


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _RefusedError("holds a number that is not finite")
    return value


def _deeper_than(value: object, levels: int) -> bool:
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return items is not None and (levels == 0 or any(_deeper_than(item, levels - 1) for item in items))


def dump_json(value: object, digits: int | None = 10) -> str:
    """Return deterministic JSON text: keys sorted, one item a line, a newline at the end.

    Arguments:
        value: mappings, sequences, numpy arrays and scalars, dates, text, numbers, truth values and None.
        digits: how many significant digits of a float are kept, so that files compare well; None keeps floats exact.

    Numbers that are not finite become null, dates ISO text.

    Example:
        >>> print(dump_json({"b": 0.1 + 0.2, "a": float("nan")}), end="")
        {
         "a": null,
         "b": 0.3
        }
    """
    value = plain(value, lambda number: _rounded(number, digits), lambda date: date.isoformat())
    return json.dumps(value, sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _rounded(number: float, digits: int | None) -> float | None:
    if not math.isfinite(number):
        return None
    return number if digits is None else float(f"{number:.{digits}g}")
