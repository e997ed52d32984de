"""The encoding of a table as a code and an offset per cell."""

from synthclin.encoding.layout import ColumnLayout, Encoded, Layout
from synthclin.encoding.table import TableEncoder

__all__ = ["ColumnLayout", "Encoded", "Layout", "TableEncoder"]
