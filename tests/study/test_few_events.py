"""Cohorts that rest on few patients: the number, the evidence, the warning."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConditionError, FewEventsWarning
from synthclin.report.record.section_data import CohortFacts
from synthclin.sampling.cohorts import Cohort
from synthclin.schema import Schema
from synthclin.study.few_events import few_events, few_events_findings

SCHEMA = Schema.model_validate(
    {"columns": {"died": {"type": "boolean", "values": [0, 1]}, "arm": {"type": "category"}, "x": {"type": "number"}}}
)
CONFIRMED = [
    {"column": "died", "nats": 0.2, "error": 0.05, "share": 0.8},
    {"column": "x", "nats": 0.1, "error": 0.2, "share": 0.0},
]


def table(deaths: int, rows: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    died = [1] * deaths + [0] * (rows - deaths)
    return pd.DataFrame({"died": died, "arm": rng.choice(["A", "B"], rows), "x": rng.normal(size=rows).round(1)})


def facts(cohort: Cohort, train: pd.DataFrame) -> CohortFacts:
    few = few_events(cohort, train, SCHEMA, CONFIRMED)
    return CohortFacts(
        name=cohort.name, rows=9, probability_model=0.1, share_train=None, effective_sample_size=9, proposed=9, few=few
    )


@pytest.mark.parametrize(("deaths", "shown"), [(10, None), (11, 11), (29, 29)])
def test_number_of_patients_behind_a_condition(deaths, shown):
    few = few_events(Cohort(name="dead", rows=9, where="died == 1"), table(deaths), SCHEMA, CONFIRMED)
    assert few is not None
    assert few.patients == shown
    assert few.part == "died == 1"
    assert [one.column for one in few.dependences] == ["died"]


def test_thirty_patients_are_enough():
    assert few_events(Cohort(name="dead", rows=9, where="died == 1"), table(30), SCHEMA, CONFIRMED) is None
    assert few_events(Cohort(name="all", rows=9), table(5), SCHEMA, CONFIRMED) is None


def test_rarest_level_of_a_mix_counts_under_the_condition():
    train = table(40)
    few = few_events(
        Cohort(name="b", rows=9, where="arm == 'A'", mix={"died": {1: 0.5, 0: 0.5}}), train, SCHEMA, CONFIRMED
    )
    expected = int(((train["died"] == 1) & (train["arm"] == "A")).sum())
    assert expected < 30
    assert few is not None
    assert (few.part, few.patients) == ("died == 1", expected)


def test_finding_has_number_and_evidence():
    found = list(few_events_findings([facts(Cohort(name="dead", rows=9, where="died == 1"), table(21))]))
    assert len(found) == 1
    text = str(found[0])
    assert "cohort 'dead'" in text
    assert "rests on 21 training patients, fewer than 30" in text
    assert "the dependence of 'died' was confirmed out of fold, 0.200 nats" in text
    hidden = str(next(few_events_findings([facts(Cohort(name="dead", rows=9, where="died == 1"), table(7))])))
    assert "fewer than 11 training patients" in hidden
    assert " 7 " not in hidden


@pytest.fixture(scope="module")
def model() -> sc.ConditionalGAN:
    return sc.ConditionalGAN(SCHEMA, effort="quick", width=16, random_state=3).fit(table(22))


def test_sample_warns_of_few_events(model):
    with pytest.warns(FewEventsWarning, match="fewer than 30"):
        model.sample(20, where="died == 1", random_state=1)
    with pytest.warns(FewEventsWarning, match="mixed level"):
        model.sample(20, mix={"died": {1: 0.5, 0: 0.5}}, random_state=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.sample(20, random_state=1)
        model.sample(20, where="died == 0", random_state=1)


def test_unknown_mixed_level_is_named_as_of_the_mix(model):
    with pytest.raises(ConditionError, match="mix `"):
        model.sample(20, mix={"arm": {"A": 0.5, "C": 0.5}})
