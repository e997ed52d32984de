from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings

from synthclin.errors import ConfigError
from synthclin.io.documents import validate
from synthclin.schema import Schema
from synthclin.schema.columns import Number
from synthclin.schema.constraints import Rule
from tests.schemas import schemas

WARD = {
    "patient": {"type": "id"},
    "note": {"type": "text"},
    "sex": {"type": "category", "categories": ["F", "M"]},
    "nyha": {"type": "ordinal", "categories": ["I", "II", "III"]},
    "age": {"type": "integer", "range": [18, 105]},
    "weight": {"type": "number"},
    "height": {"type": "number"},
    "admitted": {"type": "date", "range": ["2015-01-01", "2024-12-31"]},
    "discharged": {"type": "date"},
    "died": {"type": "boolean"},
}


def ward(columns=None, constraints=()):
    columns = {name: words for name, words in {**WARD, **(columns or {})}.items() if words is not None}
    return validate(Schema, {"columns": columns, "constraints": list(constraints)}, "ward.yaml")


def test_a_constraint_is_text_or_when_and_then():
    schema = ward(constraints=["weight < height", {"when": "sex == 'M'", "then": "age >= 18"}, {"then": "age > 0"}])
    assert [rule.text for rule in schema.constraints] == ["weight < height", "if sex == 'M' then age >= 18", "age > 0"]


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ("age >", "constraints[0]"),
        ("age = 5", "Write ==."),
        ("wieght < 5", "ward.yaml: constraints[0]: names 'wieght', which is no column. Did you mean 'weight'?"),
        ({"when": "ag > 5", "then": "age > 5"}, "Did you mean 'age'?"),
        ({"then": "age > 5", "wehn": "age > 5"}, "Did you mean 'when'?"),
        ({"when": "age > 5"}, "constraints[0].then: not given"),
        ("weight + height", "constraints[0]"),
        ("sex < 'M'", "no order"),
        ("sex == 5", "compared with"),
        ("nyha < 'IV'", "none of its levels"),
        ("admitted > '2015-13-01'", "no date"),
        ("patient == 'S1'", "names 'patient', which is never modelled"),
        ("note is missing", "names 'note', which is never modelled"),
        ("__import__('os').system('true')", "constraints[0]"),
        (5, "constraints[0]"),
        ("", "constraints[0]"),
    ],
    ids=str,
)
def test_a_constraint_that_cannot_hold_anything_is_refused(constraint, message):
    with pytest.raises(ConfigError) as caught:
        ward(constraints=[constraint])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"bmi": {"type": "number", "derive": "weigth / height"}}, "columns.bmi.derive: names 'weigth'"),
        ({"bmi": {"type": "number", "derive": "weight / nyha"}}, "columns.bmi.derive"),
        (
            {"bmi": {"type": "number", "derive": "grade * 2"}, "grade": {"type": "category"}},
            "'grade', which is no number",
        ),
        ({"bmi": {"type": "number", "derive": "weight > 5"}}, "columns.bmi.derive"),
        ({"bmi": {"type": "number", "derive": "patient * 2"}}, "never modelled"),
        ({"fat": {"type": "boolean", "derive": "weight / height"}}, "columns.fat.derive"),
        ({"fat": {"type": "category", "derive": "weight > 100"}}, "cannot be computed for `type: category`"),
        ({"fat": {"type": "date", "derive": "admitted"}}, "cannot be computed for `type: date`"),
        ({"fat": {"type": "id", "derive": "age"}}, "cannot be computed for `type: id`"),
        ({"bmi": {"type": "number", "derive": "bmi + 1"}}, "bmi <- bmi"),
        ({"a": {"type": "number", "derive": "b"}, "b": {"type": "number", "derive": "a"}}, "Break the cycle"),
        (
            {"a": {"type": "number", "derive": "b"}, "b": {"type": "number", "missing_when": "a > 1"}},
            "Break the cycle",
        ),
        ({"a": {"type": "number", "missing_when": "a is missing"}}, "Break the cycle"),
        ({"a": {"type": "number", "missing_when": "seks == 'M'"}}, "columns.a.missing_when: names 'seks'"),
        ({"a": {"type": "number", "missing_when": "age + 1"}}, "columns.a.missing_when"),
        ({"a": {"type": "number", "derive": "age" + " + 1" * 496}}, "columns.a.derive"),
        ({"patient": {"type": "id", "missing_when": "age > 1"}}, "an identifier is never missing"),
        ({"age": {"type": "integer", "role": "entity"}}, "columns.age.role: `entity` is for an identifier"),
        (
            {"patient": {"type": "id", "role": "entity"}, "visit": {"type": "id", "role": "entity"}},
            "columns: 2 have the role entity: patient, visit. Keep it on one.",
        ),
        ({"x\ny": {"type": "number"}}, "is no name"),
        ({" ": {"type": "number"}}, "is no name"),
        ({"a": {"type": "nmuber"}}, "Did you mean 'number'?"),
        ({"a": {"type": "number", "rnage": [1, 2]}}, "ward.yaml: columns.a.rnage: unknown key. Did you mean 'range'?"),
        (
            {"a": {"type": "number", "range": [60, 12]}},
            "ward.yaml: columns.a.range: low 60 exceeds high 12. Swap them.",
        ),
        ({"a": {"type": "number", "range": [1]}}, "columns.a.range"),
        ({"a": {"type": "category", "categories": ["F", "F"]}}, "columns.a.categories: two of them read the same"),
        ({"a": {"type": "id", "format": "{x}"}}, "columns.a.format: needs exactly one field"),
    ],
    ids=str,
)
def test_a_column_that_cannot_be_used_is_refused_with_place_and_remedy(columns, message):
    with pytest.raises(ConfigError) as caught:
        ward(columns)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_empty_schema_is_refused():
    with pytest.raises(ConfigError, match="columns"):
        validate(Schema, {"columns": {}}, "x.yaml")


def test_computed_columns_come_after_what_they_need():
    schema = ward(
        {
            "c": {"type": "number", "derive": "b + 1"},
            "b": {"type": "number", "derive": "a + 1"},
            "a": {"type": "number", "missing_when": "sex == 'M'"},
            "stay": {"type": "integer", "derive": "discharged - admitted"},
            "old": {"type": "boolean", "values": ["no", "yes"], "derive": "age >= 80 or nyha == 'III'"},
        }
    )
    assert set(schema.computed) == {"a", "b", "c", "stay", "old"}
    assert [name for name in schema.computed if name in "abc"] == ["a", "b", "c"]
    assert schema.modelled == ("sex", "nyha", "age", "weight", "height", "admitted", "discharged", "died", "a")


def test_the_order_of_computing_does_not_hang_on_the_hash_seed():
    sources = {name: {"type": "number"} for name in "uvwxyz"}
    derived = {name: {"type": "number", "derive": "z + y + x + w + v + u"} for name in "fbcdea"}
    assert validate(Schema, {"columns": sources | derived}, "x.yaml").computed == tuple("fbcdea")


def test_rules_say_what_columns_imply():
    schema = ward(
        {
            "pregnant": {"type": "boolean", "missing_when": "sex == 'M'"},
            "bmi": {"type": "number", "decimals": 1, "derive": "weight / (height / 100) ** 2"},
            "ratio": {"type": "number", "derive": "weight / height"},
            "old": {"type": "boolean", "values": ["isn't", "yes"], "derive": "age >= 80"},
            "gravida 1": {"type": "integer", "missing": "allowed", "missing_when": "not pregnant"},
        },
        ["weight < height"],
    )
    assert [rule.text for rule in schema.rules] == [
        "weight < height",
        "if sex == 'M' then pregnant is missing",
        "if not (sex == 'M') then pregnant is not missing",
        "abs(bmi - (weight / (height / 100) ** 2)) <= 0.051",
        "abs(ratio - (weight / height)) <= 1e-9 * abs(ratio)",
        "if age >= 80 then old == 'yes'",
        "if not (age >= 80) then old == 'isn''t'",
        "if not pregnant then `gravida 1` is missing",
    ]


def test_an_unknown_outcome_counts_as_held():
    table = pd.DataFrame({"age": [30.0, None, 30.0, 10.0], "weight": [None, 50.0, 50.0, 50.0]})
    assert Rule(then="weight < 40").broken(table).tolist() == [False, True, True, True]
    assert Rule(when="age > 20", then="weight < 40").broken(table).tolist() == [False, False, True, False]


def test_with_column_replaces_adds_and_takes_away_words():
    schema = ward()
    log = schema.with_column("weight", unit="kg", scale="log", range=(1, 300))
    assert log.columns["weight"] == Number(unit="kg", scale="log", range=(1, 300))
    assert schema.columns["weight"] == Number()
    assert list(log.columns) == list(schema.columns)
    assert log.with_column("weight", range=None, unit=None).columns["weight"] == Number(scale="log")
    assert log.with_column("weight", type="text").columns["weight"].type == "text"
    assert list(schema.with_column("crp", type="number", unit="mg/L").columns)[-1] == "crp"


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("wieght", {"unit": "kg"}, "schema.columns.wieght: there is no such column. Did you mean 'weight'?"),
        ("weight", {"rnage": [1, 2]}, "Did you mean 'range'?"),
        ("weight", {"range": [2, 1]}, "schema: columns.weight.range: low 2 exceeds high 1"),
        ("weight", {"type": "text"}, "names 'weight', which is never modelled"),
    ],
    ids=str,
)
def test_with_column_refuses_what_does_not_fit(name, changes, message):
    with pytest.raises(ConfigError) as caught:
        ward(constraints=["weight < 500"]).with_column(name, **changes)
    assert message in str(caught.value)


def test_yaml_reads_like_a_person_wrote_it(tmp_path):
    schema = ward(
        {
            "nt_probnp": {
                "unit": "pg/mL",
                "type": "number",
                "spikes": [5.0, 7.5],
                "missing": "allowed",
                "range": [5, 70000],
            },
            "sex": {"type": "category", "categories": ["F", "M", "NO", "1"], "disclosure": "quasi_identifier"},
            "grade": {"type": "category", "categories": [1, 2.0, "x"]},
            "event": {"type": "boolean", "values": [0, 1], "missing": "never"},
        },
        ["weight < height", {"when": "sex == 'F'", "then": "age > 5"}],
    )
    text = schema.to_yaml()
    for line in (
        "  nt_probnp:\n    type: number\n    unit: pg/mL\n    range: [5, 70000]\n    spikes: [5, 7.5]\n    missing: a",
        "    categories: [F, M, 'NO', '1']\n    disclosure: quasi_identifier\n",
        "    categories: [1, 2.0, x]\n",
        "  event:\n    type: boolean\n    values: [0, 1]\n",
        "    range: ['2015-01-01', '2024-12-31']\n",
        "constraints:\n  - weight < height\n  - when: sex == 'F'\n    then: age > 5\n",
    ):
        assert line in text
    path = tmp_path / "schema.yaml"
    path.write_text(text, encoding="utf-8")
    again = Schema.read(path)
    assert again == schema
    assert repr(again) == repr(schema)


@settings(max_examples=60, deadline=None)
@given(schema=schemas())
def test_any_schema_comes_back_equal_from_yaml(tmp_path_factory, schema):
    path = tmp_path_factory.mktemp("schema") / "schema.yaml"
    path.write_text(schema.to_yaml(), encoding="utf-8")
    assert repr(Schema.read(path)) == repr(schema)  # by repr, because (0, 1) == (False, True)


def test_read_names_the_file(tmp_path):
    path = tmp_path / "ward.yaml"
    path.write_text("columns:\n  age: {type: integer, range: [5, 1]}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"ward\.yaml: columns\.age\.range: low 5 exceeds high 1\. Swap them\."):
        Schema.read(path)
    with pytest.raises(ConfigError, match=r"none\.yaml"):
        Schema.read(tmp_path / "none.yaml")


def test_infer_is_a_door_to_inference():
    table = pd.DataFrame({"age": [*range(40, 60)] * 2, "died": [0, 1] * 20})
    assert list(Schema.infer(table).columns) == ["age", "died"]


def test_the_entity_is_the_column_of_that_role():
    schema = Schema.model_validate({"columns": {"visit": {"type": "id"}, "patient": {"type": "id"}}})
    assert schema.entity is None
    assert schema.with_column("patient", role="entity").entity == "patient"
