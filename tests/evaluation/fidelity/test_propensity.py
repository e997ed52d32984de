from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.features import Features
from synthclin.evaluation.fidelity.propensity import pmse, propensity
from synthclin.schema import Schema

from .test_precision_recall import PLANE, cloud


def compared(table):
    return Comparison.of(table, train=cloud(800, 1), holdout=cloud(400, 2), schema=PLANE)


def test_propensity_of_ideal_rows_is_the_reference_and_of_shifted_rows_larger():
    good, bad = (
        propensity(compared(cloud(800, 3))),
        propensity(compared(cloud(800, 3).assign(x=lambda t: t["x"] + 0.5))),
    )
    assert good.low <= good.reference <= good.high
    assert bad.low > good.high
    assert bad.details["s_pmse"] > 10 > good.details["s_pmse"]


def test_too_few_rows_for_products_give_a_note(compare, ideal):
    assert "too few rows for products" in propensity(compare(ideal)).note
    assert "too few rows for products" not in propensity(compared(cloud(800, 3))).note


def test_a_lost_association_shows_by_the_products():
    def tied(rows, seed, kept=True):
        table = cloud(rows, seed)
        return table.assign(y=table["x"] + 0.5 * table["y"]) if kept else table.assign(y=1.1 * table["y"])

    tables = [
        Comparison.of(tied(800, 3, kept), train=tied(800, 1), holdout=tied(400, 2), schema=PLANE)
        for kept in (True, False)
    ]
    good, bad = map(propensity, tables)
    assert bad.low > good.high


def test_its_expectation_is_that_of_a_correct_model():
    # Synthetic rows of a correct model: a normal distribution with the mean and variance of the real rows.
    schema = Schema.model_validate({"columns": {"x": {"type": "number"}, "y": {"type": "number"}}})
    features = Features.of(schema, [cloud(5, 0)])
    rng = np.random.default_rng(0)
    ratios = []
    for _ in range(60):
        real = rng.normal(size=(300, 2))
        other = rng.normal(size=(300, 2)) @ np.linalg.cholesky(np.cov(real.T)).T + real.mean(axis=0)
        value, expected = pmse(features, real, other)
        ratios.append(value / expected)
    assert np.mean(ratios) == pytest.approx(1.0, abs=0.25)


def test_constant_and_separated_rows_are_scored():
    features = Features.of(PLANE, [cloud(5, 0)])
    same = np.ones((30, 2))
    assert pmse(features, same, same)[0] == 0.0
    assert pmse(features, same * [1, 2], same * [2, 2])[0] == pytest.approx(0.25, abs=0.01)


def test_it_is_that_of_a_logit_of_statsmodels():
    features = Features.of(PLANE, [cloud(5, 0)])
    real, other = (cloud(rows, seed, spread).to_numpy() for rows, seed, spread in ((60, 1, 1.0), (40, 2, 1.5)))
    values, synthetic = np.vstack([real, other]), np.arange(100) >= 60
    # Of a hundred rows there are ten for each of five terms: x, y and their three products.
    terms = np.column_stack([values, values[:, 0] * values[:, 1]])
    chances = sm.Logit(synthetic.astype(float), sm.add_constant(terms)).fit(disp=0).predict()
    value, expected = pmse(features, real, other)
    assert value == pytest.approx(np.mean((chances - 0.4) ** 2), rel=1e-3)
    assert expected == pytest.approx(3 * 0.6**2 * 0.4 / 100)
