"""Gaussian copula: known answers of its simulator, its estimates and its checks of a model folder."""

import math

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from scipy.stats import multivariate_normal, norm

import synthclin as sc
from synthclin.errors import ModelFormatError
from synthclin.models import GaussianCopula, load
from synthclin.models.families.copula import CopulaRows, copula_log_likelihood
from synthclin.models.latent_columns import LatentColumn, interval_masses, truncated_normal
from synthclin.sampling.sequential import sample_codes
from synthclin.schema import Schema

CORRELATION = torch.tensor([[1.0, 0.6, -0.5], [0.6, 1.0, 0.2], [-0.5, 0.2, 1.0]], dtype=torch.float64)
CUTS = torch.tensor([-0.4, 0.9], dtype=torch.float64)


def schema(**columns):
    return Schema.model_validate({"columns": columns})


def three():
    share = torch.diff(torch.special.ndtr(CUTS), prepend=torch.zeros(1), append=torch.ones(1))
    return [LatentColumn(torch.arange(3)[None], share, (CUTS,), place) for place in range(3)]


def rectangle(codes):
    """The exact probability of three codes: that of a rectangle under the trivariate normal distribution."""
    edges = np.array([-12.0, *CUTS.tolist(), 12.0])
    normal = multivariate_normal(cov=CORRELATION.numpy(), seed=0)
    return normal.cdf(edges[np.array(codes) + 1], lower_limit=edges[np.array(codes)])


def rows_of(contamination=0.0, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return CopulaRows(three(), torch.linalg.cholesky(CORRELATION), contamination, generator)


@pytest.mark.parametrize("codes", [(0, 0, 0), (2, 2, 0), (0, 2, 1), (2, 0, 2)])
def test_the_mean_of_simulated_likelihoods_is_the_probability_of_a_rectangle(codes):
    state, draws = rows_of(), 20_000
    state.begin(draws)
    total = torch.zeros(draws)
    for column, code in enumerate(codes):
        total += state.logits(column)[code]
        state.push(column, torch.full((draws,), code))
    assert float(total.exp().mean()) == pytest.approx(rectangle(codes), rel=0.02)


def test_sampled_codes_have_the_probabilities_of_rectangles():
    rows = 60_000
    codes = sample_codes(rows_of(), range(3), rows, torch.Generator().manual_seed(1)).codes
    for cell in ((0, 0, 2), (1, 1, 1), (2, 0, 0)):
        found = float((codes == torch.tensor(cell)).all(1).float().mean())
        assert found == pytest.approx(rectangle(cell), abs=4 * math.sqrt(0.1 / rows))


def test_a_contaminated_row_has_independent_columns():
    state, rows = rows_of(1.0), 9
    state.begin(rows)
    state.push(0, torch.zeros(rows, dtype=torch.long))
    assert torch.allclose(state.logits(1).exp(), three()[1].share[:, None].float().expand(-1, rows))


def test_the_likelihood_is_that_of_the_rectangle_and_of_independent_columns():
    codes = torch.tensor([[0, 0, 0], [2, 2, 0], [0, 2, 1]])
    factor, share = torch.linalg.cholesky(CORRELATION), three()[0].share
    for contamination in (1e-9, 0.3):
        generator = torch.Generator().manual_seed(0)
        found = copula_log_likelihood(three(), factor, contamination, codes, (0, 1, 2), 0, 3_000, generator).exp()
        exact = [
            (1 - contamination) * rectangle(row) + contamination * math.prod(share[list(row)].tolist())
            for row in codes.tolist()
        ]
        assert found.tolist() == pytest.approx(exact, rel=0.05)


def test_interval_masses_and_truncated_values_are_exact_in_both_tails():
    edges = torch.tensor([-30.0, -9.0, -1.0, 2.0, 9.0, 30.0], dtype=torch.float64)[:, None]
    masses = interval_masses(edges)[:, 0]
    assert masses[1] == pytest.approx(norm.cdf(-9) - norm.cdf(-30), rel=1e-10, abs=0)
    assert masses[5] == pytest.approx(norm.sf(9) - norm.sf(30), rel=1e-10, abs=0)
    assert masses[3] == pytest.approx(norm.cdf(2) - norm.cdf(-1), rel=1e-12)
    assert float(masses.sum()) == pytest.approx(1)
    lower = torch.tensor([-math.inf, 0.5, -9.2, 9.0, 50.0, -60.0, -math.inf, 1.0], dtype=torch.float64)
    upper = torch.tensor([math.inf, math.inf, -9.0, 9.2, 51.0, -50.0, -45.0, 1.0], dtype=torch.float64)
    for noise in (0.0, 1e-12, 0.5, 1 - 1e-16):
        found = truncated_normal(lower, upper, torch.full((8,), noise, dtype=torch.float64))
        assert bool(found.isfinite().all())
        inside = (found >= lower) & (found <= upper)
        assert inside[[0, 1, 2, 3, 7]].tolist() == [True] * 5
    assert float(truncated_normal(lower, upper, torch.full((8,), 0.5, dtype=torch.float64))[0]) == pytest.approx(0)
    half = truncated_normal(*torch.tensor([[0.5], [1e9], [0.5]], dtype=torch.float64))
    assert float(half) == pytest.approx(norm.isf(norm.sf(0.5) / 2))


def test_the_correlation_of_two_normals_is_found():
    rng = np.random.default_rng(0)
    x, y = rng.multivariate_normal([0, 0], [[1, -0.7], [-0.7, 1]], 1_500).T
    table = pd.DataFrame({"x": np.exp(x).round(3), "y": y > 0.8, "z": (y + 20).round(2)})
    model = GaussianCopula(
        schema(x={"type": "number"}, y={"type": "boolean"}, z={"type": "number"}), random_state=1
    ).fit(table)
    correlation = model.factor_ @ model.factor_.T
    place = [column.place for column in model.columns_]
    assert float(correlation[place[0], place[2]]) == pytest.approx(-0.7, abs=0.05)
    # A cut at 0.8 is coarse; the correlation is nevertheless that of the latent variable.
    assert float(correlation[place[0], place[1]]) == pytest.approx(-0.7, abs=0.1)
    sampled = model.sample(4_000, random_state=1)
    assert sampled[["x", "z"]].corr("spearman").iloc[0, 1] == pytest.approx(-0.68, abs=0.05)
    assert sampled["y"].mean() == pytest.approx(table["y"].mean(), abs=0.02)


def test_informative_missingness_keeps_marginal_shares_and_associations():
    rng = np.random.default_rng(1)
    x = rng.normal(50, 10, 1_200).round()
    y = x + rng.normal(0, 5, 1_200)
    hidden = rng.random(1_200) < norm.cdf((x - 50) / 8)  # seen mostly where x is low
    table = pd.DataFrame({"x": x, "y": np.where(hidden, np.nan, y.round(1))})
    model = GaussianCopula(schema(x={"type": "number"}, y={"type": "number", "missing": "allowed"})).fit(table)
    sampled = model.sample(6_000, random_state=2)
    assert sampled["y"].isna().mean() == pytest.approx(hidden.mean(), abs=0.02)
    assert sampled["y"].mean() == pytest.approx(table["y"].mean(), abs=0.8)
    assert sampled["y"].std() == pytest.approx(table["y"].std(), rel=0.08)
    gap, wanted = (f["x"][f["y"].isna()].mean() - f["x"][f["y"].notna()].mean() for f in (sampled, table))
    assert gap == pytest.approx(wanted, abs=1.5)
    assert sampled.corr().iloc[0, 1] == pytest.approx(table.corr().iloc[0, 1], abs=0.1)


def test_levels_without_an_order_keep_their_associations():
    rng = np.random.default_rng(2)
    site = rng.choice(list("abcde"), 1_500, p=[0.3, 0.25, 0.2, 0.15, 0.1])
    # Neither the alphabet nor the frequency has the order of the means.
    mean = pd.Series(site).map({"a": 10, "b": 30, "c": 0, "d": 40, "e": 20}).to_numpy()
    table = pd.DataFrame({"site": site, "x": (mean + rng.normal(0, 5, 1_500)).round(1)})
    columns = {"site": {"type": "category", "categories": list("abcde")}, "x": {"type": "number"}}
    model = GaussianCopula(schema(**columns)).fit(table)
    sampled = model.sample(6_000, random_state=1)
    found = sampled.groupby("site", observed=True)["x"].mean()
    assert found.to_dict() == pytest.approx({"a": 10, "b": 30, "c": 0, "d": 40, "e": 20}, abs=4)
    shares = sampled["site"].value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx(dict(zip("abcde", [0.3, 0.25, 0.2, 0.15, 0.1], strict=True)), abs=0.03)


@pytest.fixture(scope="module")
def heart():
    table, declared = sc.datasets.load("heart_disease")
    return GaussianCopula(declared).fit(table.head(60)), table.head(60)


def test_conditional_probabilities_sum_to_one_for_any_kind_of_column(heart):
    model, table = heart
    state = model._row_state(torch.Generator().manual_seed(0))
    codes = model.encoder_.encode(table).codes
    state.begin(60)
    for column in model.encoder_.layout.order:
        logits = state.logits(column)
        assert torch.allclose(logits.logsumexp(0), torch.zeros(60), atol=1e-4)
        assert bool(logits.isfinite().all())
        state.push(column, codes[:, column])


def test_missing_cells_of_few_patients_have_no_correlation():
    rng = np.random.default_rng(3)
    x = np.arange(300) / 10
    y = rng.normal(size=300).round(2)
    y[-6:] = np.nan  # perfectly associated with the largest x
    columns = {"x": {"type": "number"}, "y": {"type": "number", "missing": "allowed"}}
    table = pd.DataFrame({"x": x, "y": y})

    def correlations(**parameters):
        model = GaussianCopula(schema(**columns), **parameters).fit(table)
        assert len(model.columns_[1].groups) == 2
        missing, other = model.columns_[1].place, model.columns_[0].place
        return model.factor_ @ model.factor_.T, missing, other

    whole, missing, _ = correlations()
    row = whole[missing].clone()
    row[missing] = 0
    assert bool((row == 0).all())
    whole, missing, other = correlations(rare_category=0, trim_extremes=0)
    assert float(whole[missing, other].abs()) > 0.2


@pytest.mark.parametrize("rows", [6, 40])
def test_columns_of_one_code(rows):
    table = pd.DataFrame({"sex": ["F"] * rows, "x": np.arange(rows) % 3})
    model = GaussianCopula(
        schema(sex={"type": "category", "categories": ["F"]}, x={"type": "integer", "range": [0, 2]})
    ).fit(table)
    assert model.sample(20, random_state=1)["sex"].eq("F").all()
    assert np.isfinite(model.log_likelihood(table)).all()


def test_forged_tensors_are_refused(tmp_path, heart):
    heart[0].save(tmp_path / "model")
    path = tmp_path / "model" / "weights.safetensors"
    tensors = safetensors.torch.load(path.read_bytes())
    factor, cuts = tensors["factor"], next(name for name, t in tensors.items() if "cuts" in name and len(t) > 1)
    groups = next(name for name in tensors if name.startswith("groups") and len(tensors[name]))
    share = tensors["share.0"]
    forged = [
        {"factor": factor - 2 * torch.eye(len(factor))},
        {"factor": factor + torch.ones_like(factor).triu(1)},
        {"factor": factor[:-1, :-1]},
        {cuts: tensors[cuts].flip(0)},
        {cuts: tensors[cuts][:-1]},
        {groups: tensors[groups] + 7},
        {groups: torch.full_like(tensors[groups], -1)},
        {groups: torch.full_like(tensors[groups], -(2**40))},
        {groups: tensors[groups] * 1e12},
        {"share.0": -share},
        {"share.0": share[:-1]},
        {"share.0": share[:, None]},
    ]
    for change in forged:
        path.write_bytes(safetensors.torch.save(tensors | {n: t.contiguous() for n, t in change.items()}))
        with pytest.raises(ModelFormatError):
            load(tmp_path / "model")
