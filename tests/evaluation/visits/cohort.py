"""A simulated cohort of patients with visits, with a known distribution, and what a bad generator makes of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from synthclin.evaluation.comparison import Comparison
from synthclin.schema import Schema

_COLUMNS: dict[str, Any] = {
    "patient": {"type": "id", "role": "entity"},
    "arm": {"type": "category", "categories": ["A", "B"], "static": True},
    "age": {"type": "integer", "range": [18, 105], "static": True, "disclosure": "quasi_identifier"},
    "followed": {"type": "integer", "unit": "d", "range": [0, 5000], "role": "time", "static": True},
    "died": {"type": "boolean", "values": [0, 1], "role": "event", "static": True, "disclosure": "sensitive"},
    "day": {"type": "integer", "unit": "d", "range": [0, 5000], "role": "visit"},
    "sbp": {"type": "number", "range": [-1000, 1000], "decimals": 3},
    "crp": {"type": "number", "range": [-1000, 1000], "decimals": 3, "missing": "allowed"},
    "grade": {"type": "ordinal", "categories": ["I", "II", "III"]},
    "ward": {"type": "category", "categories": ["north", "south", "west"]},
}
SCHEMA = Schema.model_validate({"columns": _COLUMNS})
DATED = Schema.model_validate({"columns": _COLUMNS | {"day": {"type": "date", "role": "visit"}}})

BETWEEN, WITHIN = 9.0, 3.0
"""Variances of sbp between and within patients: its intraclass correlation is 0.75."""


def cohort(patients: int, seed: int, *, dates: bool = False, most: int = 9) -> pd.DataFrame:
    """Sample typed visits: sbp has an intraclass correlation of .75, crp is missing in runs, grade and ward persist."""
    rng = np.random.default_rng([seed, 11])
    counts = rng.integers(1, most + 1, patients)
    who = np.repeat(np.arange(patients), counts)
    first = np.flatnonzero(np.diff(who, prepend=-1))
    gaps = rng.integers(20, 60, len(who))
    gaps[first] = 0
    day = np.cumsum(gaps) - np.cumsum(gaps)[first][who]
    sbp = rng.normal(0, BETWEEN**0.5, patients)[who] + rng.normal(0, WITHIN**0.5, len(who)) + 0.01 * day
    grade, ward, missing = (np.zeros(len(who), dtype=int) for _ in range(3))
    for i in range(len(who)):
        fresh = gaps[i] == 0
        grade[i] = rng.integers(0, 3) if fresh or rng.random() < 0.15 else grade[i - 1]
        ward[i] = rng.integers(0, 3) if fresh or rng.random() < 0.2 else ward[i - 1]
        missing[i] = rng.random() < (0.3 if fresh else 0.7 if missing[i - 1] else 0.15)
    last = first + counts - 1
    age = rng.integers(30, 90, patients)
    died = rng.random(patients) < (age - 20) / 100
    table = pd.DataFrame(
        {
            "patient": [f"{'abcdefgh'[seed % 8]}{seed}-{i}" for i in who],
            "arm": pd.Categorical(rng.choice(["A", "B"], patients)[who], categories=["A", "B"]),
            "age": pd.array(age[who], dtype="Int64"),
            "followed": pd.array((day[last] + rng.integers(0, 90, patients))[who], dtype="Int64"),
            "died": pd.array(died.astype(int)[who], dtype="Int64"),
            "day": pd.array(day, dtype="Int64"),
            "sbp": sbp.round(3),
            "crp": np.where(missing == 1, np.nan, (sbp + rng.normal(0, 1, len(who))).round(3)),
            "grade": pd.Categorical(np.array(["I", "II", "III"])[grade], categories=["I", "II", "III"], ordered=True),
            "ward": pd.Categorical(np.array(["north", "south", "west"])[ward], categories=["north", "south", "west"]),
        }
    )
    if dates:
        start = pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 1500, patients), unit="D")
        table["day"] = start.to_numpy()[who] + pd.to_timedelta(day, unit="D").to_numpy()
    return table


def shuffled(table: pd.DataFrame, *columns: str, seed: int = 0) -> pd.DataFrame:
    """Return the table with the cells of some columns shuffled over all visits."""
    rng = np.random.default_rng(seed)
    return table.assign(**{name: table[name].iloc[rng.permutation(len(table))].array for name in columns})


def compared(synthetic: pd.DataFrame, *, dates: bool = False, patients: int = 150) -> Comparison:
    """Put a synthetic table beside training and holdout patients."""
    return Comparison.of(
        synthetic,
        train=cohort(patients, 1, dates=dates),
        holdout=cohort(patients, 2, dates=dates),
        schema=DATED if dates else SCHEMA,
        random_state=3,
    )
