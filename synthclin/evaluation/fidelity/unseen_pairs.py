"""Category pairs unseen in training: levels that no real patient has together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.details import Count, Details, Pair
from synthclin.evaluation.fidelity.estimate import estimate_fidelity
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.kind import Kind
from synthclin.evaluation.score import Interval
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.score import Score

__all__ = ["UNSEEN_PAIRS", "UnseenPair", "UnseenPairDetails", "unseen_pairs"]

_MOST_LEVELS = 30


class UnseenPair(Details):
    """A category pair unseen in training."""

    columns: Pair
    """The two columns."""
    levels: Pair
    """A level of each."""
    rows: Count
    """The number of synthetic rows with both."""


class UnseenPairDetails(Details):
    """Details of the category pairs unseen in training."""

    pairs: list[UnseenPair]
    """The most frequent pairs."""


UNSEEN_PAIRS = Kind(
    name="fidelity.unseen_pairs",
    question="Do rows have combinations of levels that no real patient has?",
    better="lower",
    method=(
        "share of rows with a category pair unseen in training: levels of two columns that no row of a random half of"
        " the real rows has together, though each level is there; mean of 10 halves; interval no narrower than "
        "Wilson's (structural zeros: Hu, Reiter and Wang, arXiv:1402.6696)"
    ),
    section="fidelity",
    label="Category pairs unseen in training",
    unit="share of rows",
    ideal=0.0,
    details=UnseenPairDetails,
    counts="real",
)


def unseen_pairs(c: Comparison) -> Score:
    """Score the share of rows with a category pair unseen in training."""
    labels = np.flatnonzero(~c.features.is_numeric)
    if len(labels) < 2:
        return UNSEEN_PAIRS.unassessable(tr("Fewer than two columns have levels."))
    few = [j for j in labels if 1 < len(c.features.columns[j].levels) <= _MOST_LEVELS]
    if len(few) < 2:
        return UNSEEN_PAIRS.unassessable(tr("Fewer than two columns have 2 to {most} levels.", most=_MOST_LEVELS))
    sizes = np.array([len(c.features.columns[j].levels) for j in few])
    starts = np.concatenate([[0], np.cumsum(sizes)])

    def one_hot(rows: NDArray[np.float64]) -> NDArray[np.float32]:
        out = np.zeros((len(rows), int(starts[-1])), dtype=np.float32)
        for start, j in zip(starts[:-1], few, strict=True):
            here = np.flatnonzero(~np.isnan(rows[:, j]))
            out[here, start + rows[here, j].astype(int)] = 1
        return out

    def unseen(real: NDArray[np.float32]) -> NDArray[np.bool_]:
        """(levels, levels) mask of the unseen pairs of two seen levels."""
        together = real.T @ real
        seen = together.diagonal() > 0
        pairs_unseen: NDArray[np.bool_] = (together == 0) & seen[:, None] & seen[None, :]
        return pairs_unseen

    def share(real: NDArray[np.float64]) -> Against:
        mask = unseen(one_hot(real)).astype(np.float32)

        def share_unseen(other: NDArray[np.float64]) -> NDArray[np.float64]:
            rows = one_hot(other)
            return np.array([((rows @ mask) * rows).any(axis=1).mean()])

        return share_unseen

    found = estimate_fidelity(c, share, "unseen pairs")
    # Few unseen pairs decide the score, and a count of 0 has no variance between parts: Wilson's interval is a minimum.
    counted = wilson(found.value * len(c.synthetic), len(c.synthetic))
    low, high = found.interval(UNSEEN_PAIRS.better)
    ends = Interval(min(low, counted.low), max(high, counted.high))
    real, synthetic = one_hot(c.train), one_hot(c.synthetic)
    count = np.triu(unseen(real) * (synthetic.T @ synthetic))
    most = [
        (int(a), int(b))
        for a, b in zip(*np.unravel_index(np.argsort(-count, axis=None)[:10], count.shape), strict=True)
    ]
    level_of = [(c.features.names[j], str(level)) for j in few for level in c.features.columns[j].levels]
    return found.score(
        UNSEEN_PAIRS,
        interval=ends,
        notes=[tr("A category pair that is unseen in these real rows may still be possible.")],
        details={
            "pairs": [
                {
                    "columns": [level_of[a][0], level_of[b][0]],
                    "levels": [level_of[a][1], level_of[b][1]],
                    "rows": int(count[a, b]),
                }
                for a, b in most
                if count[a, b] > 0
            ]
        },
    )
