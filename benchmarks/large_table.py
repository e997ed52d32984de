"""A made registry of any size: columns of several kinds, associated by three latent traits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

BATCH = 250_000
"""Rows of a file."""

KINDS = ("lab", "flag", "score", "level", "age")
"""In turn: a skewed number with one decimal, 0 or 1, a whole number with many zeros, one of a few levels, a number."""

LETTERS = "ABCDEFGH"


def schema(columns: int) -> dict[str, Any]:
    """Return the schema of a table of so many columns besides the patient's identifier."""
    declared: dict[str, Any] = {"patient": {"type": "id", "format": "R{:09d}", "role": "entity"}}
    for j in range(columns):
        kind = KINDS[j % len(KINDS)]
        declared[f"{kind}_{j}"] = {
            "lab": {"type": "number", "range": [0, 2000], "decimals": 1, "missing": "allowed"},
            "flag": {"type": "boolean", "values": [0, 1]},
            "score": {"type": "integer", "range": [0, 60]},
            "level": {"type": "category", "categories": list(LETTERS[: 3 + j % 6])},
            "age": {"type": "integer", "range": [0, 110]},
        }[kind]
    declared["flag_1"] |= {"role": "event"}
    return {"columns": declared}


def batch(rows: int, columns: int, number: int, first: int) -> pd.DataFrame:
    """Return one file's rows; the same number gives the same rows."""
    rng = np.random.default_rng([20261129, number])
    traits = rng.normal(size=(rows, 3))
    made: dict[str, Any] = {"patient": [f"R{i:09d}" for i in range(first, first + rows)]}
    loadings = np.random.default_rng(7).normal(size=(columns, 3)) / 1.5
    for j in range(columns):
        kind = KINDS[j % len(KINDS)]
        z = traits @ loadings[j] + rng.normal(size=rows)
        z /= np.sqrt(1 + loadings[j] @ loadings[j])
        if kind == "lab":
            cells = np.exp(3 + 0.5 * z).clip(0, 2000).round(1)
            made[f"lab_{j}"] = np.where(rng.random(rows) < 0.02 + 0.1 * (traits[:, 0] > 1), np.nan, cells)
        elif kind == "flag":
            made[f"flag_{j}"] = (z > 0.5 + (j % 7) / 4).astype(np.int8)
        elif kind == "score":
            made[f"score_{j}"] = np.where(z > 0, np.minimum(60, (z * 12).astype(np.int16)), 0)
        elif kind == "level":
            count = 3 + j % 6
            edges = np.linspace(-1.5, 1.5, count - 1)
            made[f"level_{j}"] = np.array(list(LETTERS[:count]), dtype=object)[np.searchsorted(edges, z)]
        else:
            made[f"age_{j}"] = (60 + 15 * z).clip(0, 110).astype(np.int16)
    return pd.DataFrame(made)


def write(folder: Path, rows: int, columns: int) -> None:
    """Write a table of so many rows into a folder of Parquet files."""
    folder.mkdir(parents=True)
    for number, first in enumerate(range(0, rows, BATCH)):
        part = batch(min(BATCH, rows - first), columns, number, first)
        part.to_parquet(folder / f"part-{number:05d}.parquet", index=False, compression="zstd")
