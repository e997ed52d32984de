"""Editions of a report: the shareable edition, with statistical disclosure control of real counts and shares."""

__all__: list[str] = []
