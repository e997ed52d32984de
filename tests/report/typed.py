"""Typed details of a score from the few fields that a test sets."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.details import Details

D = TypeVar("D", bound=Details)


def details_of(name: str, fields: dict[str, Any]) -> Details:
    """Return the details of the score `name` with these fields; see `typed`."""
    return typed(kind_of(name).details, fields)


def typed(kind: type[D], fields: dict[str, Any]) -> D:
    """Return details with these fields; all others are None, empty or zero, in the parts too."""
    return kind.model_validate(_completed(kind, fields))


def _completed(kind: Any, value: Any) -> Any:
    """Return a value with the absent fields of its type, which a test does not set."""
    for part in _alternatives(kind):
        if isinstance(part, type) and issubclass(part, Details) and isinstance(value, dict):
            hints = {key: field.annotation for key, field in part.model_fields.items()}
            absent = {key: _empty(hint) for key, hint in hints.items() if key not in value}
            return absent | {key: _completed(hints.get(key), each) for key, each in value.items()}
        if get_origin(part) is list and isinstance(value, list):
            return [_completed(get_args(part)[0], each) for each in value]
    return value


def _alternatives(kind: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the type itself, without annotations."""
    origin = get_origin(kind)
    if origin is Annotated:
        return _alternatives(get_args(kind)[0])
    if origin in {Union, UnionType}:
        return tuple(part for each in get_args(kind) for part in _alternatives(each))
    return (kind,)


def _empty(kind: Any) -> Any:
    """Return the value of a field that a test does not set."""
    parts = _alternatives(kind)
    if NoneType in parts:
        return None
    part = get_origin(parts[0]) or parts[0]
    if part is Literal:
        return get_args(parts[0])[0]
    return _completed(part, {}) if issubclass(part, Details) else part()
