"""The headline scores again, for each group of patients: does the table serve everybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from synthclin.errors import ConfigError
from synthclin.evaluation.cells import MIN_CELL
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.detection import detection
from synthclin.evaluation.marginals import marginals
from synthclin.evaluation.names import HEADLINES, subgroup_names
from synthclin.evaluation.pairs import pairs
from synthclin.evaluation.score import Definition, Interval, Score

if TYPE_CHECKING:
    from collections.abc import Callable

    from synthclin.evaluation.features import Feature

__all__ = ["grouping", "subgroups"]

_MIN_ROWS = 100
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
    feature = grouping(c, by)
    j = c.features.names.index(by)
    parts, small = {}, []
    for place, level in enumerate(feature.levels):
        here = c.train[:, j] == place
        enough = here.sum() >= _MIN_ROWS and len(np.unique(c.train_patients[here])) >= MIN_CELL
        if enough and min((rows[:, j] == place).sum() for rows in c.draws) >= _MIN_ROWS:
            parts[str(level)] = c.where(j, float(place))
        else:
            small.append(str(level))
    scores = []
    for headline, name in zip(HEADLINES, subgroup_names(by), strict=True):
        whole = {level: _COMPUTED[headline](part) for level, part in parts.items()}
        scores.append(_worst(by, name, headline, whole, small))
    return tuple(scores)


def _worst(by: str, name: str, headline: str, groups: dict[str, Score], small: list[str]) -> Score:
    known = {level: score for level, score in groups.items() if not np.isnan(score.value)}
    better: Literal["higher", "lower"] = "lower" if headline == "detection" else "higher"
    definition = Definition(
        name,
        f"Does the table serve each group of '{by}' ({headline})?",
        better,
        f"fidelity.{headline} within each group of '{by}' of {_MIN_ROWS} and more training rows, {MIN_CELL} and more "
        "patients and as many synthetic rows; value, interval, floor and ceiling are those of the worst group "
        "(project convention)",
    )
    left_out = f"{len(small)} groups are too small to judge." if small else ""
    if not known:
        return definition.unassessable(left_out or "No group can be judged.")
    sign = 1 if better == "higher" else -1
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
            "not_judged": len(small),
        },
    )
