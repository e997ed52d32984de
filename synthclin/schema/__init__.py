"""The schema of a table: columns, constraints, patients, and the codebook of a file."""

from __future__ import annotations

from synthclin.schema.schema import Schema

__all__ = ["Schema"]
