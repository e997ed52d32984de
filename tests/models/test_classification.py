"""Class probabilities of a generative model: Bayes' theorem over the codes of the target."""

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConfigError, DataError
from synthclin.schema import Schema
from tests import longitudinal
from tests.ward import SCHEMA, ward


def binary(rows=6_000, seed=0):
    """A disease with a sensitivity of .9 and a false positive rate of .2, and a column without meaning."""
    rng = np.random.default_rng(seed)
    ill = rng.random(rows) < 0.3
    test = np.where(ill, rng.random(rows) < 0.9, rng.random(rows) < 0.2)
    return pd.DataFrame({"ill": ill, "test": test, "site": rng.choice(["a", "b"], rows)})


PLAIN = Schema.model_validate(
    {
        "columns": {
            "ill": {"type": "boolean"},
            "test": {"type": "boolean"},
            "site": {"type": "category", "categories": ["a", "b"]},
        }
    }
)


@pytest.mark.parametrize("model", [sc.Bootstrap(PLAIN), sc.Mixture(PLAIN, components=2, random_state=1)])
def test_probabilities_are_the_predictive_values_of_a_test(model):
    table = binary()
    found = model.fit(table).predict_proba(table[["test", "site"]].head(500), "ill")
    assert list(found.columns) == [False, True]
    positive = table["test"].head(500).to_numpy()
    # Predictive values: .3 * .9 / (.3 * .9 + .7 * .2) and .3 * .1 / (.3 * .1 + .7 * .8).
    assert found[positive][True].mean() == pytest.approx(0.27 / 0.41, abs=0.03)
    assert found[~positive][True].mean() == pytest.approx(0.03 / 0.59, abs=0.02)


def test_rows_sum_to_one_keep_their_index_and_ignore_the_target(model):
    table = ward(50, seed=4).set_index(np.arange(100, 150))
    found = model.predict_proba(table, "stage")
    assert list(found.columns) == ["I", "II", "III"]
    assert found.index.equals(table.index)
    assert np.allclose(found.sum(axis=1), 1)
    assert (found >= 0).all(axis=None)
    pd.testing.assert_frame_equal(model.predict_proba(table.drop(columns="stage"), "stage"), found)
    assert (found.idxmax(axis=1) == table["stage"]).mean() > 0.7


def test_levels_that_a_rule_forbids_have_no_probability(model):
    table = ward(200, seed=4)
    found = model.predict_proba(table, "pregnant")
    old = (table["age"] > 60) & (table["sex"] == "F")
    assert old.any()
    assert (found[old][True] < 1e-9).all()
    men = model.predict_proba(table[table["pregnant"].eq(True)], "sex")
    assert (men["F"] == 1).all()


def test_a_rare_level_has_its_share_of_the_pooled_code():
    schema = Schema.model_validate(
        {
            "columns": {
                "site": {"type": "category", "categories": ["a", "b", "c", "d", "e"]},
                "age": {"type": "integer"},
                "sick": {"type": "boolean"},
            }
        }
    )
    rng = np.random.default_rng(0)
    site = rng.choice(["a", "b"], 300)
    site[:15] = ["c"] * 5 + ["d"] * 5 + ["e"] * 5
    table = pd.DataFrame({"site": site, "age": rng.integers(20, 90, 300), "sick": rng.random(300) < 0.5})
    found = sc.Independent(schema).fit(table).predict_proba(table, "site").iloc[0]
    assert found.sum() == pytest.approx(1)
    assert found["c"] == found["d"] == found["e"]
    assert 0 < found["c"] < 0.1


def test_a_missing_cell_is_a_value_where_training_rows_have_missing_cells(model):
    table = ward(30, seed=4)
    empty = table.assign(bmi=pd.array([pd.NA] * 30, dtype="Float64"))
    assert model.predict_proba(empty, "stage")["III"].mean() > model.predict_proba(table, "stage")["III"].mean()


@pytest.mark.parametrize("model", [sc.Bootstrap(PLAIN), sc.Mixture(PLAIN, components=2), sc.ConditionalGAN(PLAIN)])
def test_unknown_cells_are_integrated_out(model):
    table = binary(1_500)
    if isinstance(model, sc.ConditionalGAN):
        model.set_params(effort="quick", width=16)
    model.fit(table)
    alone = model.predict_proba(table[["test"]].head(300), "ill")
    positive = table["test"].head(300).to_numpy()
    assert alone[positive][True].mean() == pytest.approx(0.27 / 0.41, abs=0.05)
    assert alone[~positive][True].mean() == pytest.approx(0.03 / 0.59, abs=0.04)
    none = model.predict_proba(table[["site"]].head(300), "ill")
    assert none[True].mean() == pytest.approx(table["ill"].mean(), abs=0.03)
    cell = table[["test", "site"]].head(300).astype({"test": "boolean"})
    cell["test"] = pd.array([pd.NA] * 300, dtype="boolean")  # never missing in training rows
    assert model.predict_proba(cell, "ill")[True].mean() == pytest.approx(none[True].mean(), abs=0.02)
    pd.testing.assert_frame_equal(model.predict_proba(table[["site"]].head(300), "ill"), none)


def test_wrong_use_is_an_error(model):
    table = ward(20, seed=4)
    for target in ("age", "nobody", "pid", "pulse_pressure"):
        with pytest.raises(ConfigError, match=r"no modelled column of levels.*sex, stage, pregnant"):
            model.predict_proba(table, target)
    with pytest.raises(DataError, match="none of its columns is modelled"):
        model.predict_proba(table[["sex"]], "sex")
    with pytest.raises(DataError, match="range"):
        model.predict_proba(table.assign(age=900), "sex")
    with pytest.raises(ConfigError, match="not fitted"):
        sc.ConditionalGAN(SCHEMA).predict_proba(table, "sex")
    visits = sc.Independent(longitudinal.schema()).fit(longitudinal.visits(60))
    with pytest.raises(ConfigError, match="visits has no classes"):
        visits.predict_proba(longitudinal.visits(5), "arm")


def test_score_samples_are_likelihoods(model):
    unseen = ward(40, seed=6)
    assert np.array_equal(model.score_samples(unseen), model.log_likelihood(unseen))
    assert model.score(unseen) == pytest.approx(model.log_likelihood(unseen).mean())


@pytest.mark.parametrize("family", [sc.GaussianCopula, sc.Mixture, sc.Independent])
def test_the_result_of_a_row_does_not_depend_on_the_rows_beside_it(family):
    table = ward(60, seed=4)
    model = family(SCHEMA, random_state=1).fit(ward(120))
    given = table.drop(columns=["stage", "bmi"])
    for use in (
        lambda part: model.predict_proba(part, "stage"),
        lambda part: model.predict_proba(given.loc[part.index], "stage"),
    ):
        whole = use(table)
        assert np.allclose(use(table.iloc[::-1]).loc[table.index], whole, atol=1e-6)
        assert np.allclose(use(table.head(7)), whole.head(7), atol=1e-6)
    assert np.allclose(model.log_likelihood(table.iloc[::-1])[::-1], model.log_likelihood(table), atol=1e-4)


def test_independent_columns_do_not_rank_patients():
    table = ward(200)
    found = sc.Independent(SCHEMA).fit(table).predict_proba(table, "stage")
    assert (found["III"] == found["III"].iloc[0]).all()
