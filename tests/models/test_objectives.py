import math

import pytest
import torch
from torch.nn.functional import softplus

from synthclin.models.generator.objectives import expected_relativistic_loss, negative_log_likelihood


def test_likelihood_loss_sums_columns_and_averages_rows():
    assert negative_log_likelihood(torch.tensor([[-1.0, -2.0], [-3.0, -4.0]])).item() == pytest.approx(5.0)


def test_expected_loss_falls_with_the_margin():
    certain = torch.ones(1, 3, 1)
    losses = [expected_relativistic_loss(torch.full((1, 3, 1), margin), certain).item() for margin in (-2.0, 0.0, 2.0)]
    assert losses == sorted(losses, reverse=True)


def test_expected_loss_is_the_mean_loss_of_many_samples():
    rng = torch.Generator().manual_seed(0)
    scores, probabilities = torch.randn(4, generator=rng), torch.tensor([0.1, 0.2, 0.3, 0.4])
    codes = probabilities.multinomial(100_000, replacement=True, generator=rng)
    sampled = softplus(scores[codes] - scores[2]).mean()
    exact = expected_relativistic_loss((scores[2] - scores)[None, None], probabilities[None, None])
    assert exact.item() == pytest.approx(sampled.item(), abs=0.01)


def test_expected_loss_sums_columns_and_averages_rows():
    probabilities = torch.full((3, 5, 2), 0.5)
    assert expected_relativistic_loss(torch.zeros(3, 5, 2), probabilities).item() == pytest.approx(
        3 * math.log(2), abs=1e-6
    )
