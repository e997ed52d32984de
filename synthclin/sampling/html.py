"""Facts about the last sample in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.io.html import card

if TYPE_CHECKING:
    from synthclin.sampling.sampler import SampleFacts

__all__ = ["sample_facts_html"]


def sample_facts_html(facts: SampleFacts) -> str:
    """Return an HTML table: rows, proposals, probability of the condition, effective sample size."""
    rows = [
        ("rows returned", f"{facts.rows:,}"),
        ("rows proposed for them", f"{facts.drawn:,}"),
        ("probability of such a row under the model", f"{facts.probability:.3g}"),
        ("effective sample size", f"{facts.effective:,.0f}"),
    ]
    return card("Sample", rows=rows)
