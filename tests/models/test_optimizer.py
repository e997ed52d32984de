"""The optimizer on flat buffers against that of torch, masks on gradients, the average of the weights."""

import copy
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from synthclin.models.generator.masked_layers import weights_masked
from synthclin.models.generator.optimizer import AdamW, Average, descend, release
from synthclin.models.generator.phases import rate_share

from .test_networks import network

CODES = torch.tensor([[0, 1, 2], [2, 3, 5], [1, 0, 0], [2, 2, 4]])


def rate(step):
    return 3e-3 * rate_share(step, last=40, rise=5)


def effective(net):
    """Return the weights that a forward pass uses."""
    weights = {name: value.detach().clone() for name, value in net.named_parameters()}
    for name, layer in net.named_modules():
        if hasattr(layer, "mask"):
            weights[f"{name}.weight"] *= layer.mask
    return weights


def ours(net, steps, optimizer=None, average=None, masked=True):
    optimizer = AdamW(net, rate, betas=(0.9, 0.98), decay=0.5) if optimizer is None else optimizer
    for _ in range(steps):
        if masked:
            with weights_masked(net):
                descend([optimizer], -10 * net.log_likelihood(CODES).sum())
        else:
            descend([optimizer], -10 * net.log_likelihood(CODES).sum())
        if average is not None:
            average.update(optimizer.values)
    return optimizer


@pytest.mark.parametrize("kind", ["levels", "ordered"])
@pytest.mark.parametrize("masked", [True, False])
def test_it_takes_the_steps_of_torch(kind, masked):
    net = network([3, 4, 6], kind=kind)
    theirs = copy.deepcopy(net)
    named = dict(theirs.named_parameters())
    biases = [weights for name, weights in named.items() if name.endswith("bias")]
    others = [weights for name, weights in named.items() if not name.endswith("bias")]
    groups = [{"params": biases, "weight_decay": 0.0}, {"params": others, "weight_decay": 0.5}]
    reference = torch.optim.AdamW(groups, 3e-3, betas=(0.9, 0.98))
    averaged = copy.deepcopy(effective(theirs))
    for step in range(30):
        for group in reference.param_groups:
            group["lr"] = rate(step)
        reference.zero_grad()
        (-10 * theirs.log_likelihood(CODES).sum()).backward()
        torch.nn.utils.clip_grad_norm_(theirs.parameters(), 5.0)
        reference.step()
        for name, weights in effective(theirs).items():
            averaged[name] = weights if not step else averaged[name] * 0.9 + weights * 0.1
    average = Average(net, 0.9)
    ours(net, 30, average=average, masked=masked)
    for found, expected in ((net, effective(theirs)), (average.module, averaged)):
        for name, weights in effective(found).items():
            assert torch.allclose(weights, expected[name], atol=2e-5), name


def test_it_goes_on_from_a_saved_state_with_the_same_bytes():
    one = network([3, 4, 6])
    average = Average(one, 0.9)
    half = ours(one, 10, average=average)
    saved = copy.deepcopy((one.state_dict(), half.state_dict(), average.state_dict()))
    ours(one, 10, half, average)
    two = network([3, 4, 6])
    again, other = AdamW(two, rate, betas=(0.9, 0.98), decay=0.5), Average(two, 0.9)
    for each, state in zip((two, again, other), saved, strict=True):
        each.load_state_dict(state)
    ours(two, 10, again, other)
    assert torch.equal(half.values, again.values)
    assert torch.equal(average.values, other.values)


def test_weights_have_memory_of_their_own_when_released():
    net = network([3, 4, 6])
    optimizer = ours(net, 1)
    before = {name: weights.clone() for name, weights in net.state_dict().items()}
    release(net)
    optimizer.values.zero_()
    assert all(torch.equal(before[name], weights) for name, weights in net.state_dict().items())
    assert len({weights.untyped_storage().data_ptr() for weights in net.parameters()}) == len(before)
    assert all(weights.grad is None for weights in net.parameters())


def test_masks_are_applied_again_outside_the_block():
    net = network([3, 4, 6])
    with torch.no_grad(), weights_masked(net):
        inside = net.log_likelihood(CODES)
        for layer in net.modules():
            if hasattr(layer, "mask"):
                layer.weight.data += 1 - layer.mask
    with torch.no_grad():
        assert torch.equal(net.log_likelihood(CODES), inside)


def test_a_step_imports_no_compiler():
    code = """
import sys, torch
from synthclin.models.generator.optimizer import AdamW, Average, descend
layer = torch.nn.Linear(2, 1)
step, average = AdamW(layer, lambda _: 0.1, betas=(0.9, 0.98)), Average(layer, 0.9)
descend([step], layer(torch.ones(1, 2)).sum())
average.update(step.values)
sys.exit("torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False, cwd=Path(__file__).parents[2]).returncode == 0
