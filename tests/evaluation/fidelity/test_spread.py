from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity import spread
from synthclin.evaluation.fidelity.estimate import FidelityEstimate, estimate_fidelity
from synthclin.schema import Schema

COLUMNS = [f"x{i}" for i in range(5)]
SCHEMA = Schema.model_validate({"columns": {name: {"type": "number"} for name in COLUMNS}})
STUDIES = 120


def apart(real):
    """Return the comparison of column means."""
    middle = real.mean(axis=0)
    return lambda other: np.abs(other.mean(axis=0) - middle)


def study(seed: int, *, shift: float, tables: int, holdout: int) -> FidelityEstimate:
    rng = np.random.default_rng(seed)

    def table(rows: int, middle: float = 0.0) -> pd.DataFrame:
        return pd.DataFrame(rng.normal(middle, 1.0, (rows, len(COLUMNS))), columns=COLUMNS)

    sampled = [table(100, shift) for _ in range(tables)]
    c = Comparison.of(sampled, train=table(100), holdout=table(holdout), schema=SCHEMA, random_state=seed)
    return estimate_fidelity(c, apart, "means", high=9.0)


@pytest.fixture(
    scope="module",
    params=[(0.0, 1, 50), (0.15, 1, 50), (1.0, 1, 50), (0.0, 5, 50), (1.0, 5, 50), (0.0, 2, 100)],
    ids=lambda setting: f"shift {setting[0]}, {setting[1]} tables, {setting[2]} holdout rows",
)
def studies(request) -> list[FidelityEstimate]:
    """Return the same comparison of many synthetic tables, whose distribution is that of real rows but for a shift."""
    shift, tables, holdout = request.param
    return [study(seed, shift=shift, tables=tables, holdout=holdout) for seed in range(STUDIES)]


def test_interval_width_is_the_spread_over_studies(studies):
    values = np.array([found.value for found in studies])
    ends = [found.interval("lower") for found in studies]
    covered = np.mean([low <= values.mean() <= high for low, high in ends])
    assert covered >= 0.9
    wide = np.mean([high - low for low, high in ends]) / (3.92 * values.std(ddof=1))
    assert 0.9 < wide < 1.4


def test_reference_error_is_the_standard_deviation_over_studies(studies):
    error = np.sqrt(np.mean([found.reference_error**2 for found in studies]))
    assert 0.75 < error / np.std([found.reference for found in studies], ddof=1) < 1.35


@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.7, 1.0])
def test_folded_variables_correlate_as_simulated_ones(correlation):
    rng = np.random.default_rng(0)
    one, noise = rng.normal(size=(2, 400_000))
    other = correlation * one + np.sqrt(1 - correlation**2) * noise
    expected = np.corrcoef(np.abs(one), np.abs(other))[0, 1]
    assert spread._folded(correlation) == pytest.approx(expected, abs=0.006)


def test_too_few_rows_give_the_widest_interval():
    rng = np.random.default_rng(0)
    few = [pd.DataFrame(rng.normal(size=(9, len(COLUMNS))), columns=COLUMNS) for _ in range(2)]
    c = Comparison.of(few[0], train=few[1], holdout=None, schema=SCHEMA)
    assert estimate_fidelity(c, apart, "means", high=9.0).interval("lower") == (0.0, 9.0)
