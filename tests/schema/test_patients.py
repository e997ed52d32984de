from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthclin.errors import DataError
from synthclin.schema import Schema
from synthclin.schema.patients import patients

VISITS = Schema.model_validate({"columns": {"who": {"type": "id", "role": "entity"}, "x": {"type": "integer"}}})


@given(st.lists(st.none() | st.integers(0, 5), max_size=30))
def test_rows_share_a_number_if_and_only_if_they_share_an_identifier(who):
    table = pd.DataFrame({"who": pd.array([None if p is None else str(p) for p in who], dtype="string")})
    numbers = patients(table, VISITS)
    assert numbers.dtype == np.int64
    assert sorted(set(numbers.tolist())) == list(range(len(set(numbers.tolist()))))
    for i, one in enumerate(who):
        for j, other in enumerate(who):
            assert (numbers[i] == numbers[j]) == (i == j or (one is not None and one == other))


def test_without_identifiers_every_row_is_a_patient():
    schema = Schema.model_validate({"columns": {"x": {"type": "integer"}}})
    assert patients(pd.DataFrame({"x": [5, 5]}, index=[3, 3]), schema).tolist() == [0, 1]


def test_rows_never_pass_for_patients_where_the_identifier_was_lost():
    with pytest.raises(DataError, match="column 'who': identifies the patient and is absent"):
        patients(pd.DataFrame({"x": [1]}), VISITS)
