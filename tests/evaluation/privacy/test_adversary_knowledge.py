from __future__ import annotations

import numpy as np

from synthclin.evaluation.comparison import Comparison
from synthclin.evaluation.privacy.adversary_knowledge import Knowledge
from tests.evaluation import clinic

from .ward import SCHEMA, ward


def knowledge(schema, sample, **changes):
    return Knowledge.of(
        Comparison.of(sample(60, 1).assign(**changes), train=sample(60, 2), holdout=None, schema=schema)
    )


def test_declared_columns_are_used():
    known = knowledge(SCHEMA, ward)
    assert (known.keys, known.sensitive_columns, known.declared, known.note) == (((0, 1, 2),), (5,), True, "")


def test_random_column_sets_replace_undeclared_quasi_identifiers():
    known = knowledge(clinic.SCHEMA, clinic.clinic)
    assert [len(keys) for keys in known.keys] == [2, 3, 4, 5]
    assert known.sensitive_columns == (7,)  # the outcome
    assert all(7 not in keys for keys in known.keys)
    assert not known.declared
    assert "random sets" in known.note
    assert "outcomes" in known.note
    assert known == knowledge(clinic.SCHEMA, clinic.clinic)


def test_a_constant_column_is_not_sensitive():
    schema = SCHEMA.with_column("hiv", disclosure=None).with_column("weight", disclosure="quasi_identifier")

    def sample(rows: int, seed: int):
        return ward(rows, seed).assign(crp=np.nan)

    assert knowledge(schema, sample).sensitive_columns == (5,)


def test_at_most_four_sensitive_columns_are_attacked():
    schema = SCHEMA
    for name in ("age", "sex", "zip", "weight", "crp"):
        schema = schema.with_column(name, disclosure="sensitive")
    known = knowledge(schema, ward)
    assert len(known.sensitive_columns) == 4
    assert "4 of the sensitive columns" in known.note
