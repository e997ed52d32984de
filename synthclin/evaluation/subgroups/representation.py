"""Subgroup representation: group sizes (log disparity), and the prevalence of an outcome in each group."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.evaluation.fidelity.estimate import estimate_fidelity
from synthclin.evaluation.groups import GroupDetails, GroupScore
from synthclin.evaluation.score import no_baseline
from synthclin.evaluation.subgroups.group_kinds import MIN_GROUP_ROWS, prevalence_kind, representation_kind
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.fidelity.spread import Against
    from synthclin.evaluation.score import Score
    from synthclin.evaluation.tasks import PredictTask

__all__ = ["prevalence", "representation"]


def representation(c: Comparison, by: str) -> Score:
    """Score the log disparity of the group sizes of one column."""
    kind = representation_kind(by)
    j, levels = c.features.names.index(by), c.features.columns[c.features.names.index(by)].levels
    places = [k for k in range(len(levels)) if (c.train[:, j] == k).sum() >= MIN_GROUP_ROWS]
    if not places:
        return kind.unassessable(tr("No group has {rows} training rows.", rows=MIN_GROUP_ROWS))

    def logs(rows: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.log([((rows[:, j] == k).sum() + 0.5) / (len(rows) + 1) for k in places])

    def measure(real: NDArray[np.float64]) -> Against:
        of_real = logs(real)
        return lambda other: np.abs(logs(other) - of_real)

    estimate = estimate_fidelity(c, measure, kind.name, high=np.inf)
    ratios = np.mean([logs(rows) for rows in c.replicates], axis=0) - logs(c.train)
    groups = [
        GroupScore.of(str(levels[k]), log_ratio=ratio, value=value, reference=reference)
        for k, ratio, value, reference in zip(places, ratios, estimate.parts, estimate.reference_parts, strict=True)
    ]
    worst = max(groups, key=lambda row: abs(row.log_ratio or 0.0)).group
    return estimate.score(
        kind,
        baseline=False,
        notes=[no_baseline(), tr("The group furthest from its share is {group}.", group=worst)],
        details=GroupDetails(score="", column=by, worst=worst, groups=groups, not_judged=None),
    )


def prevalence(c: Comparison, by: str, task: PredictTask) -> Score:
    """Score the prevalence, or the mean, of a prediction target in each group."""
    kind = prevalence_kind(by, task.target)
    j, y = (c.features.names.index(name) for name in (by, task.target))
    feature, levels = c.features.columns[y], c.features.columns[j].levels
    places = [k for k in range(len(levels)) if (~np.isnan(c.train[c.train[:, j] == k, y])).sum() >= MIN_GROUP_ROWS]
    seen = c.train[~np.isnan(c.train[:, y]), y]
    spread = float(seen.std()) if len(seen) else 0.0
    if not places or spread == 0:
        return kind.unassessable(tr("No group of {rows} training rows has a target that varies.", rows=MIN_GROUP_ROWS))

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

    estimate = estimate_fidelity(c, measure, kind.name, high=np.inf if feature.kind == "line" else 1.0)
    groups = [
        GroupScore.of(str(levels[k]), value=value, reference=reference)
        for k, value, reference in zip(places, estimate.parts, estimate.reference_parts, strict=True)
    ]
    worst = max(groups, key=lambda row: row.value or 0.0).group
    note = tr("The group furthest off is {group}.", group=worst)
    return estimate.score(
        kind, notes=[note], details=GroupDetails(score="", column=by, worst=worst, groups=groups, not_judged=None)
    )
