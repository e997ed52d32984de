from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.associations import association_changes
from synthclin.evaluation.fidelity.pairs import pairs
from synthclin.evaluation.fidelity.triples import triples
from synthclin.evaluation.fidelity.unseen_pairs import UnseenPair, unseen_pairs
from synthclin.schema import Schema
from tests.evaluation.clinic import shuffled

ALL = [pairs, triples, association_changes, unseen_pairs]


def test_a_lost_association_is_named_first(compare, ideal):
    score = association_changes(compare(shuffled(ideal, "bmi")))
    assert set(score.details["lost"][0]["columns"]) == {"bmi", "weight"}
    assert score.details["lost"][0]["real"] > 0.99
    assert abs(score.details["lost"][0]["synthetic"]) < 0.2
    assert score.low > association_changes(compare(ideal)).high
    assert score.details["largest_change_synthetic"] > 0.7 > score.details["largest_change_reference"]
    assert pairs(compare(shuffled(ideal, "bmi"))).high < pairs(compare(ideal)).reference


def test_an_invented_association_is_named_first(compare, ideal):
    order = ideal["age"].astype(int).to_numpy().argsort(kind="stable")
    invented = ideal.copy()
    invented.loc[invented.index[order], "seen"] = np.sort(ideal["seen"].to_numpy())
    score = association_changes(compare(invented))
    row = score.details["invented"][0]
    assert set(row["columns"]) == {"age", "seen"}
    assert row["synthetic"] > 0.9
    assert abs(row["real"]) < 0.2
    assert score.low > association_changes(compare(ideal)).high


def coded(a, b, c):
    return pd.DataFrame(
        {name: pd.Categorical(np.array(["n", "y"])[x]) for name, x in zip("abc", (a, b, c), strict=True)}
    )


CODED = Schema.model_validate({"columns": {name: {"type": "category", "categories": ["n", "y"]} for name in "abc"}})


def test_a_three_way_interaction_changes_triples_and_not_pairs():
    def parity(rows, seed, *, kept):
        rng = np.random.default_rng(seed)
        a, b = rng.integers(0, 2, (2, rows))
        return coded(a, b, a ^ b if kept else rng.integers(0, 2, rows))

    train, holdout = parity(400, 1, kept=True), parity(200, 2, kept=True)
    good, bad = (
        Comparison.of(parity(400, 3, kept=kept), train=train, holdout=holdout, schema=CODED) for kept in (True, False)
    )
    assert triples(bad).high < triples(good).low
    assert triples(bad).value == pytest.approx(0.5, abs=0.05)
    assert pairs(bad).value == pytest.approx(pairs(good).value, abs=0.05)


def test_rows_with_a_pair_that_no_patient_has_are_counted():
    def exclusive(rows, seed, impossible=0):
        rng = np.random.default_rng(seed)
        a = rng.integers(0, 2, rows)
        b = np.where(a == 1, 0, rng.integers(0, 2, rows))
        a[:impossible], b[:impossible] = 1, 1
        return coded(a, b, rng.integers(0, 2, rows))

    train, holdout = exclusive(400, 1), exclusive(200, 2)
    good, bad = (
        unseen_pairs(Comparison.of(exclusive(400, 3, n), train=train, holdout=holdout, schema=CODED)) for n in (0, 40)
    )
    assert good.value == good.reference == 0.0
    assert bad.value == pytest.approx(0.1, abs=0.02)
    assert bad.low > good.high
    assert bad.details.pairs == [UnseenPair(columns=["a", "b"], levels=["y", "y"], rows=40)]


def test_scores_without_a_subject_say_why():
    one = Schema.model_validate({"columns": {"x": {"type": "number"}}})
    table = pd.DataFrame({"x": np.arange(30.0)})
    c = Comparison.of(table, train=table, holdout=None, schema=one)
    assert all(np.isnan(score(c).value) and score(c).note for score in ALL)


def test_no_more_than_a_hundred_triples_are_scored():
    schema = Schema.model_validate({"columns": {f"x{i}": {"type": "number"} for i in range(12)}})
    sample = lambda seed: pd.DataFrame(np.random.default_rng(seed).normal(size=(60, 12)), columns=list(schema.columns))  # noqa: E731
    c = Comparison.of(sample(1), train=sample(2), holdout=None, schema=schema)
    assert "at most 100 random triples" in triples(c).method
    assert len(triples(c).details["worst"]) == 10


def test_agreements_stay_within_0_and_1(compare, ideal):
    empty = ideal.assign(weight=np.nan, age=pd.array([None] * len(ideal), dtype="Int64"))
    for row in pairs(compare(empty)).details["worst"]:
        assert 0 <= row["value"] <= 1
