"""With differential privacy no cell changes how another row is read, which code it has, or on which side it is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.encoding.declared import declared_encoder
from synthclin.rules.validation import readable_cells
from synthclin.schema import Schema
from synthclin.tables import read_table, split
from synthclin.tables.holdout_split import _uniform

DAYS = {"range": ["2000-01-01", "2020-01-01"], "missing": "allowed"}
SCHEMA = Schema.model_validate(
    {
        "columns": {
            "number": {"type": "number", "range": [0, 10], "decimals": 1, "missing": "allowed"},
            "whole": {"type": "integer", "range": [0, 400], "missing_codes": {-9: "unknown"}, "missing": "allowed"},
            "text": {"type": "category", "categories": ["a", "b"], "missing": "allowed"},
            "level": {"type": "category", "categories": [1, 2, 3], "missing": "allowed"},
            "yes": {"type": "boolean", "missing": "allowed"},
            "day": {"type": "date", **DAYS},
            "moment": {"type": "datetime", **DAYS},
            "clock": {"type": "time", "missing": "allowed"},
        }
    }
)
# Cells with a space before them, and whole numbers in several spellings.
ROWS = {
    "number": ["1.5", " 2.0", "3"],
    "whole": ["5", " 6", "7.0"],
    "text": ["a", "b", "a"],
    "level": ["1", " 2", "3.0"],
    "yes": ["true", "false", "true"],
    "day": ["2001-01-01", "2002-02-02", "2003-03-03"],
    "moment": ["2001-01-01", "2002-02-02", "2003-03-03"],
    "clock": ["1200", "0930", "0000"],
}
CELLS = ["abc", "", "1e400", "-inf", "9" * 20, "2262-04-11", "true", "1,5", "1.5", "007", " 1 ", "-0.0", "-9"]
CELLS += ["2001-01-01 10:11:12", "2001-01-01T10:11:12.999999", "9999-12-31"]


def known(path, columns, comma):
    """Return codes and sides of the rows of a file."""
    lines = [*zip(*columns.values(), strict=True)]
    if comma:
        lines = [[cell.replace(".", ",") for cell in line] for line in lines]
    path.write_text("\n".join([";".join(columns), *map(";".join, lines)]))
    table = read_table(path, SCHEMA, partial=True, separator=";", decimal="," if comma else None)
    cells = readable_cells(table, SCHEMA)
    sides = _uniform(table, SCHEMA, 5)
    assert sides.tolist() == _uniform(cells, SCHEMA, 5).tolist()
    return declared_encoder(SCHEMA).encode(cells).codes.numpy(), sides


@pytest.mark.parametrize(("name", "comma"), [*((name, False) for name in ROWS), ("number", True), ("level", True)])
def test_no_cell_changes_another_row(tmp_path, name, comma):
    path = tmp_path / "ward.csv"
    codes, sides = known(path, ROWS, comma)
    for place, cell in zip([0, 3] * len(CELLS), CELLS, strict=False):
        more = {key: [*cells[:place], cells[0], *cells[place:]] for key, cells in ROWS.items()}
        more[name][place] = cell
        found, others = known(path, more, comma)
        assert np.delete(found, place, 0).tolist() == codes.tolist(), cell
        assert np.delete(others, place).tolist() == sides.tolist(), cell


def test_a_number_is_read_whatever_the_other_cells(tmp_path):
    path = tmp_path / "ward.csv"
    path.write_text("number;level\n 1,5;2\n2,5;x\n1.5;3\n")
    table = readable_cells(read_table(path, SCHEMA, partial=True, separator=";", decimal=","), _of("number", "level"))
    assert table["number"].fillna(-1).tolist() == [1.5, 2.5, -1]
    assert table["level"].astype(object).where(table["level"].notna(), None).tolist() == [2, None, 3]


def _of(*names: str) -> Schema:
    return SCHEMA.model_copy(update={"columns": {name: SCHEMA.columns[name] for name in names}})


def test_a_raw_table_is_split_by_what_its_cells_mean():
    table = pd.DataFrame({"number": range(40), "level": [1, 2] * 20})
    schema = _of("number", "level")
    gap = pd.concat([table, pd.DataFrame({"number": [np.nan], "level": [np.nan]})], ignore_index=True)
    _, some = split(table, schema, 0.5, 5, stable=True)
    _, same = split(gap, schema, 0.5, 5, stable=True)
    assert 5 < len(some) < 35
    assert same["number"].dropna().tolist() == some["number"].tolist()
