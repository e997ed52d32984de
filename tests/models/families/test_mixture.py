"""The mixture: known components, exact conditionals, Gaussian numbers, protection of few patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

import synthclin as sc
from synthclin.encoding.layout import ColumnLayout
from synthclin.models.families.mixture import MixtureRows, _SmoothDistributions
from synthclin.schema import Schema

LEVELS = Schema.model_validate(
    {"columns": {name: {"type": "category", "categories": ["a", "b", "c"]} for name in ("x", "y", "z")}}
)
NUMBERS = Schema.model_validate({"columns": {name: {"type": "number", "decimals": 2} for name in ("u", "v")}})


def latent_classes(rows, seed=0):
    """Two classes, .3 and .7, in which each column has its own distribution."""
    rng = np.random.default_rng(seed)
    first = rng.random(rows) < 0.3
    share = np.where(first[:, None], [0.8, 0.1, 0.1], [0.1, 0.2, 0.7])
    return pd.DataFrame({n: [rng.choice(["a", "b", "c"], p=p) for p in share] for n in ("x", "y", "z")})


def bivariate(rows, correlation, seed=0):
    rng = np.random.default_rng(seed)
    u = rng.normal(size=rows)
    v = correlation * u + np.sqrt(1 - correlation**2) * rng.normal(size=rows)
    return pd.DataFrame({"u": u.round(2), "v": v.round(2)})


def test_the_latent_classes_are_found():
    model = sc.Mixture(LEVELS, components=2, random_state=1).fit(latent_classes(4_000))
    weights = model.log_weights_.exp()
    first = int(weights.argmin())
    assert float(weights[first]) == pytest.approx(0.3, abs=0.05)
    for table in model.log_probabilities_:
        assert table[first, :3].exp().tolist() == pytest.approx([0.8, 0.1, 0.1], abs=0.06)
        assert table[1 - first, :3].exp().tolist() == pytest.approx([0.1, 0.2, 0.7], abs=0.06)


def test_the_number_of_components_is_chosen_out_of_fold():
    independent = latent_classes(600).apply(lambda c: c.sample(frac=1, random_state=len(c)).to_numpy())
    rng = np.random.default_rng(2)
    independent = pd.DataFrame({n: rng.permutation(independent[n]) for n in independent})
    assert sc.Mixture(LEVELS, random_state=1).fit(independent).training_["components"] == 1
    assert sc.Mixture(LEVELS, random_state=1).fit(latent_classes(2_000)).training_["components"] >= 2


def test_the_likelihood_never_falls():
    model = sc.Mixture(NUMBERS, components=8, random_state=1).fit(bivariate(800, 0.8))
    nll = [line["train_nll"] for line in model.training_["history"]]
    assert len(nll) > 2
    # Newton steps need not reach the maximum, and the prior counts too.
    assert np.diff(nll).max() < 3e-3


def test_conditionals_are_those_of_the_joint_distribution():
    weights = torch.tensor([0.25, 0.75]).log()
    tables = [torch.tensor([[0.9, 0.1], [0.2, 0.8]]).log(), torch.tensor([[0.5, 0.5], [0.1, 0.9]]).log()]
    rows = MixtureRows(weights, tables)
    rows.begin(2)
    assert rows.logits(0).exp()[:, 0].tolist() == pytest.approx([0.375, 0.625])
    rows.push(0, torch.tensor([0, 1]))
    # P(second = 0 | first = 0) = (.25 * .9 * .5 + .75 * .2 * .1) / .375
    assert rows.logits(1).exp()[0].tolist() == pytest.approx([0.1275 / 0.375, (0.0125 + 0.06) / 0.625])


def test_correlated_numbers_stay_correlated_and_keep_their_marginals():
    table = bivariate(3_000, 0.85)
    rows = sc.Mixture(NUMBERS, random_state=1).fit(table).sample(3_000, random_state=2)
    assert rows["u"].corr(rows["v"]) == pytest.approx(0.85, abs=0.06)
    assert rows["u"].std() == pytest.approx(1, abs=0.06)
    assert rows["v"].quantile([0.1, 0.9]).tolist() == pytest.approx([-1.28, 1.28], abs=0.12)


def test_a_component_of_a_number_is_gaussian_on_normal_scores():
    column = ColumnLayout("u", 60, "ordered", None, np.zeros(60, dtype=bool), np.zeros(60, dtype=bool))
    share = torch.full((60,), 1 / 60)
    smooth = _SmoothDistributions.of(column, share)
    score = smooth.basis[:, 0]
    wanted = torch.exp(-((score - 0.7) ** 2) / (2 * 0.5**2) + score**2 / 2)
    found = smooth.fitted((1_000 * wanted / wanted.sum())[None], None).exp()[0]
    assert float((found * score).sum()) == pytest.approx(float((wanted * score).sum() / wanted.sum()), abs=0.01)
    assert torch.allclose(found, wanted / wanted.sum(), atol=0.004)


def test_each_component_describes_enough_patients():
    rare = pd.DataFrame({"x": ["a"] * 200 + ["b"] * 5, "y": ["a"] * 200 + ["c"] * 5, "z": ["b"] * 200 + ["c"] * 5})
    model = sc.Mixture(LEVELS, components=8, random_state=1).fit(rare)
    codes = model.encoder_.encode(rare).codes
    joint = torch.stack([table[:, codes[:, j]] for j, table in enumerate(model.log_probabilities_)]).sum(0)
    held = (joint + model.log_weights_[:, None]).softmax(0).sum(1)
    assert (held >= 10.9).all()


def test_one_patient_with_many_rows_is_no_component():
    schema = Schema.model_validate(
        {
            "columns": {
                "who": {"type": "id", "role": "entity"},
                "x": {"type": "category", "categories": ["a", "b"]},
                "y": {"type": "category", "categories": ["a", "b"]},
            },
            "visits": "independent",
        }
    )
    table = pd.DataFrame(
        {
            "who": [f"P{i}" for i in range(100)] + ["Q"] * 40,
            "x": ["a"] * 100 + ["b"] * 40,
            "y": ["a"] * 100 + ["b"] * 40,
        }
    )
    model = sc.Mixture(schema, components=4, random_state=1).fit(table)
    assert model.training_["components"] == 1
