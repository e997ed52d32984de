"""What a table supports: each column's dependence confirmed out of fold, and associations that a model has lost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from scipy.stats import chi2
from torch import Tensor
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.generator.code_features import code_positions

__all__ = ["ConfirmedDependence", "LostAssociation", "confirmed_share", "lost_associations"]

SIGNIFICANT = 0.05
"""Error rate of the tests of all pairs together."""

RETAINED = 0.5
"""Share of an association in training rows that sampled rows must have; with less it is lost."""

MOST_CLASSES = 4
"""Classes of a column's values in the test of a pair; *missing* is one more."""

PER_CELL = 5
"""Expected rows in a cell of the table of a pair, which a chi-squared test needs (Cochran 1954)."""

MOST_ROWS = 4_096
"""Rows that suffice for the test; every so many of a larger table are taken."""

MOST_LISTED = 100
"""Lost associations that are listed, the strongest in training rows first."""

MOST_COLUMNS = 1_000
"""Columns at most in the test; a wider table has half a million pairs."""


@dataclass(frozen=True, slots=True)
class ConfirmedDependence:
    """How much of a column's dependence on the columns sampled before it was confirmed on rows not trained on.

    Arguments:
        column: name.
        nats: gain of out-of-fold log-likelihood over the column's marginal distribution, in nats per row.
        error: standard error of the gain, over patients.
        share: the confirmed gain over that on the training rows, 0 to 1; the rest is fitted to their chance.
    """

    column: str
    nats: float
    error: float
    share: float

    @property
    def is_confirmed(self) -> bool:
        """Whether the gain exceeds two standard errors."""
        return self.nats > 2 * self.error


@dataclass(frozen=True, slots=True)
class LostAssociation:
    """A pair of columns whose association is significant in training rows and at most half as strong in sampled ones.

    Arguments:
        first: name of a column.
        second: name of the other.
        real: Cramér's V of training rows, bias-corrected.
        synthetic: the same of rows sampled from the model.
    """

    first: str
    second: str
    real: float
    synthetic: float


def confirmed_share(confirmed: float, trained: float) -> float:
    """Return the share, 0 to 1, of a gain on training rows that was confirmed on other rows; 0 without a gain.

    Example:
        >>> confirmed_share(0.1, 0.2), confirmed_share(0.3, 0.2), confirmed_share(-0.1, 0.2), confirmed_share(0.0, 0.0)
        (0.5, 1.0, 0.0, 0.0)
    """
    return min(max(confirmed / trained, 0.0), 1.0) if trained > 0 else 0.0


def lost_associations(
    columns: Sequence[ColumnLayout], real: Tensor, synthetic: Tensor, patients: int | None = None
) -> list[LostAssociation]:
    """Return associations of training rows that synthetic rows have lost, the strongest first.

    Each pair is tested by Pearson's chi-squared on a few classes of both columns, with Bonferroni's correction over all
    pairs. Strength is Cramér's V, bias-corrected (Bergsma 2013, doi:10.1016/j.jkss.2012.10.002).

    Arguments:
        columns: the columns of the codes.
        real: (rows, columns) codes of the training rows.
        synthetic: (rows, columns) codes of sampled rows; more than training rows make their strength exact.
        patients: in the training rows; fewer than rows weaken the test.
    """
    if len(columns) < 2 or len(columns) > MOST_COLUMNS or not len(real) or not len(synthetic):
        return []
    independent = min(1.0, (patients or len(real)) / len(real))
    parts = [part[:: -(-len(part) // MOST_ROWS)].cpu() for part in (real, synthetic)]
    classes = int(min(MOST_CLASSES, max(2, (len(parts[0]) * independent / PER_CELL) ** 0.5)))
    maps = [_classes(column, parts[0][:, t], classes) for t, column in enumerate(columns)]
    flags = [
        torch.stack([functional.one_hot(each[part[:, t]], classes + 1).float() for t, each in enumerate(maps)])
        for part in parts
    ]
    phi, sizes = zip(*(_squared_contingency(each) for each in flags), strict=True)
    freedom = (sizes[0][:, None] - 1) * (sizes[0][None] - 1)
    pairs = len(columns) * (len(columns) - 1) // 2
    effective = len(parts[0]) * independent
    tested = torch.triu(torch.ones_like(phi[0], dtype=torch.bool), 1) & (freedom > 0)
    p = torch.from_numpy(chi2.sf((phi[0] * effective).numpy(), freedom.clamp_min(1).numpy()))
    strengths = [
        _cramers_v(each, size, rows) for each, size, rows in zip(phi, sizes, (effective, len(parts[1])), strict=True)
    ]
    lost = tested & (p < SIGNIFICANT / pairs) & (strengths[1] < RETAINED * strengths[0])
    found = [
        LostAssociation(columns[a].name, columns[b].name, *(round(float(v[a, b]), 4) for v in strengths))
        for a, b in lost.nonzero().tolist()
    ]
    return sorted(found, key=lambda each: -each.real)[:MOST_LISTED]


def _classes(column: ColumnLayout, codes: Tensor, classes: int) -> Tensor:
    """Return the class of each code, (codes,): a quantile interval, or one of the most frequent levels or the rest."""
    counts = torch.bincount(codes, minlength=column.cardinality).float()
    if column.kind == "ordered":
        found = (code_positions(column, counts) * classes).long()
    else:
        found = counts.argsort(descending=True, stable=True).argsort().clamp(max=classes - 1)
    if column.missing is not None:
        found[column.missing] = classes
    return found


def _squared_contingency(flags: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean squared contingency of each pair and the classes of each column that occur.

    **Shape:** flags (columns, rows, classes) -> (columns, columns), (columns,).
    """
    columns, rows, classes = flags.shape
    shares = flags.mean(1)
    flat = flags.transpose(1, 2).flatten(0, 1)
    joint = (flat @ flat.T / rows).unflatten(1, (columns, classes)).unflatten(0, (columns, classes))
    product = shares[:, :, None, None] * shares[None, None]
    squares = torch.where(product > 0, joint.square() / product.clamp_min(1e-12), torch.zeros_like(joint))
    return (squares.sum((1, 3)) - 1).clamp_min(0), (shares > 0).sum(1)


def _cramers_v(phi: Tensor, sizes: Tensor, rows: float) -> Tensor:
    """Return the bias-corrected Cramér's V of each pair, (columns, columns)."""
    excess = (phi - (sizes[:, None] - 1) * (sizes[None] - 1) / max(rows - 1, 1)).clamp_min(0)
    corrected = sizes - (sizes - 1).square() / max(rows - 1, 1)
    return (excess / (torch.minimum(corrected[:, None], corrected[None]) - 1).clamp_min(1e-9)).sqrt().clamp_max(1)
