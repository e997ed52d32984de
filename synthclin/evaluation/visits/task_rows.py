"""The rows of a task in a table of visits: one per patient, or one per visit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from synthclin.evaluation.analyses.mixed_study import with_patients
from synthclin.evaluation.tasks import MixedTask
from synthclin.evaluation.visits.patient_vectors import first_visits

if TYPE_CHECKING:
    from synthclin.evaluation.comparison import Comparison
    from synthclin.evaluation.tasks import Analysis, PredictTask

__all__ = ["rows_of_task"]


def rows_of_task(c: Comparison, task: PredictTask | Analysis) -> Comparison:
    """Return the comparison that a task is about.

    Where the target is static, such as an event, it is one row per patient with the values of the first visit, as at
    baseline: visits counted as patients would make standard errors too small. Else it is the visits, for a mixed model
    with the patient of each.

    Arguments:
        c: the tables.
        task: a prediction or an analysis; its first column is the target.
    """
    if isinstance(task, MixedTask):
        return with_patients(c)
    target = c.schema.columns.get(task.columns[0])
    return c if target is None or not target.static else first_visits(c)
