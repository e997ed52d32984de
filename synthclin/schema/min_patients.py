"""The smallest number of patients behind a stored or shown fact."""

__all__ = ["MIN_PATIENTS"]

MIN_PATIENTS = 11
"""Fewer patients are a small cell: 1/11 is about 0.09, the limit of EMA policy 0070 and Health Canada."""
