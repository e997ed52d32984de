from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synthclin as sc
from synthclin.encoding import TableEncoder
from synthclin.errors import ConfigError, DataError
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.missing_dependence import missing_dependence
from synthclin.evaluation.fidelity.missingness import missingness
from synthclin.io.documents import parse_yaml, validate
from synthclin.rules.rules import violations
from synthclin.rules.validation import check, conform
from synthclin.schema import Schema
from synthclin.schema.columns import MissingReason

pytestmark = pytest.mark.usefixtures("brief_trainings")

COLUMNS = {
    "age": {"type": "integer", "range": [18, 90]},
    "sbp": {"type": "integer", "range": [50, 260], "missing_codes": {-9: "unknown", "REF": "refused"}},
    "crp": {"type": "number", "range": [0, 500], "decimals": 1, "missing_codes": {-9: "unknown", -8.5: "lost"}},
    "sex": {"type": "category", "categories": ["F", "M"], "missing_codes": {"NA": "not asked", 9: "refused"}},
    "seen": {
        "type": "date",
        "range": ["2000-01-01", "2020-12-31"],
        "missing_codes": {"1900-01-01": "never"},
        "missing": "allowed",
    },
}


def schema(columns=COLUMNS, **changes):
    return validate(Schema, {"columns": columns, **changes}, "schema")


def ward(rows, seed=0):
    """Return a table as a file holds it: older patients refuse more often, and a tenth of cells is unknown."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 91, rows)
    chance = rng.random(rows)
    refused, unknown = chance < age / 200, chance > 0.9
    table = pd.DataFrame(
        {
            "age": age,
            "sbp": np.select([refused, unknown], ["REF", "-9"], rng.integers(90, 200, rows).astype(str)),
            "crp": np.select([unknown, refused & (age < 40)], [-9, -8.5], rng.gamma(2, 10, rows).round(1)),
            "sex": np.select([unknown, refused], ["NA", "9"], rng.choice(["F", "M"], rows)),
            "seen": np.where(
                unknown,
                "1900-01-01",
                rng.choice(pd.date_range("2001-01-01", periods=900), rows).astype("datetime64[D]").astype(str),
            ),
        }
    )
    table.loc[chance < 0.05, "seen"] = None
    return table


@pytest.fixture(scope="module")
def model():
    return sc.ConditionalGAN(schema(), effort="quick", width=48, random_state=3).fit(ward(500))


def test_the_reason_has_its_own_column_and_the_cell_is_missing():
    typed = conform(ward(50), schema())
    assert list(typed) == [
        "age",
        "sbp",
        "sbp_missing",
        "crp",
        "crp_missing",
        "sex",
        "sex_missing",
        "seen",
        "seen_missing",
    ]
    raw = ward(50)
    for name, code, kind in [
        ("sbp", "REF", "refused"),
        ("crp", -9, "unknown"),
        ("sex", "NA", "not asked"),
        ("seen", "1900-01-01", "never"),
    ]:
        here = (raw[name] == code).to_numpy()
        assert here.any()
        assert typed[name][here].isna().all()
        assert (typed[f"{name}_missing"] == kind).fillna(False).tolist() == here.tolist()
    assert check(typed, schema()) == check(raw, schema()) == []
    pd.testing.assert_frame_equal(conform(typed, schema()), typed)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_files_hold_the_codes_and_read_back_alike(tmp_path, suffix):
    typed, path = conform(ward(80), schema()), tmp_path / f"ward.{suffix}"
    sc.write_table(typed, path, schema())
    pd.testing.assert_frame_equal(sc.read_table(path, schema()), typed)
    plain = sc.read_table(path)
    assert list(plain) == list(COLUMNS)
    assert (plain["sbp"] == "REF").sum() == (typed["sbp_missing"] == "refused").sum()
    # Numbers stay numbers in a Parquet file.
    if suffix == "parquet":
        assert plain["crp"].dtype == float
        assert (plain["crp"] == -8.5).sum() == (typed["crp_missing"] == "lost").sum()


def test_yaml_keeps_the_types_of_codes_and_not_the_columns_beside():
    text = schema().to_yaml()
    assert "_missing" not in text.replace("missing_codes", "")
    assert Schema.model_validate(parse_yaml(text, "schema")) == schema()
    assert schema().with_column("age", unit="a").columns["sbp_missing"].of == "sbp"
    assert "sbp_missing" not in schema().with_column("sbp", missing_codes=None, missing="allowed").columns


@pytest.mark.parametrize(
    ("column", "what"),
    [
        ({"type": "integer", "missing_codes": {-9: "unknown"}}, "needs a `range`"),
        ({"type": "integer", "range": [0, 99], "missing_codes": {99: "unknown"}}, "inside `range`"),
        ({"type": "integer", "range": [0, 99], "missing_codes": {"50": "unknown"}}, "inside `range`"),
        ({"type": "date", "missing_codes": {"1900-01-01": "unknown"}}, "needs a `range`"),
        (
            {"type": "date", "range": ["1890-01-01", "2000-01-01"], "missing_codes": {"1900-01-01": "x"}},
            "inside `range`",
        ),
        ({"type": "category", "categories": [1, 9], "missing_codes": {9: "unknown"}}, "a level too"),
        ({"type": "boolean", "values": ["no", "9"], "missing_codes": {9: "unknown"}}, "a level too"),
        ({"type": "category", "missing_codes": {9: "a", "9": "b"}}, "read the same"),
        ({"type": "category", "missing_codes": {9: "a", 8: "a"}}, "same name"),
        ({"type": "category", "missing_codes": {9: " "}}, "pattern"),
        ({"type": "category", "missing_codes": [9]}, "not a mapping"),
        ({"type": "category", "missing_codes": {True: "a"}}, "valid"),
        ({"type": "id", "missing_codes": {9: "a"}}, "never modelled"),
        ({"type": "integer", "derive": "age", "range": [0, 9], "missing_codes": {-9: "a"}}, "never modelled"),
    ],
)
def test_codes_that_could_be_values_are_refused(column, what):
    with pytest.raises(ConfigError, match=what):
        schema({"age": {"type": "integer"}, "x": column})


def test_a_name_that_is_taken_is_refused():
    with pytest.raises(ConfigError, match="Rename the other 'sbp_missing'"):
        schema({**COLUMNS, "sbp_missing": {"type": "boolean"}})


def test_a_blank_cell_needs_permission_and_a_code_does_not():
    raw = ward(40)
    raw.loc[3, "sbp"] = None
    with pytest.raises(DataError, match=r"column 'sbp': 1 of 40 rows \(4\) holds no value"):
        conform(raw, schema())
    raw.loc[3, "sbp"] = "-7"
    with pytest.raises(DataError, match="outside its `range`"):
        conform(raw, schema())


def test_structural_gaps_have_no_kind():
    columns = {
        "sex": {"type": "category", "categories": ["F", "M"]},
        "pregnant": {
            "type": "boolean",
            "values": [0, 1],
            "missing_when": "sex == 'M'",
            "missing_codes": {9: "refused"},
        },
    }
    table = pd.DataFrame({"sex": list("FFFMMM"), "pregnant": [0, 1, 9, None, 9, None]})
    found = check(table, schema(columns))
    assert [(finding.rows, finding.severity) for finding in found] == [((5,), "warning")]
    assert check(table.drop(index=4), schema(columns)) == []


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_encoding_keeps_every_kind_exactly(data):
    codes = data.draw(
        st.dictionaries(
            st.integers(-99, -1) | st.sampled_from(["UNK", "ref.", "NA", "n/a"]),
            st.sampled_from("abcd"),
            min_size=1,
            max_size=4,
        ).filter(lambda d: len(set(d.values())) == len(d))
    )
    kind = data.draw(
        st.sampled_from(
            [
                {"type": "integer", "range": [0, 50]},
                {"type": "number", "range": [0, 50], "decimals": 1},
                {"type": "category"},
                {"type": "ordinal", "categories": list(range(51))},
                {"type": "code"},
            ]
        )
    )
    one = schema({"age": {"type": "integer"}, "x": {**kind, "missing_codes": codes}})
    values = [data.draw(st.integers(0, 50)) for _ in range(25)]
    cells = values + data.draw(st.lists(st.sampled_from(list(codes)), min_size=1, max_size=15))
    table = conform(pd.DataFrame({"age": range(len(cells)), "x": pd.Series(cells, dtype=object)}), one)
    encoder = TableEncoder.fit(table, one, rare_category=1, trim_extremes=1)
    back = encoder.decode(encoder.encode(table))
    assert back["x_missing"].astype(object).equals(table["x_missing"].astype(object))
    assert (back["x"].isna() == table["x"].isna()).all()
    assert (table["x"].isna() == table["x_missing"].notna()).all()


def test_sampled_rows_have_a_value_or_a_reason_in_real_proportions(model):
    sampled, real = model.sample(4_000, random_state=1), conform(ward(500), schema())
    assert not any(broken.any() for broken in violations(sampled, schema()).values())
    for name in ("sbp", "crp", "sex"):
        assert (sampled[name].isna() == sampled[f"{name}_missing"].notna()).all()
    for name in ("sbp", "crp", "sex", "seen"):
        shares = [
            rows[f"{name}_missing"].astype(object).fillna("none").value_counts(normalize=True)
            for rows in (real, sampled)
        ]
        assert shares[1].sub(shares[0], fill_value=0).abs().max() < 0.08
    # Refusal rises with age, being unknown does not.
    means = sampled.groupby(sampled["sbp_missing"].astype(object).fillna("none"))["age"].mean()
    assert means["refused"] > means["none"] + 5


def test_a_condition_on_the_reason_is_satisfied(model):
    sampled = model.sample(200, where="sbp_missing == 'refused' and age > 60", random_state=2)
    assert sampled["sbp"].isna().all()
    assert (sampled["age"] > 60).all()
    assert model.sample(100, where="sbp is missing", random_state=2)["sbp_missing"].notna().all()


def test_imputation_fills_every_kind_unless_its_column_is_left_out(model):
    holes = ward(60, seed=5)
    whole = model.impute(holes, random_state=4)
    assert whole[["sbp", "crp", "sex"]].notna().all().all()
    assert whole[["sbp_missing", "crp_missing", "sex_missing"]].isna().all().all()
    given = (holes["sbp"] != "REF") & (holes["sbp"] != "-9")
    assert whole["sbp"][given].tolist() == holes["sbp"][given].astype(int).tolist()
    part = model.impute(holes, columns=["crp"], random_state=4)
    assert part["crp"].notna().all()
    typed = conform(holes, schema())
    pd.testing.assert_series_equal(part["sbp_missing"].astype(str), typed["sbp_missing"].astype(str), check_names=False)


def test_a_saved_model_draws_the_same_kinds(model, tmp_path):
    model.save(tmp_path / "model")
    again = sc.load_model(tmp_path / "model") if hasattr(sc, "load_model") else sc.load(tmp_path / "model")
    pd.testing.assert_frame_equal(again.sample(50, random_state=9), model.sample(50, random_state=9))


def test_mixed_up_kinds_cost_the_scores_and_another_sample_does_not():
    train, holdout, unseen = (conform(ward(900, seed), schema()) for seed in (1, 2, 3))
    mixed = unseen.copy()
    swap = {"unknown": "refused", "refused": "unknown"}
    mixed["sbp_missing"] = mixed["sbp_missing"].cat.rename_categories(swap)
    good, bad = (Comparison.of(rows, train=train, holdout=holdout, schema=schema()) for rows in (unseen, mixed))
    assert missingness(bad).high < missingness(good).low
    assert missing_dependence(bad).value > 1.5 * missing_dependence(good).value
    names = {row["column"] for row in missingness(good).details["columns"]}
    assert {"sbp (unknown)", "sbp (refused)", "seen", "seen (never)"} <= names
    assert "sbp" not in names
    assert isinstance(schema().columns["sbp_missing"], MissingReason)


def test_no_message_holds_a_cell():
    raw = ward(40)
    raw.loc[3, "sbp"] = "CANARY77"
    with pytest.raises(DataError) as error:
        conform(raw, schema())
    assert "CANARY77" not in str(error.value)
