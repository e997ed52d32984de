"""The generative model as a classifier: known probabilities, boosted trees beside them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.tasks import PredictTask
from synthclin.evaluation.utility.model_classification import ClassificationDetails, model_classification
from synthclin.rules.validation import conform
from synthclin.schema import Schema

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "x": {"type": "number", "decimals": 3},
            "noise": {"type": "number", "decimals": 3},
            "died": {"type": "boolean", "role": "event"},
            "days": {"type": "integer", "role": "time"},
        }
    }
)
TASK = PredictTask(target="died")


def patients(rows: int, seed: int) -> pd.DataFrame:
    """Patients who die with probability 1 / (1 + exp(-2 x))."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows).round(3)
    died = rng.random(rows) < 1 / (1 + np.exp(-2 * x))
    table = pd.DataFrame(
        {"x": x, "noise": rng.normal(size=rows).round(3), "died": died, "days": np.where(died, 10, 400)}
    )
    return conform(table, SCHEMA)


def true_probabilities(table: pd.DataFrame, target: str) -> pd.DataFrame:
    assert target == "died"
    assert list(table.columns) == ["x", "noise"]  # never what is known only later
    p = 1 / (1 + np.exp(-2 * table["x"].to_numpy(dtype=float)))
    return pd.DataFrame({False: 1 - p, True: p})


@pytest.fixture(scope="module")
def tables() -> Comparison:
    return Comparison.of(patients(600, 1), train=patients(600, 2), holdout=patients(1_500, 3), schema=SCHEMA)


def test_true_probabilities_are_calibrated_and_no_worse_than_trees(tables: Comparison) -> None:
    found = model_classification(tables, TASK, true_probabilities)
    details = found.details
    assert isinstance(details, ClassificationDetails)
    assert found.name == "classification.died"
    assert details.model == pytest.approx(0.854, abs=0.02)  # AUC of N(0, 1) with slope 2
    assert details.boosted_trees is not None
    assert found.value == pytest.approx(details.model - details.boosted_trees)
    assert 0 < found.value < 0.05
    assert found.low <= found.value <= found.high
    assert details.model_calibration.slope == pytest.approx(1, abs=0.15)
    assert details.model_calibration.intercept == pytest.approx(0, abs=0.15)
    assert details.model_calibration.brier is not None
    assert details.model_calibration.brier < (details.boosted_trees_calibration.brier or 0)
    assert details.tested == 1_500


def test_reversed_probabilities_are_found(tables: Comparison) -> None:
    def reversed_(table: pd.DataFrame, target: str) -> pd.DataFrame:
        return true_probabilities(table, target).rename(columns={False: True, True: False})

    found = model_classification(tables, TASK, reversed_)
    assert found.high < -0.5


def test_a_level_that_the_model_does_not_know_has_no_probability(tables: Comparison) -> None:
    found = model_classification(tables, TASK, lambda table, _: pd.DataFrame({False: np.ones(len(table))}))
    assert isinstance(found.details, ClassificationDetails)
    assert found.details.model == 0.5


def test_what_cannot_be_scored(tables: Comparison) -> None:
    assert np.isnan(model_classification(tables, TASK, None).value)
    assert "number" in model_classification(tables, PredictTask(target="x"), true_probabilities).note
    none = Comparison.of(patients(100, 1), train=patients(100, 2), holdout=None, schema=SCHEMA)
    assert np.isnan(model_classification(none, TASK, true_probabilities).value)


def test_the_shareable_edition_has_no_exact_figure(tables: Comparison) -> None:
    details = model_classification(tables, TASK, true_probabilities).details
    assert isinstance(details, ClassificationDetails)
    shared = details.shared(None)  # type: ignore[arg-type]
    assert shared.tested is None
    assert shared.model == round(details.model or 0, 2)
