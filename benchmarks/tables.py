"""Tables to measure on: shipped ones by name, DATA:SCHEMA, or a folder with `data.csv` and `meta.json`."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

import synthclin as sc
from synthclin.rules.validation import conform


def read(source: str) -> tuple[pd.DataFrame, sc.Schema]:
    """Return a typed table and its schema."""
    if (Path(source) / "meta.json").is_file():
        return _described(Path(source))
    if ":" in source:
        data, schema = source.split(":")
        schema = sc.Schema.read(schema)
        return sc.read_table(data, schema), schema
    return sc.datasets.load(source)


def _described(folder: Path) -> tuple[pd.DataFrame, sc.Schema]:
    """Read a folder whose `meta.json` says the kind of each column; identifiers are left out."""
    meta = json.loads((folder / "meta.json").read_text())
    data = next(folder.glob("data.csv*"))
    columns = {name: about for name, about in meta["columns"].items() if about["kind"] != "identifier"}
    declared = {name: _declaration(about) for name, about in columns.items()}
    # `NO` and `None` are levels here; only an empty cell is missing.
    text = pd.read_csv(data, dtype=str, keep_default_na=False, na_values=[""], usecols=list(columns))[list(columns)]
    for name, column in declared.items():
        if column["type"] == "number":
            cells = text[name].dropna()
            column["decimals"] = min(12, int(cells.str.partition(".")[2].str.len().max() or 0))
        if column["type"] in ("number", "integer"):
            text[name] = pd.to_numeric(text[name])
    schema = sc.Schema(columns=declared)
    return conform(text, schema), schema


def _declaration(about: dict) -> dict:
    kind = about["kind"]
    if kind in ("continuous", "integer"):
        return {"type": "number" if kind == "continuous" else "integer", "missing": "allowed"}
    if kind == "ordinal":
        return {"type": "ordinal", "categories": [str(level) for level in about["categories"]], "missing": "allowed"}
    return {"type": "category", "missing": "allowed"}
