"""Inverse transform sampling of codes from weights."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.sampling.sequential import SUMMED, inverse_cdf


def test_it_inverts_the_cdf():
    weights = torch.tensor([2.0, 0.0, 5.0, 3.0])[:, None].expand(-1, 5)
    assert inverse_cdf(weights, torch.tensor([0.0, 0.19, 0.21, 0.69, 0.71])).tolist() == [0, 0, 2, 2, 3]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3 * SUMMED), st.integers(0, 10_000), st.floats(0, 0.95))
def test_a_code_of_weight_zero_is_never_chosen(codes, seed, zeros):
    generator = torch.Generator().manual_seed(seed)
    weights = torch.rand(codes, 200, generator=generator) * (torch.rand(codes, 200, generator=generator) >= zeros)
    weights[seed % codes] += 1e-6
    noise = torch.cat([torch.rand(100, generator=generator), torch.tensor([0.0, 1 - 2**-24]).repeat(50)])
    assert (weights.gather(0, inverse_cdf(weights, noise)[None]) > 0).all()


def test_shares_of_many_codes_follow_the_weights():
    generator = torch.Generator().manual_seed(0)
    weights = torch.rand(2, 5 * SUMMED, 1, generator=generator) ** 4
    codes = inverse_cdf(weights.expand(-1, -1, 200_000), torch.rand(2, 200_000, generator=generator))
    for one, weight in zip(codes, weights[:, :, 0], strict=True):
        seen = torch.bincount(one, minlength=len(weight)) / 200_000
        assert (seen - weight / weight.sum()).abs().max() < 0.002


def test_a_row_without_any_weight_gets_some_code():
    codes = inverse_cdf(torch.tensor([[0.0, torch.nan, 1.0], [0.0, torch.nan, 0.0]]), torch.rand(3))
    assert codes.shape == (3,)
    assert int(codes[2]) == 0
