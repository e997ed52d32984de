"""Layers of a transformer over the cells of a row (Vaswani et al. 2017, arXiv 1706.03762), pre-norm."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["AttentionLayer", "KeysValues"]

HEAD = 16
"""Width of an attention head, where it divides the width of the network."""

HIDDEN = 2
"""Hidden units of the feed-forward part per unit of width."""

KeysValues = tuple[Tensor, Tensor]
"""Keys and values, (rows, heads, tokens, width / heads) each."""


class AttentionLayer(nn.Module):
    """Pre-norm transformer layer: self-attention, then two linear layers, each added to its input.

    Pre-norm: Xiong et al. 2020, arXiv 2002.04745. The norms have no weights of their own: the linear layers behind
    them do, and weight decay would pull gains to 0. The last linear layers begin at 0, so that an untrained layer
    changes nothing.

    Arguments:
        width: of a token; a multiple of 8.
        dropout: on hidden units, while training.

    **Shape:** `forward` (rows, tokens, width) -> (rows, tokens, width).
    """

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.heads = width // (HEAD if width % HEAD == 0 else HEAD // 2)
        self.inward = nn.Linear(width, 3 * width)
        self.outward = nn.Linear(width, width)
        self.first = nn.Linear(width, HIDDEN * width)
        self.second = nn.Linear(HIDDEN * width, width)
        self.dropout = dropout
        for layer in (self.outward, self.second):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, tokens: Tensor, keys: Tensor | None = None) -> Tensor:
        """Return the tokens after the layer.

        Arguments:
            tokens: (rows, tokens, width).
            keys: (rows, tokens) bool: whether a token is attended to; by default each token attends to itself and
                those before it (causal).
        """
        query, key, value = self._projected(tokens)
        mask = None if keys is None else keys[:, None, None, :]
        return self._added(
            tokens, functional.scaled_dot_product_attention(query, key, value, mask, is_causal=keys is None)
        )

    def extend(self, tokens: Tensor, seen: KeysValues | None) -> tuple[Tensor, KeysValues]:
        """Return one further token after the layer, (rows, 1, width), and the keys and values with it.

        Arguments:
            tokens: (rows, 1, width), the token after those seen.
            seen: keys and values of the tokens before it.
        """
        query, key, value = self._projected(tokens)
        if seen is not None:
            key, value = (torch.cat(each, dim=2) for each in zip(seen, (key, value), strict=True))
        return self._added(tokens, functional.scaled_dot_product_attention(query, key, value)), (key, value)

    def read(self, tokens: Tensor) -> Tensor:
        """Return the tokens after the layer, where all but the last one are attended to.

        **Shape:** (rows, tokens, width) -> (rows, tokens, width).
        """
        query, key, value = self._projected(tokens)
        return self._added(tokens, functional.scaled_dot_product_attention(query, key[:, :, :-1], value[:, :, :-1]))

    def _projected(self, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return queries, keys and values, (rows, heads, tokens, width / heads) each."""
        parts = self.inward(functional.layer_norm(tokens, tokens.shape[-1:]))
        each = parts.unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return cast("tuple[Tensor, Tensor, Tensor]", each)

    def _added(self, tokens: Tensor, attended: Tensor) -> Tensor:
        tokens = tokens + self._dropped(self.outward(attended.transpose(1, 2).flatten(2)))
        hidden = functional.silu(self.first(functional.layer_norm(tokens, tokens.shape[-1:])))
        return tokens + cast("Tensor", self.second(self._dropped(hidden)))

    def _dropped(self, units: Tensor) -> Tensor:
        return functional.dropout(units, self.dropout, self.training)
