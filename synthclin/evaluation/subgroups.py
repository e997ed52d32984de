"""The headline scores again, for each group of patients: does the table serve everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.errors import ConfigError
from synthclin.evaluation.cells import MIN_CELL
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.detection import detection
from synthclin.evaluation.marginals import marginals
from synthclin.evaluation.names import HEADLINES, outcome_name, subgroup_names
from synthclin.evaluation.pairs import pairs
from synthclin.evaluation.replication import replicate
from synthclin.evaluation.score import Definition, Interval, Score

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthclin.evaluation.features import Feature
    from synthclin.evaluation.tasks import Analysis

__all__ = ["answers", "grouping", "subgroups"]

_MIN_ROWS = 100
_WITHIN = (
    f"within each group of '{{}}' of {_MIN_ROWS} and more training rows, {MIN_CELL} and more patients and as many "
    "synthetic rows; value, interval, floor and ceiling are those of the worst group (project convention)"
)
_COMPUTED: dict[str, Callable[[Comparison], Score]] = {"marginals": marginals, "pairs": pairs, "detection": detection}


def grouping(c: Comparison, by: str) -> Feature:
    """Return the column whose levels are the groups.

    Raises:
        ConfigError: it is no column of levels that is modelled.
    """
    feature = next((feature for feature in c.features.columns if feature.name == by), None)
    if feature is None or feature.kind == "line":
        raise ConfigError(f"evaluation by '{by}'", "it is no modelled column of levels", "Name another column.")
    return feature


def subgroups(c: Comparison, by: str) -> tuple[Score, ...]:
    """Score marginals, pairs and detection in each group of a column: the worst group is the score.

    A group is judged where 100 training rows, of 11 patients, and 100 rows of each synthetic table are in it.
    """
    parts, small = _parts(c, by)
    scores = []
    for headline, name in zip(HEADLINES, subgroup_names(by), strict=True):
        definition = Definition(
            name,
            f"Does the table serve each group of '{by}' ({headline})?",
            "lower" if headline == "detection" else "higher",
            f"fidelity.{headline} {_WITHIN.format(by)}",
        )
        scores.append(_worst(definition, {level: _COMPUTED[headline](part) for level, part in parts.items()}, small))
    return tuple(scores)


def answers(c: Comparison, by: str, task: Analysis) -> Score:
    """Score a declared analysis in each group of a column, run again on the rows of the group alone.

    Raises:
        ConfigError: the analysis names a column that it cannot use.
    """
    definition = Definition(
        outcome_name(by, task.task, task.columns[0]),
        f"Would the declared analysis of '{task.columns[0]}' give the same answer in each group of '{by}'?",
        "higher",
        f"{task.name} {_WITHIN.format(by)}",
    )
    if by in task.columns:
        return definition.unassessable(f"The analysis compares the groups of '{by}' itself.")
    parts, small = _parts(c, by)
    return _worst(definition, {level: replicate(part, task) for level, part in parts.items()}, small)


def _parts(c: Comparison, by: str) -> tuple[dict[str, Comparison], int]:
    """Return the comparison of the rows of each group, and how many groups are too small for one."""
    feature = grouping(c, by)
    j = c.features.names.index(by)
    parts = {}
    for place, level in enumerate(feature.levels):
        here = c.train[:, j] == place
        enough = here.sum() >= _MIN_ROWS and len(np.unique(c.train_patients[here])) >= MIN_CELL
        if enough and min((rows[:, j] == place).sum() for rows in c.draws) >= _MIN_ROWS:
            parts[str(level)] = c.where(j, float(place))
    return parts, len(feature.levels) - len(parts)


def _worst(definition: Definition, groups: dict[str, Score], small: int) -> Score:
    known = {level: score for level, score in groups.items() if not np.isnan(score.value)}
    left_out = f"{small} groups are too small to judge." if small else ""
    if not known:
        return definition.unassessable(left_out or "No group can be judged.")
    sign = 1 if definition.better == "higher" else -1
    # Against what fresh rows of the group reach: a small group scores worse by chance alone.
    level = min(known, key=lambda one: sign * (known[one].value - (known[one].ceiling or 0.0)))
    worst = known[level]
    return definition.score(
        worst.value,
        Interval(worst.low, worst.high),
        n=worst.n,
        floor=worst.floor,
        ceiling=worst.ceiling,
        notes=[f"The worst group is {level}, furthest from what fresh real rows of it reach.", left_out],
        details={
            "worst": level,
            "groups": [
                {
                    "group": one,
                    "value": score.value,
                    "low": score.low,
                    "high": score.high,
                    "floor": score.floor,
                    "ceiling": score.ceiling,
                    "n": score.n,
                }
                for one, score in known.items()
            ],
            "not_judged": small,
        },
    )
