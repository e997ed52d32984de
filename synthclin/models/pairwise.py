"""Narrow bands: pairs of ordered columns so closely related that a smooth tilt would blur them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.stats import norm
from torch import Tensor, nn
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.code_features import code_positions, is_smooth

__all__ = ["MOST", "WIDTHS", "PairwisePotential", "PairwiseTables", "find_potentials", "may_have_potential"]

WIDTHS = (0.04, 0.12, 0.35)
"""Widths of a band in standard deviations of the first column's normal score: a bin, a few bins, a loose relation."""

MOST = 64
"""Pairs that a model folder may name."""

MOST_CODES = 512
"""Codes of a column in a pair: a pair's table has the product of both, which a large ordinal would blow up."""

NOWHERE = 100.0
"""A centre that no bump reaches, for codes with too few rows."""

RELATED = 0.6
"""Least absolute correlation of normal scores. A weaker relation is wide enough for the smooth tilt."""

ENOUGH = 100
"""Rows with both values from which a correlation is believed."""


@dataclass(frozen=True, slots=True)
class PairwisePotential:
    """Where the band of one pair lies.

    Arguments:
        first: the column that is drawn earlier.
        second: the later one, whose law the band sharpens.
        centres: (codes of second,) normal score of `first` in the middle of the rows with that code.
    """

    first: int
    second: int
    centres: Tensor


def may_have_potential(column: ColumnLayout) -> bool:
    """Whether a column is ordered finely enough for a band and not so finely that its table would fill the memory."""
    return is_smooth(column) and column.cardinality <= MOST_CODES


def find_potentials(
    columns: Sequence[ColumnLayout], frequencies: Sequence[Tensor], codes: Tensor, *, most: int, enough: int
) -> tuple[PairwisePotential, ...]:
    """Return the bands of the most closely related pairs among (rows, columns) codes in the order of drawing.

    There are at most `most`. A centre is the median, over at least `enough` rows, of a score that is itself that of a
    whole bin.
    """
    smooth = [t for t, column in enumerate(columns) if may_have_potential(column)]
    if len(smooth) < 2 or not most:
        return ()
    scores = torch.stack([_scores(columns[t], frequencies[t])[codes[:, t]] for t in smooth])
    related = _correlations(scores).abs().triu(1)
    strength, place = related.flatten().sort(descending=True, stable=True)
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
    """What the code of each pair's first column adds to the logits of its second: three bumps around the band.

    **Shape**

    - `band(r, codes, heights)`: codes (rows,), heights (rows, bumps) -> (rows, codes of second)
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

    def band(self, r: int, codes: Tensor, heights: Tensor) -> Tensor:
        """Return what pair `r` adds to the logits of its second column."""
        table: Tensor = getattr(self, f"table{r}")
        bumps = functional.embedding(codes, table.flatten(1))
        return torch.bmm(bumps.unflatten(1, table.shape[1:]), heights[:, :, None])[:, :, 0]
