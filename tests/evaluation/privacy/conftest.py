from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.attack_data import AttackData

from .ward import SCHEMA, ward


@pytest.fixture(scope="session")
def train() -> pd.DataFrame:
    return ward(300, 1)


@pytest.fixture(scope="session")
def holdout() -> pd.DataFrame:
    return ward(300, 2)


@pytest.fixture(scope="session")
def ideal() -> pd.DataFrame:
    return ward(300, 3)


@pytest.fixture(scope="session")
def compare(train: pd.DataFrame, holdout: pd.DataFrame) -> Callable[[pd.DataFrame], Comparison]:
    """Put a synthetic table beside the ward's training and holdout tables."""

    def made(synthetic: pd.DataFrame) -> Comparison:
        return Comparison.of(synthetic, train=train, holdout=holdout, schema=SCHEMA, random_state=7)

    return made


@pytest.fixture(scope="session")
def data(compare: Callable[[pd.DataFrame], Comparison], ideal: pd.DataFrame) -> AttackData:
    return AttackData.of(compare(ideal))


@pytest.fixture(scope="session")
def values(compare: Callable[[pd.DataFrame], Comparison]) -> Callable[[pd.DataFrame], NDArray[np.float64]]:
    """Turn a table into the numbers that attacks see."""
    return lambda table: compare(table).synthetic
