"""The train/holdout split by patient."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from synthclin.errors import ConfigError, DataError
from synthclin.rules.validation import readable_cells
from synthclin.schema.arguments import require_schema, require_table
from synthclin.schema.patients import patients
from synthclin.seeds import numpy_generator

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from synthclin.schema import Schema

__all__ = ["split"]


def split(
    table: pd.DataFrame, schema: Schema, holdout: float = 0.2, random_state: int = 0, *, stable: bool = False
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split a table into training and holdout rows.

    All rows of one patient stay on one side, so `holdout` is a share of patients. Both sides keep the order of the
    rows and get a new index.

    Arguments:
        table: a table that satisfies `schema`.
        schema: has the patient identifier with the role ``entity``; see `synthclin.schema.patients.patients`.
        holdout: share of the patients to hold out, above 0 and below 1.
        random_state: the random seed.
        stable: whether the side of each patient depends on that patient alone, by a hash of the identifier, or of the
            row where there is none. The share is then only about `holdout`, and one patient more moves no other one to
            the other side, as differential privacy needs.

    Returns:
        (train, holdout), each with the columns of `table`.

    Raises:
        ConfigError: `holdout` is no share, or an argument is no table or no schema.
        DataError: one side would be empty, or the patients' column is absent; with `stable` also any other column.

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
    if stable:
        return _sides(table, _uniform(table, schema, random_state) < holdout)
    count = int(patient.max(initial=-1)) + 1
    size = round(holdout * count)
    if not 0 < size < count:
        what = f"a share of {holdout} of {count} patients leaves one side empty"
        raise DataError("holdout", what, "Give a table with more patients, or another share.")
    chosen = numpy_generator(random_state, "split").permutation(count)[:size]
    return _sides(table, np.isin(patient, chosen))


def _sides(table: pd.DataFrame, is_holdout: NDArray[np.bool_]) -> tuple[pd.DataFrame, pd.DataFrame]:
    return table[~is_holdout].reset_index(drop=True), table[is_holdout].reset_index(drop=True)


def _uniform(table: pd.DataFrame, schema: Schema, random_state: int) -> NDArray[np.float64]:
    """Return (rows,) numbers in [0, 1), each a keyed hash of the patient's identifier, or of the row without one."""
    cells = readable_cells(table, schema)
    whole = ["\x1f".join(row) for row in zip(*(_texts(cells[name]) for name in cells), strict=True)]
    named = whole if schema.entity is None else _texts(cells[schema.entity])
    key = random_state.to_bytes(8, "big", signed=False)
    texts = (name or row for name, row in zip(named, whole, strict=True))
    digests = (hashlib.blake2b(text.encode(errors="surrogatepass"), key=key, digest_size=8).digest() for text in texts)
    return np.array([int.from_bytes(digest, "big") / 2.0**64 for digest in digests], dtype=np.float64)


def _texts(cells: pd.Series) -> NDArray[np.object_]:
    """Return (rows,) the text of each typed cell, empty where missing, each for itself.

    `astype` writes a whole column in one form: a missing level turns 1 into 1.0, and a time of day changes every date.
    """
    codes, known = pd.factorize(cells)
    texts: NDArray[np.object_] = np.array([*(str(_positive_zero(one)) for one in known), ""], dtype=np.object_)[codes]
    return texts


def _positive_zero(cell: object) -> object:
    """Return 0.0 for -0.0, which `factorize` takes for one, and any other cell unchanged."""
    return cell + 0.0 if isinstance(cell, float) else cell
