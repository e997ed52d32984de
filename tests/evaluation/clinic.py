"""A simulated clinic of any number of patients, with a known distribution."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthclin.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "age": {"type": "integer", "unit": "a", "range": [18, 95]},
            "sex": {"type": "category", "categories": ["F", "M"]},
            "bmi": {"type": "number", "range": [10, 70], "decimals": 1, "missing": "allowed"},
            "weight": {"type": "number", "range": [20, 250], "decimals": 1, "missing": "allowed"},
            "nyha": {"type": "ordinal", "categories": ["I", "II", "III", "IV"]},
            "site": {"type": "category"},
            "seen": {"type": "date"},
            "died": {"type": "boolean", "values": [0, 1], "role": "outcome"},
        },
        "constraints": ["age >= 30"],
    }
)
LOG_HAZARD_RATIO = -0.9
TRIAL = (
    SCHEMA.with_column("age", role="baseline")
    .with_column("sex", role="baseline")
    .with_column("rhythm", type="category", categories=["sinus", "flutter", "paced"], role="baseline")
    .with_column(
        "arm",
        type="category",
        categories=["control", "drug"],
        role="treatment",
        allocation={"control": 1, "drug": 1},
        randomised=["site"],
    )
    .with_column("months", type="number", range=[0, 40], decimals=4, role="time")
    .with_column("end", type="category", categories=["alive", "cardiac", "other"], censored="alive", role="event")
)


def clinic(rows: int, seed: int) -> pd.DataFrame:
    """Sample typed patients whose columns depend on each other; bmi and weight are missing together."""
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 90, rows)
    sex = rng.choice(["F", "M"], rows)
    bmi = 24 + (sex == "M") * 2 + rng.normal(0, 3, rows)
    unknown = rng.random(rows) < np.where(sex == "M", 0.35, 0.1)
    severity = (age - 60) / 15 + rng.normal(0, 1, rows)
    nyha = np.array(["I", "II", "III", "IV"])[np.digitize(severity, [-1, 0, 1])]
    died = (rng.random(rows) < 1 / (1 + np.exp(-1.5 * severity))).astype(int)
    site = np.where(age > 60, rng.choice(["north", "south"], rows, p=[0.8, 0.2]), rng.choice(["south", "west"], rows))
    return pd.DataFrame(
        {
            "age": pd.array(age, dtype="Int64"),
            "sex": pd.Categorical(sex, categories=["F", "M"]),
            "bmi": np.where(unknown, np.nan, bmi.round(1)),
            "weight": np.where(unknown, np.nan, (bmi * 2.9).round(1)),
            "nyha": pd.Categorical(nyha, categories=["I", "II", "III", "IV"], ordered=True),
            "site": pd.Categorical(site, categories=["north", "south", "west"]),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 700, rows), unit="D"),
            "died": pd.array(died, dtype="Int64"),
        }
    )


def trial(rows: int, seed: int) -> pd.DataFrame:
    """Sample typed patients of the clinic in a trial of a drug that halves the hazard of two competing causes of death.

    Few have a flutter, and nobody of class I is paced.
    """
    rng = np.random.default_rng([seed, 1])
    table = clinic(rows, seed)
    drug = rng.random(rows) < 0.5
    worse = (table["age"].to_numpy(dtype=float) - 60) / 20
    death = rng.exponential(20 * np.exp(-worse - LOG_HAZARD_RATIO * drug))
    stop = rng.uniform(6, 40, rows)
    rhythm = rng.choice(["sinus", "flutter", "paced"], rows, p=[0.82, 0.08, 0.1])
    rhythm = np.where((rhythm == "paced") & (table["nyha"] == "I"), "sinus", rhythm)
    cause = rng.choice(["cardiac", "other"], rows, p=[0.7, 0.3])
    return table.assign(
        rhythm=pd.Categorical(rhythm, categories=["sinus", "flutter", "paced"]),
        arm=pd.Categorical(np.where(drug, "drug", "control"), categories=["control", "drug"]),
        months=np.minimum(death, stop).round(4),
        end=pd.Categorical(np.where(death <= stop, cause, "alive"), categories=["alive", "cardiac", "other"]),
    )


def shuffled(table: pd.DataFrame, *columns: str, seed: int = 5) -> pd.DataFrame:
    """Shuffle columns on their own: all of them, or those named."""
    rng = np.random.default_rng(seed)
    changed = {name: table[name].iloc[rng.permutation(len(table))].array for name in columns or table.columns}
    return table.assign(**changed)
