"""Ties: columns that repeat each other are found, survive encoding to the last digit, and never leave their range."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from synthclin.encoding import Encoded, TableEncoder
from synthclin.encoding.tied_columns import TiedColumns
from synthclin.errors import ModelFormatError
from synthclin.models import ConditionalGAN
from synthclin.rules.validation import conform
from synthclin.schema import Schema

pytestmark = pytest.mark.usefixtures("brief_trainings")

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "stay": {"type": "number", "decimals": 2, "range": [0, 400]},
            "follow_up": {"type": "number", "decimals": 2, "range": [0, 100], "missing": "allowed"},
            "other": {"type": "number", "decimals": 2},
            "rough": {"type": "number", "decimals": 1},
            "count": {"type": "integer"},
            "again": {"type": "integer"},
        }
    }
)


def ward(rows=1_500, equal=0.3, seed=0):
    rng = np.random.default_rng(seed)
    stay = rng.exponential(10, rows).round(2).clip(0, 99)
    follow_up = np.where(rng.random(rows) < equal, stay, rng.exponential(30, rows).round(2).clip(0, 99))
    count = rng.integers(0, 3, rows)
    frame = {
        "stay": stay,
        "follow_up": np.where(rng.random(rows) < 0.1, np.nan, follow_up),
        "other": rng.normal(50, 9, rows).round(2),
        "rough": stay.round(1),
        "count": count,
        "again": count,
    }
    return conform(pd.DataFrame(frame), SCHEMA)


@pytest.fixture(scope="module")
def table():
    return ward()


@pytest.fixture(scope="module")
def encoder(table):
    return TableEncoder.fit(table, SCHEMA)


def test_only_columns_whose_bins_would_not_meet_are_tied(encoder):
    # `rough` has other decimals; values of `count` and `again` have codes of their own.
    assert encoder.ties == (TiedColumns("stay", "follow_up"),)
    assert encoder.layout.names[-1] == "stay = follow_up"


@pytest.mark.parametrize(("rows", "equal"), [(900, 0.3), (1_500, 0.05)])
def test_small_tables_and_chance_have_none(rows, equal):
    assert TableEncoder.fit(ward(rows, equal), SCHEMA).ties == ()


def test_equal_cells_come_back_equal_and_others_do_not(table, encoder):
    encoded = encoder.encode(table)
    fresh = Encoded(encoded.codes, torch.rand(encoded.offsets.shape, generator=torch.Generator().manual_seed(0)))
    decoded = encoder.decode(fresh)
    assert (decoded["stay"] == decoded["follow_up"]).mean() == pytest.approx(
        (table["stay"] == table["follow_up"]).mean(), abs=0.01
    )
    assert decoded["follow_up"].isna().equals(table["follow_up"].isna())


def test_a_repeated_cell_stays_in_its_range_and_missing_stays_missing(table, encoder):
    encoded = encoder.encode(table)
    encoded.codes[:, -1] = 1
    decoded = encoder.decode(encoded)
    assert decoded["follow_up"].dropna().between(0, 100).all()
    cells = pd.DataFrame({"stay": [300.0, 5.0], "follow_up": [7.0, np.nan]})
    tied = encoder.tied(cells, np.ones((2, len(encoder.layout)), dtype=np.int64))
    assert tied["follow_up"].tolist()[0] == 7.0
    assert np.isnan(tied["follow_up"][1])


@pytest.mark.parametrize("end", ["closed - entered", "other", "2 * (closed - entered)", "40"])
def test_an_end_of_follow_up_is_a_tie_in_small_tables_too(end):
    rng, whole = np.random.default_rng(0), {"type": "integer", "range": [0, 3_000]}
    columns = {"days": {**whole, "role": "time", "missing": "allowed"}, "entered": whole, "closed": whole}
    columns["other"] = {"type": "duration", "unit": "d", "range": [0, 5_000], "decimals": 0}
    columns["died"] = {"type": "boolean", "role": "event", "administrative": end}
    schema = Schema.model_validate({"columns": columns})
    table = pd.DataFrame({"entered": rng.integers(0, 900, 300), "closed": rng.integers(1_500, 2_000, 300)})
    last = table["closed"] - table["entered"]
    table = table.assign(days=np.where(rng.random(300) < 0.4, last, 30), other=last.astype(float), died=False)
    table.loc[:30, "days"] = np.nan
    typed = conform(table, schema)
    encoder = TableEncoder.fit(typed, schema)
    if end not in ("closed - entered", "other"):
        assert encoder.ties == ()
        return
    assert encoder.ties == (TiedColumns(end, "days", declared=True),)
    encoded = encoder.encode(typed)
    fresh = Encoded(encoded.codes, torch.rand(encoded.offsets.shape, generator=torch.Generator().manual_seed(0)))
    decoded = encoder.decode(fresh)
    given = decoded["other"] if end == "other" else decoded["closed"] - decoded["entered"]
    at_end = (typed["days"] == last).fillna(value=False)
    assert (decoded["days"] == given)[at_end].all()
    assert decoded["days"].isna().equals(typed["days"].isna())
    data = json.loads(json.dumps(encoder.to_dict()))
    assert TableEncoder.from_dict(data, schema).ties == encoder.ties
    with pytest.raises(ModelFormatError):
        TableEncoder.from_dict(data | {"ties": [["closed - 7", "days"]]}, schema)


def test_it_is_written_and_read(encoder):
    data = json.loads(json.dumps(encoder.to_dict()))
    assert TableEncoder.from_dict(data, SCHEMA).ties == encoder.ties


@pytest.mark.parametrize(
    "ties",
    [None, 3, [3], [["stay"]], [["stay", "stay"]], [["stay", "nobody"]], [["stay", "rough"]], [["count", "stay"]]],
)
def test_forged_ties_are_refused(encoder, ties):
    data = json.loads(json.dumps(encoder.to_dict())) | {"ties": ties}
    with pytest.raises(ModelFormatError):
        TableEncoder.from_dict(data, SCHEMA)


def test_a_model_repeats_and_completes_by_the_tie(table):
    model = ConditionalGAN(SCHEMA, effort="quick", width=32, random_state=1).fit(table)
    sampled = model.sample(1_000)
    assert (sampled["stay"] == sampled["follow_up"]).mean() == pytest.approx(0.27, abs=0.08)
    low = model.sample(200, where="follow_up < 5 and stay > 1")
    assert (low["follow_up"] < 5).all()
    assert (low["stay"] > 1).all()
    holes = table.iloc[:200].assign(follow_up=np.nan)
    done = model.impute(holes)
    assert done["stay"].equals(holes["stay"])
    assert (done["stay"] == done["follow_up"]).mean() > 0.15
    back = model.impute(table.iloc[:200].assign(stay=np.nan), columns=["stay"])
    assert back["follow_up"].equals(table["follow_up"].iloc[:200])
    assert (back["stay"] == back["follow_up"]).mean() > 0.15
