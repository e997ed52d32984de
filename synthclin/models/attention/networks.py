"""Networks of self-attention over the cells of a row: one that reads them in order, and one that reads any subset."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import ClassVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.attention.layers import AttentionLayer
from synthclin.models.generator.code_network import CodeNetwork, CodeTables, grouped
from synthclin.models.generator.masked_layers import EMBEDDING

__all__ = ["AttentionNetwork", "CausalNetwork", "SubsetNetwork"]

IN_ORDER = 0.5
"""Share of the training rows whose unmasked cells are the first ones in the order of sampling.

Of a table of 10,000 rows and 15 columns it lowered the holdout NLL by 0.14 nats per row, against random orders alone;
a share of 0.9 did not lower it.
"""

SCORED = 32
"""Columns at which a row is scored outside training, at most."""

BIAS = 0.1
"""Standard deviation of the untrained bias of a token."""


class AttentionNetwork(CodeNetwork):
    """Transformer over the cells of a row: the token of a cell is its code's embedding, lifted, plus a bias.

    The hidden state of a column gives its context logits by a linear head; see `CodeTables` for the embeddings and for
    what the context logits are weights of.

    Arguments:
        columns: the columns in the order of sampling.
        frequencies: how often each code of each column occurs, (codes,) each.
        regressed: whether each column has a `Regression` on pairs, to which the network adds.
        given: how many of the first columns are always known: they are context alone, and their likelihood counts 0.
        width: of a token.
        layers: of attention.
        dropout: on hidden units, while training.
    """

    any_order: ClassVar[bool] = False

    def __init__(
        self,
        columns: Sequence[ColumnLayout],
        frequencies: Sequence[Tensor],
        *,
        regressed: bool = False,
        given: int = 0,
        width: int = 64,
        layers: int = 2,
        dropout: float = 0.1,
    ) -> None:
        groups = grouped(columns, range(len(columns)))
        super().__init__(columns, frequencies, groups, regressed=regressed, given=given)
        self.lift = nn.Parameter(torch.randn(len(columns), EMBEDDING, width) / math.sqrt(EMBEDDING))
        # Of the token that stands for a column when it is asked for.
        self.query_bias = nn.Parameter(BIAS * torch.randn(len(columns), width))
        self.layers = nn.ModuleList(AttentionLayer(width, dropout) for _ in range(layers))
        self.heads = nn.ParameterList(torch.zeros(len(table.members), width, table.width) for table in self.groups)
        self.dropout = dropout

    @property
    def each_layer(self) -> list[AttentionLayer]:
        """The layers, from the first."""
        return cast("list[AttentionLayer]", list(self.layers))

    def lifted(self, codes: Tensor) -> Tensor:
        """Return the cells as tokens without a bias, (rows, columns) codes -> (rows, columns, width)."""
        cells = self.cells(codes).transpose(0, 1)
        return functional.dropout(torch.bmm(cells, self.lift).transpose(0, 1), self.dropout, self.training)

    @abstractmethod
    def hidden(self, codes: Tensor) -> Tensor:
        """Return the hidden state of each column given those before it, (rows, columns, width)."""

    def network_logits(self, codes: Tensor) -> list[Tensor]:
        """Return the logits of every column given those before it, a tensor per group, without the regression."""
        return self.read_out(self.hidden(codes))

    def read_out(self, hidden: Tensor) -> list[Tensor]:
        """Return the logits of every column, (members, rows, codes) per group, from (rows, columns, width) states."""
        normed = functional.layer_norm(hidden, hidden.shape[-1:]).transpose(0, 1)
        return [
            table.logits(torch.bmm(normed.index_select(0, table.index), head))
            for table, head in zip(self.groups, self.heads, strict=True)
        ]

    def column_logits(self, column: int, hidden: Tensor) -> Tensor:
        """Return the (codes, rows) logits of one column from its (rows, width) hidden states."""
        group, slot = self.home[column]
        table: CodeTables = self.groups[group]
        codes = self.columns[column].cardinality
        head: Tensor = self.heads[group]
        normed = functional.layer_norm(hidden, hidden.shape[-1:])
        in_context: Tensor = head[slot].T @ normed.T
        if table.basis is None:
            return in_context[:codes] + table.bias[slot, :codes, None]
        return torch.addmm(table.bias[slot, :codes, None], table.basis[slot, :codes], in_context)

    def scale_context(self, strengths: Tensor) -> None:
        """Multiply the context logits of each column by its (columns,) strength, in place."""
        for table, head in zip(self.groups, self.heads, strict=True):
            head.mul_(strengths[table.index][:, None, None])


class CausalNetwork(AttentionNetwork):
    """Causal transformer: each column is predicted from the cells before it in one pass.

    The token at a column is the cell before it plus the bias of the column, so that a cell is never its own context.
    """

    def inputs(self, codes: Tensor) -> Tensor:
        """Return the tokens, (rows, columns) codes -> (rows, columns, width)."""
        return functional.pad(self.lifted(codes)[:, :-1], (0, 0, 1, 0)) + self.query_bias

    def hidden(self, codes: Tensor) -> Tensor:
        """Return the hidden state of each column given those before it, (rows, columns, width)."""
        tokens = self.inputs(codes)
        for layer in self.each_layer:
            tokens = layer(tokens)
        return tokens


class SubsetNetwork(AttentionNetwork):
    """Transformer that predicts masked cells from any subset of unmasked cells.

    Masked cells have a token of their column alone, and no token attends to them: what the network predicts depends on
    nothing but the unmasked cells. A first token without a cell is always attended to.

    While training, `log_likelihood` is a weighted sum over cells masked by chance, each of mean weight 1; otherwise it
    is the log-likelihood of each cell given those before it. Each column takes a pass of its own there, so that in rows
    of many columns a part of the cells is scored, with a larger weight.
    """

    any_order = True

    def __init__(
        self,
        columns: Sequence[ColumnLayout],
        frequencies: Sequence[Tensor],
        *,
        regressed: bool = False,
        given: int = 0,
        width: int = 64,
        layers: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__(
            columns, frequencies, regressed=regressed, given=given, width=width, layers=layers, dropout=dropout
        )
        self.cell_bias = nn.Parameter(BIAS * torch.randn(len(columns), width))
        self.first_bias = nn.Parameter(BIAS * torch.randn(width))

    def cell_tokens(self, codes: Tensor) -> Tensor:
        """Return the first token and the tokens of unmasked cells, (rows, 1 + columns, width)."""
        first = self.first_bias.expand(len(codes), 1, -1)
        return torch.cat([first, self.lifted(codes) + self.cell_bias], dim=1)

    def asked(self, tokens: Tensor, column: int) -> Tensor:
        """Return the (rows, width) hidden states of a masked column, given the (rows, tokens, width) of cells."""
        tokens = torch.cat([tokens, self.query_bias[column].expand(len(tokens), 1, -1)], dim=1)
        for layer in self.each_layer:
            tokens = layer.read(tokens)
        return tokens[:, -1]

    def hidden(self, codes: Tensor) -> Tensor:
        """Return the hidden state of each scored cell given those before it, (rows, columns, width); 0 of others."""
        tokens, period = self.cell_tokens(codes), self.period
        found = tokens.new_zeros(*codes.shape, tokens.shape[2])
        for t in range(self.given, len(self.columns)):
            rows = slice(-t % period, None, period)
            if len(codes) > -t % period:
                found[rows, t] = self.asked(tokens[rows, : t + 1], t)
        return found

    @property
    def period(self) -> int:
        """Of so many rows one is scored at each column, unless in training; 1 for at most `SCORED` columns."""
        return 1 << max(0, (len(self.columns) - 1) // SCORED).bit_length()

    def scored(self, rows: int) -> Tensor:
        """Return the weight of each cell outside training, (rows, columns), with mean 1: 0 for cells not scored."""
        device = self.starts.device
        place = torch.arange(rows, device=device)[:, None] + torch.arange(len(self.columns), device=device)
        return (place % self.period == 0) * float(self.period)

    def hidden_given(self, codes: Tensor, unmasked: Tensor) -> Tensor:
        """Return the hidden state of each column given the unmasked cells of its row, (rows, columns, width)."""
        tokens = self.cell_tokens(codes)
        tokens = torch.cat([tokens[:, :1], tokens[:, 1:].where(unmasked[:, :, None], self.query_bias)], dim=1)
        keys = functional.pad(unmasked, (1, 0), value=True)
        for layer in self.each_layer:
            tokens = layer(tokens, keys)
        return tokens[:, 1:]

    def coefficients(self, codes: Tensor) -> Tensor | None:
        """Return the coefficients of the regression, (rows, columns, features); None without one.

        None while training, when they depend on the cells that are masked.
        """
        return None if self.training else super().coefficients(codes)

    def log_likelihood(self, codes: Tensor, coefficients: Tensor | None = None) -> Tensor:
        """Return the log-likelihood of each cell given those before it, (rows, columns), in nats.

        While training, a weighted one of masked cells given the others.
        """
        if not self.training:
            return super().log_likelihood(codes, coefficients) * self.scored(len(codes))
        unmasked, weights = self.masks(len(codes))
        logits = self.read_out(self.hidden_given(codes, unmasked))
        if self.regression is not None:
            coefficients = self.regression(codes, unmasked)
        return self._chosen(codes, self._regressed(logits, coefficients)) * weights

    def marginal_log_likelihood(self, codes: Tensor) -> Tensor:
        """Return the log-likelihood of each scored cell under the marginal distributions, (rows, columns), in nats."""
        return super().marginal_log_likelihood(codes) * self.scored(len(codes))

    def shrunk_log_likelihood(self, codes: Tensor, strengths: Tensor) -> Tensor:
        """Return the log-likelihood of each scored cell at each strength, (strengths, rows, columns), in nats."""
        return super().shrunk_log_likelihood(codes, strengths) * self.scored(len(codes))

    def masks(self, rows: int) -> tuple[Tensor, Tensor]:
        """Return random unmasked cells, and the weight of each cell in the loss, (rows, columns) each.

        The unmasked cells are the first ones in an order of the columns, and their number is uniform from 0 to all but
        one. In a random order the loss is that of the next cell, averaged over all that may be next (Hoogeboom et al.
        2022, arXiv 2110.02037). Some rows have the order of sampling, in which a weight is one over the probability
        that the cell is masked. Columns that are always known are never masked.
        """
        device, free = self.starts.device, len(self.columns) - self.given
        rank = torch.rand(rows, free, device=device).argsort(1)
        # Evenly spread over the rows of a batch: the loss then varies less from batch to batch.
        number = (torch.rand(1, device=device) + torch.arange(rows, device=device) / rows) % 1 * free
        number = number.long().clamp_(max=max(free - 1, 0))[torch.randperm(rows, device=device), None]
        place = torch.arange(free, device=device)
        in_order = torch.rand(rows, 1, device=device) < IN_ORDER
        unmasked = torch.where(in_order, place, rank) < number
        # One over the probability to be masked; in a random order the masked cells stand for the next one alike.
        weights = torch.where(in_order, free / (place + 1), free / (free - number).clamp_min(1)) * ~unmasked
        given = (self.given, 0)
        return functional.pad(unmasked, given, value=True), functional.pad(weights, given)
