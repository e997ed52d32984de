"""Codecs of the declaration alone: no cell decides on a code, every declared value has one, bins merge afterwards."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.encoding import Encoded, TableEncoder
from synthclin.encoding.codec_states import LineState
from synthclin.encoding.declared import FINE_BINS, declared_encoder, merged_encoder, refuse_undeclared
from synthclin.errors import ConfigError, ModelFormatError
from synthclin.rules.validation import check, conform, readable_cells
from synthclin.schema import Schema
from synthclin.schema.columns import MissingReason

COLUMNS = {
    "age": {"type": "integer", "range": [0, 127]},
    "crp": {"type": "number", "range": [0, 70000], "decimals": 1, "scale": "log", "spikes": [5.0, 0]},
    "hours": {"type": "integer", "range": [1, 99], "spikes": [40], "missing": "allowed"},
    "dose": {"type": "integer", "range": [0, 300], "step": 5},
    "came": {"type": "date", "range": ["2015-01-01", "2024-12-31"], "missing": "allowed"},
    "clock": {"type": "time"},
    "at": {"type": "datetime", "range": ["2015-01-01 00:00:00", "2024-12-31 00:00:00"]},
    "few": {"type": "integer", "range": [0, 3], "spikes": [0, 1, 2, 3]},
    "one": {"type": "integer", "range": [3, 3]},
    "stay": {"type": "duration", "unit": "d", "range": [0, 30], "decimals": 2},
    "lod": {"type": "number", "decimals": 2, "range": [0, 10], "censored": {"below": 0.5}},
    "sex": {"type": "category", "categories": ["F", "M"], "missing": "allowed"},
    "died": {"type": "boolean"},
    "nyha": {"type": "ordinal", "categories": ["I", "II", "III"]},
    "sbp": {"type": "integer", "range": [50, 260], "missing_codes": {-9: "unknown"}},
}
SCHEMA = Schema.model_validate({"columns": COLUMNS})
ENCODER = declared_encoder(SCHEMA)


def sampled(encoder: TableEncoder, rows: int, seed: int) -> tuple[np.ndarray, pd.DataFrame]:
    """Return uniform codes that may be sampled, and their cells."""
    rng = np.random.default_rng(seed)
    codes = np.stack([rng.choice(np.flatnonzero(~c.never), rows) for c in encoder.layout.columns], axis=1)
    # A cell with a missing reason is missing.
    reason, value = (encoder.layout.names.index(name) for name in (MissingReason.name("sbp"), "sbp"))
    explained = codes[:, reason] != encoder.layout.columns[reason].missing
    codes[explained, value] = encoder.layout.columns[value].missing
    codes[~explained & (codes[:, value] == encoder.layout.columns[value].missing), value] = 0
    offsets = torch.from_numpy(rng.random(codes.shape).astype(np.float32))
    return codes, encoder.decode(Encoded(torch.from_numpy(codes), offsets))


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_every_code_is_a_valid_cell_and_comes_back(seed):
    codes, table = sampled(ENCODER, 40, seed)
    assert [found for found in check(table, SCHEMA) if found.severity == "error"] == []
    assert (ENCODER.encode(table).codes.numpy() == codes).all()


def test_codes_of_a_row_do_not_depend_on_other_rows():
    _, table = sampled(ENCODER, 300, 1)
    extreme = table.tail(1).astype(object)
    extreme.loc[:, ["age", "crp", "hours"]] = [999_999, -1e9, 10**9]
    extreme.loc[:, "sex"] = "a level that nobody declared"
    extreme.loc[:, "came"] = pd.Timestamp("1901-01-01")
    larger = pd.concat([table.astype(object), extreme], ignore_index=True)
    plain, more = (ENCODER.encode(readable_cells(each, SCHEMA)).codes.numpy() for each in (table, larger))
    assert plain.tobytes() == more[:-1].tobytes()
    names = ENCODER.layout.names
    found = {name: int(code) for name, code in zip(names, more[-1], strict=True)}
    sizes = dict(zip(names, ENCODER.layout.cardinalities, strict=True))
    assert found["age"] == sizes["age"] - 1  # clamped to the end of the range
    assert found["crp"] == 0
    assert found["hours"] == sizes["hours"] - 2  # the code after it is missing
    assert found["sex"] == sizes["sex"] - 1  # missing
    assert found["came"] == 0


def test_a_range_has_at_most_128_bins_and_each_spike_a_code():
    sizes = dict(zip(ENCODER.layout.names, ENCODER.layout.cardinalities, strict=True))
    assert sizes["age"] == FINE_BINS
    assert sizes["hours"] == 98 + 1 + 1  # values, a spike, missing
    assert (sizes["few"], sizes["one"], sizes["sex"], sizes["died"], sizes["nyha"]) == (4, 1, 3, 2, 3)
    assert all(size <= FINE_BINS + 3 for size in sizes.values())


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1))
def test_merged_bins_hold_the_same_cells(seed):
    rng = np.random.default_rng(seed)
    merged = {}
    for name, codec in ENCODER.codecs.items():
        if bins := len(getattr(codec, "bins", ())):
            groups = np.concatenate([[0], np.cumsum(rng.random(bins - 1) < 0.3)])
            merged[name] = groups.astype(np.int64), rng.poisson(1.0, bins).astype(float)
    encoder, maps = merged_encoder(ENCODER, merged)
    codes, table = sampled(ENCODER, 40, seed)
    expected = np.stack([to[codes[:, j]] for j, to in enumerate(maps)], axis=1)
    assert (encoder.encode(table).codes.numpy() == expected).all()
    again, cells = sampled(encoder, 40, seed)
    conform(cells, SCHEMA)
    assert (encoder.encode(cells).codes.numpy() == again).all()
    assert all(np.array_equal(np.unique(to), np.arange(to.max() + 1)) for to in maps)


def test_inside_a_merged_bin_the_counts_decide():
    schema = Schema.model_validate({"columns": {"age": {"type": "integer", "range": [0, 3]}, "b": {"type": "boolean"}}})
    fine = declared_encoder(schema)
    counts = np.array([1.0, 0.0, 3.0, 4.0])
    encoder, _ = merged_encoder(fine, {"age": (np.array([0, 0, 0, 1]), counts)})
    rows = 20_000
    codes = torch.zeros(rows, 2, dtype=torch.long)
    offsets = torch.rand(rows, 2, generator=torch.Generator().manual_seed(1))
    shares = encoder.decode(Encoded(codes, offsets))["age"].value_counts(normalize=True)
    assert shares[0] == pytest.approx(0.25, abs=0.02)
    assert shares[2] == pytest.approx(0.75, abs=0.02)
    assert shares.get(1, 0.0) < 0.001


def test_the_merged_encoder_survives_its_file_and_a_forged_one_is_refused():
    encoder, _ = merged_encoder(ENCODER, {"age": (np.arange(128) // 8, np.ones(128))})
    data = json.loads(json.dumps(encoder.to_dict()))
    assert TableEncoder.from_dict(data, SCHEMA).to_dict() == encoder.to_dict()
    for key, value in {"merged": [128, 1], "shares": [0.5] * 128}.items():
        forged = json.loads(json.dumps(data))
        forged["columns"]["age"][key] = value
        with pytest.raises(ModelFormatError, match=r"columns\.age"):
            TableEncoder.from_dict(forged, SCHEMA)


@pytest.mark.parametrize("shares", [(0.5, 0.4), (1.0,), (0.5, 0.5, 1.0)])
def test_shares_must_be_those_of_the_pieces(shares):
    with pytest.raises(ValueError, match="share"):
        LineState(edges=(-0.5, 0.5, 1.5), merged=(2,), shares=shares)


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ({"type": "integer"}, "range"),
        ({"type": "number", "range": [0, 1]}, "decimals"),
        ({"type": "date"}, "range"),
        ({"type": "category"}, "categories"),
        ({"type": "code", "hierarchy": "icd10"}, "categories"),
    ],
)
def test_what_is_not_declared_is_named(column, what):
    columns = {"x": column, "y": {"type": "integer"}, "z": {"type": "boolean"}}
    with pytest.raises(ConfigError) as raised:
        refuse_undeclared(Schema.model_validate({"columns": columns}))
    assert what in str(raised.value)
    assert "column 'x'" in str(raised.value)
    assert "column 'y'" in str(raised.value)
    assert "column 'z'" not in str(raised.value)


def test_anchors_and_observed_combinations_are_refused():
    day = {"type": "date", "range": ["2020-01-01", "2020-12-31"]}
    columns = {"a": day, "b": {**day, "anchor": "a"}, "c": {"type": "boolean"}, "d": {"type": "boolean"}}
    schema = Schema.model_validate({"columns": columns, "constraints": [{"columns": ["c", "d"]}]})
    with pytest.raises(ConfigError) as raised:
        refuse_undeclared(schema)
    assert "anchor" in str(raised.value)
    assert "combinations" in str(raised.value)
