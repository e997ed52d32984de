from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import ConfigError
from synthclin.evaluation.analyses.analysis_fits import study
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.balance import balance
from synthclin.evaluation.tasks import CoxTask, SurvivalTask
from synthclin.io.documents import parse_yaml, validate
from synthclin.rules.validation import conform
from synthclin.schema import Schema

ARM = {
    "type": "category",
    "categories": ["A", "B"],
    "role": "treatment",
    "allocation": {"A": 2, "B": 1},
    "randomised": ["site"],
}
COLUMNS = {
    "arm": ARM,
    "age": {"type": "integer", "range": [18, 90], "role": "baseline"},
    "sex": {"type": "category", "categories": ["F", "M"], "role": "baseline"},
    "site": {"type": "category", "categories": [1, 2, 3]},
    "months": {"type": "number", "range": [0, 60], "role": "time"},
    "cnsr": {"type": "boolean", "values": [0, 1], "role": "event", "event_when": 0},
    "end": {"type": "category", "categories": ["alive", "cancer", "other"], "role": "event", "censored": "alive"},
}


def schema(**columns):
    return validate(Schema, {"columns": {**COLUMNS, **columns}}, "schema")


def trial(rows, seed, *, biased=False):
    """Return a trial in which B lives longer; with `biased`, the old get B."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 91, rows)
    b = rng.random(rows) < (np.where(age > 54, 0.6, 0.1) if biased else 1 / 3)
    event, stop = rng.exponential(np.where(b, 40, 15)), rng.uniform(6, 60, rows)
    died = event <= stop
    return conform(
        pd.DataFrame(
            {
                "arm": np.where(b, "B", "A"),
                "age": age,
                "sex": rng.choice(["F", "M"], rows),
                "site": rng.integers(1, 4, rows),
                "months": np.minimum(event, stop).round(1),
                "cnsr": (~died).astype(int),
                "end": np.where(died, rng.choice(["cancer", "other"], rows, p=[0.7, 0.3]), "alive"),
            }
        ),
        schema(),
    )


@pytest.fixture(scope="module")
def model():
    return sc.ConditionalGAN(schema(), effort="quick", width=32, random_state=3).fit(trial(500, 1, biased=True))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"arm": {**ARM, "role": "baseline"}}, "role: treatment"),
        ({"arm": {**ARM, "allocation": {"A": 1}}}, "its arms are not the levels"),
        ({"arm": {**ARM, "allocation": {"A": 1, "C": 1}}}, "its arms are not the levels"),
        ({"arm": {**ARM, "allocation": {"A": 1, "B": 0}}}, "greater than 0"),
        ({"arm": {**ARM, "missing": "allowed"}}, "has an arm"),
        ({"arm": {**ARM, "missing_codes": {9: "lost"}}}, "has an arm"),
        ({"arm": {**ARM, "randomised": ["ward"]}}, "no other modelled column"),
        ({"arm": {**ARM, "randomised": ["arm"]}}, "no other modelled column"),
        ({"sex": {**ARM, "categories": ["F", "M"], "allocation": {"F": 1, "M": 1}}}, "both randomised"),
        ({"cnsr": {**COLUMNS["cnsr"], "event_when": 2}}, "none of the levels"),
        ({"cnsr": {**COLUMNS["cnsr"], "event_when": True}}, "none of the levels"),
        ({"cnsr": {**COLUMNS["cnsr"], "censored": 1}}, "Keep one of the two"),
        ({"cnsr": {**COLUMNS["cnsr"], "role": "outcome"}}, "role: event"),
        ({"cnsr": {**COLUMNS["cnsr"], "time": "age"}}, "role: time"),
    ],
)
def test_contradictions_are_refused(change, what):
    with pytest.raises(ConfigError, match=what):
        schema(**change)


def test_the_words_come_back_from_yaml():
    assert Schema.model_validate(parse_yaml(schema().to_yaml(), "schema")) == schema()


def test_the_arm_is_sampled_after_the_baseline_by_its_ratio_alone(model):
    names = [model.encoder_.layout.names[j] for j in model.order_]
    assert set(names[:3]) == {"age", "sex", "site"}
    assert names[3] == "arm"
    # The training rows gave B to the old: randomisation does not.
    sampled = model.sample(8_000, random_state=1)
    assert (sampled["arm"] == "A").mean() == pytest.approx(2 / 3, abs=0.02)
    shares = (sampled["arm"] == "A").groupby(pd.cut(sampled["age"], [17, 40, 54, 70, 90]).astype(str)).mean()
    assert shares.sub(2 / 3).abs().max() < 0.05
    by_site = (sampled["arm"] == "A").groupby(sampled["site"].astype(str)).mean()
    assert by_site.sub(2 / 3).abs().max() < 0.05
    # Later columns are modelled.
    assert sampled["months"][sampled["arm"] == "B"].mean() > sampled["months"][sampled["arm"] == "A"].mean() + 3


def test_conditions_on_the_arm_leave_the_baseline_alone(model):
    arms = [model.sample(2_000, where=f"arm == '{arm}'", random_state=2) for arm in "AB"]
    assert arms[0]["arm"].eq("A").all()
    assert arms[0]["age"].mean() == pytest.approx(arms[1]["age"].mean(), abs=2.5)
    assert model.sample_facts_.probability == pytest.approx(1 / 3, abs=0.02)
    late = model.sample(200, where="arm == 'B' and end == 'cancer' and months > 12", random_state=2)
    assert late["months"].min() > 12
    holes = trial(40, 9).assign(arm=None)
    filled = model.impute(holes, random_state=1)["arm"]
    assert set(filled) == {"A", "B"}


def test_balance_of_a_fair_trial_and_of_a_biased_one():
    train, fair, biased = trial(1500, 1), trial(1500, 2), trial(1500, 3, biased=True)
    good, bad = (balance(Comparison.of(rows, train=train, holdout=None, schema=schema())) for rows in (fair, biased))
    # Chance alone: a half-normal mean of sqrt(2 / pi) times the standard error of a difference.
    assert good.value == pytest.approx(np.sqrt(2 / np.pi) * np.sqrt(1 / 1000 + 1 / 500), rel=0.8)
    assert good.value < 0.1 < bad.value
    assert good.high < bad.low
    assert bad.details["terms"][0]["term"] == "age"
    assert bad.reference == good.reference < 0.1
    # Austin's standardised difference of one term, by hand, in standard deviations of the training rows.
    means = biased.groupby(biased["arm"].astype(str))["age"].mean()
    apart = abs(means["A"] - means["B"]) / train["age"].astype(float).std(ddof=0)
    assert bad.details["terms"][0]["synthetic"] == pytest.approx(apart)
    plain = schema(arm={**ARM, "allocation": None, "randomised": None})
    assert np.isnan(balance(Comparison.of(fair, train=train, holdout=None, schema=plain)).value)


def test_what_means_the_event_is_read_from_the_schema():
    train = trial(500, 4)
    c = Comparison.of(train, train=train, holdout=None, schema=schema())
    plain = schema(cnsr={"type": "boolean", "values": [0, 1], "role": "event"})
    died = train.assign(cnsr=1 - train["cnsr"])
    straight = Comparison.of(died, train=died, holdout=None, schema=plain)

    def estimates(comparison, task):
        return study(comparison, task).run(comparison.train)[0]

    inverted = estimates(c, CoxTask(event="cnsr", covariates=("arm",)))
    assert inverted == pytest.approx(estimates(straight, CoxTask(event="cnsr", time="months", covariates=("arm",))))
    assert inverted[0] < -0.5
    # Any cause of a competing-risks event is the event; a named one censors the others.
    assert estimates(c, CoxTask(event="end", covariates=("arm",))) == pytest.approx(inverted)
    cancer = estimates(c, SurvivalTask(event="end", cause="cancer"))
    assert cancer[0] > estimates(c, SurvivalTask(event="end"))[0] + 1
    for cause in ("alive", "flu"):
        with pytest.raises(ConfigError, match="no event of column 'end'"):
            study(c, SurvivalTask(event="end", cause=cause))
    timeless = schema(months={"type": "number", "range": [0, 60]})
    with pytest.raises(ConfigError, match="there is no time column for 'end'"):
        study(Comparison.of(train, train=train, holdout=None, schema=timeless), SurvivalTask(event="end"))
