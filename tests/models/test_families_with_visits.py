"""The contract of all families on patients with visits; a module of its own, which another worker runs."""

from __future__ import annotations

import numpy as np
import pytest

from synthclin.errors import DataError
from synthclin.models import MODELS, load
from synthclin.rules.rules import violations
from tests import longitudinal
from tests.models.contract import contract, made

pytestmark = pytest.mark.parametrize("family", [*MODELS, "chain"])


@pytest.fixture(scope="module", autouse=True)
def _contract():
    with contract():
        yield


def test_patients_with_visits(family, tmp_path):
    schema, table = longitudinal.schema(), longitudinal.visits(40)
    table = table[table.groupby("who").cumcount() < 2].reset_index(drop=True)
    model = made(family, schema).fit(table)
    sampled = model.sample(20, random_state=2)
    assert len(set(sampled["who"])) == 20
    assert {rule: int(mask.sum()) for rule, mask in violations(sampled, schema).items() if mask.any()} == {}
    assert (sampled.groupby("who")["day"].diff().dropna() > 0).all()
    likelihood = model.log_likelihood(table)
    assert np.isfinite(likelihood).all()
    if not MODELS[family].keeps_rows:
        model.save(tmp_path / "model")
        model = load(tmp_path / "model")
        assert np.allclose(model.log_likelihood(table), likelihood, atol=1e-5)
    older = model.sample(5, "age >= 60 and any(sbp > 120)", random_state=2)
    assert older["age"].ge(60).all()


def test_too_few_patients_with_visits_are_an_error(family):
    with pytest.raises(DataError, match="are too few"):
        made(family, longitudinal.schema()).fit(longitudinal.visits(12))
