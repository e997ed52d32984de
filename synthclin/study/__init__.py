"""One study: its configuration, its data, the run, the run folder, and the checks of a finished run."""

__all__: list[str] = []
