from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from synthclin.errors import ConfigError
from synthclin.evaluation.catalogue import headline_kinds
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity import detection as module
from synthclin.evaluation.fidelity.associations import association_changes
from synthclin.evaluation.fidelity.missingness import missingness
from synthclin.evaluation.fidelity.pairs import pairs
from synthclin.evaluation.score_names import within
from synthclin.evaluation.subgroups.headlines import Groups, headlines
from synthclin.evaluation.tasks import CompareTask, LogisticTask, SurvivalTask
from synthclin.schema import Schema
from tests.evaluation.clinic import SCHEMA, clinic

SURVIVAL = SurvivalTask(time="days", event="died", horizon=60)
COHORT = Schema.model_validate(
    {
        "columns": {
            "sex": {"type": "category", "categories": ["F", "M"]},
            "arm": {"type": "category", "categories": ["control", "drug"]},
            "days": {"type": "number", "role": "time"},
            "died": {"type": "boolean", "values": [0, 1], "role": "event"},
        }
    }
)


def scored(c, by, *names):
    """Score the groups of a column, by the names of the scores of the whole table."""
    groups, known = Groups.of(c, by), {each.kind.name: each for each in headlines()}
    found = [groups.again(known[name]) for name in names]
    return found[0] if len(found) == 1 else found


def of_task(c, by, task):
    return [Groups.of(c, by).again(each) for each in headlines(task)]


def apart(score):
    """Return the rows of the groups by name."""
    return {row["group"]: row for row in score.details["groups"]}


def cohort(rows, seed, *, harm=1.0):
    """Return patients of whom women die `harm` times as fast as men."""
    rng = np.random.default_rng(seed)
    women, drug = rng.random(rows) < 0.25, rng.random(rows) < 0.5
    event, last = rng.exponential(40 / np.where(women, harm, 1.0)), rng.uniform(20, 120, rows)
    return pd.DataFrame(
        {
            "sex": pd.Categorical(np.where(women, "F", "M"), categories=["F", "M"]),
            "arm": pd.Categorical(np.where(drug, "drug", "control"), categories=["control", "drug"]),
            "days": np.minimum(event, last),
            "died": pd.array((event <= last).astype(int), dtype="Int64"),
        }
    )


def followed(harm):
    return Comparison.of(cohort(800, 3, harm=harm), train=cohort(800, 1), holdout=cohort(400, 2), schema=COHORT)


def within_women(table, change):
    """Return the table with something done to the rows of women only."""
    women = (table["sex"] == "F").to_numpy()
    out = table.copy()
    for name, column in change(table[women]).items():
        out[name] = out[name].mask(women, pd.Series(column.array, index=table.index[women]).reindex(table.index))
    return out


def shuffle(*names):
    rng = np.random.default_rng(4)
    return lambda part: {name: part[name].iloc[rng.permutation(len(part))] for name in names}


def test_every_headline_has_its_groups():
    assert tuple(each.kind.name for each in headlines()) == tuple(kind.name for kind in headline_kinds())
    assert tuple(within("sex", kind.name) for kind in headline_kinds()) == tuple(
        within("sex", name) for name in tuple(kind.name for kind in headline_kinds())
    )
    for task in (SURVIVAL, CompareTask(target="age", by="sex")):
        assert tuple(each.kind.name for each in headlines(task)) == task.headlines


def test_the_worst_group_is_named_with_its_real_data_reference(compare, ideal):
    women = ideal["sex"] == "F"
    damaged = ideal.assign(age=ideal["age"].mask(women, 90), bmi=ideal["bmi"].mask(women, ideal["bmi"] + 15))
    score = scored(compare(damaged), "sex", "fidelity.marginals")
    groups = apart(score)
    assert score.details["worst"] == "F"
    assert f"F is the worst group: {score.value:.3f}; its real-data reference is {score.reference:.3f}." in score.note
    assert groups["F"]["high"] < groups["M"]["value"]
    assert (score.value, score.reference) == (groups["F"]["value"], groups["F"]["reference"])
    assert score.high < score.reference
    good = scored(compare(ideal), "sex", "fidelity.marginals")
    assert good.low <= good.reference <= good.high


def test_associations_lost_in_one_group_are_seen_there(train, holdout, ideal):
    few = [table[(table["sex"] == "M") | (np.arange(len(table)) % 2 == 0)] for table in (train, holdout, ideal)]
    lost = within_women(few[2], shuffle("nyha", "died", "weight"))
    c = Comparison.of(lost, train=few[0], holdout=few[1], schema=SCHEMA)
    score, whole = scored(c, "sex", "fidelity.associations"), association_changes(c)
    groups = apart(score)
    assert score.details["worst"] == "F"
    assert groups["F"]["low"] > groups["M"]["high"]
    assert groups["F"]["low"] > groups["F"]["reference"]
    assert whole.value < groups["F"]["low"]  # the whole table hides it


def test_cells_missing_in_one_group_are_seen_there(compare, ideal):
    bad = within_women(ideal, lambda part: {"bmi": part["bmi"].mask(np.arange(len(part)) % 2 == 0)})
    score, whole = scored(compare(bad), "sex", "fidelity.missingness"), missingness(compare(bad))
    groups = apart(score)
    assert score.details["worst"] == "F"
    assert groups["F"]["high"] < groups["F"]["reference"]
    assert groups["M"]["high"] >= groups["M"]["reference"]
    assert groups["F"]["value"] < whole.value


def test_impossible_records_of_one_group_are_counted_there(compare, ideal):
    impossible = ideal["sex"].eq("F") & (np.arange(len(ideal)) % 4 == 0)
    score = scored(compare(ideal.assign(age=ideal["age"].mask(impossible, 20))), "sex", "validity.rules")
    groups = apart(score)
    assert groups["M"]["value"] == 1
    assert score.value == pytest.approx(1 - impossible.sum() / ideal["sex"].eq("F").sum())
    assert score.details["worst"] == "F"


def test_women_who_are_too_old_raise_the_propensity_score(compare, ideal):
    score = scored(compare(within_women(ideal, lambda part: {"age": part["age"] + 10})), "sex", "fidelity.propensity")
    groups = apart(score)
    assert score.details["worst"] == "F"
    assert groups["F"]["low"] > groups["F"]["reference"]
    assert groups["M"]["low"] <= groups["M"]["reference"] <= groups["M"]["high"]


def test_the_group_whose_patients_die_faster_is_named():
    good, bad = of_task(followed(1.0), "sex", SURVIVAL), of_task(followed(4.0), "sex", SURVIVAL)
    names = ["subgroups.sex.survival.died", "subgroups.sex.curve.died", "subgroups.sex.rmst.died"]
    assert [score.name for score in bad] == names
    for one, other in zip(good, bad, strict=True):
        assert abs(one.value - one.reference) < abs(other.value - other.reference) / 3
        assert other.details["worst"] == "F"
        assert not other.low <= other.reference <= other.high
        women, men = (apart(other)[sex] for sex in "FM")
        assert abs(men["value"] - men["reference"]) < abs(women["value"] - women["reference"]) / 3
        assert women["n"] < men["n"]
    # On average a woman lives 40 days less of the first 60 than she should, as exponential distributions have it.
    expected = 40 * (1 - math.exp(-1.5)) - 10 * (1 - math.exp(-6))
    assert bad[2].value == pytest.approx(expected, rel=0.2)


def test_a_task_that_compares_the_groups_is_not_run_within_them(compare, ideal):
    assert all("compares the groups" in score.note for score in of_task(followed(1.0), "arm", SURVIVAL_BY_ARM))
    (itself,) = of_task(compare(ideal), "sex", CompareTask(target="age", by="sex"))
    assert math.isnan(itself.value)


SURVIVAL_BY_ARM = SURVIVAL.model_copy(update={"by": "arm"})


def test_arms_are_followed_within_each_group():
    score = of_task(followed(4.0), "sex", SURVIVAL_BY_ARM)[1]
    assert score.details["worst"] == "F"


def test_the_group_whose_analysis_gives_another_answer_is_named(compare, ideal):
    task = LogisticTask(target="died", covariates=("age",))
    women = (ideal["sex"] == "F").to_numpy()
    lost = ideal.assign(died=ideal["died"].mask(women, ideal["died"].iloc[::-1].array))
    (good,), (bad,) = (of_task(compare(table), "sex", task) for table in (ideal, lost))
    assert bad.name == "subgroups.sex.logistic.died"
    assert bad.high < good.value
    assert bad.details["worst"] == "F"
    assert apart(bad)["F"]["high"] < apart(bad)["M"]["low"]


def test_a_score_of_a_group_is_that_of_its_rows(train, holdout, ideal):
    women = [table[table["sex"] == "F"].reset_index(drop=True) for table in (ideal, train, holdout)]
    whole = Comparison.of(ideal, train=train, holdout=holdout, schema=SCHEMA).where(1, 0.0)
    women_only = Comparison.of(women[0], train=women[1], holdout=women[2], schema=SCHEMA)
    for name in ("synthetic", "train", "holdout", "train_patients", "holdout_patients"):
        assert np.array_equal(getattr(whole, name), getattr(women_only, name), equal_nan=True)
    for name in ("synthetic", "train", "holdout"):
        one, other = getattr(whole.tables, name), getattr(women_only.tables, name)
        pd.testing.assert_frame_equal(one.reset_index(drop=True), other)
    assert np.array_equal(np.sort(whole.shuffled, axis=0), np.sort(whole.train, axis=0), equal_nan=True)
    assert pairs(whole).value == pairs(women_only).value


def test_detection_in_short_finds_the_same(monkeypatch):
    monkeypatch.setattr(module, "_REPEATS", 1)
    c = Comparison.of(clinic(60, 3), train=clinic(60, 1), holdout=clinic(40, 2), schema=SCHEMA)
    whole, brief = (module.detection(c, brief=short) for short in (False, True))
    assert (whole.value, whole.low, whole.high, whole.reference) == (
        brief.value,
        brief.low,
        brief.high,
        brief.reference,
    )
    assert (brief.details["columns"], brief.details["auc_against_train"]) == ([], None)


def test_small_groups_are_left_out_and_counted(compare, ideal):
    score = scored(compare(ideal), "nyha", "fidelity.marginals")
    judged = {
        level
        for level in ("I", "II", "III", "IV")
        if min((t["nyha"] == level).sum() for t in (ideal, clinic(400, 1))) >= 100
    }
    assert set(apart(score)) == judged
    assert score.details["not_judged"] == 4 - len(judged) > 0
    assert f"{4 - len(judged)} groups are too small." in score.note
    few = clinic(90, 1)
    c = Comparison.of(few, train=few, holdout=None, schema=SCHEMA)
    for score in scored(c, "sex", *tuple(kind.name for kind in headline_kinds())):
        assert math.isnan(score.value)
        assert score.note == "No group is large enough. 2 groups are too small."
        assert score.details["not_judged"] == 2


def test_a_group_that_is_not_assessable_gives_a_note(train, holdout, ideal):
    whole = [within_women(t, lambda part: part[["bmi", "weight"]].fillna(25.0)) for t in (ideal, train, holdout)]
    c = Comparison.of(whole[0], train=whole[1], holdout=whole[2], schema=SCHEMA)
    score = scored(c, "sex", "fidelity.missingness")
    assert set(apart(score)) == {"M"}
    assert "Not assessable in F: No cell is missing." in score.note


def test_a_group_absent_from_synthetic_rows_is_too_small(compare, ideal):
    score = scored(compare(ideal.assign(sex=ideal["sex"].where(ideal["sex"] == "M", "M"))), "sex", "fidelity.pairs")
    assert set(apart(score)) == {"M"}
    assert "M is the only evaluated group" in score.note
    assert "1 group is too small" in score.note


def test_rows_without_the_column_are_in_no_group(train, holdout, ideal):
    schema = SCHEMA.with_column("sex", missing="allowed")
    gaps = [table.assign(sex=table["sex"].mask(np.arange(len(table)) % 10 == 0)) for table in (ideal, train, holdout)]
    c = Comparison.of(gaps[0], train=gaps[1], holdout=gaps[2], schema=schema)
    groups = Groups.of(c, "sex")
    assert sum(len(part.train) for part in groups.parts.values()) == int(gaps[1]["sex"].notna().sum())
    assert groups.unknown
    assert "Rows without 'sex' are in no group." in scored(c, "sex", "fidelity.marginals").note
    assert (
        "in no group"
        not in scored(Comparison.of(ideal, train=train, holdout=holdout, schema=SCHEMA), "sex", "validity.rules").note
    )


def test_each_of_several_columns_has_groups_of_its_own(compare, ideal):
    c = compare(within_women(ideal, shuffle("age", "died", "nyha")))
    by_sex, by_site = (scored(c, by, "fidelity.pairs") for by in ("sex", "site"))
    assert (by_sex.name, by_site.name) == ("subgroups.sex.pairs", "subgroups.site.pairs")
    assert by_sex.details["worst"] == "F"
    assert set(apart(by_site)) <= {"north", "south", "west"}


def test_rows_of_one_patient_stay_together_and_few_patients_form_no_group():
    schema = SCHEMA.with_column("who", type="id", role="entity")

    def visits(seed, women):
        """Return 600 rows, those of women of as many patients as asked for, of men of 100."""
        table = clinic(600, seed)
        number = np.arange(600) % np.where(table["sex"] == "F", women, 100)
        return table.assign(who=[f"{seed}{sex}{k}" for sex, k in zip(table["sex"], number, strict=True)])

    for women, judged in ((10, {"M"}), (60, {"F", "M"})):
        tables = [visits(seed, women) for seed in (1, 2, 3)]
        groups = Groups.of(Comparison.of(tables[0], train=tables[1], holdout=tables[2], schema=schema), "sex")
        assert set(groups.parts) == judged
        assert groups.parts["M"].train_patients.max() == 99


@pytest.mark.parametrize("by", ["age", "ward"])
def test_a_column_without_levels_forms_no_groups(compare, ideal, by):
    with pytest.raises(ConfigError, match=by):
        Groups.of(compare(ideal), by)
