"""The published JSON Schema: equal to the types, satisfied by reports, violated by damaged ones."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from synthclin.cli import main
from synthclin.errors import ConfigError
from synthclin.report import Report
from synthclin.report.record.json_schema import json_schema
from tests.report.conftest import example
from tests.report.study import study

SCHEMA = json_schema()
TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "null": type(None),
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
KNOWN = {
    "$ref",
    "$defs",
    "$id",
    "$schema",
    "title",
    "description",
    "default",
    "type",
    "properties",
    "required",
    "items",
    "additionalProperties",
    "anyOf",
    "allOf",
    "if",
    "then",
    "const",
    "enum",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "prefixItems",
    "propertyNames",
    "format",
}


def problems(value: Any, schema: Any, at: str = "$") -> list[str]:
    """Return where `value` violates a schema (the part of draft 2020-12 in use); unknown keywords are errors."""
    if schema is True or schema == {}:
        return []
    assert set(schema) <= KNOWN, set(schema) - KNOWN
    if "$ref" in schema:
        return problems(value, SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]], at)
    kind = schema.get("type")
    if kind is not None and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return [f"{at}: no {kind}"]
    return [
        *_choices(value, schema, at),
        *_scalar(value, schema, at),
        *_items(value, schema, at),
        *_keys(value, schema, at),
    ]


def _choices(value: Any, schema: Any, at: str) -> Iterator[str]:
    if "anyOf" in schema and all(problems(value, one, at) for one in schema["anyOf"]):
        yield f"{at}: none of several"
    for one in schema.get("allOf", []):
        if not problems(value, one["if"], at):
            yield from problems(value, one["then"], at)
    if "const" in schema and value != schema["const"]:
        yield f"{at}: not {schema['const']}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{at}: not one of {schema['enum']}"


def _scalar(value: Any, schema: Any, at: str) -> Iterator[str]:
    if isinstance(value, str) and "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{at}: pattern"
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield f"{at}: out of range"


def _items(value: Any, schema: Any, at: str) -> Iterator[str]:
    if not isinstance(value, list):
        return
    if not schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)):
        yield f"{at}: length"
    firsts = schema.get("prefixItems", [])
    for place, item in enumerate(value):
        each = firsts[place] if place < len(firsts) else schema.get("items", True)
        yield from problems(item, each, f"{at}[{place}]")


def _keys(value: Any, schema: Any, at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        return
    yield from (f"{at}: no {key}" for key in schema.get("required", []) if key not in value)
    own = schema.get("properties", {})
    for key, item in value.items():
        yield from problems(key, schema.get("propertyNames", True), f"{at}: name {key}")
        each = own.get(key, schema.get("additionalProperties", True))
        yield from [f"{at}: unknown {key}"] if each is False else problems(item, each, f"{at}.{key}")


def written(report: Report) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(report.to_json())
    return read


def test_the_command_prints_the_schema(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["schema", "json", "report"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(json.dumps(SCHEMA, allow_nan=False))
    assert main(["schema", "json", "report", "-o", str(tmp_path / "report.schema.json")]) == 0
    assert json.loads((tmp_path / "report.schema.json").read_text("utf-8")) == printed


def test_every_node_is_described() -> None:
    for name, node in {"report": SCHEMA, **SCHEMA["$defs"]}.items():
        assert name == "report" or node.get("description"), name
        for key, field in node.get("properties", {}).items():
            assert field.get("description"), (name, key)


@pytest.mark.parametrize("report", [example(), study(), study().shareable(), Report((), (), {}, {})])
def test_reports_satisfy_the_schema(report: Report) -> None:
    assert problems(written(report), SCHEMA) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("schema_version",), 2),
        (("edition",), "public"),
        (("extra",), 1),
        (("scores", 0, "better"), "up"),
        (("scores", 0, "n"), -1),
        (("scores", 1, "details", "columns", 0, "value"), 2.0),
        (("gates", 0, "status"), "OK"),
        (("sections", "marginals", 0, "kind"), "pie"),
        (("provenance", "rows"), {"patients": 3}),
    ],
)
def test_damage_is_refused_by_schema_and_reader(path: tuple[Any, ...], value: Any) -> None:
    document = copy.deepcopy(written(study()))
    del document["sha256"]
    place = document
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    assert problems(document, SCHEMA)
    with pytest.raises(ConfigError):
        Report.from_dict(document)


def test_edited_report_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    study().save(path)
    assert Report.read(path).edition == "internal"
    path.write_text(path.read_text(encoding="utf-8").replace('"REVIEW"', '"PASS"'), encoding="utf-8")
    with pytest.raises(ConfigError, match="changed after it was written"):
        Report.read(path)


def test_jsonschema_accepts_the_schema() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(written(study()))
