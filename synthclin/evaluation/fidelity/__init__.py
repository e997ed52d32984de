"""Fidelity: how close the distributions of a synthetic table are to those of real patients."""

__all__: list[str] = []
