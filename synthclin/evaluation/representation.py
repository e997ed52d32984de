"""Subgroup representation: group sizes (log disparity), and the prevalence of an outcome in each group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.fidelity import estimate_fidelity
from synthclin.evaluation.score import NO_BASELINE, Definition
from synthclin.evaluation.score_names import outcome_name, representation_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.spread import Against
    from synthclin.evaluation.tasks import PredictTask

__all__ = ["prevalence", "representation"]

_MIN_ROWS = 50
_AGAINST = "against as many training rows, mean of 10 random halves of the real rows"


def representation(c: Comparison, by: str) -> Score:
    """Score the log disparity of the group sizes of one column."""
    definition = Definition(
        representation_name(by),
        f"Are the groups of '{by}' as large as in the real table?",
        "lower",
        f"mean over groups of {_MIN_ROWS} and more training rows of the absolute logarithm of the ratio of their "
        f"shares, 0.5 added to each count, {_AGAINST} (log disparity: Bhanot et al., Entropy 23:1165, 2021)",
    )
    j, levels = c.features.names.index(by), c.features.columns[c.features.names.index(by)].levels
    places = [k for k in range(len(levels)) if (c.train[:, j] == k).sum() >= _MIN_ROWS]
    if not places:
        return definition.unassessable(f"No group has {_MIN_ROWS} training rows.")

    def logs(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log([((rows[:, j] == k).sum() + 0.5) / (len(rows) + 1) for k in places])

    def measure(real: NDArray[np.float64]) -> Against:
        of_real = logs(real)
        return lambda other: np.abs(logs(other) - of_real)

    estimate = estimate_fidelity(c, measure, definition.name, high=np.inf)
    ratios = np.mean([logs(rows) for rows in c.replicates], axis=0) - logs(c.train)
    groups = [
        {"group": str(levels[k]), "log_ratio": ratio, "value": value, "reference": reference}
        for k, ratio, value, reference in zip(places, ratios, estimate.parts, estimate.reference_parts, strict=True)
    ]
    worst = max(groups, key=lambda row: abs(row["log_ratio"]))
    return estimate.score(
        definition,
        baseline=False,
        notes=[NO_BASELINE, f"The group furthest from its share is {worst['group']}."],
        details={"column": by, "worst": worst["group"], "groups": groups},
    )


def prevalence(c: Comparison, by: str, task: PredictTask) -> Score:
    """Score the prevalence, or the mean, of a prediction target in each group."""
    definition = Definition(
        outcome_name(by, "prevalence", task.target),
        f"Is '{task.target}' as frequent in each group of '{by}'?",
        "lower",
        f"mean over groups of {_MIN_ROWS} and more training rows of the largest absolute difference in the share of a "
        f"level of '{task.target}', or in the mean of a number in real standard deviations, {_AGAINST} (project "
        "convention)",
    )
    j, y = (c.features.names.index(name) for name in (by, task.target))
    feature, levels = c.features.columns[y], c.features.columns[j].levels
    places = [k for k in range(len(levels)) if (~np.isnan(c.train[c.train[:, j] == k, y])).sum() >= _MIN_ROWS]
    seen = c.train[~np.isnan(c.train[:, y]), y]
    spread = float(seen.std()) if len(seen) else 0.0
    if not places or spread == 0:
        return definition.unassessable(f"No group of {_MIN_ROWS} training rows has a target that varies.")

    def means(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return (groups, levels) shares, or (groups, 1) means."""
        parts = [part[~np.isnan(part)] for k in places for part in [rows[rows[:, j] == k, y]]]
        if feature.kind == "line":
            return np.array([[part.mean() / spread if len(part) else np.nan] for part in parts])
        size = len(feature.levels)
        return np.array([np.bincount(part.astype(int), minlength=size) / max(len(part), 1) for part in parts])

    def measure(real: NDArray[np.float64]) -> Against:
        of_real = means(real)
        return lambda other: np.abs(means(other) - of_real).max(axis=1)

    estimate = estimate_fidelity(c, measure, definition.name, high=np.inf if feature.kind == "line" else 1.0)
    groups = [
        {"group": str(levels[k]), "value": value, "reference": reference}
        for k, value, reference in zip(places, estimate.parts, estimate.reference_parts, strict=True)
    ]
    worst = max(groups, key=lambda row: row["value"])["group"]
    note = f"The group furthest off is {worst}."
    return estimate.score(definition, notes=[note], details={"column": by, "worst": worst, "groups": groups})
