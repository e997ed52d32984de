"""Causal transformer over the cells of a row: an autoregressive generator by self-attention."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from synthclin.models.attention.networks import CausalNetwork
from synthclin.models.attention.rows import CausalRows
from synthclin.models.attention.synthesizer import AttentionSynthesizer
from synthclin.sampling.sequential import RowState

__all__ = ["CellTransformer"]


class CellTransformer(AttentionSynthesizer):
    """Autoregressive transformer over the cells of a row, columns with fewest codes first.

    Each cell is predicted from those before it by causal self-attention (Vaswani et al. 2017, arXiv 1706.03762), as
    words of a sentence are (rows of tables: Padhi et al. 2021, arXiv 2011.01843; Borisov et al. 2023, arXiv 2210.06280;
    Solatorio & Dupriez 2023, arXiv 2302.02041). The tokens here are no words: a number is one token, whose embedding
    and whose probability both depend on its position on the scale, so that neighbouring values share parameters. The
    likelihood of a row is exact and takes one pass, and so does a sampled row (keys and values are kept).

    On tables of fewer than 4,000 rows each column has a penalised regression on pairs
    (`synthclin.models.generator.regression`), and the transformer adds what out-of-fold rows confirm
    (`synthclin.models.generator.cross_validation`): a transformer alone was worse there by 0.3 to 1.2 nats per row.

    Arguments:
        schema: what the table means.
        effort: ``quick`` trains shorter, ``standard`` is the default, ``thorough`` trains longer.
        width: of a token, a multiple of 8; by default 32 under 4,000 rows and 64 from there on.
        layers: of attention; by default 2.
        dropout: dropout rate of hidden units.
        random_state: seed of everything random in fitting.
        device: ``cpu``, ``cuda`` or ``auto``, which takes a GPU where there is one.
        rare_category: a level held by fewer patients never enters the model.
        trim_extremes: how many of the most extreme values are described only together.

    Example:
        >>> import synthclin as sc
        >>> table, schema = sc.datasets.load("heart_disease")
        >>> model = sc.CellTransformer(schema, effort="quick", random_state=7).fit(table)  # doctest: +SKIP
        >>> model.sample(100, where="sex == 1 and age >= 65")  # doctest: +SKIP
    """

    family: ClassVar[str] = "transformer"
    cost: ClassVar[tuple[float, float]] = (0.3, 0.9)
    network: ClassVar[type[CausalNetwork]] = CausalNetwork
    network_: CausalNetwork

    def _codes_log_likelihood(self, codes: Tensor, samples: int = 1) -> Tensor:
        if bool((codes < 0).any()):
            return super()._codes_log_likelihood(codes, samples)
        # All columns at once.
        return self.network_.log_likelihood(codes[:, self.order_]).sum(1)

    def _row_state(self, generator: torch.Generator) -> RowState:  # noqa: ARG002 - nothing in it is random
        return CausalRows(self.network_, self.order_)
