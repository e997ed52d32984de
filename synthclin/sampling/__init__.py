"""Constrained sampling from any model of codes: cohorts, constraint masks, repair inside bins, and imputation."""

__all__: list[str] = []
