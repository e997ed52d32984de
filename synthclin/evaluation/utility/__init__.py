"""Utility: prediction models trained on synthetic rows and tested on real ones."""

__all__: list[str] = []
