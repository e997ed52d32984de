from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.schema.columns import (
    Boolean,
    Category,
    Code,
    Column,
    Date,
    Datetime,
    Duration,
    Id,
    Integer,
    Number,
    Ordinal,
    Text,
    parsing,
)

COLUMNS = [
    Number(),
    Integer(),
    Duration(unit="d"),
    Date(),
    Datetime(),
    Boolean(),
    Boolean(values=(0, 1)),
    Boolean(values=("no", "yes")),
    Category(),
    Category(categories=("F", "M")),
    Category(categories=(1, "x", 0.5)),
    Ordinal(categories=(1, 2, 3)),
    Code(),
    Id(),
    Text(),
]


def read(one: Column, *cells):
    """Return the cells as they are read, missing and unread ones as None, and the positions of unread ones."""
    typed, unread = one.coerce(pd.Series(list(cells), dtype=object))
    return [None if pd.isna(cell) else cell for cell in typed.tolist()], np.flatnonzero(unread).tolist()


def faults(one: Column, *cells):
    """Return what is wrong with cells that could be read, with positions."""
    typed, unread = one.coerce(pd.Series(list(cells), dtype=object))
    assert not unread.any()
    return {
        problem.what: np.flatnonzero(problem.mask).tolist() for problem in one.problems(typed) if problem.mask.any()
    }


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("1.5", 1.5),
        ("-2", -2.0),
        ("+2", 2.0),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("0.1", 0.1),
        ("9715.000", 9715.0),
        (7, 7.0),
        (np.float32(0.5), 0.5),
        (Decimal("2.5"), 2.5),
        ("1,5", None),
        ("1 000", None),
        (" 1.5", None),
        ("1.5 ", None),
        ("1_000", None),
        ("0x10", None),
        ("١٢", None),
        ("inf", None),
        ("nan", None),
        ("<5", None),
        ("", None),
        (True, None),
        (np.True_, None),
        (b"1", None),
        (1j, None),
        ([1.0], None),
        (dt.date(2026, 1, 1), None),
    ],
    ids=repr,
)
def test_a_number_is_read_or_left_unread_never_repaired(cell, value):
    assert read(Number(), "0.25", None, cell) == ([0.25, None, value], [2] if value is None else [])


def test_numbers_from_text_are_rounded_correctly():
    text = [repr(value) for value in np.random.default_rng(0).normal(size=500).tolist()]
    typed, _ = Number().coerce(pd.Series(text))
    assert list(map(repr, typed.tolist())) == text


@pytest.mark.parametrize("dtype", ["int8", "float32", "Int64", "Float32", "UInt8", "int64[pyarrow]", "double[pyarrow]"])
def test_numbers_are_read_from_any_numeric_dtype(dtype):
    typed, unread = Number().coerce(pd.Series([1, 2], dtype=dtype))
    assert typed.tolist() == [1.0, 2.0]
    assert typed.dtype == np.float64
    assert not unread.any()


def test_impossible_measurements_are_reported():
    beyond = {"a number that is infinite or beyond 1e+150": [1, 2, 3]}
    assert faults(Number(), 1e150, np.inf, -1e151, 1e308) == beyond
    assert faults(Number(range=(0, 5)), 0, np.inf, -1e151, "1e999", 5) == beyond
    assert read(Integer(), 10**400, -(10**400), np.inf, 2**53, 2**53 - 1) == ([None] * 4 + [2**53 - 1], [0, 1, 2, 3])


def test_the_range_holds_its_bounds():
    outside = {"a value outside its `range`": [0, 3]}
    assert faults(Number(range=(18, 105)), 17.999, 18, 105, 105.001) == outside
    assert faults(Integer(range=(18, 105)), 17, 18, 105, 106) == outside
    assert (
        faults(Date(range=("2015-01-01", "2015-12-31")), "2014-12-31", "2015-01-01", "2015-12-31", "2016-01-01")
        == outside
    )
    bounds = ("2015-01-01T08:00", "2015-01-01T09:00")
    cells = ("2015-01-01 07:59:59", "2015-01-01 08:00", "2015-01-01 09:00:00", "2015-01-01 09:00:01")
    assert faults(Datetime(range=bounds), *cells) == outside


def test_more_decimals_than_declared_are_a_warning():
    one = Number(decimals=1)
    values = [0.1 + 0.2, 1.25, None, 1e17, float(np.float32(7.1))]
    found = [problem for problem in one.problems(one.coerce(pd.Series(values))[0]) if problem.mask.any()]
    assert [(np.flatnonzero(problem.mask).tolist(), problem.severity) for problem in found] == [([1], "warning")]


def test_whole_numbers_stay_exact_and_others_are_not_rounded():
    assert read(Integer(), "7", 7.0, "7.0", "7e1", None) == ([7, 7, 7, 70, None], [])
    assert read(Integer(), 7.5, "7.5", "9007199254740993", True) == ([None] * 4, [0, 1, 2, 3])


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2026-02-28", "2026-02-28"),
        ("2026-02-28 07:30", "2026-02-28 07:30"),
        ("2026-02-28T07:30:15", "2026-02-28 07:30:15"),
        (dt.date(2026, 2, 28), "2026-02-28"),
        (dt.datetime.fromisoformat("2026-02-28T07:00"), "2026-02-28 07:00"),
        (pd.Timestamp("2026-02-28 07:00"), "2026-02-28 07:00"),
        ("2026-02-30", None),
        ("2026-2-28", None),
        ("28.02.2026", None),
        ("02/28/2026", None),
        ("20260228", None),
        ("2026-02", None),
        ("2026-02-28Z", None),
        ("2026-02-28 07:30:15+01:00", None),
        ("2026-02-28T10-05:00", None),
        ("2026-02-28 23:59:60", None),
        ("9999-12-31", None),
        ("1600-01-01", None),
        ("now", None),
        ("NaT", None),
        (20260228, None),
        (pd.Timestamp("2026-02-28", tz="UTC"), None),
        (dt.date(9999, 12, 31), None),
    ],
    ids=repr,
)
@pytest.mark.parametrize("alone", [True, False])
def test_a_moment_is_iso_without_zone_or_left_unread(cell, moment, alone):
    others = [] if alone else ["2026-01-01", None]
    typed, unread = Datetime().coerce(pd.Series([cell, *others], dtype=object))
    assert typed.dtype == "datetime64[ns]"
    assert unread.tolist() == [moment is None] + [False] * len(others)
    assert typed[0] is pd.NaT if moment is None else typed[0] == pd.Timestamp(moment)


def test_moments_are_read_from_datetime_dtypes():
    naive = pd.Series(pd.to_datetime(["2026-01-01", None]))
    for dtype in ("datetime64[ns]", "datetime64[s]", "timestamp[us][pyarrow]"):
        typed, unread = Date().coerce(naive.astype(dtype))
        assert typed.dtype == "datetime64[ns]"
        assert typed.equals(naive)
        assert not unread.any()
    assert Date().coerce(naive.dt.tz_localize("Europe/Berlin"))[1].tolist() == [True, False]
    far = pd.Series(np.array(["9999-12-31", "2026-01-01"], dtype="datetime64[s]"))
    assert Date().coerce(far)[1].tolist() == [True, False]


def test_a_day_has_no_time_and_a_moment_no_fractions():
    assert faults(Date(), "2026-01-01", "2026-01-01 07:00") == {"a time of day": [1]}
    assert faults(Datetime(), "2026-01-01 07:00:00.5", "2026-01-01 07:00") == {"fractions of a second": [0]}


def test_cells_that_match_a_level():
    assert read(Category(categories=(1, 2, 3)), 1, 1.0, "1", "1.0", None) == ([1, 1, 1, 1, None], [])
    assert read(Category(categories=(1, 2, 3)), 4, "01", " 1", "1e0", True, "", 1.5) == ([None] * 7, [*range(7)])
    assert read(Category(categories=("1", "F")), "1", "F", 1, "f", "F ") == (["1", "F", None, None, None], [2, 3, 4])
    assert read(Category(categories=(0, 0.5, "x")), "0.50", 0, "x") == ([0.5, 0, "x"], [])


def test_yes_and_no_are_read_as_the_table_writes_them():
    assert read(Boolean(), True, False, "true", "FALSE", None) == ([True, False, True, False, None], [])
    assert read(Boolean(), 1, "1", "yes") == ([None] * 3, [0, 1, 2])
    assert read(Boolean(values=(0, 1)), 0, 1.0, "1", None) == ([0, 1, 1, None], [])
    assert read(Boolean(values=(0, 1)), True, "true", 2) == ([None] * 3, [0, 1, 2])
    assert read(Boolean(values=("no", "yes")), "no", "yes", "Yes") == (["no", "yes", None], [2])


@pytest.mark.parametrize(
    ("one", "cells", "dtype"),
    [
        (Number(), [1], "float64"),
        (Integer(), [1], "Int64"),
        (Duration(unit="d"), [1], "float64"),
        (Date(), ["2026-01-01"], "datetime64[ns]"),
        (Boolean(), [True], "boolean"),
        (Boolean(values=(0, 1)), [1], "Int64"),
        (Boolean(values=("n", "y")), ["y"], pd.CategoricalDtype(["n", "y"])),
        (Boolean(values=(0, 0.5)), [0], pd.CategoricalDtype(pd.Index([0, 0.5], dtype=object))),
        (Category(categories=("b", "a")), ["a"], pd.CategoricalDtype(["b", "a"])),
        (Category(categories=(0, "x")), ["x"], pd.CategoricalDtype(pd.Index([0, "x"], dtype=object))),
        (Ordinal(categories=("I", "II")), ["I"], pd.CategoricalDtype(["I", "II"], ordered=True)),
        (Id(), ["a"], "string"),
        (Text(), ["a"], "string"),
    ],
    ids=repr,
)
def test_every_type_has_its_canonical_dtype(one, cells, dtype):
    typed, _ = one.coerce(pd.Series(cells, dtype=object))
    assert typed.dtype == dtype == one.dtype


@pytest.mark.parametrize(
    ("cells", "levels"),
    [
        (["b", "a", None, "b"], ["a", "b"]),
        ([2.0, np.nan, 1.0], [1, 2]),
        ([10, 9], [9, 10]),
        (["10", "9"], ["10", "9"]),
        ([0.5, 2.0], [0.5, 2.0]),
        ([True, False, None], [False, True]),
        (pd.Categorical(["b"], categories=["a", "b", "c"]), ["b"]),
    ],
    ids=repr,
)
def test_levels_are_taken_from_the_table_unchanged(cells, levels):
    typed, unread = Category().coerce(pd.Series(cells))
    assert list(map(repr, typed.cat.categories.tolist())) == list(map(repr, levels))
    assert not unread.any()


def test_levels_of_another_type_are_unread():
    assert read(Category(), "V27", "250", 250, " ", True) == (["V27", "250", None, None, None], [2, 3, 4])
    assert read(Category(), 1, 2, np.inf) == ([1, 2, None], [2])


def test_codes_stay_as_they_are_written():
    cells = pd.Series(["250.10", "008", "V27", 401, None], dtype=object)
    typed, unread = Code().coerce(cells)
    assert typed.tolist()[:4] == ["250.10", "008", "V27", "401"]
    assert typed.cat.categories.tolist() == ["008", "250.10", "401", "V27"]
    assert not unread.any()
    assert Code().coerce(pd.Series([250.1, 401.0, np.nan]))[1].tolist() == [True, True, False]
    assert read(Code(), " ", "", True, ["x"])[1] == [0, 1, 2, 3]


def test_blanks_around_undeclared_levels_are_kept_with_a_warning():
    for one in (Category(), Code()):
        typed, unread = one.coerce(pd.Series(["F", " F"]))
        assert not unread.any()
        assert typed.tolist() == ["F", " F"]
        (problem,) = one.problems(typed)
        assert (problem.mask.tolist(), problem.severity) == ([False, True], "warning")


def test_labels_are_text():
    assert read(Id(), "007", 7, 7.0, None, " ", 7.5) == (["007", "7", "7", None, None, None], [4, 5])
    assert read(Text(), "a", 1.5, "", None) == (["a", "1.5", "", None], [])


CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=8),
    st.decimals(allow_nan=False),
    st.dates(),
    st.datetimes(),
    st.binary(max_size=3),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=1), st.none(), max_size=1),
    st.sampled_from(["true", "1", "1.0", "2026-01-01", "I", "F", np.nan, pd.NA, pd.NaT, object(), 1 + 2j]),
)


@given(cells=st.lists(CELLS, max_size=8), one=st.sampled_from(COLUMNS))
def test_any_cells_are_read_or_left_unread_and_reading_again_changes_nothing(cells, one):
    series = pd.Series(cells, dtype=object, index=range(5, 5 + len(cells)))
    before = list(map(repr, series))
    typed, unread = one.coerce(series)
    assert list(map(repr, series)) == before
    assert typed.index.equals(series.index)
    assert unread.index.equals(series.index)
    assert unread.dtype == bool
    assert (typed.isna() | ~unread).all()
    assert (typed.isna() == (series.isna() | unread)).all()
    for problem in one.problems(typed):
        assert not (problem.mask & typed.isna()).any()
        assert problem.mask.index.equals(series.index)
    again, none = one.coerce(typed)
    pd.testing.assert_series_equal(again, typed)
    assert not none.any()


def test_distinct_keeps_cells_of_unlike_types_apart():
    codes, cells = parsing.distinct(pd.Series([1, True, "1", 1.0, None, 1, [1], [1]], dtype=object))
    assert codes.tolist() == [0, 1, 2, 3, -1, 0, 5, 6]
    assert list(map(repr, cells[:4])) == ["1", "True", "'1'", "1.0"]


@pytest.mark.parametrize(
    "unit", ["mm[Hg]", "kg/m2", "10*9/L", "%", "ug/L", "/min", "{beats}/min", "{red cells}/uL", "Cel", "a"]
)
def test_ucum_units_are_kept(unit):
    assert Number(unit=unit).unit == unit


@pytest.mark.parametrize(
    "unit",
    ["[IU]/L", "mmol/L", "meq/L", "10^3/uL", "mL/min/{1.73_m2}", "(kg.m)/s2", "/mm3", "cm[H2O]", "kPa", "s-1", "1/d"],
)
def test_compound_ucum_units_are_kept(unit):
    assert Number(unit=unit).unit == unit


@pytest.mark.parametrize(
    ("unit", "ucum"),
    [
        ("years", "a"), ("months", "mo"), ("mmHg", "mm[Hg]"), ("mcg/mL", "ug/mL"), ("cells/uL", "{cells}/uL"),
        ("bpm", "{beats}/min"), ("IU/L", "[IU]/L"), ("mEq/L", "meq/L"), ("Kg/m2", "kg/m2"), ("mg/day", "mg/d"),
    ],
)  # fmt: skip
def test_other_units_are_refused_with_the_ucum_unit(unit, ucum):
    with pytest.raises(ValueError, match=rf"is no UCUM unit. Write {re.escape(ucum)}\."):
        Number(unit=unit)
    assert Number(unit=ucum).unit == ucum


@pytest.mark.parametrize("unit", ["wibble", "kg//m2", "kg)", "(kg", "kg.", "mmin"])
def test_what_is_no_unit_is_refused_with_the_way_to_name_it(unit):
    with pytest.raises(ValueError, match=r"in braces, such as \{score\}"):
        Number(unit=unit)


@pytest.mark.parametrize("unit", ["mm Hg", "\u00b5g/L", "\u00b0C", "", "kg}", "{open", "m\u00b2"])
def test_what_ucum_cannot_write_is_refused(unit):
    with pytest.raises(ValueError, match="UCUM has not"):
        Number(unit=unit)


WHOLE = [None, 0, 1, 7, -9, 2**53 - 1, 2**53, -(2**53), 2**63 - 1, -(2**63)]


@pytest.mark.parametrize(
    "column", [Integer(), Integer(missing_codes={-9: "lost"}, range=(0, 9)), Boolean(values=(0, 1))]
)
def test_typed_whole_numbers_are_read_like_untyped_ones(column):
    series = pd.Series(WHOLE, dtype="Int64", index=range(5, 5 + len(WHOLE)))
    before, untyped = series.copy(), pd.Series(WHOLE, dtype=object, index=series.index)
    (typed, unread), (expected, refused) = column.coerce(series), column.coerce(untyped)
    pd.testing.assert_series_equal(typed, expected)
    pd.testing.assert_series_equal(unread, refused)
    typed[:] = 1
    pd.testing.assert_series_equal(series, before)


@pytest.mark.parametrize("column", [Number(), Number(decimals=1), Duration(unit="d")])
def test_a_column_that_is_read_is_a_copy(column):
    series = pd.Series([1.5, 2.25])
    typed, _ = column.coerce(series)
    typed[:] = 0.0
    assert series.tolist() == [1.5, 2.25]


def test_levels_that_are_equal_but_of_another_type_have_another_type():
    dtypes = [Category(categories=levels).dtype for levels in ((0, 1), (0.0, 1.0), (0, 1))]
    assert [dtype.categories.dtype.kind for dtype in dtypes] == ["i", "f", "i"]
