from __future__ import annotations

import warnings
from collections.abc import Callable

import pandas as pd
import pytest

from synthclin.evaluation import Evaluation, score_table
from synthclin.evaluation.comparison import Comparison

from .clinic import SCHEMA, clinic


@pytest.fixture(scope="session")
def train() -> pd.DataFrame:
    return clinic(400, 1)


@pytest.fixture(scope="session")
def holdout() -> pd.DataFrame:
    return clinic(200, 2)


@pytest.fixture(scope="session")
def fresh() -> pd.DataFrame:
    """As good as a synthetic table can be: rows from the same clinic, of people in neither other table."""
    return clinic(400, 3)


@pytest.fixture(scope="session")
def whole(train: pd.DataFrame, holdout: pd.DataFrame, fresh: pd.DataFrame) -> Evaluation:
    """The whole evaluation of fresh rows."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return score_table(fresh, train=train, holdout=holdout, schema=SCHEMA, random_state=7)


@pytest.fixture(scope="session")
def compare(train: pd.DataFrame, holdout: pd.DataFrame) -> Callable[[pd.DataFrame], Comparison]:
    """Put a synthetic table beside the clinic's training and holdout tables."""

    def made(synthetic: pd.DataFrame) -> Comparison:
        return Comparison.of(synthetic, train=train, holdout=holdout, schema=SCHEMA, random_state=7)

    return made
