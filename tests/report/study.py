"""A handmade report of a whole study: analyses, subgroups, attacks and controls, each with content."""

from __future__ import annotations

from typing import Any

from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.score import Score
from synthclin.evaluation.score_names import within
from synthclin.report import Report
from tests.report.conftest import example, made


def term(name: str, one: float, other: float, **words: Any) -> dict[str, Any]:
    ends = [[x, x - 0.2, x + 0.2] for x in (one, other)]
    estimate = {"term": name, "real": ends[0], "synthetic": ends[1], "overlap": 1 - abs(one - other) / 0.4}
    return estimate | {"sign_agrees": one * other > 0, "decision_agrees": True} | words


def curve(points: int, slope: float) -> dict[str, Any]:
    survival = [1 - slope * k / 40 for k in range(points)]
    return {
        "survival": survival,
        "low": [max(s - 0.05, 0) for s in survival],
        "high": [min(s + 0.05, 1) for s in survival],
        "at_risk": [200 - 4 * k for k in range(points)],
        "censored": [k % 7 == 3 for k in range(points)],
    }


def arms(names: tuple[str, ...]) -> list[dict[str, Any]]:
    times = [float(k) for k in range(41)]
    return [{"group": name, "times": times, "real": curve(38, 0.4), "synthetic": curve(41, 0.3)} for name in names]


def attack(value: float, first: str, **words: Any) -> dict[str, Any]:
    rate = {"value": 0.2, "low": 0.15, "high": 0.26, "n": 300}
    return {
        "strongest_attack": "nearest row",
        "naive_baseline": 0.1,
        "non_members": rate,
        "members": rate | {"value": 0.24, "low": 0.2, "high": 0.3},
        "top_decile_outliers": {"value": value + 0.1, "low": value, "high": value + 0.2},
        "groups": [
            {"column": first, "level": level, "value": value, "low": value - 0.05, "high": value + 0.05}
            for level in ("F", "M")
        ],
        "negative_control": {"value": 0.01, "low": -0.02, "high": 0.04},
    } | words


def extra(first: str = "sbp", second: str = "sex") -> tuple[Score, ...]:
    """Return a score of every kind that `example` does not contain."""
    calibration = {"brier": 0.15, "slope": 0.8, "intercept": -0.1}
    group = {"value": 0.9, "low": 0.88, "high": 0.92, "reference": 0.95, "n": 120}
    seen = {"privacy.copies", "privacy.near_copies"}
    return (
        made(
            "fidelity.tails",
            0.3,
            0.2,
            0.4,
            better="lower",
            reference=0.1,
            details={"columns": [{"column": first, "value": 0.3, "reference": 0.1, "shifts": [-0.4, None, 0.1, 0.7]}]},
        ),
        made(
            "fidelity.heaping",
            0.1,
            0.05,
            0.15,
            better="lower",
            reference=0.02,
            details={"columns": [{"column": first, "value": 0.1, "reference": 0.02}]},
        ),
        made(
            "fidelity.rare_levels",
            0.7,
            0.6,
            0.8,
            reference=0.9,
            details={"coverage": 0.5, "levels": [{"column": second, "level": "X", "log_ratio": -1.2}]},
        ),
        made(
            "fidelity.triples",
            0.9,
            0.88,
            0.92,
            baseline=0.7,
            reference=0.94,
            details={"worst": [{"columns": [first, second, "age"], "value": 0.8, "reference": 0.9}]},
        ),
        made(
            "fidelity.unseen_pairs",
            0.02,
            0.01,
            0.03,
            better="lower",
            reference=0.01,
            details={"pairs": [{"columns": [first, second], "levels": ["a", "b"], "rows": 3}]},
        ),
        made(
            "fidelity.missing_dependence",
            0.1,
            0.05,
            0.15,
            better="lower",
            baseline=0.3,
            reference=0.04,
            details={
                "correlations": [
                    {"missing": first, "column": second, "level": "F", "real": 0.5, "synthetic": -0.2},
                    {"missing": first, "column": "age", "level": None, "real": 0.1, "synthetic": 0.1},
                ]
            },
        ),
        made(
            "inference.cox.died",
            0.5,
            0.45,
            0.55,
            baseline=0.1,
            reference=0.7,
            details={
                "terms": [
                    term(f"{second}: F against M", 0.6, 0.1),
                    term(f"{first} (per SD)", 0.3, -0.3),
                    term("lost", 0.1, 0.1, synthetic=[None, None, None], overlap=None),
                ],
                "replicates": 5,
                "horizon": None,
                "curves": None,
            },
        ),
        made(
            "inference.survival.died",
            0.8,
            0.75,
            0.85,
            baseline=0.2,
            reference=0.8,
            details={
                "terms": [
                    term(f"mean survival time, {second}: F", 30.0, 31.0),
                    term(f"difference, {second}: M against F", 2.0, 1.0),
                ],
                "replicates": 5,
                "horizon": 40.0,
                "curves": arms((f"{second}: F", f"{second}: M")),
            },
        ),
        made(
            "calibration.died",
            0.02,
            0.01,
            0.03,
            better="lower",
            baseline=0.1,
            reference=0.0,
            details={
                "learners": [{"learner": "linear", "real": calibration | {"slope": 1.0}, "synthetic": calibration}]
            },
        ),
        made(
            "importance.died",
            0.6,
            0.3,
            0.8,
            baseline=0.1,
            reference=0.8,
            details={
                "columns": [
                    {"column": first, "real": 0.1, "synthetic": 0.02},
                    {"column": second, "real": 0.0, "synthetic": 0.04},
                ],
                "shared_top": 1.0,
            },
        ),
        *(
            made(
                within(second, score),
                0.9,
                0.88,
                0.92,
                reference=0.95,
                better="lower" if score == "fidelity.detection" else "higher",
                details={
                    "score": score,
                    "column": second,
                    "worst": "F",
                    "groups": [group | {"group": "F"}, group | {"group": "M", "value": 0.94}],
                    "not_judged": 1,
                },
            )
            for score in ("fidelity.marginals", "fidelity.pairs", "fidelity.detection")
        ),
        made("privacy.singling_out", 0.05, 0.0, 0.1, better="lower", details=attack(0.05, second)),
        made("privacy.linkability", 0.02, -0.02, 0.06, better="lower", details=attack(0.02, second)),
        made(
            "privacy.smallest_leak",
            0.05,
            0.05,
            0.05,
            better="lower",
            details={
                "canaries": [
                    {
                        "share": share,
                        "kind": kind,
                        "rows": round(400 * share),
                        "detected_by": sorted(seen) if share > 0.01 else [],
                    }
                    for kind in ("exact", "jittered")
                    for share in (0.005, 0.01, 0.05)
                ]
            },
        ),
    )


def study(first: str = "sbp", second: str = "sex", **changes: Any) -> Report:
    """Return the report; `first` and `second` are its columns, `changes` replace its fields."""
    short = example(first, second)
    roc = [[0.0, 0.0], [0.06, 0.1], [0.2, 0.3], [0.5, 0.65], [1.0, 1.0]]
    each = [{"name": first, "roc": roc}, {"name": "nearest row", "roc": [[0.0, 0.0], [0.2, 0.1], [1.0, 1.0]]}]
    membership = made(
        "privacy.membership",
        0.58,
        0.52,
        0.64,
        better="lower",
        reference=0.5,
        details=attack(
            0.57,
            second,
            n_members=400,
            n_non_members=100,
            roc=roc,
            curves=each,
            tpr_at_10_percent=0.15,
            members=None,
            non_members=None,
        ),
    )
    scores = (*(s for s in short.scores if s.name != "privacy.membership"), membership, *extra(first, second))
    fields = {"scores": scores, "verdicts": judge(default_gates(scores), scores), "sections": short.sections}
    return example(first, second, **(fields | changes))
