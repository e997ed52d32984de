"""Files that never end or are far too large are refused at once, with the right message."""

import os
import time

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from synthclin.errors import ConfigError, DataError, OutputError, SynthclinError
from synthclin.io.documents import read_json, read_yaml, validate
from synthclin.io.files import refuse_taken, sha256
from synthclin.models.generator.receptive_fields import MOST_CONTEXT, receptive_fields_of, whole_receptive_field
from synthclin.rules.propagation import constraints_of
from synthclin.schema import Schema
from synthclin.tables import read_table

TWO = {"columns": {"a": {"type": "integer"}, "b": {"type": "integer"}}}


@pytest.fixture
def pipe(tmp_path):
    if not hasattr(os, "mkfifo"):
        pytest.skip("no named pipes on this system")

    def make(name):
        os.mkfifo(tmp_path / name)
        return tmp_path / name

    return make


@pytest.mark.parametrize("name", ["ward.csv", "ward.csv.gz", "ward.parquet", "ward.sav"])
def test_a_pipe_in_the_place_of_a_table_is_refused(name, pipe):
    with pytest.raises(DataError, match="is a pipe, socket or device, not a file"):
        read_table(pipe(name))


def test_a_pipe_in_the_place_of_a_document_is_refused(pipe):
    path = pipe("schema.yaml")
    for read in (read_yaml, read_json, Schema.read, sha256):
        with pytest.raises(SynthclinError, match="is a pipe, socket or device"):
            read(path)
    with pytest.raises(OutputError, match="is a pipe, socket or device"):
        refuse_taken(path, overwrite=True)
    with pytest.raises(SynthclinError, match="is a pipe, socket or device"):
        read_yaml("/dev/zero")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("age,sex\n40,F\n" + "x" * 3_000_000 + ",F\n", 3),
        ('age,sex\n"' + "x" * 3_000_000 + '",F\n', 2),
        ('age,sex\n40,F\n40,"' + "x, " * 1_000_000 + '"\n', 3),
        ("x" * 3_000_000 + ",sex\n40,F\n", 1),
        ('"' + "a,b " * 100_000 + '",sex\n40,F\n', 1),
    ],
)
def test_a_cell_of_megabytes_is_named_by_its_line(text, line, tmp_path):
    (tmp_path / "long.csv").write_text(text)
    started = time.monotonic()
    with pytest.raises(DataError, match=rf"line {line}: a cell holds more than 131,072 characters"):
        read_table(tmp_path / "long.csv")
    assert time.monotonic() - started < 10


def test_long_lines_of_short_cells_are_read(tmp_path):
    head, row = ",".join(f"c{i}" for i in range(9_000)), ",".join(["1" * 90] * 9_000)
    (tmp_path / "wide.csv").write_text(f"{head}\n{row}\n{row}\n")
    assert read_table(tmp_path / "wide.csv").shape == (2, 9_000)


@pytest.mark.parametrize("name", ["c{}", "c"])
def test_far_too_many_columns_are_counted(name, tmp_path):
    head, row = ",".join(name.format(i) for i in range(300_000)), ",".join(["1"] * 300_000)
    (tmp_path / "wide.csv").write_text(f"{head}\n{row}\n{row}\n")
    with pytest.raises(DataError, match=r"line 1: names 300,000 columns, more than 10,000"):
        read_table(tmp_path / "wide.csv")


def test_a_wide_parquet_file_is_refused_too(tmp_path):
    pq.write_table(pa.table({f"c{i}": [1, 2] for i in range(10_001)}), tmp_path / "wide.parquet")
    with pytest.raises(DataError, match="names 10,001 columns"):
        read_table(tmp_path / "wide.parquet")


def test_too_many_rules_are_refused_before_they_are_parsed():
    with pytest.raises(ConfigError, match="20,000 rules, at most 2,000"):
        validated(TWO | {"constraints": [f"a + {i} >= b" for i in range(20_000)]})


def validated(document):
    return validate(Schema, document, "schema")


def test_a_long_chain_of_orders_is_bounded():
    columns = {f"c{i}": {"type": "integer", "range": [0, 9_999]} for i in range(301)}
    schema = validated({"columns": columns, "constraints": [f"c{i} <= c{i + 1}" for i in range(300)]})
    assert 300 < len(constraints_of(schema)) <= 1_300


@pytest.mark.parametrize("forged", [None, 5, "x", {"a": 1}, [], [[0]], [[], []], [[]] * 100_000])
def test_forged_receptive_fields_of_a_narrow_table_are_refused(forged):
    with pytest.raises(ValueError, match=r"."):
        receptive_fields_of(8, forged)
    assert receptive_fields_of(8, [[]]) == whole_receptive_field(8)


@pytest.mark.parametrize("ahead", [[True], [0.5], ["0"], [[0]], [1, 0], [0, 0], [32], [-1], None, 3, [*range(32)] * 2])
def test_forged_receptive_fields_of_a_wide_table_are_refused(ahead):
    with pytest.raises((ValueError, TypeError)):
        receptive_fields_of(MOST_CONTEXT + 1, [[], ahead, []])
    assert len(receptive_fields_of(MOST_CONTEXT + 1, [[], [0, 3], []])) == 3
