"""A ward of invented patients: schema, table and a model fitted on it, for tests of models and of sampling."""

import numpy as np
import pandas as pd
import pytest

from synthclin.models import ConditionalGAN
from synthclin.rules.validation import conform
from synthclin.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "pid": {"type": "id", "format": "P-{:04d}"},
            "sex": {"type": "category", "categories": ["F", "M"]},
            "age": {"type": "integer", "range": [18, 100]},
            "bmi": {"type": "number", "range": [12, 60], "decimals": 1, "missing": "allowed"},
            "stage": {"type": "ordinal", "categories": ["I", "II", "III"]},
            "pregnant": {"type": "boolean", "missing_when": "sex == 'M'"},
            "sbp": {"type": "integer", "range": [60, 260]},
            "dbp": {"type": "integer", "range": [0, 200]},
            "pulse_pressure": {"type": "number", "derive": "sbp - dbp"},
        },
        "constraints": ["dbp < sbp", {"when": "age > 60", "then": "pregnant is missing or not pregnant"}],
    }
)


def ward(rows=400, seed=0):
    """A ward where everything hangs together: stage by age, pressure by age, missing BMI by stage."""
    rng = np.random.default_rng(seed)
    sex = rng.choice(["F", "M"], rows)
    age = rng.integers(18, 95, rows)
    sbp = (100 + 0.5 * age + rng.normal(0, 10, rows)).round().astype(int)
    stage = np.select([age < 45, age < 70], ["I", "II"], "III")
    bmi = np.round(rng.normal(26, 4, rows).clip(14, 50), 1)
    frame = pd.DataFrame(
        {
            "pid": [f"R{i}" for i in range(rows)],
            "sex": sex,
            "age": age,
            "bmi": np.where((stage == "III") & (rng.random(rows) < 0.5), np.nan, bmi),
            "stage": stage,
            "pregnant": pd.Series(
                np.where(sex == "M", None, np.where(age < 45, rng.random(rows) < 0.4, False)), dtype=object
            ),
            "sbp": sbp,
            "dbp": sbp - rng.integers(20, 60, rows),
        }
    )
    frame["pulse_pressure"] = frame["sbp"] - frame["dbp"]
    return conform(frame, SCHEMA)


@pytest.fixture(scope="session")
def table():
    return ward()


@pytest.fixture(scope="session")
def model(table):
    return ConditionalGAN(SCHEMA, effort="quick", random_state=3).fit(table)
