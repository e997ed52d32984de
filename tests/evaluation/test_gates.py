from __future__ import annotations

import math
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.errors import ConfigError
from synthclin.evaluation.analyses.details import AnalysisDetails
from synthclin.evaluation.gate import Gate, parse_gate
from synthclin.evaluation.gates import DEFAULT_GATES, default_gates, judge
from synthclin.evaluation.score import Interval
from tests.evaluation.test_score import kind


def score(name="fidelity.marginals", value=0.9, low=0.88, high=0.92, better="higher", reference=None, error=None):
    return kind(name, better).score(
        value, Interval(low, high), n=100, reference=reference, reference_error=error, details={}
    )


def status(gate, **of):
    return judge([gate if isinstance(gate, Gate) else parse_gate(gate)], [score(**of)])[0].status


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("fidelity.marginals >= 0.90", ("fidelity.marginals", ">=", 0.9)),
        ("  privacy.copies<=1e-3 ", ("privacy.copies", "<=", 0.001)),
        ("utility.d.time > -.05", ("utility.d.time", ">", -0.05)),
        ("utility.blood pressure >= -0.03", ("utility.blood pressure", ">=", -0.03)),
        ("utility.a >= b < +5.", ("utility.a >= b", "<", 5.0)),
    ],
)
def test_gates_are_read(text, expected):
    gate = parse_gate(text)
    assert (gate.score, gate.op, gate.limit) == expected
    assert gate.review is None
    assert gate.source == "set by user"
    assert parse_gate(gate.text) == gate


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "fidelity.pairs",
            "fidelity.pairs = 0.9",
            "fidelity.pairs == 0.9",
            ">= 0.9",
            "marginals >= 0.9",
            ". >= 1",
        ),
        *("fidelity.pairs >= high", "fidelity.pairs >= nan", "fidelity.pairs >= inf", "fidelity.pairs >= 1e999"),
        *("0.9 <= fidelity.pairs", "fidelity.pairs => 0.9", "fidelity.pairs >= 0.9 # ok", None, 0.9),
    ],
)
def test_other_text_is_no_gate(text):
    with pytest.raises(ConfigError, match="Write one such as"):
        parse_gate(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text):
    try:
        gate = parse_gate(text)
    except ConfigError:
        return
    assert math.isfinite(gate.limit)


def test_a_strict_gate_compares_the_worse_end_and_gives_pass_or_fail():
    assert status("fidelity.marginals >= 0.88") == "PASS"
    assert status("fidelity.marginals > 0.88") == "FAIL"
    assert status("fidelity.marginals >= 0.89") == "FAIL"
    assert status("fidelity.marginals <= 0.92") == "PASS"
    assert status("fidelity.marginals <= 0.91") == "FAIL"
    assert status("fidelity.marginals >= 0.1", value=math.nan, low=math.nan, high=math.nan) == "NOT ASSESSABLE"


def test_a_score_that_was_not_computed_is_an_error_that_names_the_nearest():
    with pytest.raises(ConfigError, match=r"Did you mean 'fidelity\.marginals'"):
        judge([parse_gate("fidelity.marginal >= 0.1")], [score()])
    with pytest.raises(ConfigError, match=r"Scores of this run: fidelity\.marginals"):
        judge([parse_gate("x.y >= 0.1")], [score()])


MEMBERSHIP = next(gate for gate in DEFAULT_GATES if gate.score == "privacy.membership")  # <= 0.55, review to 0.60


@pytest.mark.parametrize(
    ("low", "high", "reference", "expected"),
    [
        (0.45, 0.54, 0.5, "PASS"),
        (0.45, 0.58, 0.5, "REVIEW"),  # holds the limit
        (0.45, 0.65, 0.5, "NOT ASSESSABLE"),  # from pass to fail
        (0.51, 0.65, 0.5, "REVIEW"),  # as far, but significantly beyond chance
        (0.56, 0.59, 0.5, "REVIEW"),
        (0.56, 0.65, 0.5, "FAIL"),
        (0.90, 0.95, 0.5, "FAIL"),
        (0.60, 0.66, 0.62, "REVIEW"),  # holdout rows miss it too
        (0.63, 0.66, 0.62, "FAIL"),  # significantly worse than they
        (0.90, 0.95, 0.62, "FAIL"),  # they do not excuse everything
        (0.90, 0.95, None, "FAIL"),
    ],
)
def test_a_default_gate_fails_only_what_is_significantly_worse(low, high, reference, expected):
    of = {"name": "privacy.membership", "value": (low + high) / 2, "low": low, "high": high, "better": "lower"}
    verdict = judge([MEMBERSHIP], [score(**of, reference=reference)])[0]
    assert verdict.status == expected
    assert verdict.bound == high
    assert verdict.reason.endswith(".")
    assert verdict.missed == (expected == "FAIL")


@pytest.mark.parametrize(
    ("value", "high", "times"),
    [(0.50, 0.60, "4.0"), (0.53, 0.62, "20.2"), (0.52, 0.58, "4.0"), (0.56, 0.63, None), (0.549, 0.65, None)],
)
def test_the_reason_states_how_many_patients_would_decide(value, high, times):
    verdict = judge([MEMBERSHIP], [score("privacy.membership", value, 0.45, high, better="lower", reference=0.5)])[0]
    known = None if times in (None, "20.2") else times
    assert (f"About {times} times as many holdout patients" in verdict.reason) == (known is not None)
    assert verdict.holdout_needed == (None if known is None else float(known))
    assert not re.search(r"\d", verdict.without_figures)


def test_not_assessable_is_a_miss_only_for_a_strict_gate():
    nothing = score(value=math.nan, low=math.nan, high=math.nan)
    strict, default = judge([parse_gate("fidelity.marginals >= 0.1"), *default_gates([nothing])], [nothing])
    assert strict.status == default.status == "NOT ASSESSABLE"
    assert strict.missed
    assert not default.missed


def test_default_gates_are_those_of_the_scores_there_are():
    scores = [score("utility.died"), score("utility.num"), score("privacy.copies"), score("fidelity.pairs")]
    assert [gate.score for gate in default_gates(scores)] == ["utility.died", "utility.num", "privacy.copies"]
    assert all(gate.review is not None and gate.source != "set by user" for gate in default_gates(scores))
    for gate in DEFAULT_GATES:
        assert (gate.review < gate.limit) == gate.op.startswith(">")


@pytest.mark.parametrize(
    ("low", "high", "reference", "error", "expected"),
    [
        (0.0, 0.005, 0.0, 0.001, "PASS"),
        (0.0, 0.3, 0.0, 0.001, "PASS"),  # none was found, however few there are
        (0.001, 0.004, 0.0, 0.0, "REVIEW"),  # a single one
        (0.001, 0.03, 0.0, 0.0, "REVIEW"),
        (0.006, 0.03, 0.0, 0.0, "FAIL"),
        (0.006, 0.03, 0.0, 0.01, "REVIEW"),  # not significantly more than among non-members
        (0.006, 0.03, 0.011, 0.002, "REVIEW"),  # non-members are copied as often
        (0.2, 0.3, 0.25, 0.02, "REVIEW"),
        (0.2, 0.3, 0.05, 0.02, "FAIL"),
        (0.013, 0.03, None, None, "FAIL"),
    ],
)
def test_copies_never_pass_and_non_members_excuse_only_a_fail(low, high, reference, error, expected):
    gate = next(gate for gate in DEFAULT_GATES if gate.score == "privacy.copies")
    of = {"name": gate.score, "value": (low + high) / 2, "low": low, "high": high, "better": "lower"}
    assert judge([gate], [score(**of, reference=reference, error=error)])[0].status == expected


def test_a_distance_only_raises_the_alarm():
    of = {"name": "privacy.near_copies", "better": "lower", "reference": 0.0}
    assert default_gates([score(**of, value=0.0, low=-0.01, high=0.02)]) == ()
    ringing = score(**of, value=0.9, low=0.8, high=1.0)
    assert [verdict.status for verdict in judge(default_gates([ringing]), [ringing])] == ["REVIEW"]


@pytest.mark.parametrize(
    ("reference", "error", "expected"),
    [
        (None, None, "FAIL"),
        (0.0, 0.02, "FAIL"),  # holdout rows meet the limit
        (0.0, 0.1, "NOT ASSESSABLE"),  # they may reach 0.196, or not
        (-0.2, 0.1, "NOT ASSESSABLE"),
        (-0.2, 0.02, "FAIL"),
        (0.13, 0.0, "REVIEW"),  # 0.02 apart, and the score alone is known to 0.03
        (0.11, 0.0, "FAIL"),
        (0.11, 0.02, "REVIEW"),  # the difference of 0.04 is within 0.03 and 0.04 together
        (0.06, 0.02, "FAIL"),
        (0.12, 0.05, "NOT ASSESSABLE"),  # the difference of 0.03 may be as large as 0.13
    ],
)
def test_holdout_rows_excuse_an_attack_only_where_the_difference_is_not_above_chance(reference, error, expected):
    of = {"name": "privacy.singling_out", "value": 0.15, "low": 0.12, "high": 0.18, "better": "lower"}
    gate = next(gate for gate in DEFAULT_GATES if gate.score == of["name"])
    verdict = judge([gate], [score(**of, reference=reference, error=error)])[0]
    assert verdict.status == expected
    assert ("value without leakage" in verdict.reason) == (expected != "FAIL")
    assert verdict.excused == (expected != "FAIL")
    assert not re.search(r"\d", verdict.without_figures)


def test_an_imprecise_control_excuses_no_attack():
    """A smaller holdout makes the value without leakage less precise; that is no reason for a better verdict."""
    of = {"name": "privacy.attribute_inference", "value": 0.309, "low": 0.072, "high": 0.474, "better": "lower"}
    gate = next(gate for gate in DEFAULT_GATES if gate.score == of["name"])
    statuses = [
        judge([gate], [score(**of, reference=-0.13, error=error)])[0].status for error in (0.01, 0.1, 0.23, 0.5)
    ]
    assert statuses == ["FAIL", "FAIL", "NOT ASSESSABLE", "NOT ASSESSABLE"]


def test_shuffled_training_columns_excuse_nothing():
    found = kind("privacy.membership", "lower").score(
        0.865, Interval(0.82, 0.9), n=100, baseline=0.9, reference=0.5, reference_error=0.03, details={}
    )
    assert judge([MEMBERSHIP], [found])[0].status == "FAIL"


@pytest.mark.parametrize(("agree", "expected"), [(1.0, "PASS"), (None, "PASS"), (0.5, "REVIEW"), (0.0, "REVIEW")])
def test_an_analysis_whose_clear_effect_turned_round_never_passes(agree, expected):
    details = AnalysisDetails(
        terms=[],
        worst_term=None,
        replicates=1,
        horizon=None,
        time_unit=None,
        curves=None,
        signs_agree=agree,
        decisions_agree=None,
        estimates_agree=None,
    )
    found = replace(score(name="inference.cox.died", value=0.9, low=0.8, high=1.0), details=details)
    assert [verdict.status for verdict in judge(default_gates([found]), [found])] == [expected]
    assert judge([parse_gate("inference.cox.died >= 0.5")], [found])[0].status == "PASS"
