"""What an expression may come out as on sets of values never contradicts what it comes out as on any of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from synthclin.errors import ConfigError
from synthclin.expressions import parse
from synthclin.expressions.value_sets import LevelSets, ValueInterval, intervals_of

PLACES = 40
SEX = ("F", "M", "X")
STAGE = pd.CategoricalDtype(["I", "II", "III"], ordered=True)

numbers = st.sampled_from(["a", "b", "c", "flag", "2", "-3.5", "0", "0.5", "10", "(d2 - d1)"])
terms = st.recursive(
    numbers,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/"]), inner),
        st.builds("({} ** {})".format, inner, st.sampled_from(["2", "3", "0", "-1", "0.5", "b"])),
        st.builds("{}({})".format, st.sampled_from(["abs", "exp", "floor", "log", "round", "sqrt"]), inner),
        st.builds("{}({}, {})".format, st.sampled_from(["max", "min"]), inner, inner),
        st.builds("round({}, 1)".format, inner),
    ),
    max_leaves=4,
)
signs = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
tests = st.one_of(
    st.builds("{} {} {}".format, terms, signs, terms),
    st.builds("{} < {} <= {}".format, terms, terms, terms),
    st.builds("sex {} '{}'".format, st.sampled_from(["==", "!="]), st.sampled_from([*SEX, "?"])),
    st.builds("sex {} sex2".format, st.sampled_from(["==", "!="])),
    st.builds("sex {} ['F', 'M']".format, st.sampled_from(["in", "not in"])),
    st.builds("stage {} '{}'".format, signs, st.sampled_from(["I", "II", "III"])),
    st.builds("'{1}' {0} stage".format, signs, st.sampled_from(["I", "II", "III"])),
    st.builds("stage {} stage2".format, signs),
    st.builds("d1 {} d2".format, signs),
    st.builds("d1 {} '2020-02-0{}'".format, signs, st.integers(1, 9)),
    st.builds("{} is {}missing".format, st.sampled_from(["a", "b", "sex", "d1"]), st.sampled_from(["", "not "])),
    st.builds("{} in [{}, 3, -1]".format, st.sampled_from(["a", "b", "flag", "(a + b)"]), st.integers(-5, 5)),
    st.sampled_from(["flag", "not flag"]),
)
predicates = st.recursive(
    tests,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=4,
)


def line(rng, draw, cells):
    """Return intervals between two values, some single values, some perhaps or always missing, one a point."""
    ends = np.sort(draw((2, PLACES)), axis=0)
    ends[1] = np.where(rng.random(PLACES) < 0.3, ends[0], ends[1])
    share = rng.random(PLACES)
    point = np.select([share < 0.2, share < 0.4], [ends[0], ends[1]], rng.integers(ends[0], ends[1], endpoint=True))
    empty, maybe = rng.random(PLACES) < 0.1, rng.random(PLACES) < 0.3
    gone = empty | (maybe & (rng.random(PLACES) < 0.5))
    low, high = (pd.Series(cells(end)).mask(empty) for end in ends)
    return intervals_of(low, high, empty | maybe), pd.Series(cells(point)).mask(gone)


def levels(rng, dtype):
    possible = rng.random((PLACES, len(dtype.categories))) < 0.5
    missing = rng.random(PLACES) < 0.3
    possible[~possible.any(axis=1) & ~missing, 0] = True
    chosen = [
        rng.choice([*np.flatnonzero(row), *([-1] if none else [])]) for row, none in zip(possible, missing, strict=True)
    ]
    values = LevelSets(tuple(dtype.categories), possible, missing, np.arange(PLACES), bool(dtype.ordered))
    return values, pd.Series(pd.Categorical.from_codes(np.array(chosen, dtype=int), dtype=dtype))


def world(seed):
    rng = np.random.default_rng(seed)
    whole = lambda shape: rng.integers(-6, 7, shape)  # noqa: E731
    days = lambda values: pd.Timestamp("2020-02-01") + pd.to_timedelta(values, unit="D")  # noqa: E731
    sex = pd.CategoricalDtype(list(SEX))
    columns = {
        "a": line(rng, whole, lambda v: v.astype(float)),
        "b": line(rng, whole, lambda v: v / 4),
        "c": line(rng, lambda shape: rng.integers(0, 9, shape), lambda v: v * 1e3),
        "flag": line(rng, lambda shape: rng.integers(0, 2, shape), lambda v: v.astype(float)),
        "d1": line(rng, lambda shape: rng.integers(0, 9, shape), lambda v: pd.Series(days(v))),
        "d2": line(rng, lambda shape: rng.integers(0, 9, shape), lambda v: pd.Series(days(v))),
        "sex": levels(rng, sex),
        "sex2": levels(rng, sex),
        "stage": levels(rng, STAGE),
        "stage2": levels(rng, STAGE),
    }
    return {name: pair[0] for name, pair in columns.items()}, pd.DataFrame({n: pair[1] for n, pair in columns.items()})


@settings(max_examples=150, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(predicates, st.integers(0, 10**6), st.sampled_from([{}, {"a": 0.51, "b": 0.26}, {"a": 2.04}]))
def test_what_is_ruled_out_never_happens(text, seed, tolerances):
    scene, points = world(seed)
    try:
        predicate = parse(text)
        value = predicate.evaluate(points, tolerances)
    except ConfigError:
        return
    found = predicate.outcomes(scene.__getitem__, tolerances)
    true, false, unknown = (np.broadcast_to(part, PLACES) for part in (found.true, found.false, found.unknown))
    assert true[value.fillna(False).to_numpy(dtype=bool)].all()
    assert false[(~value).fillna(False).to_numpy(dtype=bool)].all()
    assert unknown[value.isna().to_numpy()].all()


@settings(max_examples=100, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(terms.filter(lambda text: any(c.isalpha() for c in text)), st.integers(0, 10**6))
def test_numbers_lie_in_their_span(text, seed):
    scene, points = world(seed)
    value = parse(text).compute(points).to_numpy()
    interval = parse(text).interval(scene.__getitem__)
    low, high, present, missing = (
        np.broadcast_to(part, PLACES) for part in (interval.low, interval.high, interval.present, interval.missing)
    )
    known = np.isfinite(value)
    assert (present & (low <= value) & (value <= high))[known].all()
    assert missing[~known].all()


def interval(low, high):
    return ValueInterval(np.array([low]), np.array([high]), np.array([True]), np.array([False]))


@pytest.mark.parametrize(
    ("text", "true", "false"),
    [
        ("x < y", True, False),
        ("y < x", False, True),
        ("x == 2", True, True),
        ("x + y == 12", True, True),
        ("y - x >= 8", True, False),
        ("x * y > 22", False, True),
        ("1 / (x - 2) > 0", True, True),
        ("z ** 2 >= 0", True, False),
        ("x < 3 or y > 10", True, False),
        ("x <= 2 and y >= 10", True, False),
    ],
)
def test_known_answers(text, true, false):
    scene = {"x": interval(1.0, 2.0), "y": interval(10.0, 11.0), "z": interval(-1.0, 1.0)}
    found = parse(text).outcomes(scene.__getitem__)
    assert (bool(np.all(found.true)), bool(np.all(found.false))) == (true, false)


@pytest.mark.parametrize(
    ("x", "tolerance", "true", "false"),
    [
        ((1.1, 1.1), 0.051, False, True),
        ((1.6, 1.6), 0.051, True, False),
        ((1.66, 1.66), 0.051, True, True),  # 0.0506 from log(5): within the tolerance, but for what log may err
        ((1.6, 1.6), 0.0, False, True),
        ((1.5, 1.7), 0.051, True, True),
        ((1.59, 1.61), 0.051, True, False),
    ],
)
def test_an_equality_with_a_computed_number_has_the_tolerance_of_its_column(x, tolerance, true, false):
    scene = {"x": interval(*x), "grad": interval(5.0, 5.0)}
    for text, outcome in (("x == log(grad)", (true, false)), ("x != log(grad)", (false, true))):
        found = parse(text).outcomes(scene.__getitem__, {"x": tolerance})
        assert (bool(np.all(found.true)), bool(np.all(found.false))) == outcome


def test_a_set_of_listed_levels_is_certainly_among_them():
    sets = LevelSets(SEX, np.array([[True, True, False], [False, False, True]]), np.array([False, False]), np.arange(2))
    found = parse("sex in ['F', 'M']").outcomes({"sex": sets}.__getitem__)
    assert (found.true.tolist(), found.false.tolist()) == ([True, False], [False, True])
