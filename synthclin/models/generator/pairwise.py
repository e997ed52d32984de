"""Pairwise potentials between strongly correlated ordered columns, which smooth context logits would blur."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.stats import norm
from torch import Tensor, nn
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.generator.code_features import code_positions, is_smooth

__all__ = ["MOST", "WIDTHS", "PairwisePotential", "PairwiseTables", "find_potentials", "may_have_potential"]

WIDTHS = (0.04, 0.12, 0.35)
"""Widths of the Gaussian kernels, in units of the first column's normal score: a bin, a few bins, a loose relation."""

MOST = 64
"""Pairs in a model folder at most."""

MOST_CODES = 512
"""Codes of a column in a pair at most: a pair's table has the product of both."""

NOWHERE = 100.0
"""A centre out of reach of every kernel, for codes with too few rows."""

RELATED = 0.6
"""Least absolute correlation of normal scores; smooth context logits suffice for a weaker one."""

ENOUGH = 100
"""Rows with both values, below which a correlation counts as 0."""


@dataclass(frozen=True, slots=True)
class PairwisePotential:
    """Pairwise potential of two columns: kernel centres.

    Arguments:
        first: the column that is sampled earlier.
        second: the later one, to whose logits the potential is added.
        centres: (codes of second,) median normal score of `first` among the rows with that code.
    """

    first: int
    second: int
    centres: Tensor


def may_have_potential(column: ColumnLayout) -> bool:
    """Whether a column may be part of a potential: smooth, with few enough codes that the table fits the memory."""
    return is_smooth(column) and column.cardinality <= MOST_CODES


def find_potentials(
    columns: Sequence[ColumnLayout], frequencies: Sequence[Tensor], codes: Tensor, *, most: int, enough: int
) -> tuple[PairwisePotential, ...]:
    """Return the potentials of the most correlated pairs among (rows, columns) codes in the order of sampling.

    There are at most `most`. A centre is the median over at least `enough` rows; each row's score is that of its bin.
    """
    smooth = [t for t, column in enumerate(columns) if may_have_potential(column)]
    if len(smooth) < 2 or not most:
        return ()
    scores = torch.stack([_scores(columns[t], frequencies[t])[codes[:, t]] for t in smooth])
    correlations = _correlations(scores).abs().triu(1)
    strength, place = correlations.flatten().sort(descending=True, stable=True)
    chosen = place[:most][strength[:most] >= RELATED].tolist()
    potentials = []
    for a, b in (divmod(pair, len(smooth)) for pair in chosen):
        second = smooth[b]
        centres = torch.full((columns[second].cardinality,), NOWHERE)
        both = ~scores[a].isnan() & ~scores[b].isnan()
        for code in range(len(centres)):
            rows = both & (codes[:, second] == code)
            if int(rows.sum()) >= enough:
                centres[code] = scores[a][rows].median()
        potentials.append(PairwisePotential(smooth[a], second, centres))
    return tuple(potentials)


def _scores(column: ColumnLayout, frequency: Tensor) -> Tensor:
    """Return the normal score of each code of an ordered column, (codes,); NaN for *missing*."""
    scores = torch.from_numpy(norm.ppf(code_positions(column, frequency).numpy())).float()
    if column.missing is not None:
        scores[column.missing] = torch.nan
    return scores


def _correlations(scores: Tensor) -> Tensor:
    """Return the (columns, columns) correlations of (columns, rows) scores, each over the rows where both are known."""
    known = (~scores.isnan()).float()
    filled = scores.nan_to_num(0.0)
    count = known @ known.T
    sums, squares = filled @ known.T, filled.square() @ known.T
    covariance = filled @ filled.T - sums * sums.T / count.clamp_min(1)
    variance = squares - sums.square() / count.clamp_min(1)
    correlation = covariance / (variance * variance.T).clamp_min(1e-9).sqrt()
    return torch.where(count >= ENOUGH, correlation, torch.zeros_like(correlation))


class PairwiseTables(nn.Module):
    """Kernel tables of pairwise potentials: Gaussian kernels of the first column's score around each code's centre.

    **Shape**

    - `logits(r, codes, weights)`: codes (rows,), weights (rows, kernels) -> (rows, codes of second)
    """

    def __init__(
        self, potentials: Sequence[PairwisePotential], columns: Sequence[ColumnLayout], frequencies: Sequence[Tensor]
    ) -> None:
        super().__init__()
        self.pairs = tuple((potential.first, potential.second) for potential in potentials)
        widths = torch.tensor(WIDTHS)
        for r, potential in enumerate(potentials):
            scores = _scores(columns[potential.first], frequencies[potential.first])
            gap = scores[:, None, None] - potential.centres[None, :, None]
            self.register_buffer(f"table{r}", torch.exp(-0.5 * (gap / widths).square()).nan_to_num(0.0), False)

    def of(self, second: int) -> list[int]:
        """Return the numbers of the pairs whose second column this is."""
        return [r for r, pair in enumerate(self.pairs) if pair[1] == second]

    def kernels(self) -> list[Tensor]:
        """Return for each pair the (kernels, codes of second, codes of first) kernel tables."""
        tables: list[Tensor] = [getattr(self, f"table{r}") for r in range(len(self.pairs))]
        return [table.permute(2, 1, 0).contiguous() for table in tables]

    def logits(self, r: int, codes: Tensor, weights: Tensor) -> Tensor:
        """Return what potential `r` adds to the logits of its second column."""
        table: Tensor = getattr(self, f"table{r}")
        kernels = functional.embedding(codes, table.flatten(1))
        return torch.bmm(kernels.unflatten(1, table.shape[1:]), weights[:, :, None])[:, :, 0]
