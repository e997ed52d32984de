"""Marginal calibration: sampled rows have the marginal distributions that the network was built with."""

import pytest
import torch

from synthclin.models.marginal_calibration import calibrate_marginals
from synthclin.models.network_rows import sample_network
from synthclin.models.networks import MaskedGenerator
from synthclin.seeds import torch_generator
from tests.models.test_networks import column

CODES = (3, 25, 2, 40)


def drifting(seed=0, given=0):
    """A network whose conditional distributions depend on each other and miss its marginal ones."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shares = [torch.rand(k) + 0.1 for k in CODES]
        columns = [column(k, kind="ordered" if k > 20 else "level") for k in CODES]
        net = MaskedGenerator(columns, [share / share.sum() for share in shares], width=32, given=given)
        for head in net.heads:
            torch.nn.init.normal_(head.weight, std=0.5)
            torch.nn.init.normal_(head.bias, std=0.5)
    return net.eval(), [share / share.sum() for share in shares]


def shares_of(net, rows=20_000):
    codes = sample_network(net, rows, torch_generator(7, "test", device="cpu")).codes
    return [torch.bincount(codes[:, t], minlength=k) / rows for t, k in enumerate(CODES)]


def apart(found, wanted):
    return [float((a - b).abs().sum() / 2) for a, b in zip(found, wanted, strict=True)]


@pytest.mark.parametrize("seed", range(3))
def test_sampled_shares_are_those_of_the_marginal_distributions(seed):
    net, wanted = drifting(seed)
    before = apart(shares_of(net), wanted)
    corrected = calibrate_marginals(net, torch.zeros(1, 4, dtype=torch.long), torch_generator(1, "x", device="cpu"))
    after = apart(shares_of(net), wanted)
    assert max(before) > 0.1
    # Twenty thousand rows of forty codes are .013 apart from any distribution by chance.
    assert max(after) < 0.025
    assert float(corrected[0]) == pytest.approx(before[0], abs=0.01)
    assert corrected.min() > 0.1  # of the other columns given corrected ones


def test_a_second_calibration_changes_little():
    net, _ = drifting()
    rows = torch.zeros(1, 4, dtype=torch.long)
    for seed in (1, 1):
        corrected = calibrate_marginals(net, rows, torch_generator(seed, "x", device="cpu"))
    assert float(corrected.max()) < 0.02


def test_columns_of_context_are_taken_from_rows_and_not_corrected():
    net, wanted = drifting(given=1)
    bias = net.groups[net.home[0][0]].bias.clone()
    rows = torch.stack([torch.randint(0, k, (50,)) for k in CODES], dim=1)
    rows[:, 0] = 2
    calibrate_marginals(net, rows, torch_generator(1, "x", device="cpu"))
    table, slot = net.groups[net.home[0][0]], net.home[0][1]
    assert torch.equal(table.bias[slot], bias[slot])
    # Given the code 2 in every row, the second column has its marginal distribution.
    with torch.no_grad():
        logits = net(torch.full((1, 4), 2).clamp_max(torch.tensor([2, 24, 1, 39])))
    group, place = net.home[1]
    found = logits[group][place, 0, :25].softmax(0)
    assert float((found - wanted[1]).abs().sum() / 2) < 0.02


def test_a_code_that_is_never_sampled_stays_so():
    net, _ = drifting()
    net.columns[0].never[1] = True
    calibrate_marginals(net, torch.zeros(1, 4, dtype=torch.long), torch_generator(1, "x", device="cpu"))
    assert all(bool(table.bias.isfinite().all()) for table in net.groups)
