import math

import pytest
import torch

from synthclin.models.objectives import (
    expected_relativistic_loss,
    negative_log_likelihood,
    relativistic_loss,
    zero_centred_penalty,
)


def test_likelihood_loss_sums_columns_and_averages_rows():
    assert negative_log_likelihood(torch.tensor([[-1.0, -2.0], [-3.0, -4.0]])).item() == pytest.approx(5.0)


def test_relativistic_loss_is_log_two_where_nothing_is_told_apart():
    scores = torch.randn(10, generator=torch.Generator().manual_seed(0))
    assert relativistic_loss(scores, scores).item() == pytest.approx(math.log(2), abs=1e-6)


def test_relativistic_loss_falls_as_the_leader_leads():
    behind = torch.zeros(3)
    losses = [relativistic_loss(behind + lead, behind).item() for lead in (-2.0, 0.0, 2.0)]
    assert losses == sorted(losses, reverse=True)


def test_expected_loss_is_the_loss_of_many_draws():
    rng = torch.Generator().manual_seed(0)
    scores, law = torch.randn(4, generator=rng), torch.tensor([0.1, 0.2, 0.3, 0.4])
    drawn = law.multinomial(100_000, replacement=True, generator=rng)
    sampled = relativistic_loss(scores[2].expand(len(drawn)), scores[drawn])
    exact = expected_relativistic_loss((scores[2] - scores)[None, None], law[None, None])
    assert exact.item() == pytest.approx(sampled.item(), abs=0.01)


def test_expected_loss_sums_columns_and_averages_rows():
    chance = torch.full((3, 5, 2), 0.5)
    assert expected_relativistic_loss(torch.zeros(3, 5, 2), chance).item() == pytest.approx(3 * math.log(2), abs=1e-6)


def test_penalty_is_the_squared_slope():
    features = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    scores = features @ torch.tensor([1.0, 2.0, 2.0])
    assert zero_centred_penalty(scores, features).item() == pytest.approx(9.0)
