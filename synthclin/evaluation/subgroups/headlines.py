"""Subgroup evaluation: the headline scores within each group of patients; the worst group is the score."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from synthclin.errors import ConfigError
from synthclin.evaluation.analyses.analysis_kinds import overlap_of
from synthclin.evaluation.analyses.replication import replicate
from synthclin.evaluation.analyses.survival_fidelity import measured
from synthclin.evaluation.analyses.survival_kinds import SURVIVAL_KINDS
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.associations import ASSOCIATIONS, association_changes
from synthclin.evaluation.fidelity.detection import DETECTION, detection
from synthclin.evaluation.fidelity.marginals import MARGINALS, marginals
from synthclin.evaluation.fidelity.missingness import MISSINGNESS, missingness
from synthclin.evaluation.fidelity.pairs import PAIRS, pairs
from synthclin.evaluation.fidelity.propensity import PMSE, propensity
from synthclin.evaluation.groups import GroupDetails, GroupScore
from synthclin.evaluation.score import Interval, Score, no_baseline
from synthclin.evaluation.score_names import SURVIVAL_HEADLINES
from synthclin.evaluation.subgroups.group_kinds import MIN_ROWS, group_kind
from synthclin.evaluation.tasks import SurvivalTask
from synthclin.evaluation.validity import RULES, rules
from synthclin.evaluation.visits.patient_vectors import patient_vectors
from synthclin.evaluation.visits.task_rows import rows_of_task
from synthclin.language import tr, tr_plural
from synthclin.schema.patients import MIN_PATIENTS

if TYPE_CHECKING:
    from synthclin.evaluation.features import Feature
    from synthclin.evaluation.kind import Kind
    from synthclin.evaluation.tasks import Analysis

__all__ = ["Groups", "Headline", "headlines"]

_SCORED = ("value", "low", "high", "baseline", "reference", "n")


@dataclass(frozen=True, slots=True)
class Headline:
    """A score of the whole table that is repeated in each group.

    Arguments:
        kind: its kind.
        compute: the score of a comparison, of the whole table or of one group.
        columns: the required columns; the score cannot be repeated in groups of one of them.
    """

    kind: Kind[Any]
    compute: Callable[[Comparison], Score]
    columns: tuple[str, ...] = ()


def _of_patients(c: Comparison) -> Score:
    """Score the C2ST, of one row per patient where visits are declared."""
    return detection(patient_vectors(c), brief=True)


def _on_rows(compute: Callable[[Comparison], Score], task: Analysis) -> Callable[[Comparison], Score]:
    return partial(_of_task, compute=compute, task=task)


def _of_task(c: Comparison, compute: Callable[[Comparison], Score], task: Analysis) -> Score:
    """Score an analysis on the rows that it is about."""
    return compute(rows_of_task(c, task))


_EVERY_RUN = (
    Headline(RULES, rules),
    Headline(MARGINALS, marginals),
    Headline(PAIRS, pairs),
    Headline(ASSOCIATIONS, association_changes),
    Headline(MISSINGNESS, missingness),
    Headline(PMSE, propensity),
    Headline(DETECTION, _of_patients),
)


def headlines(task: Analysis | None = None) -> tuple[Headline, ...]:
    """Return the scores that are repeated in each group: of every run, or of a declared analysis."""
    if task is None:
        return _EVERY_RUN
    found = [Headline(overlap_of(task), _on_rows(partial(replicate, task=task), task), task.columns)]
    if isinstance(task, SurvivalTask):
        found += [
            Headline(
                SURVIVAL_KINDS[measure](task.event),
                _on_rows(partial(measured, task=task, measure=measure), task),
                task.columns,
            )
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
            enough = here.sum() >= MIN_ROWS and len(np.unique(c.train_patients[here])) >= MIN_PATIENTS
            if enough and min((rows[:, j] == place).sum() for rows in c.replicates) >= MIN_ROWS:
                parts[str(level)] = c.where(j, float(place))
        unknown = any(np.isnan(rows[:, j]).any() for rows in (c.train, *c.replicates))
        return cls(by, parts, len(feature.levels) - len(parts), unknown)

    def again(self, headline: Headline) -> Score:
        """Score each group; the result is of the group with the largest deficit to its own real-data reference.

        Raises:
            ConfigError: the score names a column that it cannot use.
        """
        of = headline.kind
        kind = group_kind(self.by, of)
        common = GroupDetails(score=of.name, column=self.by, worst=None, groups=[], not_judged=self.small)
        if self.by in headline.columns:
            return kind.unassessable(tr("It compares the groups of '{column}' itself.", column=self.by), details=common)
        scores = {level: headline.compute(part) for level, part in self.parts.items()}
        known = {level: score for level, score in scores.items() if not np.isnan(score.value)}
        unassessable = [level for level in scores if level not in known]
        left_out = [
            tr(
                "Not assessable in {levels}: {note}",
                levels=", ".join(unassessable),
                note=scores[unassessable[0]].note,
            )
            if unassessable
            else "",
            tr_plural("{n} group is too small.", "{n} groups are too small.", self.small) if self.small else "",
            tr("Rows without '{column}' are in no group.", column=self.by) if self.unknown else "",
        ]
        if not known:
            notes = [*([] if unassessable else [tr("No group is large enough.")]), *filter(None, left_out)]
            return kind.unassessable(" ".join(notes), details=common)
        level = max(known, key=lambda one: _deficit(known[one]))
        worst = known[level]
        return kind.score(
            worst.value,
            Interval(worst.low, worst.high),
            n=worst.n,
            baseline=worst.baseline,
            reference=worst.reference,
            notes=[
                _worst_of(level, worst, alone=len(known) == 1),
                no_baseline() if of.name == MARGINALS.name else "",
                *left_out,
            ],
            details=common.model_copy(
                update={
                    "worst": level,
                    "groups": [
                        GroupScore.of(one, **{key: getattr(score, key) for key in _SCORED})
                        for one, score in known.items()
                    ],
                }
            ),
            replicates=worst.replicates,
        )


def _worst_of(group: str, worst: Score, *, alone: bool) -> str:
    """Return the score of the worst group as a sentence; `alone` states that no other group is evaluated."""
    values = {"group": group, "value": f"{worst.value:.3f}"}
    if worst.reference is None:
        return (
            tr("{group} is the only evaluated group: {value}.", **values)
            if alone
            else tr("{group} is the worst group: {value}.", **values)
        )
    values["reference"] = f"{worst.reference:.3f}"
    return (
        tr("{group} is the only evaluated group: {value}; its real-data reference is {reference}.", **values)
        if alone
        else tr("{group} is the worst group: {value}; its real-data reference is {reference}.", **values)
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
