"""Tasks of the intended analysis: predictions for utility, and analyses to replicate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool

from synthclin.evaluation.score_names import SURVIVAL_HEADLINES, hazard_names, survival_names
from synthclin.schema.columns import Level

__all__ = [
    "Analysis",
    "CompareTask",
    "CoxTask",
    "LinearTask",
    "LogisticTask",
    "MixedTask",
    "PredictTask",
    "SurvivalTask",
    "Task",
    "Tasks",
]

Covariates = Annotated[tuple[str, ...], Field(min_length=1, strict=False)]


class _Task(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class PredictTask(_Task):
    """Predict one column from the others.

    Columns of the roles time, event and outcome are known only after the time of prediction, so they are never
    predictors.

    Example:
        >>> PredictTask(target="died").name
        'utility.died'
    """

    task: Literal["predict"] = "predict"
    target: str

    @property
    def name(self) -> str:
        """The name of the score."""
        return f"utility.{self.target}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all scores of the task."""
        return self.name, f"calibration.{self.target}", f"importance.{self.target}"

    @property
    def of_model(self) -> str:
        """The name of the score of a generative model as a classifier of the target."""
        return f"classification.{self.target}"

    @property
    def columns(self) -> tuple[str, ...]:
        """The required columns."""
        return (self.target,)


class _Analysis(_Task):
    @property
    def columns(self) -> tuple[str, ...]:
        """The required columns, the target first."""
        raise NotImplementedError

    @property
    def name(self) -> str:
        """The name of the score."""
        return f"inference.{self.task}.{self.columns[0]}"  # type: ignore[attr-defined]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all scores of the analysis."""
        return (self.name,)

    @property
    def headlines(self) -> tuple[str, ...]:
        """The names of the scores that are repeated in each subgroup."""
        return (self.name,)


class _Regression(_Analysis):
    target: str
    covariates: Covariates

    @property
    def columns(self) -> tuple[str, ...]:
        return self.target, *self.covariates


class LinearTask(_Regression):
    """Linear regression of a number on covariates."""

    task: Literal["linear"] = "linear"


class LogisticTask(_Regression):
    """Logistic regression of a column of two levels on covariates; the odds are those of the last level."""

    task: Literal["logistic"] = "logistic"


class CoxTask(_Analysis):
    """Cox regression of the time to an event on covariates.

    `event` is a column of two levels or of 0 and 1; the last is the event unless the schema declares `event_when` or
    `censored`. With `cause`, only that level counts and other causes are censored. The default `time` is the time
    column of the event in the schema.

    Example:
        >>> CoxTask(time="follow_up", event="died", covariates=["age", "sex"]).name
        'inference.cox.died'
    """

    task: Literal["cox"] = "cox"
    time: str | None = None
    event: str
    cause: Level | None = None
    covariates: Covariates

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all scores of the regression."""
        return self.name, *hazard_names(self.event)

    @property
    def columns(self) -> tuple[str, ...]:
        """The named columns, the event first."""
        return self.event, *([] if self.time is None else [self.time]), *self.covariates


class SurvivalTask(_Analysis):
    """Kaplan-Meier survival and restricted mean survival time (RMST) up to `horizon`, in each group of `by`.

    Event, cause and time as for `CoxTask`. Without a `horizon` it is the last time at which 10 real patients of each
    group are at risk.
    """

    task: Literal["survival"] = "survival"
    time: str | None = None
    event: str
    cause: Level | None = None
    by: str | None = None
    horizon: Annotated[float, Field(gt=0)] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all scores of the analysis."""
        return self.name, *survival_names(self.event)

    @property
    def headlines(self) -> tuple[str, ...]:
        """The names of the scores that are repeated in each subgroup."""
        return self.name, *(f"survival.{measure}.{self.event}" for measure in SURVIVAL_HEADLINES)

    @property
    def columns(self) -> tuple[str, ...]:
        """The named columns, the event first."""
        return tuple(name for name in (self.event, self.time, self.by) if name is not None)


class CompareTask(_Analysis):
    """Difference between the groups of `by`: of means of a number (Welch), or of the share of each level."""

    task: Literal["compare"] = "compare"
    target: str
    by: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The required columns, the target first."""
        return self.target, self.by


class MixedTask(_Analysis):
    """Linear mixed model of a number at each visit, with a random intercept of each patient (REML).

    Its terms are the fixed effects and the standard deviations between and within patients. With `slope` each patient
    has a random slope over the visit time too. `by_time` names columns of `fixed` whose effect changes with the visit
    time, such as the treatment.

    Example:
        >>> MixedTask(outcome="sbp", fixed=["day", "arm"], by_time=["arm"], slope=True).name
        'inference.mixed.sbp'
    """

    task: Literal["mixed"] = "mixed"
    outcome: str
    fixed: Covariates
    by_time: Annotated[tuple[str, ...], Field(strict=False)] = ()
    slope: StrictBool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The required columns, the outcome first."""
        return self.outcome, *self.fixed


Analysis = LinearTask | LogisticTask | CoxTask | SurvivalTask | CompareTask | MixedTask
Task = Annotated[PredictTask | Analysis, Field(discriminator="task")]


class Tasks(BaseModel):
    """Validation of tasks that are given as mappings or as objects."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    tasks: tuple[Task, ...]
