from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from synthclin.evaluation.features import Codebook, Features
from synthclin.evaluation.fidelity.association_measures import associations, changes
from synthclin.schema import Schema


def matrix(table, **columns):
    schema = Schema.model_validate({"columns": columns})
    features = Features.of(schema, [table])
    values = features.values(table)
    return features, associations(features, Codebook.of(features, values), values)


def test_spearman_is_that_of_scipy():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    table = pd.DataFrame({"x": x, "y": np.exp(-x) + rng.normal(size=200)})
    _, found = matrix(table, x={"type": "number"}, y={"type": "number"})
    assert found[0, 1] == pytest.approx(stats.spearmanr(table["x"], table["y"]).statistic)
    assert found[0, 1] < -0.5


def test_corrected_v_is_near_none_for_unrelated_and_one_for_equal_levels():
    rng = np.random.default_rng(1)
    a = rng.choice(list("abc"), 400)
    c = rng.choice(list("xyz"), 400)
    table = pd.DataFrame({"a": pd.Categorical(a), "b": pd.Categorical(a), "c": pd.Categorical(c)})
    _, found = matrix(table, a={"type": "category"}, b={"type": "category"}, c={"type": "category"})
    assert found[0, 1] == pytest.approx(1.0, abs=0.01)
    assert found[0, 2] < 0.1
    assert np.array_equal(found, found.T)


def test_correlation_ratio_is_that_of_an_analysis_of_variance_on_ranks():
    rng = np.random.default_rng(2)
    group = rng.choice(list("abc"), 300)
    y = (group == "a") * 1.5 + rng.normal(size=300)
    table = pd.DataFrame({"g": pd.Categorical(group), "y": y})
    _, found = matrix(table, g={"type": "category"}, y={"type": "number"})
    ranks = stats.rankdata(y)
    share = stats.f_oneway(*(ranks[group == g] for g in "abc")).statistic
    eta = share * 2 / (share * 2 + 297)
    assert found[0, 1] == pytest.approx(np.sqrt((eta * 299 - 2) / 297))


def test_constant_and_nearly_empty_columns_have_no_association():
    rng = np.random.default_rng(3)
    table = pd.DataFrame(
        {
            "x": rng.normal(size=60),
            "constant": 1.0,
            "empty": np.r_[np.arange(10.0), np.full(50, np.nan)],
            "none": np.nan,
            "one": pd.Categorical(["a"] * 60),
        }
    )
    number = {"type": "number", "missing": "allowed"}
    _, found = matrix(table, x=number, constant=number, empty=number, none=number, one={"type": "category"})
    assert np.isnan(found[0, 1:]).all()
    assert (np.diag(found) == 1).all()


def test_weaker_associations_are_lost_and_stronger_ones_invented():
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.normal(size=(20, 4)), columns=list("abcd"))
    features, _ = matrix(table, **{name: {"type": "number"} for name in table})
    real, synthetic = np.zeros((4, 4)), np.zeros((4, 4))
    real[0, 1], synthetic[0, 1] = -0.6, 0.4  # turned round: lost by 1.0
    real[0, 2], synthetic[0, 2] = 0.5, np.nan  # cannot be computed: lost by 0.5
    real[1, 2], synthetic[1, 2] = 0.0, -0.3  # invented by 0.3
    real[2, 3], synthetic[2, 3] = np.nan, 0.9  # unknown in reality: says nothing
    found = changes(features, real, synthetic)
    by_kind = {key: [("".join(row["columns"]), row["change"]) for row in rows] for key, rows in found.items()}
    assert by_kind == {"lost": [("ab", -1.0), ("ac", -0.5)], "invented": [("bc", 0.3)]}


def test_corrected_v_is_that_of_the_chi_square_of_scipy():
    rng = np.random.default_rng(5)
    a = rng.integers(0, 3, 200)
    b = np.where(rng.random(200) < 0.4, a, rng.integers(0, 4, 200))
    table = pd.DataFrame({"a": pd.Categorical(a.astype(str)), "b": pd.Categorical(b.astype(str))})
    _, found = matrix(table, a={"type": "category"}, b={"type": "category"})
    counts = pd.crosstab(a, b).to_numpy()
    phi = max(0, stats.chi2_contingency(counts, correction=False).statistic / 200 - 2 * 3 / 199)
    assert found[0, 1] == pytest.approx(np.sqrt(phi / min(3 - 4 / 199 - 1, 4 - 9 / 199 - 1)))
