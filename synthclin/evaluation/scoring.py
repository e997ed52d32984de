"""Evaluate a synthetic table, or several replicates: every score, and the plain data of the report's figures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from synthclin.evaluation import (
    analyses,
    balance,
    detection,
    marginals,
    missingness,
    pairs,
    precision_recall,
    privacy,
    propensity,
    proportional_hazards,
    replication,
    representation,
    sdmetrics,
    survival_fidelity,
    utility,
    validity,
)
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.attack_data import AttackData, why_not
from synthclin.evaluation.score import Score
from synthclin.evaluation.sections import sections
from synthclin.evaluation.subgroups import Groups, headlines
from synthclin.evaluation.tasks import Analysis, CoxTask, PredictTask, SurvivalTask
from synthclin.progress import track

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.schema import Schema

__all__ = ["SCORES", "Evaluation", "score_table"]

Job = Callable[[], Score | tuple[Score, ...]]

# In the order of the report, validity first.
SCORES: tuple[Callable[[Comparison], Score], ...] = (
    validity.rules,
    marginals.marginals,
    marginals.wasserstein,
    marginals.tails,
    marginals.heaping,
    marginals.rare_levels,
    pairs.pairs,
    pairs.triples,
    pairs.association_changes,
    pairs.unseen_pairs,
    missingness.missingness,
    missingness.missing_dependence,
    propensity.propensity,
    precision_recall.precision,
    precision_recall.recall,
    detection.detection,
    detection.logistic_detection,
    *privacy.ATTACKS,
    sdmetrics.quality,
    sdmetrics.diagnostic,
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation.

    Arguments:
        scores: one of each kind, and one per task.
        sections: data of the figures as JSON types; see `synthclin.evaluation.sections`.
    """

    scores: tuple[Score, ...]
    sections: dict[str, Any]

    def __getitem__(self, name: str) -> Score:
        """Return the score called `name`."""
        return next(score for score in self.scores if score.name == name)


def score_table(
    synthetic: pd.DataFrame | Sequence[pd.DataFrame],
    *,
    train: pd.DataFrame,
    holdout: pd.DataFrame | None = None,
    schema: Schema,
    tasks: Sequence[PredictTask | Analysis] = (),
    by: Sequence[str] = (),
    random_state: int = 0,
) -> Evaluation:
    """Evaluate a synthetic table against the training rows of its model and holdout rows.

    Arguments:
        synthetic: the synthetic table, or several replicates of one model, the released one first: fidelity, detection
            and utility are means over all replicates, validity and privacy are of the first. All tables are typed as
            `conform` returns them.
        train: the training rows.
        holdout: real rows that were not used in training; without them detection, utility and attacks are not
            assessable.
        schema: the schema of all tables.
        tasks: predictions for utility, and analyses to replicate; without any, each column with the role event or
            outcome is predicted.
        by: columns of levels; the headline scores and the attacks are repeated in their groups.
        random_state: seed; equal seeds give equal scores, for any number of cores.

    Raises:
        DataError: a table has no rows, lacks a column, or has text in a column of numbers or dates.
        ConfigError: a task or `by` names a column that it cannot use.

    Example:
        >>> import numpy as np, pandas as pd
        >>> from synthclin.progress import quiet
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"age": {"type": "number"}, "bmi": {"type": "number"}}})
        >>> rows = lambda seed: pd.DataFrame(np.random.default_rng(seed).normal(size=(60, 2)), columns=["age", "bmi"])
        >>> with quiet():
        ...     evaluation = score_table(rows(1), train=rows(2), holdout=rows(3), schema=schema)
        >>> evaluation["privacy.copies"].value
        0.0
    """
    # One thread, so that sums have one order; small tables are no slower.
    with threadpool_limits(limits=1):
        comparison = Comparison.of(synthetic, train=train, holdout=holdout, schema=schema, random_state=random_state)
        # Misspelt columns are refused before the work starts.
        jobs = _jobs(comparison, tuple(dict.fromkeys(tasks or utility.default_tasks(schema))), by)
        scores: list[Score] = []
        with track("scoring", total=len(jobs), unit="scores") as step:
            for job in jobs:
                computed = job()
                scores += (computed,) if isinstance(computed, Score) else computed
                step(1, note=scores[-1].name)
        return Evaluation(tuple(scores), sections(comparison, scores))


def _jobs(c: Comparison, tasks: Sequence[PredictTask | Analysis], by: Sequence[str]) -> list[Job]:
    """Return the function of each score, in the order of the report.

    Raises:
        ConfigError: a task or `by` names a column that it cannot use.
    """
    data = None if why_not(c) else AttackData.of(c, by)
    attacks = {attack: partial(attack, by=by, data=data) for attack in privacy.ATTACKS}
    jobs: list[Job] = [partial(attacks.get(job, job), c) for job in SCORES]
    grouped = [Groups.of(c, name) for name in by]
    for task in tasks:
        jobs += _of_task(c, task, by)
    if c.schema.randomised is not None:
        jobs.append(partial(balance.balance, c))
    for groups in grouped:
        jobs += [partial(groups.again, headline) for headline in headlines()]
        jobs.append(partial(representation.representation, c, groups.by))
        for task in tasks:
            if isinstance(task, PredictTask):
                jobs.append(partial(representation.prevalence, c, groups.by, task))
            else:
                jobs += [partial(groups.again, headline) for headline in headlines(task)]
    return jobs


def _of_task(c: Comparison, task: PredictTask | Analysis, by: Sequence[str]) -> list[Job]:
    if isinstance(task, PredictTask):
        utility.target(c, task)
        return [partial(utility.predict, c, task, by=by)]
    # Several scores share the fits to the same rows.
    found = analyses.study(c, task)
    jobs: list[Job] = [partial(replication.replicate, c, task, found)]
    if isinstance(task, SurvivalTask):
        jobs.append(partial(survival_fidelity.followed, c, task))
    elif isinstance(task, CoxTask):
        jobs += [
            partial(proportional_hazards.hazards, c, task, found),
            partial(proportional_hazards.predictive_accuracy, c, task, found),
        ]
    return jobs
