"""A made OMOP Common Data Model of a few hundred patients: tables and columns of version 5.4 that a cohort needs."""

from __future__ import annotations

import numpy as np
import pandas as pd

INPATIENT, OUTPATIENT = 9201, 9202
SBP, DBP, CREATININE, WEIGHT = 3004249, 3012888, 3016723, 3025315
DIABETES, HYPERTENSION, HEART_FAILURE = 201826, 320128, 316139
CHILDREN = {DIABETES: [201826, 443732], HYPERTENSION: [320128], HEART_FAILURE: [316139, 4229440]}


def tables(patients: int = 300, seed: int = 1) -> dict[str, pd.DataFrame]:
    """The tables by name; dates are `datetime.date`."""
    rng = np.random.default_rng(seed)
    born = rng.integers(1930, 2012, patients)
    ids = np.arange(1, patients + 1)
    person = pd.DataFrame(
        {
            "person_id": ids,
            "gender_concept_id": rng.choice([8507, 8532, 0], patients, p=[0.48, 0.5, 0.02]),
            "year_of_birth": born,
        }
    )
    sick = {concept: rng.random(patients) < share for concept, share in {DIABETES: 0.3, HYPERTENSION: 0.5}.items()}
    sick[HEART_FAILURE] = rng.random(patients) < 0.1 + 0.2 * sick[HYPERTENSION] + 0.2 * (born < 1955)
    visits, measurements, conditions = [], [], []
    for row, patient in enumerate(ids):
        for _ in range(rng.integers(0, 4)):
            start = pd.Timestamp("2015-01-01") + pd.Timedelta(days=int(rng.integers(0, 3_000)))
            days, kind = int(rng.integers(0, 15)), int(rng.choice([INPATIENT, OUTPATIENT], p=[0.8, 0.2]))
            visit = len(visits) + 1
            visits.append((visit, patient, kind, start.date(), (start + pd.Timedelta(days=days)).date()))
            sbp = int(rng.normal(125 + 20 * sick[HYPERTENSION][row], 12))
            found = {SBP: sbp, DBP: sbp - int(rng.integers(25, 60)), WEIGHT: round(float(rng.normal(80, 12)), 1)}
            found[CREATININE] = round(float(rng.lognormal(0.1, 0.4)), 2)
            for concept, value in found.items():
                for day in range(min(days, 2) + 1):
                    number = None if rng.random() < 0.15 else float(value)
                    at = (start + pd.Timedelta(days=day)).date()
                    measurements.append((len(measurements) + 1, patient, concept, at, number, visit))
            for concept, has in sick.items():
                if has[row] and rng.random() < 0.8:
                    conditions.append(
                        (len(conditions) + 1, patient, int(rng.choice(CHILDREN[concept])), start.date(), visit)
                    )
    return {
        "person": person,
        "visit_occurrence": pd.DataFrame(
            visits,
            columns=["visit_occurrence_id", "person_id", "visit_concept_id", "visit_start_date", "visit_end_date"],
        ),
        "measurement": pd.DataFrame(
            measurements,
            columns=[
                *("measurement_id", "person_id", "measurement_concept_id", "measurement_date", "value_as_number"),
                "visit_occurrence_id",
            ],
        ),
        "condition_occurrence": pd.DataFrame(
            conditions,
            columns=[
                *("condition_occurrence_id", "person_id", "condition_concept_id", "condition_start_date"),
                "visit_occurrence_id",
            ],
        ),
        "concept_ancestor": pd.DataFrame(
            [(concept, child) for concept, children in CHILDREN.items() for child in children],
            columns=["ancestor_concept_id", "descendant_concept_id"],
        ),
    }
