"""Train on synthetic, test on real (TSTR): differences from training on real, overall and in each subgroup."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from synthclin.evaluation.details import NoDetails
from synthclin.evaluation.groups import GroupDetails, GroupScore
from synthclin.evaluation.intervals import learners_gap
from synthclin.evaluation.score import Interval, Score
from synthclin.evaluation.utility.prediction_kinds import MIN_CLASS, MIN_GROUP, group_prediction_kind
from synthclin.language import tr

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.details import Details
    from synthclin.evaluation.kind import Kind
    from synthclin.evaluation.tasks import PredictTask
    from synthclin.evaluation.utility.prediction_problem import Fit, PredictionProblem

__all__ = ["LearnerTrials", "groups_of", "in_groups", "measure"]

Fits = dict[str, "Fit"]
Figure = Literal["performance", "brier", "sensitivity", "false_alarms"]


@dataclass(frozen=True, slots=True)
class LearnerTrials:
    """Learners by name, trained on each kind of rows and tested on bootstrap weightings of the same holdout.

    Arguments:
        replicates: trained on each synthetic replicate.
        real: trained on as many real rows.
        shuffled: trained on real rows, each column shuffled.
        halves: trained on disjoint halves of the real training rows.
        synthetic_halves: trained on disjoint halves of the synthetic rows; empty where there are several replicates.
    """

    replicates: list[Fits]
    real: Fits
    shuffled: Fits
    halves: list[tuple[Fits, Fits]]
    synthetic_halves: list[tuple[Fits, Fits]]

    def of_group(self, place: int, samples: int, of_halves: int) -> LearnerTrials:
        """Return the results in one subgroup: itself and bootstrap samples of it.

        Arguments:
            place: number of the subgroup.
            samples: weightings per subgroup, itself the first.
            of_halves: weightings per subgroup in the tests of the halves.
        """
        some, few = (slice(place * size, (place + 1) * size) for size in (samples, of_halves))
        return LearnerTrials(
            [_part(fits, some) for fits in self.replicates],
            _part(self.real, some),
            _part(self.shuffled, some),
            [(_part(one, few), _part(other, few)) for one, other in self.halves],
            [(_part(one, few), _part(other, few)) for one, other in self.synthetic_halves],
        )

    def difference(self, kind: Kind[Any], figure: Figure, n: int, notes: list[str], details: Details) -> Score:
        """Score a metric of learners trained on synthetic rows minus that of learners trained on real rows."""

        def mean(fits: Fits) -> NDArray[np.float64]:
            found: NDArray[np.float64] = np.mean([getattr(fits[name], figure) for name in self.real], axis=0)
            return found

        real = mean(self.real)

        def both(halves: list[tuple[Fits, Fits]]) -> list[NDArray[np.float64]]:
            return [np.stack([mean(one), mean(other)]) for one, other in halves]

        gaps = np.array([mean(fits) - real for fits in self.replicates])
        return kind.score(
            gaps[:, 0].mean(),
            learners_gap(gaps, both(self.halves), both(self.synthetic_halves)),
            n=n,
            baseline=float((mean(self.shuffled) - real)[0]),
            reference=0.0,
            notes=[
                tr("The real-data reference is 0 by definition: the result of training on real rows is subtracted."),
                *notes,
            ],
            details=details,
            replicates=gaps[:, 0].tolist(),
        )


def _part(fits: Fits, some: slice) -> Fits:
    """Return the results for some weightings of the test rows."""
    figures = ("performance", "brier", "sensitivity", "false_alarms")
    return {name: replace(fit, **{each: getattr(fit, each)[some] for each in figures}) for name, fit in fits.items()}


def measure(problem: PredictionProblem) -> str:
    """Return the name of the performance metric."""
    if problem.classes is None:
        return "R2 on the log(1 + y) scale" if problem.log else "R2"
    return "AUC" if len(problem.classes) == 2 else "AUC (mean of each class against the others)"


def groups_of(
    c: Comparison, by: str, test: NDArray[np.float64], problem: PredictionProblem
) -> dict[str, NDArray[np.bool_]]:
    """Return the mask of test rows of each group that is large enough."""
    j = c.features.names.index(by)
    members = {str(level): test[:, j] == place for place, level in enumerate(c.features.columns[j].levels)}

    def enough(rows: NDArray[np.float64]) -> bool:
        y = rows[:, problem.target]
        classes = () if problem.classes is None else problem.classes
        return len(rows) >= MIN_GROUP and all((y == k).sum() >= MIN_CLASS for k in classes)

    return {level: mask for level, mask in members.items() if enough(test[mask])}


def in_groups(
    by: str, task: PredictTask, problem: PredictionProblem, groups: dict[str, LearnerTrials], sizes: dict[str, int]
) -> Score:
    """Score the group with the largest loss; the details have the differences of each group."""
    kind = group_prediction_kind(by, task.target, measure(problem))
    if not groups:
        return kind.unassessable(
            tr("No group has {rows} holdout rows, {fewest} of each class.", rows=MIN_GROUP, fewest=MIN_CLASS)
        )

    def difference(level: str, figure: Figure) -> Score:
        return groups[level].difference(kind, figure, sizes[level], [], NoDetails())

    scores = {level: difference(level, "performance") for level in groups}
    level = min(scores, key=lambda one: scores[one].value)
    worst = scores[level]
    figures: tuple[Figure, ...] = ("brier", "sensitivity", "false_alarms")
    is_binary = problem.classes is not None and len(problem.classes) == 2

    def ends(level: str, figure: Figure) -> list[float] | None:
        found = difference(level, figure) if is_binary else None
        return None if found is None else [found.value, found.low, found.high]

    rows = [
        GroupScore.of(
            one,
            value=score.value,
            low=score.low,
            high=score.high,
            reference=0.0,
            n=score.n,
            **{figure: ends(one, figure) for figure in figures},
        )
        for one, score in scores.items()
    ]
    return kind.score(
        worst.value,
        Interval(worst.low, worst.high),
        n=worst.n,
        baseline=worst.baseline,
        reference=0.0,
        notes=[tr("The group with the largest loss is {group}.", group=level), worst.note],
        details=GroupDetails(score=task.name, column=by, worst=level, groups=rows, not_judged=None),
        replicates=worst.replicates,
    )
