"""Masked diffusion: masked cells change nothing, and the masks are as its loss needs them."""

import pytest
import torch

from synthclin.models import MaskedDiffusion
from synthclin.models.attention import networks
from synthclin.models.attention.networks import SubsetNetwork
from synthclin.models.attention.rows import SubsetRows
from tests.models.families.attention import CARDINALITIES, ORDER, harmless, learns, made, resumes, some, stepwise


@pytest.mark.parametrize("regressed", [False, True])
def test_the_row_state_has_the_likelihood_of_the_network(regressed):
    network, codes = made(SubsetNetwork, regressed=regressed), some()
    with torch.no_grad():
        whole = network.log_likelihood(codes)
    state = SubsetRows(network, ORDER)
    assert torch.allclose(stepwise(state, codes), whole, atol=1e-4)
    left = stepwise(state, codes, unasked=(0, 1, 3))
    assert torch.allclose(left[:, [2, 4]], whole[:, [2, 4]], atol=1e-4)


def test_the_pass_over_masked_rows_agrees_with_that_over_the_cells_before():
    network, codes = made(SubsetNetwork), some()
    with torch.no_grad():
        whole = network.hidden(codes)
        for t in range(len(CARDINALITIES)):
            unmasked = (torch.arange(len(CARDINALITIES)) < t).expand(codes.shape)
            assert torch.allclose(network.hidden_given(codes, unmasked)[:, t], whole[:, t], atol=1e-4)


def test_a_masked_cell_changes_nothing_and_an_unmasked_one_changes_all():
    network = made(SubsetNetwork)
    unmasked = torch.tensor([True, False, True, False, True]).expand(7, -1)
    with torch.no_grad():
        alike = harmless(lambda codes: network.hidden_given(codes, unmasked))
    every = [0, 1, 2, 3, 4]
    assert alike == [[], every, every, every, []]  # the third column has one code


def test_masks_are_even_and_their_weights_have_mean_1():
    network = made(SubsetNetwork, given=1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        unmasked, weights = network.masks(40_000)
    assert unmasked[:, 0].all()
    assert (weights[unmasked] == 0).all()
    counts = torch.bincount(unmasked[:, 1:].sum(1), minlength=5)
    assert counts[4] == 0
    assert counts[:4].tolist() == pytest.approx([10_000] * 4, abs=1)
    assert weights[:, 1:].mean(0).tolist() == pytest.approx([1.0] * 4, abs=0.04)
    assert (weights[:, 0] == 0).all()
    # A random order of four columns is that of sampling in one of four, six, four and all cases.
    in_order = (unmasked[:, 1:].int().diff(dim=1) <= 0).all(1).float().mean()
    assert float(in_order) == pytest.approx(0.5 + 0.5 * (1 + 1 / 4 + 1 / 6 + 1 / 4) / 4, abs=0.02)


def test_the_weighted_loss_of_masked_cells_is_the_likelihood_where_cells_are_independent():
    network, codes = made(SubsetNetwork), some()
    network.shrink(torch.zeros(len(CARDINALITIES)))
    network.dropout = 0.0
    with torch.no_grad(), torch.random.fork_rng():
        exact = network.log_likelihood(codes).sum(1).mean()
        network.train()
        torch.manual_seed(0)
        bounds = [network.log_likelihood(codes.repeat(200, 1)).sum(1).mean() for _ in range(10)]
    assert float(torch.stack(bounds).mean()) == pytest.approx(float(exact), rel=0.03)


def test_a_part_of_the_cells_of_wide_rows_is_scored_with_larger_weights(monkeypatch):
    network, codes = made(SubsetNetwork), some(8)
    with torch.no_grad():
        whole = network.log_likelihood(codes)
        monkeypatch.setattr(networks, "SCORED", 2)
        assert network.period == 4
        part = network.log_likelihood(codes)
    weights = network.scored(8)
    assert weights.mean(0).tolist() == [1.0] * 5
    assert torch.allclose(part, whole * weights, atol=1e-4)


def test_a_planted_dependence_is_learnt():
    learns(MaskedDiffusion)


@pytest.mark.parametrize("folds", [0, 2])
def test_a_killed_training_ends_with_the_same_bytes(tmp_path, folds):
    resumes(MaskedDiffusion, tmp_path, folds=folds)
