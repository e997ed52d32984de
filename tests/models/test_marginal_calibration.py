"""Marginal calibration: sampled rows have the marginal distributions of the training rows."""

import numpy as np
import pandas as pd
import pytest
import torch

import synthclin as sc
from synthclin.models.checkpoints import Checkpoint
from synthclin.models.generator import training
from synthclin.models.generator.marginal_calibration import calibrate_marginals
from synthclin.models.generator.network_rows import sample_network
from synthclin.models.generator.networks import MaskedGenerator
from synthclin.seeds import torch_generator
from tests.models.test_networks import column

CODES = (3, 25, 2, 40)


def drifting(seed=0, given=0):
    """A network whose sampled shares miss those of training rows, these rows, and their shares."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        shares = [torch.rand(k) + 0.1 for k in CODES]
        columns = [column(k, kind="ordered" if k > 20 else "level") for k in CODES]
        net = MaskedGenerator(columns, [share / share.sum() for share in shares], width=32, given=given)
        for head in net.heads:
            torch.nn.init.normal_(head.weight, std=0.5)
            torch.nn.init.normal_(head.bias, std=0.5)
    source = torch.Generator().manual_seed(seed)
    codes = torch.stack([torch.multinomial(share, 2_000, True, generator=source) for share in shares], dim=1)
    return net.eval(), codes, [torch.bincount(codes[:, t], minlength=k) / 2_000 for t, k in enumerate(CODES)]


def shares_of(net, rows=20_000):
    codes = sample_network(net, rows, torch_generator(7, "test", device="cpu")).codes
    return [torch.bincount(codes[:, t], minlength=k) / rows for t, k in enumerate(CODES)]


def apart(found, wanted):
    return [float((a - b).abs().sum() / 2) for a, b in zip(found, wanted, strict=True)]


@pytest.mark.parametrize("seed", range(3))
def test_sampled_shares_are_those_of_the_marginal_distributions(seed):
    net, rows, wanted = drifting(seed)
    before = apart(shares_of(net), wanted)
    corrected = calibrate_marginals(net, rows, torch_generator(1, "x", device="cpu"))
    after = apart(shares_of(net), wanted)
    assert max(before) > 0.1
    # Codes of few rows keep their probability, and twenty thousand rows of forty codes are .013 apart by chance.
    assert max(after) < 0.06
    assert float(corrected[0]) == pytest.approx(before[0], abs=0.01)
    assert corrected.min() > 0.1  # of the other columns given corrected ones


def test_a_second_calibration_changes_little():
    net, rows, _ = drifting()
    for seed in (1, 1):
        corrected = calibrate_marginals(net, rows, torch_generator(seed, "x", device="cpu"))
    assert float(corrected.max()) < 0.02


def test_columns_of_context_are_taken_from_rows_and_not_corrected():
    net, rows, wanted = drifting(given=1)
    bias = net.groups[net.home[0][0]].bias.clone()
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


def test_codes_that_never_occur_keep_their_probability():
    net, rows, _ = drifting()
    rows[rows[:, 0] == 1, 0] = 0
    before = shares_of(net)[0]
    calibrate_marginals(net, rows, torch_generator(1, "x", device="cpu"))
    after = shares_of(net)[0]
    assert float(after[1]) == pytest.approx(float(before[1]), abs=0.02)
    net.columns[0].never[1] = True
    calibrate_marginals(net, rows, torch_generator(1, "x", device="cpu"))
    assert all(bool(table.bias.isfinite().all()) for table in net.groups)


def test_a_wide_table_is_calibrated_and_a_killed_training_ends_with_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "WIDE", 12)
    rng = np.random.default_rng(0)
    factor = rng.normal(size=120)
    cells = {f"x{i}": (10 * (factor + rng.normal(size=120))).round() for i in range(training.WIDE)}
    table = pd.DataFrame(cells).astype("Int64")
    schema = sc.Schema(columns={name: {"type": "integer"} for name in table})

    def fit(**options):
        return sc.ConditionalGAN(schema, effort="quick", width=8, random_state=3, device="cpu").fit(table, **options)

    def die(event):
        if event.phase == "calibration":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), Checkpoint(tmp_path / "kept", every=0) as checkpoint:
        fit(checkpoint=checkpoint, callback=die)
    resumed, whole = fit(checkpoint=Checkpoint(tmp_path / "kept")), fit()
    assert "calibration" in whole.training_["seconds"]
    for name, weights in whole.network_.state_dict().items():
        assert torch.equal(weights, resumed.network_.state_dict()[name]), name
