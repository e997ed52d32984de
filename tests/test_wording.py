"""Formatting of numbers, counts and names."""

from __future__ import annotations

import unicodedata
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.wording import count, interval, listed, number, plain, plural, share, signed, significant, unit_name


@pytest.mark.parametrize("unknown", [None, nan])
def test_none_and_nan_are_not_assessable(unknown: float | None) -> None:
    assert number(unknown) == share(unknown) == "not assessable"
    assert interval(unknown, 0.5) == ""


def test_numbers_are_grouped_and_have_a_true_minus() -> None:
    assert number(-12345.678, 1) == "\u221212\u202f345.7"
    assert number(-0.0004) == "0.000"
    assert number(inf) == "\u221e"
    assert number(-1e300) == "\u22121e+300"
    assert signed(0.0004) == "0.00"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_has_a_text(value: float) -> None:
    assert "-" not in number(value).replace("e-", "")
    assert significant(value)


@given(st.integers(1, 10))
def test_counts_from_one_to_ten_are_indistinguishable(n: int) -> None:
    assert count(n) == count(10) == "<\u00a011"


def test_none_is_suppressed_and_zero_is_zero() -> None:
    assert (count(None), count(0)) == ("suppressed", "0")


@given(st.text())
def test_name_is_one_visible_line(name: str) -> None:
    text = plain(name, 20)
    assert 1 <= len(text) <= 20
    assert all(c.isprintable() or unicodedata.category(c) == "Zs" for c in text)
    text.encode()


@pytest.mark.parametrize("char", ["\n", "\r", "\x00", "\u202e", "\u2066", "\u200b", "\ud800", "\u2028"])
def test_control_characters_are_replaced(char: str) -> None:
    assert plain(f"a{char}b") == "a\ufffdb"


def test_plural_and_listed() -> None:
    assert [plural(n, "one row", "{n} rows") for n in (0, 1, 2, 11)] == ["no rows", "one row", "two rows", "11 rows"]
    assert [listed(x) for x in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]
    assert unit_name("{beats}/min") == "beats/min"
