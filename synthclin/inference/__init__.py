"""Schema inference: a first schema from a table, with the evidence for every guess."""

from __future__ import annotations

from synthclin.inference.column_declarations import declared_columns
from synthclin.inference.commented_yaml import to_commented_yaml
from synthclin.inference.schema_inference import Inferred, infer, infer_schema
from synthclin.schema import Schema

__all__ = ["Inferred", "Schema", "declared_columns", "infer", "infer_schema", "to_commented_yaml"]
