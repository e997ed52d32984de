"""Masked diffusion over the cells of a row: cells are masked by noise, and a network restores them."""

from __future__ import annotations

from typing import ClassVar

import torch

from synthclin.models.attention.networks import SubsetNetwork
from synthclin.models.attention.rows import SubsetRows
from synthclin.models.attention.synthesizer import AttentionSynthesizer
from synthclin.sampling.sequential import RowState

__all__ = ["MaskedDiffusion"]


class MaskedDiffusion(AttentionSynthesizer):
    """Diffusion model with an absorbing state: noise masks cells, and a transformer restores them.

    D3PM with an absorbing state: Austin et al. 2021, arXiv 2107.03006; MDLM: Sahoo et al. 2024, arXiv 2406.07524; of
    mixed-type tables: TabDiff, Shi et al. 2025, arXiv 2410.20626. A random number of the cells of a training row is
    masked, and the cross-entropies of the masked cells, weighted by columns over masked cells, sum to a bound of the
    likelihood in expectation. Such a model is an autoregressive model of any order (Hoogeboom et al. 2022,
    arXiv 2110.02037): it has the distribution of a masked cell given any other cells. Rows are sampled one cell at a
    time, columns with fewest codes first, and the likelihood of a row is the exact one in that order; half of the
    training rows keep the first cells in that order, because these are what later cells are sampled from.

    Numbers are masked too; there is no Gaussian noise as in TabDDPM (Kotelnikov et al. 2023, arXiv 2209.15421). The
    code of a number is restored by an output layer that depends on its position on the scale, so that neighbouring
    values share parameters. With masks alone, the distribution of each cell given the others is exact: conditions,
    rules, imputed cells and the likelihood need no guidance and no approximation.

    On tables of fewer than 4,000 rows each column has a penalised regression on pairs
    (`synthclin.models.generator.regression`), and the network adds what out-of-fold rows confirm
    (`synthclin.models.generator.cross_validation`). A sampled row costs about half as many passes as it has columns:
    sampling is slower than that of `CellTransformer`.

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
        >>> model = sc.MaskedDiffusion(schema, effort="quick", random_state=7).fit(table)  # doctest: +SKIP
        >>> model.impute(table)  # doctest: +SKIP
    """

    family: ClassVar[str] = "diffusion"
    cost: ClassVar[tuple[float, float]] = (0.0, 0.6)
    network: ClassVar[type[SubsetNetwork]] = SubsetNetwork
    network_: SubsetNetwork

    def _row_state(self, generator: torch.Generator) -> RowState:  # noqa: ARG002 - nothing in it is random
        return SubsetRows(self.network_, self.order_)
