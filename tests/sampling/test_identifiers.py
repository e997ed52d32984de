"""Synthetic identifiers: none is a training row's, and samples can be put together."""

import warnings

import numpy as np
import pandas as pd
import pytest

from synthclin.errors import ConfigError
from synthclin.rules.validation import conform
from synthclin.schema import Schema
from synthclin.schema.columns import Id

from .marginal import Marginal


def fitted(ids, column, **changes):
    age = {"type": "integer"}
    schema = Schema.model_validate({"columns": {"patient": {"type": "id", **column}, "age": age, "weight": age}})
    cells = np.random.default_rng(0).integers(20, 90, (2, len(ids)))
    table = pd.DataFrame({"patient": ids, "age": cells[0], "weight": cells[1]})
    model = Marginal(schema)
    return model.fit(conform(table, schema), **changes), set(map(str, ids))


@pytest.mark.parametrize(
    ("ids", "column", "first"),
    [
        ([f"HF-{i:06d}" for i in range(1, 301)], {"format": "HF-{:06d}"}, "HF-001001"),
        ([f"HF-{i}" for i in range(1, 301)], {"format": "HF-{:06d}"}, "HF-001001"),
        ([*range(12, 312)], {"format": "{}"}, "1001"),
        ([f"P{i:03d}X" for i in range(700, 1_000)], {"format": "P{:03d}X"}, "P10001X"),
        ([f"A{i}" for i in range(300)], {"format": "A{:d}", "start": 200}, "A1001"),
        ([f"A{i}" for i in range(100)], {"format": "A{:d}", "start": 200}, "A200"),
        ([f"ward {i}" for i in range(300)], {}, "S000001"),
        (["S999999999999", *(f"x{i}" for i in range(299))], {}, "S10000000000001"),
    ],
)
@pytest.mark.filterwarnings("ignore:synthetic identifiers")
def test_no_synthetic_identifier_is_a_training_rows(ids, column, first):
    model, real = fitted(ids, column)
    sampled = model.sample(2_000, random_state=0)["patient"]
    assert sampled.iloc[0] == first
    assert sampled.is_unique
    assert not real & set(sampled)
    # What the schema keeps is a power of ten, not an identifier.
    start = model.encoder_.schema.columns["patient"].start
    assert start == column.get("start", 1) or set(str(start - 1)) == {"1", "0"}


def test_a_shifted_start_is_said_unless_rows_are_checked():
    with pytest.warns(UserWarning, match="start at number 1,001"):
        fitted([f"S{i}" for i in range(300)], {})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted([f"X{i}" for i in range(300)], {})


@pytest.mark.filterwarnings("ignore:synthetic identifiers")
def test_samples_are_put_together():
    model, real = fitted([f"S{i}" for i in range(1, 301)], {})
    assert model.first_id == 1_001
    one, two = model.sample(100), model.sample(50, where="age > 40", id_start=model.first_id + 100)
    both = pd.concat([one, two])["patient"]
    assert both.is_unique
    assert both.iloc[-1] == "S001150"
    assert not real & set(both)
    with pytest.raises(ConfigError, match="`id_start` is no whole number from 1,001"):
        model.sample(5, id_start=7)


def test_a_start_is_declared():
    assert Id(format="B{:d}", start=40).fresh(2) == ["B40", "B41"]
    assert Schema.model_validate({"columns": {"id": {"type": "id", "start": 7}}}).to_yaml().endswith("start: 7\n")
