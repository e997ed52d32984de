"""A small table of patients with visits, made for tests."""

from __future__ import annotations

import numpy as np
import pandas as pd

from synthclin.schema import Schema

COLUMNS = {
    "who": {"type": "id", "format": "Z{:04d}", "role": "entity"},
    "arm": {"type": "category", "categories": ["A", "B"], "role": "treatment", "static": True},
    "age": {"type": "integer", "range": [18, 95], "static": True},
    "end": {"type": "integer", "range": [0, 2000], "role": "time", "static": True},
    "died": {"type": "boolean", "values": [0, 1], "role": "event", "static": True},
    "day": {"type": "integer", "range": [0, 2000], "role": "visit"},
    "sbp": {"type": "integer", "range": [60, 240]},
    "dbp": {"type": "integer", "range": [30, 160]},
    "crp": {"type": "number", "range": [0.1, 500], "decimals": 1, "missing": "allowed"},
    "stage": {"type": "ordinal", "categories": [1, 2, 3]},
    "smoker": {"type": "category", "categories": ["no", "yes", "former"]},
    "pulse": {"type": "integer", "range": [1, 200], "derive": "sbp - dbp"},
    "older": {"type": "boolean", "derive": "age >= 60"},
}


def schema(**changes):
    """Return the schema, with some of its keys changed."""
    columns = {name: {**COLUMNS[name], **changes.pop(name, {})} for name in COLUMNS}
    columns = {name: {k: v for k, v in column.items() if v is not None} for name, column in columns.items()}
    rules = changes.pop("constraints", ["dbp < sbp", {"when": "stage == 1", "then": "smoker != 'former'"}])
    return Schema.model_validate({"columns": columns, "constraints": rules, **changes})


def visits(patients=120, seed=0):
    """Return visits of patients whose pressure persists, of whom the old have a shorter follow-up."""
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(patients):
        age, arm, count = int(rng.integers(30, 90)), "AB"[i % 2], int(rng.integers(1, 7))
        level, day, stage = rng.normal(130 + 0.3 * (age - 60), 14), 0, int(rng.integers(1, 3))
        days = [0]
        for _ in range(count - 1):
            days.append(days[-1] + int(rng.integers(80, 100)))
        end, died = days[-1] + int(rng.integers(0, 60)), int(rng.random() < age / 150)
        habit = ["no", "yes", "former"][int(rng.integers(3))]
        for day in days:
            sbp = int(np.clip(level + rng.normal(0, 5) - (arm == "B") * day / 60, 70, 230))
            stage = min(3, stage + int(rng.random() < 0.1))
            smoker = habit if stage > 1 else "no"
            crp = round(float(np.clip(np.exp(rng.normal(stage, 0.5)), 0.1, 400)), 1) if rng.random() < 0.8 else None
            rows.append([f"P{i:04d}", arm, age, end, died, day, sbp, int(sbp * 0.6), crp, stage, smoker])
    names = [name for name in COLUMNS if name not in {"pulse", "older"}]
    table = pd.DataFrame(rows, columns=names)
    return table.assign(pulse=table["sbp"] - table["dbp"], older=table["age"] >= 60)
