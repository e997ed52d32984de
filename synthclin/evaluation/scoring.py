"""Evaluate a synthetic table, or several replicates: every score, and the plain data of the report's figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from synthclin.errors import UnknownScoreError
from synthclin.evaluation import privacy, validity
from synthclin.evaluation.analyses import analysis_fits, proportional_hazards, replication, survival_fidelity
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity import (
    associations,
    balance,
    detection,
    heaping,
    marginals,
    missing_dependence,
    missingness,
    pairs,
    precision_recall,
    propensity,
    rare_levels,
    sdmetrics,
    tails,
    triples,
    unseen_pairs,
    wasserstein,
)
from synthclin.evaluation.privacy.attack_data import AttackData, why_not
from synthclin.evaluation.privacy.canaries import smallest_leak
from synthclin.evaluation.privacy.details import CopyDetails, LeakDetails
from synthclin.evaluation.privacy.membership import membership
from synthclin.evaluation.privacy.membership_tpr import membership_tpr
from synthclin.evaluation.score import Score
from synthclin.evaluation.sections import sections
from synthclin.evaluation.subgroups import representation
from synthclin.evaluation.subgroups.headlines import Groups, headlines
from synthclin.evaluation.task_checks import has_treatment
from synthclin.evaluation.tasks import Analysis, CoxTask, PredictTask, SurvivalTask
from synthclin.evaluation.utility import predictions
from synthclin.evaluation.visits import (
    autocorrelation,
    copied_parts,
    icc,
    impossible,
    missing_runs,
    next_values,
    regularity,
    schedule,
    transitions,
    windows,
)
from synthclin.evaluation.visits.patient_vectors import first_visits, patient_vectors
from synthclin.evaluation.visits.task_rows import rows_of_task
from synthclin.language import tr
from synthclin.parallel import processors, run_all
from synthclin.progress import track

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.schema import Schema

__all__ = ["OF_VISITS", "SCORES", "Evaluation", "score_comparison", "score_table"]

_PARALLEL_FROM = 10_000
"""Cells of the synthetic table from which several processes are worth their start."""

_SHARING_DISTANCES = (membership, membership_tpr, smallest_leak)
_LONG = (*_SHARING_DISTANCES, detection.detection)


class Job(NamedTuple):
    """The work of one score, or of a few.

    Arguments:
        work: computes it.
        chain: jobs of one name run in one process, in their order: they share what they compute.
        long: whether it is started before the others.
    """

    work: Callable[[], Score | tuple[Score, ...]]
    chain: str = ""
    long: bool = False


# In the order of the report, validity first.
SCORES: tuple[Callable[[Comparison], Score], ...] = (
    validity.rules,
    marginals.marginals,
    wasserstein.wasserstein,
    tails.tails,
    heaping.heaping,
    rare_levels.rare_levels,
    pairs.pairs,
    triples.triples,
    associations.association_changes,
    unseen_pairs.unseen_pairs,
    missingness.missingness,
    missing_dependence.missing_dependence,
    propensity.propensity,
    precision_recall.precision,
    precision_recall.recall,
    detection.detection,
    detection.logistic_detection,
    *privacy.ATTACKS,
    sdmetrics.quality,
    sdmetrics.diagnostic,
)

# Of one row per patient where the schema declares visits: visits of a patient share constants.
_OF_PATIENTS = {
    detection.detection,
    detection.logistic_detection,
    precision_recall.precision,
    precision_recall.recall,
    *privacy.ATTACKS,
}

# Of tables whose schema declares visits.
OF_VISITS: tuple[Callable[[Comparison], Score], ...] = (
    impossible.visit_rules,
    schedule.schedule,
    regularity.regularity,
    icc.icc,
    autocorrelation.autocorrelation,
    transitions.transitions,
    missing_runs.missing_runs,
    windows.windows,
    next_values.next_values,
    copied_parts.copied_gaps,
    copied_parts.copied_visits,
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
        """Return the score called `name`.

        Raises:
            UnknownScoreError: a KeyError; there is none, and the message has the nearest name.
        """
        found = next((score for score in self.scores if score.name == name), None)
        if found is None:
            raise UnknownScoreError.of("evaluation", name, (score.name for score in self.scores))
        return found


def score_table(
    synthetic: pd.DataFrame | Sequence[pd.DataFrame],
    *,
    train: pd.DataFrame,
    holdout: pd.DataFrame | None = None,
    schema: Schema,
    tasks: Sequence[PredictTask | Analysis] = (),
    by: Sequence[str] = (),
    random_state: int = 0,
    workers: int | None = None,
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
        workers: processes to score in; None for one per processor, and a single one for small tables.

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
    comparison = Comparison.of(synthetic, train=train, holdout=holdout, schema=schema, random_state=random_state)
    return score_comparison(comparison, tasks=tasks, by=by, workers=workers)


def score_comparison(
    c: Comparison,
    *,
    tasks: Sequence[PredictTask | Analysis] = (),
    by: Sequence[str] = (),
    workers: int | None = None,
) -> Evaluation:
    """Score tables that are compared already; see `score_table`."""
    # One thread in each process: sums are formed in one order, and small tables are no slower for it.
    with threadpool_limits(limits=1):
        # What is misspelt is refused before the work starts.
        jobs = _jobs(c, tuple(dict.fromkeys(tasks or predictions.default_tasks(c.schema))), by)
        if workers is None:
            workers = processors() if c.synthetic.size >= _PARALLEL_FROM else 1
        scores = _scored(jobs, workers)
        return Evaluation(tuple(scores), sections(c))


def _of_patients(compute: Callable[[Comparison], Score], people: Comparison, c: Comparison) -> Score:
    """Return a score of one row per patient, with a note that says so.

    A copied patient is named by the number of its first row in the synthetic table.
    """
    score = compute(people)
    if isinstance(score.details, CopyDetails):
        first = np.unique(c.synthetic_patients[0], return_index=True)[1] + 1
        rows = [int(first[number - 1]) for number in score.details.copied_rows]
        score = replace(score, details=score.details.model_copy(update={"copied_rows": rows}))
    if math.isnan(score.value) or isinstance(score.details, LeakDetails):
        return score  # its note is the reason, or is about canaries alone
    note = tr("A row is a patient: static columns, the first visit and summaries of all visits.")
    return replace(score, note=f"{score.note} {note}".strip())


def _scored(jobs: Sequence[Job], workers: int) -> list[Score]:
    """Return the scores of all jobs, in their order."""
    chains: dict[str, list[int]] = {}
    for number, job in enumerate(jobs):
        chains.setdefault(job.chain or f"job {number}", []).append(number)
    places = list(chains.values())
    with track("scoring", total=len(jobs), unit="scores") as step:
        found = run_all(
            [partial(_chained, [jobs[number] for number in chain]) for chain in places],
            workers,
            first=[place for place, chain in enumerate(places) if jobs[chain[0]].long],
            done=lambda place, scores: step(len(places[place]), note=scores[-1][-1].name),
        )
    by_job = {
        number: scores
        for chain, each in zip(places, found, strict=True)
        for number, scores in zip(chain, each, strict=True)
    }
    return [score for number in range(len(jobs)) for score in by_job[number]]


def _chained(chain: Sequence[Job]) -> list[tuple[Score, ...]]:
    """Return the scores of each job of a chain, done one after the other."""
    with threadpool_limits(limits=1):
        found = [job.work() for job in chain]
    return [(each,) if isinstance(each, Score) else each for each in found]


def _jobs(c: Comparison, tasks: Sequence[PredictTask | Analysis], by: Sequence[str]) -> list[Job]:
    """Return the work of each score, in the order of the report.

    Raises:
        ConfigError: a task or `by` names a column that it cannot use.
    """
    people = patient_vectors(c)
    data = None if why_not(people) else AttackData.of(people, by)
    attacks = {attack: partial(attack, by=by, data=data) for attack in privacy.ATTACKS}
    outcomes = [task.columns[0] for task in (*tasks, *predictions.default_tasks(c.schema))]
    given: dict[Any, Any] = attacks | {
        associations.association_changes: partial(associations.association_changes, outcomes=outcomes)
    }
    jobs = [
        Job(
            partial(_of_patients, given.get(score, score), people, c)
            if score in _OF_PATIENTS and people is not c
            else partial(given.get(score, score), c),
            "distances" if score in _SHARING_DISTANCES else "",
            score in _LONG,
        )
        for score in SCORES
    ]
    if c.schema.visit_time is not None:
        jobs += [Job(partial(score, c)) for score in OF_VISITS]
    grouped = [Groups.of(c, name) for name in by]
    for task in tasks:
        jobs += _of_task(rows_of_task(c, task), task, by)
    if c.schema.randomised is not None:
        jobs.append(Job(partial(balance.balance, first_visits(c))))
    for groups in grouped:
        jobs += [Job(partial(groups.again, headline)) for headline in headlines()]
        jobs.append(Job(partial(representation.representation, first_visits(c), groups.by)))
        for task in tasks:
            if isinstance(task, PredictTask):
                jobs.append(Job(partial(representation.prevalence, rows_of_task(c, task), groups.by, task)))
            else:
                jobs += [Job(partial(groups.again, headline)) for headline in headlines(task)]
    return jobs


def _of_task(c: Comparison, task: PredictTask | Analysis, by: Sequence[str]) -> list[Job]:
    if isinstance(task, PredictTask):
        predictions.target(c, task)
        return [Job(partial(predictions.predict, c, task, by=by), long=True)]
    # Several scores share the fits to the same rows.
    found, chain = analysis_fits.study(c, task), f"task {task!r}"
    jobs = [Job(partial(replication.replicate, c, task, found), chain)]
    if has_treatment(task, c.schema):
        jobs.append(Job(partial(replication.treatment_effect, c, task, found), chain))
    if isinstance(task, SurvivalTask):
        jobs.append(Job(partial(survival_fidelity.followed, c, task), chain))
    elif isinstance(task, CoxTask):
        jobs += [
            Job(partial(proportional_hazards.hazards, c, task, found), chain),
            Job(partial(proportional_hazards.predictive_accuracy, c, task, found), chain),
        ]
    return jobs
