import pytest

from synthclin.models import ConditionalGAN
from tests.ward import SCHEMA, table

__all__ = ["model", "table"]


@pytest.fixture(scope="session")
def model(table):
    """A narrow network: tests of sampling are of its mechanics."""
    return ConditionalGAN(SCHEMA, effort="quick", width=32, random_state=3).fit(table)
