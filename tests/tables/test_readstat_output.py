"""Files of SPSS, Stata and SAS out: what is written is read back, with labels, missing codes and equal bytes."""

from __future__ import annotations

import time

import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import DataError
from synthclin.rules.validation import conform
from synthclin.schema.codebook import codebook
from synthclin.tables import readstat_output

pyreadstat = pytest.importorskip("pyreadstat", reason="the extra `readstat` is not installed")

ENDINGS = ["sav", "dta", "xpt"]
SCHEMA = sc.Schema.model_validate(
    {
        "columns": {
            "id": {"type": "id", "format": "P-{:04d}"},
            "sex": {
                "type": "category",
                "categories": [1, 2],
                "label": "Sex of the patient",
                "labels": {1: "male", 2: "female"},
                "missing": "allowed",
                "missing_codes": {9: "refused"},
            },
            "sbp": {
                "type": "integer",
                "unit": "mm[Hg]",
                "range": [50, 260],
                "label": "Blood pressure",
                "missing": "allowed",
                "missing_codes": {-9: "unknown", -8: "not done"},
            },
            "ldl": {"type": "number", "decimals": 2, "range": [0, 20], "missing": "allowed"},
            "drug": {"type": "category", "categories": ["Ärzte ASS", "none"], "missing": "allowed"},
            "dead": {"type": "boolean", "missing": "allowed"},
            "day": {"type": "date", "missing": "allowed"},
            "note": {"type": "text", "missing": "allowed"},
        }
    }
)


def typed(rows):
    names = list(SCHEMA.columns)
    return conform(pd.DataFrame(rows, columns=[name for name in names if not name.endswith("_missing")]), SCHEMA)


TABLE = [
    ("P-0001", 1, 120, 3.25, "none", "true", "2021-04-03", "a"),
    ("P-0002", 9, -9, None, None, None, None, None),
    ("P-0003", 2, -8, 2.5, "Ärzte ASS", "false", "1931-12-31", "größer"),
    ("P-0004", None, None, 0, "none", "true", "2021-04-03", "b"),
]


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_is_written_is_read_back(ending, tmp_path):
    table = typed(TABLE)
    path = tmp_path / f"ward.{ending}"
    sc.write_table(table, path, SCHEMA)
    pd.testing.assert_frame_equal(sc.read_table(path, SCHEMA), table)


def test_labels_and_missing_codes_are_in_the_file(tmp_path):
    for ending in ENDINGS:
        sc.write_table(typed(TABLE), tmp_path / f"ward.{ending}", SCHEMA)
        book = codebook(sc.read_table(tmp_path / f"ward.{ending}"))
        assert book["sbp"].label == "Blood pressure"
        assert book["sex"].label == "Sex of the patient"
    spss = codebook(sc.read_table(tmp_path / "ward.sav"))
    assert spss["sex"].levels == {1: "male", 2: "female"}
    assert spss["sex"].missing == {9: "refused"}
    assert spss["sbp"].missing == {-9: "unknown", -8: "not done"}
    stata = codebook(sc.read_table(tmp_path / "ward.dta"))
    assert stata["sex"].levels == {1: "male", 2: "female", 9: "refused"}
    assert pyreadstat.read_sav(tmp_path / "ward.sav")[0]["sbp"].isna().tolist() == [False, True, True, True]


@pytest.mark.parametrize("ending", ENDINGS)
def test_equal_tables_give_equal_bytes_at_any_time(ending, tmp_path, monkeypatch):
    written = []
    for _ in range(2):
        sc.write_table(typed(TABLE), tmp_path / f"ward.{ending}", SCHEMA)
        written.append((tmp_path / f"ward.{ending}").read_bytes())
        time.sleep(1.1)
    assert written[0] == written[1]
    for sign in (
        time.strftime("%Y").encode(),
        time.strftime("%d%b%y").upper().encode(),
        time.strftime("%d %b %y").encode(),
    ):
        assert sign not in written[0][:2_000].replace(b"2021", b"")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    sc.write_table(typed(TABLE), tmp_path / f"ward.{ending}", SCHEMA)
    assert any(day in (tmp_path / f"ward.{ending}").read_bytes() for day in (b"14 Nov 23", b"14 Nov 2023", b"14NOV23"))


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_the_format_cannot_hold_is_refused(ending, tmp_path):
    def written(name, cells, **column):
        columns = {name: {"type": "integer", **column}, "b": {"type": "integer"}}
        schema = sc.Schema.model_validate({"columns": columns})
        sc.write_table(pd.DataFrame({name: cells, "b": [1, 2]}), tmp_path / f"x.{ending}", schema)

    for name in ("größe", "x; DROP TABLE", "2nd", "a" * 80):
        with pytest.raises(DataError, match=f"files ending in '.{ending}' have no such names"):
            written(name, [1, 2])
    with pytest.raises(DataError, match="beyond 2\\^53") as caught:
        written("a", [2**60 + 1, 2])
    assert str(2**60 + 1) not in str(caught.value)
    if ending != "dta":
        with pytest.raises(DataError, match="small letters from capital ones"):
            written("B", [1, 2])
    assert list(tmp_path.iterdir()) == []


def test_the_formats_are_those_that_are_read():
    assert set(readstat_output.WRITING) <= set(sc.tables.table_files.READERS)
