"""Association matrices of mixed columns, and the associations that a synthetic table lost or invented."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.features import Codebook, Features

__all__ = ["associations", "changes", "rank_correlations"]


def associations(features: Features, codebook: Codebook, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (columns, columns) symmetric matrix of associations.

    Two ordered columns: Spearman's correlation, -1 to 1, of ranks among the
    observed cells of each column. Two columns of levels: Cramer's V, bias-corrected
    (Bergsma, J Korean Stat Soc 42:323-328, 2013), 0 to 1. One of each: the correlation
    ratio on ranks, with the same correction for chance, 0 to 1. Rows in which either cell
    is missing are left out; NaN where fewer than 11 rows remain or a column is constant.
    """
    ordered = features.ordered
    out = np.full((len(features), len(features)), np.nan)
    lines, labels = np.flatnonzero(ordered), np.flatnonzero(~ordered)
    ranks, present = _ranked(values[:, lines])
    out[np.ix_(lines, lines)] = _spearman(ranks, present)
    codes = codebook.codes(features, values)
    levels = [_levels(codes[:, j], codebook.cardinalities[j]) for j in labels]
    for i, (a, one_hot) in enumerate(zip(labels, levels, strict=True)):
        ratios = _correlation_ratio(one_hot, ranks, present)
        out[a, lines], out[lines, a] = ratios, ratios
        for b, other in zip(labels[:i], levels[:i], strict=True):
            out[a, b] = out[b, a] = _cramers_v(one_hot.T @ other)
    np.fill_diagonal(out, 1.0)
    return out


def rank_correlations(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the (columns, columns) Spearman correlations, as `associations` does for ordered columns."""
    return _spearman(*_ranked(values))


def changes(
    features: Features, real: NDArray[np.float64], synthetic: NDArray[np.float64], most: int = 10
) -> dict[str, list[dict[str, Any]]]:
    """Return the `most` associations that got weaker (`lost`) and stronger (`invented`), largest change first.

    The change is the absolute difference, negative where the synthetic association is the weaker one; a change of sign
    adds both absolute values. There is no threshold. A synthetic association that cannot be computed counts as 0.
    """
    first, second = np.triu_indices(len(features), 1)
    before, after = real[first, second], np.nan_to_num(synthetic[first, second])
    change = np.abs(after - before) * np.where(np.abs(after) < np.abs(before), -1, 1)
    names = features.names

    def rows(chosen: NDArray[np.intp]) -> list[dict[str, Any]]:
        return [
            {
                "columns": [names[first[i]], names[second[i]]],
                "real": round(float(before[i]), 4),
                "synthetic": round(float(after[i]), 4),
                "change": round(float(change[i]), 4),
            }
            for i in chosen
        ]

    order = np.argsort(change, kind="stable")  # NaN last
    return {
        "lost": rows(order[change[order] < 0][:most]),
        "invented": rows(order[change[order] > 0][::-1][:most]),
    }


def _ranked(values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return centred ranks among the observed cells of each column, 0 where missing, and which cells are observed."""
    ranks = stats.rankdata(values, axis=0, nan_policy="omit") if values.shape[1] else values
    present = ~np.isnan(ranks)
    return np.nan_to_num(ranks - np.nanmean(np.where(present.any(0), ranks, 0.0), axis=0)), present


def _spearman(ranks: NDArray[np.float64], present: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Pearson's correlation of ranks over the rows in which both are present; `ranks` is 0 where missing."""
    here = present.astype(np.float64)
    n = here.T @ here
    sums, squares, products = ranks.T @ here, (ranks**2).T @ here, ranks.T @ ranks
    safe = np.maximum(n, 1)
    covariance = products - sums * sums.T / safe
    variance = squares - sums**2 / safe
    correlation: NDArray[np.float64] = _ratio(covariance, np.sqrt(np.clip(variance * variance.T, 0, None)), n)
    return correlation.clip(-1, 1)


def _correlation_ratio(
    one_hot: NDArray[np.float64], ranks: NDArray[np.float64], present: NDArray[np.bool_]
) -> NDArray[np.float64]:
    here = present.astype(np.float64)
    counts, sums = one_hot.T @ here, one_hot.T @ ranks
    n, total = counts.sum(axis=0), sums.sum(axis=0)
    mean_square = total**2 / np.maximum(n, 1)
    between = (sums**2 / np.maximum(counts, 1)).sum(axis=0) - mean_square
    within = one_hot.sum(axis=1) @ ranks**2 - mean_square
    share = _ratio(between, within, n)
    groups = (counts > 0).sum(axis=0)
    corrected = (share * (n - 1) - (groups - 1)) / np.maximum(n - groups, 1)
    ratio: NDArray[np.float64] = np.where(groups > 1, np.sqrt(np.clip(corrected, 0, 1)), np.nan)
    return ratio


def _cramers_v(table: NDArray[np.float64]) -> float:
    table = table[table.sum(axis=1) > 0][:, table.sum(axis=0) > 0]
    n, (r, k) = table.sum(), table.shape
    if n < MIN_PATIENTS or min(r, k) < 2:
        return float("nan")
    expected = np.outer(table.sum(axis=1), table.sum(axis=0)) / n
    phi = max(0.0, float(((table - expected) ** 2 / expected).sum() / n) - (r - 1) * (k - 1) / (n - 1))
    least = min(r - (r - 1) ** 2 / (n - 1), k - (k - 1) ** 2 / (n - 1)) - 1
    return float(min(1.0, np.sqrt(phi / least))) if least > 0 else float("nan")


def _levels(codes: NDArray[np.int64], cardinality: int) -> NDArray[np.float64]:
    """(rows, levels) zeros and ones; all zeros where missing, which is the last code."""
    here: NDArray[np.bool_] = codes[:, None] == np.arange(cardinality - 1)
    return here.astype(np.float64)


def _ratio(above: NDArray[np.float64], below: NDArray[np.float64], n: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide where there are enough rows and something varies; NaN elsewhere."""
    ratio: NDArray[np.float64] = np.divide(
        above, below, out=np.full(above.shape, np.nan), where=(n >= MIN_PATIENTS) & (below > 1e-9)
    )
    return ratio
