"""The command line: `synthclin --help`."""

from __future__ import annotations

from synthclin.cli.app import main

__all__ = ["main"]
