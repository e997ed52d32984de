"""Cohorts that rest on few patients: the number, and the dependence that was confirmed out of fold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from synthclin.expressions import quote_level, quote_name
from synthclin.report.record.section_data import CohortFacts, Confirmed, FewEvents
from synthclin.rules.validation import Finding
from synthclin.sampling.cohorts import FEW_EVENTS, Cohort
from synthclin.schema.patients import MIN_PATIENTS
from synthclin.study.data import patients_in
from synthclin.wording import number, share

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.schema import Schema

__all__ = ["few_events", "few_events_findings"]


def few_events(
    cohort: Cohort, train: pd.DataFrame, schema: Schema, confirmed: Sequence[Mapping[str, Any]]
) -> FewEvents | None:
    """Return on how few patients a cohort rests; None where each of its parts has enough.

    The parts are the wanted levels of each mixed column, under the condition; without `mix`, the condition itself.

    Arguments:
        cohort: the cohort.
        train: the training rows.
        schema: of the table.
        confirmed: the confirmed dependences of the model, as `training_` holds them; empty where there are none.
    """
    if cohort.where is None and not cohort.mix:
        return None
    parts = {
        f"{quote_name(name)} == {quote_level(level)}": cohort.model_copy(update={"mix": {name: {level: 1.0}}})
        for name, shares in (cohort.mix or {}).items()
        for level in shares
    } or {str(cohort.where): cohort}
    counts = {text: patients_in(train, part.holds(train, schema), schema) for text, part in parts.items()}
    fewest = min(counts, key=lambda text: counts[text])
    if counts[fewest] >= FEW_EVENTS:
        return None
    predicate = cohort.predicate
    columns = {*(cohort.mix or {}), *(predicate.columns if predicate is not None else ())}
    return FewEvents(
        part=fewest,
        patients=counts[fewest] if counts[fewest] >= MIN_PATIENTS else None,
        dependences=[Confirmed.model_validate(one) for one in confirmed if one["column"] in columns],
    )


def few_events_findings(cohorts: Sequence[CohortFacts]) -> Iterator[Finding]:
    """Yield a warning for each cohort that rests on few patients."""
    for cohort in cohorts:
        if cohort.few is None:
            continue
        patients = f"fewer than {MIN_PATIENTS}" if cohort.few.patients is None else str(cohort.few.patients)
        evidence = "; ".join(_evidence(one) for one in cohort.few.dependences) or "no out-of-fold evidence is kept"
        what = f"its part {cohort.few.part} rests on {patients} training patients, fewer than {FEW_EVENTS}: {evidence}"
        remedy = "The rows may resemble other patients. Widen the condition, or compare several seeds."
        yield Finding(f"cohort {cohort.name!r}", what, remedy, severity="warning")


def _evidence(one: Confirmed) -> str:
    gain = f"{number(one.nats)} nats per row (standard error {number(one.error)})"
    verb = "was" if one.is_confirmed else "was not"
    return (
        f"the dependence of {one.column!r} {verb} confirmed out of fold, {gain}, {share(one.share)} of what was trained"
    )
