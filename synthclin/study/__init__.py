"""Pipeline of one study: configuration, data, run, run folder, and verification of a finished run."""

__all__: list[str] = []
