"""Network that gives the conditional distribution of each cell of a row: what all architectures have in common.

Codes have embeddings, and the output layer of a column adds context logits to the logits of its marginal distribution.
Architectures differ in how they compute the context: see `synthclin.models.generator.networks`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.artifact import misfit
from synthclin.models.generator.code_features import code_basis, code_features, is_smooth
from synthclin.models.generator.masked_layers import EMBEDDING
from synthclin.models.generator.regression import Regression

__all__ = ["CodeNetwork", "CodeTables", "grouped", "load_weights"]

MOST_FREE = 64
"""Levels up to which a column has one context logit per level; most levels of larger columns have few training rows."""

FACTORS = 16
"""Rank of the context logits of a column of more levels."""

LEAST_SHARE = 1e-3
"""Added to each marginal probability of the untrained network."""

MOST_ADDED = 0.05
"""Sum of what is added to the marginal probabilities of a column, at most, where its dependence is shrunk to them."""


class CodeTables(nn.Module):
    """Code embeddings and output layer of a group of columns, padded to one size so that they are computed together.

    **Shape**

    - `embeddings()`: (columns, codes, EMBEDDING)
    - `logits(context_logits)`: (columns, rows, width) -> (columns, rows, codes); padded codes get -1e9

    The logits of a column are its log marginal probabilities (`bias`) plus context logits. The context logits of a
    smooth column are weights of its fixed basis (`width` functions of the code's position). Those of a column of many
    levels are weights of a trained basis (low-rank factors, so that levels in similar contexts share parameters).
    Other columns have one context logit per code.
    """

    def __init__(self, members: Sequence[int], columns: Sequence[ColumnLayout], frequencies: Sequence[Tensor]) -> None:
        super().__init__()
        self.members = tuple(members)
        # On the device, so that no step waits for the host.
        self.register_buffer("index", torch.tensor(members), persistent=False)
        codes = max(columns[j].cardinality for j in members)
        self.smooth = is_smooth(columns[members[0]])
        free = torch.randn(len(members), codes, EMBEDDING) / math.sqrt(codes)
        self.width = codes
        if self.smooth:
            features = _padded([code_features(columns[j], frequencies[j]) for j in members], codes)
            basis = _padded([code_basis(columns[j], frequencies[j]) for j in members], codes)
            self.register_buffer("features", features, persistent=False)
            self.register_buffer("basis", basis, persistent=False)
            inputs, self.width = features.shape[2], basis.shape[2]
            self.mix = nn.Parameter(torch.randn(len(members), inputs, EMBEDDING) / math.sqrt(inputs))
            free = torch.zeros_like(free)
        elif codes > MOST_FREE:
            self.width = FACTORS
            self.basis = nn.Parameter(torch.randn(len(members), codes, FACTORS) / math.sqrt(FACTORS))
        else:
            self.register_parameter("basis", None)
        self.free = nn.Parameter(free)
        self.register_buffer(
            "padding", _padded([torch.zeros(columns[j].cardinality, 1) for j in members], codes, -1e9)[:, :, 0], False
        )
        shares = [frequencies[j] / frequencies[j].sum() for j in members]
        start = _padded([(share + LEAST_SHARE).log()[:, None] for share in shares], codes)
        self.bias = nn.Parameter(start[:, :, 0].clone())
        floors = [min(LEAST_SHARE, MOST_ADDED / len(share)) for share in shares]
        marginal = [(share + floor).log()[:, None] for share, floor in zip(shares, floors, strict=True)]
        self.register_buffer("marginal", _padded(marginal, codes)[:, :, 0], persistent=False)

    index: Tensor
    marginal: Tensor
    features: Tensor
    basis: Tensor | None
    padding: Tensor

    def embeddings(self) -> Tensor:
        """Return the embedding of every code."""
        return self.features @ self.mix + self.free if self.smooth else self.free

    def logits(self, context_logits: Tensor) -> Tensor:
        """Return the sum of marginal logits and context logits."""
        in_context = context_logits if self.basis is None else context_logits @ self.basis.transpose(1, 2)
        return in_context + (self.bias + self.padding)[:, None, :]

    def shrunk_bias(self, strengths: Tensor) -> Tensor:
        """Return the bias moved from the log marginal probabilities (0) to the trained one (1): (columns,) strengths.

        The trained bias alone is no marginal distribution: it is that at context logits of 0.
        """
        return self.marginal + strengths[self.index][:, None] * (self.bias - self.marginal)


def _padded(tables: Sequence[Tensor], codes: int, value: float = 0.0) -> Tensor:
    """Stack (codes_j, width_j) tables into (tables, codes, widest), filled up with `value`."""
    width = max(table.shape[1] for table in tables)
    return torch.stack(
        [functional.pad(table, (0, width - table.shape[1], 0, codes - table.shape[0]), value=value) for table in tables]
    )


def grouped(columns: Sequence[ColumnLayout], members: Sequence[int]) -> list[list[int]]:
    """Return groups of columns that share a padded table: same output layer, numbers of codes within a factor of 2."""
    groups: dict[tuple[bool, int], list[int]] = {}
    for j in members:
        size = max(2, (columns[j].cardinality - 1).bit_length())
        # Above 128 codes padding costs more than it saves: such a column is a group of its own.
        groups.setdefault((is_smooth(columns[j]), size if size <= 7 else 1000 + j), []).append(j)
    return list(groups.values())


class CodeNetwork(nn.Module, ABC):
    """Conditional distribution of each cell of a row, as the logits of its column's codes.

    An architecture computes `network_logits` and scales its context logits in `scale_context`.

    Arguments:
        columns: the columns in the order of sampling.
        frequencies: how often each code of each column occurs, (codes,) each.
        groups: columns that share a padded table, see `grouped`; consecutive where an output head has several.
        regressed: whether each column has a `Regression` on pairs, to which the network adds.
        given: how many of the first columns are always known: they are context alone, and their likelihood counts 0.

    **Shape:** `forward` (rows, columns) int64 codes -> one (members, rows, codes) tensor of logits per group.
    """

    def __init__(
        self,
        columns: Sequence[ColumnLayout],
        frequencies: Sequence[Tensor],
        groups: Sequence[Sequence[int]],
        *,
        regressed: bool,
        given: int,
    ) -> None:
        super().__init__()
        self.regression = Regression(columns, frequencies) if regressed else None
        # The distilled one-pass generator, where there is one; see `synthclin.models.generator.distillation`.
        self.shortcut: CodeNetwork | None = None
        self.given = given
        self.columns = tuple(columns)
        self.tables = nn.ModuleList(CodeTables(group, columns, frequencies) for group in groups)
        self.home = {j: (g, i) for g, table in enumerate(self.groups) for i, j in enumerate(table.members)}
        count = len(columns)
        starts, total = {}, 0
        for table in self.groups:
            for i, j in enumerate(table.members):
                starts[j] = total + i * table.bias.shape[1]
            total += len(table.members) * table.bias.shape[1]
        self.register_buffer("starts", torch.tensor([starts[j] for j in range(count)]), persistent=False)

    starts: Tensor

    @property
    def groups(self) -> list[CodeTables]:
        """The tables of all groups of columns; those of one output head are consecutive."""
        return cast("list[CodeTables]", list(self.tables))

    @abstractmethod
    def network_logits(self, codes: Tensor) -> list[Tensor]:
        """Return the logits of every column, a tensor per group, without those of the regression."""

    @abstractmethod
    def scale_context(self, strengths: Tensor) -> None:
        """Multiply the context logits of each column by its (columns,) strength, in place."""

    def forward(self, codes: Tensor) -> list[Tensor]:
        """Return the logits of every column given its context, a tensor per group."""
        return self._regressed(self.network_logits(codes), self.coefficients(codes))

    def coefficients(self, codes: Tensor) -> Tensor | None:
        """Return the coefficients of the regression, (rows, columns, features); None without one."""
        return None if self.regression is None else self.regression(codes)

    def _regressed(self, logits: list[Tensor], coefficients: Tensor | None) -> list[Tensor]:
        """Return the logits with what the regression adds to them; as they are without its coefficients."""
        if self.regression is None or coefficients is None:
            return logits
        features = self.regression.features
        return [
            each + coefficients[:, t.index].transpose(0, 1) @ features.padded(t.index, each.shape[2]).transpose(1, 2)
            for t, each in zip(self.groups, logits, strict=True)
        ]

    def cells(self, codes: Tensor) -> Tensor:
        """Return the embedding of each cell, (rows, columns, EMBEDDING)."""
        table = torch.cat([t.embeddings().flatten(0, 1) for t in self.groups])
        places = codes + self.starts
        if places.device.type == "cpu":
            # The backward pass of an embedding scans all cells for every code; on a GPU it alone has a fixed order.
            return table.index_select(0, places.flatten()).view(*places.shape, EMBEDDING)
        return functional.embedding(places, table)

    def log_likelihood(self, codes: Tensor, coefficients: Tensor | None = None) -> Tensor:
        """Return the log-likelihood of each cell given its context, (rows, columns), in nats.

        The `coefficients` of the rows are computed unless given.
        """
        coefficients = self.coefficients(codes) if coefficients is None else coefficients
        return self._chosen(codes, self._regressed(self.network_logits(codes), coefficients))

    def marginals(self) -> list[Tensor]:
        """Return the log marginal probabilities of each column, (codes,), not quite normalised."""
        return [
            self.groups[g].marginal[i, : column.cardinality]
            for column, (g, i) in zip(self.columns, (self.home[t] for t in range(len(self.columns))), strict=True)
        ]

    def marginal_log_likelihood(self, codes: Tensor) -> Tensor:
        """Return the log-likelihood of each cell under the marginal distributions, (rows, columns), in nats."""
        found = torch.stack([each.log_softmax(0)[codes[:, t]] for t, each in enumerate(self.marginals())], dim=1)
        found[:, : self.given] = 0.0
        return found

    def shrunk_log_likelihood(self, codes: Tensor, strengths: Tensor) -> Tensor:
        """Return the log-likelihood of each cell at each of the strengths, (strengths, rows, columns), in nats.

        At strength 0 a column has its marginal distribution, or that of its regression where there is one; at 1 the
        trained conditional distribution.
        """
        whole = [table.bias + table.padding for table in self.groups]
        logits, coefficients = self.network_logits(codes), self.coefficients(codes)
        in_context = [each - bias[:, None, :] for each, bias in zip(logits, whole, strict=True)]
        found = []
        for strength in strengths:
            every = strength.expand(len(self.columns))
            biases = [table.shrunk_bias(every) + table.padding for table in self.groups]
            shrunk = [
                torch.add(bias[:, None, :], each * strength) for bias, each in zip(biases, in_context, strict=True)
            ]
            found.append(self._chosen(codes, self._regressed(shrunk, coefficients)))
        return torch.stack(found)

    def shrink(self, strengths: Tensor) -> None:
        """Set each column's strength in place: (columns,), 0 (marginal, or regression) to 1 (as trained)."""
        strengths = strengths.to(self.starts.device)
        with torch.no_grad():
            for table in self.groups:
                table.bias.copy_(table.shrunk_bias(strengths))
            self.scale_context(strengths)

    def set_marginals(self, codes: Tensor) -> None:
        """Set the marginal distributions of the untrained network to those of (rows, columns) codes."""
        with torch.no_grad():
            for table in self.groups:
                for i, j in enumerate(table.members):
                    count = self.columns[j].cardinality
                    shares = torch.bincount(codes[:, j], minlength=count) / len(codes)
                    table.bias[i, :count] = (shares + LEAST_SHARE).log()
                    table.marginal[i, :count] = (shares + min(LEAST_SHARE, MOST_ADDED / count)).log()

    def _chosen(self, codes: Tensor, every: Sequence[Tensor]) -> Tensor:
        """Return the log-likelihood of each cell from the logits of each group."""
        parts: list[Tensor] = [codes.new_empty(0)] * len(self.columns)
        for table, logits in zip(self.groups, every, strict=True):
            wanted = codes[:, table.index].T.unsqueeze(2)
            chosen = logits.log_softmax(dim=2).gather(2, wanted)[:, :, 0]
            for i, j in enumerate(table.members):
                parts[j] = chosen[i] if j >= self.given else torch.zeros_like(chosen[i])
        return torch.stack(parts, dim=1)


def load_weights(network: CodeNetwork, tensors: Mapping[str, Tensor], parents: Tensor | None, *, others: int) -> None:
    """Load the weights of a model folder into an untrained network of the right sizes.

    Arguments:
        network: with a regression where `parents` are given.
        tensors: of the folder; those of the network begin with ``network.``.
        parents: of the regression of each column, which the folder has among its facts.
        others: number of tensors that are not the network's.

    Raises:
        ModelFormatError: the tensors do not fit.
    """
    prefix = "network."
    weights = {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
    if len(weights) + others != len(tensors):
        raise misfit()
    if parents is not None:
        weights["regression.parents"] = parents
    try:
        network.load_state_dict(weights)
    except RuntimeError:
        raise misfit() from None
    if network.regression is not None and not network.regression.is_causal():
        raise misfit()
