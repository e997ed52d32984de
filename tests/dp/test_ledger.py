"""The ledger: exact sums, refusal above the total, and plain data."""

import json
import math
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.dp.ledger import Entry, Ledger
from synthclin.errors import ConfigError, ModelFormatError


def test_costs_add_up_in_their_order():
    ledger = Ledger(1.0)
    ledger.spend(0.25, "age")
    ledger.spend(0.5, "sex")
    assert ledger.entries == (Entry("age", 0.25), Entry("sex", 0.5))
    assert (ledger.rho, ledger.spent, ledger.left) == (1.0, 0.75, 0.25)


def test_nothing_is_entered_above_the_total():
    ledger = Ledger(1.0)
    ledger.spend(0.75, "age")
    with pytest.raises(ConfigError, match=r"'sex' costs rho 0\.5, and 0\.25 of 1 is left"):
        ledger.spend(0.5, "sex")
    assert ledger.entries == (Entry("age", 0.75),)
    ledger.spend(0.25, "sex")
    assert ledger.left == 0
    with pytest.raises(ConfigError):
        ledger.spend(5e-324, "one more")


@given(st.floats(1e-12, 1e3), st.lists(st.floats(1e-18, 1.0), max_size=30))
def test_no_rounding_exceeds_the_total_and_what_is_left_can_be_spent(total, shares):
    ledger = Ledger(total)
    for share in shares:
        if 0 < share * total <= ledger.left:
            ledger.spend(share * total, "a share")
    assert sum((Fraction(entry.rho) for entry in ledger.entries), Fraction(0)) <= Fraction(total)
    if ledger.left > 0:
        ledger.spend(ledger.left, "the rest")
    assert 0 <= ledger.left < 1e-15 * total + 5e-324
    assert Fraction(ledger.spent) >= sum(Fraction(entry.rho) for entry in ledger.entries)


@pytest.mark.parametrize("rho", [0, -0.1, math.nan, math.inf, "0.1", None, True])
def test_a_cost_that_is_no_positive_number_is_refused(rho):
    ledger = Ledger(1.0)
    with pytest.raises(ConfigError):
        ledger.spend(rho, "age")
    with pytest.raises(ConfigError):
        Ledger(rho)
    assert ledger.entries == ()


@pytest.mark.parametrize("what", ["", "a\nb", "a" * 201, 7, None])
def test_a_name_that_is_no_short_text_is_refused(what):
    with pytest.raises(ConfigError):
        Ledger(1.0).spend(0.1, what)


def test_entries_cannot_be_changed_from_outside():
    ledger = Ledger(1.0)
    ledger.spend(0.5, "age")
    with pytest.raises(AttributeError):
        ledger.spent = 0.0
    with pytest.raises(AttributeError):
        ledger.entries[0].rho = 0.0


def test_plain_data_and_back():
    ledger = Ledger(0.1 + 0.2)
    ledger.spend(0.1, "age")
    ledger.spend(1 / 7, "sex, smoker")
    back = Ledger.from_dict(json.loads(json.dumps(ledger.to_dict())))
    assert back.to_dict() == ledger.to_dict()
    assert back.left == ledger.left


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"rho": 1.0},
        {"rho": 1.0, "entries": {}},
        {"rho": 1.0, "entries": [], "more": 1},
        {"rho": -1.0, "entries": []},
        {"rho": 1.0, "entries": [["age", 0.1]]},
        {"rho": 1.0, "entries": [{"what": "age", "rho": 0.1, "more": 1}]},
        {"rho": 1.0, "entries": [{"what": "age", "rho": -0.1}]},
        {"rho": 1.0, "entries": [{"what": "age", "rho": 0.6}, {"what": "sex", "rho": 0.6}]},
        {"rho": 1.0, "entries": [{"what": 3, "rho": 0.6}]},
        {"rho": True, "entries": []},
    ],
)
def test_data_of_another_form_are_refused(data):
    with pytest.raises(ModelFormatError, match=r"model/dp\.json: is no privacy ledger"):
        Ledger.from_dict(data, "model/dp.json", ModelFormatError)
