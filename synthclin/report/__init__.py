"""The report of a synthetic table: scores, verdicts and provenance, as a page and as JSON."""

from __future__ import annotations

from synthclin.report.build import evaluate
from synthclin.report.report import Report

__all__ = ["Report", "evaluate"]
