from __future__ import annotations

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from sdmetrics.reports import DiagnosticReport, QualityReport

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.associations import association_changes
from synthclin.evaluation.fidelity.sdmetrics import diagnostic, metadata, plain_table, quality
from synthclin.schema import Schema


@pytest.mark.parametrize(("score", "report"), [(quality, QualityReport), (diagnostic, DiagnosticReport)])
def test_scores_are_those_of_sdmetrics(compare, ideal, train, score, report):
    # The same tables as a user of SDMetrics would write them, without our adapter.
    def as_user(table: pd.DataFrame) -> pd.DataFrame:
        numbers = {name: table[name].astype(float) for name in ("age", "bmi", "weight")}
        levels = {name: table[name].astype(object) for name in ("sex", "nyha", "site")}
        return pd.DataFrame(numbers | levels | {"seen": table["seen"], "died": table["died"].astype(str)})

    columns = {name: {"sdtype": "numerical"} for name in ("age", "bmi", "weight")}
    columns |= {name: {"sdtype": "categorical"} for name in ("sex", "nyha", "site", "died")}
    columns |= {"seen": {"sdtype": "datetime"}}
    direct = report()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        direct.generate(
            {"t": as_user(train)}, {"t": as_user(ideal)}, {"tables": {"t": {"columns": columns}}}, verbose=False
        )
    found = score(compare(ideal))
    # Declared ranges are wider than the training rows, so validity may only gain.
    slack = 0.002 if report is DiagnosticReport else 1e-12
    assert found.value == pytest.approx(direct.get_score(), abs=slack)
    assert found.low <= found.value <= found.high


def test_metadata_has_the_declarations_of_the_schema(compare, ideal):
    columns = metadata(compare(ideal).features)["tables"]["table"]["columns"]
    assert columns["age"] == {"sdtype": "numerical", "range_min": 18, "range_max": 95, "range_is_nullable": False}
    assert columns["sex"]["range_values"] == ["F", "M"]
    assert columns["bmi"]["range_is_nullable"] is True
    assert columns["seen"]["sdtype"] == "datetime"


def test_plain_table_gives_back_moments_and_text(compare, ideal):
    c = compare(ideal)
    table = plain_table(c.features, c.synthetic)
    assert (table["seen"] == ideal["seen"]).all()
    assert (table["site"] == ideal["site"].astype(object)).all()
    assert table["bmi"].isna().sum() == ideal["bmi"].isna().sum()


def test_nothing_is_printed_or_warned(compare, ideal, capfd):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quality(compare(ideal.assign(age=pd.array([50] * 400, dtype="Int64"), bmi=np.nan)))
    assert capfd.readouterr() == ("", "")


def test_a_score_that_sdmetrics_cannot_compute_is_not_assessable():
    schema = Schema.model_validate({"columns": {"c": {"type": "category", "missing": "allowed"}}})
    known = pd.DataFrame({"c": pd.Categorical(["a", "b"] * 20)})
    unknown = pd.DataFrame({"c": pd.Categorical([None] * 40, categories=["a", "b"])})
    score = quality(Comparison.of(unknown, train=known, holdout=None, schema=schema))
    assert math.isnan(score.value)
    assert "could not compute" in score.note


def test_a_weak_association_that_sdmetrics_leaves_out_is_seen_as_lost():
    schema = Schema.model_validate({"columns": {name: {"type": "number"} for name in "xy"}})

    def sampled(seed, tie):
        x, noise = np.random.default_rng(seed).normal(size=(2, 1000))
        return pd.DataFrame({"x": x, "y": tie * x + np.sqrt(1 - tie**2) * noise})

    kept, lost = (
        Comparison.of(sampled(3, tie), train=sampled(1, 0.4), holdout=sampled(2, 0.4), schema=schema)
        for tie in (0.4, 0.0)
    )
    assert quality(lost).value == pytest.approx(quality(kept).value, abs=0.02)
    assert association_changes(lost).low > association_changes(kept).high
