from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.privacy.copies import copies
from synthclin.schema import Schema

from .ward import SCHEMA, ward


def verdict(score):
    return judge(default_gates([score]), [score])[0].status


def test_copies_are_found_at_schema_precision_whatever_their_order(compare, train, ideal):
    noisy = train.iloc[::-1].assign(weight=lambda t: t["weight"] + 0.001)
    assert copies(compare(noisy)).value == 1.0
    none = copies(compare(ideal))
    assert none.value == none.reference == 0.0
    assert none.baseline is None
    assert 0 < none.reference_error < 0.01
    assert verdict(none) == "PASS"


@pytest.mark.parametrize(("copied", "expected"), [(0, "PASS"), (1, "REVIEW"), (3, "REVIEW"), (15, "FAIL")])
def test_even_one_copied_patient_is_looked_at(compare, train, ideal, copied, expected):
    score = copies(compare(pd.concat([ideal.iloc[copied:], train.iloc[:copied]], ignore_index=True)))
    assert score.details["copies"] == copied
    assert verdict(score) == expected


BOOLEANS = Schema.model_validate({"columns": {"a": {"type": "boolean"}, "b": {"type": "boolean"}}})


def booleans(rows: int, seed: int, chance: float = 0.5) -> pd.DataFrame:
    sampled = np.random.default_rng(seed).random((rows, 2)) < chance
    return pd.DataFrame(sampled, columns=["a", "b"]).astype("boolean")


def test_copies_of_rows_of_several_patients_do_not_count():
    score = copies(Comparison.of(booleans(100, 1), train=booleans(100, 2), holdout=booleans(50, 3), schema=BOOLEANS))
    assert score.value == 0
    assert score.details["copies_of_repeated_rows"] == 100
    assert "100 further rows equal rows that several training patients share" in score.note


@pytest.mark.parametrize("rows", [1, 2, 30])
@pytest.mark.parametrize("chance", [0.0, 0.5])
@pytest.mark.parametrize("holdout_rows", [0, 40])
def test_the_training_table_again_fails_however_coarse_or_small(rows, chance, holdout_rows):
    train = booleans(rows, 2, chance)
    holdout = booleans(holdout_rows, 3, chance) if holdout_rows else None
    for again in (train, pd.concat([train, train], ignore_index=True)):
        score = copies(Comparison.of(again, train=train, holdout=holdout, schema=BOOLEANS))
        assert score.value == 1.0
        assert verdict(score) == "FAIL"


def test_one_patients_repeated_visit_is_still_one_patients():
    columns = SCHEMA.model_dump(mode="json")["columns"]
    schema = Schema.model_validate({"columns": {"who": {"type": "id", "role": "entity"}, **columns}})
    once = ward(50, 1).assign(who=[str(i) for i in range(50)])
    train = pd.concat([once, once.iloc[:1]], ignore_index=True)
    synthetic = pd.concat([ward(40, 2), once.iloc[:1]], ignore_index=True)
    score = copies(Comparison.of(synthetic, train=train, holdout=ward(50, 3).assign(who="x"), schema=schema))
    assert score.details["copies"] == 1


def test_copies_without_a_holdout_fail_and_their_absence_does_not_pass(train, ideal):
    assert verdict(copies(Comparison.of(ideal, train=train, holdout=None, schema=SCHEMA))) == "NOT ASSESSABLE"
    assert verdict(copies(Comparison.of(train.iloc[:90], train=train, holdout=None, schema=SCHEMA))) == "FAIL"


def with_copies(make, rows: int, copied: int, schema: Schema) -> Comparison:
    train, holdout, synthetic = (make(rows, seed) for seed in (1, 2, 3))
    synthetic = pd.concat([synthetic.iloc[copied:], train.iloc[:copied]], ignore_index=True)
    return Comparison.of(synthetic, train=train, holdout=holdout, schema=schema)


NARROW = Schema.model_validate(
    {
        "columns": {
            "age": {"type": "integer", "range": [18, 95]},
            "score": {"type": "integer", "range": [0, 10]},
            "sex": {"type": "category", "categories": ["F", "M"]},
        }
    }
)


def narrow(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": pd.array(rng.normal(60, 12, rows).round().clip(18, 95).astype(int), dtype="Int64"),
            "score": pd.array(rng.binomial(10, 0.4, rows), dtype="Int64"),
            "sex": pd.Categorical(rng.choice(["F", "M"], rows), categories=["F", "M"]),
        }
    )


def test_seven_copied_patients_of_some_hundred_rows_are_reviewed_and_named():
    c = with_copies(ward, 700, 7, SCHEMA)
    score = copies(c)
    assert score.details["copied_rows"] == list(range(694, 701))
    found = c.tables.synthetic.iloc[[number - 1 for number in score.details["copied_rows"]]].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, c.tables.train.iloc[:7].reset_index(drop=True))
    assert verdict(score) == "REVIEW"


@pytest.mark.parametrize("copied", [0, 7])
def test_coincidences_in_a_narrow_table_are_reviewed_and_never_fail(copied):
    score = copies(with_copies(narrow, 400, copied, NARROW))
    assert score.details["copies"] > 50
    assert score.low <= score.reference
    assert verdict(score) == "REVIEW"


def test_other_rows_of_the_same_distribution_are_reviewed_and_do_not_fail():
    found = []
    for seed in range(40):
        tables = [narrow(rows, 3 * seed + i) for i, rows in enumerate((300, 40, 300))]
        found.append(verdict(copies(Comparison.of(tables[2], train=tables[0], holdout=tables[1], schema=NARROW))))
    assert found.count("REVIEW") >= 38
    assert "PASS" not in found


def test_many_copies_of_a_narrow_table_fail():
    train, holdout = narrow(400, 1), narrow(400, 2)
    unique = train[~train.duplicated(keep=False)]
    assert verdict(copies(Comparison.of(unique, train=train, holdout=holdout, schema=NARROW))) == "FAIL"


def test_at_most_one_hundred_rows_are_named(compare, train):
    named = copies(compare(train)).details["copied_rows"]
    assert named == list(range(1, 101))
