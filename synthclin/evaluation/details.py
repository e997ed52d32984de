"""Details: the typed numbers and names behind a score, as ``report.json`` holds them."""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StrictInt, StrictStr, model_validator

__all__ = [
    "ColumnValue",
    "Correlation",
    "Count",
    "Details",
    "Finite",
    "NoDetails",
    "Pair",
    "Share",
    "TermValue",
    "plain",
]

Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Correlation = Annotated[float, Field(ge=-1, le=1)]
Count = Annotated[StrictInt, Field(ge=0)]
Pair = Annotated[list[StrictStr], Field(min_length=2, max_length=2)]


class Details(BaseModel):
    """Base of the details of a score and of their parts: every field is required, and unknown fields are errors.

    Fields can be read by name, ``details.columns``, or as those of a mapping, ``details["columns"]``.

    Example:
        >>> class Rows(Details):
        ...     train: int
        >>> import numpy as np
        >>> Rows(train=np.int64(3))["train"]
        3
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", hide_input_in_errors=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    @model_validator(mode="before")
    @classmethod
    def _as_json(cls, data: Any) -> Any:  # noqa: ANN401 (pydantic passes anything)
        return plain(data)

    def __getitem__(self, field: str) -> Any:  # noqa: ANN401 (fields have many types)
        if field not in type(self).model_fields:
            raise KeyError(field)
        return getattr(self, field)

    def get(self, field: str, default: Any = None) -> Any:  # noqa: ANN401
        """Return the field, or `default` where there is none of this name."""
        return getattr(self, field) if field in type(self).model_fields else default

    def __contains__(self, field: object) -> bool:
        return field in type(self).model_fields


class NoDetails(Details):
    """Details of a score that has none."""


class ColumnValue(Details):
    """A figure of one column, in synthetic rows and in holdout rows."""

    column: StrictStr
    """Name of the column."""
    value: Finite | None
    """The figure of the synthetic rows."""
    reference: Finite | None
    """The figure of holdout rows in the place of synthetic ones."""


class TermValue(Details):
    """A figure of one term of a regression, in synthetic rows and in holdout rows."""

    term: StrictStr
    """Name of the term."""
    value: Finite | None
    """The figure of the synthetic rows."""
    reference: Finite | None
    """The figure of holdout rows in the place of synthetic ones."""


def plain(value: object) -> Any:  # noqa: ANN401 (as many types as JSON has)
    """Return `value` as JSON types: numpy types become Python's, NaN becomes None, a tuple becomes a list.

    Example:
        >>> plain({"a": np.array([1.0, np.nan]), "b": (np.int64(2), "x")})
        {'a': [1.0, None], 'b': [2, 'x']}
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return None if isnan(value) else value
    return value
