"""JSON Schemas of a study and of a schema, for YAML editors; published in ``docs/``."""

from __future__ import annotations

import re
from typing import Any

from synthclin.models import MODELS
from synthclin.schema import Schema
from synthclin.study.config.blocks import NAME, Config
from synthclin.study.config.loading import model_block
from synthclin.study.config.sweep import SweepConfig

__all__ = ["schema_json_schema", "study_json_schema"]

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


def study_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a study, and of a sweep, which is told by its key `sweep`.

    Example:
        >>> sorted(study_json_schema()["$defs"]["Study"]["required"])
        ['data', 'name', 'version']
    """
    whole = _plain(Config.model_json_schema(by_alias=True))
    parts = whole["$defs"]
    _allow_text_rules(parts["Schema"])
    # A study may name a file, or use the schema of a shipped table.
    whole["properties"]["schema"] = {"anyOf": [{"type": "string"}, whole["properties"]["schema"]]}
    whole["required"] = [key for key in whole["required"] if key != "schema"]
    families = []
    for family in sorted(MODELS):
        block = _plain(model_block(family).model_json_schema())
        parts |= block.pop("$defs")
        families.append(block["properties"]["model"])
    whole["properties"]["model"] = families[0] if len(families) == 1 else {"anyOf": families}
    parts = whole.pop("$defs") | {"Study": whole}
    sweep = _plain(SweepConfig.model_json_schema())
    parts |= sweep.pop("$defs") | {"Sweep": sweep}
    # The models of a sweep are those of a study, each with the name of its cells.
    parts["SweepModel"] = {"anyOf": [_named(parts[family["$ref"].rpartition("/")[2]]) for family in families]}
    return {
        "$schema": _DRAFT,
        "$id": "urn:synthclin:study:1",
        "title": "A study or a sweep of synthclin",
        "$defs": parts,
        "if": {"required": ["sweep"]},
        "then": {"$ref": "#/$defs/Sweep"},
        "else": {"$ref": "#/$defs/Study"},
    }


def _named(block: dict[str, Any]) -> dict[str, Any]:
    """Return the JSON Schema of a model of a sweep from that of a `model` block."""
    name = {"type": "string", "pattern": NAME, "title": "Name"}
    return block | {"properties": block["properties"] | {"name": name}, "required": ["type"]}


def schema_json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a schema file.

    Example:
        >>> schema_json_schema()["required"]
        ['columns']
    """
    whole = _plain(Schema.model_json_schema())
    _allow_text_rules(whole)
    return {"$schema": _DRAFT, "$id": "urn:synthclin:schema:1", **whole, "title": "A schema of synthclin"}


def _allow_text_rules(schema: dict[str, Any]) -> None:
    """Allow a rule to be a text alone."""
    rules = schema["properties"]["constraints"]
    rules["items"] = {"anyOf": [{"type": "string"}, *rules["items"]["oneOf"]]}


def _plain(node: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return a JSON Schema with the first sentence of each description, which an editor shows, without markup."""
    if isinstance(node, dict):
        plain = {key: _plain(value) for key, value in node.items()}
        if isinstance(plain.get("description"), str):
            first = plain["description"].split("\n\n")[0]
            plain["description"] = re.sub(r"\s+", " ", first).replace("``", "`")
        return plain
    return [_plain(item) for item in node] if isinstance(node, list) else node
