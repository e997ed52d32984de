"""AdamW with clipped gradients, and the exponential moving average of the weights, each on one flat buffer.

`torch.optim` imports a compiler at its first use, more than a second of every first fit, and works tensor by tensor:
these networks have many small ones.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

from synthclin.models.distributed import agree
from synthclin.models.generator.code_network import CodeNetwork
from synthclin.models.generator.masked_layers import MaskedLinear

__all__ = ["AdamW", "Average", "Optimizers", "descend", "release", "trained"]

LARGEST_NORM = 5.0
"""Norm to which larger gradients are clipped."""

EPSILON = 1e-8
"""Of Adam, beside the root of the mean squared gradient."""

Network = TypeVar("Network", bound=CodeNetwork)


class AdamW:
    """AdamW on one flat buffer of weights, of which the parameters of the network become views.

    Kingma & Ba 2015, arXiv 1412.6980; Loshchilov & Hutter 2019, arXiv 1711.05101. Biases do not decay: they hold
    marginal log-probabilities, which are well estimated; decay is for the dependence on context. A distilled student
    inside the network is not trained.

    Arguments:
        network: its weights are changed in place.
        rate: learning rate of each step, from 0.
        betas: decay of the mean gradient and of the mean squared gradient.
        decay: weight decay.

    Attributes:
        values: (weights,) all trained weights.
        gradient: (weights,) gradient of each, to which `Tensor.backward` adds.

    Example:
        >>> layer = nn.Linear(1, 1)
        >>> optimizer = AdamW(layer, lambda step: 0.1, betas=(0.9, 0.98))
        >>> for _ in range(200):
        ...     descend([optimizer], (layer(torch.ones(1, 1)) - 3).square().sum())
        >>> round(layer(torch.ones(1, 1)).item(), 2)
        3.0
    """

    def __init__(
        self, network: nn.Module, rate: Callable[[int], float], *, betas: tuple[float, float], decay: float = 0.0
    ) -> None:
        self.rate, self.betas, self.steps = rate, betas, 0
        named = trained(network)
        self.values = _joined(list(named.values()))
        self.gradient, self.mean, self.square, self.decay = (torch.zeros_like(self.values) for _ in range(4))
        self.mask = torch.ones_like(self.values)
        masks = {id(layer.weight): layer.mask for layer in network.modules() if isinstance(layer, MaskedLinear)}
        sizes, start = [weights.numel() for weights in named.values()], 0
        for (name, weights), size in zip(named.items(), sizes, strict=True):
            part, start = slice(start, start + size), start + size
            weights.grad = self.gradient[part].view_as(weights)
            if id(weights) in masks:
                self.mask[part] = masks[id(weights)].flatten()
            if not name.endswith("bias"):
                self.decay[part] = decay

    def step(self) -> None:
        """Take one step along the gradient as it is."""
        rate, (first, second) = self.rate(self.steps), self.betas
        self.steps += 1
        begun, begun_square = 1 - first**self.steps, math.sqrt(1 - second**self.steps)
        self.mean.lerp_(self.gradient, 1 - first)
        self.square.mul_(second).addcmul_(self.gradient, self.gradient, value=1 - second)
        self.values.addcmul_(self.values, self.decay, value=-rate)
        self.values.addcdiv_(self.mean, self.square.sqrt().div_(begun_square).add_(EPSILON), value=-rate / begun)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for `load_state_dict`; the weights are those of the network."""
        return {"mean": self.mean, "square": self.square, "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state that `state_dict` returned."""
        self.mean.copy_(state["mean"])
        self.square.copy_(state["square"])
        self.steps = int(state["steps"])


class Optimizers:
    """Optimizers of several networks, with one state."""

    def __init__(self, each: Sequence[AdamW]) -> None:
        self.each = list(each)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for `load_state_dict`."""
        return {str(k): optimizer.state_dict() for k, optimizer in enumerate(self.each)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state that `state_dict` returned."""
        for k, optimizer in enumerate(self.each):
            optimizer.load_state_dict(state[str(k)])


class Average(Generic[Network]):
    """Exponential moving average (EMA) of the weights, which begins at its first update.

    Arguments:
        network: whose trained weights are averaged.
        decay: share of the average that an update keeps.

    Attributes:
        module: a network with the averaged weights.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.module, self.decay, self.updates = copy.deepcopy(network), decay, 0
        self.values = _joined(list(trained(self.module).values()))

    def update(self, values: Tensor) -> None:
        """Add the (weights,) of an optimizer of the network."""
        if self.updates:
            self.values.lerp_(values, 1 - self.decay)
        else:
            self.values.copy_(values)
        self.updates += 1

    def state_dict(self) -> dict[str, Any]:
        """Return the state for `load_state_dict`."""
        return {"module": self.module.state_dict(), "updates": self.updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state that `state_dict` returned."""
        self.module.load_state_dict(state["module"])
        self.updates = int(state["updates"])


def descend(optimizers: Sequence[AdamW], loss: Tensor) -> None:
    """Take one step of all optimizers on `loss`, with gradients averaged over processes and clipped together."""
    for each in optimizers:
        each.gradient.zero_()
    loss.backward()
    with torch.no_grad():
        for each in optimizers:
            # Without the gradient of weights that a mask sets to 0: a forward pass may have left the mask out.
            agree(each.gradient.mul_(each.mask))
        norm = torch.stack([torch.linalg.vector_norm(each.gradient) for each in optimizers]).norm()
        scale = (LARGEST_NORM / (norm + 1e-6)).clamp(max=1.0)
        for each in optimizers:
            each.gradient.mul_(scale)
            each.step()


def trained(network: nn.Module) -> dict[str, nn.Parameter]:
    """Return the weights that are trained, by name: not those of a distilled student inside the network."""
    named = network.named_parameters()
    return {name: weights for name, weights in named if weights.requires_grad and not name.startswith("shortcut.")}


def release(network: nn.Module) -> None:
    """Give every parameter memory of its own again, without a gradient."""
    for weights in network.parameters():
        weights.data, weights.grad = weights.data.clone(), None


def _joined(parameters: Sequence[nn.Parameter]) -> Tensor:
    """Return all values as one tensor, of which the parameters become views."""
    values = torch.cat([weights.detach().flatten() for weights in parameters])
    for weights, part in zip(parameters, values.split([weights.numel() for weights in parameters]), strict=True):
        weights.data = part.view_as(weights)
    return values
