from __future__ import annotations

import warnings
from collections.abc import Callable

import pandas as pd
import pytest

from synthclin.evaluation import Evaluation, score_table
from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.fidelity import detection
from synthclin.evaluation.privacy import canaries
from synthclin.evaluation.privacy.copies import copies_attack
from synthclin.evaluation.privacy.near_copies import near_copies
from tests.short import few_sdmetrics, few_trees

from .clinic import SCHEMA, clinic


def spare(patch: pytest.MonkeyPatch) -> None:
    """Use one C2ST repeat, small learners, two attacks on canaries and few reports of SDMetrics, to save time.

    The other attacks on canaries have tests of their own, and so have the intervals and references of SDMetrics.
    """
    patch.setattr(detection, "_REPEATS", 1)
    patch.setattr(canaries, "_ATTACKS", (copies_attack, near_copies))
    few_trees(patch)
    few_sdmetrics(patch)


@pytest.fixture(scope="session")
def train() -> pd.DataFrame:
    return clinic(400, 1)


@pytest.fixture(scope="session")
def holdout() -> pd.DataFrame:
    return clinic(200, 2)


@pytest.fixture(scope="session")
def ideal() -> pd.DataFrame:
    """An ideal synthetic table: rows of the same distribution, of patients in neither other table."""
    return clinic(400, 3)


@pytest.fixture(scope="session")
def whole(train: pd.DataFrame, holdout: pd.DataFrame, ideal: pd.DataFrame) -> Evaluation:
    """The whole evaluation of ideal rows, and of both sexes among them."""
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("error")
        spare(patch)
        return score_table(ideal, train=train, holdout=holdout, schema=SCHEMA, by=["sex"], random_state=7)


@pytest.fixture(scope="session")
def compare(train: pd.DataFrame, holdout: pd.DataFrame) -> Callable[[pd.DataFrame], Comparison]:
    """Put a synthetic table beside the clinic's training and holdout tables."""

    def made(synthetic: pd.DataFrame) -> Comparison:
        return Comparison.of(synthetic, train=train, holdout=holdout, schema=SCHEMA, random_state=7)

    return made
