from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError

from synthclin.schema.columns import AnyColumn, Id


def column(**words):
    return TypeAdapter(AnyColumn).validate_python(words)


def test_fresh_ids_follow_the_format():
    assert Id().fresh(1) == ["S000001"]
    assert Id(format="HF-{}").fresh(2) == ["HF-1", "HF-2"]
    assert Id(format="{{{0:04d}}}").fresh(1) == ["{0001}"]


@pytest.mark.parametrize(
    "text",
    [
        "S",
        "",
        "{}{}",
        "{0}{1}",
        "{x}",
        "{0.real}",
        "{0[0]}",
        "{!r}",
        "{:s}",
        "{:>6}",
        "{:{}}",
        "{:999999999d}",
        "{",
        "{:.3f}",
    ],
)
def test_an_id_format_has_one_plain_field(text):
    with pytest.raises(ValidationError, match="one field for a whole number"):
        Id(format=text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"type": "number", "range": [60, 12]}, "range: low 60 exceeds high 12"),
        ({"type": "number", "range": [0, 1e200]}, "beyond 1e\\+150"),
        ({"type": "number", "range": [0, float("inf")]}, "finite"),
        ({"type": "number", "range": [float("nan"), 1]}, "finite"),
        ({"type": "number", "range": [0, 5], "spikes": [6]}, "outside `range`"),
        ({"type": "number", "spikes": [5, 5.0]}, "twice"),
        ({"type": "integer", "range": [0, 1.5]}, "integer"),
        ({"type": "integer", "decimals": 1}, "Extra"),
        ({"type": "duration"}, "unit"),
        ({"type": "duration", "unit": "year"}, "unit"),
        ({"type": "date", "range": ["2020-01-02", "2020-01-01"]}, "exceeds"),
        ({"type": "date", "range": [2015, 2020]}, "YYYY-MM-DD"),
        ({"type": "date", "range": ["2015", "2020"]}, "YYYY-MM-DD"),
        ({"type": "date", "range": ["0001-01-01", "2020-01-01"]}, "1678 to 2261"),
        ({"type": "datetime", "range": ["2020-01-01T00:00Z", "2020-01-02T00:00Z"]}, "timezone"),
        ({"type": "boolean", "values": [1, 1]}, "read the same"),
        ({"type": "boolean", "values": [True, False]}, "\\[false, true\\]"),
        ({"type": "boolean", "values": [False, "yes"]}, "\\[false, true\\]"),
        ({"type": "boolean", "values": [False, 1]}, "\\[false, true\\]"),
        ({"type": "category", "categories": []}, "at least 1"),
        ({"type": "category", "categories": ["F", "F"]}, "read the same"),
        ({"type": "category", "categories": [True, 1]}, "read the same"),
        ({"type": "category", "categories": [1, 1.0]}, "read the same"),
        ({"type": "category", "categories": ["1", 1]}, "read the same"),
        ({"type": "category", "categories": ["TRUE", True]}, "read the same"),
        ({"type": "category", "categories": [float("nan")]}, "finite"),
        ({"type": "category", "categories": [None]}, "categories"),
        ({"type": "ordinal", "categories": ["I"]}, "at least 2"),
        ({"type": "ordinal"}, "categories"),
        ({"type": "number", "label": "two\nlines"}, "one line of at most 80"),
        ({"type": "number", "label": "x" * 81}, "one line of at most 80"),
        ({"type": "number", "label": " "}, "one line of at most 80"),
        ({"type": "number", "label": "a\u202eb"}, "printable"),
        ({"type": "number", "labels": {1: "a"}}, "labels"),
        ({"type": "category", "categories": [1, 2], "labels": {3: "a"}}, "labels no level"),
        ({"type": "category", "categories": [1, 2], "labels": {"1": "a"}}, "labels no level"),
        ({"type": "category", "categories": [1, 2], "labels": {True: "a"}}, "labels no level"),
        ({"type": "category", "categories": [1, 2], "labels": {1: "a", 2: "a"}}, "same label"),
        ({"type": "category", "categories": [1, 2], "labels": {1: "2"}}, "reads like a level"),
        ({"type": "category", "categories": [1, 2], "labels": {1: ""}}, "one line of at most 80"),
        ({"type": "category", "labels": {"1": "a", 1: "b"}}, "read the same"),
        ({"type": "category", "role": "time"}, "role: time"),
        ({"type": "date", "role": "time"}, "role: time"),
        ({"type": "boolean", "role": "time"}, "role: time"),
        ({"type": "boolean", "administrative": 9}, "only a column with `role: event`"),
        ({"type": "boolean", "role": "event", "administrative": 0}, "greater than 0"),
        ({"type": "category", "role": "event", "administrative": 9}, "Declare `censored`"),
    ],
    ids=str,
)
def test_a_declaration_that_contradicts_itself_is_refused(words, message):
    with pytest.raises(ValidationError, match=message):
        column(**words)


@pytest.mark.parametrize(
    "words",
    [
        {"type": "category", "categories": ["1", "1.0", "true", "True"]},
        {"type": "category", "categories": ["NA", ""]},
        {"type": "category", "categories": ["1", "01"], "labels": {"1": "one", "01": "oh one"}},
        {"type": "boolean", "labels": {False: "no", True: "yes"}, "label": "x" * 80},
        {"type": "category", "categories": [1, 2], "labels": {1: "2", 2: "1"}},
        {"type": "code", "labels": {"010": "a", "10": "b"}},
        {"type": "number", "range": [5, 5], "spikes": [5]},
        {"type": "integer", "role": "time"},
        {"type": "duration", "unit": "d", "role": "time"},
    ],
    ids=str,
)
def test_a_declaration_that_is_merely_odd_is_allowed(words):
    column(**words)
