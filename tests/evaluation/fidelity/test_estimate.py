from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.detection import detection
from synthclin.evaluation.fidelity.estimate import fair_size, halved
from synthclin.evaluation.fidelity.marginals import marginals
from synthclin.evaluation.fidelity.missingness import missingness
from synthclin.evaluation.fidelity.pairs import pairs
from synthclin.evaluation.score import Score
from synthclin.evaluation.tasks import PredictTask
from synthclin.evaluation.utility.predictions import predict
from synthclin.schema import Schema
from tests.evaluation.clinic import SCHEMA, clinic


@pytest.fixture(scope="module", params=[marginals, pairs, missingness])
def perfect(request) -> list[Score]:
    """Return scores of studies with a perfect generator: five replicates, and a small holdout."""
    return [
        request.param(
            Comparison.of(
                [clinic(200, 1000 * study + replicate) for replicate in range(5)],
                train=clinic(200, 1000 * study + 10),
                holdout=clinic(50, 1000 * study + 11),
                schema=SCHEMA,
            )
        )
        for study in range(30)
    ]


def test_a_perfect_generator_rarely_exceeds_its_reference(perfect):
    gaps = np.array([one.value - one.reference for one in perfect])
    # On average it equals the real-data reference.
    assert abs(gaps.mean()) < 3 * gaps.std(ddof=1) / np.sqrt(len(gaps)) + 1e-3
    assert sum(one.beyond_reference for one in perfect) <= 3


def test_the_interval_covers_the_mean_of_all_studies(perfect):
    truth = np.mean([one.value for one in perfect])
    assert sum(one.low <= truth <= one.high for one in perfect) >= 26


@pytest.mark.parametrize("score", [marginals, pairs])
def test_a_copy_is_no_better_than_real(compare, train, ideal, score):
    copy, good = score(compare(train)), score(compare(ideal))
    assert copy.beyond_reference is True
    assert "no merit" in copy.note
    assert good.beyond_reference is False
    assert good.low <= good.reference <= good.high


def test_more_tables_narrow_the_interval_and_their_differences_widen_it(train, holdout):
    def score(*tables):
        return marginals(Comparison.of(list(tables), train=train, holdout=holdout, schema=SCHEMA))

    def width(one):
        return one.high - one.low

    one, five = score(clinic(400, 3)), score(*(clinic(400, 3 + i) for i in range(5)))
    moody = score(*(clinic(400, 3 + i).assign(age=lambda t, i=i: (t["age"] + 8 * i).astype("Int64")) for i in range(5)))
    assert width(five) < width(one)
    assert width(moody) > width(one)
    assert five.value == pytest.approx(one.value, abs=0.02)


def test_a_score_is_the_mean_of_those_of_its_tables(train, holdout):
    c = Comparison.of([clinic(400, 3 + i) for i in range(2)], train=train, holdout=holdout, schema=SCHEMA)
    died = PredictTask(target="died")
    for score in (marginals(c), pairs(c), detection(c), *predict(c, died, by=["sex"])):
        assert len(score.replicates) == 2
        assert np.mean(score.replicates) == pytest.approx(score.value)
        assert score.spread == pytest.approx(np.std(score.replicates, ddof=1))
    single = marginals(Comparison.of(clinic(400, 3), train=train, holdout=holdout, schema=SCHEMA))
    assert single.replicates == ()
    assert single.spread is None


def test_all_samples_have_equal_size_and_patients_are_on_one_side():
    schema = Schema.model_validate({"columns": {"who": {"type": "id", "role": "entity"}, "x": {"type": "number"}}})

    def visits(rows, seed):
        rng = np.random.default_rng(seed)
        who = np.sort(rng.integers(0, rows // 4, rows))
        return pd.DataFrame({"who": [f"{seed}-{i}" for i in who], "x": 1000.0 * seed + who})

    c = Comparison.of(visits(300, 3), train=visits(200, 1), holdout=visits(40, 2), schema=schema)
    n = fair_size(c, 20_000)
    half, rest = halved(c, n, np.random.default_rng(0))
    assert n == len(half) == 120
    assert n - 8 <= len(rest) <= n  # the visits of the patient at the cut are left out
    assert not set(half[:, 0]) & set(rest[:, 0])
    assert (rest[:, 0] >= 2000).sum() == 40  # unseen rows first
    assert fair_size(c, 50) == 50


def test_few_real_rows_are_not_divided(train):
    c = Comparison.of(train.iloc[:30], train=train.iloc[:12], holdout=None, schema=SCHEMA)
    assert fair_size(c, 100) == 12
    assert marginals(c).reference is None
    assert marginals(c).low >= 0
