"""Conversion of pydantic validation errors to one sentence: where, what, remedy, and never a value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from synthclin.errors import ConfigError, SynthclinError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic_core import ErrorDetails

__all__ = ["validate"]

Model = TypeVar("Model", bound=BaseModel)

_SHAPES = {
    "dict_type": ("not a mapping of keys to values", "Write `key: value` lines."),
    "model_attributes_type": ("not a mapping of keys to values", "Write `key: value` lines."),
    "model_type": ("not a mapping of keys to values", "Write `key: value` lines."),
    "list_type": ("not a list", "Write [a, b]."),
    "tuple_type": ("not a list", "Write [a, b]."),
    "missing": ("not given", "Add it."),
}


def validate(model: type[Model], data: object, where: str, error: type[SynthclinError] = ConfigError) -> Model:
    """Return `data` as an instance of the pydantic `model`.

    Arguments:
        model: the pydantic class of the document.
        data: the content of a document.
        where: the file or argument at fault, for the message.
        error: the class of error to raise.

    Raises:
        SynthclinError: of class `error`, naming the first problem's place in `data`, such as
            ``study.yaml: schema.columns.bmi.range``, and how many more places have one; never a value.

    Example:
        >>> class Study(BaseModel, extra="forbid"):
        ...     rows: int
        >>> validate(Study, {"row": 5}, "study.yaml")
        Traceback (most recent call last):
        ...
        synthclin.errors.ConfigError: study.yaml: row: unknown key (and 1 more). Did you mean 'rows'?
    """
    try:
        return model.model_validate(data)
    except ValidationError as problem:
        details = problem.errors(include_url=False, include_input=False)
    # A misspelt key is also a key not given; the misspelling explains both.
    details.sort(key=lambda detail: detail["type"] != "extra_forbidden")
    found: dict[str, list[tuple[str, str]]] = {}
    for detail in details:
        place, what, remedy = _explain(model, data, detail)
        found.setdefault(place, []).append((what, remedy))
    place, problems = next(iter(found.items()))
    first, *others = dict.fromkeys(what for what, _ in problems)
    what = " or ".join([first, *(other.removeprefix("should be ") for other in others)])
    more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
    raise error(f"{where}: {place}" if place else where, what + more, problems[0][1])


def _explain(  # noqa: PLR0911  # one kind of problem, one return
    model: type[BaseModel], data: object, detail: ErrorDetails
) -> tuple[str, str, str]:
    """Return place, fact and remedy of one pydantic error."""
    place, context = _place(data, detail), detail.get("ctx", {})
    match detail["type"]:
        case "extra_forbidden":
            known = _known_keys(model.model_json_schema(), detail["loc"][:-1])
            return place, "unknown key", _suggest(str(detail["loc"][-1]), known)
        case "union_tag_invalid":
            key, known = context["discriminator"].strip("'"), re.findall(r"'([^']*)'", context["expected_tags"])
            return _below(place, key), f"unknown {key}", _suggest(str(context["tag"]), known)
        case "union_tag_not_found":
            return _below(place, context["discriminator"].strip("'")), *_SHAPES["missing"]
        case "literal_error" | "enum":
            return place, "not one of the allowed words", f"Use {context['expected']}."
        case "value_error":
            return _explain_own(place, str(context["error"]))
        case "float_type" | "float_parsing":
            return place, "not a number", "Write a number, such as 0.2 for 20 %."
        case kind if kind in _SHAPES:
            return place, *_SHAPES[kind]
    what = detail["msg"].removeprefix("Input ").rstrip(".")
    return place, what[:1].lower() + what[1:], "Correct it."


def _explain_own(place: str, message: str) -> tuple[str, str, str]:
    """Split the message of a synthclin validator, such as "range: low 60 exceeds high 12. Swap them."."""
    what, _, remedy = message.partition(". ")
    # A validator of a whole block names the key at fault first.
    key, separator, fact = what.partition(": ")
    if separator and key.isidentifier():
        place, what = _below(place, key), fact
    return place, what.rstrip("."), remedy or "Correct it."


def _below(place: str, key: str | int) -> str:
    return f"{place}.{key}".lstrip(".")


def _place(data: Any, detail: ErrorDetails) -> str:  # noqa: ANN401
    """Return where in `data` an error lies; pydantic's own labels for the members of a union are left out."""
    place, last = "", len(detail["loc"]) - 1
    for position, part in enumerate(detail["loc"]):
        if isinstance(data, list | tuple) and isinstance(part, int) and part < len(data):
            place, data = f"{place}[{part}]", data[part]
        elif isinstance(data, Mapping) and part in data:
            place, data = _below(place, part), data[part]
        elif position == last and detail["type"] == "missing":
            place = _below(place, part)
    return place


def _known_keys(schema: dict[str, Any], loc: Sequence[str | int]) -> list[str]:
    """Return the keys that a JSON schema allows at a place."""
    nodes = list(_members(schema, schema))
    for part in loc:
        below = [child for node in nodes for child in _children(node, part)]
        nodes = [member for child in below for member in _members(schema, child)] or nodes
    return sorted({key for node in nodes for key in node.get("properties", {})})


def _members(root: dict[str, Any], node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield `node` with references followed and unions opened."""
    if "$ref" in node:
        yield from _members(root, root["$defs"][node["$ref"].rpartition("/")[2]])
        return
    members = [member for key in ("anyOf", "oneOf", "allOf") for member in node.get(key, ())]
    if not members:
        yield node
    for member in members:
        yield from _members(root, member)


def _children(node: dict[str, Any], part: str | int) -> Iterator[dict[str, Any]]:
    """Yield what lies below `node` at a key or an index, or `node` itself when `part` is its label in a union."""
    properties = node.get("properties", {})
    if part in properties:
        yield properties[part]
    elif isinstance(node.get("additionalProperties"), dict):
        yield node["additionalProperties"]
    elif isinstance(part, int) and isinstance(node.get("items"), dict):
        yield node["items"]
    elif part == node.get("title") or any(part == value.get("const") for value in properties.values()):
        yield node


def _suggest(word: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    return f"Use one of: {', '.join(known)}." if known else "Remove it."
