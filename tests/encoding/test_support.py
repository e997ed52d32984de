"""Values on a step, fixed days and fixed hours: synthetic values lie where real ones do, and no patient decides it."""

import json

import numpy as np
import pandas as pd
import pytest

from synthclin.encoding.axis import Axis
from synthclin.encoding.codec_states import Monthly, Periodic
from synthclin.encoding.codecs import codec_from_dict, fit_codec
from synthclin.encoding.protection import Limits
from synthclin.encoding.support import index_of, position_of
from synthclin.errors import ConfigError
from synthclin.schema import Schema
from synthclin.schema.columns import Date, Datetime, Integer, Number

LIMITS = Limits.of(11, 11)
MONTHS = tuple(range(1, 13))


def multiples_of(step):
    return lambda cells: np.isclose(np.round(cells.astype(float) / step), cells.astype(float) / step, atol=1e-6)


def on_quarters(cells):
    return (cells.dt.minute % 15 == 0) & (cells.dt.second == 0)


def on_workdays(cells):
    return cells.dt.dayofweek < 5


def in_working_hours(cells):
    return on_workdays(cells) & cells.dt.hour.between(8, 16)


def days(rng, n, freq):
    every = pd.date_range("2015-01-01", "2021-12-31", freq=freq)
    return pd.Series(every[rng.integers(0, len(every), n)])


def moments(rng, n):
    return pd.Series(pd.Timestamp("2019-01-01") + pd.to_timedelta(15 * rng.integers(0, 365 * 96, n), unit="min"))


def pressure(rng, n, exceptions):
    values = 5 * np.round(rng.normal(130, 18, n) / 5)
    odd = np.arange(n) < exceptions * n
    return pd.Series(np.where(odd, np.round(rng.normal(130, 18, n)), values)).astype("Int64")


ON_A_STEP = {
    "tens": (Integer(), multiples_of(10), lambda r, n: pd.Series(10 * r.normal(340, 50, n).round()).astype("Int64")),
    "halves": (Number(decimals=1), multiples_of(0.5), lambda r, n: pd.Series(r.normal(150, 28, n).round() / 2)),
    "sevens": (Integer(), multiples_of(7), lambda r, n: pd.Series(7 * r.integers(20, 300, n)).astype("Int64")),
    "3 mod 12": (
        Integer(),
        lambda c: c % 12 == 3,
        lambda r, n: pd.Series(12 * r.integers(-90, 90, n) + 3).astype("Int64"),
    ),
    "quarters": (Datetime(), on_quarters, moments),
    "workdays": (Date(), on_workdays, lambda r, n: days(r, n, "B")),
    "first of month": (Date(), lambda c: c.dt.day == 1, lambda r, n: days(r, n, "MS")),
    "end of month": (Date(), lambda c: c.dt.is_month_end, lambda r, n: days(r, n, "ME")),
    "15th": (Date(), lambda c: c.dt.day == 15, lambda r, n: days(r, n, "MS") + pd.Timedelta(days=14)),
    "1 July": (
        Date(),
        lambda c: (c.dt.day == 1) & (c.dt.month == 7),
        lambda r, n: pd.Series(pd.to_datetime([f"{year}-07-01" for year in r.integers(1930, 2000, n)])),
    ),
    "working hours": (
        Datetime(),
        in_working_hours,
        lambda r, n: days(r, n, "B") + pd.to_timedelta(r.integers(8 * 60, 17 * 60, n), unit="min"),
    ),
}


def fit_and_sample(column, cells, rows=4_000):
    codec = fit_codec("x", column, cells, np.arange(len(cells)), LIMITS)
    rng = np.random.default_rng(1)
    codes, _ = codec.encode(cells)
    return codec, codec.decode(rng.choice(codes, rows), rng.random(rows).astype(np.float32)).dropna()


@pytest.mark.parametrize("rows", [100, 400, 2_000])
@pytest.mark.parametrize("name", ON_A_STEP)
def test_values_on_a_step_stay_on_it(name, rows):
    column, holds, make = ON_A_STEP[name]
    cells = make(np.random.default_rng(rows), rows)
    assert holds(cells).all()
    codec, sampled = fit_and_sample(column, cells)
    # Blocks of several hours are what 100 patients show.
    assert holds(sampled).mean() >= (0.88 if (name, rows) == ("working hours", 100) else 0.99)
    assert sampled.nunique() > 0.3 * cells.nunique()
    # What is on the step is encoded without loss, and the state survives JSON.
    assert codec.decode(*codec.encode(cells)).tolist() == cells.tolist()
    again = codec_from_dict(column, json.loads(json.dumps(codec.state.model_dump(mode="json"))))
    assert again.decode(*again.encode(cells)).equals(codec.decode(*codec.encode(cells)))


@pytest.mark.parametrize("name", ON_A_STEP)
def test_no_patient_decides_on_the_step(name):
    column, _, make = ON_A_STEP[name]
    cells = make(np.random.default_rng(8), 300)
    other = cells.copy()
    far = {"datetime64[ns]": pd.Timestamp("2020-02-29 03:11:07"), "Int64": 1_361, "float64": 61.3}
    other[17] = far[str(cells.dtype)].normalize() if isinstance(column, Date) else far[str(cells.dtype)]
    states = [fit_codec("x", column, one, np.arange(300), LIMITS).state for one in (cells, other)]
    assert (states[0].support, states[0].step) == (states[1].support, states[1].step)
    assert states[0].support is not None or states[0].step > 1


def _elsewhere(cells, column, rng, some):
    """Return the cells with `some` of them moved off their pattern, to one odd day and hour."""
    other = cells.copy()
    places = rng.choice(len(cells), some, replace=False)
    if isinstance(column, Datetime):
        other[places] = pd.Timestamp("2020-02-29 03:11:00")
    elif isinstance(column, Date):
        other[places] = pd.Timestamp("2020-02-23")
    else:
        other[places] = 1_361 if isinstance(column, Integer) else 61.3
    return other


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", ON_A_STEP)
def test_a_value_of_one_to_ten_patients_is_as_one_of_none(name, seed):
    column, _, make = ON_A_STEP[name]
    rng = np.random.default_rng(seed)
    cells = make(rng, 400)
    plain, *planted = (
        fit_codec("x", column, _elsewhere(cells, column, rng, some), np.arange(400), LIMITS).state
        for some in (0, 1, 5, 10)
    )
    assert plain.support is not None or plain.step > 1
    for state in planted:
        assert (state.support, state.step) == (plain.support, plain.step)
    eleven = fit_codec("x", column, _elsewhere(cells, column, rng, 11), np.arange(400), LIMITS).state
    assert (eleven.support, eleven.step) != (plain.support, plain.step)


@pytest.mark.parametrize("seed", range(30))
def test_each_hour_weekday_and_month_of_a_support_has_enough_patients(seed):
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(60, 900))
    weekday, hour = rng.dirichlet(np.full(7, 0.3)), rng.dirichlet(np.full(24, 0.3))
    every = pd.Series(pd.date_range("2015-01-04", periods=2_100))
    weeks, chosen = rng.integers(0, 300, rows), rng.choice(7, rows, p=weekday)
    start = pd.Series(every.to_numpy()[7 * weeks + chosen])
    cells = start + pd.to_timedelta(3_600 * rng.choice(24, rows, p=hour) + 60 * rng.integers(0, 60, rows), unit="s")
    patient = rng.integers(0, rows, rows)
    for column, some in ((Date(), start), (Datetime(), cells)):
        support = fit_codec("x", column, some, patient, LIMITS).state.support
        if not isinstance(support, Periodic):
            continue
        size = support.blocks * support.unit
        seconds = some.to_numpy().astype("datetime64[s]").astype(np.int64)
        step = fit_codec("x", column, some, patient, LIMITS).state.step if isinstance(column, Datetime) else 86_400
        block = seconds // step % size // support.unit
        days = {kept // 24 if support.blocks == 168 else kept for kept in support.kept}
        if support.blocks in {7, 168}:
            of = block // 24 if support.blocks == 168 else block
            assert all(len(np.unique(patient[of == one])) >= 11 for one in days)
        elif support.blocks == 24:
            # Hours are kept alone or in blocks of up to 6.
            assert all(len(np.unique(patient[block // 6 == one // 6])) >= 11 for one in support.kept)


@pytest.mark.parametrize(("rows", "within"), [(400, 0.03), (2_000, 0.02)])
@pytest.mark.parametrize("exceptions", [0.04, 0.2])
def test_a_heaped_mixture_keeps_its_share(rows, within, exceptions):
    cells = pressure(np.random.default_rng(3), rows, exceptions)
    _, sampled = fit_and_sample(Integer(), cells, rows=20_000)
    assert (sampled % 5 == 0).mean() == pytest.approx((cells % 5 == 0).mean(), abs=within)


@pytest.mark.parametrize("step", [7, 12])
def test_a_mixture_of_a_step_that_is_no_digit_keeps_its_share(step):
    rng = np.random.default_rng(4)
    values = np.where(rng.random(600) < 0.8, step * rng.integers(10, 120, 600), rng.integers(100, 1_400, 600))
    cells = pd.Series(values).astype("Int64")
    _, sampled = fit_and_sample(Integer(), cells, rows=20_000)
    assert (sampled % step == 0).mean() == pytest.approx((cells % step == 0).mean(), abs=0.03)


def test_quarters_with_exceptions_keep_their_share():
    rng = np.random.default_rng(5)
    cells = moments(rng, 800)
    cells += pd.to_timedelta(np.where(rng.random(800) < 0.2, rng.integers(1, 15, 800), 0), unit="min")
    _, sampled = fit_and_sample(Datetime(), cells)
    assert on_quarters(sampled).mean() == pytest.approx(on_quarters(cells).mean(), abs=0.03)


def test_a_frequent_value_may_lie_off_the_step():
    rng = np.random.default_rng(6)
    cells = pd.Series(np.where(rng.random(400) < 0.15, 40.3, rng.normal(150, 28, 400).round() / 2))
    codec, sampled = fit_and_sample(Number(decimals=1), cells)
    assert (sampled == 40.3).mean() == pytest.approx(0.15, abs=0.04)
    assert multiples_of(0.5)(sampled[sampled != 40.3]).all()
    # Fewer than 11 patients lie below the frequent value, so the distribution ends there.
    assert 0 < (cells < 40.3).sum() < 11
    inside = cells >= 40.3
    decoded = codec.decode(*codec.encode(cells))
    assert decoded[inside].equals(cells[inside])
    assert decoded.min() == 40.3


@pytest.mark.parametrize("seed", range(20))
def test_values_without_a_pattern_have_no_support(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(20, 400))
    moment = pd.Timestamp("2019-03-01") + pd.to_timedelta(rng.integers(0, 900 * 86_400, n), unit="s")
    for column, cells in (
        (Integer(), pd.Series(rng.normal(100, 30, n).round()).astype("Int64")),
        (Integer(), pd.Series(np.where(rng.random(n) < 0.97, 0, rng.integers(0, 60, n))).astype("Int64")),
        (Number(decimals=2), pd.Series(rng.lognormal(1, 1, n).round(2))),
        (Date(), pd.Series(moment.normalize())),
        (Datetime(), pd.Series(moment)),
    ):
        assert fit_codec("x", column, cells, np.arange(n), LIMITS).state.support is None


def test_a_few_patients_have_no_step():
    # All 11 are even, which says little of 15 patients, and one of them would decide on it.
    cells = pd.Series(2 * np.arange(15)).astype("Int64")
    assert fit_codec("x", Integer(), cells, np.arange(15), LIMITS).state.support is None


def test_visits_of_one_patient_are_no_exceptions_of_many():
    values = np.r_[10 * np.arange(100, 400), np.full(30, 1_234)]
    patient = np.r_[np.arange(300), np.zeros(30, dtype=int)]
    codec = fit_codec("x", Integer(), pd.Series(values).astype("Int64"), patient, LIMITS)
    assert codec.state.support == Periodic(blocks=10, kept=(0,))


# -- declared --------------------------------------------------------------------------------------------------------


def test_a_declared_step_holds_whatever_the_values_are():
    rng = np.random.default_rng(7)
    cells = pd.Series(rng.normal(75, 14, 60).round(1))
    column = Number(step=0.5, spikes=(40.3,), range=(0.2, 200))
    assert column.decimal_places == 1
    cells[:15] = 40.3
    _, sampled = fit_and_sample(column, cells)
    assert (sampled == 40.3).any()
    assert multiples_of(0.5)(sampled[sampled != 40.3]).all()
    problem = [problem for problem in column.problems(cells) if "step" in problem.what]
    assert [one.severity for one in problem] == ["warning"]
    assert problem[0].mask.sum() == (~multiples_of(0.5)(cells) & (cells != 40.3)).sum()


def test_a_step_is_written_as_it_was_declared():
    columns = {"sbp": {"type": "integer", "step": 5}, "kg": {"type": "number", "decimals": 1, "step": 0.5}}
    schema = Schema.model_validate({"columns": columns})
    assert "step: 5\n" in schema.to_yaml()
    assert "step: 0.5\n" in schema.to_yaml()
    for changes, said in (
        ({"step": 0.25}, "more decimals than the column"),
        ({"step": 5, "range": [11, 14]}, "no multiple of 5 lies in `range`"),
        ({"step": 0}, "step"),
    ):
        with pytest.raises(ConfigError, match=said):
            schema.with_column("kg", **changes)


# -- supports --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "support",
    [
        Periodic(blocks=7, kept=(3,)),
        Periodic(blocks=7, kept=(0, 1, 4, 5, 6)),
        Periodic(blocks=24, kept=(8, 9, 10), unit=4),
        Monthly(days=(1, 15), months=MONTHS),
        Monthly(days=(-1, 0), months=(2, 6)),
    ],
)
def test_positions_and_their_numbers_are_inverse(support):
    positions = np.arange(-3_000.0, 3_000.0)
    index = index_of(support, positions)
    assert (np.diff(index) > 0).all()
    assert (position_of(support, index) == positions).all()
    whole = np.arange(np.ceil(index[0]), np.floor(index[-1]))
    assert (index_of(support, position_of(support, whole)) == whole).all()


def test_days_of_the_month_are_those_of_the_calendar():
    ends = position_of(Monthly(days=(0,), months=MONTHS), 12 * 2024 + np.arange(3.0)).astype("datetime64[D]")
    assert [str(day) for day in ends] == ["2024-01-31", "2024-02-29", "2024-03-31"]


@pytest.mark.parametrize(
    "support",
    [
        {"kind": "periodic", "blocks": 5, "kept": [5]},
        {"kind": "periodic", "blocks": 5, "kept": [2, 1]},
        {"kind": "periodic", "blocks": 168, "kept": [*range(168)], "unit": 86_400},
        {"kind": "monthly", "days": [0, 1], "months": [1]},
        {"kind": "monthly", "days": [1], "months": []},
    ],
)
def test_a_forged_support_is_refused(support):
    codec, _ = fit_and_sample(Date(), days(np.random.default_rng(0), 100, "D"))
    with pytest.raises(ValueError, match=r"."):
        codec_from_dict(Date(), codec.state.model_dump(mode="json") | {"support": support})


def test_a_support_needs_a_lattice_of_its_kind():
    with pytest.raises(ValueError, match="cannot have"):
        Axis.of(Number(), support=Periodic(blocks=5, kept=(0,)))
    with pytest.raises(ValueError, match="cannot have"):
        Axis.of(Integer(), support=Monthly(days=(1,), months=MONTHS))
