"""The train/holdout split by patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from synthclin.errors import ConfigError, DataError
from synthclin.schema.arguments import require_schema, require_table
from synthclin.schema.patients import patients
from synthclin.seeds import numpy_generator

if TYPE_CHECKING:
    import pandas as pd

    from synthclin.schema import Schema

__all__ = ["split"]


def split(
    table: pd.DataFrame, schema: Schema, holdout: float = 0.2, random_state: int = 0
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a table into training and holdout rows.

    All rows of one patient stay on one side, so `holdout` is a share of patients. Both sides keep the order of the
    rows and get a new index.

    Arguments:
        table: a table that satisfies `schema`.
        schema: has the patient identifier with the role ``entity``; see `synthclin.schema.patients.patients`.
        holdout: share of the patients to hold out, above 0 and below 1.
        random_state: the random seed.

    Returns:
        (train, holdout), each with the columns of `table`.

    Raises:
        ConfigError: `holdout` is no share, or an argument is no table or no schema.
        DataError: one side would be empty, or the patients' column is absent.

    Example:
        >>> import pandas as pd
        >>> from synthclin.schema import Schema
        >>> columns = {"id": {"type": "id", "role": "entity"}, "x": {"type": "integer"}}
        >>> schema = Schema.model_validate({"columns": columns})
        >>> visits = pd.DataFrame({"id": ["a", "a", "b", "b", "c"], "x": [1, 2, 3, 4, 5]})
        >>> train, rest = split(visits, schema, holdout=0.3)
        >>> set(train["id"]) & set(rest["id"])
        set()
    """
    require_table(table)
    require_schema(schema)
    if not isinstance(holdout, int | float) or not 0 < holdout < 1:
        raise ConfigError("holdout", f"{holdout!r} is not a share between 0 and 1", "Give one such as 0.2.")
    patient = patients(table, schema)
    count = int(patient.max(initial=-1)) + 1
    size = round(holdout * count)
    if not 0 < size < count:
        what = f"a share of {holdout} of {count} patients leaves one side empty"
        raise DataError("holdout", what, "Give a table with more patients, or another share.")
    chosen = numpy_generator(random_state, "split").permutation(count)[:size]
    is_holdout = np.isin(patient, chosen)
    return table[~is_holdout].reset_index(drop=True), table[is_holdout].reset_index(drop=True)
