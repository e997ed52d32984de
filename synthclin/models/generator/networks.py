"""Masked autoregressive network (MADE) of the conditional GAN: modules only, no training.

`MaskedGenerator` gives the conditional distribution of each cell of a row. The cell critic has the same architecture.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.generator.code_network import CodeNetwork, grouped
from synthclin.models.generator.masked_layers import EMBEDDING, Head, MaskedBlock, MaskedLinear
from synthclin.models.generator.pairwise import WIDTHS, PairwisePotential, PairwiseTables
from synthclin.models.generator.receptive_fields import ReceptiveField, whole_receptive_field

__all__ = ["MaskedGenerator"]


class MaskedGenerator(CodeNetwork):
    """Residual masked autoregressive network (ResMADE) over code embeddings, with a smooth output head.

    MADE: Germain et al. 2015, arXiv 1502.03509; residual form: Nash & Durkan 2019, arXiv 1904.05626. The conditional
    distribution of a column has the logits of its marginal plus context logits from the columns before it.

    Arguments:
        columns: the columns in the order of sampling.
        frequencies: how often each code of each column occurs, (codes,) each.
        potentials: pairwise potentials, see `find_potentials`.
        fields: context cells that each head reads directly, see `find_receptive_fields`; by default all before it.
        regressed: whether each column has a `Regression` on pairs, to which the network adds.
        given: how many of the first columns are always known: they are context alone, and their likelihood counts 0.
        width: hidden units.
        blocks: residual blocks.
        dropout: on hidden units, while training.

    **Shape:** `forward` (rows, columns) int64 codes -> one (members, rows, codes) tensor of logits per group.
    """

    def __init__(
        self,
        columns: Sequence[ColumnLayout],
        frequencies: Sequence[Tensor],
        potentials: Sequence[PairwisePotential] = (),
        fields: Sequence[ReceptiveField] = (),
        *,
        regressed: bool = False,
        given: int = 0,
        width: int = 256,
        blocks: int = 2,
        dropout: float = 0.1,
    ) -> None:
        fields = tuple(fields) or whole_receptive_field(len(columns))
        groups = [grouped(columns, field.members) for field in fields]
        super().__init__(
            columns, frequencies, [group for each in groups for group in each], regressed=regressed, given=given
        )
        self.fields = fields
        count = len(columns)
        # A unit of degree d depends on columns 0..d; sorted degrees make each column's units one slice.
        degrees = torch.div(torch.arange(width) * max(count - 1, 1), width, rounding_mode="floor")
        self.ends = [int((degrees <= t).sum()) for t in range(count)]
        self.enter = MaskedLinear(degrees[:, None] >= torch.arange(count).repeat_interleave(EMBEDDING))
        self.blocks = nn.ModuleList(MaskedBlock(degrees[:, None] >= degrees, dropout) for _ in range(blocks))
        self.potentials = PairwiseTables(potentials, columns, frequencies)
        # Outputs that hold the context logits of a column, or the weights of a potential: a head and a slice of it.
        self.context_at: dict[int, tuple[int, slice]] = {}
        self.potential_at: dict[int, tuple[int, slice]] = {}
        self.heads = nn.ModuleList()
        self.spans: list[list[int]] = []
        ends = torch.tensor([len(each) for each in groups]).cumsum(0).tolist()
        for v, (field, end) in enumerate(zip(self.fields, ends, strict=True)):
            tables = self.groups[end - len(groups[v]) : end]
            output_columns: list[int] = []
            for t, j in ((table, j) for table in tables for j in table.members):
                self.context_at[j] = v, slice(len(output_columns), len(output_columns) + t.width)
                output_columns += [j] * t.width
            for r, (_, second) in enumerate(self.potentials.pairs):
                if second in field.members:
                    self.potential_at[r] = v, slice(len(output_columns), len(output_columns) + len(WIDTHS))
                    output_columns += [second] * len(WIDTHS)
            self.heads.append(Head(field, torch.tensor(output_columns), degrees))
            self.spans.append([len(table.members) * table.width for table in tables])

    def network_logits(self, codes: Tensor) -> list[Tensor]:
        """Return the logits of every column given the columns before it, a tensor per group, without the regression."""
        context_logits, weights = self._parts(self._outputs(codes))
        logits = [table.logits(each) for table, each in zip(self.groups, context_logits, strict=True)]
        added: dict[int, list[tuple[int, Tensor]]] = {}
        for r, (first, second) in enumerate(self.potentials.pairs):
            group, slot = self.home[second]
            potential = self.potentials.logits(r, codes[:, first], weights[r])
            padded = functional.pad(potential, (0, logits[group].shape[2] - potential.shape[1]))
            added.setdefault(group, []).append((slot, padded))
        for group, potentials in added.items():
            slots = torch.tensor([slot for slot, _ in potentials], device=codes.device)
            # All at once: an addition to a part of a tensor copies the whole of it in the backward pass.
            logits[group] = logits[group].index_add(0, slots, torch.stack([potential for _, potential in potentials]))
        return logits

    def context_logits_all(self, codes: Tensor) -> list[Tensor]:
        """Return the context logits of each column, as weights of its basis, (members, rows, width) per group."""
        return self._parts(self._outputs(codes))[0]

    def _outputs(self, codes: Tensor) -> list[Tensor]:
        """Return the outputs of each head, (rows, outputs)."""
        cells = self.cells(codes)
        hidden = self.enter(cells.flatten(1))
        for block in self.blocks:
            hidden = block(hidden)
        hidden = functional.silu(hidden)
        return [head(hidden, cells) for head in self.heads]

    def _parts(self, outputs: Sequence[Tensor]) -> tuple[list[Tensor], dict[int, Tensor]]:
        """Return the context logits, (members, rows, width) per group, and each potential's (rows, kernels) weights."""
        context_logits: list[Tensor] = []
        weights: dict[int, Tensor] = {}
        for v, (each, spans) in enumerate(zip(outputs, self.spans, strict=True)):
            numbers = [r for r, (head, _) in self.potential_at.items() if head == v]
            parts = each.split([*spans, *(len(WIDTHS) for _ in numbers)], dim=1)
            for part in parts[: len(spans)]:
                t = self.groups[len(context_logits)]
                context_logits.append(part.unflatten(1, (len(t.members), t.width)).transpose(0, 1))
            weights |= zip(numbers, parts[len(spans) :], strict=True)
        return context_logits, weights

    def scale_context(self, strengths: Tensor) -> None:
        """Multiply the context logits of each column by its (columns,) strength, in place."""
        for head in cast("list[Head]", list(self.heads)):
            head.weight.mul_(strengths[head.output_columns][:, None])
            head.bias.mul_(strengths[head.output_columns])
