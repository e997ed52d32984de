"""Expressions against a slow reference that works row by row on Python values, with missing ones among them."""

from __future__ import annotations

import math
import operator
from functools import reduce
from typing import Any

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.expressions import parse

STAGES = ["I", "II", "III"]

# Every strategy draws an expression's text together with a function of one row (a dict of
# Python values, None where missing) that returns True, False, a float, or None where unknown.

COMPARE = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
CALCULATE = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


def lift(function: Any, *arguments: Any) -> Any:
    if any(argument is None for argument in arguments):
        return None
    try:
        result = function(*arguments)
    except (ArithmeticError, ValueError):
        return None
    return None if isinstance(result, float) and not math.isfinite(result) else result


def both(left: bool | None, right: bool | None) -> bool | None:
    if left is False or right is False:
        return False
    return None if left is None or right is None else True


def negate(value: bool | None) -> bool | None:
    return None if value is None else not value


@st.composite
def numbers(draw: st.DrawFn, depth: int = 2) -> tuple[str, Any]:
    kind = draw(st.sampled_from(["x", "k", "constant", "calculate", "negative", "abs", "min"][: 7 if depth else 3]))
    if kind in ("x", "k"):
        return kind, lambda row: row[kind]
    if kind == "constant":
        value = draw(st.sampled_from([0, 1, 2.5, 1e-6, 1e200]))
        return repr(value), lambda _: float(value)
    (one, f), (two, g) = draw(numbers(depth - 1)), draw(numbers(depth - 1))
    if kind == "calculate":
        sign = draw(st.sampled_from(sorted(CALCULATE)))
        return f"({one} {sign} {two})", lambda row: lift(CALCULATE[sign], f(row), g(row))
    if kind == "negative":
        return f"-({one})", lambda row: lift(operator.neg, f(row))
    if kind == "abs":
        return f"abs({one})", lambda row: lift(abs, f(row))
    return f"min({one}, {two})", lambda row: lift(min, f(row), g(row))


@st.composite
def predicates(draw: st.DrawFn, depth: int = 3) -> tuple[str, Any]:  # noqa: PLR0911  # one kind, one return
    leaves = ["compare", "chain", "text", "order", "flag", "in", "missing"]
    kind = draw(st.sampled_from(leaves + ["and", "or", "not"] * 3 * bool(depth)))
    sign = draw(st.sampled_from(sorted(COMPARE)))
    if kind == "compare":
        (one, f), (two, g) = draw(numbers()), draw(numbers())
        return f"x * 0 + {one} {sign} {two}", lambda row: lift(
            COMPARE[sign], lift(operator.add, lift(operator.mul, row["x"], 0.0), f(row)), g(row)
        )
    if kind == "chain":
        return "0 <= x < k", lambda row: both(lift(operator.le, 0, row["x"]), lift(operator.lt, row["x"], row["k"]))
    if kind == "text":
        level, equal = draw(st.sampled_from(["F", "M", "X"])), draw(st.sampled_from(["==", "!="]))
        return f"s {equal} '{level}'", lambda row: lift(COMPARE[equal], row["s"], level)
    if kind == "order":
        level = draw(st.sampled_from(STAGES))
        return f"o {sign} '{level}'", lambda row: lift(
            lambda value: COMPARE[sign](STAGES.index(value), STAGES.index(level)), row["o"]
        )
    if kind == "flag":
        return "f", lambda row: row["f"]
    if kind == "in":
        items, word = (
            draw(st.sets(st.sampled_from(["F", "M", "X"]), min_size=1)),
            draw(st.sampled_from(["in", "not in"])),
        )
        listed = ", ".join(f"'{item}'" for item in sorted(items))
        return f"s {word} [{listed}]", lambda row: lift(lambda value: (value in items) == (word == "in"), row["s"])
    if kind == "missing":
        name = draw(st.sampled_from(["x", "k", "s", "o", "f"]))
        return f"{name} is missing", lambda row: row[name] is None
    (one, p), (two, q) = draw(predicates(depth - 1)), draw(predicates(depth - 1))
    if kind == "not":
        return f"not ({one})", lambda row: negate(p(row))
    if kind == "and":
        return f"({one}) and ({two})", lambda row: both(p(row), q(row))
    return f"({one}) or ({two})", lambda row: negate(both(negate(p(row)), negate(q(row))))


ROW = st.fixed_dictionaries(
    {
        "x": st.none() | st.sampled_from([-1.5, 0.0, 1.0, 2.0, 1e300]),
        "k": st.none() | st.integers(-2, 3),
        "s": st.none() | st.sampled_from(["F", "M"]),
        "o": st.none() | st.sampled_from(STAGES),
        "f": st.none() | st.booleans(),
    }
)


def typed(rows: list[dict[str, Any]]) -> pd.DataFrame:
    columns = {name: [row[name] for row in rows] for name in ("x", "k", "s", "o", "f")}
    return pd.DataFrame(
        {
            "x": pd.Series(columns["x"], dtype="float64"),
            "k": pd.array(columns["k"], dtype="Int64"),
            "s": pd.Categorical(columns["s"], categories=["F", "M"]),
            "o": pd.Categorical(columns["o"], categories=STAGES, ordered=True),
            "f": pd.array(columns["f"], dtype="boolean"),
        }
    )


@given(predicates(), st.lists(ROW, max_size=8))
@settings(max_examples=100, deadline=None)
def test_predicates_agree_with_the_reference(predicate: tuple[str, Any], rows: list[dict[str, Any]]) -> None:
    text, reference = predicate
    table = typed(rows)
    found = parse(text).evaluate(table)
    assert [None if value is pd.NA else bool(value) for value in found] == [reference(row) for row in rows]
    # The parts of a predicate hold together exactly where the whole does, and read back from their own text.
    parts = [parse(part.text) for part in parse(text).conjuncts()]
    together = reduce(operator.and_, (part.evaluate(table) for part in parts))
    pd.testing.assert_series_equal(together, found)


@given(numbers(depth=3), st.lists(ROW, min_size=1, max_size=8))
@settings(max_examples=100, deadline=None)
def test_numbers_agree_with_the_reference(number: tuple[str, Any], rows: list[dict[str, Any]]) -> None:
    text, reference = number
    expected = [math.nan if (value := reference(row)) is None else float(value) for row in rows]
    np.testing.assert_array_equal(parse(text).compute(typed(rows)), expected)
