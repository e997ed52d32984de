"""Types of the section on differential privacy: the guarantee, its ledger and its audit."""

from __future__ import annotations

from math import exp
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, StrictStr

__all__ = ["AuditFacts", "GuaranteeFacts", "LedgerLine", "most_accurate", "most_found"]

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class _Facts(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True, use_attribute_docstrings=True)


class LedgerLine(_Facts):
    """One measurement or selection."""

    what: StrictStr
    """What was measured."""
    rho: Positive
    """Its cost in zero-concentrated differential privacy."""


class AuditFacts(_Facts):
    """An audit of a part of the mechanism, by canaries or by many runs."""

    part: Literal["tables", "mechanism", "selection"]
    """Tables of one column, the whole mechanism, or its first selection."""
    claimed: Positive
    """The epsilon that this part claims."""
    bound: NotNegative
    """The lower bound of its epsilon that the audit proves, at 95 % confidence."""
    most: NotNegative
    """The largest bound that the audit could have proven."""
    trials: StrictInt
    """How many canaries it used, or runs on each of two neighbouring tables."""

    @property
    def refutes(self) -> bool:
        """Whether the bound exceeds the claim."""
        return self.bound > self.claimed


class GuaranteeFacts(_Facts):
    """The guarantee of a training with differential privacy, and what was spent."""

    epsilon: Positive
    """Bound of the privacy loss."""
    delta: Positive
    """Probability with which the bound may fail."""
    unit: Literal["patient"] = "patient"
    """Whose rows are protected together."""
    named: StrictBool = True
    """Whether a column says whose each row is; otherwise each row counts as a patient."""
    at_most: StrictInt
    """Rows of one patient that are used at most."""
    rho: Positive
    """Budget in zero-concentrated differential privacy."""
    spent: NotNegative
    """What was spent of it."""
    mechanism: Literal["aim", "mst"]
    """How tables were selected."""
    patients: StrictInt
    """Number of patients: declared, or with noise."""
    patients_declared: StrictBool
    """Whether that number is declared."""
    noise_share_columns: NotNegative
    """Mean total variation that noise adds to the table of a column."""
    noise_share_pairs: NotNegative
    """Mean total variation that noise adds to the table of a pair."""
    fitted_rows: StrictInt
    """Rows of the graphical model that the network was fitted to."""
    ledger: list[LedgerLine] = Field(default_factory=list)
    """All measurements and selections."""
    audits: list[AuditFacts] = Field(default_factory=list)
    """Audits of the mechanism."""


def most_found(epsilon: float, delta: float, fpr: float) -> float:
    """Return the largest true positive rate of any membership attack at this false positive rate.

    Source: Kairouz, Oh & Viswanath 2015, arXiv 1311.0776.

    Example:
        >>> round(most_found(1.0, 1e-5, 0.01), 3), round(most_found(5.0, 1e-5, 0.01), 3)
        (0.027, 0.993)
    """
    return min(exp(epsilon) * fpr + delta, 1 - exp(-epsilon) * (1 - delta - fpr))


def most_accurate(epsilon: float, delta: float) -> float:
    """Return the largest accuracy of any membership attack on as many members as non-members.

    Example:
        >>> round(most_accurate(1.0, 1e-5), 3)
        0.731
    """
    return 0.5 + (exp(epsilon) - 1 + 2 * delta) / (exp(epsilon) + 1) / 2
