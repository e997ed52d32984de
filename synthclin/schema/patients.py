"""Which rows of a table are one patient's."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from synthclin.errors import DataError
from synthclin.schema import Schema

__all__ = ["MIN_PATIENTS", "patients"]

MIN_PATIENTS = 11
"""Fewer patients are a small cell: 1/11 is about 0.09, the limit of EMA policy 0070 and Health Canada."""


def patients(table: pd.DataFrame, schema: Schema) -> NDArray[np.int64]:
    """Return (rows,) the number of each row's patient, from 0 and without gaps.

    Rows are of one patient if they agree in the column of role ``entity``; a row without an identifier is a patient of
    its own, and without such a column every row is.

    Raises:
        DataError: the schema names the patients' column and the table lacks it.

    Example:
        >>> schema = Schema.model_validate({"columns": {"who": {"type": "id", "role": "entity"}}})
        >>> patients(pd.DataFrame({"who": ["b", "a", None, "b", None]}), schema).tolist()
        [0, 1, 2, 0, 3]
    """
    if schema.entity is None:
        return np.arange(len(table), dtype=np.int64)
    if schema.entity not in table.columns:
        # Rows taken for patients would pass for more patients than there are.
        what = "names the patient and is absent from the table"
        raise DataError(f"column {schema.entity!r}", what, "Bring the column, or take its role away.")
    codes, known = pd.factorize(table[schema.entity])
    unknown = codes < 0
    return np.where(unknown, len(known) + np.cumsum(unknown) - 1, codes).astype(np.int64)
