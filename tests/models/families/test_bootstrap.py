"""The bootstrap: rows of the training table, conditions on them, and nothing written."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConfigError
from synthclin.schema import Schema
from tests.ward import SCHEMA, ward

SCHEMA_OF_LEVELS = Schema.model_validate(
    {"columns": {name: {"type": "category", "categories": list("abcde")} for name in "xyz"}}
)


def table(rows=300, seed=0):
    rng = np.random.default_rng(seed)
    return pd.DataFrame({name: rng.choice(list("abcde"), rows, p=[0.4, 0.3, 0.15, 0.1, 0.05]) for name in "xyz"})


def tuples(rows):
    return list(map(tuple, rows.astype(str).to_numpy()))


def test_every_row_is_a_training_row_as_often_as_it_is_there():
    real = table()
    sampled = sc.Bootstrap(SCHEMA_OF_LEVELS, rare_category=1).fit(real).sample(6_000, random_state=1)
    known = set(tuples(real))
    assert np.mean([row in known for row in tuples(sampled)]) > 0.997
    most = pd.Series(tuples(real)).value_counts(normalize=True).head(5)
    found = pd.Series(tuples(sampled)).value_counts(normalize=True)
    assert found[most.index].tolist() == pytest.approx(most.tolist(), abs=0.015)


def test_a_cohort_is_the_training_rows_that_satisfy_the_condition():
    real = table()
    model = sc.Bootstrap(SCHEMA_OF_LEVELS, rare_category=1).fit(real)
    cohort = model.sample(2_000, "x == 'b' and z != 'a'", random_state=1)
    inside = real[(real["x"] == "b") & (real["z"] != "a")]
    assert (cohort["y"] == "a").mean() == pytest.approx((inside["y"] == "a").mean(), abs=0.04)
    assert model.sample_facts_.probability == pytest.approx(len(inside) / len(real), abs=0.02)


def test_the_likelihood_is_the_share_of_equal_rows():
    real = table()
    model = sc.Bootstrap(SCHEMA_OF_LEVELS, rare_category=1).fit(real)
    counts = pd.Series(tuples(real)).map(pd.Series(tuples(real)).value_counts()).to_numpy()
    assert np.exp(model.log_likelihood(real)) == pytest.approx(counts / len(real), rel=0.02)


def test_imputation_takes_the_cells_of_like_rows():
    real = table().assign(z=lambda t: t["x"])
    model = sc.Bootstrap(SCHEMA_OF_LEVELS, rare_category=1).fit(real)
    completed = model.impute(real.assign(z=pd.NA).head(100), random_state=1)
    assert (completed["z"].astype(str) == real["x"].head(100)).mean() > 0.98


def test_nothing_of_it_is_written(tmp_path):
    model = sc.Bootstrap(SCHEMA).fit(ward(60))
    for use in (lambda: model.save(tmp_path / "model"), model.parts):
        with pytest.raises(ConfigError, match="training rows, which never leave"):
            use()
    assert not (tmp_path / "model").exists()
