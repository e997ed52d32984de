"""From codes that any model samples to whole rows: cohorts, constraint masks, repair inside bins, and imputation."""

__all__: list[str] = []
