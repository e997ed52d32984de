"""The patient of each row."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthclin.errors import DataError
from synthclin.schema import Schema
from synthclin.schema.min_patients import MIN_PATIENTS
from synthclin.schema.visit_times import numbered

__all__ = ["MIN_PATIENTS", "numbered", "patients", "sampled_units"]


def patients(table: pd.DataFrame, schema: Schema) -> NDArray[np.int64]:
    """Return (rows,) the number of each row's patient, from 0 and without gaps.

    Rows with the same value in the column of role ``entity`` have the same patient. A row without an identifier is a
    patient of its own; so is every row without such a column.

    Raises:
        DataError: the schema has a column of role ``entity`` and the table lacks it.

    Example:
        >>> schema = Schema.model_validate({"columns": {"who": {"type": "id", "role": "entity"}}})
        >>> patients(pd.DataFrame({"who": ["b", "a", None, "b", None]}), schema).tolist()
        [0, 1, 2, 0, 3]
    """
    if schema.entity is None:
        return np.arange(len(table), dtype=np.int64)
    if schema.entity not in table.columns:
        # Rows counted as patients would overstate the number of patients.
        what = "identifies the patient and is absent from the table"
        raise DataError(f"column {schema.entity!r}", what, "Add the column, or remove its role.")
    return numbered(table[schema.entity])


def sampled_units(table: pd.DataFrame, schema: Schema) -> int:
    """Return the number of what a model samples: rows, or patients where these have visits.

    Example:
        >>> schema = Schema.model_validate({"columns": {"x": {"type": "integer"}}})
        >>> sampled_units(pd.DataFrame({"x": [1, 2, 2]}), schema)
        3
    """
    return len(table) if schema.visit_time is None else int(patients(table, schema).max(initial=-1)) + 1
