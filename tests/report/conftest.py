"""A handmade report in which every section has content and every status occurs."""

from __future__ import annotations

import dataclasses
from math import nan
from typing import Any

import pytest

from synthclin.evaluation.gate import Gate
from synthclin.evaluation.gates import Verdict, default_gates, judge
from synthclin.evaluation.score import Score
from synthclin.report import Report
from tests.report.typed import details_of


def made(name: str, value: float, low: float, high: float, **words: Any) -> Score:
    """Return a score with defaults for the fields, and for the fields of its details, that a test does not set."""
    given: dict[str, Any] = {
        "better": "higher",
        "baseline": None,
        "reference": None,
        "n": 400,
        "method": "counted",
        "note": "",
    }
    given |= words
    if isinstance(given.get("details"), dict):
        given["details"] = details_of(name, given["details"])
    return Score(name=name, question=f"Is {name} good?", value=value, low=low, high=high, **given)


def panels(first: str, second: str) -> list[dict[str, Any]]:
    """Return two histograms: a number with one small real count, and levels with one suppressed count."""
    return [
        {
            "column": first,
            "kind": "line",
            "unit": "mm[Hg]",
            "edges": [80.0, 100.0, 120.0],
            "real": [7, 150, 180, 50],
            "synthetic": [3, 160, 190, 40],
            "missing": {"real": 13, "synthetic": 7},
        },
        {
            "column": second,
            "kind": "levels",
            "unit": None,
            "labels": ["F", "M", "other (3 levels)"],
            "real": [200, 189, None],
            "synthetic": [210, 188, 2],
            "missing": {"real": None, "synthetic": 0},
        },
    ]


def blocks(first: str, second: str) -> list[dict[str, Any]]:
    """Return Table 1 of the same two columns."""
    summary = {"mean": 112.25, "sd": 17.5, "q1": 100.0, "median": 111.0, "q3": 124.0}
    return [
        {
            "column": first,
            "kind": "line",
            "unit": "mm[Hg]",
            "missing": {"real": 13, "synthetic": 7},
            "real": summary,
            "synthetic": summary | {"mean": 118.0},
            "difference": 0.33,
        },
        {
            "column": second,
            "kind": "levels",
            "unit": None,
            "missing": {"real": None, "synthetic": 0},
            "levels": [
                {"level": "F", "real": {"n": 200, "percent": 50.5}, "synthetic": {"n": 210, "percent": 52.5}},
                {"level": "M", "real": {"n": 189, "percent": 47.7}, "synthetic": {"n": 188, "percent": 47.0}},
                {"level": "X", "real": {"n": None, "percent": None}, "synthetic": {"n": 2, "percent": 0.5}},
            ],
            "difference": None,
        },
    ]


def example(first: str = "sbp", second: str = "sex", **changes: Any) -> Report:
    """Return the report; `first` and `second` are its columns, `changes` replace its fields."""
    roc = [[0.0, 0.0], [0.01, 0.03], [0.2, 0.3], [0.5, 0.65], [1.0, 1.0]]
    scores = (
        made(
            "validity.rules",
            0.9975,
            0.986,
            0.9996,
            baseline=0.9,
            reference=1.0,
            details={"rules": [{"rule": f"{first} > 20", "synthetic": 1, "real": None}], "declared": 3},
        ),
        made(
            "fidelity.marginals",
            0.93,
            0.92,
            0.94,
            reference=0.96,
            details={
                "columns": [
                    {
                        "column": first,
                        "value": 0.86,
                        "reference": 0.97,
                        "measure": "1 - KS",
                        "missing_real": None,
                        "missing_synthetic": 0.0175,
                    },
                    {
                        "column": second,
                        "value": 0.99,
                        "reference": 0.95,
                        "measure": "1 - TVD",
                        "missing_synthetic": 0.0,
                    },
                ]
            },
        ),
        made(
            "fidelity.pairs",
            0.91,
            0.9,
            0.92,
            baseline=0.84,
            reference=0.95,
        ),
        made(
            "fidelity.associations",
            0.32,
            0.3,
            0.34,
            better="lower",
            baseline=0.42,
            reference=0.03,
            details={
                "lost": [{"columns": [first, second], "real": -0.42, "synthetic": -0.1, "change": -0.32}],
                "columns": [first, second],
                "real": [[1.0, -0.42], [-0.42, 1.0]],
                "synthetic": [[1.0, -0.1], [-0.1, 1.0]],
                "mean_change_synthetic": 0.32,
                "largest_change_synthetic": 0.32,
            },
        ),
        made(
            "fidelity.missingness",
            0.95,
            0.93,
            0.97,
            baseline=0.8,
            reference=0.98,
            details={"patterns": [{"missing": [first], "real": 0.0325, "synthetic": 0.0175}]},
        ),
        made(
            "fidelity.detection",
            0.95,
            0.93,
            0.97,
            better="lower",
            baseline=0.99,
            reference=0.51,
            details={"columns": [{"column": first, "auc_drop": 0.2}], "roc": roc},
        ),
        made(
            "utility.died",
            -0.04,
            -0.06,
            -0.031,
            baseline=-0.3,
            reference=0.0,
            details={
                "measure": "AUC",
                "learners": [{"learner": "linear", "real": 0.8, "synthetic": 0.76, "shuffled": 0.5}],
            },
        ),
        made(
            "privacy.copies",
            0.0,
            0.0,
            0.0095,
            better="lower",
            baseline=0.0,
            reference=0.01,
            details={"copies": 0, "whole_table": False},
        ),
        made("privacy.membership", nan, nan, nan, better="lower", n=0, note="There is no holdout."),
    )
    sections = {
        "rows": {"train": 400, "holdout": 100, "synthetic": 400},
        "marginals": panels(first, second),
        "table_one": blocks(first, second),
    }
    report = Report(scores, judge(default_gates(scores), scores), sections, {"name": "toy", "seed": 7})
    return dataclasses.replace(report, **changes)


def verdict(name: str, status: Any, *, bound: float = 0.5, review: float | None = 0.4) -> Verdict:
    """Return a verdict on the score `name`."""
    return Verdict(Gate(name, ">=", 0.6, review, "project convention"), status, bound, bound, "Because.", "Because.")


@pytest.fixture
def report() -> Report:
    return example()
