"""The encoder of a table, on real tables and on hostile ones."""

import copy
import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from synthclin import datasets
from synthclin.encoding import Encoded, TableEncoder
from synthclin.errors import DataError, ModelFormatError
from synthclin.expressions import parse
from synthclin.rules.validation import conform
from synthclin.schema import Schema
from synthclin.schema.columns import Integer

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "id": {"type": "id", "role": "entity"},
            "sex": {"type": "category", "categories": ["F", "M", "X"]},
            "ward": {"type": "category", "missing": "allowed"},
            "icd": {"type": "code", "missing": "allowed"},
            "grade": {"type": "ordinal", "categories": [1, 2, 3, 4]},
            "died": {"type": "boolean"},
            "age": {"type": "integer", "range": [18, 100]},
            "bnp": {"type": "number", "range": [5, 70000], "scale": "log", "decimals": 0, "spikes": [5]},
            "lactate": {"type": "number", "missing": "allowed"},
            "stay": {"type": "duration", "unit": "d", "decimals": 2},
            "admitted": {"type": "date", "range": ["2015-01-01", "2024-12-31"]},
            "triage": {"type": "datetime", "missing": "allowed"},
            "bmi": {"type": "number", "derive": "age / 2"},
            "note": {"type": "text"},
        }
    }
)


def ward(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 101, rows)
    day = pd.Timestamp("2016-01-01") + pd.to_timedelta(rng.integers(0, 3000, rows), unit="D")
    frame = pd.DataFrame(
        {
            "id": [f"P{i}" for i in range(rows)],
            "sex": rng.choice(["F", "M", "X"], rows, p=[0.6, 0.39, 0.01]),
            "ward": rng.choice(["east", "west", None], rows),
            "icd": [f"I{i}" for i in rng.geometric(0.3, rows)],
            "grade": rng.choice([1, 2, 3, 4], rows, p=[0.5, 0.3, 0.19, 0.01]),
            "died": rng.random(rows) < age / 150,
            "age": age,
            "bnp": np.clip(rng.lognormal(6, 1.5, rows), 5, 70_000).round(),
            "lactate": np.where(rng.random(rows) < 0.3, np.nan, rng.lognormal(0, 0.5, rows)),
            "stay": rng.exponential(6, rows).round(2),
            "admitted": day,
            "triage": day + pd.to_timedelta(rng.integers(0, 1440, rows), unit="min"),
            "bmi": age / 2,
            "note": "free text",
        }
    )
    return conform(frame, SCHEMA)


@pytest.fixture(scope="module")
def table():
    return ward()


@pytest.fixture(scope="module")
def encoder(table):
    return TableEncoder.fit(table, SCHEMA)


def resampled(encoder, encoded, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return encoder.decode(Encoded(encoded.codes, torch.rand(encoded.offsets.shape, generator=generator)))


@pytest.mark.parametrize("name", ["heart_disease", "actg175"])
def test_real_tables_come_back_exactly_and_keep_their_marginals(name):
    real, schema = datasets.load(name)
    encoder = TableEncoder.fit(real, schema)
    encoded = encoder.encode(real)
    modelled = real[list(schema.modelled)].reset_index(drop=True)
    pd.testing.assert_frame_equal(encoder.decode(encoded), modelled)
    sampled = resampled(encoder, encoded)
    pd.testing.assert_frame_equal(conform(sampled, Schema(columns={c: schema.columns[c] for c in sampled})), sampled)
    for column in sampled:
        assert (sampled[column].isna() == modelled[column].isna()).all()
        if not isinstance(sampled[column].dtype, pd.CategoricalDtype):
            a, b = (frame[column].dropna().astype(float) for frame in (sampled, modelled))
            assert ks_2samp(a, b, method="asymp").statistic < 0.03


def test_only_modelled_columns_are_encoded(encoder, table):
    encoded = encoder.encode(table)
    assert encoder.layout.names == SCHEMA.modelled
    assert not {"id", "note", "bmi"} & set(encoder.layout.names)
    assert encoded.codes.shape == encoded.offsets.shape == (400, 11)
    assert (encoded.codes.dtype, encoded.offsets.dtype) == (torch.int64, torch.float32)
    for j, column in enumerate(encoder.layout.columns):
        codes, offsets = encoded.codes[:, j].numpy(), encoded.offsets[:, j].numpy()
        assert codes.max() < column.cardinality
        assert not offsets[column.point_masses[codes]].any()
        assert (table[column.name].isna().to_numpy() == (codes == column.missing)).all()
        assert column.missing in (None, column.cardinality - 1)


def test_encoding_is_deterministic_and_leaves_the_table_alone(encoder, table):
    before = table.copy(deep=True)
    one, two = encoder.encode(table), TableEncoder.fit(table, SCHEMA).encode(table)
    assert one.codes.equal(two.codes)
    assert one.offsets.equal(two.offsets)
    pd.testing.assert_frame_equal(table, before)


def test_rows_do_not_hang_on_the_index_or_each_other(encoder, table):
    shuffled = table.sample(frac=1, random_state=3)
    assert encoder.encode(shuffled).codes.equal(encoder.encode(table).codes[shuffled.index.tolist()])
    assert len(encoder.decode(encoder.encode(table.iloc[:0]))) == 0


def test_held_out_rows_are_encoded_whatever_they_hold(encoder):
    other = ward(200, seed=9)
    other["ward"] = pd.Categorical(["north"] * 200)
    other["lactate"] = 1e9
    encoded = encoder.encode(other)
    sampled = ~torch.stack(
        [torch.from_numpy(column.never)[encoded.codes[:, j]] for j, column in enumerate(encoder.layout.columns)]
    ).any(dim=0)
    encoder.decode(encoded[sampled])


def test_codes_that_are_never_sampled_or_do_not_exist_are_refused(encoder, table):
    encoded = encoder.encode(table)
    j = encoder.layout.names.index("icd")
    assert encoder.layout.columns[j].never.sum() == 1
    never = encoded.codes.clone()
    never[0, j] = int(np.flatnonzero(encoder.layout.columns[j].never)[0])
    with pytest.raises(ValueError, match="'icd': a code that is never sampled"):
        encoder.decode(Encoded(never, encoded.offsets))
    for wrong in (-1, encoder.layout.cardinalities[j]):
        never[0, j] = wrong
        with pytest.raises(ValueError, match="'icd': a code outside its"):
            encoder.decode(Encoded(never, encoded.offsets))


def test_a_missing_column_is_an_error(encoder, table):
    with pytest.raises(DataError, match="column 'age': absent"):
        encoder.encode(table.drop(columns="age"))


def test_missing_cells_where_the_schema_has_none_are_never_sampled():
    schema = Schema.model_validate({"columns": {"x": {"type": "integer"}}})
    encoder = TableEncoder.fit(pd.DataFrame({"x": pd.array([1] * 30 + [2] * 30 + [None] * 11, dtype="Int64")}), schema)
    assert encoder.layout.columns[0].never.tolist() == [False, False, True]


# -- protection ------------------------------------------------------------------------------------------------------


def test_canaries_are_neither_kept_nor_sampled(table):
    planted = table.copy()
    planted["icd"] = planted["icd"].astype(object)
    planted.loc[7, "icd"] = "ZZ_CANARY_7391"
    planted["icd"] = planted["icd"].astype("category")
    planted.loc[7, "lactate"] = 987_654.321
    planted.loc[8, "lactate"] = 1.2345678
    planted.loc[9, "stay"] = 4_321.09
    planted.loc[10, "triage"] = pd.Timestamp("1971-07-03 04:05:06")
    encoder = TableEncoder.fit(planted, SCHEMA)
    kept = json.dumps(encoder.to_dict())
    for canary in ("ZZ_CANARY", "987654.32", "1.2345678", "432109", "4321.09", "47361906"):
        assert canary not in kept
    rng = np.random.default_rng(0)
    encoded = encoder.encode(planted)
    rows = torch.from_numpy(rng.integers(0, 400, 20_000))
    j = encoder.layout.names.index("icd")
    rows = rows[~torch.from_numpy(encoder.layout.columns[j].never)[encoded.codes[rows, j]]]
    sampled = resampled(encoder, encoded[rows])
    assert sampled["lactate"].max() < 100_000
    assert not (sampled["lactate"] == 1.2345678).any()
    assert sampled["stay"].max() < 1_000
    assert sampled["triage"].min() > pd.Timestamp("1990-01-01")
    assert "ZZ_CANARY_7391" not in set(sampled["icd"])


def test_limits_of_one_keep_every_level(table):
    encoder = TableEncoder.fit(table, SCHEMA, rare_category=1, trim_extremes=1)
    assert not any(column.never.any() for column in encoder.layout.columns)
    decoded = encoder.decode(encoder.encode(table))
    exact = [name for name in encoder.layout.names if name not in ("lactate", "bnp", "triage")]
    pd.testing.assert_frame_equal(decoded[exact], table[exact])


# -- conditions on one column ----------------------------------------------------------------------------------------

PREDICATES = [
    ("age", "age >= 65"),
    ("age", "40 <= age < 50 and age != 45"),
    ("age", "age > 200"),
    ("sex", "sex == 'X'"),
    ("sex", "sex in ['F', 'M']"),
    ("ward", "ward is missing"),
    ("ward", "ward is not missing and ward != 'east'"),
    ("grade", "grade >= 3"),
    ("died", "not died"),
    ("lactate", "lactate > 1.01 or lactate is missing"),
    ("lactate", "0.8 < lactate <= 0.9"),
    ("bnp", "bnp == 5 or bnp > 1234.5"),
    ("stay", "stay < 0.5"),
    ("admitted", "'2019-02-03' <= admitted < '2020-02-02'"),
    ("triage", "triage >= '2020-05-05'"),
]


@pytest.mark.parametrize(("name", "text"), PREDICATES)
def test_allowed_is_the_share_of_each_code_that_satisfies(encoder, name, text):
    predicate, rng = parse(text), np.random.default_rng(0)
    allowed = encoder.allowed(name, predicate)
    j = encoder.layout.names.index(name)
    column = encoder.layout.columns[j]
    assert allowed.shape == (column.cardinality,)
    sampled = np.flatnonzero(~column.never)
    codes = np.repeat(sampled, 2_000)
    cells = encoder.codecs[name].decode(codes, rng.random(len(codes)).astype(np.float32))
    holds = predicate.evaluate(pd.DataFrame({name: cells})).fillna(False).to_numpy(bool)
    share = np.bincount(codes, holds, column.cardinality) / 2_000
    assert np.abs(allowed - share).max() < 0.05
    # Where a code is allowed as a whole it is allowed exactly.
    whole = allowed == 1
    assert holds[whole[codes]].all()
    assert not allowed[column.never].any()

    codes = rng.choice(np.flatnonzero(allowed), 3_000) if allowed.any() else codes[:0]
    offsets = rng.random(len(codes)).astype(np.float32)
    offsets = encoder.restrict(name, codes, offsets, predicate, rng)
    assert offsets.dtype == np.float32
    assert ((offsets >= 0) & (offsets < 1)).all()
    cells = encoder.codecs[name].decode(codes, offsets)
    assert predicate.evaluate(pd.DataFrame({name: cells})).fillna(False).all()


@pytest.mark.parametrize("decimals", [2, 6, None])
def test_a_single_value_or_a_narrow_range_is_satisfied_wherever_possible(decimals):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"cost": rng.lognormal(8, 1, 300), "sex": rng.choice(["F", "M"], 300)})
    if decimals is not None:
        frame["cost"] = frame["cost"].round(decimals)
    columns = {"cost": {"type": "number", "decimals": decimals}, "sex": {"type": "category", "categories": ["F", "M"]}}
    schema = Schema.model_validate({"columns": columns})
    encoder = TableEncoder.fit(conform(frame, schema), schema)
    texts = ["3000.01 <= cost <= 3000.02", "3000 < cost < 3000.05", "-cost >= -3000.02 and cost > 3000.01"]
    for text in [*texts, "cost == 3000.01"] if decimals == 2 else texts[:2]:
        predicate = parse(text)
        allowed = encoder.allowed("cost", predicate)
        assert 0 < allowed.max() < 1 / 256, text
        code = np.repeat(np.argmax(allowed), 500)
        offsets = encoder.restrict("cost", code, np.zeros(500, dtype=np.float32), predicate, rng)
        cells = encoder.codecs["cost"].decode(code, offsets)
        assert predicate.evaluate(pd.DataFrame({"cost": cells})).all()


def test_restricted_offsets_follow_the_conditional_distribution(encoder, table):
    predicate, rng = parse("35 <= age <= 37 or age > 90"), np.random.default_rng(1)
    codes = encoder.encode(table).codes[:, encoder.layout.names.index("age")].numpy()
    codes = np.repeat(codes[encoder.allowed("age", predicate)[codes] > 0], 50)
    free = encoder.codecs["age"].decode(codes, rng.random(len(codes)))
    bound = encoder.codecs["age"].decode(
        codes, encoder.restrict("age", codes, np.zeros(len(codes), dtype=np.float32), predicate, rng)
    )
    holds = predicate.evaluate(pd.DataFrame({"age": free})).to_numpy(bool)
    for code in np.unique(codes):
        at = codes == code
        assert bound[at].astype(float).mean() == pytest.approx(free[at & holds].astype(float).mean(), abs=0.5)


def test_restrict_leaves_unsatisfiable_codes(encoder):
    offsets = encoder.restrict(
        "age", np.zeros(3, dtype=int), np.full(3, 0.25, dtype=np.float32), parse("age > 200"), np.random.default_rng(0)
    )
    assert offsets.tolist() == [0.25] * 3


# -- kept and read back ----------------------------------------------------------------------------------------------


def test_kept_as_json_it_decodes_the_same(encoder, table):
    again = TableEncoder.from_dict(json.loads(json.dumps(encoder.to_dict())), SCHEMA)
    encoded = encoder.encode(table)
    assert again.encode(table).offsets.equal(encoded.offsets)
    sampled = torch.rand(encoded.offsets.shape, generator=torch.Generator().manual_seed(0))
    codes = torch.stack([torch.zeros(400, dtype=torch.int64) for _ in encoder.layout.names], dim=1)
    pd.testing.assert_frame_equal(again.decode(Encoded(codes, sampled)), encoder.decode(Encoded(codes, sampled)))
    assert again.to_dict() == encoder.to_dict()
    for one, two in zip(again.layout.columns, encoder.layout.columns, strict=True):
        assert (one.name, one.cardinality, one.kind, one.missing) == (two.name, two.cardinality, two.kind, two.missing)
        assert (one.point_masses == two.point_masses).all()


SCRAP = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**25), 10**25),
    st.floats(),
    st.sampled_from([0, 1, -1, 0.5, 1e-300, 1e200, -1e200, 65.0, 10**400, "F", "line", "levels", "\ud800", ""]),
    st.lists(st.floats(-100, 200), max_size=4),
    st.dictionaries(st.sampled_from(["at", "share", "mean", "limit", "step", "levels", "x"]), st.floats(0, 100)),
)


def places(data, path=()):
    yield path
    children = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in children:
        yield from places(value, (*path, key))


@st.composite
def damaged(draw, whole):
    """A document with up to three places replaced, removed or added to."""
    whole = copy.deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        *path, last = draw(st.sampled_from(list(places(whole))[1:]))
        parent = whole
        for key in path:
            parent = parent[key]
        action = draw(st.sampled_from(["replace", "remove", "add"]))
        if action == "remove" and whole is not parent:
            del parent[last]
        elif action == "add" and isinstance(parent, list):
            parent.append(draw(SCRAP))
        else:
            parent[last if action == "replace" else "surplus"] = draw(SCRAP)
    return whole


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_damaged_files_are_refused_or_harmless(encoder, data):
    document = data.draw(damaged(encoder.to_dict()))
    with np.errstate(all="raise", under="ignore"):
        try:
            read = TableEncoder.from_dict(document, SCHEMA)
        except ModelFormatError:
            return
        for column, codec in zip(read.layout.columns, read.codecs.values(), strict=True):
            sampled = np.flatnonzero(~column.never)
            cells = codec.decode(np.repeat(sampled, 9), np.tile(np.linspace(0, 0.99999, 9), len(sampled)))
            bounds = SCHEMA.columns[column.name].bounds
            if bounds is not None:
                low, high = (pd.Timestamp(bound) if column.name == "admitted" else bound for bound in bounds)
                assert cells.dropna().between(low, high).all()
            if cells.dtype.kind == "f":
                assert not np.isinf(cells).any()


@pytest.mark.parametrize("data", [None, [], {}, {"version": 2, "columns": {}}, {"version": 1, "columns": []}, "x"])
def test_what_is_no_encoder_is_refused(data):
    with pytest.raises(ModelFormatError, match=r"encoder\.json"):
        TableEncoder.from_dict(data, SCHEMA)


def test_an_encoder_of_another_schema_is_refused(encoder):
    heart = datasets.load("heart_disease")[1]
    with pytest.raises(ModelFormatError, match="columns are not those"):
        TableEncoder.from_dict(encoder.to_dict(), heart)
    narrower = SCHEMA.model_copy(update={"columns": SCHEMA.columns | {"age": Integer(range=(50, 60))}})
    with pytest.raises(ModelFormatError, match=r"columns\.age"):
        TableEncoder.from_dict(encoder.to_dict(), narrower)


def test_a_refused_value_is_not_repeated(encoder):
    damaged = encoder.to_dict()
    damaged["columns"]["sex"]["groups"][0]["levels"] = ["ZZ_CANARY_7391"]
    with pytest.raises(ModelFormatError) as error:
        TableEncoder.from_dict(damaged, SCHEMA)
    assert "CANARY" not in str(error.value)
    assert error.value.__cause__ is None


def test_a_large_table_is_encoded_in_seconds():
    wide = pd.concat([ward(1_000)] * 50, ignore_index=True)
    encoded = TableEncoder.fit(wide.assign(id=wide.index.astype("string")), SCHEMA).encode(wide)
    assert len(encoded) == 50_000


@pytest.mark.parametrize("kind", ["category", "ordinal"])
@pytest.mark.parametrize("neighbour", ["a", "b", "d"])
def test_the_file_of_the_encoder_is_the_same_for_0_1_5_and_10_patients_with_a_level(kind, neighbour):
    rng = np.random.default_rng(8)
    levels = ["a", "b", "c", "d"]
    schema = Schema.model_validate({"columns": {"x": {"type": kind, "categories": levels}, "age": {"type": "integer"}}})
    x = rng.choice(["a", "b", "d"], 300, p=[0.6, 0.1, 0.3])
    age = pd.array(rng.integers(20, 90, 300), dtype="Int64")
    texts = set()
    for patients in (0, 1, 5, 10):
        moved = x.copy()
        moved[np.flatnonzero(x == neighbour)[:patients]] = "c"
        table = pd.DataFrame({"x": pd.Categorical(moved, levels, ordered=kind == "ordinal"), "age": age})
        texts.add(json.dumps(TableEncoder.fit(table, schema).to_dict()))
    assert len(texts) == 1
