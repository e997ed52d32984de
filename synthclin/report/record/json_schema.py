"""The JSON Schema of ``report.json``, generated from its types; `synthclin schema json report` prints it."""

from __future__ import annotations

import re
from itertools import chain
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from synthclin.evaluation.catalogue import FAMILIES, KINDS
from synthclin.report.record.envelope import SCHEMA_VERSION, ReportRecord
from synthclin.report.record.section_data import SectionData

__all__ = ["SCHEMA_ID", "json_schema"]

SCHEMA_ID = f"urn:synthclin:report:{SCHEMA_VERSION}"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the envelope, the sections and the details of each kind of score.

    Example:
        >>> json_schema()["$id"]
        'urn:synthclin:report:1'
    """
    named = {kind.name: kind.details for kind in KINDS}
    families = {family.prefix: family.details for family in FAMILIES}
    types: list[type[BaseModel]] = [ReportRecord, SectionData, *named.values(), *chain(*families.values())]
    places, whole = models_json_schema([(kind, "validation") for kind in dict.fromkeys(types)])
    parts: dict[str, Any] = whole["$defs"]
    envelope = parts.pop("ReportRecord")
    described = envelope["properties"]["sections"]["description"]
    envelope["properties"]["sections"] = places[SectionData, "validation"] | {"description": described}
    parts["ScoreRecord"]["allOf"] = [
        _where({"const": name}, [places[kind, "validation"]]) for name, kind in named.items()
    ] + [
        _where({"pattern": f"^{re.escape(prefix)}"}, [places[kind, "validation"] for kind in kinds])
        for prefix, kinds in families.items()
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **envelope,
        "title": "A validation report of synthclin",
        "$defs": parts,
    }


def _where(name: dict[str, str], details: list[Any]) -> dict[str, Any]:
    known = {"anyOf": [*details, {"type": "null"}]}
    return {"if": {"properties": {"name": name}}, "then": {"properties": {"details": known}}}
