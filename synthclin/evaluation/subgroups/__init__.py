"""Scores within groups of patients."""
