"""One row per patient: what the summaries are, and what the C2ST finds in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.detection import DETECTION, detection
from synthclin.evaluation.tasks import CoxTask, LinearTask, PredictTask
from synthclin.evaluation.visits.patient_vectors import first_visits, patient_vectors
from synthclin.evaluation.visits.task_rows import rows_of_task
from synthclin.schema import Schema

from .cohort import SCHEMA, cohort, compared, shuffled

_SCHEMA = Schema.model_validate(
    {
        "columns": {
            "who": {"type": "id", "role": "entity"},
            "sex": {"type": "category", "categories": ["F", "M"], "static": True},
            "end": {"type": "integer", "unit": "d", "role": "time", "static": True},
            "day": {"type": "integer", "unit": "d", "role": "visit"},
            "x": {"type": "number", "missing": "allowed", "disclosure": "sensitive"},
            "stage": {"type": "ordinal", "categories": [1, 2, 3]},
            "drug": {"type": "category", "categories": ["a", "b", "c"]},
        }
    }
)


def _table(name: str, patients: list[dict[str, Any]]) -> pd.DataFrame:
    rows = [
        {"who": f"{name}{i}", "sex": one["sex"], "end": one["end"], "day": d, "x": x, "stage": s, "drug": g}
        for i, one in enumerate(patients)
        for d, x, s, g in one["visits"]
    ]
    table = pd.DataFrame(rows)
    return table.assign(
        sex=pd.Categorical(table["sex"], categories=["F", "M"]),
        end=table["end"].astype("Int64"),
        day=table["day"].astype("Int64"),
        stage=pd.Categorical(table["stage"], categories=[1, 2, 3], ordered=True),
        drug=pd.Categorical(table["drug"], categories=["a", "b", "c"]),
    )


@pytest.fixture(scope="module")
def two() -> Comparison:
    one = {
        "sex": "M",
        "end": 50,
        "visits": [(0, 2.0, 1, "a"), (10, 4.0, 2, "a"), (20, np.nan, 2, "b"), (40, 9.0, 3, "b")],
    }
    other = {"sex": "F", "end": 7, "visits": [(5, np.nan, 1, "c")]}
    return Comparison.of(
        _table("s", [one, other]),
        train=_table("t", [other, one]),
        holdout=_table("h", [one]),
        schema=_SCHEMA,
        random_state=1,
    )


def test_summaries_of_a_patient(two: Comparison) -> None:
    p = patient_vectors(two)
    found = dict(zip(p.features.names, p.train[1], strict=True))
    x = np.array([2.0, 4.0, 9.0])
    time = np.array([0.0, 10.0, 40.0])
    expected = {
        "sex": 1.0,
        "end": 50.0,
        "day": 0.0,
        "x": 2.0,
        "stage": 0.0,
        "drug": 0.0,
        "number of visits": 4.0,
        "mean gap between visits": 40 / 3,
        "standard deviation of gaps": np.std([10, 10, 20], ddof=1),
        "smallest gap between visits": 10.0,
        "largest gap between visits": 20.0,
        "last day": 40.0,
        "end after the last visit": 10.0,
        "last x": 9.0,
        "mean of x": 5.0,
        "standard deviation of x": np.std(x, ddof=1),
        "smallest x": 2.0,
        "largest x": 9.0,
        "slope of x": np.polyfit(time, x, 1)[0],
        "lag 1 product of x": (2.0 - 5.0) * (4.0 - 5.0),
        "missing share of x": 0.25,
        "mean of stage": 1.0,
        "last stage": 2.0,
        "last drug": 1.0,
        "changes of drug": 1 / 3,
    }
    for name, value in expected.items():
        assert found[name] == pytest.approx(value), name
    # A column that is never missing, and levels without an order, have no such summaries.
    assert not {"missing share of stage", "mean of drug", "slope of drug"} & set(found)


def test_a_single_visit_has_no_gaps_slopes_and_deviations(two: Comparison) -> None:
    p = patient_vectors(two)
    found = dict(zip(p.features.names, p.train[0], strict=True))
    assert found["number of visits"] == 1
    assert found["end after the last visit"] == 2
    for name in ("x", "last x", "mean of x", "slope of x", "lag 1 product of x", "largest gap between visits"):
        assert np.isnan(found[name]), name
    assert found["missing share of x"] == 1.0


def test_equal_visits_give_equal_vectors_in_each_table(two: Comparison) -> None:
    p = patient_vectors(two)
    assert p.holdout is not None
    np.testing.assert_array_equal(p.train[1], p.synthetic[0])
    np.testing.assert_array_equal(p.train[1], p.holdout[0])
    assert p.train_patients.tolist() == [0, 1]


def test_the_schema_of_patients_keeps_roles_and_has_no_visits(two: Comparison) -> None:
    p = patient_vectors(two)
    assert p.schema.visit_time is None
    assert p.schema.columns["end"].role == "time"
    assert p.schema.columns["mean of x"].disclosure == "sensitive"
    assert p.schema.columns["mean of stage"].disclosure is None
    assert set(p.features.names) <= set(p.schema.modelled)


def test_first_visits_are_the_earliest_in_any_order_of_rows() -> None:
    table = cohort(60, 3)
    mixed = table.sample(frac=1.0, random_state=2).reset_index(drop=True)
    for synthetic in (table, mixed):
        p = first_visits(compared(synthetic, patients=60))
        assert p.features.names == SCHEMA.modelled
        assert p.synthetic[:, p.features.names.index("day")].tolist() == [0.0] * 60
        assert len(p.tables.synthetic) == 60
        assert (p.tables.synthetic["day"] == 0).all()


def test_a_table_of_rows_is_left_as_it_is(two: Comparison) -> None:
    alone = two.schema.model_copy(update={"visits": "independent"})
    c = Comparison.of(two.tables.synthetic, train=two.tables.train, holdout=two.tables.holdout, schema=alone)
    assert patient_vectors(c) is c
    assert first_visits(c) is c


def test_the_classifier_confuses_patients_of_one_distribution() -> None:
    score = detection(patient_vectors(compared(cohort(150, 3))))
    assert score.low < 0.5 < score.high
    assert score.n == 150


def test_the_classifier_tells_patients_put_together_from_rows_and_by_what() -> None:
    c = compared(shuffled(cohort(150, 3), "sbp"))
    by_patient, by_row = detection(patient_vectors(c)), detection(c)
    assert by_patient.value > 0.9
    # Row by row only the dependence on other columns is lost.
    assert by_row.value < by_patient.value
    details = DETECTION.read(by_patient)
    assert details is not None
    first = details.columns[0]
    assert (first.column, first.summary) == ("sbp", "sd")


def test_an_event_is_judged_by_patients_and_a_column_of_visits_by_visits() -> None:
    c = compared(cohort(60, 3), patients=60)
    assert len(rows_of_task(c, PredictTask(target="died")).train) == 60
    assert len(rows_of_task(c, CoxTask(event="died", covariates=["age", "sbp"])).synthetic) == 60
    for task in (PredictTask(target="sbp"), LinearTask(target="sbp", covariates=["arm"])):
        assert rows_of_task(c, task) is c
