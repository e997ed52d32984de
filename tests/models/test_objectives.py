import math

import pytest
import torch

from synthclin.models.objectives import negative_log_likelihood, relativistic_loss, zero_centred_penalty


def test_likelihood_loss_sums_columns_and_averages_rows():
    assert negative_log_likelihood(torch.tensor([[-1.0, -2.0], [-3.0, -4.0]])).item() == pytest.approx(5.0)


def test_relativistic_loss_is_log_two_where_nothing_is_told_apart():
    scores = torch.randn(10, generator=torch.Generator().manual_seed(0))
    assert relativistic_loss(scores, scores).item() == pytest.approx(math.log(2), abs=1e-6)


def test_relativistic_loss_falls_as_the_leader_leads():
    behind = torch.zeros(3)
    losses = [relativistic_loss(behind + lead, behind).item() for lead in (-2.0, 0.0, 2.0)]
    assert losses == sorted(losses, reverse=True)


def test_penalty_is_the_squared_slope():
    features = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    scores = features @ torch.tensor([1.0, 2.0, 2.0])
    assert zero_centred_penalty(scores, features).item() == pytest.approx(9.0)
