from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sdmetrics.column_pairs import ContingencySimilarity
from sdmetrics.single_column import TVComplement

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.heaping import heaping
from synthclin.evaluation.fidelity.marginals import agreements, marginals
from synthclin.evaluation.fidelity.pairs import pair_agreements
from synthclin.evaluation.fidelity.rare_levels import rare_levels
from synthclin.evaluation.fidelity.tails import tails
from synthclin.evaluation.fidelity.wasserstein import wasserstein
from synthclin.evaluation.gates import default_gates, judge
from synthclin.schema import Schema
from tests.evaluation.clinic import SCHEMA, clinic


def test_ordered_columns_are_judged_as_scipy_does():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(50, 3)).round(1), rng.normal(size=(40, 3)).round(1)
    expected = [1 - stats.ks_2samp(a[:, j], b[:, j]).statistic for j in range(3)]
    assert agreements(a, np.ones(3, dtype=bool))(b) == pytest.approx(np.array(expected))


def test_levels_are_judged_with_missing_as_one_of_them():
    real = np.array([[0.0], [0.0], [1.0], [np.nan]])
    other = np.array([[0.0], [1.0], [1.0], [1.0]])
    assert agreements(real, np.array([False]))(other)[0] == pytest.approx(0.5)


def test_one_damaged_column_is_named_first(compare, ideal):
    damaged = ideal.assign(age=(ideal["age"] + 40).astype("Int64"))
    before, after = marginals(compare(ideal)), marginals(compare(damaged))
    assert after.high < before.low
    assert after.details["columns"][0]["column"] == "age"
    assert before.baseline is None


def test_a_column_without_synthetic_values_agrees_in_nothing(compare, ideal):
    columns = marginals(compare(ideal.assign(bmi=np.nan))).details["columns"]
    assert (columns[0].column, columns[0].value, columns[0].missing_synthetic) == ("bmi", 0.0, 1.0)


def test_cut_tails_show_as_tails_and_keep_the_middle(compare, ideal):
    low, high = ideal["weight"].quantile([0.2, 0.8])
    cut = compare(ideal.assign(weight=ideal["weight"].clip(low, high)))
    assert tails(cut).low > tails(compare(ideal)).high
    worst = tails(cut).details["columns"][0]
    assert worst["column"] == "weight"
    assert worst["shifts"][0] > 0 > worst["shifts"][-1]


def test_a_shifted_column_is_as_far_away_as_it_was_shifted(compare, ideal):
    good, bad = wasserstein(compare(ideal)), wasserstein(compare(ideal.assign(weight=ideal["weight"] + 5)))
    assert good.low <= good.reference <= good.high
    assert bad.low > good.high
    worst = bad.details["columns"][0]
    assert worst["column"] == "weight"
    spread = np.subtract(*np.nanquantile(ideal["weight"], [0.75, 0.25]))
    assert worst["value"] == pytest.approx(5 / spread, abs=0.1)


def test_numbers_rounded_to_tens_and_a_lost_spike_show_as_heaping(compare, train, holdout, ideal):
    rounded = ideal.assign(age=(ideal["age"] // 10 * 10).astype("Int64"))
    good, bad = heaping(compare(ideal)), heaping(compare(rounded))
    assert bad.low > good.high
    assert bad.details["columns"][0]["column"] == "age"
    spiked = [
        table.assign(weight=table["weight"].where(np.arange(len(table)) % 4 > 0, 70.0)) for table in (train, holdout)
    ]
    c = Comparison.of(ideal, train=spiked[0], holdout=spiked[1], schema=SCHEMA)
    assert heaping(c).details["columns"][0]["column"] == "weight"
    assert heaping(c).value > 0.05


def _calendar(rng, rows, *, kept=True):
    """Return dates on workdays, times in working hours and weights on tens; not `kept`: on any day, hour and number."""
    every = pd.date_range("2019-01-01", "2022-12-31", freq="B" if kept else "D")
    day = pd.Series(every[rng.integers(0, len(every), rows)])
    minutes = 15 * rng.integers(32, 68, rows) if kept else rng.integers(0, 1_440, rows)
    grams = rng.normal(3_400, 500, rows)
    return pd.DataFrame(
        {
            "admitted": day,
            "seen": day + pd.to_timedelta(minutes, unit="min"),
            "grams": (70 * np.round(grams / 70) if kept else np.round(grams / 5) * 5).astype(int),
        }
    ).astype({"grams": "Int64"})


def test_weekdays_hours_and_steps_that_are_gone_show_as_heaping():
    columns = {"admitted": {"type": "date"}, "seen": {"type": "datetime"}, "grams": {"type": "integer"}}
    schema = Schema.model_validate({"columns": columns})
    rng = np.random.default_rng(4)
    train, holdout, ideal = (_calendar(rng, rows) for rows in (800, 400, 800))
    gone = _calendar(rng, 800, kept=False)
    good = heaping(Comparison.of(ideal, train=train, holdout=holdout, schema=schema))
    assert good.value < 0.1
    gate = default_gates([good])
    for name, least in (("admitted", 0.2), ("seen", 0.5), ("grams", 0.7)):
        bad = heaping(Comparison.of(ideal.assign(**{name: gone[name]}), train=train, holdout=holdout, schema=schema))
        worst = bad.details["columns"][0]
        assert worst["column"] == name
        assert worst["value"] > least
    assert [verdict.status for verdict in judge(gate, [good])] == ["PASS"]
    bad = heaping(Comparison.of(gone, train=train, holdout=holdout, schema=schema))
    assert [verdict.status for verdict in judge(gate, [bad])] == ["FAIL"]


def test_an_absent_rare_level_lowers_the_score_and_a_singleton_does_not_raise_it(ideal, train, holdout):
    def with_rare(table, rows, level):
        site = table["site"].cat.add_categories(
            [name for name in ("rare", "single") if name not in table["site"].cat.categories]
        )
        site.iloc[:rows] = level
        return table.assign(site=site)

    real = with_rare(train, 30, "rare"), with_rare(holdout, 15, "rare")
    kept, gone = with_rare(ideal, 30, "rare"), with_rare(ideal, 0, "rare")
    scores = [
        rare_levels(Comparison.of(table, train=real[0], holdout=real[1], schema=SCHEMA)) for table in (kept, gone)
    ]
    assert scores[1].high < scores[0].low
    first = scores[1].details.levels[0]
    assert (first.column, first.level, first.value) == ("site", "rare", 0.0)
    assert scores[1].details["coverage"] < 1
    with_single = with_rare(real[0], 1, "single")
    judged = [
        rare_levels(Comparison.of(table, train=with_single, holdout=real[1], schema=SCHEMA))
        for table in (kept, with_rare(kept, 1, "single"))
    ]
    assert judged[0].value == pytest.approx(judged[1].value, abs=0.02)
    assert {row["level"] for row in judged[1].details["levels"]} == {"rare"}


def test_scores_without_a_subject_say_why():
    schema = Schema.model_validate({"columns": {"x": {"type": "category"}}})
    table = clinic(40, 0)[["sex"]].rename(columns={"sex": "x"})
    c = Comparison.of(table, train=table, holdout=None, schema=schema)
    assert "number or a date" in tails(c).note
    assert "number" in heaping(c).note
    assert "11 training rows" in rare_levels(c).note


def test_levels_and_pairs_of_levels_are_judged_as_sdmetrics_does():
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 4, (rows, 2)).astype(float) for rows in (90, 60))
    real, other = (pd.DataFrame(rows.astype(int).astype(str), columns=["x", "y"]) for rows in (a, b))
    expected = [TVComplement.compute(real[name], other[name]) for name in real]
    assert agreements(a, np.zeros(2, dtype=bool))(b) == pytest.approx(np.array(expected))
    of_a, of_b = (np.hstack([rows[:, [j]] == np.arange(4) for j in range(2)]).astype(float) for rows in (a, b))
    ours = pair_agreements(of_a.T @ of_a / len(a), of_b.T @ of_b / len(b), (4, 4))[0, 1]
    assert ours == pytest.approx(ContingencySimilarity.compute(real, other))


def _dated(rng, rows):
    """Return dates and times with strong habits, of which small halves differ by chance."""
    visit = pd.bdate_range("2018-01-01", "2021-12-31")[rng.integers(0, 1_000, rows)]
    birth = pd.date_range("1930-01-01", "1990-12-31")[rng.integers(0, 20_000, rows)]
    first = pd.date_range("2015-01-01", "2021-12-01", freq="MS")[rng.integers(0, 80, rows)]
    days = pd.date_range("2019-01-01", periods=900)[rng.integers(0, 900, rows)]
    seen = days + pd.to_timedelta(15 * rng.integers(32, 72, rows), unit="min")
    return pd.DataFrame({"visit": visit, "birth": birth, "first": first, "seen": seen})


def test_a_perfect_generator_passes_the_gate_on_heaping_with_few_rows():
    kinds = {"visit": "date", "birth": "date", "first": "date", "seen": "datetime"}
    schema = Schema.model_validate({"columns": {name: {"type": kind} for name, kind in kinds.items()}})
    statuses = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        train, holdout, ideal = (_dated(rng, rows) for rows in (150, 50, 150))
        score = heaping(Comparison.of(ideal, train=train, holdout=holdout, schema=schema))
        statuses.append(judge(default_gates([score]), [score])[0].status)
        even = ideal.assign(
            **{name: pd.to_datetime(ideal["birth"]).sample(frac=1, random_state=seed).to_numpy() for name in kinds}
        )
        lost = heaping(Comparison.of(even, train=train, holdout=holdout, schema=schema))
        assert judge(default_gates([lost]), [lost])[0].status == "FAIL"
    assert statuses.count("PASS") >= 19
