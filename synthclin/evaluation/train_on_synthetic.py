"""Learners of synthetic and of real rows, tried on the same holdout: what they differ by, in all and in each group."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from synthclin.evaluation.intervals import learners_gap
from synthclin.evaluation.score import Definition, Interval, Score
from synthclin.evaluation.score_names import outcome_name

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.prediction_problem import Fit, PredictionProblem
    from synthclin.evaluation.tasks import PredictTask

__all__ = ["MIN_CLASS", "LearnerTrials", "group_definition", "groups_of", "in_groups", "measure"]

MIN_CLASS = 5
"""Holdout rows of a class, below which its AUC is noise."""

_MIN_GROUP = 50

Fits = dict[str, "Fit"]
Figure = Literal["performance", "brier", "sensitivity", "false_alarms"]


@dataclass(frozen=True, slots=True)
class LearnerTrials:
    """Learners by name, fitted to each kind of rows and tried on weightings of the same holdout.

    Arguments:
        replicates: learnt from each synthetic table.
        real: learnt from as many training rows.
        shuffled: learnt from training rows, each column shuffled.
        halves: learnt from disjoint halves of the training rows.
        drawn_halves: the same of the synthetic rows; none where there are several tables.
    """

    replicates: list[Fits]
    real: Fits
    shuffled: Fits
    halves: list[tuple[Fits, Fits]]
    drawn_halves: list[tuple[Fits, Fits]]

    def of_group(self, place: int, samples: int, of_halves: int) -> LearnerTrials:
        """Return what one group of weightings shows: the group itself and bootstrap samples of it.

        Arguments:
            place: which group.
            samples: how many weightings each group has, itself the first.
            of_halves: how many of these the halves were tried on.
        """
        some, few = (slice(place * size, (place + 1) * size) for size in (samples, of_halves))
        return LearnerTrials(
            [_part(fits, some) for fits in self.replicates],
            _part(self.real, some),
            _part(self.shuffled, some),
            [(_part(one, few), _part(other, few)) for one, other in self.halves],
            [(_part(one, few), _part(other, few)) for one, other in self.drawn_halves],
        )

    def difference(
        self, definition: Definition, figure: Figure, n: int, notes: list[str], details: dict[str, Any]
    ) -> Score:
        """Score a figure of what learnt from synthetic rows minus that of what learnt from real ones."""

        def mean(fits: Fits) -> NDArray[np.float64]:
            found: NDArray[np.float64] = np.mean([getattr(fits[name], figure) for name in self.real], axis=0)
            return found

        real = mean(self.real)

        def both(halves: list[tuple[Fits, Fits]]) -> list[NDArray[np.float64]]:
            return [np.stack([mean(one), mean(other)]) for one, other in halves]

        gaps = np.array([mean(fits) - real for fits in self.replicates])
        return definition.score(
            gaps[:, 0].mean(),
            learners_gap(gaps, both(self.halves), both(self.drawn_halves)),
            n=n,
            baseline=float((mean(self.shuffled) - real)[0]),
            reference=0.0,
            notes=["The real-data reference is 0 by definition: what real training rows reach is subtracted.", *notes],
            details=details,
            tables=gaps[:, 0].tolist(),
        )


def _part(fits: Fits, some: slice) -> Fits:
    """Return the fits as some of the weightings of the test rows show them."""
    figures = ("performance", "brier", "sensitivity", "false_alarms")
    return {name: replace(fit, **{each: getattr(fit, each)[some] for each in figures}) for name, fit in fits.items()}


def measure(problem: PredictionProblem) -> str:
    """Return what performance is, in words."""
    if problem.classes is None:
        return "R2 on the log(1 + y) scale" if problem.log else "R2"
    return "AUC" if len(problem.classes) == 2 else "AUC (mean of each class against the others)"


def group_definition(by: str, task: PredictTask, problem: PredictionProblem) -> Definition:
    """Return the definition of the score of the groups of one column."""
    return Definition(
        outcome_name(by, "utility", task.target),
        f"Is '{task.target}' predicted as well for each group of '{by}'?",
        "higher",
        f"{measure(problem)} within each group of '{by}' of {_MIN_GROUP} and more holdout rows, {MIN_CLASS} of each "
        "class, by models that learnt from all synthetic rows minus those that learnt from as many real rows, as "
        f"{task.name}; value and interval are those of the group that loses most; for two classes the details tell "
        "the Brier score and, where a chance above the share of the class counts as a yes, the rates of true and "
        "false ones, synthetic minus real (Hardt, Price and Srebro, NeurIPS 2016)",
    )


def groups_of(
    c: Comparison, by: str, test: NDArray[np.float64], problem: PredictionProblem
) -> dict[str, NDArray[np.bool_]]:
    """Return which test rows are in each group that is large enough."""
    j = c.features.names.index(by)
    members = {str(level): test[:, j] == place for place, level in enumerate(c.features.columns[j].levels)}

    def enough(rows: NDArray[np.float64]) -> bool:
        y = rows[:, problem.target]
        classes = () if problem.classes is None else problem.classes
        return len(rows) >= _MIN_GROUP and all((y == k).sum() >= MIN_CLASS for k in classes)

    return {level: mask for level, mask in members.items() if enough(test[mask])}


def in_groups(
    by: str, task: PredictTask, problem: PredictionProblem, groups: dict[str, LearnerTrials], sizes: dict[str, int]
) -> Score:
    """Score the group whose patients are predicted worst, and tell of each group what differs."""
    definition = group_definition(by, task, problem)
    if not groups:
        return definition.unassessable(f"No group has {_MIN_GROUP} holdout rows, {MIN_CLASS} of each class.")

    def differs(level: str, figure: Figure) -> Score:
        return groups[level].difference(definition, figure, sizes[level], [], {})

    scores = {level: differs(level, "performance") for level in groups}
    level = min(scores, key=lambda one: scores[one].value)
    worst = scores[level]
    figures: tuple[Figure, ...] = ("brier", "sensitivity", "false_alarms")
    told = [
        {"group": one, "value": score.value, "low": score.low, "high": score.high, "reference": 0.0, "n": score.n}
        | {
            each: [found.value, found.low, found.high]
            for each in figures
            for found in [differs(one, each)]
            if problem.classes is not None and len(problem.classes) == 2
        }
        for one, score in scores.items()
    ]
    return definition.score(
        worst.value,
        Interval(worst.low, worst.high),
        n=worst.n,
        baseline=worst.baseline,
        reference=0.0,
        notes=[f"The group that loses most is {level}.", worst.note],
        details={"score": task.name, "column": by, "worst": level, "groups": told},
        tables=worst.tables,
    )
