"""Subgroup evaluation: the headline scores within each group of patients; the worst group is the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from synthclin.errors import ConfigError
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.detection import DETECTION, detection
from synthclin.evaluation.marginals import MARGINALS, marginals
from synthclin.evaluation.missingness import MISSINGNESS, missingness
from synthclin.evaluation.pairs import ASSOCIATIONS, PAIRS, association_changes, pairs
from synthclin.evaluation.propensity import PMSE, propensity
from synthclin.evaluation.replication import overlap_of, replicate
from synthclin.evaluation.score import NO_BASELINE, Definition, Interval, Score
from synthclin.evaluation.score_names import HEADLINES, SURVIVAL_HEADLINES, within
from synthclin.evaluation.survival_fidelity import definitions, measured
from synthclin.evaluation.tasks import SurvivalTask
from synthclin.evaluation.validity import RULES, rules
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from synthclin.evaluation.features import Feature
    from synthclin.evaluation.tasks import Analysis

__all__ = ["Groups", "Headline", "headlines"]

_MIN_ROWS = 100


@dataclass(frozen=True, slots=True)
class Headline:
    """A score of the whole table that is repeated in each group.

    Arguments:
        definition: its definition.
        compute: the score of a comparison, of the whole table or of one group.
        columns: the required columns; the score cannot be repeated in groups of one of them.
    """

    definition: Definition
    compute: Callable[[Comparison], Score]
    columns: tuple[str, ...] = ()


_EVERY_RUN = {
    each.definition.name: each
    for each in (
        Headline(RULES, rules),
        Headline(MARGINALS, marginals),
        Headline(PAIRS, pairs),
        Headline(ASSOCIATIONS, association_changes),
        Headline(MISSINGNESS, missingness),
        Headline(PMSE, propensity),
        Headline(DETECTION, partial(detection, brief=True)),
    )
}


def headlines(task: Analysis | None = None) -> tuple[Headline, ...]:
    """Return the scores that are repeated in each group: of every run, or of a declared analysis."""
    if task is None:
        return tuple(_EVERY_RUN[name] for name in HEADLINES)
    found = [Headline(overlap_of(task), partial(replicate, task=task), task.columns)]
    if isinstance(task, SurvivalTask):
        found += [
            Headline(definitions(task)[measure], partial(measured, task=task, measure=measure), task.columns)
            for measure in SURVIVAL_HEADLINES
        ]
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Groups:
    """The groups of one column, each as a comparison of its own rows.

    Arguments:
        by: the column.
        parts: the evaluated groups, of at least 100 training rows, 11 patients, and 100 rows of each replicate.
        small: the number of other groups.
        unknown: whether the column is missing in some rows, which are in no group.
    """

    by: str
    parts: dict[str, Comparison]
    small: int
    unknown: bool

    @classmethod
    def of(cls, c: Comparison, by: str) -> Groups:
        """Form the groups of a column.

        Raises:
            ConfigError: the column is not modelled, or has no levels.
        """
        feature, j = _grouping(c, by), c.features.names.index(by)
        parts = {}
        for place, level in enumerate(feature.levels):
            here = c.train[:, j] == place
            enough = here.sum() >= _MIN_ROWS and len(np.unique(c.train_patients[here])) >= MIN_PATIENTS
            if enough and min((rows[:, j] == place).sum() for rows in c.replicates) >= _MIN_ROWS:
                parts[str(level)] = c.where(j, float(place))
        unknown = any(np.isnan(rows[:, j]).any() for rows in (c.train, *c.replicates))
        return cls(by, parts, len(feature.levels) - len(parts), unknown)

    def again(self, headline: Headline) -> Score:
        """Score each group; the result is of the group with the largest deficit to its own real-data reference.

        Raises:
            ConfigError: the score names a column that it cannot use.
        """
        of = headline.definition
        definition = Definition(
            within(self.by, of.name),
            f"{of.question.removesuffix('?')}, in each group of '{self.by}'?",
            of.better,
            f"{of.name} within each group of '{self.by}' of {_MIN_ROWS} and more training rows, {MIN_PATIENTS} and "
            "more patients and as many synthetic rows; value, interval, independence baseline and real-data reference "
            "are those of the group with the largest deficit to its real-data reference (project convention)",
        )
        common = {"score": of.name, "column": self.by, "not_judged": self.small}
        if self.by in headline.columns:
            return definition.unassessable(f"It compares the groups of '{self.by}' itself.", details=common)
        scores = {level: headline.compute(part) for level, part in self.parts.items()}
        known = {level: score for level, score in scores.items() if not np.isnan(score.value)}
        unassessable = [level for level in scores if level not in known]
        left_out = [
            f"Not assessable in {', '.join(unassessable)}: {scores[unassessable[0]].note}" if unassessable else "",
            f"{self.small} {'group is' if self.small == 1 else 'groups are'} too small." if self.small else "",
            f"Rows without '{self.by}' are in no group." if self.unknown else "",
        ]
        if not known:
            notes = [*([] if unassessable else ["No group is large enough."]), *filter(None, left_out)]
            return definition.unassessable(" ".join(notes), details=common)
        level = max(known, key=lambda one: _deficit(known[one]))
        worst = known[level]
        which = "is the only evaluated group" if len(known) == 1 else "is the worst group"
        reference = "" if worst.reference is None else f"; its real-data reference is {worst.reference:.3f}"
        return definition.score(
            worst.value,
            Interval(worst.low, worst.high),
            n=worst.n,
            baseline=worst.baseline,
            reference=worst.reference,
            notes=[
                f"{level} {which}: {worst.value:.3f}{reference}.",
                NO_BASELINE if NO_BASELINE in worst.note else "",
                *left_out,
            ],
            details=common
            | {
                "worst": level,
                "groups": [
                    {"group": one}
                    | {key: getattr(score, key) for key in ("value", "low", "high", "baseline", "reference", "n")}
                    for one, score in known.items()
                ],
            },
            replicates=worst.replicates,
        )


def _grouping(c: Comparison, by: str) -> Feature:
    feature = next((feature for feature in c.features.columns if feature.name == by), None)
    if feature is None or feature.kind == "line":
        raise ConfigError(f"evaluation by '{by}'", "it is no modelled column of levels", "Name another column.")
    return feature


def _deficit(score: Score) -> float:
    """Return the deficit of a group to its own real-data reference, which corrects for the size of the group.

    Without a reference the deficit is to the best possible value.
    """
    higher = score.better == "higher"
    best = score.reference if score.reference is not None else float(higher)
    return best - score.value if higher else score.value - best
