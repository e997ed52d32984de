"""Scores of visits row by row: intervals count patients, and the rows of a patient stay together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.errors import DataError
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.marginals import marginals
from synthclin.evaluation.subgroups.headlines import Groups, headlines
from synthclin.evaluation.tasks import PredictTask
from synthclin.evaluation.utility import predictions
from synthclin.evaluation.visits.task_rows import rows_of_task

from .cohort import SCHEMA, cohort, compared


def _stretched(table: pd.DataFrame) -> pd.DataFrame:
    """Repeat the first visit of each patient: ten visits say what one does."""
    first = table.groupby("patient", sort=False).head(1)
    parts = [first.assign(day=first["day"] + 30 * k) for k in range(10)]
    return pd.concat(parts).sort_values(["patient", "day"], kind="stable").reset_index(drop=True)


def test_repeated_visits_make_no_interval_narrower() -> None:
    tables = [cohort(120, seed) for seed in (3, 1, 2)]
    many = [_stretched(table) for table in tables]
    one = [table.groupby("patient", sort=False).head(1).reset_index(drop=True) for table in tables]
    widths = []
    for synthetic, train, holdout in (many, one):
        score = marginals(Comparison.of(synthetic, train=train, holdout=holdout, schema=SCHEMA, random_state=1))
        widths.append(score.high - score.low)
    assert 0.6 * widths[1] < widths[0] < 1.6 * widths[1]


def test_random_rows_of_a_replicate_are_those_of_whole_patients() -> None:
    c = compared(cohort(60, 3), patients=60)
    order = c.random_order(0, np.random.default_rng(1))
    assert sorted(order) == list(range(len(c.synthetic)))
    who = c.synthetic_patients[0][order]
    assert (np.diff(who) != 0).sum() == 59
    some = c.some_rows(0, 40, np.random.default_rng(1))
    assert len(some) == 40
    counts = np.bincount(c.synthetic_patients[0])
    taken = np.bincount(c.synthetic_patients[0][some], minlength=60)
    # Only the last patient may be cut.
    assert ((taken > 0) & (taken < counts)).sum() <= 1


def test_rows_without_visits_are_sampled_as_before() -> None:
    alone = SCHEMA.model_copy(update={"visits": "independent"})
    c = Comparison.of(cohort(60, 3), train=cohort(60, 1), holdout=cohort(60, 2), schema=alone)
    order = c.random_order(0, np.random.default_rng(1))
    np.testing.assert_array_equal(order, np.random.default_rng(1).permutation(len(c.synthetic)))


def test_a_synthetic_table_without_the_patient_is_refused() -> None:
    with pytest.raises(DataError, match="identifies the patient"):
        compared(cohort(60, 3).drop(columns="patient"), patients=60)


def test_halves_of_the_training_rows_share_no_patient() -> None:
    who = np.repeat(np.arange(50), 6)
    one, other = predictions._halved(who, 120, np.random.default_rng(1))
    assert not set(who[one]) & set(who[other])
    assert len(one) == len(other) == 60


def test_a_prediction_of_an_event_uses_the_first_visit_of_each_patient() -> None:
    task = PredictTask(target="died")
    c = rows_of_task(compared(cohort(150, 3)), task)
    score = predictions.predict(c, task)[0]
    assert score.details is not None
    assert score.details["rows"] == {"train": 150, "test": 150}
    assert "sbp" in score.details["predictors"]


def test_groups_of_a_static_column_have_the_visits_of_their_patients() -> None:
    c = compared(cohort(200, 3), patients=200)
    groups = Groups.of(c, "arm")
    for part in groups.parts.values():
        assert len(part.synthetic) == len(part.synthetic_patients[0])
        assert part.synthetic_patients[0].max() + 1 < 200
    detection = next(one for one in headlines() if one.kind.name == "fidelity.detection")
    score = groups.again(detection)
    # Of each group as many patients as holdout patients, not visits.
    assert score.n < 130
