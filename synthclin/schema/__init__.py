"""What a table means: its columns, the rules between them, its patients, and the labels of its codes."""

from __future__ import annotations

from synthclin.schema.schema import Schema

__all__ = ["Schema"]
