"""The network of the conditional GAN: modules only, no training.

`MaskedGenerator` draws a row column by column in one pass over its hidden units; a critic of cells has its shape too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.features import code_basis, code_features, is_smooth
from synthclin.models.ridges import WIDTHS, Ridge, RidgeTables

__all__ = ["CodeTables", "MaskedGenerator"]

EMBEDDING = 8
"""Width of a code's embedding; wider gained nothing."""

MOST_FREE = 64
"""Levels up to which a column has a free number for each in its tilt; of more, most have few rows to learn from."""

FACTORS = 16
"""Learnt directions in which a column of more levels is tilted."""


# -- columns of like size, side by side ------------------------------------------------------------------------------


class CodeTables(nn.Module):
    """Embeddings and logits of a group of columns, padded to one size so that they are computed together.

    **Shape**

    - `embeddings()`: (columns, codes, EMBEDDING)
    - `logits(tilt)`: (columns, rows, width) -> (columns, rows, codes); padded codes get -1e9

    The tilt of a smooth column weighs its fixed basis (`width` functions of the code's position). The tilt of a column
    of many levels weighs a learnt one (low-rank factors: levels that go with the same things share what is learnt of
    them, and none has a number per hidden unit to itself). Otherwise the tilt has a number per code.
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
        start = _padded([(frequencies[j] / frequencies[j].sum() + 1e-3).log()[:, None] for j in members], codes)
        self.bias = nn.Parameter(start[:, :, 0].clone())

    index: Tensor
    features: Tensor
    basis: Tensor | None
    padding: Tensor

    def embeddings(self) -> Tensor:
        """Return the embedding of every code."""
        return self.features @ self.mix + self.free if self.smooth else self.free

    def logits(self, tilt: Tensor) -> Tensor:
        """Return each column's marginal logits, tilted."""
        tilted = tilt if self.basis is None else tilt @ self.basis.transpose(1, 2)
        return tilted + (self.bias + self.padding)[:, None, :]


def _padded(tables: Sequence[Tensor], codes: int, value: float = 0.0) -> Tensor:
    """Stack (codes_j, width_j) tables into (tables, codes, widest), filled up with `value`."""
    width = max(table.shape[1] for table in tables)
    return torch.stack(
        [functional.pad(table, (0, width - table.shape[1], 0, codes - table.shape[0]), value=value) for table in tables]
    )


def _groups(columns: Sequence[ColumnLayout]) -> list[list[int]]:
    """Return columns that may share a padded table: alike in head and, within a factor of two, in codes."""
    groups: dict[tuple[bool, int], list[int]] = {}
    for j, column in enumerate(columns):
        size = max(2, (column.cardinality - 1).bit_length())
        # Above 128 codes padding costs more than it saves: such a column stands alone.
        groups.setdefault((is_smooth(column), size if size <= 7 else 1000 + j), []).append(j)
    return list(groups.values())


# -- the generator ---------------------------------------------------------------------------------------------------


class MaskedLinear(nn.Linear):
    """A linear layer in which output unit o sees input unit i only where `mask[o, i]` is true."""

    mask: Tensor

    def __init__(self, mask: Tensor, zero: bool = False) -> None:
        super().__init__(mask.shape[1], mask.shape[0])
        self.register_buffer("mask", mask.float(), persistent=False)
        if zero:
            nn.init.zeros_(self.weight)
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * self.mask, self.bias)


class MaskedBlock(nn.Module):
    """x + second(silu(first(silu(x)))): a residual block that keeps every unit's degree (ResMADE)."""

    def __init__(self, mask: Tensor, dropout: float) -> None:
        super().__init__()
        self.first = MaskedLinear(mask)
        self.second = MaskedLinear(mask, zero=True)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.dropout(functional.silu(self.first(functional.silu(x))))
        return x + cast("Tensor", self.second(hidden))


class MaskedGenerator(nn.Module):
    """A row, column by column: each column's law is its marginal tilted by the columns before it.

    A residual masked autoencoder (MADE, Germain et al. 2015, arXiv 1502.03509; residual form by Nash & Durkan 2019,
    arXiv 1904.05626) over code embeddings with a smooth tilt head.

    Arguments:
        columns: the columns in the order in which they are drawn.
        frequencies: how often each code of each column occurs, (codes,) each.
        ridges: narrow bands between pairs of columns, see `find_ridges`.
        width: hidden units.
        blocks: residual blocks.
        dropout: on hidden units, while training.

    **Shape:** `forward` (rows, columns) int64 codes -> one (members, rows, codes) tensor of logits per group.
    """

    def __init__(
        self,
        columns: Sequence[ColumnLayout],
        frequencies: Sequence[Tensor],
        ridges: Sequence[Ridge] = (),
        width: int = 256,
        blocks: int = 2,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.columns = tuple(columns)
        self.tables = nn.ModuleList(CodeTables(group, columns, frequencies) for group in _groups(columns))
        self.home = {j: (g, i) for g, table in enumerate(self._tables) for i, j in enumerate(table.members)}
        count = len(columns)
        # Unit u of degree d sees columns 0..d; sorted degrees make each column's units one slice.
        degrees = torch.div(torch.arange(width) * max(count - 1, 1), width, rounding_mode="floor")
        self.ends = [int((degrees <= t).sum()) for t in range(count)]
        inputs = torch.arange(count).repeat_interleave(EMBEDDING)
        outputs = torch.cat([torch.tensor(table.members).repeat_interleave(table.width) for table in self._tables])
        self.enter = MaskedLinear(degrees[:, None] >= inputs)
        self.blocks = nn.ModuleList(MaskedBlock(degrees[:, None] >= degrees, dropout) for _ in range(blocks))
        self.ridges = RidgeTables(ridges, columns, frequencies)
        bumps = torch.tensor([second for _, second in self.ridges.pairs], dtype=torch.long)
        self.heights = len(outputs)
        outputs = torch.cat([outputs, bumps.repeat_interleave(len(WIDTHS))])
        self.leave = MaskedLinear(outputs[:, None] > torch.cat([degrees, inputs]), zero=True)
        self.register_buffer("speaks_of", outputs, persistent=False)
        rows = torch.arange(self.heights).split([table.width for table in self._tables for _ in table.members])
        order = [j for table in self._tables for j in table.members]
        self.rows = {j: slice(int(r[0]), int(r[-1]) + 1) for j, r in zip(order, rows, strict=True)}
        starts, total = {}, 0
        for table in self._tables:
            for i, j in enumerate(table.members):
                starts[j] = total + i * table.bias.shape[1]
            total += len(table.members) * table.bias.shape[1]
        self.register_buffer("starts", torch.tensor([starts[j] for j in range(count)]), persistent=False)

    starts: Tensor
    speaks_of: Tensor  # the column of each line of `leave`: tilts of all columns, then heights of ridges

    @property
    def _tables(self) -> list[CodeTables]:
        return cast("list[CodeTables]", list(self.tables))

    @property
    def _blocks(self) -> list[MaskedBlock]:
        return cast("list[MaskedBlock]", list(self.blocks))

    def forward(self, codes: Tensor) -> list[Tensor]:
        """Return the logits of every column given the columns before it, a tensor per group."""
        lines = self._lines(codes)
        logits = [table.logits(tilt) for table, tilt in zip(self._tables, self._grouped(lines), strict=True)]
        for r, (first, second) in enumerate(self.ridges.pairs):
            group, slot = self.home[second]
            band = self.ridges.band(r, codes[:, first], lines[:, self.height_rows(r)])
            logits[group][slot, :, : band.shape[1]] += band
        return logits

    def tilts(self, codes: Tensor) -> list[Tensor]:
        """Return how the columns before weigh each column's basis, (members, rows, width) per group."""
        return self._grouped(self._lines(codes))

    def _lines(self, codes: Tensor) -> Tensor:
        """Return what `leave` says, (rows, lines)."""
        table = torch.cat([t.embeddings().flatten(0, 1) for t in self._tables])
        embedded = functional.embedding(codes + self.starts, table).flatten(1)
        hidden = self.enter(embedded)
        for block in self.blocks:
            hidden = block(hidden)
        return cast("Tensor", self.leave(torch.cat([functional.silu(hidden), embedded], dim=1)))

    def _grouped(self, lines: Tensor) -> list[Tensor]:
        """Return the tilts among `lines`, (members, rows, width) per group."""
        spans = [len(t.members) * t.width for t in self._tables]
        return [
            part.unflatten(1, (len(t.members), t.width)).transpose(0, 1)
            for t, part in zip(self._tables, lines[:, : self.heights].split(spans, dim=1), strict=True)
        ]

    def height_rows(self, r: int) -> slice:
        """Return which lines of `leave` are the heights of ridge `r`."""
        start = self.heights + r * len(WIDTHS)
        return slice(start, start + len(WIDTHS))

    def log_likelihood(self, codes: Tensor) -> Tensor:
        """Return the log-probability of each cell given the columns before it, (rows, columns), in nats."""
        parts: list[Tensor] = [codes.new_empty(0)] * len(self.columns)
        for table, logits in zip(self._tables, self.forward(codes), strict=True):
            wanted = codes[:, table.index].T.unsqueeze(2)
            chosen = logits.log_softmax(dim=2).gather(2, wanted)[:, :, 0]
            for i, j in enumerate(table.members):
                parts[j] = chosen[i]
        return torch.stack(parts, dim=1)

    def begin(self) -> RowState:
        """Return the state of a draw before its first column."""
        return RowState(self)


class RowState:
    """Hidden units of rows that are being drawn: after column t only the units of degree t are computed.

    `logits(t)` gives the law of column t, `push(t, codes)` tells which codes it took. Buffers are filled in place, so
    no gradient passes through a draw.
    """

    def __init__(self, network: MaskedGenerator) -> None:
        self.network = network
        self.embeddings = [table.embeddings() for table in network._tables]  # noqa: SLF001 - one thing in two classes
        # Masks are constant during a draw: apply them once, not once per column.
        self.enter = network.enter.weight * network.enter.mask
        self.leave = network.leave.weight * network.leave.mask
        self.pairs = [
            (block.first.weight * block.first.mask, block.second.weight * block.second.mask)
            for block in network._blocks  # noqa: SLF001
        ]
        self.embedded = _Growing(len(network.columns) * EMBEDDING)
        self.layers = [_Growing(network.enter.out_features) for _ in range(2 * len(self.pairs) + 1)]
        self.codes: list[Tensor] = []

    def logits(self, t: int, rows: int) -> Tensor:
        """Return the logits of column t, (rows, codes)."""
        network = self.network
        group, slot = network.home[t]
        table, codes = network._tables[group], network.columns[t].cardinality  # noqa: SLF001
        tilt = self._head(t, rows, network.rows[t])
        tilted = tilt[:, :codes] if table.basis is None else tilt @ table.basis[slot, :codes].T
        logits = tilted + table.bias[slot, :codes]
        for r in network.ridges.of(t):
            heights = self._head(t, rows, network.height_rows(r))
            logits = logits + network.ridges.band(r, self.codes[network.ridges.pairs[r][0]], heights)
        return logits

    def _head(self, t: int, rows: int, lines: slice) -> Tensor:
        """Return some lines of `leave` that speak of column t, (rows, lines)."""
        value = self.network.leave.bias[lines].expand(rows, -1)
        if t > 0:
            hidden = self.network.enter.out_features
            end, seen = self.network.ends[t - 1], hidden + t * EMBEDDING
            value = value + self.layers[-1].value @ self.leave[lines, :end].T
            value = value + self.embedded.value @ self.leave[lines, hidden:seen].T
        return value

    def push(self, t: int, codes: Tensor) -> None:
        """Tell which codes column t took, (rows,)."""
        network = self.network
        group, slot = network.home[t]
        self.embedded.append(functional.embedding(codes, self.embeddings[group][slot]))
        self.codes.append(codes)
        start, end = network.ends[t - 1] if t else 0, network.ends[t]
        if start == end or t == len(network.columns) - 1:
            return
        seen = (t + 1) * EMBEDDING
        value = functional.linear(self.embedded.value, self.enter[start:end, :seen], network.enter.bias[start:end])
        for i, ((first, second), block) in enumerate(zip(self.pairs, network._blocks, strict=True)):  # noqa: SLF001
            active, inner = self.layers[2 * i], self.layers[2 * i + 1]
            active.append(functional.silu(value))
            inner.append(
                functional.silu(
                    functional.linear(active.value, first[start:end, :end], block.first.bias[start:end]),
                )
            )
            value = value + functional.linear(inner.value, second[start:end, :end], block.second.bias[start:end])
        self.layers[-1].append(functional.silu(value))


class _Growing:
    """A (rows, width) tensor that is filled from the left."""

    def __init__(self, width: int) -> None:
        self.width, self.filled = width, 0
        self.buffer: Tensor | None = None

    @property
    def value(self) -> Tensor:
        assert self.buffer is not None
        return self.buffer[:, : self.filled]

    def append(self, part: Tensor) -> None:
        if self.buffer is None:
            self.buffer = part.new_empty(part.shape[0], self.width)
        filled = self.filled + part.shape[1]
        self.buffer[:, self.filled : filled] = part
        self.filled = filled
