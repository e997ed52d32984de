"""`evaluate`: scores, gates and provenance in one call."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pandas as pd
import pytest

from synthclin.errors import ConfigError
from synthclin.evaluation.scoring import Evaluation
from synthclin.io.documents import dump_json
from synthclin.report import Report, build, evaluate
from synthclin.report.record.section_data import RuleFacts
from synthclin.schema import Schema
from tests.evaluation.conftest import spare
from tests.report.conftest import example

SCHEMA = Schema.model_validate(
    {
        "columns": {
            "age": {"type": "integer", "range": [0, 120]},
            "bmi": {"type": "number", "decimals": 1, "missing": "allowed"},
            "died": {"type": "boolean", "values": [0, 1], "role": "outcome"},
        }
    }
)


def patients(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 90, rows)
    bmi = np.where(rng.random(rows) < 0.2, np.nan, (20 + age / 10 + rng.normal(0, 2, rows)).round(1))
    died = (rng.random(rows) < age / 120).astype(int)
    return pd.DataFrame({"age": pd.array(age, "Int64"), "bmi": bmi, "died": pd.array(died, "Int64")})


@pytest.fixture(scope="module")
def built() -> Report:
    tables = {"train": patients(90, 2), "holdout": patients(60, 3)}
    with pytest.MonkeyPatch.context() as patch:
        spare(patch)
        return evaluate(patients(90, 1), **tables, schema=SCHEMA, provenance={"seed": 3})


def test_report_round_trips_through_json(built: Report) -> None:
    text = dump_json(built.to_dict())
    again = Report.from_dict(json.loads(text))
    assert dump_json(again.to_dict()) == text
    assert again.to_html() == built.to_html()
    assert [verdict.gate for verdict in again.verdicts] == [verdict.gate for verdict in built.verdicts]
    assert any(verdict.gate.null is not None for verdict in built.verdicts)


def test_provenance_holds_arguments_and_row_counts(built: Report) -> None:
    judged = [["age", "integer"], ["bmi", "number"], ["died", "boolean"]]
    assert built.provenance == {
        "schema_sha256": hashlib.sha256(json.dumps(judged).encode()).hexdigest(),
        "seed": 3,
        "rows": {"train": 90, "holdout": 60, "synthetic": 90},
        "columns": 3,
        "random_state": 0,
        "replicates": 1,
    }


def test_default_gates_judge_computed_scores(built: Report) -> None:
    assert {verdict.gate.score for verdict in built.verdicts} >= {"fidelity.marginals", "utility.died"}
    assert len(built.verdict) == len(built.verdicts)


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Replace scoring by a fixed result; the list counts the calls."""
    calls: list[int] = []

    def score(*_: object, **__: object) -> Evaluation:
        calls.append(1)
        return Evaluation(example().scores, example().sections)

    monkeypatch.setattr(build, "score_comparison", score)
    return calls


def judged(**words: object) -> Report:
    return evaluate(patients(5, 1), train=patients(5, 2), schema=SCHEMA, **words)


def test_given_gates_replace_default_gates(scored: list[int]) -> None:
    assert [v.gate.text for v in judged(gates=["fidelity.pairs >= 0.5"]).verdicts] == ["fidelity.pairs >= 0.5"]
    assert judged(gates=[]).verdicts == ()
    assert len(scored) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        {"gates": ["fidelity.pairs is good"]},
        {"provenance": {"seed": "seven"}},
        {"provenance": {"rows": {"test": 3}}},
        {"provenance": {"table": patients(2, 1)}},
    ],
)
def test_invalid_arguments_are_refused_before_scoring(scored: list[int], arguments: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        judged(**arguments)
    assert not scored


def test_tasks_accept_the_yaml_form(scored: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"evaluate: tasks\[0\]"):
        judged(tasks=[{"task": "foretell", "target": "died"}])
    assert not scored
    judged(tasks=[{"task": "predict", "target": "died"}])


def test_gate_on_uncomputed_score_is_an_error(scored: list[int]) -> None:
    with pytest.raises(ConfigError, match=r"fidelity\.pairs"):
        judged(gates=["fidelity.pears >= 0.5"])
    assert scored


def test_report_is_frozen(built: Report) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        built.edition = "internal"  # type: ignore[misc]


def test_rules_broken_by_the_unconstrained_model_are_scored():
    schema = Schema.model_validate(
        {"columns": {"age": {"type": "number"}, "bmi": {"type": "number"}}, "constraints": ["age < 9 or bmi < 9"]}
    )

    def sample(seed):
        return pd.DataFrame(np.random.default_rng(seed).normal(size=(60, 2)), columns=["age", "bmi"])

    facts = RuleFacts(
        excluded_rows={"age < 9 or bmi < 9": 12}, unconstrained={"age < 9 or bmi < 9": 0.2}, unconstrained_rows=2_000
    )
    report = evaluate(sample(1), train=sample(2), schema=schema, rules=facts)
    assert report["validity.raw_rules"].value == 0.2
    (verdict,) = [verdict for verdict in report.verdicts if verdict.gate.score == "validity.raw_rules"]
    # No released row breaks the rule, so that the model's own dependence is for review.
    assert verdict.status == "REVIEW"
    broken = sample(1).assign(age=10.0, bmi=10.0)
    wrong = evaluate(broken, train=sample(2), schema=schema, rules=facts)
    assert "FAIL" in [one.status for one in wrong.verdicts if one.gate.score == "validity.raw_rules"]
    page = report.to_html()
    assert "Rules that the unconstrained model would break" in page
    assert "Real rows excluded because they break a rule: 12 for age &lt; 9 or bmi &lt; 9." in page
