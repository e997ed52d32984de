"""Parameters of a guarantee of differential privacy, as they stand in Python and in YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["DifferentialPrivacy"]


class DifferentialPrivacy(BaseModel):
    """The guarantee of a training with differential privacy (Dwork & Roth 2014, doi:10.1561/0400000042).

    Whatever the model and its synthetic tables disclose, they would disclose almost as likely without any one patient:
    the probability of each outcome changes by at most a factor of exp(epsilon), but for a probability of delta. Two
    tables are neighbours where one has all rows of one patient more.

    Arguments:
        epsilon: the bound of the factor, as its logarithm.
        delta: a probability far below one over the number of patients.
        unit: whose rows are protected together. Without a column of identifiers each row is a patient of its own; with
            one, rows that lack an identifier are left out.
        at_most: rows of one patient that are used at most; others are left out at random.
        patients: about how many patients the model is trained on, where that is public; otherwise a hundredth of the
            budget is spent on a noisy count.
        ledger: a file that records what was spent on this table by several fits, relative to the current folder.
        total_epsilon: the epsilon of all fits together that the ledger file allows; by default that of this fit.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, hide_input_in_errors=True, allow_inf_nan=False)

    epsilon: Annotated[float, Field(gt=0, le=100)]
    delta: Annotated[float, Field(gt=0, le=1e-3)]
    unit: Literal["patient"] = "patient"
    at_most: Annotated[int, Field(ge=1, le=1_000)] = 1
    patients: Annotated[int, Field(ge=1)] | None = None
    ledger: Annotated[str, Field(min_length=1)] | None = None
    total_epsilon: Annotated[float, Field(gt=0, le=100)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _noise_has_no_seed(cls, given: Any) -> Any:  # noqa: ANN401 - whatever was given
        for name in ("seed", "random_state"):
            if isinstance(given, Mapping) and name in given:
                raise ValueError(f"{name}: noise from a seed protects nobody who can guess it. Remove it.")
        return given

    @model_validator(mode="after")
    def _total_belongs_to_a_ledger(self) -> Self:
        if self.total_epsilon is not None and self.ledger is None:
            raise ValueError("total_epsilon: is the total of a ledger file. Name the file by `ledger`.")
        if self.total_epsilon is not None and self.total_epsilon < self.epsilon:
            raise ValueError("total_epsilon: is below `epsilon`. Raise it.")
        return self
