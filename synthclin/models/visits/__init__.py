"""Patients with visits: one model of patients, one of each visit given those before."""

__all__: list[str] = []
