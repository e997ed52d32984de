"""Scores within groups of patients."""

__all__: list[str] = []
