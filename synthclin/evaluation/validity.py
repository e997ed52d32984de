"""Validity: the share of rows that satisfy ranges, categories, missingness and the rules between columns."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.cell_suppression import suppressed_count
from synthclin.evaluation.intervals import wilson
from synthclin.evaluation.score import Definition, Score
from synthclin.rules.rules import violations

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison

__all__ = ["raw_rules", "rules"]

RULES = Definition(
    "validity.rules",
    "Are there impossible records?",
    "higher",
    "share of synthetic rows that break no declared range, category, missingness or rule between columns; a rule whose "
    "outcome is unknown for a missing value counts as satisfied; Wilson interval (project convention)",
)


RAW_RULES = Definition(
    "validity.raw_rules",
    "Does the model satisfy the rules without being forced to?",
    "lower",
    "largest share of rows, sampled without imposing any rule, whose codes certainly break one rule; Wilson interval "
    "(project convention)",
)


def raw_rules(shares: Mapping[str, float], rows: int) -> Score:
    """Score the largest violation rate of a rule in rows that were sampled without imposing rules.

    Arguments:
        shares: the share of rows that break each rule, by the text of the rule.
        rows: the number of sampled rows.

    Example:
        >>> raw_rules({"dbp < sbp": 0.01, "age >= 18": 0.0}, 2_000).value
        0.01
    """
    worst = max(shares.values())
    by_rule = [
        {"rule": rule, "unconstrained": share} for rule, share in sorted(shares.items(), key=lambda one: -one[1])
    ]
    return RAW_RULES.score(worst, wilson(round(worst * rows), rows), n=rows, details={"rules": by_rule})


def rules(c: Comparison) -> Score:
    """Score the share of synthetic rows that break no rule."""
    synthetic = violations(c.tables.synthetic, c.schema)
    train = violations(c.tables.train, c.schema)
    valid = _valid(synthetic, len(c.tables.synthetic))
    broken = [
        {
            "rule": rule,
            "synthetic": int(mask.sum()),
            "real": suppressed_count(int(train[rule].sum())) if rule in train else None,
        }
        for rule, mask in synthetic.items()
    ]
    broken = [row for row in broken if row["synthetic"] or row["real"] != 0]
    return RULES.score(
        valid.mean(),
        wilson(int(valid.sum()), len(valid)),
        n=len(valid),
        baseline=_share(c, c.tables.shuffled),
        reference=None if c.tables.holdout is None else _share(c, c.tables.holdout),
        details={
            "rules": sorted(broken, key=lambda row: -row["synthetic"]),
            "declared": len(synthetic),
            "synthetic_rows": len(c.tables.synthetic),
            "real_rows": len(c.tables.train),
        },
    )


def _share(c: Comparison, table: pd.DataFrame) -> float:
    return float(_valid(violations(table, c.schema), len(table)).mean())


def _valid(broken: dict[str, pd.Series[bool]], rows: int) -> NDArray[np.bool_]:
    """(rows,) mask of the rows that break no rule."""
    masks = [mask.to_numpy(dtype=bool) for mask in broken.values()]
    return ~np.any(masks, axis=0) if masks else np.ones(rows, dtype=bool)
