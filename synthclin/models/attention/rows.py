"""Incremental ancestral sampling from attention networks: networks as row states."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from synthclin.models.attention.layers import KeysValues
from synthclin.models.attention.networks import AttentionNetwork, CausalNetwork, SubsetNetwork
from synthclin.models.generator.regression import RegressionRows

__all__ = ["CausalRows", "SubsetRows"]


class _AttentionRows:
    """Row state of an attention network; a `synthclin.sampling.sequential.RowState`.

    Arguments:
        network: in evaluation mode; its weights do not change meanwhile.
        order: the index in the layout of each column of the network.
    """

    def __init__(self, network: AttentionNetwork, order: Sequence[int]) -> None:
        self.place = {column: t for t, column in enumerate(order)}
        self.rows, self.codes = 0, list[Tensor]()
        self.regression = None if network.regression is None else RegressionRows(network.regression)
        with torch.no_grad():
            embeddings = [table.embeddings() for table in network.groups]
            self.lifted = [
                embeddings[group][slot, : column.cardinality] @ network.lift[t]
                for t, (column, (group, slot)) in enumerate(
                    zip(network.columns, (network.home[t] for t in range(len(network.columns))), strict=True)
                )
            ]

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any code."""
        self.rows, self.codes = rows, []

    def push(self, column: int, codes: Tensor) -> None:  # noqa: ARG002 - columns come in order
        """Set the (rows,) codes of a column."""
        self.codes.append(codes)

    def cell(self, t: int) -> Tensor:
        """Return the token of a known cell without a bias, (rows, width)."""
        return self.lifted[t].index_select(0, self.codes[t])

    def _regressed(self, logits: Tensor, t: int) -> Tensor:
        return logits if self.regression is None else self.regression.added(logits, t, self.codes)


class CausalRows(_AttentionRows):
    """Row state of a causal network, with the keys and values of the cells so far: a row costs one forward pass."""

    def __init__(self, network: CausalNetwork, order: Sequence[int]) -> None:
        super().__init__(network, order)
        self.network = network
        self.seen: list[KeysValues | None] = []
        self.hidden = list[Tensor]()

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any code."""
        super().begin(rows)
        self.seen, self.hidden = [None] * len(self.network.layers), []

    def logits(self, column: int) -> Tensor:
        """Return the (codes, rows) logits of a column given those pushed before."""
        t = self.place[column]
        with torch.no_grad():
            # Columns whose logits nobody asked for are context all the same.
            while len(self.hidden) <= t:
                self.hidden.append(self._extended(len(self.hidden)))
            return self._regressed(self.network.column_logits(t, self.hidden[t]), t)

    def _extended(self, t: int) -> Tensor:
        """Return the (rows, width) hidden states of the t-th column, and keep its keys and values."""
        bias = self.network.query_bias[t]
        token = (self.cell(t - 1) + bias if t else bias.expand(self.rows, -1))[:, None]
        for k, layer in enumerate(self.network.each_layer):
            token, self.seen[k] = layer.extend(token, self.seen[k])
        return token[:, 0]


class SubsetRows(_AttentionRows):
    """Row state of a network that reads any subset of cells: all columns that are not pushed yet are masked.

    Each column takes a pass over the cells before it, so that a row costs about half as many passes as columns.
    """

    def __init__(self, network: SubsetNetwork, order: Sequence[int]) -> None:
        super().__init__(network, order)
        self.network = network
        self.tokens = torch.empty(0)

    def begin(self, rows: int) -> None:
        """Begin `rows` rows without any code."""
        super().begin(rows)
        with torch.no_grad():
            self.tokens = self.network.first_bias.expand(rows, 1, -1)

    def push(self, column: int, codes: Tensor) -> None:
        """Set the (rows,) codes of a column."""
        super().push(column, codes)
        t = self.place[column]
        with torch.no_grad():
            cell = self.cell(t) + self.network.cell_bias[t]
            self.tokens = torch.cat([self.tokens, cell[:, None]], dim=1)

    def logits(self, column: int) -> Tensor:
        """Return the (codes, rows) logits of a column given those pushed before."""
        t = self.place[column]
        with torch.no_grad():
            return self._regressed(self.network.column_logits(t, self.network.asked(self.tokens, t)), t)
