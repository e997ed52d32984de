"""A declared outcome without its dependence needs review, however small the table; one that kept it never does."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from synthclin.evaluation import scoring
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity.associations import ASSOCIATIONS, LostOutcome, association_changes
from synthclin.evaluation.gates import default_gates, judge
from synthclin.evaluation.scoring import score_comparison
from synthclin.schema import Schema

NUMBERS = [f"x{place}" for place in range(8)]
DIED = {"type": "boolean", "values": [0, 1], "role": "outcome"}
SCHEMA = Schema.model_validate({"columns": {name: {"type": "number"} for name in NUMBERS} | {"died": DIED}})


def table(rows: int, seed: int, *, shuffled: float = 0.0, reverse: bool = False) -> pd.DataFrame:
    """Return a table whose outcome depends on two of eight numbers, in all but a share of rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 8))
    died = (rng.random(rows) < 1 / (1 + np.exp(2 * x[:, 2] - 2 * x[:, 0]))).astype(int)
    chosen = rng.random(rows) < shuffled
    died[chosen] = rng.permutation(died[chosen])
    x[:, 1] = (0.5 * x[:, 1] + x[:, 0]) * (-1 if reverse else 1)
    return pd.DataFrame(x, columns=NUMBERS).assign(died=died)


def lost(rows: int, seed: int, outcomes: tuple[str, ...] = ("died",), **words: object) -> LostOutcome | None:
    synthetic = table(4 * rows, seed + 2_000, **words)  # type: ignore[arg-type]
    comparison = Comparison.of(synthetic, train=table(rows, seed), holdout=table(40, seed + 1_000), schema=SCHEMA)
    details = ASSOCIATIONS.read(association_changes(comparison, outcomes))
    assert details is not None
    return details.lost_outcome


@pytest.mark.parametrize("rows", [80, 160, 400])
def test_an_outcome_that_lost_its_dependence_is_named(rows: int) -> None:
    found = [lost(rows, seed, shuffled=1.0) for seed in range(10)]
    assert sum(each is not None for each in found) >= 9
    assert {each.column for each in found if each} == {"died"}
    assert all(abs(each.synthetic) < 0.5 * each.real for each in found if each)


@pytest.mark.parametrize("rows", [80, 160, 400])
def test_an_outcome_of_fresh_rows_is_never_named(rows: int) -> None:
    assert [lost(rows, seed) for seed in range(10)] == [None] * 10


def test_a_reversed_dependence_is_lost() -> None:
    found = lost(160, 0, ("x1",), reverse=True)
    assert found is not None
    assert found.synthetic < 0


def test_only_declared_outcomes_that_depend_on_others_are_judged() -> None:
    assert lost(160, 0, (), shuffled=1.0) is None
    assert lost(160, 0, ("x5", "absent"), shuffled=1.0) is None


def test_a_column_with_the_role_of_an_outcome_is_judged_and_needs_review(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "SCORES", (association_changes,))
    synthetic = table(640, 7, shuffled=1.0)
    comparison = Comparison.of(synthetic, train=table(160, 1), holdout=table(60, 2), schema=SCHEMA)
    scores = score_comparison(comparison).scores
    by_score = {verdict.gate.score: verdict for verdict in judge(default_gates(scores), scores)}
    assert by_score[ASSOCIATIONS.name].status in {"REVIEW", "FAIL"}
    (details,) = [details for score in scores if (details := ASSOCIATIONS.read(score)) is not None]
    reason = "Outcome 'died' has lost more than half of its dependence on the other columns."
    part = ASSOCIATIONS.worst_part(details.model_copy(update={"worst_column": None}))
    assert part is not None
    assert (part.status, part.reason.text) == ("REVIEW", reason)
    assert part.reason.without_figures == reason.replace("Outcome 'died'", "An outcome")
