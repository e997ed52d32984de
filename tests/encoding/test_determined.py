"""Columns that follow from another one by a list of combinations, and lists from which none follows."""

from __future__ import annotations

import pytest

from synthclin.encoding.declared import declared_encoder
from synthclin.encoding.determined import determined_columns
from synthclin.schema import Schema

SCHOOL = {"type": "category", "categories": ["BSc", "MSc", "PhD"]}
RANK = {"type": "integer", "range": [1, 3]}
PAIRS = [["BSc", 1], ["MSc", 2], ["PhD", 3]]


def found(columns, *rules):
    schema = Schema.model_validate({"columns": columns, "constraints": list(rules)})
    encoder = declared_encoder(schema)
    return {name: (by, codes.tolist()) for name, (by, codes) in determined_columns(schema, encoder.codecs).items()}


def listed(*columns, combinations=PAIRS):
    return {"columns": list(columns), "combinations": combinations}


def test_a_rank_follows_from_a_name_whatever_the_order():
    columns = {"school": SCHOOL, "rank": RANK}
    assert found(columns, listed("school", "rank")) == {"rank": ("school", [0, 1, 2])}
    turned = [[rank, school] for school, rank in reversed(PAIRS)]
    assert found(columns, listed("rank", "school", combinations=turned)) == {"rank": ("school", [0, 1, 2])}


def test_several_names_may_have_one_rank_and_missing_is_a_level():
    columns = {"school": {**SCHOOL, "missing": "allowed"}, "rank": {**RANK, "missing": "allowed"}}
    pairs = [["BSc", 2], ["MSc", 2], ["PhD", 1], [None, None]]
    assert found(columns, listed("school", "rank", combinations=pairs)) == {"rank": ("school", [1, 1, 0, 3])}


@pytest.mark.parametrize(
    "pairs",
    [PAIRS[:2], [*PAIRS, ["PhD", 2]], [*PAIRS[:2], ["MSc", 3]]],
    ids=["a name without a rank", "a name with two", "a name twice"],
)
def test_a_list_that_is_no_function_of_the_name_determines_nothing(pairs):
    assert found({"school": SCHOOL, "rank": RANK}, listed("school", "rank", combinations=pairs)) == {}


def test_a_missing_name_without_a_rank_determines_nothing():
    assert found({"school": {**SCHOOL, "missing": "allowed"}, "rank": RANK}, listed("school", "rank")) == {}


def test_a_value_that_shares_its_bin_determines_nothing():
    wide = {"type": "integer", "range": [0, 100_000]}
    pairs = [["BSc", 1], ["MSc", 2], ["PhD", 90_001]]
    assert found({"school": SCHOOL, "rank": wide}, listed("school", "rank", combinations=pairs)) == {}


def test_no_column_determines_what_determines_it():
    other = {"type": "category", "categories": ["x", "y", "z"]}
    one_to_one = [["BSc", "x"], ["MSc", "y"], ["PhD", "z"]]
    columns = {"school": SCHOOL, "letter": other, "rank": RANK}
    letters = [["x", 1], ["y", 2], ["z", 3]]
    whole = found(
        columns,
        listed("school", "letter", combinations=one_to_one),
        listed("letter", "rank", combinations=letters),
        listed("school", "rank"),
    )
    assert whole == {"letter": ("school", [0, 1, 2]), "rank": ("school", [0, 1, 2])}
