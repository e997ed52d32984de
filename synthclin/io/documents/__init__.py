"""Strict YAML and JSON reading and writing: ambiguous input is an error, never a guess."""

from __future__ import annotations

from synthclin.io.documents.problems import validate
from synthclin.io.documents.strict_json import dump_json, read_json
from synthclin.io.documents.strict_yaml import dump_yaml, parse_yaml, read_yaml, refuse_schema, refuse_study

__all__ = [
    "dump_json",
    "dump_yaml",
    "parse_yaml",
    "read_json",
    "read_yaml",
    "refuse_schema",
    "refuse_study",
    "validate",
]
