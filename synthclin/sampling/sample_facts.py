"""Facts about a sample: how many proposals it took, and how many training rows its condition rests on."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

from synthclin.errors import FewEventsWarning
from synthclin.io.html_card import card
from synthclin.sampling.cohorts import FEW_EVENTS

__all__ = ["SampleFacts", "warn_of_few_events"]


@dataclass(frozen=True, slots=True)
class SampleFacts:
    """Diagnostics of a sample: number of proposals, probability and effective sample size.

    Arguments:
        rows: how many rows were returned.
        proposed: how many proposals were sampled for them.
        probability: of such a row, with any of the mixed levels, among rows sampled without the condition; all of them
            satisfy the rules. 1 without a condition.
        effective: effective sample size of the weighted proposals from which the rows were resampled.
        rarest: the same of the rarest combination of mixed levels; without `mix` it is `probability`.
        interpolated: columns of which the condition allows only values strictly inside bins of the model. Their values
            are interpolated: whether any training patient has such a value is not known to the model.
    """

    rows: int
    proposed: int
    probability: float
    effective: float
    rarest: float = 1.0
    interpolated: tuple[str, ...] = ()

    def _repr_html_(self) -> str:
        rows = [
            ("rows returned", f"{self.rows:,}"),
            ("rows proposed for them", f"{self.proposed:,}"),
            ("share of such rows without the condition", f"{self.probability:.3g}"),
            ("effective sample size", f"{self.effective:,.0f}"),
        ]
        rows += [("interpolated inside bins", ", ".join(self.interpolated))] if self.interpolated else []
        return card("Sample", rows=rows)


def warn_of_few_events(facts: SampleFacts, rows: int) -> None:
    """Warn where the condition of a sample rests on few training rows.

    Arguments:
        facts: of the sample.
        rows: the number of training rows.
    """
    events = facts.rarest * rows
    if events < FEW_EVENTS:
        what = f"the condition, or a mixed level, rests on about {max(events, 1):.0f} training rows"
        advice = "The rows may resemble other patients: see `confirmed_`, and compare several seeds."
        warnings.warn(f"{what}, fewer than {FEW_EVENTS}. {advice}", FewEventsWarning, stacklevel=3)
