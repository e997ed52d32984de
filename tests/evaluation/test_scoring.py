from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from synthclin.errors import ConfigError, DataError
from synthclin.evaluation import PredictTask, privacy, score_table
from synthclin.evaluation.catalogue import headline_kinds, kind_of, names_of
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity import marginals, pairs
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.score_names import within
from synthclin.schema import Schema

from .clinic import SCHEMA, clinic
from .completeness import is_whole
from .conftest import spare

NAMES = [
    *names_of(),
    "utility.died",
    "calibration.died",
    "importance.died",
    "subgroups.sex.utility.died",
    *tuple(within("sex", kind.name) for kind in headline_kinds()),
    "subgroups.sex.representation",
    "subgroups.sex.prevalence.died",
]


@pytest.fixture(autouse=True)
def _no_warning_leaks(monkeypatch):
    spare(monkeypatch)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def checked(synthetic, *, train, holdout=None, schema=SCHEMA, tasks=()):
    """Score, with complete fields, and leave the tables as they were."""
    given = [table for table in (synthetic, train, holdout) if table is not None]
    before = [table.copy() for table in given]
    evaluation = score_table(synthetic, train=train, holdout=holdout, schema=schema, tasks=tasks, random_state=7)
    for table, copy in zip(given, before, strict=True):
        pd.testing.assert_frame_equal(table, copy)
    keeps_its_promises(evaluation)
    return evaluation


def keeps_its_promises(evaluation):
    """Hold every score to what all scores promise."""
    for score in evaluation.scores:
        written = score.to_dict()
        assert json.loads(json.dumps(written, allow_nan=False)) == written
        if score.details is not None:
            assert kind_of(score.name).details.model_validate(written["details"]) == score.details
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


def test_a_whole_evaluation_is_complete_and_passes_ideal_rows(whole):
    keeps_its_promises(whole)
    assert [score.name for score in whole.scores] == NAMES
    unknown = {score.name for score in whole.scores if np.isnan(score.value)}
    assert unknown == {"fidelity.rare_levels"}  # the clinic has none
    without_reference = {score.name for score in whole.scores if score.reference is None}
    assert without_reference == unknown | {"privacy.smallest_leak", "privacy.table_epsilon_lower_bound"}
    assert all(is_whole(score) for score in whole.scores if score.name not in unknown)
    verdicts = judge(default_gates(whole.scores), whole.scores)
    assert "privacy.near_copies" not in {verdict.gate.score for verdict in verdicts}  # no alarm, and no all-clear
    assert len(verdicts) == 17
    assert not any(verdict.status == "FAIL" for verdict in verdicts)
    assert set(whole.sections) == {"rows", "marginals", "table_one"}
    controlled = [score for score in whole.scores if getattr(score.details, "negative_control", None) is not None]
    assert len(controlled) == 11
    assert len(whole["privacy.smallest_leak"].details.canaries) == 8


def test_groups_are_scored_and_attacked(whole):
    scored, attacked = (whole[name].details["groups"] for name in ("subgroups.sex.pairs", "privacy.membership"))
    assert {group["group"] for group in scored} == {group["level"] for group in attacked} == {"F", "M"}
    assert {group["column"] for group in attacked} == {"sex"}


def test_a_copy_fails_on_privacy_and_passes_on_fidelity(compare, train):
    c = compare(train)
    scores = [*(attack(c) for attack in privacy.ATTACKS), marginals.marginals(c)]
    statuses = {verdict.gate.score: verdict.status for verdict in judge(default_gates(scores), scores)}
    assert statuses.pop("fidelity.marginals") == "PASS"
    assert statuses.pop("privacy.near_copies") == "REVIEW"  # a distance never decides
    assert statuses.pop("privacy.smallest_leak") == "NOT ASSESSABLE"  # among copies, canaries cannot be detected
    assert statuses.pop("privacy.disclosive_keys") != "PASS"  # here nothing is declared
    assert set(statuses.values()) == {"FAIL"}


def test_scores_that_need_a_holdout_are_not_assessable_without_one(train, ideal):
    evaluation = checked(ideal.iloc[:100], train=train.iloc[:100])
    unknown = {score.name for score in evaluation.scores if np.isnan(score.value)}
    unseen = {"fidelity.detection", "fidelity.logistic_detection"}
    unseen |= {f"{of}.died" for of in ("utility", "calibration", "importance")}
    unseen |= {name for name in NAMES if name.startswith("privacy.")}
    assert unknown == unseen | {"fidelity.rare_levels"}
    assert all(evaluation[name].reference is None for name in unseen)
    assert evaluation["fidelity.pairs"].reference is not None  # that of training rows set apart
    assert "detection" not in evaluation.sections


@pytest.mark.parametrize("rows", [1, 3])
def test_tiny_tables_raise_nothing(rows):
    checked(clinic(rows, 1), train=clinic(rows, 2), holdout=clinic(rows, 3), tasks=[PredictTask(target="age")])


def test_constant_and_empty_columns_raise_nothing(train, holdout, ideal):
    odd = {"age": pd.array([50] * 60, dtype="Int64"), "died": pd.array([0] * 60, dtype="Int64")}
    empty = {"bmi": np.nan, "nyha": pd.Categorical([None] * 60, categories=["I", "II", "III", "IV"], ordered=True)}
    tables = [table.iloc[:60].assign(**odd) for table in (train, holdout)]
    checked(ideal.iloc[:60].assign(**odd, **empty), train=tables[0], holdout=tables[1])


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

    def sample(rows: int, seed: int, levels: str) -> pd.DataFrame:
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
    checked(sample(60, 1, "abz"), train=sample(60, 2, "ab"), holdout=sample(50, 3, "abw"), schema=schema, tasks=tasks)


THREADS = """
import dataclasses, functools, sys
import pandas as pd
from synthclin.io.documents import dump_json
from synthclin.evaluation.fidelity import detection, sdmetrics
from synthclin.evaluation import learners, score_table
from synthclin.evaluation.utility import prediction_problem
from synthclin.evaluation.privacy import canaries
from synthclin.schema import Schema

detection._REPEATS = 1
sdmetrics._GROUPS, sdmetrics._ROUNDS = 2, 1  # its intervals and references have tests of their own
canaries._ATTACKS = canaries._ATTACKS[:2]  # copies and near copies
forest = learners._forest
learners._forest = lambda values: forest(values) | {"n_estimators": 15}
prediction_problem.classifiers = functools.partial(learners.classifiers, trees=15)

def run(folder):
    schema = Schema.model_validate(
        {"columns": {"a": {"type": "number"}, "b": {"type": "boolean", "role": "event"}, "c": {"type": "number"}}}
    )
    names = ("synthetic", "train", "holdout")
    tables = [pd.read_csv(f"{folder}/{name}.csv").astype({"b": "boolean"}) for name in names]
    found = score_table(tables[0], train=tables[1], holdout=tables[2], schema=schema, random_state=3)
    return dump_json({"scores": [score.to_dict() for score in found.scores], "sections": found.sections})
"""


def test_the_same_seed_gives_the_same_evaluation_on_any_number_of_threads(tmp_path):
    for seed, (name, rows) in enumerate({"synthetic": 120, "train": 120, "holdout": 60}.items()):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame({"a": rng.normal(size=rows), "c": rng.normal(size=rows)})
        table.assign(b=table["a"] + rng.normal(size=rows) > 0).to_csv(tmp_path / f"{name}.csv", index=False)
    here: dict[str, Any] = {}
    exec(THREADS, here)
    there = subprocess.run(
        [sys.executable, "-c", f"{THREADS}\nprint(run(sys.argv[1]), end='')", str(tmp_path)],
        env=os.environ | {"OMP_NUM_THREADS": "3", "PYTHONHASHSEED": "1"},
        capture_output=True,
        check=True,
        timeout=300,
        text=True,
    ).stdout
    assert here["run"](tmp_path) == there
    assert len(there) > 5_000


def test_another_seed_changes_sampling_but_not_conclusions(whole, train, holdout, ideal):
    c = Comparison.of(ideal, train=train, holdout=holdout, schema=SCHEMA, random_state=8)
    for score in (marginals.marginals(c), pairs.pairs(c), privacy.membership(c)):
        other = whole[score.name]
        assert (score.low, score.baseline) != (other.low, other.baseline)
        assert score.value == pytest.approx(other.value, abs=0.05)


def test_incomparable_tables_are_refused(train, ideal):
    with pytest.raises(DataError, match="no rows"):
        score_table(ideal.iloc[:0], train=train, schema=SCHEMA)
    with pytest.raises(ConfigError, match="ward"):
        score_table(ideal, train=train, schema=SCHEMA, tasks=[PredictTask(target="ward")])
