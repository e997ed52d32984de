from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import synthclin as sc
from synthclin.errors import DataError
from synthclin.inference import infer
from synthclin.rules.validation import check, conform
from synthclin.rules.visits import examine_visits, in_order, rows_as_patients
from tests.longitudinal import schema, visits


def found(table, **changes):
    declared = schema(**changes)
    return [str(each) for each in examine_visits(conform(table, declared), declared)]


def test_visits_of_patients_have_no_finding():
    assert found(visits()) == []


def with_cell(row, name, value):
    table = visits()
    table.loc[row, name] = value
    return table


@pytest.mark.parametrize(
    ("row", "name", "value", "what"),
    [
        (1, "day", 0, "column 'day': 2 of 420 rows (1, 2) are visits of one patient at the same time."),
        (1, "arm", "B", "column 'arm': differs between the visits of 1 of 120 patients."),
        (0, "age", 18, "column 'age': differs between the visits of 1 of 120 patients."),
    ],
)
def test_a_planted_fault_is_found_and_not_disclosed(row, name, value, what):
    table = with_cell(row, name, value)
    (finding, *_) = [one for one in found(table) if f"'{name}'" in one]
    assert finding.startswith(what.replace("420", str(len(table))))
    with pytest.raises(DataError):
        in_order(conform(table, schema()), schema())


def test_a_follow_up_before_the_last_visit_is_an_error():
    table = visits()
    late = table.groupby("who")["day"].transform("max") > 200
    table.loc[table["who"] == table.loc[late, "who"].iloc[0], "end"] = 10
    assert found(table)[0].startswith("column 'end': the follow-up of 1 of 120 patients ends before their last visit.")


def test_a_follow_up_before_the_last_visit_is_an_error_with_dates_too():
    table, dated = visits(), {"day": {"type": "date", "range": ["2010-01-01", "2030-12-31"], "role": "visit"}}
    # From the first visit on, whenever that was.
    start = table.groupby("who")["day"].transform("min")
    table["end"] = table["end"] - start
    late = (table["day"] - start).groupby(table["who"]).transform("max") > 200
    table["day"] = pd.Timestamp("2015-03-01") + pd.to_timedelta(table["day"], unit="D")
    assert not any("follow-up" in one for one in found(table, **dated))
    table.loc[table["who"] == table.loc[late, "who"].iloc[0], "end"] = 10
    (finding,) = [one for one in found(table, **dated) if "follow-up" in one]
    assert finding.startswith("column 'end': the follow-up of 1 of 120 patients ends before their last visit.")
    assert "in days from the first visit" in finding


@pytest.mark.parametrize("name", ["day", "who"])
def test_a_visit_without_time_or_patient_is_not_to_be_declared_missing(name):
    table = with_cell(3, name, None)
    every = [str(each) for each in check(table, schema())]
    assert any("Fill them in, or remove the rows." in one for one in every)
    assert not any("missing: allowed" in one for one in every)


def test_a_column_that_is_nearly_the_time_of_the_visit_is_named():
    table, undeclared = (
        visits(),
        schema(day={"role": None}, **{n: {"static": None} for n in ("arm", "age", "end", "died")}),
    )
    table.loc[1, "day"] = 0
    told = rows_as_patients(table, undeclared).what
    assert told.endswith(
        "column 'day' would be it but for rows 1, 2, which hold no time or that of another row of the patient"
    )
    table["day"] = table.groupby("who")["day"].transform("first")
    assert "would be" not in rows_as_patients(table, undeclared).what


def test_one_visit_per_patient_is_an_error():
    table = visits().drop_duplicates("who")
    assert found(table)[0].startswith("column 'day': no patient has more than one visit.")


def test_visits_out_of_order_are_sorted_with_a_warning():
    table = visits()
    mixed = table.iloc[[1, 0, *range(2, len(table))]].reset_index(drop=True)
    if mixed["who"].iloc[0] == mixed["who"].iloc[1]:
        assert "are not in the order of the visit time" in found(mixed)[0]
    again = in_order(conform(mixed, schema()), schema())
    assert again["day"].iloc[0] == 0


def test_numbers_of_visits_and_windows_are_checked():
    table = visits()
    counts = table.groupby("who").size()
    assert f"{(counts > 4).sum()} of 120 patients have more visits than 4" in found(table, visits={"most": 4})[0]
    assert "fewer visits than 2" in found(table, visits={"least": 2})[0]
    plan = {"schedule": [0, 90, 180, 270, 360, 450], "window": 10}
    assert "outside the windows of the schedule" in found(table, visits=plan)[0]
    whole = table.assign(day=table.groupby("who").cumcount() * 90, end=1000)
    assert found(whole, visits=plan) == []


def test_rows_as_patients_need_a_declaration():
    table, untold = (
        visits(),
        schema(
            day={"role": None}, arm={"static": None}, age={"static": None}, end={"static": None}, died={"static": None}
        ),
    )
    finding = rows_as_patients(conform(table, untold), untold)
    assert "patients have several rows" in finding.what
    with pytest.raises(DataError, match="visits: independent"):
        sc.ConditionalGAN(untold, effort="quick").fit(table)
    assert rows_as_patients(conform(table, schema()), schema()) is None
    alone = schema(visits="independent")
    assert rows_as_patients(conform(table, alone), alone) is None


def test_inference_finds_patient_visit_time_and_static_columns_with_evidence():
    table = visits().drop(columns=["older"]).rename(columns={"who": "patient_id"})
    inferred = infer(table)
    assert inferred.schema.entity == "patient_id"
    assert inferred.schema.visit_time == "day"
    assert set(inferred.schema.static) == {"arm", "age", "end", "died"}
    assert any("tells the visits apart" in reason for reason in inferred.evidence["day"])
    assert "the same in all rows of each of 120 patients" in inferred.evidence["age"]
    assert "role: visit" in inferred.schema.to_yaml()


def test_a_number_without_a_telling_name_is_the_patient():
    table = visits()
    table["who"] = pd.factorize(table["who"])[0] + 1
    renamed = table.rename(columns={"who": "k"}).drop(columns=["older"])
    assert infer(renamed).schema.entity == "k"


def test_planned_days_are_a_visit_time():
    table = visits().drop(columns=["older", "end"]).rename(columns={"who": "patient_id"})
    table["day"] = table.groupby("patient_id").cumcount() * 28
    inferred = infer(table)
    assert inferred.schema.visit_time == "day"
    assert inferred.schema.columns["day"].type == "integer"


def test_several_rows_without_a_visit_time_warn():
    table = pd.DataFrame({"patient_id": [f"p{i // 2}" for i in range(80)], "x": np.tile([1.5, 2.5, 1.5, 2.5], 20)})
    table["y"] = np.random.default_rng(0).integers(0, 4, 80)
    with pytest.warns(UserWarning, match="patients have several rows"):
        sc.Schema.infer(table)
