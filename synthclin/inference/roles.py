"""Proposed roles: time and event, treatment, site and visit, each with its evidence, for a person to confirm."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.schema.patients import MIN_PATIENTS, patients

if TYPE_CHECKING:
    from collections.abc import Mapping

    from synthclin.schema import Schema
    from synthclin.schema.columns import AnyColumn

__all__ = ["proposed_roles"]

# Words that many tables share; a name alone decides nothing.
_EVENT = (
    "death|dead|died|dth|deceased|mortality|event|status|relapse|progression|recurrence|censor|censored|cens|readmit.*"
)
_TIME = "time|days?|weeks?|months?|years?|follow|fu|futime|survival|surv|duration|pfs|dfs|tte|until|to"
_ARM = "arms?|treatment|treat|trt.*|therapy|allocation|randomi[sz]ed|randomi[sz]ation|rx|intervention|placebo"
_SITE = "site|centre|center|hospital|clinic"
_VISIT = "visit|week|month|day|days|time|sequence|seq|cycle|wave|occasion"
_MOST_ARMS = 8
_APART = 0.1
"""Least distance from 0.5 of the AUC with which time separates rows with and without an event."""


def proposed_roles(table: pd.DataFrame, schema: Schema) -> dict[str, str]:
    """Return by column a line of YAML that gives it a role, with the evidence as its comment.

    A column is proposed for its name, its type and what its cells show together; no cell stands in the evidence.

    Arguments:
        table: typed by `schema`.
        schema: what its columns mean; columns that have a role already are left alone.

    Example:
        >>> from synthclin.schema import Schema
        >>> columns = {"days": {"type": "integer"}, "died": {"type": "boolean", "values": [0, 1]}}
        >>> table = pd.DataFrame({"days": [*range(10, 40), *range(80, 110)], "died": [1] * 30 + [0] * 30})
        >>> lines = proposed_roles(table, Schema.model_validate({"columns": columns}))
        >>> [line.partition("  #")[0] for line in lines.values()]
        ['role: event', 'role: time']
    """
    free = {name: column for name, column in schema.columns.items() if column.modelled and column.role is None}
    found = _endpoint(table, schema, free)
    for name, column in free.items():
        levels = table[name].nunique()
        if name in found or not (column.is_categorical or column.truth_values is not None or column.is_integer):
            continue
        smallest = int(table[name].value_counts().min()) if levels else 0
        if _named(name, _ARM) and 2 <= levels <= _MOST_ARMS and smallest * levels >= len(table) / 2:
            found[name] = f"role: treatment  # {levels} levels of similar size; add `randomised: true` for a trial"
        elif _named(name, _SITE) and levels > 2 and smallest >= MIN_PATIENTS:
            found[name] = f"role: site  # {levels} levels, each with at least {MIN_PATIENTS} rows"
    for name, column in free.items():
        if name not in found and _named(name, _VISIT) and _tells_visits_apart(table, schema, name):
            visits = "numbers the visits: a patient has several rows, and no two of them share a value"
            found[name] = f"role: visit  # {visits}" if column.is_numeric else visits
    return found


def _endpoint(table: pd.DataFrame, schema: Schema, free: Mapping[str, AnyColumn]) -> dict[str, str]:
    """Return the proposed event and its time, by column; each patient counts once where patients have visits."""
    found: dict[str, str] = {}
    people, known, ends = table, free, [name for name, column in schema.columns.items() if column.role == "time"]
    if schema.visit_time is not None:
        # An endpoint is the patient's: each patient counts once, by what is the same at each visit.
        people = table.iloc[np.unique(patients(table, schema), return_index=True)[1]]
        known = {name: column for name, column in free.items() if column.static}
    events = [name for name in known if _named(name, _EVENT) and _splits(people[name])]
    times = ends or [
        name for name, column in known.items() if column.is_numeric and _named(name, _TIME) and _elapsed(people[name])
    ]
    pairs = [(auc, event, time) for event in events for time in times if (auc := _auc(people, event, time)) is not None]
    for auc, event, time in sorted(pairs, key=lambda pair: -abs(pair[0] - 0.5))[:1]:
        if abs(auc - 0.5) >= _APART:
            found[event] = (
                f"role: event  # two levels; {time!r} differs between them (AUC {auc:.2f}), as time to it would"
            )
            if time in free:
                found[time] = (
                    f"role: time  # a number that is never negative; it differs between the levels of {event!r}"
                )
    return found


def _named(name: str, pattern: str) -> bool:
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Za-z])(?=[0-9])|[^A-Za-z0-9]+", " ", name).lower().split()
    return any(re.fullmatch(pattern, word) for word in words)


def _splits(cells: pd.Series) -> bool:
    """Whether a column has two levels of enough rows each."""
    counts = cells.value_counts()
    return len(counts[counts > 0]) == 2 and int(counts[counts > 0].min()) >= MIN_PATIENTS


def _elapsed(cells: pd.Series) -> bool:
    """Whether numbers are never negative and mostly distinct, as times are."""
    numbers = cells.dropna().to_numpy(dtype=np.float64)
    return len(numbers) > 0 and bool(numbers.min() >= 0) and len(np.unique(numbers)) > MIN_PATIENTS


def _auc(table: pd.DataFrame, event: str, time: str) -> float | None:
    """Return the probability that the last level has the longer time than the first, ties counted half."""
    rows = table[[event, time]].dropna()
    levels = sorted(rows[event].unique(), key=str)
    if len(levels) != 2:
        return None
    last = (rows[event] == levels[1]).to_numpy(dtype=bool)
    ranks = rows[time].astype(float).rank().to_numpy()
    here, there = int(last.sum()), int((~last).sum())
    return float((ranks[last].sum() - here * (here + 1) / 2) / (here * there))


def _tells_visits_apart(table: pd.DataFrame, schema: Schema, name: str) -> bool:
    """Whether patients have several rows each, which differ in a column."""
    if schema.entity is None or schema.entity not in table:
        return False
    patient = patients(table, schema)
    rows = pd.DataFrame({"patient": patient, "value": table[name].astype(str).to_numpy()})
    repeated = len(rows) - rows["patient"].nunique()
    return repeated >= MIN_PATIENTS and not rows.duplicated().any() and not rows["value"].is_unique
