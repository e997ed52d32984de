"""The validation report of a synthetic table: scores, verdicts and provenance, as HTML, JSON and Markdown.

From bottom to top: `words` (number formats) and `record` (types of ``report.json``); `charts` (SVG), `findings` (the
report as data), `editions` (statistical disclosure control) and `pages` (figures and text); `html`, `summary`,
`datacard` and `compare`; `report` (the public class) and `build` (`evaluate`).
"""

from __future__ import annotations

from synthclin.report.build import evaluate
from synthclin.report.report import Report

__all__ = ["Report", "evaluate"]
