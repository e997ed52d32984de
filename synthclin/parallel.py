"""Jobs in parallel processes."""

from __future__ import annotations

__all__: list[str] = []
