"""Hypothesis strategies: a random schema, and a table simulated from it as a hospital would hand it over."""

from __future__ import annotations

import string
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from synthclin.schema import Schema
from synthclin.schema.columns import Boolean, Category, Code, Column, Date, Datetime, Id, Integer, Ordinal, Text

WORDS = st.text(string.ascii_letters + "äß.-", min_size=1, max_size=6).filter(lambda word: word.casefold() != "true")


def levels(least: int) -> st.SearchStrategy[list[Any]]:
    texts = st.lists(WORDS, min_size=least, max_size=5, unique_by=str.casefold)
    return texts | st.lists(st.integers(-5, 40), min_size=least, max_size=5, unique=True)


@st.composite
def bounds(draw: st.DrawFn, numbers: st.SearchStrategy[Any]) -> list[Any]:
    return sorted(draw(st.lists(numbers, min_size=2, max_size=2)))


@st.composite
def columns(draw: st.DrawFn) -> dict[str, Any]:
    day = st.dates(pd.Timestamp("1900-01-01").date(), pd.Timestamp("2100-01-01").date())
    reals = st.floats(-1e6, 1e6).map(lambda value: value + 0.0)  # no -0.0
    kinds: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "number": {"range": bounds(reals), "scale": st.sampled_from(["linear", "log"])},
        "duration": {"range": bounds(reals), "unit": st.sampled_from(["s", "d", "a"])},
        "integer": {"range": bounds(st.integers(-(10**9), 10**9))},
        "date": {"range": bounds(day.map(str))},
        "datetime": {"range": bounds(day.map(lambda value: f"{value}T12:30:00"))},
        "boolean": {"values": st.sampled_from([[False, True], [0, 1], [1, 2], ["no", "yes"]])},
        "category": {"categories": levels(1)},
        "ordinal": {"categories": levels(2)},
        "code": {"system": WORDS},
        "id": {},
        "text": {},
    }
    kind = draw(st.sampled_from(sorted(kinds)))
    needed = {"ordinal": "categories", "duration": "unit"}.get(kind)
    words = {word: draw(values) for word, values in kinds[kind].items() if word == needed or draw(st.booleans())}
    missing = {"missing": "allowed"} if kind != "id" and draw(st.booleans()) else {}
    return {"type": kind, **words, **missing}


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    named = draw(st.dictionaries(st.text("abcxyz_ .", min_size=1, max_size=5).filter(str.strip), columns(), max_size=5))
    two = {
        "age in years": {"type": "integer", "range": [0, 120]},
        "sex": {"type": "category", "categories": ["F", "M"]},
    }
    return Schema.model_validate({"columns": {**named, **two}})


def simulate(schema: Schema, rows: int, rng: np.random.Generator) -> pd.DataFrame:
    """Return a table as it may come: text, Python objects or numpy dtypes, some cells missing where that is allowed."""
    table = {}
    for name, column in schema.columns.items():
        cells = cells_of(column, rows, rng)
        if column.missing == "allowed":
            empty = rng.random(rows) < 0.3
            empty[rng.integers(rows)] = False
            cells = [None if gap else cell for cell, gap in zip(cells, empty, strict=True)]
        written = rng.integers(3)
        if written == 0 and not isinstance(column, Category):
            cells = [None if cell is None else str(cell) for cell in cells]
        table[name] = pd.Series(cells, dtype=object) if written < 2 else pd.Series(cells)
    order = rng.permutation(list(table))
    return pd.DataFrame({name: table[name] for name in order})


def cells_of(column: Column, rows: int, rng: np.random.Generator) -> list[Any]:
    match column:
        case Boolean() | Ordinal() | Category():
            known = column.levels or ("a", "b", "C d")
            return [known[place] for place in rng.integers(len(known), size=rows)]
        case Date() | Datetime():
            low, high = map(pd.Timestamp, column.range or ("1990-01-01", "2020-01-01"))
            moments = [low + (high - low) * float(part) for part in rng.random(rows)]
            return [moment.floor("D" if isinstance(column, Date) else "s") for moment in moments]
        case Code():
            return [f"A{number:02d}.{number % 7}0" for number in rng.integers(99, size=rows)]
        case Id() | Text():
            return [f"P {number}" for number in rng.integers(1000, size=rows)]
        case Integer():
            low, high = column.range or (-50, 50)
            return rng.integers(low, high, rows, endpoint=True).tolist()
    low, high = column.range or (-1.0, 1.0)
    return np.clip(rng.uniform(low, high, rows), low, high).tolist()
