"""Types of score details for predictions, calibration, feature importance, repeated analyses and subgroups."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, StrictBool, StrictStr, model_validator

from synthclin.report.record.section_data import Count, Finite, Open, Share

__all__ = [
    "AnalysisDetails",
    "Arm",
    "CalibratedLearner",
    "CalibrationDetails",
    "CalibrationFigures",
    "GroupScore",
    "Importance",
    "ImportanceDetails",
    "Learner",
    "SubgroupDetails",
    "SurvivalCurve",
    "Term",
    "UtilityDetails",
]


class Learner(Open):
    """Performance of one learner on holdout rows, by its training rows: real, synthetic or shuffled real."""

    learner: StrictStr
    real: float | None
    synthetic: float | None
    shuffled: float | None = None


class UtilityDetails(Open):
    """Details of `utility.<target>`."""

    measure: StrictStr = ""
    learners: list[Learner] = Field(default_factory=list)


Ends = Annotated[list[Finite | None], Field(min_length=3, max_length=3)]


class Term(Open):
    """One estimate of an analysis on real and on synthetic rows: value, lower and upper end of the interval."""

    term: StrictStr
    real: Ends
    synthetic: Ends
    overlap: Finite | None = None
    sign_agrees: StrictBool | None = None
    decision_agrees: StrictBool | None = None


class SurvivalCurve(Open):
    """A Kaplan-Meier curve at the first times of a grid: survival, interval, patients at risk, censoring marks."""

    survival: list[Share]
    low: list[Share]
    high: list[Share]
    at_risk: list[Count]
    censored: list[StrictBool]

    @model_validator(mode="after")
    def _same_times(self) -> SurvivalCurve:
        if len({len(self.survival), len(self.low), len(self.high), len(self.at_risk), len(self.censored)}) != 1:
            raise ValueError("the parts of the curve differ in their number of times")
        return self


class Arm(Open):
    """Kaplan-Meier curves of one arm."""

    group: StrictStr
    times: Annotated[list[Finite], Field(min_length=2)]
    real: SurvivalCurve
    synthetic: SurvivalCurve

    @model_validator(mode="after")
    def _within_times(self) -> Arm:
        if max(len(self.real.survival), len(self.synthetic.survival)) > len(self.times):
            raise ValueError("a curve has more points than there are times")
        if any(left >= right for left, right in pairwise(self.times)):
            raise ValueError("times do not increase")
        return self


class AnalysisDetails(Open):
    """Details of `inference.*`: an analysis on real and on synthetic rows."""

    terms: list[Term] = Field(default_factory=list)
    replicates: Count | None = None
    horizon: Finite | None = None
    curves: list[Arm] | None = None


class CalibrationFigures(Open):
    """Calibration of predicted probabilities: Brier score, calibration slope and intercept."""

    brier: Finite | None = None
    slope: Finite | None = None
    intercept: Finite | None = None


class CalibratedLearner(Open):
    """Calibration of one learner, trained on real and on synthetic rows."""

    learner: StrictStr
    real: CalibrationFigures
    synthetic: CalibrationFigures


class CalibrationDetails(Open):
    """Details of `calibration.<target>`."""

    learners: list[CalibratedLearner] = Field(default_factory=list)


class Importance(Open):
    """Permutation importance of one column, for a model trained on real and one trained on synthetic rows."""

    column: StrictStr
    real: Finite
    synthetic: Finite


class ImportanceDetails(Open):
    """Details of `importance.<target>`; `shared_top` is the share of the ten most important columns in common."""

    columns: list[Importance] = Field(default_factory=list)
    shared_top: Share | None = None


class GroupScore(Open):
    """A score of one subgroup; `reference` is its real-data reference, `n` its number of real rows."""

    group: StrictStr
    value: Finite
    low: Finite | None = None
    high: Finite | None = None
    reference: Finite | None = None
    n: Count | None = None


class SubgroupDetails(Open):
    """Details of `subgroups.<column>.<score>`.

    Arguments:
        score: name of the whole-table score that is computed per subgroup; empty where there is none.
        column: the column whose levels are the subgroups.
        worst: the worst subgroup, whose value is the score.
        groups: the subgroups that are large enough.
        not_judged: number of subgroups that are too small.
    """

    score: StrictStr = ""
    column: StrictStr = ""
    worst: StrictStr | None = None
    groups: list[GroupScore] = Field(default_factory=list)
    not_judged: Count | None = None
