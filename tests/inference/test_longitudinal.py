"""Inference of visits: the visit time, what is static, the follow-up time and a schedule."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.inference import infer
from synthclin.inference.roles import proposed_roles
from synthclin.rules.validation import conform
from tests.longitudinal import visits


def table():
    return visits()[["who", "arm", "age", "end", "died", "day", "sbp", "crp"]].rename(columns={"end": "z"})


def scheduled(planned, seed=0):
    rng = np.random.default_rng(seed)
    rows = []
    for i in range(80):
        kept = [time for time in planned if time == planned[0] or rng.random() < 0.7]
        rows += [{"patient_id": f"P{i}", "sex": "FM"[i % 2], "at": time, "x": float(rng.normal())} for time in kept]
    return pd.DataFrame(rows)


def test_a_static_time_that_no_visit_is_after_is_the_follow_up():
    inferred = infer(table())
    columns = inferred.schema.columns
    assert (columns["z"].role, columns["z"].static, columns["day"].role) == ("time", True, "visit")
    assert "no visit is after it" in inferred.evidence["z"][-1]
    assert columns["age"].role is None


def test_one_visit_after_it_and_it_is_none():
    late = table()
    late.loc[late.index[-1], "day"] = late["z"].iloc[-1] + 5
    assert infer(late).schema.columns["z"].role is None


def test_a_number_that_every_time_is_below_by_scale_is_none():
    far = table()
    far["z"] = 5_000 + pd.factorize(far["who"])[0] % 40
    assert infer(far).schema.columns["z"].role is None


def test_days_of_follow_up_are_compared_with_dates_from_the_first_visit_on():
    dated = table()
    start = pd.Timestamp("2021-03-01") + pd.to_timedelta(pd.factorize(dated["who"])[0] % 200, unit="D")
    dated["day"] = start + pd.to_timedelta(dated["day"], unit="D")
    columns = infer(dated).schema.columns
    assert (columns["day"].role, columns["z"].role) == ("visit", "time")


@pytest.mark.parametrize("planned", [[0, 2, 6, 12, 18], [1, 2, 3, 4], [0, 0.5, 1, 2]])
def test_few_times_that_all_visits_have_are_a_schedule(planned):
    schema = infer(scheduled(planned)).schema
    assert schema.visit_time == "at"
    assert schema.planned.schedule == tuple(planned)
    conform(scheduled(planned), schema)


def test_a_time_of_few_patients_leaves_no_schedule():
    rare = scheduled([0, 2, 6, 12])
    rare.loc[rare.index[-1], "at"] = 31
    schema = infer(rare).schema
    assert schema.planned.schedule == ()
    conform(rare, schema)


def test_an_event_is_proposed_by_patients_beside_the_follow_up():
    found = table()
    # Rows would say that the dead are followed longer: they have more visits.
    schema = infer(found).schema
    late = found["z"] > found.groupby("who")["z"].first().median()
    found["died"] = (~late).astype(int)
    lines = proposed_roles(conform(found, schema), schema)
    assert lines["died"].startswith("role: event  # two levels; 'z' differs")
    assert "z" not in lines


def test_text_that_repeats_side_by_side_is_the_patient():
    inferred = infer(table())
    assert inferred.schema.entity == "who"
    assert "neighbouring rows" in inferred.evidence["who"][0]
    assert infer(table().sample(frac=1, random_state=1)).schema.entity is None
