"""The JSON Schema of ``report.json``, generated from its types and published as ``report.schema.json``."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from synthclin.report.record.envelope import SCHEMA_VERSION, ReportRecord
from synthclin.report.record.score_details import DETAILS_BY_GROUP, DETAILS_BY_NAME
from synthclin.report.record.section_data import SectionData

__all__ = ["SCHEMA_ID", "json_schema"]

SCHEMA_ID = f"urn:synthclin:report:{SCHEMA_VERSION}"


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the envelope, the sections and the details of each kind of score.

    Example:
        >>> json_schema()["$id"]
        'urn:synthclin:report:1'
    """
    kinds: list[type[BaseModel]] = [ReportRecord, SectionData, *DETAILS_BY_NAME.values(), *DETAILS_BY_GROUP.values()]
    places, whole = models_json_schema([(kind, "validation") for kind in dict.fromkeys(kinds)])
    parts: dict[str, Any] = whole["$defs"]
    envelope = parts.pop("ReportRecord")
    envelope["properties"]["sections"] = places[SectionData, "validation"]
    parts["ScoreRecord"]["allOf"] = [
        _where({"const": name}, places[kind, "validation"]) for name, kind in DETAILS_BY_NAME.items()
    ] + [
        _where({"pattern": rf"^{group}\."}, places[kind, "validation"])
        for group, kind in DETAILS_BY_GROUP.items()
        if group != "privacy"  # some of its scores are not attacks
    ]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": SCHEMA_ID,
        **envelope,
        "title": "A validation report of synthclin",
        "$defs": parts,
    }


def _where(name: dict[str, str], details: dict[str, Any]) -> dict[str, Any]:
    return {"if": {"properties": {"name": name}}, "then": {"properties": {"details": details}}}
