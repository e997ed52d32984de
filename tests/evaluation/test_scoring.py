from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from synthclin.errors import ConfigError, DataError
from synthclin.evaluation import PredictTask, score_table
from synthclin.evaluation.gates import default_gates, judge
from synthclin.schema import Schema

from .clinic import SCHEMA, clinic

NAMES = [
    "validity.rules",
    "fidelity.marginals",
    "fidelity.pairs",
    "fidelity.missingness",
    "fidelity.detection",
    "privacy.copies",
    "privacy.membership",
    "sdmetrics.quality",
    "sdmetrics.diagnostic",
    "utility.died",
]


@pytest.fixture(autouse=True)
def _no_warning_leaks():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def checked(synthetic, *, train, holdout=None, schema=SCHEMA, tasks=()):
    """Score, and hold every score to what all scores promise."""
    evaluation = score_table(synthetic, train=train, holdout=holdout, schema=schema, tasks=tasks, random_state=7)
    for score in evaluation.scores:
        assert json.loads(json.dumps(score.details, allow_nan=False)) == score.details
        assert score.method
        assert score.question.endswith("?")
        if np.isnan(score.value):
            assert score.note
            assert np.isnan(score.low)
            assert np.isnan(score.high)
        else:
            assert score.low <= score.value <= score.high
            assert np.isfinite([score.low, score.high]).all()
            assert score.n > 0
    assert json.loads(json.dumps(evaluation.sections, allow_nan=False)) == evaluation.sections
    return evaluation


def test_a_whole_evaluation_is_complete_and_passes_fresh_rows(train, holdout, fresh):
    evaluation = checked(fresh, train=train, holdout=holdout)
    assert [score.name for score in evaluation.scores] == NAMES
    assert not any(np.isnan(score.value) for score in evaluation.scores)
    assert all(score.ceiling is not None for score in evaluation.scores)
    verdicts = judge(default_gates(evaluation.scores), evaluation.scores)
    assert len(verdicts) == 6
    assert not any(verdict.status == "FAIL" for verdict in verdicts)
    assert set(evaluation.sections) == {"rows", "marginals", "table_one", "pairs", "detection", "membership"}


def test_a_copy_fails_on_privacy(train, holdout):
    evaluation = checked(train, train=train, holdout=holdout)
    verdicts = {v.gate.score: v.status for v in judge(default_gates(evaluation.scores), evaluation.scores)}
    assert verdicts["privacy.copies"] == verdicts["privacy.membership"] == "FAIL"
    assert verdicts["fidelity.marginals"] == "PASS"


def test_without_a_holdout_what_needs_one_is_not_assessable(train, fresh):
    evaluation = checked(fresh.iloc[:100], train=train.iloc[:100])
    unknown = {score.name for score in evaluation.scores if np.isnan(score.value)}
    assert unknown == {"fidelity.detection", "privacy.membership", "utility.died"}
    assert all(score.ceiling is None for score in evaluation.scores)
    assert "detection" not in evaluation.sections


@pytest.mark.parametrize("rows", [1, 3, 10])
def test_tiny_tables_raise_nothing(rows):
    checked(clinic(rows, 1), train=clinic(rows, 2), holdout=clinic(rows, 3), tasks=[PredictTask(target="age")])


def test_constant_and_empty_columns_raise_nothing(train, holdout, fresh):
    odd = {"age": pd.array([50] * 60, dtype="Int64"), "died": pd.array([0] * 60, dtype="Int64")}
    empty = {"bmi": np.nan, "nyha": pd.Categorical([None] * 60, categories=["I", "II", "III", "IV"], ordered=True)}
    tables = [table.iloc[:60].assign(**odd) for table in (train, holdout)]
    checked(fresh.iloc[:60].assign(**odd, **empty), train=tables[0], holdout=tables[1])


def test_levels_and_types_that_only_one_table_has_raise_nothing():
    schema = Schema.model_validate(
        {
            "columns": {
                "c": {"type": "category"},
                "code": {"type": "code", "missing": "allowed"},
                "yes": {"type": "boolean", "missing": "allowed"},
                "when": {"type": "datetime", "missing": "allowed"},
                "long": {"type": "duration", "unit": "d", "scale": "log"},
            }
        }
    )

    def draw(rows: int, seed: int, levels: str) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        return pd.DataFrame(
            {
                "c": pd.Categorical(rng.choice(list(levels), rows)),
                "code": pd.Categorical(rng.choice([f"{levels}{i}" for i in range(30)], rows)),
                "yes": pd.array(rng.random(rows) < 0.5, dtype="boolean"),
                "when": pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 9, rows), unit="h")),
                "long": rng.exponential(size=rows),
            }
        )

    tasks = [PredictTask(target=name) for name in ("c", "yes", "long", "when")]
    checked(draw(60, 1, "abz"), train=draw(60, 2, "ab"), holdout=draw(50, 3, "abw"), schema=schema, tasks=tasks)


def test_the_same_seed_gives_the_same_evaluation_on_any_number_of_threads(tmp_path):
    script = (
        "import sys\n"
        "from synthclin.documents import dump_json\n"
        "from synthclin.evaluation import score_table\n"
        "import pandas as pd, dataclasses\n"
        "from synthclin.schema import Schema\n"
        "schema = Schema.model_validate({'columns': {'a': {'type': 'number'}, 'b': {'type': 'boolean', 'role': 'event'},"
        " 'c': {'type': 'number'}}})\n"
        "tables = [pd.read_pickle(path) for path in sys.argv[1:]]\n"
        "e = score_table(tables[0], train=tables[1], holdout=tables[2], schema=schema, random_state=3)\n"
        "print(dump_json({'scores': [dataclasses.asdict(s) for s in e.scores], 'sections': e.sections}))\n"
    )
    paths = []
    for seed, rows in enumerate((120, 120, 60)):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame({"a": rng.normal(size=rows), "c": rng.normal(size=rows)})
        table["b"] = pd.array(table["a"] + rng.normal(size=rows) > 0, dtype="boolean")
        paths.append(str(tmp_path / f"{seed}.pkl"))
        table.to_pickle(paths[-1])
    said = [
        subprocess.run(
            [sys.executable, "-c", script, *paths],
            env=os.environ | {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": threads},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout
        for threads in ("1", "2")
    ]
    assert said[0] == said[1]
    assert len(said[0]) > 5_000


def test_another_seed_changes_draws_but_not_what_is_found(train, holdout, fresh):
    one, two = (
        score_table(
            fresh, train=train, holdout=holdout, schema=SCHEMA, tasks=[PredictTask(target="died")], random_state=s
        )
        for s in (1, 2)
    )
    assert one["fidelity.detection"].value != two["fidelity.detection"].value
    assert dataclasses.replace(one["privacy.copies"], floor=0.0) == dataclasses.replace(
        two["privacy.copies"], floor=0.0
    )
    for name in NAMES:
        assert one[name].value == pytest.approx(two[name].value, abs=0.08)


def test_inputs_are_left_as_they_were(train, holdout, fresh):
    before = [table.copy() for table in (fresh, train, holdout)]
    checked(fresh, train=train, holdout=holdout)
    for table, copy in zip((fresh, train, holdout), before, strict=True):
        pd.testing.assert_frame_equal(table, copy)


def test_what_cannot_be_compared_is_refused(train, fresh):
    with pytest.raises(DataError, match="no rows"):
        score_table(fresh.iloc[:0], train=train, schema=SCHEMA)
    with pytest.raises(ConfigError, match="ward"):
        score_table(fresh, train=train, schema=SCHEMA, tasks=[PredictTask(target="ward")])
