"""Judge one synthetic table: every score, and the plain data behind the report's pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from synthclin.evaluation import detection, fidelity, privacy, sdmetrics, utility, validity
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.score import Score
from synthclin.evaluation.sections import sections
from synthclin.evaluation.tasks import PredictTask
from synthclin.progress import track

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.schema import Schema

__all__ = ["SCORES", "Evaluation", "score_table"]

# In the order of the report: the first question is whether a row can be real at all.
SCORES: tuple[Callable[[Comparison], Score], ...] = (
    validity.rules,
    fidelity.marginals,
    fidelity.pairs,
    fidelity.missingness,
    detection.detection,
    *privacy.ATTACKS,
    sdmetrics.quality,
    sdmetrics.diagnostic,
)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is known of a synthetic table.

    Arguments:
        scores: one of each kind, and one per task.
        sections: data for plots in the words of JSON; see `synthclin.evaluation.sections`.
    """

    scores: tuple[Score, ...]
    sections: dict[str, Any]

    def __getitem__(self, name: str) -> Score:
        """Return the score called `name`."""
        return next(score for score in self.scores if score.name == name)


def score_table(
    synthetic: pd.DataFrame,
    *,
    train: pd.DataFrame,
    holdout: pd.DataFrame | None = None,
    schema: Schema,
    tasks: Sequence[PredictTask] = (),
    by: Sequence[str] = (),
    random_state: int = 0,
) -> Evaluation:
    """Judge a synthetic table against the rows that its model learnt from and rows that it never saw.

    Arguments:
        synthetic: the table to judge; all tables are typed as `conform` returns them.
        train: the real rows that the model learnt from.
        holdout: real rows that the model never saw; without them detection, utility and attacks are not assessable.
        schema: what the columns mean.
        tasks: what utility is measured by; without any, each column with the role event or outcome is predicted.
        by: columns whose groups are attacked on their own as well, as far as they have patients enough.
        random_state: the same number gives the same scores, whatever the number of cores.

    Raises:
        DataError: a table has no rows or lacks a column.
        ConfigError: a task or `by` names no column that is modelled.

    Example:
        >>> import numpy as np, pandas as pd
        >>> from synthclin.progress import quiet
        >>> from synthclin.schema import Schema
        >>> schema = Schema.model_validate({"columns": {"age": {"type": "number"}, "bmi": {"type": "number"}}})
        >>> draw = lambda seed: pd.DataFrame(np.random.default_rng(seed).normal(size=(60, 2)), columns=["age", "bmi"])
        >>> with quiet():
        ...     evaluation = score_table(draw(1), train=draw(2), holdout=draw(3), schema=schema)
        >>> evaluation["privacy.copies"].value
        0.0
    """
    # One thread: sums are formed in one order, and small tables are no slower for it.
    with threadpool_limits(limits=1):
        comparison = Comparison.of(synthetic, train=train, holdout=holdout, schema=schema, random_state=random_state)
        chosen = dict.fromkeys(tasks or utility.default_tasks(schema))
        for task in chosen:
            utility.target(comparison, task)  # a misspelt one is refused before the work starts
        attacks = {attack: partial(attack, by=by) for attack in privacy.ATTACKS}
        scored = (attacks.get(job, job) for job in SCORES)
        jobs: list[Callable[[Comparison], Score]] = [*scored, *(partial(utility.predict, task=t) for t in chosen)]
        scores = []
        with track("scoring", total=len(jobs), unit="scores") as step:
            for job in jobs:
                scores.append(job(comparison))
                step(1, note=scores[-1].name)
        return Evaluation(tuple(scores), sections(comparison, scores))
