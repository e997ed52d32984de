"""The installed version of the package, as files that it writes tell it."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

__all__ = ["VERSION"]

try:
    VERSION = version("synthclin")
except PackageNotFoundError:  # a checkout that was never installed
    VERSION = "0.0.0"
