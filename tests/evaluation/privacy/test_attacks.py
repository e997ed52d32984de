"""Every attack: a copy is detected, ideal rows and shuffled columns reach the null, small tables are not assessable."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from synthclin.errors import ConfigError
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.privacy import ATTACKS
from synthclin.evaluation.privacy.attack import Attack
from synthclin.evaluation.privacy.attribute_inference import attribute_inference
from synthclin.evaluation.privacy.copies import copies, copies_attack
from synthclin.evaluation.privacy.identity_disclosure import identity_disclosure
from synthclin.evaluation.privacy.linkability import linkability
from synthclin.evaluation.privacy.membership import membership
from synthclin.evaluation.privacy.membership_tpr import membership_tpr
from synthclin.evaluation.privacy.near_copies import near_copies
from synthclin.evaluation.privacy.relative_f1 import relative_f1
from synthclin.evaluation.privacy.singling_out import singling_out
from synthclin.evaluation.privacy.uniques import disclosive_keys, replicated_uniques
from synthclin.schema import Schema
from tests.evaluation.clinic import shuffled

from .ward import SCHEMA, jittered, ward

EVERY = (copies_attack, *(attack for attack in ATTACKS if isinstance(attack, Attack)))


def name(attack: Attack) -> str:
    return attack.kind.name


LEAST = {membership_tpr: 0.3, identity_disclosure: 0.2}  # 1 % of 300 are 3; one sensitive value of three is common


@pytest.mark.parametrize("attack", EVERY, ids=name)
def test_a_copy_of_the_training_rows_is_detected(attack, data, values, train):
    found = attack.run(data, values(train.sample(frac=1, random_state=1)))
    assert found.interval.low > LEAST.get(attack, 0.8)
    assert found.value > 0.9 or attack is identity_disclosure
    if "non_members" in found.details:
        assert found.details["members"]["low"] > found.details["non_members"]["high"]


@pytest.mark.parametrize("attack", EVERY, ids=name)
def test_ideal_rows_reach_the_null(attack, data, values, ideal):
    found = attack.run(data, values(ideal))
    # Sensitive values are equal by chance, too, and this attack does not subtract the non-members.
    assert found.interval.low <= attack.null + (0.02 if attack is identity_disclosure else 0) <= found.interval.high


@pytest.mark.parametrize(
    "attack",
    [attack for attack in EVERY if attack not in {singling_out, replicated_uniques, membership, membership_tpr}],
    ids=name,
)
def test_shuffled_columns_reach_the_null(attack, data, values, train):
    found = attack.run(data, values(shuffled(train)))
    assert found.value == pytest.approx(attack.null, abs=0.06)


def test_a_value_that_one_patient_has_singles_them_out_even_in_shuffled_columns(data, values, train):
    assert singling_out.run(data, values(shuffled(train))).interval.low > 0.9


@pytest.mark.parametrize("attack", [near_copies, membership, membership_tpr, relative_f1, linkability], ids=name)
def test_nearly_copied_rows_are_found_though_no_row_is_a_copy(attack, data, values, train):
    near = values(jittered(train))
    assert copies_attack.run(data, near).value == 0
    assert attack.run(data, near).interval.low > attack.null + 0.1


@pytest.mark.parametrize("attack", [attribute_inference, disclosive_keys, identity_disclosure], ids=name)
def test_leaked_sensitive_values_of_members_are_inferred(attack, data, values, train, ideal):
    # Quasi-identifiers and sensitive values are those of training rows, all else is not.
    leaking = ideal.assign(**{column: train[column].to_numpy() for column in ("age", "sex", "zip")}, hiv=train["hiv"])
    found = attack.run(data, values(leaking))
    assert found.interval.low > LEAST.get(attack, 0.5)
    blurred = leaking.assign(hiv=leaking["hiv"].sample(frac=1, random_state=1).to_numpy())
    assert (
        attack.run(data, values(blurred)).value < 0.6 * found.value
    )  # a third of the sensitive values is equal by chance


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: getattr(attack, "__name__", None) or name(attack))
@pytest.mark.parametrize("rows", [None, 19])
def test_too_few_holdout_patients_never_pass(attack, rows, train, holdout, ideal):
    few = None if rows is None else holdout.iloc[:rows]
    if attack is copies and rows is not None:
        pytest.skip("a copy needs one patient to be found")
    score = attack(Comparison.of(ideal, train=train, holdout=few, schema=SCHEMA))
    assert math.isnan(score.value)
    assert "holdout" in score.note
    verdicts = judge(default_gates([score]), [score])
    assert [verdict.status for verdict in verdicts] in ([], ["NOT ASSESSABLE"])


def test_a_score_has_reference_with_error_and_null(compare, ideal):
    score = linkability(compare(ideal), by=["sex", "age"])
    assert score.baseline is None
    assert 0 < score.reference_error < 0.1
    assert score.reference == score.details["negative_control"]["value"] == pytest.approx(0, abs=0.15)
    assert score.details["negative_control"]["rows"] == 150
    assert score.details["null"] == 0
    assert score.details["naive_baseline"] == pytest.approx(25 / 300, abs=0.02)
    groups = [(group["column"], group["level"]) for group in score.details["groups"]]
    assert groups == [("sex", "F"), ("sex", "M"), *(("age", f"part {i} of 4 by rank") for i in range(1, 5))]
    assert score.details["top_decile_outliers"]["members"]["n"] == 30


def test_small_groups_are_left_out(compare, ideal, train, holdout):
    rare = Comparison.of(ideal, train=train, holdout=holdout.iloc[:50], schema=SCHEMA)
    assert linkability(rare, by=["sex"]).details["groups"] == []
    with pytest.raises(ConfigError, match="ward"):
        linkability(compare(ideal), by=["ward"])


def test_the_order_of_rows_changes_nothing(data, values, train):
    one, other = (membership.run(data, values(table)) for table in (train, train.iloc[::-1]))
    assert one.value == pytest.approx(other.value)


def test_rows_of_one_patient_count_as_one():
    columns = SCHEMA.model_dump(mode="json")["columns"]
    schema = Schema.model_validate({"columns": {"who": {"type": "id", "role": "entity"}, **columns}})

    def visits(patients: int, seed: int) -> pd.DataFrame:
        table = pd.concat([ward(patients, seed)] * 3, ignore_index=True)
        return table.assign(who=[f"{seed}-{i % patients}" for i in range(3 * patients)])

    train = visits(80, 1)
    scores = [
        attack(Comparison.of(table, train=train, holdout=visits(60, 2), schema=schema))
        for attack in (membership, linkability, copies)
        for table in (ward(300, 5).assign(who="x"), train)
    ]
    assert [score.n for score in scores[:4]] == [60, 60, 60, 60]
    assert [score.low > score.details["null"] for score in scores] == [False, True] * 3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: getattr(attack, "__name__", None) or name(attack))
def test_constant_columns_have_no_leakage_but_copies(attack):
    tables = [ward(60, 1).iloc[[0] * rows].reset_index(drop=True) for rows in (60, 60, 40)]
    score = attack(Comparison.of(tables[0], train=tables[1], holdout=tables[2], schema=SCHEMA))
    assert math.isnan(score.value) or score.low <= score.details["null"] or attack is copies
    assert attack is not copies or score.value == 1


@pytest.mark.parametrize("attack", [singling_out, linkability, attribute_inference, replicated_uniques], ids=name)
def test_one_column_raises_nothing(attack):
    schema = Schema.model_validate({"columns": {"age": {"type": "integer"}}})
    tables = [ward(60, seed)[["age"]] for seed in range(3)]
    score = attack(Comparison.of(tables[0], train=tables[1], holdout=tables[2], schema=schema))
    assert score.note
