"""Labels in the place of names and levels: distinct, also where they are cut, and only while they are shown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation.catalogue import kind_of
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.labels import (
    Labels,
    column_level,
    column_name,
    group_name,
    labels_of,
    level_name,
    showing_labels,
    term_name,
    with_labels,
)
from synthclin.evaluation.sections import sections
from synthclin.schema import Schema

SHOWN = Labels(
    {"arm": "Treatment", "bmi": "Body mass index", "a: b": "Odd"},
    {"arm": {"0": "placebo", "1": "drug, low dose", "2": "drug, high dose"}, "sex": {"F": "female", "M": "male"}},
)


def schema(**columns):
    return Schema.model_validate({"columns": columns})


def test_labels_are_distinct_from_each_other_and_from_names():
    whole = {"type": "integer"}
    found = labels_of(
        schema(
            a=whole | {"label": "Pressure"},
            b=whole | {"label": "Pressure"},
            c=whole | {"label": "pulse"},
            pulse=whole,
            d=whole | {"label": "Weight", "range": [0, 300], "missing_codes": {-9: "refused"}},
        )
    )
    assert found.columns == {
        "a": "Pressure (a)",
        "b": "Pressure (b)",
        "c": "pulse (c)",
        "d": "Weight",
        "d_missing": "Weight, missing reason",
    }
    assert len(set(found.columns.values())) == len(found.columns)


@pytest.mark.parametrize(
    "column",
    [
        {"type": "boolean", "labels": {False: "no", True: "yes"}},
        {"type": "boolean", "values": [0, 1], "labels": {0: "no", 1: "yes"}},
        {"type": "category", "categories": [0.5, 1], "labels": {1: "yes", 0.5: "no"}},
        {"type": "category", "labels": {0: "no", 1: "yes"}},
    ],
    ids=str,
)
def test_levels_are_written_as_in_the_figures(column):
    one = schema(x=column, y={"type": "number"})
    truth = column["type"] == "boolean" and "values" not in column
    cells = [False, True] if truth else [0.5, 1] if column.get("categories") else [0, 1]
    table = pd.DataFrame({"x": cells * 40, "y": np.arange(80.0)})
    typed = table.assign(x=one.columns["x"].coerce(table["x"])[0])
    found = sections(Comparison.of([typed], train=typed, holdout=None, schema=one, random_state=0))
    assert set(found["marginals"][0]["labels"]) == set(found["labels"]["levels"]["x"])
    assert found["labels"]["columns"] == {}


def test_a_schema_without_labels_adds_nothing():
    one = schema(x={"type": "number"}, y={"type": "number"})
    table = pd.DataFrame({"x": np.arange(20.0), "y": np.arange(20.0)})
    assert "labels" not in sections(Comparison.of([table], train=table, holdout=None, schema=one, random_state=0))


@pytest.mark.parametrize(
    ("term", "shown"),
    [
        ("bmi", "Body mass index"),
        ("bmi (per SD)", "Body mass index (per SD)"),
        ("age (per SD)", "age (per SD)"),
        ("arm: 2 against 0", "Treatment: drug, high dose against placebo"),
        ("arm: 7 against 0", "Treatment: 7 against placebo"),
        ("difference, arm: 1 against 0", "difference, Treatment: drug, low dose against placebo"),
        ("mean survival time, arm: 1", "mean survival time, Treatment: drug, low dose"),
        ("mean survival time, all", "mean survival time, all"),
        ("arm: 1 against 0, sex: F", "Treatment: drug, low dose against placebo, sex: female"),
        ("arm: 1 against 0, grade: 3", "Treatment: drug, low dose against placebo, grade: 3"),
        ("site: 1 against 0", "site: 1 against 0"),
        ("sex: F against M", "sex: female against male"),
        ("a: b: 1 against 0", "Odd: 1 against 0"),
        ("arm: 1 against 0 against 2", "arm: 1 against 0 against 2"),
        ("armoured: 1 against 0", "armoured: 1 against 0"),
        ("", "(empty)"),
    ],
)
def test_terms_have_labels_where_their_form_is_known(term, shown):
    with showing_labels(SHOWN):
        assert term_name(term, 40) == shown
    assert term_name(term, 80) == (term or "(empty)")


def test_levels_that_are_counted_together_have_both_labels():
    with showing_labels(SHOWN):
        assert level_name("arm", "0 to 2", 40) == "placebo to drug, high dose"
        assert level_name("arm", "0 to 9", 40) == "0 to 9"
        assert level_name("arm", "other (3 levels)", 40) == "other (3 levels)"
        assert level_name("bmi", "0", 40) == "0"


def test_a_cut_label_is_still_distinct():
    long = {str(place): f"{'very ' * 20}{name}" for place, name in enumerate(["long", "short"])}
    same = {"0": f"{'a' * 50}b{'a' * 50}", "1": f"{'a' * 50}c{'a' * 50}", "2": "other"}
    with showing_labels(Labels({"x": "Blood pressure at rest, systolic, in the morning"}, {"x": long, "y": same})):
        cut = [level_name("x", level, 16) for level in long]
        assert cut == ["very ve\u2026ry long", "very ve\u2026y short"]
        assert [level_name("y", level, 16) for level in same] == ["0", "1", "other"]
        assert column_name("x", 20) == "Blood pressure at rest, systolic, in th\u2026"
        assert column_level("x", "0", 120) == f"Blood pressure at rest, systolic, in the morning: {long['0']}"


def test_a_group_is_named_by_its_level_where_there_is_little_room():
    with showing_labels(SHOWN):
        assert group_name("arm: 0", 16) == "placebo"
        assert group_name("arm: 9", 16) == "Treatment: 9"
        assert group_name("site: a long name", 10) == "site: a l\u2026"


def test_names_in_quotes_have_labels_and_other_quotes_stay():
    with showing_labels(SHOWN):
        assert with_labels("'bmi' and 'arm: 1 against 0'") == (
            "'Body mass index' and 'Treatment: drug, low dose against placebo'"
        )
        assert with_labels("it's of 'x' and bmi") == "it's of 'x' and bmi"
    assert with_labels("'bmi'") == "'bmi'"


def test_texts_of_a_kind_have_labels_only_while_they_are_shown():
    names = ("utility.died", "inference.cox.died", "survival.curve.died", "subgroups.arm.marginals")
    before = [kind_of(name) for name in names]
    with showing_labels(Labels({"died": "Death. Any cause", "arm": "Arm"}, {})):
        labels = [kind_of(name).label for name in names]
        assert all("died" not in f"{kind_of(name).label} {kind_of(name).question}" for name in names)
        assert [kind_of(name).name for name in names] == list(names)
    assert labels[0] == "Prediction of Death. Any cause"
    assert labels[3].endswith(", Arm")
    assert [kind_of(name) is kind for name, kind in zip(names, before, strict=True)] == [True] * 4


def test_labels_are_gone_after_an_error():
    with pytest.raises(ZeroDivisionError), showing_labels(SHOWN):
        raise ZeroDivisionError
    assert column_name("bmi", 20) == "bmi"
