"""What stands behind the scores of an analyst's work, as types: predictions, analyses run again, groups of patients."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import Field, StrictBool, StrictStr, model_validator

from synthclin.report.record.parts import Count, Finite, Open, Share

__all__ = [
    "AnalysisDetails",
    "Arm",
    "CalibratedLearner",
    "Calibration",
    "CalibrationDetails",
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
    """How one kind of model predicts held-out real rows, by what it learnt from."""

    learner: StrictStr
    real: float | None
    synthetic: float | None
    shuffled: float | None = None


class UtilityDetails(Open):
    """Behind `utility.<target>`."""

    measure: StrictStr = ""
    learners: list[Learner] = Field(default_factory=list)


Ends = Annotated[list[Finite | None], Field(min_length=3, max_length=3)]


class Term(Open):
    """One estimate of an analysis: the real and the synthetic value, each with the ends of its interval."""

    term: StrictStr
    real: Ends
    synthetic: Ends
    overlap: Finite | None = None
    sign_agrees: StrictBool | None = None
    decision_agrees: StrictBool | None = None


class SurvivalCurve(Open):
    """A Kaplan-Meier curve at the first times of a grid, with the ends of its interval, and who is left."""

    survival: list[Share]
    low: list[Share]
    high: list[Share]
    at_risk: list[Count]
    censored: list[StrictBool]

    @model_validator(mode="after")
    def _same_times(self) -> SurvivalCurve:
        if len({len(self.survival), len(self.low), len(self.high), len(self.at_risk), len(self.censored)}) != 1:
            raise ValueError("the parts of the curve speak of different numbers of times")
        return self


class Arm(Open):
    """One group of patients, followed."""

    group: StrictStr
    times: Annotated[list[Finite], Field(min_length=2)]
    real: SurvivalCurve
    synthetic: SurvivalCurve

    @model_validator(mode="after")
    def _within_times(self) -> Arm:
        if max(len(self.real.survival), len(self.synthetic.survival)) > len(self.times):
            raise ValueError("a curve has more points than there are times")
        if any(left >= right for left, right in pairwise(self.times)):
            raise ValueError("times do not rise")
        return self


class AnalysisDetails(Open):
    """Behind `inference.*`: an analysis run again."""

    terms: list[Term] = Field(default_factory=list)
    tables: Count | None = None
    horizon: Finite | None = None
    curves: list[Arm] | None = None


class Calibration(Open):
    """How right the chances of a model are: Brier score, and slope and intercept of its calibration line."""

    brier: Finite | None = None
    slope: Finite | None = None
    intercept: Finite | None = None


class CalibratedLearner(Open):
    """One kind of model, by what it learnt from."""

    learner: StrictStr
    real: Calibration
    synthetic: Calibration


class CalibrationDetails(Open):
    """Behind `calibration.<target>`."""

    learners: list[CalibratedLearner] = Field(default_factory=list)


class Importance(Open):
    """What a model loses when one column is shuffled, by what it learnt from."""

    column: StrictStr
    real: Finite
    synthetic: Finite


class ImportanceDetails(Open):
    """Behind `importance.<target>`; `shared_top` is the share of the ten most important that are the same."""

    columns: list[Importance] = Field(default_factory=list)
    shared_top: Share | None = None


class GroupScore(Open):
    """A score of one group of patients; some have no interval of their own."""

    group: StrictStr
    value: Finite
    low: Finite | None = None
    high: Finite | None = None
    reference: Finite | None = None
    n: Count | None = None


class SubgroupDetails(Open):
    """Behind `subgroups.<column>.<score>`.

    Arguments:
        score: the score of the whole table that is computed again; empty where there is none.
        column: whose levels are the groups.
        worst: the group that the score is of.
        groups: those judged.
        not_judged: how many are too small.
    """

    score: StrictStr = ""
    column: StrictStr = ""
    worst: StrictStr | None = None
    groups: list[GroupScore] = Field(default_factory=list)
    not_judged: Count | None = None
