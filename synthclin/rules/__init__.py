"""Rules of a schema on rows: violations, validation, and constraint propagation."""

__all__: list[str] = []
