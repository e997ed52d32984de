import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synthclin as sc
from synthclin.encoding import TableEncoder
from synthclin.errors import ConfigError, DataError
from synthclin.models import ConditionalGAN
from synthclin.rules.rules import violations
from synthclin.rules.validation import conform
from synthclin.sampling.observed import Partial
from synthclin.schema import Schema
from tests.sampling.marginal import Marginal
from tests.ward import SCHEMA, ward

MODELLED = list(SCHEMA.modelled)


def hidden(table, share, seed, columns=MODELLED):
    """Return a copy with a share of the cells of `columns` emptied, and where they were."""
    rng = np.random.default_rng(seed)
    mask = pd.DataFrame(rng.random((len(table), len(columns))) < share, columns=columns, index=table.index)
    holed = table.copy()
    for name in columns:
        holed[name] = holed[name].mask(mask[name])
    return holed, mask


# -- given cells, rules and seeds ------------------------------------------------------------------------------------


@settings(max_examples=6)
@given(
    st.integers(0, 10**6),
    st.floats(0.05, 0.9),
    st.sets(st.sampled_from(MODELLED), max_size=5),
    st.booleans(),
    st.booleans(),
)
def test_given_cells_are_kept_and_rules_satisfied(model, seed, share, absent, without_derived, shuffled):
    full = ward(40, seed=seed)
    full.index = pd.Index(np.random.default_rng(seed).permutation(40) * 3, name="row")
    holed, _ = hidden(full, share, seed)
    if without_derived:
        holed = holed.drop(columns="pulse_pressure")
    else:
        # A given derived cell is reproduced from sampled source cells only by chance.
        holed["pulse_pressure"] = np.nan
    holed = holed.drop(columns=list(absent))
    if shuffled:
        holed = holed[holed.columns[::-1]]
    before = holed.copy()
    done = model.impute(holed, random_state=seed)

    pd.testing.assert_frame_equal(holed, before)
    pd.testing.assert_index_equal(done.index, holed.index)
    assert list(done)[: holed.shape[1]] == list(holed)
    assert set(done) == set(SCHEMA.columns)
    for name in holed:
        given = holed[name].notna()
        assert (done.loc[given, name] == holed.loc[given, name]).all(), name
    assert done.drop(columns="pregnant").notna().all(axis=None)
    assert done["pregnant"].isna().equals(done["sex"] == "M")
    assert (done["pulse_pressure"] == done["sbp"] - done["dbp"]).all()
    assert not any(broken.any() for broken in violations(done, SCHEMA).values())
    pd.testing.assert_frame_equal(conform(done, SCHEMA)[list(done)], done.reset_index(drop=True))


def test_a_complete_row_is_unchanged_and_identifiers_pass_through(model):
    full = ward(60, seed=4)
    holed, _ = hidden(full, 0.5, 4, ["age", "stage"])
    holed.loc[:9] = full.loc[:9]
    # The others of these ten rows are complete but for what `missing_when` empties, and BMI.
    done = model.impute(holed, columns=["age", "stage"], random_state=0)
    pd.testing.assert_frame_equal(done.loc[:9], full.loc[:9])
    assert done["pid"].tolist() == full["pid"].tolist()
    pd.testing.assert_series_equal(done["bmi"], full["bmi"])
    assert done[["age", "stage"]].notna().all(axis=None)


def test_a_complete_table_is_not_sampled(model, monkeypatch):
    monkeypatch.setattr(ConditionalGAN, "_sample", lambda *_, **__: pytest.fail("it sampled"))
    full = ward(30, seed=1).assign(bmi=25.5)
    pd.testing.assert_frame_equal(model.impute(full), full)


def test_imputations_differ_in_imputed_cells_only(model):
    holed, mask = hidden(ward(80, seed=2), 0.3, 2)
    holed["pulse_pressure"] = np.nan
    tables = model.impute(holed, imputations=3, random_state=1)
    assert len(tables) == 3
    assert not tables[0]["age"].equals(tables[1]["age"])
    for table in tables:
        pd.testing.assert_series_equal(table["age"][~mask["age"]], holed["age"][~mask["age"]])
    assert len(model.impute(holed, imputations=1)) == 1


def test_the_same_seed_gives_the_same_imputations_and_calls_differ(model):
    holed, _ = hidden(ward(50, seed=3), 0.3, 3)
    holed = holed.drop(columns="pulse_pressure")
    pd.testing.assert_frame_equal(model.impute(holed, random_state=5), model.impute(holed, random_state=5))
    assert not model.impute(holed).equals(model.impute(holed))


def test_one_row_of_text_and_one_column(model):
    row = model.impute(pd.DataFrame({"age": ["61"], "sex": ["F"]}, index=["x"]), random_state=0)
    assert row.loc["x", "age"] == 61
    assert row.loc["x", "stage"] in {"I", "II", "III"}
    assert list(row)[:2] == ["age", "sex"]


# -- values and arguments --------------------------------------------------------------------------------------------


def test_values_outside_the_training_data_are_kept_exactly():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "ward": rng.choice(["east", "west"], 200),
            "icd": [*rng.choice(["I50", "I21"], 196), "Z1", "Z2", "Z3", "Z4"],
            "weight": rng.normal(80, 9, 200),
        }
    )
    kinds = {"ward": {"type": "category"}, "icd": {"type": "code"}, "weight": {"type": "number"}}
    schema = Schema.model_validate({"columns": kinds})
    model = Marginal(schema).fit(frame)
    odd = pd.DataFrame(
        {
            "ward": ["north", None, "east", None],
            "icd": ["I50", "Z2", "Q99", None],
            "weight": [None, 61.37123456789, -1e6, np.nextafter(80, 81)],
        }
    )
    done = model.impute(odd, random_state=0)
    assert done["ward"].tolist()[0::2] == ["north", "east"]
    assert set(done["ward"].iloc[1::2]) <= {"east", "west"}
    assert done["icd"].tolist()[:3] == ["I50", "Z2", "Q99"]
    assert done["icd"].iloc[3] in {"I50", "I21"}
    assert done["weight"].tolist()[1:] == odd["weight"].tolist()[1:]
    assert 40 < done["weight"].iloc[0] < 120


@pytest.mark.parametrize("choice", ["error", "drop", "keep"])
def test_given_cells_that_violate_a_rule_are_refused_dropped_or_kept(model, monkeypatch, choice):
    rows = ward(40, seed=0).drop(columns="pulse_pressure").assign(age=pd.NA)
    rows.loc[[3, 7], ["sbp", "dbp"]] = (80, 120)
    rule = {"then": "dbp < sbp", "on_violation": choice}
    words = Schema.model_validate({"columns": dict(SCHEMA.columns), "constraints": [rule]})
    monkeypatch.setattr(model.encoder_, "schema", words)
    if choice == "error":
        with pytest.raises(DataError, match=r"rule 'dbp < sbp': 2 of 40 rows \(4, 8\) violate it"):
            model.impute(rows, random_state=0)
        return
    done = model.impute(rows, random_state=0)
    assert done.index.tolist() == [i for i in range(40) if choice == "keep" or i not in (3, 7)]
    assert done["age"].between(18, 100).all()
    if choice == "keep":
        assert done.loc[[3, 7], ["sbp", "dbp"]].to_numpy().tolist() == [[80, 120]] * 2


def test_a_derived_cell_that_is_given_is_kept(model):
    rows = ward(30, seed=6)
    holed = rows.assign(dbp=pd.NA)
    done = model.impute(holed, random_state=0)
    assert (done["dbp"] == rows["dbp"]).all()


def test_missingness_of_other_columns_is_kept_and_used(model):
    # BMI is missing in half of stage III and hardly elsewhere.
    rows = ward(300, seed=9).drop(columns="pulse_pressure")
    holed = rows.assign(stage=pd.NA, age=pd.NA, bmi=np.nan)
    done = model.impute(holed, columns=["stage", "age"], random_state=0)
    assert done["bmi"].isna().all()
    missing = (done["stage"] == "III").mean()
    observed = (model.impute(holed.drop(columns="bmi"), random_state=0)["stage"] == "III").mean()
    assert missing > observed + 0.2


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda t: t.assign(age=[17, *t["age"][1:]]), r"column 'age': 1 of 20 rows \(1\) holds a value outside"),
        (lambda t: t.assign(sex=["Q", *t["sex"][1:]]), "column 'sex'"),
        (lambda t: t.assign(SECRET=1), r"1 of its 10 columns is not in the schema"),
        (lambda t: t[["pid"]], "none of its columns is modelled"),
        (lambda t: t.iloc[:0], "has no rows"),
        (lambda t: t[["age", "age", "sex"]], "same name"),
        (lambda t: t.assign(sbp=pd.NA, dbp=pd.NA, pulse_pressure=900.0), r"20 of 20 rows \(1, 2, .*pulse_pressure"),
    ],
)
def test_tables_that_cannot_be_imputed(model, monkeypatch, change, match):
    monkeypatch.setattr("synthclin.sampling.completed_rows.PROPOSALS_PER_ROUND", (1, 4))
    with pytest.raises(DataError, match=match) as error:
        model.impute(change(ward(20, seed=0)), random_state=0)
    assert "SECRET" not in str(error.value)


def test_wrong_arguments(model):
    rows = ward(5)
    for imputations in (0, -1, 1.5, 101):
        with pytest.raises(ConfigError, match="imputations"):
            model.impute(rows, imputations=imputations)
    with pytest.raises(ConfigError, match="'height' is not a modelled column"):
        model.impute(rows, columns=["height"])
    with pytest.raises(ConfigError, match="not fitted"):
        ConditionalGAN(SCHEMA).impute(rows)


# -- known answers ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def line():
    """A model of twelve doses and a response to each: the dose is sampled first, the response last."""
    rng = np.random.default_rng(1)
    dose = rng.integers(0, 12, 1_500)
    frame = pd.DataFrame({"dose": dose, "response": np.round(5 * dose + rng.normal(0, 4, len(dose)), 2)})
    kinds = {"dose": {"type": "integer"}, "response": {"type": "number", "decimals": 2}}
    schema = Schema.model_validate({"columns": kinds})
    model = ConditionalGAN(schema, effort="quick", random_state=1).fit(frame)
    assert model.order_ == [0, 1]
    return model


def test_an_early_column_is_imputed_from_its_posterior_given_a_late_one(line):
    """By Bayes' rule: the model's own posterior, and approximately that of the data, 5 dose + N(0, 4)."""
    doses, responses = np.arange(12), [2.0, 17.5, 33.0, 52.0]
    done = line.impute(pd.DataFrame({"response": np.repeat(responses, 400)}), random_state=0)
    for value in responses:
        imputed = np.bincount(done.loc[done["response"] == value, "dose"].astype(int), minlength=12) / 400
        joint = np.exp(line.log_likelihood(pd.DataFrame({"dose": doses, "response": value})))
        assert 0.5 * np.abs(imputed - joint / joint.sum()).sum() < 0.1
        truth = np.exp(-((value - 5 * doses) ** 2) / 32)
        assert imputed @ doses == pytest.approx(truth @ doses / truth.sum(), abs=0.4)


def test_a_late_column_is_imputed_from_its_conditional_given_an_early_one(line):
    done = line.impute(pd.DataFrame({"dose": np.repeat([3, 8], 400)}), random_state=0)
    for dose in (3, 8):
        imputed = done.loc[done["dose"] == dose, "response"]
        assert imputed.mean() == pytest.approx(5 * dose, abs=1)
        assert imputed.std() == pytest.approx(4, abs=1.2)


def test_other_cells_are_not_those_of_patients_in_whom_a_column_was_measured():
    """One in five patients is in intensive care, and lactate is measured there alone: it says nothing of the others."""
    rng = np.random.default_rng(2)
    wards = ["intensive", "heart", "kidney", "lung", "surgery"]
    ward = rng.choice(wards, 1_500)
    lactate = pd.Series(rng.choice(["low", "high"], 1_500)).mask(ward != "intensive")
    frame = pd.DataFrame({"lactate": lactate, "ward": ward, "sex": rng.choice(["F", "M"], 1_500)})
    kinds = {
        "lactate": {"type": "category", "categories": ["low", "high"], "missing": "allowed"},
        "ward": {"type": "category", "categories": wards},
        "sex": {"type": "category", "categories": ["F", "M"]},
    }
    schema = Schema.model_validate({"columns": kinds})
    model = ConditionalGAN(schema, effort="quick", random_state=1).fit(frame)
    assert model.order_.index(0) < model.order_.index(1), "else lactate could not change the wards"
    done = model.impute(pd.DataFrame({"sex": ["F", "M"] * 200}), random_state=0)
    assert done.notna().all(axis=None)
    assert (done["ward"] == "intensive").mean() == pytest.approx(0.2, abs=0.07)
    assert (done["lactate"] == "low").mean() == pytest.approx(0.5, abs=0.15)


def test_hidden_cells_of_a_real_table_are_predicted_better_than_by_mean_or_mode():
    table, schema = sc.datasets.load("heart_disease")
    train, holdout = sc.split(table, schema, holdout=0.25, random_state=3)
    model = ConditionalGAN(schema, effort="quick", random_state=3).fit(train)
    columns = [name for name in schema.modelled if name != "site"]
    holed, mask = hidden(holdout, 0.2, 3, columns)
    tables = model.impute(holed, imputations=8, random_state=0)
    gains = {}
    for name in columns:
        at = mask[name] & holdout[name].notna()
        known = train[name].dropna()
        if schema.columns[name].is_numeric:
            truth = holdout.loc[at, name].astype(float)
            guess = np.mean([one.loc[at, name].astype(float) for one in tables], axis=0)
            error = np.sqrt(np.mean((truth - guess) ** 2))
            gains[name] = 1 - error / np.sqrt(np.mean((truth - known.astype(float).mean()) ** 2))
        else:
            truth = holdout.loc[at, name].astype(str)
            guess = pd.concat([one.loc[at, name].astype(str) for one in tables], axis=1).mode(axis=1)[0]
            gains[name] = (truth == guess).mean() - (truth == str(known.mode()[0])).mean()
    assert np.mean(list(gains.values())) > 0.05, gains
    assert max(gains["exang"], gains["slope"], gains["num"]) > 0.1, gains


# -- rules -----------------------------------------------------------------------------------------------------------


def ruled(rows, seed):
    """Return rows that satisfy rules of each kind."""
    rng = np.random.default_rng(seed)
    low = rng.integers(0, 300, rows)
    stay = np.minimum(low, 40 + low % 7)
    died = rng.random(rows) < 0.4
    score = rng.integers(0, 8, rows)
    known = rng.random(rows) < 0.7
    group = rng.choice(["a", "b", "c", "d"], rows)
    scan = pd.Series(rng.normal(5, 1, rows).round(2))
    return pd.DataFrame(
        {
            "stay": np.where(died, low, stay),
            "followed": low,
            "died": pd.Series(died).astype("boolean"),
            "score": pd.Series(score).mask(~known).astype("Int64"),
            "filled": np.where(known, score, (score + rng.uniform(0.1, 0.9, rows)).round(4)),
            "group": group,
            "kind": np.where(np.isin(group, ["a", "b"]), "first", "second"),
            "total": low + score,
            "scan": scan.mask(died),
        }
    )


RULED = Schema.model_validate(
    {
        "columns": {
            "stay": {"type": "integer", "range": [0, 2000]},
            "followed": {"type": "integer", "range": [0, 2000]},
            "died": {"type": "boolean"},
            "score": {"type": "integer", "range": [0, 7], "missing": "allowed"},
            "filled": {"type": "number", "range": [0, 9], "decimals": 4},
            "group": {"type": "category", "categories": ["a", "b", "c", "d"]},
            "kind": {"type": "category", "categories": ["first", "second"]},
            "total": {"type": "integer", "range": [0, 3000]},
            "scan": {"type": "number", "decimals": 2, "missing_when": "died"},
            "left": {"type": "integer", "derive": "followed - stay", "range": [0, 2000]},
        },
        "constraints": [
            "stay <= followed",
            {"when": "died", "then": "stay == followed"},
            "score == filled",
            {"when": "group in ['a', 'b']", "then": "kind == 'first'"},
            {"when": "group in ['c', 'd']", "then": "kind == 'second'"},
            "total >= followed",
        ],
    }
)


@pytest.fixture(scope="module")
def ruled_model():
    return Marginal(RULED).fit(ruled(600, 0).assign(left=lambda t: t["followed"] - t["stay"]))


@pytest.mark.parametrize(("share", "derived"), [(0.1, True), (0.4, False), (0.8, True)])
def test_real_rows_with_holes_are_completed_under_every_rule(ruled_model, share, derived):
    whole = ruled(80, 1).assign(left=lambda t: t["followed"] - t["stay"])
    # Beyond all training rows: another column's given value decides the cell.
    whole.loc[:9, ["stay", "followed", "total", "left"]] = (1500, 1500, 1507, 0)
    whole.loc[:9, "died"] = True
    whole.loc[:9, "scan"] = np.nan
    holed, mask = hidden(whole, share, 5, list(RULED.modelled))
    holed["followed"] = holed["followed"].mask(~mask["followed"], whole["followed"])
    holed = holed if derived else holed.drop(columns="left")
    done = ruled_model.impute(holed, random_state=1)
    if share == 0.4:
        pd.testing.assert_frame_equal(done, ruled_model.impute(holed, random_state=1))
    assert not {rule: broken.sum() for rule, broken in violations(done, RULED).items() if broken.any()}
    for name in holed:
        given = holed[name].notna()
        assert (done.loc[given, name] == holed.loc[given, name]).all(), name
    assert done["scan"].isna().equals(done["died"].astype(bool))
    # A score stays missing only where the filled one is no whole number.
    assert (done.loc[done["score"].isna(), "filled"] % 1 > 0).all()
    assert done.drop(columns=["scan", "score"]).notna().all(axis=None)


def test_a_cell_that_will_hold_a_value_empties_no_other(ruled_model):
    done = ruled_model.impute(ruled(40, 2).assign(died=pd.NA, scan=np.nan), random_state=0)
    assert done["scan"].isna().equals(done["died"].astype(bool))


def test_an_impossible_row_is_refused_at_once_with_its_number_and_the_rule(ruled_model, monkeypatch):
    rows = ruled(40, 3)
    rows["kind"] = rows["kind"].astype(object)
    rows.loc[6, ["stay", "followed", "total"]] = (pd.NA, 90, 95)
    rows = rows.assign(left=pd.Series(pd.NA, range(40), dtype="Int64"))
    rows.loc[6, ["died", "left"]] = (False, 1999)
    monkeypatch.setattr(Marginal, "_sample", lambda *_, **__: pytest.fail("it sampled"))
    with pytest.raises(DataError, match=r"1 of 40 rows \(7\) cannot be imputed: no value of column 'stay'.*left"):
        ruled_model.impute(rows, random_state=0)


def test_a_cell_that_no_trained_value_suits_takes_the_value_that_borders_it():
    """Of rules of both strictness, for numbers with decimals, whole numbers and dates."""
    rng = np.random.default_rng(0)
    low = rng.normal(50, 9, 300).round(1)
    seen = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 300, 300), "D")
    frame = pd.DataFrame({"low": low, "high": np.ceil(low + 1).astype(int), "seen": seen})
    frame["last"] = frame["seen"] + pd.to_timedelta(rng.integers(0, 90, 300), "D")
    schema = Schema.model_validate(
        {
            "columns": {
                "low": {"type": "number", "decimals": 1, "range": [0, 500]},
                "high": {"type": "integer", "range": [0, 500]},
                "seen": {"type": "date"},
                "last": {"type": "date"},
            },
            "constraints": ["low < high", "seen <= last"],
        }
    )
    rows = pd.DataFrame(
        {
            "low": [200.4, None, 200.0],
            "high": pd.array([None, 2, None], dtype="Int64"),
            "seen": [pd.Timestamp("2024-02-29"), None, None],
            "last": [None, pd.Timestamp("2011-05-04"), pd.Timestamp("2020-06-01")],
        }
    )
    model = Marginal(schema).fit(frame)
    done = model.impute(rows, random_state=0)
    assert done["high"].tolist() == [201, 2, 201]
    assert done["low"].tolist() == [200.4, 1.9, 200.0]
    assert done["last"].iloc[0] == pd.Timestamp("2024-02-29")
    assert done["seen"].iloc[1] == pd.Timestamp("2011-05-04")
    # Beyond the declared range there is no such value: the error names the cell that would need it.
    with pytest.raises(DataError, match=r"1 of 3 rows \(1\) .*column 'high' satisfies `low < high`"):
        model.impute(rows.assign(low=[500.0, None, 20.0]), random_state=0)


def test_levels_of_several_kinds_stay_as_declared():
    declared = Schema.model_validate(
        {"columns": {"g": {"type": "ordinal", "categories": [0, 0.5, 1]}, "x": {"type": "integer", "range": [0, 9]}}}
    )
    table = conform(pd.DataFrame({"g": [0, 0.5, 1] * 40, "x": list(range(10)) * 12}), declared)
    cells = Partial.read(table.head(5), TableEncoder.fit(table, declared), {"g"}).cells
    assert cells["g"].dtype == table["g"].dtype
    assert [str(level) for level in cells["g"]] == ["0", "0.5", "1", "0", "0.5"]
