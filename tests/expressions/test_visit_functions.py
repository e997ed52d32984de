from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.errors import ConfigError
from synthclin.expressions import parse
from synthclin.expressions.value_sets import LevelSets
from synthclin.expressions.visit_order import VisitOrder

TABLE = pd.DataFrame(
    {
        "who": [0, 1, 0, 0],
        "day": [14.0, 0.0, 0.0, 7.0],
        "x": [3, 5, None, 2.0],
        "stage": pd.Categorical(["I", "II", "III", "I"], categories=["I", "II", "III"], ordered=True),
        "on": pd.to_datetime(["2020-01-15", "2020-01-01", "2020-01-01", "2020-01-08"]),
        "ill": pd.array([True, False, False, None], dtype="boolean"),
    }
)
ORDER = VisitOrder.of(TABLE["who"].to_numpy(), TABLE["day"].to_numpy())
T, F, N = True, False, None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("previous(x) < x", [T, N, N, N]),
        ("previous(x) is missing", [F, T, T, T]),
        ("previous(x) is not missing", [T, F, F, F]),
        ("previous(previous(stage)) == 'III'", [T, N, N, N]),
        ("x <= first(x) * 2", [N, T, N, N]),
        ("first(stage) in ['III', 'X']", [T, F, T, T]),
        ("stage <= previous(stage)", [T, N, N, T]),
        ("last(stage) == 'I'", [T, F, T, T]),
        ("count() >= 2", [T, F, T, T]),
        ("1 < count() <= 3", [T, F, T, T]),
        ("on - previous(on) == 7", [T, N, N, T]),
        ("previous(on) >= '2020-01-02'", [T, N, N, F]),
        ("any(x > 2)", [T, T, T, T]),
        ("all(x > 2)", [F, T, F, F]),
        ("all(x >= previous(x))", [T, N, T, T]),  # unknown visits are left out; a single visit has no other
        ("not any(x > 4)", [T, F, T, T]),
        ("any(x > 2 and stage == 'I')", [T, F, T, T]),
        ("last(ill) and not first(ill)", [T, F, T, T]),
        ("max(first(x), last(x)) > 2", [N, T, N, N]),
        ("abs(x - previous(x)) == 1", [T, N, N, N]),
        ("all(previous(x) is missing or x - previous(x) < 2)", [T, T, T, T]),
    ],
)
def test_known_answers(text, wanted):
    found = parse(text).evaluate(TABLE, visits=ORDER)
    assert [None if pd.isna(one) else bool(one) for one in found] == wanted


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 99), st.none() | st.integers(0, 3)), max_size=12))
def test_agreement_with_a_loop_over_patients(rows):
    rows = list({(who, time): (who, time, x) for who, time, x in rows}.values())
    who, time, x = (list(part) for part in zip(*rows, strict=True)) if rows else ([], [], [])
    numbers = pd.factorize(np.array(who, dtype=np.int64))[0]
    table = pd.DataFrame({"x": pd.array(x, dtype="Int64")})
    order = VisitOrder.of(numbers, np.array(time, dtype=float))
    for name, text in [("previous", "x >= previous(x)"), ("first", "x >= first(x)"), ("last", "x >= last(x)")]:
        found = parse(text).evaluate(table, visits=order)
        for i, one in enumerate(found):
            mine = sorted((time[k], k) for k in range(len(rows)) if who[k] == who[i])
            at = mine.index((time[i], i))
            other = {"previous": at - 1, "first": 0, "last": -1}[name]
            value = None if name == "previous" and at == 0 else x[mine[other][1]]
            wanted = None if value is None or x[i] is None else x[i] >= value
            assert (None if pd.isna(one) else bool(one)) == wanted
    for name, how in (("any", any), ("all", all)):
        found = parse(f"{name}(x >= 2)").evaluate(table, visits=order)
        for i, one in enumerate(found):
            known = [x[k] >= 2 for k in range(len(rows)) if who[k] == who[i] and x[k] is not None]
            assert (None if pd.isna(one) else bool(one)) == (how(known) if known else None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("first(previous(x)) > 1", "`previous` stands inside `first`"),
        ("any(any(x > 1))", "`any` stands inside `any`"),
        ("previous(count()) > 1", "`count` stands inside `previous`"),
        ("previous() > 1", r"previous has 0 arguments.*previous\(age\)"),
        ("last(x, y) > 1", "last has 2 arguments"),
        ("count(x) > 1", r"count has an argument. Write count\(\)"),
        ("previous(x > 1)", "a condition or a constant"),
        ("first(3) > x", "a condition or a constant"),
        ("any(x + 1)", "a number is used where a truth value is needed"),
        ("any(x > 1) + 2 > 3", "a truth value is used where a number is needed"),
        ("prevous(x) > 1", "Did you mean 'previous'"),
        ("max(x, 1) is missing", "does not follow a single column"),
    ],
)
def test_wrong_use_is_an_error_with_a_remedy(text, message):
    with pytest.raises(ConfigError, match=message):
        parse(text)


def test_without_visits_the_function_is_refused():
    with pytest.raises(ConfigError, match="role: visit"):
        parse("previous(x) > 1").evaluate(TABLE)


def test_columns_may_have_the_names_of_functions():
    table = pd.DataFrame({"first": [1, 2], "count": [2, 2]})
    assert parse("first < count").evaluate(table).tolist() == [True, False]
    assert parse("first(first) < count()").columns == {"first"}


def test_text_comes_back_from_conjuncts():
    whole = parse("any(x > 1) and previous(`odd name`) < 2 and count() >= 3")
    assert [part.text for part in whole.conjuncts()] == ["any(x > 1)", "previous(`odd name`) < 2", "count() >= 3"]
    assert whole.columns == {"x", "odd name"}


def test_domains_of_single_rows_leave_everything_open():
    levels = LevelSets(("a", "b"), np.eye(2, dtype=bool), np.zeros(2, dtype=bool), np.arange(2))
    for text in ("previous(s) == 'a'", "previous(s) is missing", "count() > 2", "any(s == 'a')", "last(s) in ['a']"):
        found = parse(text).outcomes({"s": levels}.__getitem__)
        assert np.asarray(found.true).all()
        assert np.asarray(found.false).all()


def test_what_differs_between_visits():
    static = {"sex", "age"}
    for text, wanted in [
        ("sex == 'F' and crp > 9", {"crp"}),
        ("any(crp > 9) or last(crp) < first(bili)", set()),
        ("count() >= age", set()),
        ("max(crp, first(bili)) > 3", {"crp"}),
        ("previous(age) > 3", {"age"}),
    ]:
        assert parse(text).varying(static) == wanted


def test_the_row_of_a_first_visit():
    assert parse("x <= first(x) * count()").at_first_visit("visits").text == "x <= x * visits"
    assert parse("abs(first(x)) > 1").at_first_visit("visits").text == "abs(x) > 1"
    for text in ("last(x) > 1", "any(x > 1)", "x > previous(x)"):
        assert parse(text).at_first_visit("visits") is None
