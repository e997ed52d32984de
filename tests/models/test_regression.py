"""Regression on pairs: known answers, what few rows keep and do not remember, sampling, and forged parents."""

import json

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch

from synthclin.errors import ModelFormatError
from synthclin.models import ConditionalGAN, load
from synthclin.models.generator.code_features import code_scores
from synthclin.models.generator.network_rows import NetworkRows
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.regression import MULTIPLES, fit_paths, parents_of, path_log_likelihood
from synthclin.schema import Schema

from .test_networks import column


def network(codes, **parameters):
    counts = [int(each.max()) + 1 for each in codes.T]
    frequencies = [torch.bincount(codes[:, t], minlength=k) / len(codes) for t, k in enumerate(counts)]
    return MaskedGenerator(
        [column(k) for k in counts], frequencies, regressed=True, width=4, blocks=0, **parameters
    ).eval()


def chained(rows, agree=0.9, noise=6, seed=0):
    """Codes of noise columns of two levels, and of two last columns of four levels that mostly agree."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 4, rows)
    second = np.where(rng.random(rows) < agree, first, rng.integers(0, 4, rows))
    return torch.from_numpy(np.column_stack([*rng.integers(0, 2, (noise, rows)), first, second]))


class TestScores:
    def test_levels_have_the_contingency_of_a_pair(self):
        codes = chained(2_000)[:, -2:]
        shares = [torch.bincount(each) / len(codes) for each in codes.T]
        first, second = (code_scores(column(4), share)[each] for share, each in zip(shares, codes.T, strict=True))
        squares = (first.T @ second / len(codes)).square().sum()
        joint = torch.zeros(4, 4).index_put_((codes[:, 0], codes[:, 1]), torch.tensor(1 / len(codes)), accumulate=True)
        contingency = (joint.square() / torch.outer(*shares)).sum() - 1
        assert float(squares) == pytest.approx(float(contingency), rel=1e-3)

    def test_a_constant_column_has_none(self):
        assert not code_scores(column(1), torch.ones(1)).any()


class TestPaths:
    def test_only_the_associated_column_is_a_parent_and_stronger_penalties_fit_less(self):
        codes = chained(300)
        net = network(codes)
        parents, paths = fit_paths(net.regression, codes, net.marginals())
        assert parents[-1, 0] == 6
        assert not paths[:, -1, :, 1 + net.regression.features.width :].any()  # noise is no parent
        assert not paths[:, :-1, :, 1:].abs().gt(1e-3).any()
        fitted = path_log_likelihood(net.regression, codes, net.marginals(), parents, paths)[:, -1]
        assert len(fitted) == 1 + len(MULTIPLES)
        assert bool((fitted.diff() > 0).all())
        exact = torch.zeros(4, 4).index_put_((codes[:, 6], codes[:, 7]), torch.tensor(1.0), accumulate=True)
        saturated = torch.xlogy(exact, exact / exact.sum(1, keepdim=True)).sum()
        assert float(saturated - fitted[-1]) < 0.02 * float(saturated - fitted[0])

    def test_without_weights_the_likelihood_is_marginal(self):
        codes = chained(100)
        net = network(codes)
        parents, paths = fit_paths(net.regression, codes, net.marginals())
        likelihood = path_log_likelihood(net.regression, codes, net.marginals(), parents, paths)[0]
        torch.testing.assert_close(likelihood, net.marginal_log_likelihood(codes).sum(0))

    def test_sampling_has_the_logits_of_training(self):
        codes = chained(300)
        net = network(codes)
        parents, paths = fit_paths(net.regression, codes, net.marginals())
        net.regression.parents.copy_(parents)
        net.regression.weights.copy_(paths[4])
        state, logits = NetworkRows(net), net(codes)
        with torch.no_grad():
            state.begin(len(codes))
            for t in range(codes.shape[1]):
                group, slot = net.home[t]
                expected = logits[group][slot, :, : net.columns[t].cardinality]
                torch.testing.assert_close(state.logits(t).T.expand_as(expected), expected, atol=1e-4, rtol=1e-4)
                state.push(t, codes[:, t])


def measured(rows, seed):
    """Two measurements with a correlation of .85, an outcome of the first, and noise."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=rows)
    second = 0.85 * first + np.sqrt(1 - 0.85**2) * rng.normal(size=rows)
    dead = rng.random(rows) < 1 / (1 + np.exp(-2 * first))
    frame = {"first": (50 + 10 * first).round(1), "second": (120 + 15 * second).round(1)}
    frame |= {f"noise{k}": rng.normal(0, 5, rows).round(1) for k in range(6)}
    return pd.DataFrame(frame | {"outcome": np.where(dead, "dead", "alive")})


STUDY = Schema.model_validate(
    {
        "columns": {name: {"type": "number", "decimals": 1} for name in measured(2, 0).columns[:-1]}
        | {"outcome": {"type": "category", "categories": ["alive", "dead"]}}
    }
)


@pytest.fixture(scope="module")
def models():
    return [
        ConditionalGAN(STUDY, effort="quick", random_state=seed, device="cpu").fit(measured(120, seed))
        for seed in range(3)
    ]


class TestFewRows:
    def test_a_strong_pair_is_kept_at_120_rows(self, models):
        for model in models:
            rows = model.sample(3_000, random_state=0)
            assert rows["first"].corr(rows["second"]) > 0.55  # of .85; a few bins without offsets in common blur it
            means = rows.groupby("outcome", observed=True)["first"].mean()
            assert means["dead"] - means["alive"] > 4  # of about 11
            assert not [each for each in model.lost_ if {each.first, each.second} == {"first", "second"}]

    def test_noise_is_not_learnt_and_rows_are_not_remembered(self, models):
        for seed, model in enumerate(models):
            rows = model.sample(3_000, random_state=0)
            assert np.mean([abs(rows["first"].corr(rows[f"noise{k}"])) for k in range(6)]) < 0.06
            known, unseen = (model.log_likelihood(part).mean() for part in (measured(120, seed), measured(900, 90)))
            assert known - unseen < 0.3  # nats per row; a network without regressions has .4 to .8


class TestFolder:
    def test_a_saved_model_samples_the_same_rows(self, models, tmp_path):
        models[0].save(tmp_path / "model")
        loaded = load(tmp_path / "model")
        pd.testing.assert_frame_equal(loaded.sample(50, random_state=1), models[0].sample(50, random_state=1))
        assert bool(loaded.network_.regression.weights.any())

    @pytest.mark.parametrize("forged", [None, "0", [], [[0]], [[8] * 8] * 9, [[-1] * 8] * 9, [[0.0] * 8] * 9])
    def test_forged_parents_are_refused(self, models, tmp_path, forged):
        models[0].save(tmp_path / "model")
        path = tmp_path / "model" / "model.json"
        document = json.loads(path.read_text())
        document["facts"]["parents"] = forged
        path.write_text(json.dumps(document))
        with pytest.raises(ModelFormatError):
            load(tmp_path / "model")

    def test_a_weight_on_a_later_column_is_refused(self, models, tmp_path):
        models[0].save(tmp_path / "model")
        path = tmp_path / "model" / "weights.safetensors"
        tensors = safetensors.torch.load(path.read_bytes())
        tensors["network.regression.weights"] = tensors["network.regression.weights"] + 1
        path.write_bytes(safetensors.torch.save(tensors))
        with pytest.raises(ModelFormatError):
            load(tmp_path / "model")

    def test_known_parents(self):
        assert parents_of(3, []) is None
        assert parents_of(3, [[0, 0], [0, 0], [1, 0]]).tolist() == [[0, 0], [0, 0], [1, 0]]
        with pytest.raises(ValueError, match="sampled before"):
            parents_of(3, [[0, 0], [1, 0], [1, 0]])
