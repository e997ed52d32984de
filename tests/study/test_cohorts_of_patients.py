"""Cohorts of patients with visits: conditions in a configuration, and facts that count patients."""

from __future__ import annotations

import pytest

from synthclin.errors import ConfigError
from synthclin.io.documents import dump_yaml
from synthclin.rules.validation import conform
from synthclin.sampling.cohorts import Cohort
from synthclin.sampling.sample_facts import SampleFacts
from synthclin.study import config
from synthclin.study.data import patients_in
from synthclin.study.few_events import few_events
from synthclin.study.stages import cohort_facts
from tests.longitudinal import schema, visits


def written(tmp_path, where, gates=None):
    visits().to_csv(tmp_path / "visits.csv", index=False)
    document = {
        "version": 1,
        "name": "visits",
        "seed": 1,
        "data": {"source": str(tmp_path / "visits.csv")},
        "schema": schema(constraints=["previous(stage) <= stage"]).model_dump(mode="json", exclude_unset=True),
        "sampling": {"cohorts": [{"name": "one", "rows": 10, "where": where}]},
    } | ({} if gates is None else {"gates": gates})
    (tmp_path / "study.yaml").write_text(dump_yaml(document), "utf-8")
    return tmp_path / "study.yaml"


def test_a_condition_on_visits_is_read(tmp_path):
    read = config.load(written(tmp_path, "any(sbp > 150) and arm == 'A' and count() >= 2"))
    assert read.sampling.cohorts[0].predicate.columns == {"sbp", "arm"}


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("sbp > 150", r"Write any\(sbp > 150\)"),
        ("any(sbpp > 150)", "'sbpp' is not a column"),
        ("last(stage) == 7", "no level of column 'stage'"),
        ("last(smoker) > 3", "compared with"),
        ("first(any(sbp > 1))", "stands inside"),
    ],
)
def test_wrong_conditions_are_found_before_the_run(tmp_path, where, message):
    with pytest.raises(ConfigError, match=message):
        config.load(written(tmp_path, where))


def test_rules_between_visits_alone_have_no_share_without_masks(tmp_path):
    with pytest.raises(ConfigError, match="raw_rules"):
        config.load(written(tmp_path, "count() >= 2", gates=["validity.raw_rules <= 0.01"]))


def test_facts_count_patients():
    declared = schema()
    train = conform(visits(), declared)
    cohort = Cohort(name="one", rows=10, where="any(stage == 3)")
    ill = int((train.groupby("who")["stage"].max() == 3).sum())
    assert patients_in(train, cohort.holds(train, declared), declared) == ill
    facts = cohort_facts(cohort, SampleFacts(10, 20, 0.2, 10.0), train, declared)
    assert facts.patients == ill
    assert facts.share_train == pytest.approx(ill / train["who"].nunique())
    few = few_events(cohort, train, declared, ())
    assert (few is None) == (ill >= 30)
