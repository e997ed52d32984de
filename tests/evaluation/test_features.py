from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.features import Codebook, Coordinates, Features
from synthclin.schema import Schema

from .clinic import SCHEMA, clinic


def test_values_are_at_schema_precision_and_equal_cells_are_equal_bytes():
    schema = Schema.model_validate(
        {"columns": {"x": {"type": "number", "decimals": 1}, "t": {"type": "date"}, "m": {"type": "datetime"}}}
    )
    table = pd.DataFrame(
        {
            "x": [0.1 + 0.2, -0.01, np.nan],
            "t": pd.to_datetime(["1970-01-02", "1969-12-31", None]),
            "m": pd.to_datetime(["1970-01-01 00:00:01.7", "1969-12-31 23:59:59.0", None]),
        }
    )
    values = Features.of(schema, [table]).values(table)
    assert values[:, 0].tobytes() == np.array([0.3, 0.0, np.nan]).tobytes()
    assert values[:2, 1].tolist() == [1.0, -1.0]
    assert values[:2, 2].tolist() == [1.0, -1.0]
    assert np.isnan(values[2]).all()


def test_levels_of_all_tables_share_one_order():
    schema = Schema.model_validate({"columns": {"site": {"type": "category"}, "yes": {"type": "boolean"}}})
    one = pd.DataFrame({"site": pd.Categorical(["b", "a"]), "yes": pd.array([True, None], dtype="boolean")})
    two = pd.DataFrame({"site": pd.Categorical(["c", "b"]), "yes": pd.array([False, True], dtype="boolean")})
    features = Features.of(schema, [one, two])
    assert features.columns[0].levels == ("a", "b", "c")
    assert features.values(two)[:, 0].tolist() == [2.0, 1.0]
    assert features.values(one)[0, 1] == features.values(two)[1, 1] == 1.0
    assert np.isnan(features.values(one)[1, 1])


def test_identity_and_computed_columns_are_left_out():
    columns = {
        "who": {"type": "id", "role": "entity"},
        "note": {"type": "text"},
        "age": {"type": "integer"},
        "months": {"type": "integer", "derive": "age * 12"},
    }
    table = pd.DataFrame({"age": pd.array([1, 2], dtype="Int64")})
    assert Features.of(Schema.model_validate({"columns": columns}), [table]).names == ("age",)


def test_codes_stay_inside_their_book_for_rows_it_never_saw():
    train, other = clinic(300, 1), clinic(300, 2)
    odd = other.assign(age=pd.array([18] * 150 + [95] * 150, dtype="Int64"), bmi=np.nan)
    features = Features.of(SCHEMA, [train, odd])
    book = Codebook.of(features, features.values(train))
    codes = book.codes(features, features.values(odd))
    assert (codes >= 0).all()
    assert (codes < np.array(book.cardinalities)).all()
    assert (codes[:, features.names.index("bmi")] == book.cardinalities[features.names.index("bmi")] - 1).all()
    one_hot = book.one_hot(codes)
    assert one_hot.shape == (300, sum(book.cardinalities))
    assert (one_hot.sum(axis=1) == len(features)).all()


def test_bins_hold_about_a_tenth_and_a_spike_has_its_own():
    schema = Schema.model_validate({"columns": {"x": {"type": "number"}}})
    table = pd.DataFrame({"x": np.r_[np.zeros(400), np.linspace(1, 2, 600)]})
    features = Features.of(schema, [table])
    values = features.values(table)
    counts = np.bincount(Codebook.of(features, values).codes(features, values)[:, 0])
    assert counts[0] == 400
    assert (counts[1:7] >= 90).all()


def test_rare_levels_share_a_code():
    schema = Schema.model_validate({"columns": {"x": {"type": "code"}}})
    table = pd.DataFrame({"x": pd.Categorical(["a"] * 50 + ["b"] * 11 + ["c"] * 10 + ["d"])})
    features = Features.of(schema, [table])
    values = features.values(table)
    codes = Codebook.of(features, values).codes(features, values)[:, 0]
    assert np.bincount(codes).tolist() == [50, 11, 11]


def test_distances_count_a_level_as_one_and_missing_as_far():
    schema = Schema.model_validate({"columns": {"c": {"type": "category"}, "x": {"type": "number"}}})
    table = pd.DataFrame({"c": pd.Categorical(["a", "b", "a", None]), "x": [1.0, 1.0, 9.0, 1.0]})
    features = Features.of(schema, [table])
    values = features.values(table)
    points = Coordinates.of(features, values).place(values)
    gap = np.linalg.norm(points[:, None] - points[None], axis=2)
    assert gap[0, 1] == pytest.approx(1.0)
    assert 0 < gap[0, 2] <= 1.0
    assert gap[0, 3] == pytest.approx(1.0)
