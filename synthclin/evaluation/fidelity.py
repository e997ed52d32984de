"""Does the synthetic table look like the real one: each column, each pair of columns, and what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.evaluation.association import associations, changes
from synthclin.evaluation.cells import MIN_CELL, small
from synthclin.evaluation.comparison import subsample
from synthclin.evaluation.features import Codebook
from synthclin.evaluation.intervals import deal, jackknife, recentred, resamples
from synthclin.evaluation.score import Definition, Score

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = ["agreements", "marginals", "missingness", "pair_agreements", "pairs"]

_BOOTSTRAP = 100
_GROUPS = 20
_MOST_ROWS = 20_000
_DRAWS = 5

MARGINALS = Definition(
    "fidelity.marginals",
    "Does each column look like the real one?",
    "higher",
    "mean over columns of 1 - Kolmogorov-Smirnov distance of observed values (numbers, dates) or 1 - total variation "
    "distance with missing as a level (levels), synthetic against training rows; interval from 100 bootstrap samples "
    "of the synthetic rows (Massey, JASA 46:68-78, 1951)",
)
PAIRS = Definition(
    "fidelity.pairs",
    "Do pairs of columns go together as in the real table?",
    "higher",
    "mean over pairs of columns of 1 - total variation distance of their joint distribution, numbers in at most 10 "
    "quantile bins, rare levels pooled, missing as a level; interval from a delete-a-group jackknife with 20 groups "
    "(contingency similarity: SDMetrics; jackknife: Wolter 2007, chapter 4)",
)
MISSINGNESS = Definition(
    "fidelity.missingness",
    "Are the same cells missing together?",
    "higher",
    "1 - total variation distance of the patterns of missing cells, patterns of fewer than 11 training rows pooled; "
    "interval from 100 bootstrap samples of the synthetic rows (project convention)",
)


def marginals(c: Comparison) -> Score:
    """Score each column on its own."""
    lines = c.features.on_line
    columns = agreements(c.train, c.synthetic, lines)[0]
    replicates = agreements(
        c.train, c.synthetic, lines, resamples(len(c.synthetic), _BOOTSTRAP, c.rng("marginals"))
    ).mean(axis=1)
    real = None if c.holdout is None else agreements(c.train, c.holdout, lines)[0]
    missing = [np.isnan(rows).mean(axis=0) for rows in (c.train, c.synthetic)]
    details = [
        {
            "column": name,
            "value": columns[j],
            "ceiling": None if real is None else real[j],
            "measure": "1 - KS" if lines[j] else "1 - TVD",
            "missing_real": _share_told(missing[0][j], len(c.train)),
            "missing_synthetic": missing[1][j],
        }
        for j, name in enumerate(c.features.names)
    ]
    return MARGINALS.score(
        columns.mean(),
        recentred(columns.mean(), replicates),
        n=len(c.synthetic),
        ceiling=None if real is None else real.mean(),
        notes=[
            "Shuffling columns changes none of them, so there is no floor.",
            _size_note(c, lambda rows: float(agreements(c.train, rows, lines)[0].mean())),
        ],
        details={"columns": sorted(details, key=lambda row: row["value"])},
    )


def agreements(
    real: NDArray[np.float64],
    other: NDArray[np.float64],
    on_line: NDArray[np.bool_],
    weights: NDArray[np.int64] | None = None,
) -> NDArray[np.float64]:
    """Return how alike each column is in two tables, 0 to 1.

    Arguments:
        real: (rows, columns).
        other: (other rows, columns).
        on_line: (columns,) whether 1 - KS of the observed values or 1 - TVD with missing as a level is meant.
        weights: (samples, other rows) how often each other row counts; without them once.

    Returns:
        (samples, columns); 0 where a table has no observed value on a line, unless both have none.
    """
    counts = np.ones((1, len(other)), dtype=np.int64) if weights is None else weights
    out = np.empty((len(counts), real.shape[1]))
    for j, line in enumerate(on_line):
        a, b, drawn = real[:, j], other[:, j], counts
        if line:
            here = ~np.isnan(b)
            a, b, drawn = a[~np.isnan(a)], b[here], counts[:, here]
        distinct, cells = np.unique(np.concatenate([a, b]), return_inverse=True)
        size = max(len(distinct), 1)
        p = np.bincount(cells[: len(a)], minlength=size) / max(len(a), 1)
        for i, w in enumerate(drawn):
            total = w.sum()
            if line and (total == 0 or len(a) == 0):
                out[i, j] = float(total == 0 and len(a) == 0)
                continue
            q = np.bincount(cells[len(a) :], weights=w, minlength=size) / max(total, 1)
            out[i, j] = 1 - (np.abs(np.cumsum(p - q)).max() if line else np.abs(p - q).sum() / 2)
    return out.clip(0, 1)


def pairs(c: Comparison) -> Score:
    """Score each pair of columns."""
    if len(c.features) < 2:
        return PAIRS.unassessable("There is only one column.")
    train = subsample(c.train, _MOST_ROWS, c.rng("pairs", "train"))
    synthetic = subsample(c.synthetic, _MOST_ROWS, c.rng("pairs", "synthetic"))
    codebook = Codebook.of(c.features, train)

    def joint(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        one_hot = codebook.one_hot(codebook.codes(c.features, rows))
        return (one_hot.T @ one_hot).astype(np.float64)

    real = joint(train) / len(train)
    upper = np.triu_indices(len(c.features), 1)

    def against_real(counts: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        return pair_agreements(real, counts / n, codebook.cardinalities)[upper]

    counts = joint(synthetic)
    by_pair = against_real(counts, len(synthetic))
    left_out = [
        against_real(counts - joint(synthetic[hand]), len(synthetic) - len(hand)).mean()
        for hand in deal(len(synthetic), _GROUPS, c.rng("pairs", "groups"))
        if len(hand) < len(synthetic)
    ]

    def value(rows: NDArray[np.float64]) -> float:
        rows = subsample(rows, _MOST_ROWS, c.rng("pairs", "other"))
        return float(against_real(joint(rows), len(rows)).mean())

    worst = np.argsort(by_pair, kind="stable")[:10]
    names = c.features.names
    details: dict[str, Any] = {
        "worst": [{"columns": [names[upper[0][i]], names[upper[1][i]]], "value": by_pair[i]} for i in worst],
        "columns": names,
    }
    matrices = {"real": train, "synthetic": synthetic} | ({} if c.holdout is None else {"holdout": c.holdout})
    tied = {key: associations(c.features, codebook, rows) for key, rows in matrices.items()}
    details |= {key: tied[key].round(4) for key in ("real", "synthetic")}
    details |= changes(c.features, tied["real"], tied["synthetic"])
    for key in tied.keys() - {"real"}:
        gap = np.abs(np.nan_to_num(tied[key]) - tied["real"])[upper]
        known = gap[~np.isnan(gap)]
        details[f"mean_change_{key}"] = known.mean() if len(known) else None
        details[f"largest_change_{key}"] = known.max() if len(known) else None
    return PAIRS.score(
        by_pair.mean(),
        jackknife(by_pair.mean(), left_out),
        n=len(synthetic),
        floor=value(c.shuffled),
        ceiling=None if c.holdout is None else value(c.holdout),
        notes=[_size_note(c, value), _subsampled(c, len(synthetic))],
        details=details,
    )


def pair_agreements(
    real: NDArray[np.float64], other: NDArray[np.float64], cardinalities: tuple[int, ...]
) -> NDArray[np.float64]:
    """Return the (columns, columns) matrix of 1 - total variation distance.

    Arguments:
        real: (codes, codes) shares of rows that hold both codes, for all codes of all columns.
        other: the same of the other table.
        cardinalities: how many codes each column has.
    """
    starts = np.concatenate([[0], np.cumsum(cardinalities)[:-1]])
    gaps = np.add.reduceat(np.add.reduceat(np.abs(real - other), starts, axis=0), starts, axis=1)
    agreement: NDArray[np.float64] = 1 - gaps / 2
    return agreement


def missingness(c: Comparison) -> Score:
    """Score which cells are missing together."""
    holes, synthetic = np.isnan(c.train), np.isnan(c.synthetic)
    if not holes.any() and not synthetic.any():
        return MISSINGNESS.unassessable("No cell is missing.")
    patterns, counts = np.unique(holes, axis=0, return_counts=True)
    frequent = patterns[counts >= MIN_CELL]
    if not len(frequent):
        return MISSINGNESS.unassessable("No pattern of missing cells is shared by 11 training rows.")

    def shares(rows: NDArray[np.bool_], weights: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        found = _find(frequent, rows)
        drawn = np.ones((1, len(rows)), dtype=np.int64) if weights is None else weights
        counts = [np.bincount(found, weights=w, minlength=len(frequent) + 1) for w in drawn]
        return np.reshape(counts, (len(drawn), len(frequent) + 1)) / len(rows)

    real = shares(holes)

    def value(rows: NDArray[np.float64], weights: NDArray[np.int64] | None = None) -> NDArray[np.float64]:
        gaps: NDArray[np.float64] = np.abs(shares(np.isnan(rows), weights) - real).sum(axis=1)
        return (1 - gaps / 2).clip(0, 1)

    here = float(value(c.synthetic)[0])
    replicates = value(c.synthetic, resamples(len(c.synthetic), _BOOTSTRAP, c.rng("missingness")))
    rates = [(name, holes[:, j].mean(), synthetic[:, j].mean()) for j, name in enumerate(c.features.names)]
    rates.sort(key=lambda rate: -abs(rate[1] - rate[2]))
    by_pattern = sorted(zip(frequent, real[0], shares(synthetic)[0], strict=False), key=lambda item: -item[1])
    return MISSINGNESS.score(
        here,
        recentred(here, replicates),
        n=len(c.synthetic),
        floor=float(value(c.shuffled)[0]),
        ceiling=None if c.holdout is None else float(value(c.holdout)[0]),
        notes=[_size_note(c, lambda rows: float(value(rows)[0]))],
        details={
            "columns": [
                {"column": name, "real": _share_told(a, len(c.train)), "synthetic": b} for name, a, b in rates if a or b
            ],
            "patterns": [
                {
                    "missing": [name for name, hole in zip(c.features.names, pattern, strict=True) if hole],
                    "real": a,
                    "synthetic": b,
                }
                for pattern, a, b in by_pattern[:10]
            ],
        },
    )


def _find(patterns: NDArray[np.bool_], rows: NDArray[np.bool_]) -> NDArray[np.intp]:
    """(rows,) the number of each row's pattern; one more than the last where it is none of them."""
    numbers = {pattern.tobytes(): number for number, pattern in enumerate(patterns)}
    return np.array([numbers.get(row.tobytes(), len(patterns)) for row in rows], dtype=np.intp)


def _share_told(share: float, n: int) -> float | None:
    """Return the share of real rows, or None where so few have it that their number is not told."""
    return None if small(round(share * n)) else float(share)


def _size_note(c: Comparison, value: Callable[[NDArray[np.float64]], float]) -> str:
    """Say what a synthetic table of the holdout's size reaches, where sizes differ much: few rows cost agreement."""
    if c.holdout is None or len(c.synthetic) <= 1.5 * len(c.holdout):
        return ""
    rng = c.rng("size")
    same = np.mean([value(subsample(c.synthetic, len(c.holdout), rng)) for _ in range(_DRAWS)])
    return (
        f"The ceiling rests on {len(c.holdout)} rows and fewer rows agree less by chance alone: "
        f"as many synthetic rows reach {same:.3f}."
    )


def _subsampled(c: Comparison, used: int) -> str:
    return "" if used == len(c.synthetic) else f"A random {used} of {len(c.synthetic)} synthetic rows were used."
