"""Calibration: context logits are shrunk to the strength that maximises the likelihood of validation rows."""

import torch

from synthclin.models.generator.calibration import best_strengths, shrunk_likelihood
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.models.generator.validation_metrics import validation_nll
from tests.models.test_networks import column, network


def overfitted(rows=400, seed=0):
    """A network overfitted to two columns that agree and one that is pure noise, with training and validation rows."""
    rng = torch.Generator().manual_seed(seed)
    first = torch.randint(0, 3, (rows,), generator=rng)
    codes = torch.stack([first, first, torch.randint(0, 4, (rows,), generator=rng)], dim=1)
    codes = torch.cat([torch.randint(0, 3, (rows, 6), generator=rng), codes], dim=1)
    columns = [column(int(codes[:, t].max()) + 1) for t in range(codes.shape[1])]
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = MaskedGenerator(columns, [torch.ones(c.cardinality) for c in columns], width=64)
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        for _ in range(150):
            loss = -net.log_likelihood(codes[: rows // 2]).sum(1).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return net.eval(), codes[: rows // 2], codes[rows // 2 :]


def calibrate(net, validation):
    """Shrink the context logits of a network and return the strengths, as the refit on all rows does."""
    grid = torch.linspace(0, 1, 21)
    (likelihood,) = shrunk_likelihood([net], [validation], grid)
    strengths = grid[best_strengths(likelihood.sum(1), grid)]
    net.shrink(strengths)
    return strengths


def test_noise_is_shrunk_and_a_copied_column_is_still_predicted():
    net, _, validation = overfitted()
    strengths = calibrate(net, validation)
    assert strengths[8] <= 0.3  # depends on nothing
    assert strengths[7] > strengths[8]
    with torch.no_grad():
        assert net.log_likelihood(validation)[:, 7].mean() > -0.3  # its marginal alone would give -1.1


def test_validation_likelihood_improves_and_overfitting_decreases():
    net, training, validation = overfitted()
    before = [validation_nll(net, rows) for rows in (training, validation)]
    calibrate(net, validation)
    after = [validation_nll(net, rows) for rows in (training, validation)]
    assert after[1] < before[1]
    assert after[1] - after[0] < (before[1] - before[0]) / 2


def test_validation_likelihood_never_decreases():
    for seed in range(5):
        net = network([3, 25, 2, 40], seed, kind="ordered")
        validation = torch.stack([torch.randint(0, k, (50,)) for k in (3, 25, 2, 40)], dim=1)
        before = validation_nll(net, validation)
        calibrate(net, validation)
        assert validation_nll(net, validation) <= before + 1e-4
