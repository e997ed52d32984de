"""Properties of every codec: exact inverses, valid values, and no stored value of few patients."""

import datetime as dt
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from synthclin.encoding.codecs import codec_from_dict, fit_codec
from synthclin.encoding.offset_cells import LARGEST_OFFSET
from synthclin.encoding.protection import Limits, Rows, protected_counts
from synthclin.encoding.tails import end_value
from synthclin.errors import DataError
from synthclin.schema.columns import Boolean, Category, Code, Date, Datetime, Duration, Integer, Number, Ordinal

DAY_0 = pd.Timestamp("2019-03-01")
WHOLE = Integer()
INTEGER = Integer(range=(0, 400), missing="allowed", spikes=(7,))
NUMBER = Number(range=(-10, 60), decimals=1, missing="allowed")
FREE = Number(missing="allowed")
LOG = Number(scale="log", missing="allowed")
DATE = Date(range=(dt.date(2019, 1, 1), dt.date(2023, 12, 31)), missing="allowed")
MOMENT = Datetime(missing="allowed")
LINES = [INTEGER, Integer(missing="allowed"), NUMBER, FREE, LOG, DATE, MOMENT, Duration(unit="d", range=(0, 1e4))]


def fit(column, cells, rare=11, trim=11, patient=None):
    patient = np.arange(len(cells)) if patient is None else patient
    return fit_codec("x", column, cells, patient, Limits.of(rare, trim))


def typed(column, positions):
    """Return cells of a column from numbers, NaN for missing: rounded, moved into the range, typed."""
    bounds = column.bounds
    match column:
        case Integer():
            whole = np.round(positions)
            whole = np.clip(whole, *bounds) if bounds else whole
            return pd.Series(whole).astype("Int64")
        case Date() | Datetime():
            seconds = np.nan_to_num(np.round(positions)) * (86_400 if isinstance(column, Date) else 1)
            stamps = (DAY_0 + pd.to_timedelta(pd.Series(seconds), unit="s")).mask(np.isnan(positions))
            return stamps.clip(*(pd.Timestamp(bound) for bound in bounds)) if bounds else stamps
    values = np.clip(positions, *bounds) if bounds else positions
    if isinstance(column, Number) and column.scale == "log":
        values = np.exp(values / 50)
    return pd.Series(values if column.decimals is None else np.round(values, column.decimals))


@st.composite
def lines(draw, column=None):
    """A column on a line with training cells of some shape: skewed, heaped, spiked, sparse, with gaps and holes."""
    column = draw(st.sampled_from(LINES)) if column is None else column
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows = draw(st.sampled_from([1, 5, 12, 23, 60, 300, 900]))
    shape = draw(st.sampled_from(["skewed", "normal", "two humps", "few", "constant", "heaped"]))
    match shape:
        case "skewed":
            values = rng.exponential(40, rows)
        case "normal":
            values = rng.normal(30, 12, rows)
        case "two humps":
            values = np.where(rng.random(rows) < 0.3, rng.normal(5, 1, rows), rng.normal(200, 5, rows))
        case "few":
            values = rng.integers(0, 5, rows) * 7.0
        case "constant":
            values = np.full(rows, 12.0)
        case "heaped":
            values = np.where(rng.random(rows) < 0.6, 10 * rng.integers(0, 8, rows), rng.integers(0, 80, rows)).astype(
                float
            )
    if draw(st.booleans()) and rows > 20:
        values[rng.random(rows) < 0.4] = 0.0
    if column.may_be_missing and draw(st.booleans()):
        values[rng.random(rows) < 0.2] = np.nan
    return column, typed(column, values)


def everywhere(codec, rng, rows=4000):
    """Return codes that may be sampled and offsets, both ends of the interval among them."""
    sampled = np.flatnonzero(~codec.layout("x").never)
    codes = rng.choice(sampled, rows)
    offsets = rng.random(rows).astype(np.float32)
    offsets[::5], offsets[1::5] = 0, LARGEST_OFFSET
    return codes, np.minimum(offsets, np.float32(LARGEST_OFFSET))


def fitted(column, cells, **limits):
    """Return the codec, or None where too few patients are there to keep anything."""
    try:
        return fit(column, cells, **limits)
    except DataError:
        return None


@settings(deadline=None, max_examples=120)
@given(lines(), st.sampled_from([1, 11]), st.integers(0, 10**6))
def test_whatever_a_line_decodes_to_is_lawful(line, limit, seed):
    column, cells = line
    codec = fitted(column, cells, rare=limit, trim=limit)
    if codec is None:
        assert cells.notna().sum() < 11
        return
    codes, offsets = everywhere(codec, np.random.default_rng(seed))
    decoded = codec.decode(codes, offsets)
    layout = codec.layout("x")
    assert decoded.dtype == cells.dtype == column.dtype
    assert (decoded.isna().to_numpy() == (codes == layout.missing)).all()
    seen = decoded.dropna()
    if column.range is not None:
        low, high = (pd.Timestamp(b) if isinstance(column, Date) else b for b in column.range)
        assert seen.between(low, high).all()
    elif len(cells.dropna()) and cells.min() >= (DAY_0 if isinstance(column, Datetime) else 0):
        # Nobody has a negative length of stay.
        assert isinstance(column, Datetime) or (seen >= 0).all()
    if column.decimal_places is not None:
        assert (seen == seen.round(column.decimal_places)).all()
    # The value of a point mass comes from its own code alone.
    point_masses = codec.decode(
        np.flatnonzero(layout.point_masses), np.zeros(layout.point_masses.sum(), dtype=np.float32)
    ).dropna()
    from_bins = decoded[~layout.point_masses[codes]]
    assert not from_bins.isin(point_masses).any()


@settings(deadline=None, max_examples=120)
@given(lines(), st.sampled_from([1, 11]))
def test_a_line_decodes_what_was_encoded(line, limit):
    column, cells = line
    codec = fitted(column, cells, rare=limit, trim=limit)
    if codec is None or (limit > 1 and cells.notna().sum() < 300):
        return  # the few rows in bins may be too few for one, and go to the nearest point mass
    codes, offsets = codec.encode(cells)
    assert (codes.dtype, offsets.dtype) == (np.int64, np.float32)
    assert ((offsets >= 0) & (offsets < 1)).all()
    assert not offsets[codec.layout("x").point_masses[codes]].any()
    again = codec.decode(codes, offsets)
    assert (again.isna() == cells.isna()).all()
    position, back = codec.axis.positions(cells), codec.axis.positions(again)
    # An extreme of a column without a range may lie beyond what is ever sampled.
    inside = np.isfinite(position)
    if len(codec.bins):
        inside &= (position >= codec.pieces.low[0]) & (position <= codec.pieces.high[-1])
    position, back = position[inside], back[inside]
    if codec.distributions.narrow.all() and (codec.state.edges or cells.nunique() <= len(codec.state.point_masses)):
        assert (position == back).all()
    elif codec.state.edges:
        width = 1e-5 * (position.max() - position.min()) + codec.axis.lattice
        assert np.allclose(position, back, rtol=1e-5 * (column.type != "datetime"), atol=width)


@settings(deadline=None, max_examples=60)
@given(lines())
def test_codes_of_a_line_rise_with_the_value(line):
    column, cells = line
    codec = fitted(column, cells)
    if codec is None:
        return
    values = codec.cardinality - codec.state.missing
    codes = np.repeat(np.arange(values), 401)
    offsets = np.tile(np.linspace(0, LARGEST_OFFSET, 401, dtype=np.float32), values)
    at = pd.Series(codec.axis.positions(codec.decode(codes, offsets)))
    single = codec.layout("x").point_masses[codes]
    for part in (at[single].groupby(codes[single]), at[~single].groupby(codes[~single])):
        low, high = part.min().to_numpy(), part.max().to_numpy()
        assert (high[:-1] <= low[1:]).all()


@settings(deadline=None, max_examples=80)
@given(lines())
def test_a_line_kept_as_json_decodes_the_same(line):
    column, cells = line
    codec = fitted(column, cells)
    if codec is None:
        return
    again = codec_from_dict(column, json.loads(json.dumps(codec.state.model_dump(mode="json"))))
    codes, offsets = everywhere(codec, np.random.default_rng(0), rows=800)
    assert again.decode(codes, offsets).equals(codec.decode(codes, offsets))
    assert all((a == b).all() for a, b in zip(again.encode(cells), codec.encode(cells), strict=True))


@pytest.mark.parametrize("column", [Integer(), Number(), Number(decimals=2), Number(scale="log"), Datetime()])
@pytest.mark.parametrize("rows", [40, 700])
def test_one_patient_leaves_no_trace(column, rows):
    rng = np.random.default_rng(5)
    values = rng.lognormal(4, 0.4, rows)
    canaries = {"extreme": 98_765.4321, "low": 0.0123, "inner": 51.98765}
    values[:3] = list(canaries.values())
    cells = typed(column, values) if not (isinstance(column, Number) and column.decimals is None) else pd.Series(values)
    planted = cells[:3]
    codec = fit(column, cells)
    kept = {number for number in _numbers(codec.state.model_dump(mode="json")) if number not in (0, 1)}
    positions = codec.axis.positions(planted)
    if column.type != "integer":
        assert not kept & set(positions.tolist())
    assert positions[0] not in kept
    start = positions.min() if isinstance(column, Datetime) else 0
    assert codec.state.upper.limit - start < (positions[0] - start) / 3
    codes, _ = codec.encode(cells)
    sampled = codec.decode(rng.choice(codes, 20_000), rng.random(20_000).astype(np.float32))
    assert sampled.max() < planted.max()
    if column.type == "number":
        assert sampled.min() != planted.iloc[1]


def test_what_is_kept_does_not_hang_on_one_patient():
    """Changing one patient's extreme value a hundredfold hardly moves what is kept."""
    values = np.random.default_rng(0).normal(100, 15, 400).round(1)
    column, states = Number(decimals=1), []
    for extreme in (1e3, 1e5):
        cells = pd.Series(values)
        cells[17] = extreme
        states.append(fit(column, cells).state)
    assert states[0].upper.mean <= 6 * states[1].upper.mean
    assert states[1].upper.mean <= 6 * states[0].upper.mean
    assert states[0].edges == states[1].edges


def test_bins_edges_and_heaps_describe_enough_patients():
    rng = np.random.default_rng(3)
    values = np.where(rng.random(2_000) < 0.3, 5 * rng.integers(10, 40, 2_000), rng.normal(120, 30, 2_000).round())
    codec = fit(Integer(), pd.Series(values).astype("Int64"))
    codes, _ = codec.encode(pd.Series(values).astype("Int64"))
    counts = np.bincount(codes, minlength=codec.cardinality)
    assert counts.min() >= 11
    assert codec.state.heaps
    counts = dict(zip(*np.unique(values, return_counts=True), strict=True))
    assert all(counts[heap.at] >= 11 for heap in codec.state.heaps)
    assert all(counts[point_mass] >= 20 for point_mass in codec.state.point_masses)


def test_visits_of_one_patient_count_once():
    values = pd.Series([5] * 50 + [*range(100, 400)]).astype("Int64")
    patient = np.r_[np.zeros(50, dtype=int), np.arange(1, 301)]
    assert 5.0 not in fit(Integer(), values, patient=patient).state.point_masses
    assert 5.0 in fit(Integer(), values).state.point_masses
    levels = pd.Series(["rare"] * 50 + ["a", "b"] * 150, dtype=pd.CategoricalDtype(["a", "b", "rare"]))
    assert "rare" not in json.dumps(fit(Category(), levels, patient=patient).state.model_dump(mode="json"))
    assert "rare" in json.dumps(fit(Category(), levels).state.model_dump(mode="json"))


def test_a_single_bin_next_to_a_point_mass_is_a_tail():
    values = pd.Series([0] * 500 + [1, 1, 2, 2, 3, 3, 4, 5, 6, 7, 9, 12]).astype("Int64")
    codec = fit(Integer(range=(0, 100)), values)
    assert codec.state.point_masses == (0.0,)
    assert not codec.state.joined
    sampled = codec.decode(np.full(5000, 1), np.random.default_rng(0).random(5000))
    assert sampled.min() == 1
    assert sampled.mean() == pytest.approx(values[500:].mean(), rel=0.1)


def test_too_few_values_for_a_bin_go_to_the_nearest_point_mass():
    values = pd.Series([0] * 200 + [100] * 200 + [3, 4, 97]).astype("Int64")
    codec = fit(Integer(), values)
    again = codec.decode(*codec.encode(values))
    assert again[400:].tolist() == [0, 0, 100]


def test_too_few_patients_are_an_error():
    few = pd.Series([3.0, 4.0, 5.0])
    with pytest.raises(DataError, match="column 'x': fewer than 11 patients have a value") as error:
        fit(Number(), few)
    assert "4.0" not in str(error.value)
    # A declared range may be disclosed, and nothing else.
    codec = fit(Number(range=(0, 10)), few)
    sampled = codec.decode(np.zeros(5000, dtype=int), np.random.default_rng(0).random(5000))
    assert sampled.mean() == pytest.approx(5, abs=0.2)
    # With a code for missing there is something to draw.
    assert fit(Number(missing="allowed"), few).cardinality == 1


@pytest.mark.parametrize("column", [INTEGER, NUMBER, FREE, LOG, DATE, MOMENT])
def test_unseen_cells_have_a_code(column):
    rng = np.random.default_rng(1)
    codec = fit(column, typed(column, rng.normal(40, 10, 300)))
    wild = typed(column, np.array([-1e3, 1e3, 41.7, np.nan, 0]))
    codes, offsets = codec.encode(wild)
    assert ((codes >= 0) & (codes < codec.cardinality)).all()
    codec.decode(codes, offsets)
    if isinstance(column, Number):
        codec.encode(pd.Series([np.inf, -np.inf, 1e150]))


def test_missing_without_training_cells_goes_to_the_commonest_code():
    codec = fit(Integer(), pd.Series([1] * 50 + [2] * 90).astype("Int64"))
    assert codec.encode(pd.Series([pd.NA], dtype="Int64"))[0].tolist() == [1]
    codec = fit(Boolean(), pd.Series([True] * 50 + [False] * 90).astype("boolean"))
    assert codec.encode(pd.Series([pd.NA], dtype="boolean"))[0].tolist() == [0]


def test_clock_times_keep_their_step():
    rng = np.random.default_rng(0)
    cells = pd.Series(DAY_0 + pd.to_timedelta(rng.integers(0, 50_000, 500) * 15, unit="min"))
    codec = fit(Datetime(), cells)
    sampled = codec.decode(*everywhere(codec, rng))
    assert codec.state.step == 900
    assert (sampled == sampled.dt.floor("15min")).all()


def test_weekdays_and_last_digits_keep_their_habits():
    rng = np.random.default_rng(0)
    days = pd.Series(DAY_0 + pd.to_timedelta(rng.integers(0, 800, 3_000), unit="D"))
    days = days[(days.dt.dayofweek < 5) | (rng.random(3_000) < 0.1)].reset_index(drop=True)
    codec = fit(Date(), days)
    codes, _ = codec.encode(days)
    sampled = codec.decode(codes, rng.random(len(codes)))
    assert (sampled.dt.dayofweek >= 5).mean() == pytest.approx((days.dt.dayofweek >= 5).mean(), abs=0.01)

    values = rng.normal(130, 40, 3_000)
    pressure = pd.Series(np.where(rng.random(3_000) < 0.7, 2 * np.round(values / 2), np.round(values))).astype("Int64")
    codec = fit(Integer(), pressure)
    codes, _ = codec.encode(pressure)
    sampled = codec.decode(codes, rng.random(len(codes)))
    assert (sampled % 2 == 0).mean() == pytest.approx((pressure % 2 == 0).mean(), abs=0.02)


def test_converted_units_stay_converted():
    rng = np.random.default_rng(0)
    pounds = rng.normal(165, 30, 2_000).round().clip(70, 330)
    measured = rng.normal(75, 14, 2_000).round(1).clip(30, 150)
    kilograms = pd.Series(np.where(rng.random(2_000) < 0.6, np.round(pounds * 0.4536, 4), measured))
    codec = fit(Number(range=(20, 200), decimals=4), kilograms)
    codes, offsets = codec.encode(kilograms)
    assert codec.decode(codes, offsets).equals(kilograms)
    sampled = codec.decode(codes, rng.random(len(codes)).astype(np.float32))

    def in_pounds(cells):
        return (np.abs(cells / 0.4536 - (cells / 0.4536).round()) < 1e-6).mean()

    assert in_pounds(sampled) == pytest.approx(in_pounds(kilograms), abs=0.04)
    assert (sampled == sampled.round(1)).mean() == pytest.approx((kilograms == kilograms.round(1)).mean(), abs=0.05)


@pytest.mark.parametrize(
    ("column", "draw"),
    [
        (Number(), lambda rng: rng.normal(0, 1, 2_000)),
        (Number(), lambda rng: 1e9 + rng.random(2_000)),
        (Number(), lambda rng: rng.standard_cauchy(2_000) * 1e-5),
        (Number(scale="log"), lambda rng: rng.lognormal(0, 3, 2_000)),
        (Number(decimals=2), lambda rng: rng.exponential(3, 2_000).round(2)),
        (Integer(), lambda rng: rng.poisson(30, 2_000)),
        (Integer(scale="log"), lambda rng: rng.lognormal(5, 2, 2_000).round()),
        (Integer(), lambda rng: rng.negative_binomial(1, 0.1, 2_000)),
    ],
)
def test_uniform_offsets_give_the_marginal_back(column, draw):
    rng = np.random.default_rng(2)
    values = draw(rng)
    cells = pd.Series(values).astype(column.dtype)
    codec = fit(column, cells)
    codes, _ = codec.encode(cells)
    sampled = codec.decode(codes, rng.random(len(codes)).astype(np.float32))
    assert ks_2samp(cells.astype(float), sampled.astype(float), method="asymp").statistic < 0.02


def test_extreme_magnitudes_do_not_break_the_line():
    rng = np.random.default_rng(0)
    for scale in (1e-140, 1e140):
        cells = pd.Series(rng.normal(0, scale, 300))
        codec = fit(Number(), cells)
        sampled = codec.decode(*everywhere(codec, rng))
        assert np.isfinite(sampled).all()
        codec_from_dict(Number(), codec.state.model_dump(mode="json"))
    huge = pd.Series(rng.integers(-(2**52), 2**52, 300)).astype("Int64")
    codec = fit(Integer(), huge)
    codec.decode(*everywhere(codec, rng))


# -- levels ----------------------------------------------------------------------------------------------------------

LEVELS = [
    Category(categories=("a", "b", "c", "never seen"), missing="allowed"),
    Category(categories=(1, 2, 3, 4), missing="allowed"),
    Category(missing="allowed"),
    Code(system="ICD-10", missing="allowed"),
    Ordinal(categories=("I", "II", "III", "IV", "V"), missing="allowed"),
    Ordinal(categories=(0, 10, 20), missing="allowed"),
    Boolean(missing="allowed"),
    Boolean(values=(0, 1), missing="allowed"),
    Boolean(values=("no", "yes"), missing="allowed"),
]


@st.composite
def levels(draw):
    column = draw(st.sampled_from(LEVELS))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    names = list(column.levels or ["A10", "B20", "C30.1", "D4"])
    weights = rng.dirichlet(np.full(len(names), 0.6))
    values = [names[i] for i in rng.choice(len(names), draw(st.sampled_from([1, 8, 40, 400])), p=weights)]
    if draw(st.booleans()):
        values = [None if rng.random() < 0.2 else value for value in values]
    if column.levels is None:
        found = sorted({value for value in values if value is not None})
        return column, pd.Series(values, dtype=pd.CategoricalDtype(found))
    return column, pd.Series(values, dtype=column.dtype)


@settings(deadline=None, max_examples=150)
@given(levels(), st.sampled_from([0, 1, 11]), st.integers(0, 10**6))
def test_levels_decode_what_was_encoded(column_and_cells, limit, seed):
    column, cells = column_and_cells
    codec = fitted(column, cells, rare=limit, trim=limit)
    if codec is None:
        assert column.levels is None
        return
    codes, offsets = codec.encode(cells)
    layout = codec.layout("x")
    known = ~layout.never[codes]
    again = codec.decode(codes, offsets)
    assert again[known].astype(str).tolist() == cells[known].astype(str).tolist()
    if column.levels is not None or limit < 2:
        assert known.all()
        assert again.dtype == cells.dtype
    # What is sampled is a valid level; a pool yields each of its levels.
    sampled = codec.decode(*everywhere(codec, np.random.default_rng(seed)))
    assert sampled.dtype == again.dtype
    if column.levels is not None:
        assert set(sampled.dropna()) <= set(column.levels)
    assert not layout.never.all()
    again = codec_from_dict(column, json.loads(json.dumps(codec.state.model_dump(mode="json"))))
    assert again.decode(codes, offsets).equals(codec.decode(codes, offsets))


def test_a_rare_undeclared_level_has_no_name_and_is_never_sampled():
    cells = pd.Series(["flu"] * 80 + ["ZZ_CANARY_7391"] * 10, dtype="category")
    codec = fit(Category(), cells)
    assert "CANARY" not in json.dumps(codec.state.model_dump(mode="json"))
    assert codec.layout("x").never.tolist() == [False, True]
    assert codec.encode(cells)[0][-1] == 1
    # An unknown level too is one that few have.
    assert codec.encode(pd.Series(["plague"], dtype="category"))[0].tolist() == [1]


def test_an_unknown_level_goes_to_the_code_of_rare_levels_or_to_the_commonest_where_none_is_protected():
    cells = pd.Series(["A"] * 20 + ["B"] * 40, dtype="category")
    for limit, code in ((11, 2), (1, 1)):
        codec = fit(Code(), cells, rare=limit, trim=limit)
        assert codec.encode(pd.Series(["C"], dtype="category"))[0].tolist() == [code]


def test_rare_declared_levels_share_a_code():
    column = Category(categories=("a", "b", "c", "d"))
    cells = pd.Series(["a"] * 60 + ["c"] * 8 + ["d"] * 6, dtype=column.dtype)
    codec = fit(column, cells)
    assert codec.cardinality == 2
    assert codec.layout("x").point_masses.tolist() == [True, False]
    sampled = codec.decode(np.ones(3_000, dtype=int), np.random.default_rng(0).random(3_000))
    assert sampled.value_counts().drop("a").between(900, 1_100).all()
    # Without enough patients in the pool there is no pool.
    assert fit(column, cells[:60]).cardinality == 1
    # A pool of two levels would show that both are held.
    two = Category(categories=("a", "c", "d"))
    assert fit(two, cells.astype(two.dtype)).cardinality == 1


@pytest.mark.parametrize("neighbour", ["a", "b", "d"])
@pytest.mark.parametrize("kind", [Category, Ordinal])
def test_the_encoder_is_the_same_for_none_and_for_ten_patients_with_a_level(kind, neighbour):
    column = kind(categories=("a", "b", "c", "d"))
    cells = np.array(["a"] * 300 + ["b"] * 40 + ["d"] * 60, dtype=object)
    states = []
    for patients in (0, 1, 5, 10):
        moved = cells.copy()
        moved[np.flatnonzero(cells == neighbour)[:patients]] = "c"
        states.append(fit(column, pd.Series(moved, dtype=column.dtype)).state)
    assert all(state == states[0] for state in states)
    assert [group.levels for group in states[0].groups] == [("a",), ("b", "c"), ("d",)]
    # A tenth of the patients of a frequent level have the rare one: half of the limit over three levels' mean.
    codec = fit(column, pd.Series(cells, dtype=column.dtype))
    sampled = codec.decode(np.ones(10_000, dtype=int), np.random.default_rng(0).random(10_000))
    assert (sampled == "c").mean() == pytest.approx(2**-5 / (1 + 2**-5), abs=0.006)


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from([Category, Ordinal]),
    st.lists(st.integers(0, 60), min_size=2, max_size=6),
    st.integers(0, 5),
    st.integers(0, 5),
)
def test_no_figure_of_the_encoder_depends_on_the_count_of_one_rare_level(kind, counts, rare, other):
    names = tuple("abcdef"[: len(counts)])
    column, rare, other = kind(categories=names), rare % len(names), other % len(names)
    if rare == other:
        return
    # All other levels stay as they are, held by enough patients.
    counts = [n + 22 for n in counts]
    states = []
    for patients in range(11):
        here = [patients if i == rare else n - patients * (i == other) for i, n in enumerate(counts)]
        states.append(fit(column, pd.Series(np.repeat(names, here), dtype=column.dtype)).state)
    assert all(state.groups == states[0].groups and state.missing == states[0].missing for state in states)


@pytest.mark.parametrize("kind", [Category, Ordinal])
def test_rare_levels_that_together_are_few_are_sampled_alike(kind):
    column = kind(categories=("a", "b", "c", "d", "e"))
    states = [
        fit(column, pd.Series(["a"] * 90 + ["e"] * (130 - sum(few)) + list("b" * few[0] + "c" * few[1] + "d" * few[2])))
        for few in ((0, 0, 0), (10, 0, 0), (3, 3, 4), (0, 1, 0))
    ]
    assert all(codec.state == states[0].state for codec in states)
    weights = {name: w for group in states[0].state.groups for name, w in zip(group.levels, group.weights, strict=True)}
    assert weights["b"] == weights["c"] == weights["d"] < weights["a"]


@pytest.mark.parametrize("counts", [[5] * 12, [10, 0, 0, 10, 3, 3, 3, 9, 9], [1, 10, 10]])
def test_rare_ordinal_levels_form_pools_of_equal_size(counts):
    column = Ordinal(categories=tuple(range(len(counts))))
    codec = fit(column, pd.Series(np.repeat(np.arange(len(counts)), counts), dtype=column.dtype))
    assert all(len(group.levels) >= 3 and set(group.weights) == {1.0} for group in codec.state.groups)
    for group in codec.state.groups:
        assert sum(counts[level] for level in group.levels) >= 11
    assert [level for group in codec.state.groups for level in group.levels] == list(range(len(counts)))


def test_small_counts_of_a_partition_do_not_show_in_the_others():
    for total in range(60, 90):
        found = {tuple(protected_counts(np.array([total - few, few]), 11)) for few in range(11)}
        assert len(found) == 1
    assert protected_counts(np.array([52, 31, 17]), 11).tolist() == [52, 31, 17]
    assert protected_counts(np.array([3, 0]), 1).tolist() == [3, 0]


@pytest.mark.parametrize("others", [0, 1, 5, 10])
def test_heaps_digits_and_grids_do_not_show_how_few_have_none(others):
    rng = np.random.default_rng(3)
    fives = 5 * rng.integers(1, 2_000, 400)
    fives[:others] += 1
    state = fit(WHOLE, typed(WHOLE, fives.astype(float))).state
    fives[:others] -= 1
    without = fit(WHOLE, typed(WHOLE, fives.astype(float))).state
    assert (state.support, state.grids) == (without.support, without.grids)
    # The weights follow the rows of each bin, and a moved value may lie in the next one.
    assert state.rounding == pytest.approx(without.rounding, rel=0.01)
    # Every bin holds heaps of 38 patients, 33 in multiples of 11; in one, few have another value, which does not show.
    values = np.repeat(np.sort(rng.choice(10**6, 132, replace=False)), 38).astype(float)
    heaps = fit(WHOLE, typed(WHOLE, values)).state.heaps
    values[38 * 80 : 38 * 80 + others] += 1
    assert len(heaps) > 100
    assert fit(WHOLE, typed(WHOLE, values)).state.heaps == heaps
    assert max(heap.share for heap in heaps) < 0.95


@pytest.mark.parametrize("column", [Category(), Number(), Date()])
def test_a_single_missing_cell_of_a_complete_column_does_not_show(column):
    cells = {
        "category": pd.Series(["a", "b"] * 40, dtype="category"),
        "number": pd.Series(np.arange(80.0)),
        "date": pd.Series(pd.date_range("2026-01-01", periods=80)),
    }[column.type]
    for missing, shown in ((1, False), (10, False), (11, True)):
        assert fit(column, cells.mask(np.arange(80) < missing)).state.missing is shown


def test_a_few_events_share_the_code_of_the_others():
    column = Boolean(values=(0, 1))
    codec = fit(column, pd.Series([0] * 398 + [1] * 2, dtype="Int64"))
    assert codec.cardinality == 1
    sampled = codec.decode(np.zeros(40_000, dtype=int), np.random.default_rng(0).random(40_000))
    assert sampled.mean() == pytest.approx(5.5 / 403.5, abs=0.003)


def test_a_rare_ordinal_level_does_not_take_half_of_its_neighbour():
    column = Ordinal(categories=("I", "II", "III", "IV"))
    cells = pd.Series(["I"] * 300 + ["II"] * 200 + ["III"] * 400 + ["IV"] * 3, dtype=column.dtype)
    codec = fit(column, cells)
    layout = codec.layout("x")
    assert layout.kind == "ordered"
    assert layout.point_masses.tolist() == [True, True, False]
    codes, offsets = codec.encode(cells)
    assert codec.decode(codes, offsets).equals(cells)
    sampled = codec.decode(codes, np.random.default_rng(0).random(len(codes)))
    assert 1 <= (sampled == "IV").sum() <= 15
    # The codec is the same for none, one or ten patients with the level.
    for patients in (0, 1, 10):
        others = pd.concat([cells[:900], pd.Series(["IV"] * patients, dtype=column.dtype)])
        assert fit(column, others).state.groups == codec.state.groups


def test_a_level_no_patient_limit_protects_is_kept():
    column = Category()
    cells = pd.Series(["a"] * 3 + ["b"], dtype="category")
    assert fit(column, cells, rare=0, trim=0).cardinality == 2


def test_only_rare_levels_are_an_error():
    names = pd.Series([f"Z{i}" for i in range(30)], dtype="category")
    with pytest.raises(DataError, match="none of its 30 levels has 11 patients") as error:
        fit(Code(), names)
    assert "Z1" not in str(error.value)
    assert fit(Code(missing="allowed"), names).layout("x").never.tolist() == [True, False]


def _numbers(data):
    if isinstance(data, dict):
        for value in data.values():
            yield from _numbers(value)
    elif isinstance(data, list):
        for value in data:
            yield from _numbers(value)
    elif isinstance(data, int | float) and not isinstance(data, bool):
        yield data


@pytest.mark.parametrize("beyond", [0, 1, 5, 10])
def test_a_top_coded_number_ends_at_its_last_value_whatever_few_patients_lie_beyond(beyond):
    rng = np.random.default_rng(3)
    ages = np.concatenate([rng.integers(20, 86, 900), np.full(30, 90), np.full(beyond, 97)])
    cells = pd.Series(ages).astype("Int64")
    codec = fit_codec("age", Integer(), cells, np.arange(len(cells)), Limits.of(11, 11))
    assert codec.state.upper is not None
    # 90 has a code of its own, and the bin below it ends before it.
    assert 90 in codec.state.point_masses
    assert codec.state.upper.limit == 89.5
    assert codec.decode(*codec.encode(cells)).max() == 90


def test_a_tail_goes_on_where_eleven_patients_lie_beyond_a_frequent_value():
    rng = np.random.default_rng(3)
    ages = np.concatenate([rng.integers(20, 86, 900), np.full(30, 90), np.full(11, 97)])
    cells = pd.Series(ages).astype("Int64")
    codec = fit_codec("age", Integer(), cells, np.arange(len(cells)), Limits.of(11, 11))
    assert codec.state.upper is None or codec.state.upper.limit > 97


@pytest.mark.parametrize(("inside", "expected"), [(70, 90.0), (100, None)])
def test_one_patient_beside_the_end_does_not_show(inside, expected):
    ages = np.concatenate([np.repeat(np.arange(20.0, 88.0), 12), np.full(inside, 88.0), np.full(150, 90.0)])
    for few in range(11):
        cells = np.sort(np.concatenate([ages, np.full(few, 89.0)]))
        assert end_value(Rows(cells, np.arange(len(cells))), least=11, side=1) == expected
