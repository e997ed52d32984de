"""Scales of numbers that differ between visits: normal scores, bounds, and cells that come back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kurtosis, skew

from synthclin.encoding import TableEncoder
from synthclin.models.visits.line import linear, normal_knots
from synthclin.models.visits.variables import Variables
from synthclin.schema import Schema


def line_of(values, column=None, per_patient=4):
    """Return the fitted line of a column, and its typed cells."""
    who = np.arange(len(values)) // per_patient
    declared = {
        "who": {"type": "id", "role": "entity"},
        "day": {"type": "integer", "role": "visit"},
        "x": {"type": "number", "decimals": 2, "missing": "allowed"} | (column or {}),
        "y": {"type": "integer"},
    }
    schema = Schema.model_validate({"columns": declared})
    table = pd.DataFrame({"who": who, "day": np.arange(len(values)) % per_patient, "x": values, "y": who % 7})
    table = pd.DataFrame({name: one.coerce(table[name])[0] for name, one in schema.columns.items()})
    encoder = TableEncoder.fit(table, schema, rare_category=11, trim_extremes=11)
    return Variables.fit(table, schema, encoder, who, None, 11).lines[0], table["x"]


@pytest.mark.parametrize("shape", ["lognormal", "left", "bounded", "heavy"])
def test_skewed_and_bounded_values_become_about_normal(shape):
    rng = np.random.default_rng(0)
    values = {
        "lognormal": np.exp(rng.normal(2, 1, 1200)),
        "left": 100 - np.exp(rng.normal(2, 0.8, 1200)),
        "bounded": rng.beta(5, 1.2, 1200) * 50,
        "heavy": 50 + rng.standard_t(3, 1200),
    }[shape]
    line, cells = line_of(values)
    scores = line.read(cells, np.zeros(len(cells)))
    assert abs(skew(scores)) < 0.35
    assert abs(kurtosis(scores)) < max(1.0, kurtosis(values) / 3)
    assert scores.std() == pytest.approx(1, abs=0.1)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 100), scale=st.sampled_from([0.1, 1.0, 50.0]), missing=st.floats(0, 0.5))
def test_cells_come_back(seed, scale, missing):
    rng = np.random.default_rng(seed)
    values = np.round(np.exp(rng.normal(0, 1, 400)) * scale, 2)
    values[rng.random(400) < missing] = np.nan
    line, cells = line_of(values)
    read = line.read(cells, np.zeros(400))
    known = np.isfinite(values)
    assert (np.isfinite(read) == known).all()
    inside = known & line.possible(np.nan_to_num(read), np.zeros(400))
    written = line.write(np.nan_to_num(read), np.zeros(400)).to_numpy(dtype=float)
    np.testing.assert_allclose(written[inside], cells.to_numpy(dtype=float)[inside], atol=1e-9)
    assert inside.sum() > 0.9 * known.sum()


def test_too_few_patients_have_no_scores_and_no_knot_is_a_single_patients_value():
    values, patient = np.exp(np.random.default_rng(1).normal(size=800)), np.arange(800) // 4
    assert normal_knots(values, patient, 25) == ((), ())
    knots, _ = normal_knots(values, patient, 11)
    # Without its most extreme patient a table has a similar outer knot: it is an average of many.
    fewer = patient != patient[values.argmax()]
    others, _ = normal_knots(values[fewer], patient[fewer], 11)
    assert knots[-1] != values.max()
    assert knots[-1] == pytest.approx(others[-1], rel=0.5)


def test_scores_rise_with_values():
    knots, scores = normal_knots(np.repeat(np.arange(6.0), 100), np.arange(600), 11)
    assert (np.diff(knots) > 0).all()
    assert (np.diff(scores) > 0).all()
    values = np.linspace(-5, 12, 200)
    assert (np.diff(linear(values, knots, scores)) > 0).all()
    np.testing.assert_allclose(linear(linear(values, knots, scores), scores, knots), values, atol=1e-9)


def test_a_missing_value_has_no_score():
    assert np.isnan(linear(np.array([np.nan]), (0.0, 1.0), (0.0, 2.0))).all()
