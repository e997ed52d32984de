"""Any table of clinical data, as a hypothesis strategy: every type, missing codes, dates, odd text, extreme numbers."""

from __future__ import annotations

import datetime as dt

import pandas as pd
from hypothesis import strategies as st

from synthclin.rules.validation import conform
from synthclin.schema import Schema

ALLOWED = {"missing": "allowed"}
ODD = [
    "NA",
    "null",
    "0",
    "007",
    "1.0",
    "true",
    " x",
    "x ",
    "a,b;c\td",
    'say "x"',
    "it's",
    "=1+1",
    "\\.",
    "-9",
    "é",
    "日本",
]
LEVEL = st.sampled_from([*ODD, "two\nlines"]) | st.text(
    st.characters(codec="utf-8", exclude_categories=["C"]), min_size=1, max_size=12
)


def columns(levels, name):
    """The columns of a schema; `name` is that of one of them."""
    return {
        "id": {"type": "id"},
        "n": {"type": "integer", **ALLOWED},
        "coded": {"type": "integer", "range": [0, 999], "missing_codes": {-9: "unknown", -8: "refused"}, **ALLOWED},
        "x": {"type": "number", **ALLOWED},
        name: {"type": "number", "decimals": 2, "missing_codes": {"ND": "not done"}, **ALLOWED},
        "weeks": {"type": "duration", "unit": "wk", "decimals": 0, **ALLOWED},
        "day": {"type": "date", **ALLOWED},
        "at": {"type": "datetime", **ALLOWED},
        "clock": {"type": "time", **ALLOWED},
        "yes": {"type": "boolean", **ALLOWED},
        "zero_one": {"type": "boolean", "values": [0, 1], **ALLOWED},
        "level": {"type": "category", "categories": levels, "label": "A level", **ALLOWED},
        "grade": {"type": "ordinal", "categories": [1, 2, 3], "labels": {1: "low", 2: "größer", 3: "high"}, **ALLOWED},
        "half": {"type": "ordinal", "categories": [0, 0.5, 1], "labels": {0.5: "half"}, **ALLOWED},
        "drug": {
            "type": "category",
            "categories": ["acetylsalicylic acid", "b"],
            "labels": {"b": "Blocker"},
            **ALLOWED,
        },
        "mixed": {"type": "category", "categories": [1, "x"], **ALLOWED},
        "code": {"type": "code", **ALLOWED},
    }


def moments(low, high):
    return st.datetimes(low, high).map(lambda at: at.replace(microsecond=0))


def cells(levels):
    """A row of cells: the largest whole numbers and the largest and smallest numbers of a table are among them."""
    most = 2**53 - 1
    return [
        st.integers(1, 999).map("P-{:03d}".format),
        st.integers(-most, most) | st.sampled_from([-most, most, 0]),
        st.integers(0, 999) | st.sampled_from([-9, -8]),
        st.floats(-1e150, 1e150) | st.sampled_from([1e150, -1e150, 1e-150, 0.1, 1 / 3]),
        st.integers(-(10**9), 10**9).map(lambda cents: cents / 100) | st.just("ND"),
        st.integers(-999, 999).map(float),
        st.dates(dt.date(1678, 1, 1), dt.date(2261, 12, 31)),
        moments(dt.datetime(1678, 1, 1), dt.datetime(2261, 12, 31)),  # noqa: DTZ001 - cells have no time zone
        st.integers(0, 23).map(lambda hour: f"{hour:02d}:{hour + 7:02d}"),
        st.booleans(),
        st.sampled_from([0, 1]),
        st.sampled_from(levels),
        st.sampled_from([1, 2, 3]),
        st.sampled_from([0, 0.5, 1]),
        st.sampled_from(["acetylsalicylic acid", "b"]),
        st.sampled_from([1, "x"]),
        st.sampled_from(["250.10", "V27", "E11.9"]),
    ]


@st.composite
def tables(draw, *, names=("ldl",), level=LEVEL):
    """A schema and a typed table of it, with at least one known cell in each column."""
    levels = draw(st.lists(level, min_size=2, max_size=4, unique_by=str.strip))
    name = draw(st.sampled_from(names))
    schema = Schema.model_validate({"columns": columns(levels, name)})
    kinds = cells(levels)
    known = ("P-001", 1, 120, 0.5, 3.25, 4.0, dt.date(2020, 2, 29), dt.date(2020, 2, 29), "08:30", True, 1)
    known += (levels[0], 1, 0.5, "b", "x", "V27")
    rows = draw(st.lists(st.tuples(kinds[0], *(st.none() | kind for kind in kinds[1:])), min_size=1, max_size=5))
    frame = pd.DataFrame([known, *rows], columns=list(columns(levels, name)), dtype=object)
    return schema, conform(frame, schema)
