"""Penalised regression of each column on pairs: the part of its dependence that a few dozen rows can support.

A network of thousands of weights remembers a small table, and what it must be shrunk by takes strong associations with
it. The log-linear regression of a pair has a handful of coefficients, and the prior variance of each pair is estimated
from the pair alone: associations within chance vanish, and strong ones are hardly shrunk (empirical Bayes: Efron &
Morris 1973, doi:10.1080/01621459.1973.10481350; ridge multinomial logistic regression: le Cessie & van Houwelingen
1992, doi:10.2307/2347628).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthclin.encoding.layout import ColumnLayout
from synthclin.models.generator.code_features import code_scores

__all__ = [
    "MOST_PARENTS",
    "MULTIPLES",
    "FeatureTables",
    "Regression",
    "RegressionRows",
    "fit_paths",
    "parents_of",
    "path_log_likelihood",
]

MOST_PARENTS = 24
"""Columns on which a column is regressed, those of the strongest associations beyond chance."""

MULTIPLES = (64.0, 16.0, 4.0, 1.0, 0.25, 0.0625)
"""Penalties of a column's regression in units of the empirical Bayes estimate, from the strongest."""

STEPS = 16
"""Newton steps at each penalty, which begin at the solution of the stronger one."""

LEAST_FREEDOM = 1e-6
"""Degrees of freedom of a pair below which one of its columns is constant."""

BEYOND = 3.0
"""Standard deviations of its chance level by which an association must exceed it; otherwise it counts as none."""

RIDGE = 1e-4
"""Added to the diagonal of the Hessian."""


class FeatureTables(nn.Module):
    """Fixed features of each code of each column, orthonormal under its marginal distribution; see `code_scores`.

    **Shape:** `forward` (rows, columns) codes -> (rows, columns, features).
    """

    table: Tensor
    starts: Tensor

    def __init__(self, columns: Sequence[ColumnLayout], frequencies: Sequence[Tensor]) -> None:
        super().__init__()
        each = [code_scores(column, frequency) for column, frequency in zip(columns, frequencies, strict=True)]
        self.width = max(features.shape[1] for features in each)
        padded = [functional.pad(features, (0, self.width - features.shape[1])) for features in each]
        ends = torch.tensor([column.cardinality for column in columns]).cumsum(0)
        self.register_buffer("table", torch.cat(padded), persistent=False)
        self.register_buffer("starts", functional.pad(ends[:-1], (1, 0)), persistent=False)
        self.ends = ends.tolist()

    def forward(self, codes: Tensor) -> Tensor:
        """Return the features of each cell."""
        return functional.embedding(codes + self.starts, self.table)

    def of(self, t: int) -> Tensor:
        """Return the (codes, features) of column t."""
        return self.table[self.ends[t - 1] if t else 0 : self.ends[t]]

    def padded(self, columns: Tensor, width: int) -> Tensor:
        """Return the (columns, width, features) of several columns; rows beyond the codes of a column are any."""
        places = self.starts[columns][:, None] + torch.arange(width, device=self.table.device)
        return self.table[places.clamp_max(len(self.table) - 1)]


class Regression(nn.Module):
    """Regressions of all columns: what they add to the logits of a column is linear in the features of its parents.

    Logits of column t are `features.of(t) @ weights[t] @ (1, features of parents[t])`.

    Arguments:
        columns: in the order of sampling.
        frequencies: how often each code of each column occurs, (codes,) each.

    **Shape:** `forward` (rows, columns) codes -> (rows, columns, features), coefficients of each column's features.
    """

    parents: Tensor
    weights: Tensor

    def __init__(self, columns: Sequence[ColumnLayout], frequencies: Sequence[Tensor]) -> None:
        super().__init__()
        self.features = FeatureTables(columns, frequencies)
        width, parents = self.features.width, min(MOST_PARENTS, len(columns) - 1)
        self.register_buffer("parents", torch.zeros(len(columns), parents, dtype=torch.long))
        self.register_buffer("weights", torch.zeros(len(columns), width, 1 + parents * width))

    def forward(self, codes: Tensor, unmasked: Tensor | None = None) -> Tensor:
        """Return the coefficients of each column's features given the columns before it.

        Arguments:
            codes: (rows, columns).
            unmasked: (rows, columns) bool: which cells are known, by default all. The features of the others are 0,
                their mean.
        """
        features = self.features(codes)
        if unmasked is not None:
            features = features * unmasked[:, :, None]
        return torch.stack(
            [self.coefficients(t, features[:, self.parents[t]].flatten(1)) for t in range(codes.shape[1])], dim=1
        )

    def used(self) -> list[tuple[list[int], Tensor]]:
        """Return for each column the parents with weights, and these weights, (features, parents * features)."""
        each = self.weights[:, :, 1:].unflatten(2, (self.parents.shape[1], self.features.width))
        used = each.abs().amax((1, 3)) > 0 if each.numel() else torch.zeros_like(self.parents, dtype=torch.bool)
        return [
            (parents[kept].tolist(), weights[:, kept].flatten(1))
            for parents, weights, kept in zip(self.parents, each, used, strict=True)
        ]

    def is_causal(self) -> bool:
        """Whether the parents with weights of each column come before it."""
        return all(parent < t for t, (parents, _) in enumerate(self.used()) for parent in parents)

    def coefficients(self, t: int, context: Tensor) -> Tensor:
        """Return the coefficients of column t, (rows, parents * features) -> (rows, features)."""
        return functional.linear(context, self.weights[t, :, 1:], self.weights[t, :, 0])


class RegressionRows:
    """What the regressions add to the logits of rows that are sampled column by column.

    Arguments:
        regression: its weights do not change meanwhile.
    """

    def __init__(self, regression: Regression) -> None:
        self.regression, self.parents = regression, regression.used()

    def added(self, logits: Tensor, t: int, codes: Sequence[Tensor]) -> Tensor:
        """Return the (codes, rows) logits of column t with those of its regression.

        Arguments:
            logits: (codes, rows) without them.
            t: the column.
            codes: (rows,) codes of each column before it.
        """
        return torch.addmm(logits, self.regression.features.of(t), self._coefficients(t, codes, logits.shape[1]))

    def _coefficients(self, t: int, codes: Sequence[Tensor], rows: int) -> Tensor:
        """Return the coefficients of the features of column t, (features, rows)."""
        parents, weights = self.parents[t]
        constant = self.regression.weights[t, :, :1]
        if not parents:
            return constant.expand(-1, rows)
        context = [self.regression.features.of(p).T.index_select(1, codes[p]) for p in parents]
        return torch.addmm(constant, weights, torch.cat(context))


def parents_of(columns: int, parents: Sequence[Sequence[int]]) -> Tensor | None:
    """Return the (columns, parents) parents of a model folder as a tensor; None without a regression.

    Raises:
        ValueError: they are not columns before each of so many columns.
    """
    if parents == []:
        return None
    valid = isinstance(parents, list) and len(parents) == columns and all(isinstance(each, list) for each in parents)
    if not valid or {len(each) for each in parents} != {min(MOST_PARENTS, columns - 1)}:
        raise ValueError("not as many parents as columns need")
    if not all(type(p) is int and 0 <= p < max(t, 1) for t, each in enumerate(parents) for p in each):
        raise ValueError("a parent that is not sampled before its column")
    return torch.tensor(parents, dtype=torch.long).reshape(columns, -1)


def fit_paths(
    regression: Regression, codes: Tensor, marginals: Sequence[Tensor], given: int = 0
) -> tuple[Tensor, Tensor]:
    """Return the regressions on (rows, columns) codes at every penalty.

    Arguments:
        regression: has the features.
        codes: of training rows.
        marginals: (codes,) log marginal probabilities of each column.
        given: how many of the first columns are context alone and have no regression.

    Returns:
        (columns, parents) parents, and (1 + penalties, columns, features, 1 + parents * features) weights; the first
        are 0, of independent columns.
    """
    features = regression.features(codes)
    paths = regression.weights.new_zeros(1 + len(MULTIPLES), *regression.weights.shape)
    parents = torch.zeros_like(regression.parents)
    for t in range(given, codes.shape[1]):
        association = _associations(features[:, :t], features[:, t])
        chosen = association.argsort(descending=True, stable=True)[: parents.shape[1]]
        chosen = chosen[association[chosen] > 0]
        parents[t, : len(chosen)] = chosen
        context = functional.pad(features[:, chosen].flatten(1), (1, 0), value=1.0)
        precision = (1 / association[chosen]).repeat_interleave(features.shape[2]) / len(codes)
        precision = functional.pad(precision, (1, 0))
        paths[1:, t, :, : context.shape[1]] = _path(
            context, regression.features.of(t), codes[:, t], marginals[t], precision
        )
    return parents, paths


def path_log_likelihood(
    regression: Regression, codes: Tensor, marginals: Sequence[Tensor], parents: Tensor, paths: Tensor
) -> Tensor:
    """Return the log-likelihood of (rows, columns) codes at every penalty, (1 + penalties, columns), summed over rows.

    Arguments:
        regression: has the features.
        codes: of rows that the regressions were not fitted to.
        marginals: as in `fit_paths`.
        parents: from `fit_paths`.
        paths: from `fit_paths`.
    """
    features = regression.features(codes)
    found = []
    for t in range(codes.shape[1]):
        context = functional.pad(features[:, parents[t]].flatten(1), (1, 0), value=1.0)
        logits = context @ paths[:, t].transpose(1, 2) @ regression.features.of(t).T + marginals[t]
        wanted = codes[None, :, t, None].expand(len(paths), -1, -1)
        found.append(logits.log_softmax(2).gather(2, wanted).sum((1, 2)))
    return torch.stack(found, dim=1)


def _associations(before: Tensor, target: Tensor) -> Tensor:
    """Return the mean squared correlation of features of each earlier column and the target, less that of chance.

    The mean is over degrees of freedom, which are the sum of a column's variances: levels that do not occur add none.

    **Shape:** (rows, columns, features), (rows, features) -> (columns,).
    """
    rows = len(before)
    before, target = before - before.mean(0), target - target.mean(0)
    squares = torch.einsum("rcf,rg->cfg", before, target).div(rows).square().sum((1, 2))
    freedom = before.square().mean(0).sum(1) * target.square().mean(0).sum()
    freedom = freedom.clamp_min(LEAST_FREEDOM)
    excess = squares / freedom - 1 / rows
    return torch.where(excess > BEYOND * (2 / freedom).sqrt() / rows, excess, 0.0)


def _path(context: Tensor, features: Tensor, codes: Tensor, marginal: Tensor, precision: Tensor) -> Tensor:
    """Return the weights of one column at every penalty, (penalties, features, inputs).

    The Hessian is that of independent columns, in which the features are orthonormal; a step that does not lower the
    loss is halved.
    """
    rows = len(context)
    observed = features[codes].T @ context / rows
    hessian = context.T @ context / rows
    hessian.diagonal().add_(RIDGE)
    weights = context.new_zeros(features.shape[1], context.shape[1])
    path = []
    for multiple in MULTIPLES:
        penalty = multiple * precision
        inverse = torch.linalg.inv(hessian + penalty.diag())
        lowest, size, step = torch.inf, 1.0, torch.zeros_like(weights)
        for _ in range(STEPS + 1):
            tried = weights - size * step
            logs = (context @ tried.T @ features.T + marginal).log_softmax(1)
            loss = -logs.gather(1, codes[:, None]).mean() + (tried.square() * penalty).sum() / 2
            if float(loss) <= lowest:
                weights, lowest = tried, float(loss)
                gradient = (logs.exp() @ features).T @ context / rows - observed + weights * penalty
                step = gradient @ inverse
            else:
                size /= 2
        path.append(weights)
    return torch.stack(path)
