"""The bootstrap: rows of the training table, conditions on them, and nothing written."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
import torch

import synthclin as sc
from synthclin.errors import ConfigError
from synthclin.sampling.sequential import Imposed
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


@pytest.mark.parametrize("column", ["x", "y", "z"])
def test_a_forbidden_code_is_replaced_given_the_cells_before_it(column):
    real = table()
    real["y"] = real["x"].where(real.index % 3 > 0, real["y"])
    model = sc.Bootstrap(SCHEMA_OF_LEVELS, rare_category=1).fit(real)
    layout = model.encoder_.layout
    codes = pd.DataFrame(model.encoder_.encode(real).codes.numpy(), columns=layout.names)
    place = layout.names.index(column)
    forbidden = torch.zeros(layout.cardinalities[place], dtype=torch.bool)
    forbidden[int(codes[column].mode()[0])] = True
    imposed = Imposed(forbidden={place: forbidden})
    encoded, weights = model._sample(20_000, torch.Generator().manual_seed(1), imposed)
    before = [layout.names[j] for j in layout.order[: layout.order.index(place)]]
    allowed = codes[~forbidden.numpy()[codes[column]]]

    def prefixes(rows):
        return pd.Series(list(map(tuple, rows[before].to_numpy())))

    # The cells before it keep their distribution; the others are those of allowed training rows like these.
    share = prefixes(codes).value_counts(normalize=True) / prefixes(allowed).value_counts()
    weight = pd.Series(prefixes(allowed).map(share).to_numpy(), index=pd.MultiIndex.from_frame(allowed))
    expected = weight.groupby(level=[0, 1, 2]).sum()
    found = pd.DataFrame(encoded.codes.numpy(), columns=layout.names).value_counts(normalize=True)
    assert not forbidden[encoded.codes[:, place]].any()
    assert (weights == 0).all()
    assert (found.reindex(expected.index, fill_value=0) - expected).abs().max() < 0.01


def test_rows_without_conditions_take_time_in_proportion_to_their_number():
    codes = pd.concat([table(20_000, seed) for seed in range(2)], ignore_index=True)
    model = sc.Bootstrap(SCHEMA_OF_LEVELS, rare_category=1).fit(codes)
    before = time.process_time()
    model.sample(40_000, random_state=1)
    assert time.process_time() - before < 20


def test_nothing_of_it_is_written(tmp_path):
    model = sc.Bootstrap(SCHEMA).fit(ward(60))
    for use in (lambda: model.save(tmp_path / "model"), model.parts):
        with pytest.raises(ConfigError, match="training rows, which never leave"):
            use()
    assert not (tmp_path / "model").exists()
