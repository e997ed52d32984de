"""Guessed relations: formulas, orders, dependencies; what holds is found, what is broken once is not, chance is not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthclin.inference import infer, to_commented_yaml
from synthclin.inference.implications import Fact, implications
from synthclin.rules.rules import violations
from synthclin.rules.validation import conform
from synthclin.schema import Schema

ROWS = 600


def patients(seed=0, rows=ROWS):
    """Return a table with known relations between its columns."""
    rng = np.random.default_rng(seed)
    dbp = rng.normal(80, 10, rows).round()
    weight, height = rng.normal(80, 12, rows).round(1), rng.normal(170, 9, rows).round()
    admitted = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, rows), unit="D")
    stay = rng.integers(0, 40, rows)
    died = rng.random(rows) < 0.4
    group = rng.integers(0, 4, rows)
    return pd.DataFrame(
        {
            "dbp": dbp,
            "sbp": dbp + rng.integers(5, 60, rows),
            "weight": weight,
            "height": height,
            "bmi": (weight / (height / 100) ** 2).round(1),
            "admitted": admitted.strftime("%Y-%m-%d"),
            "discharged": (admitted + pd.to_timedelta(stay, unit="D")).strftime("%Y-%m-%d"),
            "died": died.astype(int),
            "died_here": (died & (rng.random(rows) < 0.5)).astype(int),
            "disease": np.array(["CHF", "COPD", "colon", "lung"])[group],
            "kind": np.array(["organ", "organ", "cancer", "cancer"])[group],
            "visit": rng.integers(0, 2, rows),
        }
    )


def rules(inferred, *, active=True):
    """Return the texts of the proposed rules."""
    return {rule.text for proposal in inferred.proposals if proposal.active == active for rule in proposal.rules}


@pytest.fixture(scope="module")
def inferred():
    return infer(patients())


class TestFound:
    def test_orders(self, inferred):
        assert {"dbp < sbp", "admitted <= discharged"} <= rules(inferred)

    def test_formula(self, inferred):
        assert inferred.schema.columns["bmi"].derive == "weight / height ** 2 * 10000"
        assert "the formula holds in 600 of 600 rows that have bmi and weight and height" in inferred.evidence["bmi"]
        assert not any("bmi" in rule for rule in rules(inferred) | rules(inferred, active=False))

    def test_dependency(self, inferred):
        assert {
            "if disease in ['CHF', 'COPD'] then kind == 'organ'",
            "if disease in ['colon', 'lung'] then kind == 'cancer'",
        } <= rules(inferred)

    def test_an_implication_is_proposed_once(self, inferred):
        found = rules(inferred) | rules(inferred, active=False)
        assert "if died_here == 1 then died == 1" in found
        assert "if died == 0 then died_here == 0" not in found

    def test_what_is_independent_is_in_no_rule(self, inferred):
        assert not any("visit" in rule for rule in rules(inferred) | rules(inferred, active=False))

    def test_structural_missing(self):
        table = patients()
        table["lvef"] = np.random.default_rng(1).normal(50, 9, ROWS).round()
        table.loc[table["visit"] == 0, "lvef"] = np.nan
        inferred = infer(table)
        assert inferred.schema.columns["lvef"].missing_when == "visit == 0"
        assert inferred.schema.columns["lvef"].missing == "never"

    def test_nested_missing(self):
        table, rng = patients(), np.random.default_rng(1)
        table["a"], table["b"] = rng.normal(size=(2, ROWS)).round(2)
        table.loc[:399, "a"] = np.nan
        table.loc[:349, "b"] = np.nan
        assert "if b is missing then a is missing" in rules(infer(table)) | rules(infer(table), active=False)

    def test_equal_numbers_where_a_level_holds(self):
        table, rng = patients(), np.random.default_rng(2)
        table["stay"] = rng.integers(0, 900, ROWS)
        table["followed"] = table["stay"] + np.where(table["died"] == 1, 0, rng.integers(1, 500, ROWS))
        assert "if died == 1 then stay == followed" in rules(infer(table)) | rules(infer(table), active=False)

    def test_ranks_give_texts_their_order(self):
        levels, rng = ["zero", "some", "much", "all"], np.random.default_rng(3)
        rank = rng.permutation(np.repeat([1, 2, 3, 4], ROWS // 4))
        table = pd.DataFrame({"pain": [levels[r - 1] for r in rank], "pain_no": rank, "x": rng.normal(size=ROWS)})
        column = infer(table).schema.columns["pain"]
        assert (column.type, column.categories) == ("ordinal", tuple(levels))

    def test_the_same_within_each_patient(self):
        table = pd.DataFrame({"patient_id": np.repeat(range(60), 10), "sex": np.repeat(list("FM") * 30, 10)})
        table["x"] = np.random.default_rng(4).normal(size=ROWS)
        evidence = infer(table).evidence
        assert "the same in all rows of each of 60 patients" in evidence["sex"]
        assert not any("the same" in reason for reason in evidence["x"])


class TestFormulas:
    @pytest.mark.parametrize(
        ("make", "formula"),
        [
            (lambda a, b: a + b, "a + b"),
            (lambda a, b: a - b, "a - b"),
            (lambda a, b: b - a, "b - a"),
            (lambda a, b: a * b, "a * b"),
            (lambda a, b: (a / b).round(4), "a / b"),
            (lambda a, b: (100 * a / b).round(2), "a / b * 100"),
        ],
    )
    def test_of_two_numbers(self, make, formula):
        rng = np.random.default_rng(5)
        a, b = rng.integers(-40, 400, ROWS) + 0.5, rng.integers(3, 90, ROWS)
        table = pd.DataFrame({"a": a, "b": b, "c": make(pd.Series(a), pd.Series(b)), "x": rng.integers(0, 2, ROWS)})
        derived = {name: column.derive for name, column in infer(table).schema.columns.items() if column.derive}
        formula_text = next(iter(derived.values()))
        assert len(derived) == 1
        # A sum of two is a difference of the other two: any of the three may be called computed.
        assert derived == {"c": formula} or (formula[2] in "+-" and set(formula_text) & {"+", "-"})

    @pytest.mark.parametrize(
        ("days", "formula"),
        [
            (lambda d: d, "died - born"),
            (lambda d: np.floor(d / 365.25), "floor((died - born) / 365.25)"),
            (lambda d: (d / 7).round(1), "(died - born) / 7"),
        ],
    )
    def test_of_two_dates(self, days, formula):
        rng = np.random.default_rng(6)
        lived = rng.integers(9_000, 33_000, ROWS)
        born = pd.Timestamp("1920-01-01") + pd.to_timedelta(rng.integers(0, 9_000, ROWS), unit="D")
        died = born + pd.to_timedelta(lived, unit="D")
        table = pd.DataFrame({"born": born, "died": died, "lived": days(lived), "x": rng.integers(0, 2, ROWS)})
        assert infer(table).schema.columns["lived"].derive == formula

    def test_one_exception_makes_it_a_hint(self):
        table = patients()
        table.loc[7, "bmi"] += 1
        inferred = infer(table)
        assert inferred.schema.columns["bmi"].derive is None
        [hint] = inferred.hints["bmi"]
        assert hint.startswith("derive: weight / height ** 2 * 10000  # holds in 599 of 600 rows")
        assert f"    # {hint}\n" in to_commented_yaml(inferred)

    def test_missing_elsewhere_makes_it_a_rule(self, tmp_path):
        table = patients(rows=630)
        table.loc[:20, "weight"] = np.nan
        inferred = infer(table)
        assert "bmi == weight / height ** 2 * 10000" in rules(inferred)
        assert inferred.schema.columns["bmi"].derive is None
        assert not inferred.hints["bmi"]
        assert not any(mask.any() for mask in violations(table, inferred.schema).values())
        path = tmp_path / "schema.yaml"
        path.write_text(to_commented_yaml(inferred), encoding="utf-8")
        assert Schema.read(path) == inferred.schema
        table.loc[300, "bmi"] += 1
        inferred = infer(table)
        assert not any("bmi ==" in text for text in rules(inferred))
        assert "608 of 609 rows" in inferred.hints["bmi"][0]

    def test_missing_elsewhere_in_few_rows_makes_it_a_hint(self):
        table = patients()
        table.loc[:20, "weight"] = np.nan
        assert infer(table).hints["bmi"][0].endswith("but it is not missing exactly where they are")
        table.loc[:20, "bmi"] = np.nan
        assert infer(table).schema.columns["bmi"].derive is not None

    def test_a_sum_with_nothing_is_no_formula(self):
        rng = np.random.default_rng(7)
        a = rng.integers(0, 500, ROWS)
        b = np.where(np.arange(ROWS) < 5, 3, 0)
        table = pd.DataFrame({"a": a, "b": b, "c": a + b, "x": rng.integers(0, 2, ROWS)})
        assert not any(column.derive for column in infer(table).schema.columns.values())


class TestNotFound:
    @pytest.mark.parametrize("column", ["sbp", "discharged", "kind", "died"])
    def test_one_row_that_breaks_it(self, column):
        table = patients()
        row = int(table.index[(table["died_here"] == 1) & (table["disease"] == "CHF")][0])
        table.loc[row, column] = {"sbp": 20, "discharged": "2019-01-01", "kind": "cancer", "died": 0}[column]
        inferred = infer(table)
        before = {"sbp": "dbp <", "discharged": "admitted <", "kind": "'CHF'", "died": "then died =="}
        found = rules(inferred) | rules(inferred, active=False)
        assert not any(before[column] in rule for rule in found)

    @settings(max_examples=8, deadline=None)
    @given(seed=st.integers(0, 10_000))
    def test_chance_is_not_active(self, seed):
        rng = np.random.default_rng(seed)
        table = pd.DataFrame({f"n{j}": rng.normal(50, 9, 300).round(1) for j in range(5)})
        for j in range(5):
            table[f"c{j}"] = rng.choice(list("abcd"), 300, p=[0.6, 0.2, 0.15, 0.05])
        table["gap"] = np.where(rng.random(300) < 0.1, np.nan, rng.normal(size=300).round(2))
        inferred = infer(table)
        assert inferred.schema.constraints == ()
        assert not any(column.derive or column.missing_when for column in inferred.schema.columns.values())

    @settings(max_examples=8, deadline=None)
    @given(seed=st.integers(0, 10_000))
    def test_no_row_breaks_what_was_inferred(self, seed, tmp_path_factory):
        table = patients(seed, rows=200)
        inferred = infer(table)
        assert not any(mask.any() for mask in violations(table, inferred.schema).values())
        path = tmp_path_factory.mktemp("inferred") / "schema.yaml"
        path.write_text(to_commented_yaml(inferred), encoding="utf-8")
        assert Schema.read(path) == inferred.schema


def implied(rows, patient=None):
    """Return the proposal of an implication that holds in 80 rows, of which 60 would violate it by chance."""
    rng = np.random.default_rng(3)
    here = np.arange(rows) < 80
    died = here | (rng.random(rows) < 0.2)
    known = np.ones(rows, dtype=bool)
    facts = [Fact("here", frozenset(["here"]), here, known), Fact("died", frozenset(["died"]), died, known)]
    [proposal] = implications(facts, patient=patient)
    assert proposal.rules[0].text == "if here then died"
    return proposal


def test_an_implication_is_active_if_at_most_one_patient_in_200_may_violate_it():
    assert implied(600).active
    assert not implied(599).active
    assert implied(1_200, np.arange(1_200) // 2).active
    assert not implied(1_198, np.arange(1_198) // 2).active


def test_the_number_of_rules_that_are_comments():
    few = infer(patients(rows=150))
    assert few.inactive == len(rules(few, active=False)) > 0


def test_the_file_has_the_evidence_of_active_and_other_rules(inferred):
    text = to_commented_yaml(inferred)
    assert "constraints:\n" in text
    assert "  - dbp < sbp\n" in text
    assert "rows that have both; by chance" in text


def test_rules_after_a_hash_can_be_taken_up(tmp_path):
    table = patients(rows=150)
    inferred = infer(table)
    assert rules(inferred, active=False)
    path = tmp_path / "schema.yaml"
    text = to_commented_yaml(inferred).replace("# constraints:", "constraints:")
    path.write_text(text.replace("  # - ", "  - ").replace("  #   then:", "    then:"), encoding="utf-8")
    schema = Schema.read(path)
    assert {rule.text for rule in schema.constraints} == rules(inferred) | rules(inferred, active=False)
    assert not any(mask.any() for mask in violations(table, schema).values())


def test_a_wide_table_ends_soon_and_still_finds_related_columns():
    rng = np.random.default_rng(8)
    table = pd.DataFrame({f"n{j}": rng.normal(50, 9, 200).round(1) for j in range(60)})
    table["total"] = (table["n58"] + table["n59"]).round(1)
    assert infer(table).schema.columns["total"].derive == "n58 + n59"


class TestAnchors:
    def stays(self, rows=300):
        rng = np.random.default_rng(0)
        came = pd.Timestamp("2015-01-01") + pd.to_timedelta(rng.integers(0, 1_500, rows), unit="D")
        left = came + pd.to_timedelta(rng.integers(0, 30, rows), unit="D")
        seen = pd.Series(left + pd.to_timedelta(rng.integers(20, 90, rows), unit="D")).mask(rng.random(rows) < 0.2)
        born = pd.Timestamp("1940-01-01") + pd.to_timedelta(rng.integers(0, 15_000, rows), unit="D")
        return pd.DataFrame({"seen": seen, "left": left, "born": born, "came": came, "age": rng.integers(20, 90, rows)})

    def test_each_date_is_measured_from_the_nearest_before_it(self):
        table = self.stays()
        inferred = infer(table)
        anchors = {name: column.anchor_name for name, column in inferred.schema.columns.items()}
        assert anchors == {"seen": "left", "left": "came", "born": None, "came": None, "age": None}
        assert "measured from came: not after it in all 300 rows that have both" in inferred.evidence["left"]
        conform(table, inferred.schema)

    def test_one_row_out_of_order_makes_it_a_hint(self):
        table = self.stays()
        table.loc[7, "left"] = table.loc[7, "came"] - pd.Timedelta(days=2)
        inferred = infer(table)
        assert inferred.schema.columns["left"].anchor is None
        assert "anchor: came  # not after it in 299 of 300 rows that have both" in inferred.hints["left"]

    def test_equal_dates_and_anchors_with_gaps_are_no_anchor(self):
        table = self.stays().assign(copy=lambda frame: frame["came"])
        table.loc[3, "left"] = pd.NaT
        columns = infer(table).schema.columns
        assert columns["copy"].anchor is None or columns["came"].anchor is None
        assert columns["seen"].anchor != "left"
