from __future__ import annotations

import pytest
from pydantic import ValidationError

from synthclin.io.documents import parse_yaml
from synthclin.schema import Schema
from synthclin.schema.visits import Visits
from tests.longitudinal import COLUMNS, schema


def test_a_table_with_a_patient_and_a_visit_time_is_longitudinal():
    assert schema().visit_time == "day"
    assert schema().static == ("arm", "age", "end", "died")
    assert schema(visits="independent").visit_time is None


def test_visits_are_written_to_yaml_and_read_back():
    declared = schema(visits={"schedule": [0, 28, 56], "window": 3, "least": 1, "most": 40})
    text = declared.to_yaml()
    assert "static: true" in text
    again = Schema.model_validate(parse_yaml(text, "schema"))
    assert again == declared
    assert again.planned.schedule == (0, 28, 56)
    assert again != schema()
    alone = schema(visits="independent")
    assert Schema.model_validate(parse_yaml(alone.to_yaml(), "schema")).visits == "independent"
    assert alone.with_column("sbp", unit="mm[Hg]").visits == "independent"


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"who": {"role": None}}, "no column has `role: entity`"),
        ({"day": {"missing": "allowed"}}, "a visit time may not be missing"),
        ({"day": {"static": True}}, "the visit time differs between visits"),
        ({"day": {"role": None}}, "no column has the time of a visit"),
        ({"sbp": {"role": "visit"}}, "both have the role visit"),
        ({"end": {"static": None}}, "the follow-up time is the same at each visit"),
        ({"who": {"static": True}}, "an identifier needs no such key"),
        ({"pulse": {"static": True}}, "a derived column needs no such key"),
        ({"day": {"role": None}, "stage": {"role": "visit"}}, "a visit time is an integer, a number, a date"),
        ({"visits": {"schedule": [0, 28, 20]}}, "the times do not rise"),
        ({"visits": {"schedule": [0, 28], "window": 14}}, "the windows of two planned visits overlap"),
        ({"visits": {"window": 3}}, "there is no schedule"),
        ({"visits": {"least": 5, "most": 3}}, "3 visits are fewer than `least`, 5"),
        ({"visits": {"schedule": [0]}}, "fewer visits than a patient must have"),
        ({"visits": "dependent"}, "visits"),
    ],
)
def test_declarations_that_do_not_fit_are_refused(changes, what):
    with pytest.raises(ValidationError, match=what):
        schema(**changes)


def test_visits_need_a_visit_time():
    columns = {name: COLUMNS[name] for name in ("who", "sbp")}
    with pytest.raises(ValidationError, match="no column has the time of a visit"):
        Schema.model_validate({"columns": columns, "visits": {"most": 4}})


def test_a_schedule_limits_the_number_of_visits():
    assert Visits(schedule=(0, 7, 14), most=9).highest == 3
    assert Visits(most=9).highest == 9
    assert Visits().highest is None
