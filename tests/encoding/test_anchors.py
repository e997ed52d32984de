from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import synthclin as sc
from synthclin.encoding import TableEncoder
from synthclin.encoding.anchors import anchored, shifted
from synthclin.errors import ConfigError
from synthclin.io.documents import parse_yaml, validate
from synthclin.rules.rules import violations
from synthclin.rules.validation import conform
from synthclin.schema import Schema
from tests.sampling.marginal import Marginal

pytestmark = pytest.mark.usefixtures("brief_trainings")

COLUMNS = {
    "patient": {"type": "id", "role": "entity"},
    "age": {"type": "integer", "range": [18, 90]},
    "followed": {"type": "date", "anchor": "left", "missing": "allowed"},
    "left": {"type": "date", "anchor": "came"},
    "came": {"type": "date", "range": ["2015-01-01", "2019-12-31"]},
    "triage": {"type": "datetime", "anchor": "came"},
}


def schema(columns=COLUMNS, **changes):
    return validate(Schema, {"columns": columns, "visits": "independent", **changes}, "schema")


def stays(rows, seed=0):
    """Return stays of which the old last longer, at most one in five without follow-up."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 91, rows)
    came = pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 1_700, rows), unit="D")
    left = came + pd.to_timedelta(rng.poisson(np.where(age > 54, 14, 3)), unit="D")
    followed = pd.Series(left + pd.to_timedelta(rng.choice([30, 90], rows), unit="D")).mask(rng.random(rows) < 0.2)
    triage = came + pd.to_timedelta(rng.integers(0, 96, rows) * 900, unit="s")
    return pd.DataFrame(
        {
            "patient": [f"P{row // 2}" for row in range(rows)],
            "age": age,
            "followed": followed,
            "left": left,
            "came": came,
            "triage": triage,
        }
    )


@pytest.fixture(scope="module")
def model():
    return sc.ConditionalGAN(schema(constraints=["came <= left"]), effort="quick", width=32, random_state=3).fit(
        stays(400)
    )


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"left": {"type": "date", "anchor": "age"}}, "no date"),
        ({"left": {"type": "date", "anchor": "begin"}}, "names no column"),
        ({"left": {"type": "date", "anchor": "left"}}, "back to itself"),
        (
            {
                "came": {"type": "date", "anchor": "followed", "missing": "allowed"},
                "left": {"type": "date", "anchor": "came", "missing": "allowed"},
                "triage": {"type": "date"},
            },
            "back to itself",
        ),
        (
            {
                "followed": {"type": "date"},
                "left": {"type": "date", "anchor": "came"},
                "came": {"type": "date", "missing": "allowed"},
            },
            "missing: allowed",
        ),
        ({"left": {"type": "date", "anchor": "came", "shift": {"days": 9}}}, "moves with its anchor"),
        ({"came": {"type": "date", "shift": {"days": 0}}}, "shift.days"),
    ],
)
def test_anchors_that_lead_nowhere_are_refused(change, what):
    with pytest.raises(ConfigError, match=what):
        schema({**COLUMNS, **change})


def test_each_column_comes_after_its_anchor():
    assert list(anchored(schema())) in (
        ["left", "followed", "triage"],
        ["left", "triage", "followed"],
        ["triage", "left", "followed"],
    )
    assert Schema.model_validate(parse_yaml(schema().to_yaml(), "schema")) == schema()


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_distances_come_back_within_their_bin_and_exactly_where_few(data):
    rows = data.draw(st.integers(20, 60))
    rng = np.random.default_rng(data.draw(st.integers(0, 9_999)))
    came = pd.to_datetime("1999-12-31") + pd.to_timedelta(rng.integers(-9_000, 9_000, rows), unit="D")
    few = rng.choice([-40, 0, 3, 700], rows)
    seconds = rng.choice([0, 90, -86_401], rows)
    table = pd.DataFrame(
        {
            "age": 40,
            "came": came,
            "left": came + pd.to_timedelta(few, unit="D"),
            "seen": came + pd.to_timedelta(seconds, unit="s"),
        }
    )
    table.loc[rng.random(rows) < 0.2, "came"] = pd.NaT
    columns = {"age": {"type": "integer"}, "came": {"type": "date", "missing": "allowed"}}
    columns |= {
        name: {"type": kind, "anchor": "came", "missing": "allowed"}
        for name, kind in [("left", "date"), ("seen", "datetime")]
    }
    one = schema(columns)
    typed = conform(table, one)
    encoder = TableEncoder.fit(typed, one, rare_category=1, trim_extremes=1)
    again = TableEncoder.from_dict(encoder.to_dict(), one)
    back = again.decode(encoder.encode(typed))
    assert (back["left"].isna() == typed["came"].isna()).all()
    for name, unit, wanted in [("left", "D", few), ("seen", "s", seconds)]:
        apart = ((back[name] - back["came"]) / pd.Timedelta(1, unit)).to_numpy()
        known = ~np.isnan(apart)
        assert (apart[known] == wanted[known]).all()


def test_order_and_spacing_survive_in_sampled_rows(model):
    sampled = model.sample(2_000, random_state=1)
    assert not any(broken.any() for broken in violations(sampled, model.schema).values())
    length = (sampled["left"] - sampled["came"]).dt.days
    assert length.min() >= 0
    assert length[sampled["age"] > 65].mean() > length[sampled["age"] < 40].mean() + 3
    gap = (sampled["followed"] - sampled["left"]).dt.days.dropna()
    assert gap.isin([30, 90]).all()
    assert 0.1 < sampled["followed"].isna().mean() < 0.3
    clock = sampled["triage"] - sampled["came"]
    assert clock.between(pd.Timedelta(0), pd.Timedelta(days=1.5)).all()
    assert ((clock / pd.Timedelta(minutes=15)) % 1 == 0).all()


def test_conditions_and_rules_speak_of_the_dates_themselves(model):
    sampled = model.sample(100, where="left >= '2017-06-01' and came < '2018-01-01'", random_state=2)
    assert sampled["left"].min() >= pd.Timestamp("2017-06-01")
    narrow = schema({**COLUMNS, "left": {"type": "date", "anchor": "came", "range": ["2015-01-01", "2019-10-01"]}})
    encoder = TableEncoder.fit(conform(stays(200), narrow), narrow)
    assert encoder.schema.columns["left"].range is not None


def test_a_missing_date_is_imputed_from_a_given_anchor(model):
    holes = stays(30, seed=4)
    holes.loc[:9, "left"] = pd.NaT
    holes.loc[10:19, "came"] = pd.NaT
    whole = model.impute(holes, random_state=1)
    assert whole[["came", "left", "followed", "triage"]].notna().all().all()
    assert (whole["left"] >= whole["came"]).all()
    given = holes["left"].notna()
    assert (whole["left"][given] == holes["left"][given]).all()
    assert ((whole["left"] - whole["came"]).dt.days[:10] < 60).all()
    alone = model.impute(holes[["age", "left"]].dropna(), random_state=1)
    assert alone["came"].notna().all()


def test_a_shift_keeps_intervals_and_ranges_and_is_one_per_patient():
    moving = schema({**COLUMNS, "came": {**COLUMNS["came"], "shift": {"days": 365}}})
    typed = conform(stays(300), moving)
    moved = shifted(typed, moving, np.random.default_rng(0))
    days = (moved["came"] - typed["came"]).dt.days
    assert days.abs().max() <= 365
    assert days.nunique() > 100
    assert np.ptp(days.to_numpy().reshape(-1, 2), axis=1).max() == 0
    for name in ("left", "followed", "triage"):
        assert (moved[name] - moved["came"]).equals(typed[name] - typed["came"])
    assert moved["came"].between("2015-01-01", "2019-12-31").all()
    pd.testing.assert_frame_equal(shifted(typed, schema(), np.random.default_rng(0)), typed)
    pd.testing.assert_frame_equal(moved, shifted(typed, moving, np.random.default_rng(0)))


def test_a_shift_before_learning_is_one_of_what_is_exported():
    # All patients came on one day: without the shift it would be sampled unchanged.
    table = stays(400).assign(came=pd.Timestamp("2017-06-01"))
    table["left"] = table["came"] + pd.to_timedelta(np.arange(400) % 9, unit="D")
    table["followed"], table["triage"] = table["left"], table["came"]
    shown = {}
    for name, shift in {"moved": {"shift": {"days": 180}}, "true": {}}.items():
        model = Marginal(schema({**COLUMNS, "came": {**COLUMNS["came"], **shift}})).fit(table)
        rows = model.sample(1_000, random_state=0)
        shown[name] = (rows["came"] == "2017-06-01").mean()
        stay = (rows["left"] - rows["came"]).dt.days
        assert stay.value_counts(normalize=True).sort_index().tolist() == pytest.approx([1 / 9] * 9, abs=0.04)
        assert (rows["triage"] == rows["came"]).all()
    assert shown["true"] == 1
    assert shown["moved"] < 0.02
