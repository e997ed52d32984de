"""A simulated ward: the sensitive column is independent of all others, so that only leakage can disclose it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthclin.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "age": {"type": "integer", "range": [18, 95], "disclosure": "quasi_identifier"},
            "sex": {"type": "category", "categories": ["F", "M"], "disclosure": "quasi_identifier"},
            "zip": {"type": "integer", "range": [0, 999], "disclosure": "quasi_identifier"},
            "weight": {"type": "number", "decimals": 1},
            "crp": {"type": "number", "decimals": 2, "missing": "allowed"},
            "hiv": {"type": "category", "categories": ["no", "yes", "unknown"], "disclosure": "sensitive"},
        }
    }
)


def ward(rows: int, seed: int) -> pd.DataFrame:
    """Sample typed patients."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": pd.array(rng.integers(18, 96, rows), dtype="Int64"),
            "sex": pd.Categorical(rng.choice(["F", "M"], rows), categories=["F", "M"]),
            "zip": pd.array(rng.integers(0, 1000, rows), dtype="Int64"),
            "weight": rng.normal(75, 12, rows).round(1),
            "crp": np.where(rng.random(rows) < 0.1, np.nan, rng.exponential(5, rows).round(2)),
            "hiv": pd.Categorical(rng.choice(["no", "yes", "unknown"], rows), categories=["no", "yes", "unknown"]),
        }
    )


def jittered(table: pd.DataFrame, seed: int = 4) -> pd.DataFrame:
    """Move the numbers a little: no row is a copy any more."""
    rng = np.random.default_rng(seed)
    years = rng.choice([-1, 1], len(table))
    return table.assign(
        age=(table["age"] + years).clip(18, 95),
        weight=(table["weight"] + rng.normal(0, 0.3, len(table))).round(1),
        zip=(table["zip"] + years).clip(0, 999),
    )
