"""Scores of patients with visits: the schedule, what binds the visits of a patient, and prediction of the next one."""

__all__: list[str] = []
