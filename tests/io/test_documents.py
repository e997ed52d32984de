"""Strict documents: ambiguous input is refused with one sentence."""

from __future__ import annotations

import datetime as dt
import json
import math
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, model_validator

from synthclin.errors import ConfigError, ModelFormatError
from synthclin.io.documents import dump_json, dump_yaml, parse_yaml, read_json, read_yaml, validate

CANARY = "CANARY-8731"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[F, M, NO]", ["F", "M", "NO"]),
        ("[yes, no, on, off, y, n, Y, N]", ["yes", "no", "on", "off", "y", "n", "Y", "N"]),
        ("[true, True, TRUE, false]", [True, True, True, False]),
        ("[~, null, ]", [None, None]),
        ("[1e-6, 1.0e-6, 1E3, .5, 2., -3.5e+2]", [1e-6, 1e-6, 1e3, 0.5, 2.0, -350.0]),
        ("[1, -2, +3, 0]", [1, -2, 3, 0]),
        ("[007, 08, 0x1F, 0o7, 0b1, 1_000]", ["007", "08", "0x1F", "0o7", "0b1", "1_000"]),
        ("[12:30:00, 190:20]", ["12:30:00", "190:20"]),
        ("[2015-01-01, 2015-01-01 10:00:00]", ["2015-01-01", "2015-01-01 10:00:00"]),
        ("[.inf, .nan, =]", [".inf", ".nan", "="]),
        ("['1', \"true\", '<<']", ["1", "true", "<<"]),
        ("{1: a, true_: b, '1': c}", {1: "a", "true_": "b", "1": "c"}),
        ("'sex == ''F'''", "sex == 'F'"),
    ],
)
def test_scalars_mean_what_they_say(text: str, value: Any) -> None:
    found = parse_yaml(f"key: {text}", "here")["key"]
    assert found == value
    assert repr(found) == repr(value)


LAUGHS = "a: &a [x, x]\n" + "\n".join(
    f"{new}: &{new} [*{old}, *{old}]" for old, new in zip("abcdefg", "bcdefgh", strict=True)
)


@pytest.mark.parametrize(
    ("text", "line", "expected"),
    [
        ("seed: 1\nrows: 2\nseed: 3", 3, "duplicate key 'seed', first on line 1"),
        ("a:\n  b: 1\n  'b': 2", 3, "duplicate key 'b', first on line 2"),
        ("a: {1: x, 1.0: y}", 1, "duplicate key 1.0"),
        (LAUGHS, 1, "anchors and aliases"),
        ("a: *b", 1, "anchors and aliases"),
        ("base: {a: 1}\nb:\n  <<: {c: 1}", 3, "merge keys"),
        ("a: !!python/object/apply:os.system ['id']", 1, "tags"),
        ("a: 1\nb: !!str 1", 2, "tags"),
        ("a: !local x", 1, "tags"),
        ("a: " + "[" * 40 + "]" * 40, 1, "nested deeper than 32"),
        pytest.param("a: " + "{a: " * 5000, 1, "nested deeper than 32", id="maps"),
        ("a: 1e999", 1, "too large"),
        pytest.param("a: " + "9" * 5000, 1, "digits", id="digits"),
        ("? [a, b]\n: c", 1, "a key is a list"),
        ("~: 1", 1, "a key is empty"),
        ("a: b: c", 1, "mapping values are not allowed"),
        ("a: [1, 2", 1, "expected"),
        ("a: 1\n\tb: 2", 2, "tab character"),
        ("a: 1\n---\nb: 2", 2, "a second document"),
        ("a: '" + "x", 1, "end of stream"),
        pytest.param("a: [" + "x," * 60_000 + "]", 1, "more than 50,000 values", id="values"),
    ],
)
def test_refused_with_the_line(text: str, line: int, expected: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_yaml(text, "study.yaml")
    assert str(refusal.value).startswith(f"study.yaml: line {line}: ")
    assert expected in str(refusal.value)


@pytest.mark.parametrize(
    "text", ["", "# nothing", "- a", "just text", "1: a", "a: \x01", "a: \ud800", "x" * (4 * 2**20 + 1)]
)
def test_refused_as_a_whole(text: str) -> None:
    with pytest.raises(ModelFormatError, match=r"^study\.yaml: "):
        parse_yaml(text, "study.yaml", ModelFormatError)


def test_a_text_that_is_too_large() -> None:
    with pytest.raises(ConfigError, match="larger than 4 MiB"):
        parse_yaml("x" * (4 * 2**20 + 1), "study.yaml")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    with pytest.raises(ConfigError, match="No such file"):
        read_yaml(path)
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path)
    with pytest.raises(ConfigError, match="null character"):
        read_yaml("a\0b")
    path.write_bytes(b"a: 1\nname: M\xfcller")
    with pytest.raises(ConfigError, match=r"line 2: not UTF-8"):
        read_yaml(path)
    path.write_bytes(b"a: 1\n" + b"#" * (4 * 2**20))
    with pytest.raises(ConfigError, match="larger than 4 MiB"):
        read_yaml(path)
    path.write_bytes("\ufeffname: Müller\r\n".encode())
    assert read_yaml(path) == {"name": "Müller"}


NUMBERLIKE = [
    "1e-6",
    "1e5",
    ".5",
    "+1",
    "007",
    "0x1F",
    "1_000",
    "2015-01-01",
    "12:30",
    "NO",
    "yes",
    "true",
    "~",
    "null",
]
SIGNS = ["<<", "=", "!x", "&a", "*a", "#", "a #b", "'", '"', "[", "{", "?", "|", ">", "%", "@", "`", "a:", "a: b", "-"]
SPACES = ["", " ", "\n", "a\nb", "\t", "\x85", "\u2028", "a\u2029b", "\ufeff"]
AWKWARD = st.sampled_from([*NUMBERLIKE, *SIGNS, *SPACES])
SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | AWKWARD
)
DOCUMENTS = st.dictionaries(
    st.text(max_size=20) | AWKWARD,
    st.recursive(
        SCALARS,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text(max_size=8) | AWKWARD | st.integers(), inner, max_size=4)
        ),
        max_leaves=12,
    ),
    max_size=5,
)


@given(DOCUMENTS)
@settings(max_examples=100, deadline=None)
def test_yaml_round_trip(document: dict[str, Any]) -> None:
    text = dump_yaml(document)
    assert repr(parse_yaml(text, "here")) == repr(document)
    # Other readers, which follow YAML 1.1, agree on every text.
    assert yaml.safe_load(text) == document


@given(st.text(alphabet="ab:-[]{}&*!|>'\"#%@`,? \n0123456789.e~<", max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_a_mapping_or_refused(text: str) -> None:
    try:
        value = parse_yaml(text, "here")
    except ConfigError:
        return
    assert isinstance(value, dict)


def test_yaml_as_people_write_it() -> None:
    document = {
        "name": "hf",
        "columns": {"sbp": {"type": "integer", "range": (50, np.int64(260)), "spikes": np.array([5.5])}, "x": {}},
        "cohorts": [{"rows": 10, "mix": {np.int64(0): 0.5, 1: np.float64(1e-6)}}],
        "from": dt.date(2015, 1, 1),
        "long": ["a" * 50, "b" * 50],
        "none": [],
    }
    assert dump_yaml(document) == (
        "name: hf\n"
        "columns:\n"
        "  sbp:\n"
        "    type: integer\n"
        "    range: [50, 260]\n"
        "    spikes: [5.5]\n"
        "  x: {}\n"
        "cohorts:\n"
        "  - rows: 10\n"
        "    mix:\n"
        "      0: 0.5\n"
        "      1: 1.0e-06\n"
        "from: 2015-01-01\n"
        "long:\n"
        f"  - {'a' * 50}\n"
        f"  - {'b' * 50}\n"
        "none: []\n"
    )
    with pytest.raises(ValueError, match="not finite"):
        dump_yaml({"a": math.inf})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1, "a": 2}', "duplicate key 'a'"),
        ('{"a": NaN}', "not finite"),
        ('{"a": -Infinity}', "not finite"),
        ('{"a": 1e999}', "not finite"),
        ("[" * 40 + "]" * 40, "nested deeper"),
        pytest.param("[" * 100_000, "nested deeper", id="lists"),
        ('{"a":' * 40 + "1" + "}" * 40, "nested deeper"),
        pytest.param("9" * 5000, "too many digits", id="digits"),
        ('{\n"a": ', "line 2: not JSON"),
        ("", "not JSON"),
        ("\x00", "not JSON"),
    ],
)
def test_refused_json(text: str, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "model.json"
    path.write_text(text)
    with pytest.raises(ModelFormatError, match=expected):
        read_json(path, ModelFormatError)


def test_unreadable_json(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_json(tmp_path / "absent.json")
    (tmp_path / "latin.json").write_bytes(b'"\xfc"')
    with pytest.raises(ConfigError, match="not UTF-8"):
        read_json(tmp_path / "latin.json")


def test_json_is_deterministic_and_compares_well() -> None:
    value = {"b": (np.float32(0.1), np.int64(3), np.array([[1.0, math.nan]])), "a": math.inf, "d": dt.date(2015, 1, 1)}
    value |= {"t": dt.datetime(2015, 1, 1, 10, 30), "é": "ü", "c": 123456.78901234567, "e": np.bool_(True)}  # noqa: DTZ001
    text = dump_json(value)
    assert text == dump_json(dict(reversed(value.items())))
    assert text.endswith("}\n")
    assert "ü" in text
    assert json.loads(text) == {
        "a": None,
        "b": [0.1000000015, 3, [[1.0, None]]],
        "c": 123456.789,
        "d": "2015-01-01",
        "e": True,
        "t": "2015-01-01T10:30:00",
        "é": "ü",
    }
    with pytest.raises(TypeError):
        dump_json({"a": object()})


@given(DOCUMENTS.filter(lambda document: "{1" not in repr(document)))
@settings(max_examples=50, deadline=None)
def test_exact_json_round_trip(tmp_path_factory: pytest.TempPathFactory, document: dict[str, Any]) -> None:
    path = tmp_path_factory.mktemp("json") / "value.json"
    expected = json.loads(json.dumps(document))
    path.write_text(dump_json(expected, digits=None))
    assert read_json(path) == expected


class Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Number(Strict):
    type: Literal["number"]
    range: tuple[float, float] | None = None
    missing: Literal["never", "allowed"] = "never"

    @model_validator(mode="after")
    def _ordered(self) -> Number:
        if self.range and self.range[0] > self.range[1]:
            raise ValueError("range: low end exceeds high end. Swap them.")
        return self


class Category(Strict):
    type: Literal["category"]
    categories: tuple[bool | int | str, ...] = ()


class Data(Strict):
    source: str
    holdout: float = Field(default=0.2, gt=0, lt=1)


class Study(Strict):
    rows: int = 5
    data: Data | None = None
    columns: dict[str, Annotated[Number | Category, Field(discriminator="type")]] = Field(default_factory=dict)
    cohorts: tuple[Data, ...] = ()


def column(**words: Any) -> dict[str, Any]:
    return {"columns": {"range": words}}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"row": 5}, "row: unknown key. Did you mean 'rows'?"),
        ({"zzz": 5}, "zzz: unknown key. Use one of: cohorts, columns, data, rows."),
        ({5: 5}, "5: keys should be strings. Correct it."),
        ([CANARY], "not a mapping of keys to values. Write `key: value` lines."),
        ({"rows": CANARY}, "rows: should be a valid integer, unable to parse string as an integer. Correct it."),
        ({"rows": CANARY, "data": 3, "columns": 3}, "rows: should be a valid integer, unable to parse string as an"),
        ({"data": {"sorce": CANARY}}, "data.sorce: unknown key (and 1 more). Did you mean 'source'?"),
        ({"data": {}}, "data.source: not given. Add it."),
        ({"data": {"source": "a", "holdout": 1.5}}, "data.holdout: should be less than 1. Correct it."),
        ({"cohorts": [{"source": "a", "holdot": 1}]}, "cohorts[0].holdot: unknown key. Did you mean 'holdout'?"),
        (column(type="number", rang=1), "columns.range.rang: unknown key. Did you mean 'range'?"),
        (column(type="category", rang=1), "columns.range.rang: unknown key. Use one of: categories, type."),
        (column(type="number", range=[60, 12]), "columns.range.range: low end exceeds high end. Swap them."),
        (column(type="nmber"), "columns.range.type: unknown type. Did you mean 'number'?"),
        (column(type=5), "columns.range.type: unknown type. Use one of: number, category."),
        (column(), "columns.range.type: not given. Add it."),
        ({"columns": {"a": 5}}, "columns.a: not a mapping of keys to values. Write `key: value` lines."),
        (column(type="number", missing=CANARY), "columns.range.missing: not one of the allowed words. Use 'never' or"),
        (column(type="number", range=[CANARY, 1]), "columns.range.range[0]: not a number"),
        (column(type="number", range=5), "columns.range.range: not a list. Write [a, b]."),
        (
            column(type="category", categories=[[CANARY]]),
            "columns.range.categories[0]: should be a valid boolean or a valid integer or a valid string. Correct it.",
        ),
    ],
)
def test_one_sentence_for_a_wrong_document(data: Any, message: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        validate(Study, data, "study.yaml")
    assert str(refusal.value).startswith(f"study.yaml: {message}")
    assert CANARY not in str(refusal.value)
    assert refusal.value.__suppress_context__ or refusal.value.__context__ is None


def test_a_right_document_is_returned_as_the_model() -> None:
    study = validate(Study, {"rows": 3, "columns": {"a": {"type": "number", "range": [1, 2]}}}, "study.yaml")
    assert study.columns["a"] == Number(type="number", range=(1, 2))
    with pytest.raises(ModelFormatError):
        validate(Study, {"rows": "x"}, "model.json", ModelFormatError)
