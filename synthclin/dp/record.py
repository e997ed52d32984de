"""The record of a training with differential privacy: its guarantee, what was measured, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from synthclin.dp.ledger import Ledger
from synthclin.dp.noise_shares import Verdict, verdict
from synthclin.dp.parameters import DifferentialPrivacy
from synthclin.dp.private_table import NoisyTable
from synthclin.errors import ModelFormatError
from synthclin.io.documents import validate

__all__ = ["Mechanism", "PrivacyRecord"]

Mechanism = Literal["aim", "mst"]
_REMEDY = "Restore the model folder from its origin, or fit the model again."
_KEYS = {"guarantee", "ledger", "mechanism", "columns", "sizes", "tables", "patients", "fitted_rows"}


@dataclass(frozen=True, slots=True)
class PrivacyRecord:
    """Everything that a training with differential privacy released about real rows; the rest follows from it.

    Arguments:
        guarantee: epsilon, delta, unit and rows per patient.
        ledger: the budget in zero-concentrated differential privacy (Bun & Steinke 2016, arXiv 1605.02065), and a line
            per measurement or selection.
        mechanism: ``aim`` or ``mst``.
        columns: names of the columns of codes, to which the tables refer.
        sizes: how many codes of each the noise shares count; fine bins count as what they are about merged to.
        tables: the noisy tables, each with its cost.
        patients: the number of patients, as declared or with noise.
        fitted_rows: rows of the graphical model that the network was fitted to.
    """

    guarantee: DifferentialPrivacy
    ledger: Ledger
    mechanism: Mechanism
    columns: tuple[str, ...]
    sizes: tuple[int, ...]
    tables: tuple[NoisyTable, ...]
    patients: int
    fitted_rows: int

    @property
    def verdict(self) -> Verdict:
        """How much of one-way and two-way tables is noise."""
        return verdict(self.sizes, self.ledger.rho, self.patients, self.guarantee.at_most)

    def summary(self) -> dict[str, Any]:
        """Return the record without its tables, as plain data for reports and manifests."""
        shares = self.verdict
        return {
            "epsilon": self.guarantee.epsilon,
            "delta": self.guarantee.delta,
            "unit": self.guarantee.unit,
            "at_most": self.guarantee.at_most,
            "rho": self.ledger.rho,
            "spent": self.ledger.spent,
            "mechanism": self.mechanism,
            "patients": self.patients,
            "patients_declared": self.guarantee.patients is not None,
            "noise_share_columns": shares.one_way,
            "noise_share_pairs": shares.two_way,
            "fitted_rows": self.fitted_rows,
            "ledger": [{"what": entry.what, "rho": entry.rho} for entry in self.ledger.entries],
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain JSON data; see `from_dict`."""
        return {
            "guarantee": self.guarantee.model_dump(exclude_none=True, exclude={"ledger", "total_epsilon"}),
            "ledger": self.ledger.to_dict(),
            "mechanism": self.mechanism,
            "columns": list(self.columns),
            "sizes": list(self.sizes),
            "tables": [
                {
                    "columns": list(table.columns),
                    "shape": list(table.values.shape),
                    "values": table.values.ravel().tolist(),
                    "variance": table.variance.ravel().tolist(),
                    "rho": table.rho,
                }
                for table in self.tables
            ],
            "patients": self.patients,
            "fitted_rows": self.fitted_rows,
        }

    @classmethod
    def from_dict(cls, data: object, where: str) -> Self:
        """Return the record from the data of `to_dict`; raises ModelFormatError where they are not such data."""
        wrong = ModelFormatError(where, "no record of a training with differential privacy", _REMEDY)
        if not isinstance(data, dict) or set(data) != _KEYS or data["mechanism"] not in ("aim", "mst"):
            raise wrong
        guarantee = validate(DifferentialPrivacy, data["guarantee"], where, ModelFormatError)
        ledger = Ledger.from_dict(data["ledger"], where, ModelFormatError)
        counts = [data["patients"], data["fitted_rows"], *_list(data["sizes"], wrong)]
        if not all(type(count) is int and 0 < count < 10**15 for count in counts):
            raise wrong
        columns = _list(data["columns"], wrong)
        if not all(isinstance(name, str) for name in columns) or len(columns) != len(data["sizes"]):
            raise wrong
        tables = tuple(_table(each, len(columns), wrong) for each in _list(data["tables"], wrong))
        return cls(
            guarantee,
            ledger,
            data["mechanism"],
            tuple(columns),
            tuple(data["sizes"]),
            tables,
            data["patients"],
            data["fitted_rows"],
        )


def _list(value: object, wrong: ModelFormatError) -> list[Any]:
    if not isinstance(value, list):
        raise wrong
    return value


def _table(data: object, columns: int, wrong: ModelFormatError) -> NoisyTable:
    """Return a noisy table of `PrivacyRecord.to_dict`."""
    if not isinstance(data, dict) or set(data) != {"columns", "shape", "values", "variance", "rho"}:
        raise wrong
    try:
        values, variance = (
            np.array(data[key], dtype=np.float64).reshape(data["shape"]) for key in ("values", "variance")
        )
        places = tuple(int(place) for place in data["columns"])
        rho = float(data["rho"])
    except (ValueError, TypeError, OverflowError):
        raise wrong from None
    good = all(0 <= place < columns for place in places) and len(places) == values.ndim
    if not good or not np.isfinite(values).all() or not (np.isfinite(variance) & (variance >= 0)).all() or not rho > 0:
        raise wrong
    return NoisyTable(places, values, variance, rho)
